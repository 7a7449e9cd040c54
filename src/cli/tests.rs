//! What hbctl prints, from a snapshot and from a bus.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

use clap::Parser;
use tokio::sync::{mpsc, watch};
use zbus::ObjectPath;
use zbus::fdo::DBusProxy;
use zbus::names::UniqueName;

use super::error::CliError;
use super::status::render;
use super::table::{Arguments, HbctlCommand};
use super::{fetch, table};
use crate::bus::private_bus::PrivateBus;
use crate::bus::troubles::troubles;
use crate::bus::{
    Call, CheckSnapshot, DecisionSnapshot, GroupSnapshot, LinkSnapshot, NodeSnapshot, OperatorRequest, ROOT,
    ResourceSnapshot, Snapshot, Traffic,
};
use crate::cluster::{Answer, GroupSet, Request, Set};

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
        why: String::new(),
        failures: 0,
    }
}

fn link(node: &str, name: &str) -> LinkSnapshot {
    LinkSnapshot {
        node: node.to_owned(),
        name: name.to_owned(),
        medium: if node == name { "ping" } else { "bcast" }.to_owned(),
        status: "up".to_owned(),
        last_heard_usec: 1_000_000,
        traffic: Traffic { sent: 3, received: 4, send_errors: 1, bad: 2 },
    }
}

pub(super) fn healthy() -> Snapshot {
    let ping = NodeSnapshot { kind: "ping".to_owned(), ..node("10.0.0.1", "ping", "") };
    Snapshot {
        version: "0.1.0".to_owned(),
        node: "nodea".to_owned(),
        state: "active".to_owned(),
        resource_state: "local".to_owned(),
        maintenance: false,
        groups_move_alone: true,
        awaited: String::new(),
        awaited_reason: String::new(),
        awaiting_job: None,
        witness: String::new(),
        witness_answers: false,
        witness_key: false,
        witness_required: false,
        auto_failback: "off".to_owned(),
        cluster: "web".to_owned(),
        generation: 12,
        keepalive_usec: 500_000,
        warntime_usec: 5_000_000,
        deadtime_usec: 10_000_000,
        initdead_usec: 60_000_000,
        nodes: vec![
            NodeSnapshot { local: true, hbd: true, ..node("nodea", "active", "local") },
            NodeSnapshot { signed_with: "sha1".to_owned(), ..node("nodeb", "active", "foreign") },
            ping,
        ],
        links: vec![link("nodeb", "eth1"), link("10.0.0.1", "10.0.0.1")],
        groups: vec![GroupSnapshot {
            name: "10.0.0.100".to_owned(),
            key: "10.0.0.100".to_owned(),
            preferred: "nodea".to_owned(),
            state: "active".to_owned(),
            owner: "nodea".to_owned(),
            owner_since_usec: 800_000,
            target: "hbd-group@10.0.0.100.target".to_owned(),
            resources: vec![
                resource("address", "10.0.0.100", "10.0.0.100/24"),
                resource("unit", "apache", "apache2.service"),
            ],
            ..GroupSnapshot::default()
        }],
        broken_devices: Vec::new(),
        start_problems: Vec::new(),
        decisions: vec![DecisionSnapshot {
            usec: 800_000,
            priority: 6,
            event: "GroupActive".to_owned(),
            node: String::new(),
            group: "10.0.0.100".to_owned(),
            text: "resource group 10.0.0.100 is active here".to_owned(),
        }],
        decided: 0,
    }
}

#[test]
fn the_text_says_who_owns_what() {
    let wanted = "\
All is well.

Node nodea: active, holds local resources
hbd 0.1.0, cluster web, generation 12, auto_failback off
keepalive 500ms, warntime 5s, deadtime 10s, initdead 60s

NODE      STATUS  HOLDS    RUNS       SIGNS WITH  LAST HEARD
nodea     active  local    hbd        -           this node
nodeb     active  foreign  heartbeat  sha1        0.4 s ago
10.0.0.1  ping    -        (ping)     -           0.4 s ago

LINK TO   ON        MEDIUM  STATUS  LAST HEARD
nodeb     eth1      bcast   up      0.4 s ago
10.0.0.1  10.0.0.1  ping    up      0.4 s ago

GROUP              HERE    OWNER  SINCE  PREFERRED
10.0.0.100         active  nodea  0 s    nodea
  10.0.0.100/24    active
  apache2.service  active
";
    assert_eq!(render(&healthy(), 1_400_000, false), wanted);
    assert!(troubles(&healthy()).is_empty());
}

