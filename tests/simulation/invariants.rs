//! What must be true after every step (docs/DECISIONS.md "What must be true after every step").
//!
//! Where a real Heartbeat takes part, its own defects (03 §0) are excused; each excuse says which defect it means.

use std::time::Duration;

use crate::units::{GROUPS, Running};

/// While the nodes do not hear each other both may serve, as with Heartbeat (policy `takeover`); once they do, this
/// is how long they may both go on: the lease of a daemon that does not run when the LAN comes back (3.3 s), or the
/// warntime for which one that slept does not listen to who lost its uuid meanwhile (02 §4.1) and a keepalive until
/// its next status; and the exchange, and the time to stop.
const BOTH: Duration = Duration::from_millis(3_500);
/// Where messages are lost: a report is asked for again when a later status shows that it is missing, and that may be
/// lost, and the one after it.
const LOST: Duration = Duration::from_secs(2);
/// Beside a real Heartbeat, which only logs that both own something (03 §0 no. 9): it restarts itself, but not while
/// it is in flux (10 s), or not at all after a late heartbeat (03 §8.3), and then hbd asks it after 15 s.
const BOTH_MIXED: Duration = Duration::from_secs(45);
/// The longest that nobody may serve after the last disturbance: dead time while starting, T10, the exchange, the
/// time to start.
const NOBODY: Duration = Duration::from_secs(25);
/// Beside a real Heartbeat: its restart with 34 s of announced dead time (02 §9.3).
const NOBODY_MIXED: Duration = Duration::from_secs(75);
/// After both served, the one who stays announces within this time.
const ANNOUNCED: Duration = Duration::from_secs(4);

/// The cluster as an outsider sees it.
pub struct Sight {
    pub now: Duration,
    pub alive: [bool; 2],
    pub running: [Running; 2],
    pub heartbeat: [bool; 2],
    /// A link is cut in a way that matters, a daemon does not get to run, or a resource does not obey: both may serve
    /// for as long as that lasts.
    pub parted: bool,
    /// Everybody asks the LAN before taking an address, and the LAN is whole: no partition is an excuse for two
    /// owners.
    pub watched: bool,
    /// A group may be down because it cannot be started, or must not be.
    pub excused: bool,
    /// What a real Heartbeat says of the group is wrong, and nobody who only hears it can know.
    pub misled: [bool; GROUPS],
}

/// The invariants and what they need to remember.
#[derive(Debug, Default)]
pub struct Invariants {
    mixed: bool,
    /// How long both may serve.
    both_limit: Duration,
    parted: bool,
    healed: Duration,
    /// The last moment at which a partition was an excuse.
    unwatched: Duration,
    disturbed: Duration,
    /// Per group: since when both serve.
    both: [Option<Duration>; GROUPS],
    /// Per group: since when nobody serves.
    nobody: [Option<Duration>; GROUPS],
    /// Per group: both served; who stayed must announce after it.
    conflict: [Option<Conflict>; GROUPS],
    forgotten: [bool; GROUPS],
}

#[derive(Debug, Clone, Copy)]
struct Conflict {
    over: Option<Duration>,
    announced: [bool; 2],
}

impl Invariants {
    /// For a cluster with a real Heartbeat if it is `mixed`, and a network that loses messages if it is `lossy`.
    pub fn new(mixed: bool, lossy: bool) -> Self {
        let both_limit = match (mixed, lossy) {
            (true, _) => BOTH_MIXED,
            (false, true) => BOTH + LOST,
            (false, false) => BOTH,
        };
        Invariants { mixed, both_limit, ..Invariants::default() }
    }

    pub fn disturbed(&mut self, now: Duration) {
        self.disturbed = now;
    }

    /// A real Heartbeat could not start `group`: it goes on claiming it and the group stays down on both nodes (03 §0
    /// no. 6 and 7) until somebody starts it again.
    pub fn forgets(&mut self, group: usize) {
        self.forgotten[group] = true;
    }

    pub fn forgotten(&self, group: usize) -> bool {
        self.forgotten[group]
    }

    /// `node` announced the address of `group`.
    pub fn announced(&mut self, group: usize, node: usize) {
        if let Some(conflict) = &mut self.conflict[group]
            && conflict.over.is_some()
        {
            conflict.announced[node] = true;
        }
    }

    pub fn check(&mut self, sight: &Sight) -> Result<(), String> {
        if self.parted && !sight.parted {
            self.healed = sight.now;
        }
        self.parted = sight.parted;
        if !sight.watched {
            self.unwatched = sight.now;
        }
        if sight.excused {
            self.disturbed = sight.now;
        }
        for group in 0..GROUPS {
            // The address is the first resource of each group.
            let serving = [sight.running[0][group][0], sight.running[1][group][0]];
            self.two_owners(sight, group, serving)?;
            self.no_owner(sight, group)?;
            self.announcement(sight, group, serving)?;
        }
        Ok(())
    }

    fn two_owners(&mut self, sight: &Sight, group: usize, serving: [bool; 2]) -> Result<(), String> {
        if serving != [true, true] || sight.misled[group] {
            self.both[group] = None;
            return Ok(());
        }
        let began = *self.both[group].get_or_insert(sight.now);
        let since = if sight.watched { began.max(self.unwatched) } else { began.max(self.healed) };
        if (sight.watched || !sight.parted) && sight.now - since > self.both_limit {
            return Err(format!("both nodes serve group {group}"));
        }
        self.conflict[group] = Some(Conflict { over: None, announced: [false; 2] });
        Ok(())
    }

    fn no_owner(&mut self, sight: &Sight, group: usize) -> Result<(), String> {
        let serves = |node: usize| sight.running[node][group].iter().all(|up| *up);
        let served = (0..2).any(serves);
        // What hbd serves meanwhile does not change what a real Heartbeat believes to have.
        if sight.misled[group] {
            self.forgotten[group] = true;
        }
        if (0..2).any(|node| sight.heartbeat[node] && (serves(node) || !sight.alive[node])) {
            self.forgotten[group] = false;
        }
        if served || sight.alive == [false, false] || self.forgotten[group] {
            self.nobody[group] = None;
            return Ok(());
        }
        let limit = if self.mixed { NOBODY_MIXED } else { NOBODY };
        let since = (*self.nobody[group].get_or_insert(sight.now)).max(self.disturbed);
        if sight.now - since > limit {
            return Err(format!("nobody serves group {group} while {:?} are alive", sight.alive));
        }
        Ok(())
    }

    fn announcement(&mut self, sight: &Sight, group: usize, serving: [bool; 2]) -> Result<(), String> {
        let Some(conflict) = &mut self.conflict[group] else { return Ok(()) };
        if serving == [true, true] {
            return Ok(());
        }
        // Who died in a partition, or does not hear the other again, cannot be asked for more.
        if sight.alive != [true, true] || sight.parted || serving == [false, false] {
            self.conflict[group] = None;
            return Ok(());
        }
        let owner = usize::from(serving[1]);
        let over = *conflict.over.get_or_insert(sight.now);
        // A real Heartbeat announces only what it starts (03 §0 no. 9).
        if conflict.announced[owner] || sight.heartbeat[owner] {
            self.conflict[group] = None;
        } else if sight.now - over > ANNOUNCED {
            return Err(format!("group {group} was served by both and node {owner} never announced it again"));
        }
        Ok(())
    }
}
