//! Texts and statuses of 04 §6.5 and §6.6, one row each.

use super::moves::{MoveArguments, parse};
use super::*;
use crate::bus::{LinkSnapshot, NodeSnapshot, Snapshot};
use crate::cli::error::CliError;

fn snapshot() -> Snapshot {
    let node = |name: &str, kind: &str, status: &str| NodeSnapshot {
        name: name.to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        ..NodeSnapshot::default()
    };
    let link = |node: &str, name: &str, medium: &str, status: &str| LinkSnapshot {
        node: node.to_owned(),
        name: name.to_owned(),
        medium: medium.to_owned(),
        status: status.to_owned(),
        last_heard_usec: 0,
        traffic: Default::default(),
    };
    Snapshot {
        version: "0.1.0".to_owned(),
        node: "nodea".to_owned(),
        resource_state: "all".to_owned(),
        deadtime_usec: 3_000_000,
        keepalive_usec: 500_000,
        nodes: vec![
            node("nodea", "normal", "active"),
            node("nodeb", "normal", "dead"),
            node("10.0.0.1", "ping", "ping"),
        ],
        links: vec![
            link("nodeb", "eth1", "ucast", "dead"),
            link("nodeb", "eth2", "bcast", "up"),
            link("10.0.0.1", "10.0.0.1", "ping", "up"),
        ],
        ..Snapshot::default()
    }
}

const HA_CF: &str = "# comment\ndeadtime 30\nkeepalive 500ms # half\nauto_failback  on\n";

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn cl_status(snapshot: Option<&Snapshot>, line: &str) -> CommandOutput {
    let words = words(line);
    cl_status::answer(snapshot, &words[0], &words[1..], HA_CF)
}

#[test]
fn cl_status_says_and_exits_as_the_original() {
    let table = [
        ("hbstatus", "Heartbeat is running on this machine.\n", 0),
        ("listnodes", "10.0.0.1\nnodeb\nnodea\n", 0),
        ("listnodes -p", "10.0.0.1\n", 0),
        ("listnodes -n", "nodeb\nnodea\n", 0),
        ("listnodes -m -n", "The nodes are as follow:\nnodeb\nnodea\n", 0),
        ("nodestatus nodea", "active\n", 0),
        ("nodestatus NODEB", "dead\n", 1),
        ("nodestatus -m nodeb", "The cluster node nodeb is dead\n", 1),
        ("nodestatus 10.0.0.1", "ping\n", 0),
        ("nodetype 10.0.0.1", "ping\n", 0),
        ("nodetype -m nodea", "The node nodea's type: normal\n", 0),
        ("nodeweight -m nodea", "The weight of the cluster node nodea is 100\n", 0),
        ("nodesite nodea", "\n", 0),
        ("nodesite -m nodea", "The site of the cluster node nodea is \n", 0),
        ("listhblinks nodeb", "\teth2\n\teth1\n", 0),
        ("listhblinks -m nodea", "\tthis node has the following heartbeat links:\n\teth2\n\teth1\n", 0),
        ("hblinkstatus nodeb eth2", "up\n", 0),
        ("hblinkstatus nodeb eth1", "dead\n", 1),
        ("hblinkstatus -m nodeb eth2", "The node nodeb's heartbeat link eth2 is up\n", 0),
        ("hblinkstatus nodea eth2", "dead\n", 1),
        ("clientstatus nodea ipfail", "offline\n", 1),
        ("rscstatus", "all\n", 0),
        ("rscstatus -m", "This node is holding all resources.\n", 0),
        ("hbparameter -p keepalive", "500ms\n", 0),
        ("hbparameter -m -p auto_failback", "Heartbeat parameter auto_failback's value: on\n", 0),
        ("test", "Dead time: 3000\n keeplive time: 500\n mynodeid: nodea\n rsc: all\n", 0),
    ];
    let snapshot = snapshot();
    for (line, out, status) in table {
        let wanted = CommandOutput { out: out.to_owned(), err: String::new(), status };
        assert_eq!(cl_status(Some(&snapshot), line), wanted, "{line}");
    }
}

