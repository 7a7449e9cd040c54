//! The scenarios that every pairing plays, whatever runs on its nodes.
//!
//! Each function is given a pair in the state that its documentation names, and leaves exactly one owner.

use crate::lab::NODES;
use crate::process::{now, wait_until};
use crate::round::{A, B, Round, START, TAKEOVER};
use crate::software::Software;
use crate::switch::Lan;
use crate::{Error, Result};

/// From stopped: both start at once.
pub fn cold_start_together(round: &mut Round) -> Result<()> {
    let since = now();
    round.lab.start(A)?;
    round.lab.start(B)?;
    round.wait_settled(since)
}

/// From stopped: the preferred node starts first, alone.
pub fn cold_start_one_after_the_other(round: &mut Round) -> Result<()> {
    round.lab.start(A)?;
    round.lab.wait_owner(A, START)?;
    let since = now();
    round.lab.start(B)?;
    round.wait_settled(since)
}

/// From settled: the owner loses its power.
pub fn crash_of_the_owner(round: &mut Round) -> Result<()> {
    let mark = round.mark(B)?;
    round.crash_of_the_owner()?;
    round.wait_logged(B, &mark, "node nodea: is dead", TAKEOVER)
}

/// From taken over: the preferred node comes back and gets its group back.
pub fn return_and_failback(round: &mut Round) -> Result<()> {
    let since = now();
    round.lab.nodes[A].boot()?;
    round.lab.start(A)?;
    round.wait_settled(since)
}

/// From settled: the standby node loses its power and comes back.
pub fn crash_of_the_standby(round: &mut Round) -> Result<()> {
    let mark = round.mark(A)?;
    let crash = round.lab.nodes[B].power_failure()?;
    round.wait_logged(A, &mark, "node nodeb: is dead", TAKEOVER)?;
    round.expect_served_by(A, crash)?;
    let since = now();
    round.lab.nodes[B].boot()?;
    round.lab.start(B)?;
    round.wait_settled(since)?;
    round.expect_served_by(A, crash)
}

/// From settled: the owner is stopped and started again.
pub fn graceful_stop(round: &mut Round) -> Result<()> {
    let mark = round.mark(B)?;
    round.lab.stop(A)?;
    round.lab.wait_owner(B, TAKEOVER)?;
    round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    round.wait_logged(B, &mark, "Received shutdown notice from 'nodea'", TAKEOVER)?;
    let since = now();
    round.lab.start(A)?;
    round.wait_settled(since)
}

/// Which node is asked for a planned move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The node that serves goes standby.
    Owner,
    /// The other one takes over.
    Other,
}

/// From settled: everything moves to the other node and back.
pub fn planned_moves(round: &mut Round, asked: Asked) -> Result<()> {
    let start = now();
    for (owner, other) in [(A, B), (B, A)] {
        let (asked, verb) = match asked {
            Asked::Owner => (owner, "standby"),
            Asked::Other => (other, "takeover"),
        };
        let marks = [round.mark(A)?, round.mark(B)?];
        let since = now();
        round.ask_to_move(asked, verb)?;
        round.lab.wait_owner(other, TAKEOVER)?;
        for (index, mark) in [A, B].into_iter().zip(&marks) {
            round.lab.wait_stable(index, since, TAKEOVER)?;
            let wish = format!("{} wants to go standby [all]", NODES[owner].name);
            round.wait_logged(index, mark, &wish, TAKEOVER)?;
        }
        round.client.wait_served_by(NODES[other].name, TAKEOVER)?;
    }
    // A web server is stopped and started. A real Heartbeat takes up to half a second for each of its steps, on a
    // busy machine more.
    let limit = if round.setting().both(Software::Hbd) { 2.0 } else { 5.0 };
    let longest = round.longest_outage(start);
    if longest < limit { Ok(()) } else { Err(Error::Unexpected(format!("a planned move cost {longest:.3} s"))) }
}

/// From settled: the heartbeat link is cut and healed. A Heartbeat takes what its peer serves; an hbd holds back what
/// is answered on the public LAN, and yields to a Heartbeat that claims it. Afterwards one node serves. Nothing of
/// hbd restarts; a real Heartbeat restarts itself, and may stay away (03 §8.2), then it is started again.
pub fn partition_and_heal(round: &mut Round) -> Result<()> {
    part_and_heal(round, &[Lan::Heartbeat])
}

/// As [`partition_and_heal`], with these cables of the standby cut.
pub fn part_and_heal(round: &mut Round, lans: &[Lan]) -> Result<()> {
    let generations = round.hbd_generations()?;
    let setting = round.setting().clone();
    let marks = [round.mark(A)?, round.mark(B)?];
    lans.iter().try_for_each(|lan| round.lab.switch.cut(NODES[B].name, *lan))?;
    // A real Heartbeat that was late itself restarts only if it had declared the other dead as well (03 §8.3).
    for (index, other) in [(A, B), (B, A)] {
        let dead = format!("node {}: is dead", NODES[other].name);
        round.wait_logged(index, &marks[index], &dead, TAKEOVER)?;
    }
    let since = now();
    let marks = [round.mark(A)?, round.mark(B)?];
    lans.iter().try_for_each(|lan| round.lab.switch.heal(NODES[B].name, *lan))?;
    // Two Heartbeats both give up everything.
    let left = if setting.both(Software::Heartbeat) { 0 } else { 1 };
    wait_until("one owner to be left", START, || (round.lab.owners().ok()?.len() == left).then_some(()))?;
    for (index, mark) in [A, B].into_iter().zip(&marks) {
        if setting.software[index] == Software::Heartbeat {
            round.wait_logged(index, mark, "Performing heartbeat restart exec", START)?;
        } else if setting.both(Software::Hbd) {
            round.lab.wait_stable(index, since, START)?;
        }
    }
    // A Heartbeat may now be running twice, once, or not at all (03 §8.2): its node loses its power, unless both
    // nodes run a Heartbeat and have settled.
    if !setting.both(Software::Heartbeat) || round.wait_settled(since).is_err() {
        for index in [A, B].into_iter().filter(|index| setting.software[*index] == Software::Heartbeat) {
            round.lab.nodes[index].power_failure()?;
        }
    }
    round.reach(&setting, crate::round::State::Settled)?;
    if round.hbd_generations()? == generations {
        Ok(())
    } else {
        Err(Error::Unexpected("an hbd restarted because of a partition".to_owned()))
    }
}
