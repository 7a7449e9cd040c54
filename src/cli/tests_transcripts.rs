//! What documents show of `hbctl status` is what it prints.

use std::fs;
use std::path::Path;

use super::status::render;
use super::tests::healthy;
use crate::bus::{GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot};

/// CLOCK_REALTIME of the moment at which it is printed, in microseconds.
const NOW: u64 = 1_000_000;
/// When the other node was heard.
const HEARD: u64 = 900_000;

fn node(name: &str, local: bool) -> NodeSnapshot {
    NodeSnapshot {
        name: name.to_owned(),
        kind: "normal".to_owned(),
        status: "active".to_owned(),
        holds: "local".to_owned(),
        signed_with: "sha1".to_owned(),
        last_status_usec: HEARD,
        hbd: true,
        local,
        ..NodeSnapshot::default()
    }
}

fn link(node: &str, name: &str, medium: &str) -> LinkSnapshot {
    LinkSnapshot {
        node: node.to_owned(),
        name: name.to_owned(),
        medium: medium.to_owned(),
        status: "up".to_owned(),
        last_heard_usec: HEARD,
        ..LinkSnapshot::default()
    }
}

/// The group of both documents, which prefers nodea and is there.
fn group(name: &str, state: &str) -> GroupSnapshot {
    let resource = |kind: &str, target: &str| ResourceSnapshot {
        kind: kind.to_owned(),
        target: target.to_owned(),
        state: state.to_owned(),
        ..ResourceSnapshot::default()
    };
    GroupSnapshot {
        name: name.to_owned(),
        state: state.to_owned(),
        owner: "nodea".to_owned(),
        preferred: "nodea".to_owned(),
        owner_since_usec: NOW,
        resources: vec![resource("address", "192.168.17.200"), resource("unit", "nginx.service")],
        ..GroupSnapshot::default()
    }
}

fn first_day() -> Snapshot {
    const PING: &str = "192.168.17.1";
    let ping = NodeSnapshot {
        kind: "ping".to_owned(),
        status: "ping".to_owned(),
        holds: String::new(),
        signed_with: String::new(),
        ..node(PING, false)
    };
    Snapshot {
        cluster: "linux-ha".to_owned(),
        generation: 1_795_355_867,
        auto_failback: "on".to_owned(),
        keepalive_usec: 1_000_000,
        warntime_usec: 2_000_000,
        deadtime_usec: 4_000_000,
        initdead_usec: 10_000_000,
        nodes: vec![node("nodea", true), node("nodeb", false), ping],
        links: vec![link("nodeb", "eth1", "ucast"), link(PING, PING, "ping")],
        groups: vec![group("192.168.17.200/24/eth0", "active")],
        ..healthy()
    }
}

fn first_evening() -> Snapshot {
    Snapshot {
        node: "nodeb".to_owned(),
        generation: 1_795_940_545,
        warntime_usec: 5_000_000,
        deadtime_usec: 10_000_000,
        initdead_usec: 20_000_000,
        nodes: vec![node("nodea", false), node("nodeb", true)],
        links: vec![link("nodea", "eth0", "ucast"), link("nodea", "eth1", "ucast")],
        groups: vec![group("192.168.17.200/24", "stopped")],
        ..first_day()
    }
}

#[test]
fn the_status_in_a_document_is_what_hbctl_prints() {
    for (path, snapshot) in [("docs/FIRST-DAY.md", first_day()), ("docs/FIRST-EVENING.md", first_evening())] {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let printed = render(&snapshot, NOW, false);
        let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
        let shown: String = printed.lines().map(indented).collect();
        assert!(page.contains(&shown), "{path} does not show what hbctl status prints:\n{shown}");
    }
}
