//! What must be true after every step (docs/DECISIONS.md "What must be true after every step").
//!
//! Where a real Heartbeat takes part, its own defects (03 §0) are excused; each excuse says which defect it means.

use std::time::Duration;

use crate::units::{GROUPS, Running};

/// While the nodes do not hear each other both may serve, as with Heartbeat (policy `takeover`). Once they hear each
/// other, both may go on for at most this long. Either a daemon is stalled when the LAN comes back, and its lease has
/// to end (3.3 s). Or a node that was stalled ignores, for a warntime, a peer that has lost its uuid meanwhile
/// (02 §4.1), and the peer's next status comes a keepalive later. Then follow the exchange and the time to stop.
const BOTH: Duration = Duration::from_millis(3_500);
/// Two hbd nodes that have heard each other for so long, on a cable that loses nothing, never serve both.
const CALM: Duration = Duration::from_secs(10);
/// Added where messages are lost. A lost report is asked for again when a later status shows the gap, and that status
/// and the next one may be lost as well.
const LOST: Duration = Duration::from_secs(2);
/// The same limit while the nodes do not hear each other and have read different files, by which each may take a
/// group for its own: the one whose name sorts last finds that the other insists on it.
const BOTH_DISAGREE: Duration = Duration::from_secs(150);
/// The same limit beside a real Heartbeat, which only logs that both nodes own something (03 §0 no. 9). It restarts
/// itself, but not while it is in flux (10 s), and not at all after a late heartbeat (03 §8.3): then hbd asks it for
/// a standby after 15 s.
const BOTH_MIXED: Duration = Duration::from_secs(45);
/// The longest time without an owner after the last disturbance: the dead time of a starting node, T10 (03 §4.2), the
/// exchange, the time to start.
const NOBODY: Duration = Duration::from_secs(25);
/// The same beside a real Heartbeat, which announces a dead time of 34 s when it restarts (02 §9.3).
const NOBODY_MIXED: Duration = Duration::from_secs(75);
/// After both nodes served, the one that keeps the group announces its address within this time.
const ANNOUNCED: Duration = Duration::from_secs(4);
/// An announcement is repeated for so long (hbd.toml(5), `announce`).
const REPEATED: Duration = Duration::from_secs(3);

/// The cluster as an outsider sees it.
pub struct Observation {
    pub now: Duration,
    /// How many groups there are.
    pub groups: usize,
    pub alive: [bool; 2],
    pub running: [Running; 2],
    pub heartbeat: [bool; 2],
    /// Both may serve, because the nodes do not hear each other on any link, a daemon is stalled or gives way to its
    /// successor, or a resource does not do what it is told.
    pub parted: bool,
    /// Every node asks the LAN before it takes an address, and the LAN is whole: two owners are not excused by a
    /// partition of the heartbeat links.
    pub watched: bool,
    /// The nodes do not hear each other and have read different files.
    pub disagree: bool,
    /// A witness is required: two owners are not excused by anything.
    pub witness: bool,
    /// A group may be down, because it cannot or must not be started.
    pub excused: bool,
    /// Per group: it cannot be stopped where it runs, and what runs in part on one node must not be started on the
    /// other one.
    pub stuck: [bool; GROUPS],
    /// Per group: what a real Heartbeat reports of the group is wrong, and its peer has no way to find out.
    pub misled: [bool; GROUPS],
}

/// The invariants and what they need to remember.
#[derive(Debug, Default)]
pub struct Invariants {
    mixed: bool,
    lossy: bool,
    /// How long both may serve.
    both_limit: Duration,
    parted: bool,
    healed: Duration,
    /// When somebody last added an address.
    by_hand: Option<Duration>,
    /// The last moment at which a partition excused two owners.
    unwatched: Duration,
    disturbed: Duration,
    /// The last moment at which the nodes had read different files and did not hear each other.
    disagreed: Duration,
    /// Per group: since when both serve.
    both: [Option<Duration>; GROUPS],
    /// Per group: since when nobody serves.
    nobody: [Option<Duration>; GROUPS],
    /// Per group: both served, and the remaining owner has not announced the address yet.
    conflict: [Option<Conflict>; GROUPS],
    /// Per group and node: until when the node goes on to announce the address.
    announces: [[Duration; 2]; GROUPS],
    /// Per group: a real Heartbeat claims it without running it.
    claimed_in_vain: [bool; GROUPS],
}

#[derive(Debug, Clone, Copy)]
struct Conflict {
    over: Option<Duration>,
}

impl Invariants {
    /// `mixed`: a real Heartbeat takes part. `lossy`: the network loses messages.
    pub fn new(mixed: bool, lossy: bool) -> Self {
        let both_limit = match (mixed, lossy) {
            (true, _) => BOTH_MIXED,
            (false, true) => BOTH + LOST,
            (false, false) => BOTH,
        };
        Invariants { mixed, lossy, both_limit, ..Invariants::default() }
    }

