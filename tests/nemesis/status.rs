//! What hbctl says on each node, held against what is so: once a second, all the while.
//!
//! A sample that differs is no finding yet: hbctl shows what hbd knows, and hbd learns of its own machine within
//! seconds, and of the other one after a dead time at most. A difference that lasts, and was seen in several samples,
//! is a finding: on a busy machine two late samples alone may be further apart than that.

use std::sync::Arc;
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::shell::Shell;
use serde_json::Value;

use crate::field::{SERVICE, Shared, locked};
use crate::finding::{Finding, Kind};
use crate::trouble::Trouble;

const PAUSE: Duration = Duration::from_secs(1);
/// hbctl waits for hbd no longer than this on a healthy machine.
const PATIENCE: Duration = Duration::from_secs(8);
/// A difference counts that was seen in so many samples in a row at least.
const SAMPLES: u32 = 3;
/// hbd knows within so many seconds what its own machine does: a bus may be silent for five of them (UNITS.md 3.4),
/// and a busy machine adds to that.
const SOON: f64 = 8.0;
/// What was seen on the other node counts for so many seconds.
const FRESH: f64 = 3.0;

/// What a node says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// Exit status 0.
    pub well: bool,
    /// Who has the group.
    pub owner: String,
    /// What it says of the other node: `active`, `dead` and so on.
    pub peer: String,
    /// Everything that is wrong, in its words.
    pub troubles: Vec<String>,
}

/// Asks a node; an error in words if it does not answer.
pub fn ask(shell: &Shell, node: usize) -> Result<Said, String> {
    let words = ["hbctl", "status", "--json"];
    let output = shell.attempt_within(&words, PATIENCE).map_err(|error| error.to_string())?;
    let document: Value = serde_json::from_str(&output.stdout)
        .map_err(|_| format!("exit {:?}: {}", output.status, output.stderr.trim()))?;
    let peer = document["nodes"].as_array().into_iter().flatten();
    let mut peer = peer.filter(|one| one["name"] == NODES[1 - node].name).filter_map(|one| one["status"].as_str());
    let troubles = document["troubles"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(Said {
        well: output.status == Some(0),
        owner: document["groups"][0]["owner"].as_str().unwrap_or_default().to_owned(),
        peer: peer.next().unwrap_or_default().to_owned(),
        troubles: troubles.map(str::to_owned).collect(),
    })
}

/// What was seen on a node that had to answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Wall clock.
    time: f64,
    /// `None` if hbctl did not answer.
    said: Option<Said>,
    /// The node has the address.
    holds: bool,
    /// The service is active on it.
    runs: bool,
}

/// What is so at the time of a sample, beside what was seen on the node itself.
#[derive(Debug, Clone)]
struct Truth {
    /// The client was answered in the last two seconds, or nobody can tell.
    served: bool,
    /// The other node has no power.
    peer_off: bool,
    /// What was seen on the other node at the same time; `None` while it need not answer.
    other: Option<Seen>,
}

/// In which way a node says what is not so, and whether hbd must know of it soon, since it is about the node itself.
/// Each is judged by how long it lasts.
const LIES: [(&str, bool); 10] = [
    ("hbctl does not answer", false),
    ("all is well and the group is here, and the address is not", true),
    ("all is well and the group is here, and the service does not run", true),
    ("all is well and the group is elsewhere, and the address is here", true),
    ("all is well, and the client is not served", false),
    ("the other node is active, and it has no power", false),
    ("all is well, and the group has no owner", true),
    ("all is well and the group is elsewhere, and the address is not there", false),
    ("all is well and the group is elsewhere, and the service does not run there", false),
    ("all is well, and the other node says so, too, and names another owner", false),
];

fn lies(here: &Seen, own: &str, truth: &Truth) -> [bool; LIES.len()] {
    let Some(said) = &here.said else {
        let mut lies = [false; LIES.len()];
        lies[0] = true;
        return lies;
    };
    let mine = said.owner == own;
    let elsewhere = !mine && !said.owner.is_empty();
    let there = |which: fn(&Seen) -> bool| truth.other.as_ref().is_some_and(which);
    let other = truth.other.as_ref().and_then(|seen| seen.said.as_ref());
    let contradicts = other.is_some_and(|other| other.well && other.owner != said.owner);
    [
        false,
        said.well && mine && !here.holds,
        said.well && mine && !here.runs,
        said.well && !mine && here.holds,
        said.well && !truth.served,
        said.well && said.peer == "active" && truth.peer_off,
        said.well && said.owner.is_empty(),
        said.well && elsewhere && there(|seen| !seen.holds),
        said.well && elsewhere && there(|seen| !seen.runs),
        said.well && contradicts,
    ]
}

/// Since when a node says what is not so, without a break.
#[derive(Debug, Clone, Copy)]
struct Lasting {
    since: f64,
    samples: u32,
}

impl Lasting {
    const NOT: Lasting = Lasting { since: f64::INFINITY, samples: 0 };

    fn and(self, lies: bool, time: f64) -> Lasting {
        if lies { Lasting { since: self.since.min(time), samples: self.samples + 1 } } else { Lasting::NOT }
    }

    fn exceeds(self, bound: f64, time: f64) -> bool {
        self.samples >= SAMPLES && time - self.since > bound
    }
}