#[test]
fn what_is_wrong_comes_last_and_in_words() {
    let mut snapshot = healthy();
    snapshot.nodes[1].status = "dead".to_owned();
    snapshot.links[0].status = "dead".to_owned();
    snapshot.groups[0].owner.clear();
    snapshot.groups[0].state = "failed".to_owned();
    snapshot.groups[0].resources[1].state = "failed".to_owned();
    snapshot.broken_devices.push("Fencing device x of node nodeb does not answer.".to_owned());
    snapshot.start_problems.push("The generation number is not saved.".to_owned());
    let text = render(&snapshot, 1_400_000, false);
    assert!(
        text.ends_with(
            "\nGroup 10.0.0.100 has no owner.\n\
             Resource apache of group 10.0.0.100 failed: see systemctl status apache2.service\n\
             Node nodeb is dead.\n\
             Link nodeb:eth1 is dead.\n\
             Fencing device x of node nodeb does not answer.\n\
             The generation number is not saved.\n"
        ),
        "{text}"
    );
    assert!(text.contains("10.0.0.100         failed  nobody  0 s    nodea\n"), "{text}");
}

#[test]
fn maintenance_failures_and_another_configuration_are_shown() {
    let mut snapshot = healthy();
    snapshot.maintenance = true;
    snapshot.nodes[0].maintenance = true;
    snapshot.nodes[1].differing = vec!["haresources".to_owned()];
    snapshot.groups[0].resources[1].failures = 2;
    let text = render(&snapshot, 1_400_000, false);
    for wanted in [
        "nodea     active (maintenance)",
        "apache2.service  active  failed 2 times lately\n",
        "\nThis node is in maintenance: its resources are left alone. `hbctl maintenance off` ends it.\n",
        "Node nodeb uses other cluster settings in haresources than this node: make them equal, hbctl check lists them.\n",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
    assert_eq!(troubles(&snapshot).len(), 2, "a unit that was started again is no trouble");
}

#[test]
fn a_group_that_returns_says_when_and_is_no_trouble() {
    let mut snapshot = healthy();
    snapshot.node = "nodeb".to_owned();
    snapshot.groups[0].owner = "nodeb".to_owned();
    for (returns, at, window, text) in [
        ("at", 251_400_000, "", "in 4 min 10 s"),
        ("window", 0, "02:00-04:00", "between 02:00 and 04:00"),
        ("when-well", 0, "", "when that is there and well"),
        ("soon", 0, "", "as soon as nothing is in the way"),
    ] {
        let group = &mut snapshot.groups[0];
        (group.returns, group.returns_at_usec, group.returns_window) = (returns.into(), at, window.into());
        let shown = render(&snapshot, 1_400_000, false);
        let next = format!("Next: 10.0.0.100 returns to nodea {text}.");
        assert!(
            shown.starts_with(&format!("All is well. {next}\n")) && shown.ends_with(&format!("\n{next}\n")),
            "{shown}"
        );
        assert!(troubles(&snapshot).is_empty());
    }
}

#[test]
fn a_check_that_fails_is_shown_and_is_trouble() {
    let check = |name: &str, purpose: &str, state: &str, reason: &str| CheckSnapshot {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        state: state.to_owned(),
        reason: reason.to_owned(),
        since_usec: 400_000,
    };
    let mut snapshot = healthy();
    snapshot.groups[0].checks =
        vec![check("tcp 10.0.0.100:80", "service", "passing", ""), check("command x", "ready", "off", "")];
    assert!(troubles(&snapshot).is_empty());
    let text = render(&snapshot, 1_400_000, false);
    assert!(text.contains("  tcp 10.0.0.100:80  passing") && !text.contains("command x"), "{text}");

    snapshot.nodes[1].not_ready = vec!["10.0.0.100".to_owned()];
    snapshot.groups[0].checks = vec![
        check("tcp 10.0.0.100:80", "service", "failing", "connection refused"),
        check("command x", "ready", "failing", "no data"),
        check("command y", "service", "unknown", "no bus"),
        check("command z", "service", "unknown", ""),
    ];
    let wanted = [
        "Group 10.0.0.100 does not do its work here (tcp 10.0.0.100:80: connection refused).",
        "This node is not ready to serve group 10.0.0.100 (command x: no data).",
        "A check of group 10.0.0.100 cannot be run (command y: no bus).",
        "Node nodeb is not ready to serve 10.0.0.100: see hbctl status there.",
    ];
    assert_eq!(troubles(&snapshot), wanted);
}

#[test]
fn a_held_back_group_comes_with_the_way_out() {
    for (reason, why, wanted) in [
        (
            "answered",
            "10.0.0.100 is answered by 02:00:00:00:00:01",
            "not serve the group, hbctl clear-hold 10.0.0.100",
        ),
        ("not-fenced", "nodeb is not reset yet", "hbctl confirm-fenced NODE"),
        ("witness", "the witness does not answer: x", "is off for certain, hbctl confirm-fenced NODE"),
        ("isolated", "no ping node answers", "network of this node is well, hbctl clear-hold 10.0.0.100"),
        ("not-ready", "this node is not ready for it (x: y)", "if it is after all, hbctl clear-hold 10.0.0.100"),
        ("doubted", "nodeb is heard, and may not hear", "if it does not, hbctl clear-hold 10.0.0.100"),
        ("maintenance", "this node is in maintenance", "because this node is in maintenance."),
        ("", "an older hbd says no reason", ": see HELD BACK in hbctl(8)"),
    ] {
        let mut snapshot = healthy();
        (snapshot.groups[0].held_back, snapshot.groups[0].held_back_reason) = (why.to_owned(), reason.to_owned());
        let troubles = troubles(&snapshot).join("\n");
        assert!(troubles.contains(why) && troubles.contains(wanted), "{troubles}");
    }
}

#[test]
fn without_anything_the_tables_say_so() {
    let text = render(&Snapshot::default(), 0, false);
    assert_eq!(text.matches("(none)\n").count(), 3, "{text}");
}

#[tokio::test]
async fn watch_draws_what_changes_and_gives_the_terminal_back() {
    let Some(bus) = PrivateBus::start() else { return };
    let (snapshots, receiver) = watch::channel(Arc::new(healthy()));
    let address = bus.address();
    let connect = {
        let address = address.clone();
        move || zbus::connection::Builder::address(address.as_str())
    };
    tokio::spawn(crate::bus::run(connect, receiver, mpsc::channel(1).0, || ()));

    let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let open = || File::options().read(true).write(true).open(&name).unwrap();
    let before = rustix::termios::tcgetattr(open()).unwrap().local_modes;
    let (terminal, watched) = (open(), open());
    let (screen, mut drawn) = mpsc::unbounded_channel();
    let mut reader = File::from(master.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read) = reader.read(&mut bytes) {
            if screen.send(String::from_utf8_lossy(&bytes[..read]).into_owned()).is_err() {
                break;
            }
        }
    });
    let connect = move || zbus::connection::Builder::address(address.as_str());
    let (keys, output) = (open(), open());
    let task = tokio::spawn(async move { super::watch::watch(connect, terminal, keys, output, false).await });

    let mut seen = String::new();
    until(&mut drawn, &mut seen, "10.0.0.100         active  nodea").await;
    assert!(seen.contains("\u{1b}[?1049h"));
    let mut changed = healthy();
    changed.groups[0].owner = "nodeb".to_owned();
    snapshots.send_replace(Arc::new(changed));
    until(&mut drawn, &mut seen, "active  nodeb").await;
    File::from(master).write_all(b"q").unwrap();
    until(&mut drawn, &mut seen, "\u{1b}[?1049l").await;
    task.await.unwrap().unwrap();
    assert_eq!(rustix::termios::tcgetattr(&watched).unwrap().local_modes, before);
}

