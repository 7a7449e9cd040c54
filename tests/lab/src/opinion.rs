//! What the cluster managers report: which nodes live, which node owns what, and what they complain about.

use std::time::Duration;

use serde_json::Value;

use crate::lab::NODES;
use crate::node::Node;
use crate::process::wait_or_explain;
use crate::software::{Mark, Software};
use crate::{Error, Result};

/// Complaints of a pair of real Heartbeats, by scenario (`""`: any). The campaign plays such a pair, which shows that
/// the list is true.
const KNOWN_COMPLAINTS: [(&str, &str); 23] = [
    ("", "Cannot open watchdog device: /dev/watchdog"),
    // The machine that plays everything is busy.
    ("", "Late heartbeat: Node"),
    // Machines whose root may not raise limits, such as containers.
    ("", "Cannot lock ourselves into memory:"),
    // In a power failure the cables are cut first, and hbd sees that.
    ("", "nobody can reach group"),
    // This machine stood still for seconds, and hbd released everything, as it must.
    ("kill_of_hbd", "the start takes longer than the peers wait"),
    // This is said of a ping node, too.
    ("loss_of_the_lan", "Late heartbeat: Node 192.168.17.1"),
    ("wrong_key", "authtoken does not match"),
    ("wrong_key", "netstring authentication failed"),
    ("wrong_key", "MSG"),
    ("partition", "returning after partition"),
    // Only logged by a real pair (03 §8.1); hbd logs it and acts.
    ("partition", "Both machines own"),
    // What a Heartbeat does not log, and hbd does: the other node's address is answered, or two nodes claim it.
    ("partition", "not taking over group"),
    ("partition", "claims our address"),
    ("partition", "releasing group"),
    // A real Heartbeat that loses its cable starts its media processes again.
    ("partition", "comm processes for channel"),
    ("partition", "Cannot write to media pipe"),
    ("partition", "process died"),
    ("partition", "restarting communications processes"),
    // A real pair only logs this, too (03 §6.9).
    ("orphans", "No one owns"),
    // A real Heartbeat logs that its takeover is complete also when it has given everything back meanwhile.
    ("kill_near", "Both machines own"),
    // The scenario provokes these complaints of hbd.
    ("impostor", "another machine sends under our name"),
    ("failed_group", "httpd did not start"),
    ("failed_group", "Giving up resources due to failure of httpd"),
];

/// Complaints that only a real Heartbeat may have.
const KNOWN_COMPLAINTS_OF_HEARTBEAT: [(&str, &str); 9] = [
    // hbd sends it a message on purpose although it comes too late (03 §4.5.4).
    ("late_other", "Ignored standby message 'other'"),
    // hbd then frees it, because it may hang and nothing that it sends shows whether it does.
    ("late_other", "Ignored standby message 'done'"),
    // As giver it compares both nodes' resources at the taker's `done`, if it is stable by then, and has not read the
    // taker's report yet (03 §4.7).
    ("late_other", "No one owns"),
    ("planned_moves", "No one owns"),
    // It ignores a request of its own tool that came before our report, and then our answer to that request. The test
    // calls the tool again.
    ("planned_moves", "Ignored standby message 'other'"),
    ("standby", "Ignored standby message 'other'"),
    // While its media processes start again.
    ("partition", "No working comm channels to write to"),
    // It is still taking over when the standby comes that takes everything back, and stopping a resource makes the
    // start fail that has not ended yet (03 §8.1).
    ("partition", "Giving up resources due to failure of httpd"),
    ("partition", "Return code 1 from /etc/init.d/httpd"),
];

/// Waits until a node reports that every node that is on is active, every other node dead, and the group with its
/// owner. A Heartbeat is asked with `cl_status` (both nodes' states, `hbstatus`, `rscstatus`), an hbd with
/// `hbctl status`.
pub fn wait_agreed(node: &Node, software: Software, owner: &str, on: [bool; 2], limit: Duration) -> Result<()> {
    wait_or_explain(&format!("{} to agree that {owner} owns", node.name()), limit, || {
        let said = match software {
            Software::Heartbeat => heartbeat_says(node),
            Software::Hbd => hbd_says(node),
        };
        let said = said.map_err(|error| error.to_string())?;
        let alive = on.map(|on| if on { "active" } else { "dead" }.to_owned());
        let expected = Said { alive, serves: owner == node.name() };
        if said == expected { Ok(()) } else { Err(format!("it says {said:?}")) }
    })
}

#[derive(Debug, PartialEq)]
struct Said {
    /// The states of [`NODES`].
    alive: [String; 2],
    /// Whether the node reports that the example's group is here.
    serves: bool,
}

fn heartbeat_says(node: &Node) -> Result<Said> {
    let ask = |words: &[&str]| {
        let command: Vec<&str> = ["cl_status"].iter().chain(words).copied().collect();
        Ok::<_, Error>(node.attempt(&command)?.stdout.trim().to_owned())
    };
    let running = ask(&["hbstatus"])?;
    if running != "Heartbeat is running on this machine." {
        return Err(Error::Unexpected(running));
    }
    let alive = [ask(&["nodestatus", NODES[0].name])?, ask(&["nodestatus", NODES[1].name])?];
    // `local` and `foreign` are as the reporting node sees it (03 §1): the group is the first node's own.
    let here = if node.name() == NODES[0].name { "local" } else { "foreign" };
    match ask(&["rscstatus"])?.as_str() {
        holds @ ("none" | "local" | "foreign" | "all") => Ok(Said { alive, serves: holds == here || holds == "all" }),
        other => Err(Error::Unexpected(format!("rscstatus: {other:?}"))),
    }
}

/// What `hbctl status --json` prints on a node, whatever its exit status.
pub fn hbd_status(node: &Node) -> Result<Value> {
    let text = node.attempt(&["hbctl", "status", "--json"])?.stdout;
    serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("hbctl printed {text}: {error}")))
}

fn hbd_says(node: &Node) -> Result<Said> {
    let status = hbd_status(node)?;
    let state = |name: &str| {
        let nodes = status["nodes"].as_array().into_iter().flatten();
        let mut states = nodes.filter(|node| node["name"] == name).filter_map(|node| node["status"].as_str());
        states.next().unwrap_or_default().to_owned()
    };
    Ok(Said { alive: NODES.map(|node| state(node.name)), serves: status["groups"][0]["owner"] == node.name() })
}

/// Fails if a node has complained since a mark of anything that a pair of real Heartbeats does not complain of in the
/// same scenario.
pub fn expect_calm(node: &Node, software: Software, scenario: &str, since: &Mark) -> Result<()> {
    let theirs = KNOWN_COMPLAINTS_OF_HEARTBEAT.iter().filter(|_| software == Software::Heartbeat);
    let known: Vec<_> = KNOWN_COMPLAINTS.iter().chain(theirs).filter(|(when, _)| scenario.contains(when)).collect();
    let known = |complaint: &str| known.iter().any(|(_, text)| complaint.contains(text));
    let complaints = software.complaints(node, since)?;
    let mut unknown: Vec<String> = complaints.into_iter().filter(|complaint| !known(complaint)).collect();
    // One of each kind is shown.
    unknown.sort();
    unknown.dedup_by_key(|complaint| complaint.chars().take(24).collect::<String>());
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Unexpected(format!("{} complained:\n  {}", node.name(), unknown.join("\n  "))))
}