/// Watches one node until the field is left.
pub fn start(shared: &Arc<Shared>, node: usize) -> JoinHandle<()> {
    let shared = shared.clone();
    std::thread::spawn(move || {
        let mut lasting = [Lasting::NOT; LIES.len()];
        let mut last = Said::default();
        while !shared.has_ended() {
            sleep(PAUSE);
            let watched = locked(&shared.begun).is_some() && !locked(&shared.world).mutes(now(), node);
            let shell = shared.shell(node).filter(|_| watched);
            let seen = shell.and_then(|shell| sample(&shared, node, &shell, &mut last));
            locked(&shared.seen)[node].clone_from(&seen);
            match seen {
                Some(seen) => judge(&shared, node, &seen, &mut lasting),
                None => lasting = [Lasting::NOT; LIES.len()],
            }
        }
    })
}

/// Looks at a node, and asks it; `None` if something came to it meanwhile that makes the sample worthless.
fn sample(shared: &Shared, node: usize, shell: &Shell, last: &mut Said) -> Option<Seen> {
    let said = ask(shell, node).ok();
    let runs = shell.attempt_within(&["systemctl", "is-active", SERVICE], PATIENCE);
    let holds = shell.holds(VIP).unwrap_or(false);
    let time = now();
    if locked(&shared.world).mutes(time, node) {
        return None;
    }
    if let Some(said) = said.as_ref().filter(|said| *said != last) {
        let Said { well, owner, peer, troubles } = said;
        let troubles = troubles.join(" | ");
        let name = NODES[node].name;
        shared.note(format!("  {name} says: well {well}, owner {owner:?}, the other {peer}; {troubles}"));
        last.clone_from(said);
    }
    Some(Seen { time, said, holds, runs: runs.is_ok_and(|output| output.stdout.trim() == "active") })
}

fn judge(shared: &Shared, node: usize, here: &Seen, lasting: &mut [Lasting; LIES.len()]) {
    let time = here.time;
    let other = locked(&shared.seen)[1 - node].clone().filter(|seen| time - seen.time < FRESH);
    let (bound, truth) = {
        let world = locked(&shared.world);
        let truth = Truth {
            served: world.serves_since(time).is_none()
                || shared.answers.last().is_some_and(|(ended, _)| ended > time - 2.0),
            peer_off: world.since(time, 1 - node, Trouble::Off).is_some(),
            other,
        };
        (world.bound(time), truth)
    };
    for (index, lie) in lies(here, NODES[node].name, &truth).into_iter().enumerate() {
        let (what, soon) = LIES[index];
        lasting[index] = lasting[index].and(lie, time);
        if lasting[index].exceeds(if soon { SOON } else { bound }, time) {
            let (name, seconds) = (NODES[node].name, time - lasting[index].since);
            let text = format!("{name}, for {seconds:.0} s: {what}; {here:?}, {truth:?}");
            shared.find(Finding { kind: Kind::Status, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: Truth = Truth { served: true, peer_off: false, other: None };
    const NONE: [&str; 0] = [];

    fn seen(well: bool, owner: &str, holds: bool, runs: bool) -> Seen {
        let said = Said { well, owner: owner.to_owned(), peer: "active".to_owned(), troubles: Vec::new() };
        Seen { time: 0.0, said: Some(said), holds, runs }
    }

    /// The places of the lies of a node, where that node and the other one are seen so.
    fn told(here: &Seen, truth: &Truth) -> Vec<String> {
        let lies = lies(here, "nodea", truth);
        (0..LIES.len()).filter(|index| lies[*index]).map(|index| index.to_string()).collect()
    }

    #[test]
    fn only_what_is_not_so_is_a_lie() {
        assert_eq!(told(&seen(true, "nodea", true, true), &TRUTH), NONE);
        assert_eq!(told(&seen(false, "nodea", false, false), &TRUTH), NONE, "it says so");
        assert_eq!(told(&seen(true, "nodea", false, false), &TRUTH), ["1", "2"]);
        assert_eq!(told(&seen(true, "nodeb", true, false), &TRUTH), ["3"]);
        assert_eq!(told(&seen(true, "nodea", true, true), &Truth { served: false, ..TRUTH }), ["4"]);
        assert_eq!(told(&seen(true, "", false, false), &TRUTH), ["6"]);
        assert_eq!(told(&Seen { said: None, ..seen(true, "nodea", true, true) }, &TRUTH), ["0"]);
    }

    #[test]
    fn what_a_node_says_of_the_other_one_is_held_against_that() {
        let beside = |other: Seen| Truth { other: Some(other), ..TRUTH };
        let here = seen(true, "nodeb", false, false);
        assert_eq!(told(&here, &beside(seen(true, "nodeb", true, true))), NONE);
        assert_eq!(told(&here, &beside(seen(false, "nodeb", false, false))), ["7", "8"]);
        assert_eq!(told(&here, &beside(seen(true, "nodea", true, true))), ["9"]);
        assert_eq!(
            told(&here, &beside(seen(false, "nodea", true, true))),
            NONE,
            "the other one says that it is not well"
        );
    }

    #[test]
    fn two_late_samples_are_no_finding() {
        let late = Lasting::NOT.and(true, 10.0).and(true, 27.0);
        assert!(!late.exceeds(14.0, 27.0));
        assert!(late.and(true, 28.0).exceeds(14.0, 28.0));
        assert!(!late.and(false, 28.0).and(true, 29.0).exceeds(14.0, 29.0));
    }
}