#[test]
fn cl_status_complains_as_the_original() {
    let table = [
        ("nodestatus nodec", "Error. May be due to incorrect node name\n", 11),
        ("nodestatus", "Not enough parameters.\n", 11),
        ("hblinkstatus nodea", "Not enough parameters.\n", 11),
        ("listhblinks nodec", "Cannot start heartbeat link interface walk.\n", 13),
        ("hblinkstatus nodeb eth9", "Cannot get heartbeat link status\n", 13),
        ("clientstatus nodec ipfail", "Cannot get heartbeat client ipfail's status\n", 13),
        ("hbparameter -p nonsense", "Cannot get parameter nonsense's value\n", 1),
        ("hbparameter", "parameter name required\n", 11),
        ("nonsense", "nonsense: invalid sub-command.\n", 11),
    ];
    let snapshot = snapshot();
    for (line, err, status) in table {
        let wanted = CommandOutput { out: String::new(), err: err.to_owned(), status };
        assert_eq!(cl_status(Some(&snapshot), line), wanted, "{line}");
    }
    assert_eq!(cl_status(Some(&snapshot), "rscstatus -x").status, 11);
}

#[test]
fn without_a_daemon_the_answers_are_those_of_a_stopped_heartbeat() {
    assert_eq!(cl_status(None, "hbstatus"), CommandOutput::out("Heartbeat is stopped on this machine.", 1));
    for line in ["listnodes", "nodestatus nodea", "rscstatus"] {
        assert_eq!(cl_status(None, line), CommandOutput::err("Cannot signon with heartbeat", 1), "{line}");
    }
    assert_eq!(heartbeat::status(None), CommandOutput::out("heartbeat is stopped. No process", 3));
    let running = heartbeat::status(Some((1301, "nodea".to_owned())));
    assert_eq!(running, CommandOutput::out("heartbeat OK [pid 1301 et al] is running on nodea [nodea]...", 0));
}

#[test]
fn everything_at_once_is_as_with_3_0_6() {
    let said = cl_status(Some(&snapshot()), "hbstatus -v");
    let wanted = "version:\t0.1.0 (hbd)\nmanaged by:\t\"haresources\"\n\n10.0.0.1\tping\t(nodetype: ping)\n\
                  \t10.0.0.1\tup\n\nnodeb\tdead\t(nodetype: normal)\n\teth2\tup\n\teth1\tdead\n\n\
                  nodea\tactive\t(nodetype: normal)\n\teth2\tdead\n\teth1\tdead\n";
    assert_eq!(said, CommandOutput { out: wanted.to_owned(), ..CommandOutput::default() });
}

#[test]
fn a_move_takes_the_old_words_and_no_other() {
    let parsed = |line: &str| parse("/usr/share/heartbeat/hb_standby", &words(line));
    assert_eq!(parsed(""), Ok(MoveArguments { scope: "all".into(), wait: true }));
    assert_eq!(parsed("foreign --no-wait"), Ok(MoveArguments { scope: "foreign".into(), wait: false }));
    let refused = parsed("x").unwrap_err();
    assert_eq!(refused.status, 1);
    assert!(refused.err.starts_with("/usr/share/heartbeat/hb_standby: wrong resources(x).\n"), "{}", refused.err);
}

#[test]
fn what_the_bus_says_of_a_move_does_not_control_the_terminal() {
    let text = "resource \x1b[2J\u{9b}2J failed".to_owned();
    let escaped = "resource \\u{1b}[2J\\u{9b}2J failed\n".to_owned();
    let head = || "now Going standby [all].\n".to_owned();
    let done = moves::answer(head(), Ok(Some(Ok(text.clone()))));
    assert_eq!(done, CommandOutput { out: head() + &escaped, ..CommandOutput::default() });
    let refused = moves::answer(head(), Ok(Some(Err(text.clone()))));
    assert_eq!(refused, CommandOutput { out: head(), err: escaped.clone(), status: 1 });
    let failed = moves::answer(String::new(), Err(CliError::Refused(text)));
    assert_eq!(failed, CommandOutput { out: String::new(), err: escaped, status: 1 });
}

#[test]
fn only_heartbeats_names_are_taken() {
    for name in ["hbctl", "/usr/bin/hbctl", "x"] {
        assert!(main(std::iter::once(OsString::from(name))).is_none(), "{name}");
    }
}