async fn until(drawn: &mut mpsc::UnboundedReceiver<String>, seen: &mut String, wanted: &str) {
    let long = std::time::Duration::from_secs(30);
    let read = async {
        while !seen.contains(wanted) {
            seen.push_str(&drawn.recv().await.unwrap());
        }
    };
    if tokio::time::timeout(long, read).await.is_err() {
        panic!("no {wanted:?} in {seen:?}");
    }
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
    tokio::spawn(crate::bus::run(connect, receiver, mpsc::channel(1).0, || ()));
    loop {
        match fetch::snapshot(bus.builder()).await {
            Err(CliError::NotRunning) => tokio::task::yield_now().await,
            fetched => break assert_eq!(fetched.unwrap(), healthy()),
        }
    }
}

/// Tells every connection of the bus that the first job was done, as anybody on it can.
async fn lie(bus: &PrivateBus) {
    let liar = bus.builder().build().await.unwrap();
    let job = ObjectPath::try_from(format!("{ROOT}/job/1")).unwrap();
    for number in 0..20 {
        let victim = UniqueName::try_from(format!(":1.{number}")).unwrap();
        let body = (1u32, &job, "done", "forged");
        let signal = liar.emit_signal(Some(victim), ROOT, "org.hbd1.Manager", "JobRemoved", &body);
        signal.await.unwrap();
    }
    // What was sent before an answer has arrived.
    DBusProxy::new(&liar).await.unwrap().get_id().await.unwrap();
}

