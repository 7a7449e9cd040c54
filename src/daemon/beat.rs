//! What happens in the moment the peers are told that we live: the leases of our addresses are renewed, and what we
//! hold is noted for a successor, both for as long as the peers wait for us from then on.
//!
//! Owns the two clocks of that. Never sends a status and never decides what is held: the core does.

use std::time::{Duration, Instant};

use log::warn;

use super::clock::moment;
use super::held::{Beat, BeatFile};
use crate::cluster::{Action, Core, GroupSet};
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
    vip::VipCommand::Stretch { lifetime: core.announced_dead_time().saturating_sub(STRETCH_MARGIN) }
}

/// What is renewed when a status goes out. With nothing to renew it costs nothing.
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

    /// The core has answered, and `told` says whether a status is among its orders. If so, the peer will wait a
    /// dead time from now on: so may the kernel.
    pub fn renewal(&mut self, told: bool) -> Option<vip::VipCommand> {
        let period = self.period?;
        let beat = Instant::now();
        if !told || self.renewed.is_some_and(|renewed| beat < renewed + period) {
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
    hold: Option<GroupSet>,
    complained: bool,
    /// The core ended and left what runs for a successor.
    pub handed_over: bool,
}

impl Ledger {
    /// With nothing noted yet.
    pub fn new(file: BeatFile) -> Ledger {
        Ledger { file, hold: None, complained: false, handed_over: false }
    }

    /// Notes what is held, if the peers were just told that we live, or if it changed.
    pub fn note(&mut self, core: &Core, told: bool) {
        let hold = core.holds();
        if !told && self.hold == Some(hold) {
            return;
        }
        self.hold = Some(hold);
        let until = moment().monotonic.0 + core.announced_dead_time();
        let (returns, classes_only) = (core.returns(), core.peer_knows_classes_only());
        let (planned, failback) = (self.handed_over, core.plans_failback());
        let beat = Beat { until, hold, returns, planned, classes_only, failback };
        let written = self.file.write(beat);
        if let Err(error) = written
            && !std::mem::replace(&mut self.complained, true)
        {
            warn!("cannot note what is held, so a crash would release it: {error}");
        }
    }
}
