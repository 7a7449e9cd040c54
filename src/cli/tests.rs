//! What hbctl prints, from a snapshot and from a bus.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::status::{render, troubles};
use super::{CliError, fetch, table};
use crate::bus::private_bus::PrivateBus;
use crate::bus::{GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot, Snapshot};

fn node(name: &str, status: &str, holds: &str) -> NodeSnapshot {
    NodeSnapshot {
        name: name.to_owned(),
        kind: "normal".to_owned(),
        status: status.to_owned(),
        generation: 3,
        deadtime_usec: 10_000_000,
        last_status_usec: 1_000_000,
        holds: holds.to_owned(),
        ..NodeSnapshot::default()
    }
}

fn resource(kind: &str, word: &str, target: &str) -> ResourceSnapshot {
    ResourceSnapshot {
        word: word.to_owned(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        state: "active".to_owned(),
    }
}

fn healthy() -> Snapshot {
    let ping = NodeSnapshot { kind: "ping".to_owned(), ..node("10.0.0.1", "ping", "") };
    let link = |node: &str, name: &str| LinkSnapshot {
        node: node.to_owned(),
        name: name.to_owned(),
        status: "up".to_owned(),
    };
    Snapshot {
        version: "0.1.0".to_owned(),
        node: "nodea".to_owned(),
        state: "active".to_owned(),
        resource_state: "local".to_owned(),
        awaited: String::new(),
        auto_failback: "off".to_owned(),
        generation: 12,
        keepalive_usec: 500_000,
        warntime_usec: 5_000_000,
        deadtime_usec: 10_000_000,
        initdead_usec: 60_000_000,
        nodes: vec![
            NodeSnapshot { local: true, hbd: true, ..node("nodea", "active", "local") },
            node("nodeb", "active", "foreign"),
            ping,
        ],
        links: vec![link("10.0.0.1", "10.0.0.1"), link("nodeb", "eth1")],
        groups: vec![GroupSnapshot {
            name: "10.0.0.100".to_owned(),
            preferred: "nodea".to_owned(),
            state: "active".to_owned(),
            owner: "nodea".to_owned(),
            held_back: String::new(),
            resources: vec![
                resource("address", "10.0.0.100", "10.0.0.100/24"),
                resource("unit", "apache", "apache2.service"),
            ],
        }],
    }
}

#[test]
fn the_text_says_who_owns_what() {
    let wanted = "\
Node nodea: active, holds local resources
hbd 0.1.0, generation 12, auto_failback off
keepalive 500ms, warntime 5s, deadtime 10s, initdead 60s

NODE      STATUS  HOLDS    RUNS       LAST HEARD
nodea     active  local    hbd        this node
nodeb     active  foreign  heartbeat  0.4 s ago
10.0.0.1  ping    -        (ping)     0.4 s ago

LINK TO   ON        STATUS
10.0.0.1  10.0.0.1  up
nodeb     eth1      up

GROUP              HERE    OWNER  PREFERRED
10.0.0.100         active  nodea  nodea
  10.0.0.100/24    active
  apache2.service  active
";
    assert_eq!(render(&healthy(), 1_400_000), wanted);
    assert!(troubles(&healthy()).is_empty());
}

#[test]
fn what_is_wrong_comes_last_and_in_words() {
    let mut snapshot = healthy();
    snapshot.nodes[1].status = "dead".to_owned();
    snapshot.links[1].status = "dead".to_owned();
    snapshot.groups[0].owner.clear();
    snapshot.groups[0].state = "failed".to_owned();
    snapshot.groups[0].resources[1].state = "failed".to_owned();
    let text = render(&snapshot, 1_400_000);
    assert!(
        text.ends_with(
            "\nGroup 10.0.0.100 has no owner.\n\
             Resource apache of group 10.0.0.100 failed: see systemctl status apache2.service\n\
             Node nodeb is dead.\n\
             Link nodeb:eth1 is dead.\n"
        ),
        "{text}"
    );
    assert!(text.contains("10.0.0.100         failed  nobody  nodea\n"), "{text}");
}

#[test]
fn without_anything_the_tables_say_so() {
    let text = render(&Snapshot::default(), 0);
    assert_eq!(text.matches("(none)\n").count(), 3, "{text}");
}

#[test]
fn json_can_be_read_back() {
    let json = serde_json::to_string_pretty(&healthy()).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), healthy());
}

#[test]
fn the_command_line_is_sound() {
    table::command().debug_assert();
}

#[tokio::test]
async fn what_the_bus_shows_is_what_was_put_there() {
    let Some(bus) = PrivateBus::start() else { return };
    let (_snapshots, receiver) = watch::channel(Arc::new(healthy()));
    let address = bus.address();
    let connect = move || zbus::connection::Builder::address(address.as_str());
    tokio::spawn(crate::bus::run(connect, receiver, mpsc::channel(1).0));
    loop {
        match fetch::snapshot(bus.builder()).await {
            Err(CliError::NotRunning) => tokio::task::yield_now().await,
            fetched => break assert_eq!(fetched.unwrap(), healthy()),
        }
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_apart() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let error = fetch::snapshot(bus.builder()).await.unwrap_err();
    assert!(error.to_string().contains("systemctl status hbd"), "{error}");
    bus.kill();
    let error = fetch::snapshot(bus.builder()).await.unwrap_err();
    assert!(matches!(error, CliError::NoBus(_)), "{error}");
}