    /// Something was done to the cluster: the time without an owner counts from now.
    pub fn disturbed(&mut self, now: Duration) {
        self.disturbed = now;
    }

    /// Somebody added an address: for a moment both nodes may have it.
    pub fn added_by_hand(&mut self, now: Duration) {
        self.by_hand = Some(now);
        self.healed = now;
    }

    /// A real Heartbeat claims `group` and does not run it, for example because it could not start it. The group
    /// stays down on both nodes (03 §0 nos. 6 and 7) until the Heartbeat starts it again.
    pub fn claim_in_vain(&mut self, group: usize) {
        self.claimed_in_vain[group] = true;
    }

    pub fn is_claimed_in_vain(&self, group: usize) -> bool {
        self.claimed_in_vain[group]
    }

    /// `node` announced the address of `group`.
    pub fn announced(&mut self, group: usize, node: usize, now: Duration) {
        self.announces[group][node] = now + REPEATED;
    }

    pub fn check(&mut self, observation: &Observation) -> Result<(), String> {
        if self.parted && !observation.parted {
            self.healed = observation.now;
        }
        self.parted = observation.parted;
        if !observation.watched {
            self.unwatched = observation.now;
        }
        if observation.disagree {
            self.disagreed = observation.now;
        }
        if observation.excused {
            self.disturbed = observation.now;
        }
        for group in 0..observation.groups {
            // The address is the first resource of each group.
            let serving = [observation.running[0][group][0], observation.running[1][group][0]];
            self.two_owners(observation, group, serving)?;
            self.no_owner(observation, group)?;
            self.announcement(observation, group, serving)?;
        }
        Ok(())
    }

    fn two_owners(&mut self, observation: &Observation, group: usize, serving: [bool; 2]) -> Result<(), String> {
        if serving != [true, true] || observation.misled[group] {
            self.both[group] = None;
            return Ok(());
        }
        let began = *self.both[group].get_or_insert(observation.now);
        if observation.witness && self.by_hand.is_none_or(|at| observation.now > at + CALM) {
            return Err(format!("both nodes serve group {group}, with a witness"));
        }
        let since = if observation.watched { began.max(self.unwatched) } else { began.max(self.healed) };
        let calm = !self.mixed && !self.lossy && !observation.parted && began > self.healed + CALM;
        let since = if observation.disagree { since } else { since.max(self.disagreed) };
        let limit = match (calm, observation.disagree) {
            (true, _) => Duration::ZERO,
            (false, true) => BOTH_DISAGREE.max(self.both_limit),
            (false, false) => self.both_limit,
        };
        if (observation.watched || !observation.parted) && observation.now - since > limit {
            return Err(format!("both nodes serve group {group}"));
        }
        self.conflict[group] = Some(Conflict { over: None });
        Ok(())
    }

    fn no_owner(&mut self, observation: &Observation, group: usize) -> Result<(), String> {
        let serves = |node: usize| observation.running[node][group].iter().all(|up| *up);
        let served = (0..2).any(serves);
        // Whatever hbd serves meanwhile, the real Heartbeat goes on believing that it has the group.
        if observation.misled[group] {
            self.claimed_in_vain[group] = true;
        }
        if (0..2).any(|node| observation.heartbeat[node] && (serves(node) || !observation.alive[node])) {
            self.claimed_in_vain[group] = false;
        }
        let excused = observation.stuck[group] || self.claimed_in_vain[group];
        if served || observation.alive == [false, false] || excused {
            self.nobody[group] = None;
            return Ok(());
        }
        let limit = if self.mixed { NOBODY_MIXED } else { NOBODY };
        let since = (*self.nobody[group].get_or_insert(observation.now)).max(self.disturbed);
        if observation.now - since > limit {
            return Err(format!("nobody serves group {group} while {:?} are alive", observation.alive));
        }
        Ok(())
    }

    fn announcement(&mut self, observation: &Observation, group: usize, serving: [bool; 2]) -> Result<(), String> {
        let Some(conflict) = &mut self.conflict[group] else { return Ok(()) };
        if serving == [true, true] {
            return Ok(());
        }
        // A node that is dead, or cut off again, is not expected to announce anything.
        if observation.alive != [true, true] || observation.parted || serving == [false, false] {
            self.conflict[group] = None;
            return Ok(());
        }
        let owner = usize::from(serving[1]);
        let over = *conflict.over.get_or_insert(observation.now);
        // A real Heartbeat announces an address only when it starts it (03 §0 no. 9).
        if self.announces[group][owner] > over || observation.heartbeat[owner] {
            self.conflict[group] = None;
        } else if observation.now - over > ANNOUNCED {
            return Err(format!("group {group} was served by both and node {owner} never announced it again"));
        }
        Ok(())
    }
}
