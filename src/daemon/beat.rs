//! What happens in the moment the peers are told that we live: the leases of our addresses are renewed, and what we
//! hold is noted for a successor, both for as long as the peers wait for us from then on. With a required witness the
//! core says since when nobody takes what we hold, and both go by that.
//!
//! Owns the two clocks of that. Never sends a status and never decides what is held: the core does.

use std::time::{Duration, Instant};

use log::warn;

use super::clock::moment;
use super::held::{Beat, BeatFile};
use crate::cluster::{self, Action, Core, GroupSet};
use crate::vip;

/// What a planned restart leaves of the peers' patience: the kernel removes an address up to a second late, and a
/// status takes a moment.
const STRETCH_MARGIN: Duration = Duration::from_secs(2);

/// Whether this tells the peers that we live.
pub fn is_status(action: &Action) -> bool {
    matches!(action, Action::Send(message) if message.kind() == Some("status"))
}

/// The lifetime of our addresses while nobody renews them, because a successor is about to start.
pub fn stretch(core: &Core) -> vip::VipCommand {
    vip::VipCommand::Stretch { lifetime: patience(core).saturating_sub(STRETCH_MARGIN) }
}

/// How long from now on nobody takes what we hold.
fn patience(core: &Core) -> Duration {
    let announced = core.announced_dead_time();
    core.assured_for().map_or(announced, |assured| assured.min(announced))
}

/// What the core has said of the moment from which nobody takes what we hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// A status goes out.
    status: bool,
    /// The moment, if it was said.
    since: Option<cluster::Instant>,
}

impl Told {
    /// What these actions say.
    pub fn by(actions: &[Action]) -> Told {
        let since = actions.iter().filter_map(|action| match action {
            Action::Assured { since } => Some(*since),
            _ => None,
        });
        Told { status: actions.iter().any(is_status), since: since.max() }
    }

    /// Whether the peers were told that we live.
    pub fn peers(self) -> bool {
        self.status
    }
}

/// What is renewed when a status goes out, or by the word of the core. With nothing to renew it costs nothing.
#[derive(Debug)]
pub struct LeaseRenewal {
    /// Renewing more often is of no use; `None` without a lease.
    period: Option<Duration>,
    renewed: Option<Instant>,
}

impl LeaseRenewal {
    /// By these terms; not renewed yet.
    pub fn new(terms: Option<vip::Terms>) -> LeaseRenewal {
        LeaseRenewal { period: terms.map(|terms| terms.period()), renewed: None }
    }

    /// The core has answered, and `told` has what its orders say. If a status is among them, the peer will wait a
    /// dead time from now on: so may the kernel. `by_word`: a witness is required, and no status renews anything. The
    /// core names the moment at which the dead time began ([`Action::Assured`]); one that is old is passed on at
    /// once, so that what has expired goes at once.
    pub fn renewal(&mut self, told: Told, by_word: bool) -> Option<vip::VipCommand> {
        let (period, now) = (self.period?, Instant::now());
        let beat = match (by_word, told) {
            (true, Told { since, .. }) => now.checked_sub(moment().monotonic.since(since?))?,
            (false, Told { status, .. }) => status.then_some(now)?,
        };
        let fresh = now.duration_since(beat) < period;
        if fresh && self.renewed.is_some_and(|renewed| beat < renewed + period) {
            return None;
        }
        self.renewed = Some(beat);
        Some(vip::VipCommand::Renew { beat })
    }
}

/// What is noted for a successor, and whether the end was a handing over.
#[derive(Debug)]
pub struct Ledger {
    file: BeatFile,
    /// What was noted last: what is held, and what has not stopped.
    noted: Option<(GroupSet, GroupSet)>,
    complained: bool,
    /// The core ended and left what runs for a successor.
    pub handed_over: bool,
}

impl Ledger {
    /// With nothing noted yet.
    pub fn new(file: BeatFile) -> Ledger {
        Ledger { file, noted: None, complained: false, handed_over: false }
    }

    /// Notes what is held and what still stops, if the peers were just told that we live, or if it changed.
    pub fn note(&mut self, core: &Core, told: bool) {
        let (hold, stopping) = (core.holds(), core.still_stopping());
        if !told && self.noted == Some((hold, stopping)) {
            return;
        }
        self.noted = Some((hold, stopping));
        let until = moment().monotonic.0 + patience(core);
        let (returns, classes_only) = (core.returns(), core.peer_knows_classes_only());
        let (planned, failback) = (self.handed_over, core.plans_failback());
        let peer_off = core.peer_is_surely_off();
        let beat = Beat { until, hold, returns, planned, classes_only, failback, stopping, peer_off };
        let written = self.file.write(beat);
        if let Err(error) = written
            && !std::mem::replace(&mut self.complained, true)
        {
            warn!("cannot note what is held, so a crash would release it: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Timing;
    use crate::vip::VipCommand;

    fn renewal() -> LeaseRenewal {
        let seconds = Duration::from_secs;
        let timing = Timing {
            keepalive: seconds(1),
            deadtime: seconds(10),
            warntime: seconds(5),
            initdead: seconds(20),
            deadping: seconds(10),
            max_rexmit_delay: Duration::from_millis(250),
        };
        LeaseRenewal::new(vip::Terms::of(&timing).ok())
    }

    /// The core says so, this long ago.
    fn word(ago: Duration) -> Told {
        let since = cluster::Instant(moment().monotonic.0 - ago);
        Told { status: true, since: Some(since) }
    }

    fn age(command: Option<VipCommand>) -> Duration {
        match command {
            Some(VipCommand::Renew { beat }) => beat.elapsed(),
            other => panic!("{other:?}"),
        }
    }

    const STATUS: Told = Told { status: true, since: None };

    #[test]
    fn a_status_renews_and_not_too_often() {
        let mut lease = renewal();
        assert!(age(lease.renewal(STATUS, false)) < Duration::from_secs(1));
        assert_eq!(lease.renewal(STATUS, false), None);
        assert_eq!(lease.renewal(Told { status: false, since: None }, false), None);
    }

    #[test]
    fn where_a_witness_is_required_only_the_cores_word_renews() {
        let mut lease = renewal();
        assert_eq!(lease.renewal(STATUS, true), None);
        let age_of_word = age(lease.renewal(word(Duration::from_millis(1500)), true));
        assert!((Duration::from_millis(1500)..Duration::from_secs(2)).contains(&age_of_word), "{age_of_word:?}");
        // Fresh and told already.
        assert_eq!(lease.renewal(word(Duration::from_millis(1400)), true), None);
        // What has expired must go now.
        assert!(age(lease.renewal(word(Duration::from_secs(11)), true)) >= Duration::from_secs(11));
    }
}
