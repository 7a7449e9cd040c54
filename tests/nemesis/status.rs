//! What hbctl says on each node, held against what is so: once a second, all the while.
//!
//! A sample that differs is no finding yet: hbctl shows what hbd knows, and hbd learns of it after a dead time at
//! most. A difference that lasts is one.

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

/// What is so at the time of a sample.
#[derive(Debug, Clone, Copy)]
struct Truth {
    /// The node has the address.
    holds: bool,
    /// The service is active on it.
    runs: bool,
    /// The client was answered in the last two seconds, or nobody can tell.
    served: bool,
    /// The other node has no power.
    peer_off: bool,
}

/// In which way a node says what is not so; each is judged by how long it lasts.
const LIES: [&str; 6] = [
    "hbctl does not answer",
    "all is well and the group is here, and the address is not",
    "all is well and the group is here, and the service does not run",
    "all is well and the group is elsewhere, and the address is here",
    "all is well, and the client is not served",
    "the other node is active, and it has no power",
];

fn lies(said: Option<&Said>, own: &str, truth: Truth) -> [bool; 6] {
    let Some(said) = said else { return [true, false, false, false, false, false] };
    let here = said.owner == own;
    [
        false,
        said.well && here && !truth.holds,
        said.well && here && !truth.runs,
        said.well && !here && truth.holds,
        said.well && !truth.served,
        said.well && said.peer == "active" && truth.peer_off,
    ]
}

/// Watches one node until the field is left.
pub fn start(shared: &Arc<Shared>, node: usize) -> JoinHandle<()> {
    let shared = shared.clone();
    std::thread::spawn(move || {
        let mut since = [f64::INFINITY; LIES.len()];
        let mut last = Said::default();
        while !shared.has_ended() {
            sleep(PAUSE);
            let watched = locked(&shared.begun).is_some() && !locked(&shared.world).mutes(now(), node);
            match shared.shell(node).filter(|_| watched) {
                Some(shell) => sample(&shared, node, &shell, &mut since, &mut last),
                None => since = [f64::INFINITY; LIES.len()],
            }
        }
    })
}

fn sample(shared: &Shared, node: usize, shell: &Shell, since: &mut [f64; LIES.len()], last: &mut Said) {
    let said = ask(shell, node);
    let runs = shell.attempt_within(&["systemctl", "is-active", SERVICE], PATIENCE);
    let time = now();
    let world = locked(&shared.world);
    let bound = world.bound(time);
    let truth = Truth {
        holds: shell.holds(VIP).unwrap_or(false),
        runs: runs.is_ok_and(|output| output.stdout.trim() == "active"),
        served: world.serves_since(time).is_none()
            || shared.answers.last().is_some_and(|(ended, _)| ended > time - 2.0),
        peer_off: world.since(time, 1 - node, Trouble::Off).is_some(),
    };
    // What came to the node while it was asked makes the sample worthless.
    if world.mutes(time, node) {
        *since = [f64::INFINITY; LIES.len()];
        return;
    }
    drop(world);
    if let Ok(said) = &said
        && said != last
    {
        let Said { well, owner, peer, troubles } = said;
        let troubles = troubles.join(" | ");
        let name = NODES[node].name;
        shared.note(format!("  {name} says: well {well}, owner {owner:?}, the other {peer}; {troubles}"));
        last.clone_from(said);
    }
    for (index, lie) in lies(said.as_ref().ok(), NODES[node].name, truth).into_iter().enumerate() {
        since[index] = if lie { since[index].min(time) } else { f64::INFINITY };
        if time - since[index] > bound {
            let name = NODES[node].name;
            let text = format!("{name}, for {:.0} s: {}; {said:?}, {truth:?}", time - since[index], LIES[index]);
            shared.find(Finding { kind: Kind::Status, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: Truth = Truth { holds: true, runs: true, served: true, peer_off: false };

    fn said(well: bool, owner: &str) -> Said {
        Said { well, owner: owner.to_owned(), peer: "active".to_owned(), troubles: Vec::new() }
    }

    #[test]
    fn only_what_is_not_so_is_a_lie() {
        let none = [false; LIES.len()];
        assert_eq!(lies(Some(&said(true, "nodea")), "nodea", TRUTH), none);
        assert_eq!(lies(Some(&said(false, "nodea")), "nodea", Truth { holds: false, ..TRUTH }), none, "it says so");
        assert!(lies(Some(&said(true, "nodea")), "nodea", Truth { holds: false, ..TRUTH })[1]);
        assert!(lies(Some(&said(true, "nodeb")), "nodea", TRUTH)[3]);
        assert!(lies(Some(&said(true, "nodea")), "nodea", Truth { served: false, ..TRUTH })[4]);
        assert!(lies(None, "nodea", TRUTH)[0]);
    }
}
