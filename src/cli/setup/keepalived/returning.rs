//! When a node gets its groups back: nopreempt, preempt_delay and vrrp_startup_delay.
//!
//! Owns what these three become in ha.cf and hbd.toml.

use toml::{Table, Value};

use super::instance::VrrpInstance;
use super::verdicts::Verdicts;

/// Whether nothing returns: no instance preempts.
pub(super) fn is_off(instances: &[VrrpInstance]) -> bool {
    !instances.is_empty() && instances.iter().all(|instance| instance.nopreempt)
}

/// What a group says of itself, where the instances differ: `failback = "off"`.
pub(super) fn of_group(instance: &VrrpInstance, all: &[VrrpInstance]) -> Option<(String, Value)> {
    let stays = instance.nopreempt && !is_off(all);
    stays.then(|| ("failback".to_owned(), Value::from("off")))
}

/// The keys at the top of hbd.toml. hbd has one delay for all groups: the longest that is written.
pub(super) fn settings(instances: &[VrrpInstance], startup_delay: f64, verdicts: &mut Verdicts) -> Table {
    let delays = instances.iter().map(|instance| instance.preempt_delay);
    let after = delays.fold(0.0, f64::max);
    for shorter in instances.iter().filter(|instance| instance.preempt_delay < after && !instance.nopreempt) {
        let (name, delay) = (&shorter.name, shorter.preempt_delay);
        let text = format!(
            "{name} has preempt_delay {delay}, and another has {after}: hbd has one failback_after, which becomes {after}"
        );
        verdicts.note(&shorter.place, text);
    }
    let mut settings = Table::new();
    for (key, seconds) in [("failback_after", after), ("start_delay", startup_delay)] {
        if seconds > 0.0 {
            settings.insert(key.to_owned(), Value::Float(seconds));
        }
    }
    settings
}