/// A move as hbctl waits for it, beside a daemon that ends it so and a program that says it was done; `None` without
/// a dbus-daemon.
async fn outcome_of_move(words: &[&str], wanted: Request, answer: Answer) -> Option<Result<String, String>> {
    let bus = PrivateBus::start()?;
    let (_snapshots, receiver) = watch::channel(Arc::new(healthy()));
    let (sender, mut calls) = mpsc::channel(1);
    let address = bus.address();
    tokio::spawn(crate::bus::run(
        move || zbus::connection::Builder::address(address.as_str()),
        receiver,
        sender,
        || (),
    ));
    while matches!(fetch::snapshot(bus.builder()).await, Err(CliError::NotRunning)) {
        tokio::task::yield_now().await;
    }
    let daemon = async {
        let Some(Call::Operator(OperatorRequest { request, reply, .. })) = calls.recv().await else {
            panic!("another call")
        };
        assert_eq!(request, wanted);
        lie(&bus).await;
        reply.send(Ok(answer)).unwrap();
    };
    let arguments = Arguments::try_parse_from(["hbctl"].iter().chain(words)).unwrap();
    let Some(HbctlCommand::Request(request)) = arguments.command else { panic!("no request") };
    let (said, ()) = tokio::join!(super::requests::send_request(bus.builder(), &request, true), daemon);
    Some(said.unwrap())
}

/// A script whose variable is empty must not mean all groups, or the whole node.
#[test]
fn an_empty_name_is_refused() {
    for words in
        ["cleanup|", "maintenance|on|", "failback|now|", "standby|", "takeover|", "move||nodeb", "fence|", "why|"]
    {
        let parsed = Arguments::try_parse_from(["hbctl"].into_iter().chain(words.split('|')));
        assert!(parsed.is_err_and(|error| error.to_string().contains("a value is required")), "{words}");
    }
}

#[tokio::test]
async fn a_move_is_waited_for_by_its_job() {
    let group = GroupSet::new([0], Set::NONE);
    let words = ["move", "10.0.0.100", "NodeB"];
    let Some(said) = outcome_of_move(&words, Request::StandbyGroups(group), Answer::Done).await else { return };
    assert_eq!(said, Ok("10.0.0.100 is now on nodeb".to_owned()));
    let Some(said) = outcome_of_move(&words, Request::StandbyGroups(group), Answer::Failed).await else { return };
    assert!(said.unwrap_err().contains("not everything could be started"));
}

