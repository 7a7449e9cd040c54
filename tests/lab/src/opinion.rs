//! What the cluster managers themselves say: who lives, who owns what, and what they complain of.

use std::time::Duration;

use serde_json::Value;

use crate::lab::NODES;
use crate::node::Node;
use crate::process::wait_or_explain;
use crate::software::{Mark, Software};
use crate::{Error, Result};

/// Complaints of a pair of real Heartbeats, by scenario (`""`: any). The control pair of the campaign keeps this list
/// honest.
const KNOWN_COMPLAINTS: [(&str, &str); 23] = [
    ("", "Cannot open watchdog device: /dev/watchdog"),
    // The machine that plays them all has other things to do.
    ("", "Late heartbeat: Node"),
    // Machines whose root may not raise limits, such as containers.
    ("", "Cannot lock ourselves into memory:"),
    // The last thing that an hbd sees of a power failure: the cables go first.
    ("", "nobody can reach group"),
    // A machine that stands still for seconds: then everything is released, as it must be.
    ("kill_of_hbd", "the start takes longer than the peers wait"),
    // Of a ping node, too.
    ("loss_of_the_lan", "Late heartbeat: Node 192.168.17.1"),
    ("wrong_key", "authtoken does not match"),
    ("wrong_key", "netstring authentication failed"),
    ("wrong_key", "MSG"),
    ("partition", "returning after partition"),
    // Only logged by a real pair (03 §8.1); hbd logs it and acts.
    ("partition", "Both machines own"),
    // What a Heartbeat does in silence, and hbd says: that the other's address is answered, or claimed by two.
    ("partition", "not taking over group"),
    ("partition", "claims our address"),
    ("partition", "releasing group"),
    // A real Heartbeat that loses its cable starts its media processes again.
    ("partition", "comm processes for channel"),
    ("partition", "Cannot write to media pipe"),
    ("partition", "process died"),
    ("partition", "restarting communications processes"),
    // Likewise (03 §6.9).
    ("orphans", "No one owns"),
    // A real node says that its takeover is complete also when it has given everything back meanwhile.
    ("kill_near", "Both machines own"),
    // What hbd is made to complain of.
    ("impostor", "another machine sends under our name"),
    ("failed_group", "httpd did not start"),
    ("failed_group", "Giving up resources due to failure of httpd"),
];

/// What only a real Heartbeat may complain of.
const KNOWN_COMPLAINTS_OF_HEARTBEAT: [(&str, &str); 8] = [
    // It is told what is too late for it on purpose (03 §4.5.4).
    ("late_other", "Ignored standby message 'other'"),
    // And then is let go in case it hangs, which its silence does not tell.
    ("late_other", "Ignored standby message 'done'"),
    // As giver it compares at the taker's `done`, before it has read the taker's report, if it thinks it decided by
    // then.
    ("late_other", "No one owns"),
    // It ignores the request of its own tool that came before our report, and then our answer to that. The tool is
    // asked again.
    ("planned_moves", "Ignored standby message 'other'"),
    ("standby", "Ignored standby message 'other'"),
    // While its media processes start again.
    ("partition", "No working comm channels to write to"),
    // Its takeover meets the standby that ends it, and the stop of a resource makes the start fail that has not ended
    // yet (03 §8.1).
    ("partition", "Giving up resources due to failure of httpd"),
    ("partition", "Return code 1 from /etc/init.d/httpd"),
];

/// Waits until a node says that the nodes that are on are active, the others dead, and that the group is with its
/// owner: `cl_status` of a Heartbeat (both nodes' states, `hbstatus`, `rscstatus`), `hbctl status` of an hbd.
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
    /// Whether the example's group is said to be here.
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
    // The words are the speaker's (03 §1): the group is the first node's own.
    let here = if node.name() == NODES[0].name { "local" } else { "foreign" };
    match ask(&["rscstatus"])?.as_str() {
        holds @ ("none" | "local" | "foreign" | "all") => Ok(Said { alive, serves: holds == here || holds == "all" }),
        other => Err(Error::Unexpected(format!("rscstatus: {other:?}"))),
    }
}

fn hbd_says(node: &Node) -> Result<Said> {
    let text = node.attempt(&["hbctl", "status", "--json"])?.stdout;
    let status: Value =
        serde_json::from_str(&text).map_err(|error| Error::Unexpected(format!("hbctl printed {text}: {error}")))?;
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
    // One of each kind is enough to read.
    unknown.sort();
    unknown.dedup_by_key(|complaint| complaint.chars().take(24).collect::<String>());
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Unexpected(format!("{} complained:\n  {}", node.name(), unknown.join("\n  "))))
}
