//! When groups return, beyond `auto_failback`, and what operators say about it.

use std::time::Duration;

use hbd::config::{DailyWindow, FailbackPolicy};
use hbd::util::random::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::schedule::{Fault, Schedule, Stage};
use crate::units::{FEW, GROUPS, for_each_group};

/// The settings, the same on both nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Returns {
    pub after_ms: u64,
    pub start_delay_ms: u64,
    #[serde(default)]
    pub window: Option<DailyWindow>,
    /// `failback` of each group.
    #[serde(default, deserialize_with = "for_each_group")]
    pub groups: [Option<bool>; GROUPS],
}

impl Returns {
    pub fn random(random: &mut SplitMix64) -> Returns {
        let mut time = || if random.below(3) == 0 { 0 } else { random.below(20_000) };
        let (after_ms, start_delay_ms) = (time(), time());
        // Virtual time begins at half past ten in the evening.
        let mut minute = || random.between(22 * 60 + 28, 22 * 60 + 36) as u16;
        let (from, to) = (minute(), minute());
        let window = (random.below(3) == 0 && from != to).then_some(DailyWindow { from, to });
        let mut groups = [None; GROUPS];
        if random.below(3) == 0 {
            for group in &mut groups[..FEW] {
                *group = [None, Some(true), Some(false)][random.below(3) as usize];
            }
        }
        Returns { after_ms, start_delay_ms, window, groups }
    }

    /// Whether groups may stay where they are for longer than a cluster is given to settle.
    pub fn leave_some(&self) -> bool {
        self.window.is_some() || self.groups.contains(&Some(false))
    }

    /// As the core is told.
    pub fn policy(&self) -> FailbackPolicy {
        let [after, start_delay] = [self.after_ms, self.start_delay_ms].map(Duration::from_millis);
        FailbackPolicy { after, window: self.window, start_delay, groups: self.groups.to_vec() }
    }
}

impl Schedule {
    /// In every third pair groups do not return at once, or not all of them, and operators say when.
    pub fn add_returns(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x00fa_11ba);
        if !self.cluster.serves() || random.below(3) != 0 {
            return;
        }
        self.cluster.returns = Returns::random(&mut random);
        for _ in 0..random.below(3) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let fault = wish(&mut random);
            self.stages.insert(at, Stage { pause_ms: random.below(15_000), fault });
        }
    }
}

/// An operator wants something to return now, or not at all.
fn wish(random: &mut SplitMix64) -> Fault {
    let node = random.below(2) as usize;
    let group = (random.below(2) == 0).then(|| random.below(FEW as u64) as usize);
    match random.below(2) {
        0 => Fault::ReturnNow { node, group },
        _ => Fault::CancelReturn { node, group },
    }
}