#[tokio::test]
async fn what_moves_and_what_is_waited_for_is_what_the_command_line_says() {
    let group = GroupSet::new([0], Set::NONE);
    for (words, wanted, text) in [
        (vec!["standby"], Request::Standby(Set::ALL), "all resources are now on the other node"),
        (vec!["takeover", "foreign"], Request::Takeover(Set::FOREIGN), "the foreign resources are now on this node"),
        (vec!["standby", "10.0.0.100"], Request::StandbyGroups(group), "now on the other node: 10.0.0.100"),
        (vec!["takeover", "--no-wait", "10.0.0.100"], Request::TakeoverGroups(group), "under way: hbctl status"),
    ] {
        let Some(said) = outcome_of_move(&words, wanted, Answer::Done).await else { return };
        assert!(said.as_ref().is_ok_and(|said| said.starts_with(text)), "{words:?}: {said:?}");
    }
}

#[tokio::test]
async fn a_scope_and_a_group_are_not_moved_together() {
    let Some(bus) = PrivateBus::start() else { return };
    let words = ["10.0.0.100", "local"].map(str::to_owned);
    let said = super::moves::run(bus.builder(), "Standby", &words, super::job::Attention::whole(true)).await.unwrap();
    assert!(said.unwrap_err().starts_with("'local' is a set of groups: write it alone"));
}

#[test]
fn the_shells_complete_scopes_and_the_help_claims_no_more() {
    let command = table::command();
    let standby = command.find_subcommand("standby").unwrap();
    let groups = standby.get_positionals().next().unwrap();
    let completed: Vec<_> = groups.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    assert_eq!(completed, ["all", "local", "foreign", "failback"]);
    assert!(!standby.clone().render_long_help().to_string().contains("possible values"));
}

#[test]
fn the_text_says_where_groups_cannot_be_moved_alone() {
    let mut snapshot = healthy();
    snapshot.groups_move_alone = false;
    assert!(!render(&snapshot, 1_400_000, false).contains("move together"), "there is one group");
    let second = GroupSnapshot { name: "10.0.0.101".to_owned(), ..snapshot.groups[0].clone() };
    snapshot.groups.push(second);
    assert!(render(&snapshot, 1_400_000, false).contains(", auto_failback off, groups move together\n"));
    snapshot.groups[1].preferred = "nodeb".to_owned();
    assert!(!render(&snapshot, 1_400_000, false).contains("move together"), "one group of each node");
    snapshot.groups[1].preferred = "nodea".to_owned();
    snapshot.nodes.retain(|node| node.local);
    assert!(!render(&snapshot, 1_400_000, false).contains("move together"), "there is no other node");
}

#[tokio::test]
async fn no_text_from_the_bus_controls_the_terminal() {
    let Some(bus) = PrivateBus::start() else { return };
    let mut shown = healthy();
    shown.groups[0].held_back = "\x1b]0;owned\x07".to_owned();
    shown.groups[0].resources[0].why = "\x1b[2J".to_owned();
    let (_snapshots, receiver) = watch::channel(Arc::new(shown));
    let address = bus.address();
    let connect = move || zbus::connection::Builder::address(address.as_str());
    tokio::spawn(crate::bus::run(connect, receiver, mpsc::channel(1).0, || ()));
    let fetched = loop {
        match fetch::snapshot(bus.builder()).await {
            Err(CliError::NotRunning) => tokio::task::yield_now().await,
            fetched => break fetched.unwrap(),
        }
    };
    let text = render(&fetched, 0, false);
    assert!(text.contains("\\u{1b}]0;owned") && !text.contains('\x1b'), "{text}");
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_apart() {
    let Some(mut bus) = PrivateBus::start() else { return };
    let error = fetch::snapshot(bus.builder()).await.unwrap_err();
    assert!(error.with_remedy().ends_with("\nTry: systemctl status hbd"), "{error}");
    bus.kill();
    let error = fetch::snapshot(bus.builder()).await.unwrap_err();
    assert!(matches!(error, CliError::NoBus(_)), "{error}");
}
