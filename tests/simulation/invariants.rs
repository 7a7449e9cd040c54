//! What must be true after every step (design section 6).

use std::time::Duration;

use crate::world::{NODES, RESOURCES};

type Running = [[bool; RESOURCES]; NODES];

/// While the link is cut both may serve, as with Heartbeat (policy `takeover`); once it is whole this is how long they
/// may both go on: a keepalive until the first status, the exchange, and the time to stop.
const BOTH: Duration = Duration::from_secs(3);
/// The longest that nobody may serve after the last disturbance: dead time while starting, T10, the exchange, the time
/// to start.
const NOBODY: Duration = Duration::from_secs(25);
/// After both served, the one who stays announces within this time.
const ANNOUNCED: Duration = Duration::from_secs(4);

/// The four invariants and what they need to remember.
#[derive(Debug, Default)]
pub struct Invariants {
    cut: bool,
    healed: Duration,
    disturbed: Duration,
    /// Per group: since when both serve.
    both: [Option<Duration>; NODES],
    /// Per group: since when nobody serves.
    nobody: [Option<Duration>; NODES],
    /// Per group: both served; who stayed must announce after it.
    conflict: [Option<Conflict>; NODES],
}

#[derive(Debug, Clone, Copy)]
struct Conflict {
    over: Option<Duration>,
    announced: [bool; NODES],
}

impl Invariants {
    pub fn link(&mut self, now: Duration, cut: bool) {
        self.cut = cut;
        if !cut {
            self.healed = now;
        }
    }

    pub fn disturbed(&mut self, now: Duration) {
        self.disturbed = now;
    }

    /// `node` announced the address of `group`.
    pub fn announced(&mut self, group: usize, node: usize) {
        if let Some(conflict) = &mut self.conflict[group]
            && conflict.over.is_some()
        {
            conflict.announced[node] = true;
        }
    }

    pub fn check(&mut self, now: Duration, alive: [bool; NODES], running: [Running; NODES]) -> Result<(), String> {
        for group in 0..NODES {
            // The address is the first resource of each group.
            let serving = [running[0][group][0], running[1][group][0]];
            self.two_owners(now, group, serving)?;
            self.no_owner(now, group, alive, running)?;
            self.announcement(now, group, alive, serving)?;
        }
        Ok(())
    }

    fn two_owners(&mut self, now: Duration, group: usize, serving: [bool; NODES]) -> Result<(), String> {
        if serving != [true, true] {
            self.both[group] = None;
        } else {
            let since = (*self.both[group].get_or_insert(now)).max(self.healed);
            if !self.cut && now - since > BOTH {
                return Err(format!("both nodes serve group {group}"));
            }
            self.conflict[group] = Some(Conflict { over: None, announced: [false; NODES] });
        }
        Ok(())
    }

    fn no_owner(
        &mut self,
        now: Duration,
        group: usize,
        alive: [bool; NODES],
        running: [Running; NODES],
    ) -> Result<(), String> {
        let served = (0..NODES).any(|node| running[node][group].iter().all(|up| *up));
        if served || alive == [false, false] {
            self.nobody[group] = None;
            return Ok(());
        }
        let since = (*self.nobody[group].get_or_insert(now)).max(self.disturbed);
        if now - since > NOBODY {
            return Err(format!("nobody serves group {group} while {alive:?} are alive"));
        }
        Ok(())
    }

    fn announcement(
        &mut self,
        now: Duration,
        group: usize,
        alive: [bool; NODES],
        serving: [bool; NODES],
    ) -> Result<(), String> {
        let Some(conflict) = &mut self.conflict[group] else { return Ok(()) };
        if serving == [true, true] {
            return Ok(());
        }
        // Who died in a partition, or whose link is cut again, cannot be asked for more.
        if alive != [true, true] || self.cut || serving == [false, false] {
            self.conflict[group] = None;
            return Ok(());
        }
        let owner = usize::from(serving[1]);
        let over = *conflict.over.get_or_insert(now);
        if conflict.announced[owner] {
            self.conflict[group] = None;
        } else if now - over > ANNOUNCED {
            return Err(format!("group {group} was served by both and node {owner} never announced it again"));
        }
        Ok(())
    }
}
