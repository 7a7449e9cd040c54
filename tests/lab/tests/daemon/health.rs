//! A unit fails on the node that serves: what hbd does, with a real systemd.

use hbd_lab::Result;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_words, unexpected};
use crate::succession::main_process;
use crate::unit_ends::{wait_status, wait_whole};

/// Merged over hbd.toml.
const UNDONE: (&str, &str) = ("/etc/hbd/hbd.toml.d/lab-stopped.toml", "[health]\nstopped = \"restart\"\n");
/// More than `[health] restarts`: if they were failures, the group would move.
const STOPS: usize = 4;

/// Kills the unit's processes.
fn crash(pair: &Pair, index: usize) -> Result<f64> {
    let when = now();
    pair.node(index).run(&["systemctl", "kill", "--kill-whom=all", "--signal=SEGV", HTTPD])?;
    Ok(when)
}

/// The unit is started again twice on its node, then the group moves to the peer. When the unit fails there, too, the
/// group does not move back and forth.
pub fn a_failing_unit_is_started_again_and_then_moves(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let begun = now();
    for count in ["1", "2"] {
        let since = crash(pair, A)?;
        pair.wait_record(A, since, "httpd has failed here (nginx.service is failed, result ", SOON)?;
        pair.wait_record(A, since, &format!("failure {count} lately"), SOON)?;
        pair.wait_unit(A, HTTPD, "active", SOON)?;
        pair.client.wait_served_by(NODES[A].name, SOON)?;
        wait_whole(pair, A)?;
    }
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    let since = crash(pair, A)?;
    pair.wait_record(A, since, "goes to node nodeb because it fails here", SOON)?;
    pair.lab.wait_owner(B, SOON)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    let took = served - since;
    // The group does not return by itself, although nodea is its preferred node.
    wait_until("some seconds", SOON, || (now() > served + f64::from(DEADTIME)).then_some(()))?;
    pair.expect_undisturbed(B, served + 0.5)?;

    for _ in 0..3 {
        pair.wait_unit(B, HTTPD, "active", SOON)?;
        wait_whole(pair, B)?;
        let since = crash(pair, B)?;
        pair.wait_record(B, since, "httpd has failed here", SOON)?;
    }
    pair.wait_record(B, served, "the other node cannot serve its group either", SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[B].name])?;

    // An operator has repaired nodea, calls cleanup, and takes the group back.
    let said = pair.node(A).run(&["hbctl", "cleanup"])?;
    expect_words("hbctl cleanup", &said, &["the failures of all groups are forgotten"])?;
    pair.node(B).run(&["hbctl", "cleanup", "192.168.17.200/24/eth0"])?;
    pair.wait_unit(B, HTTPD, "active", SOON)?;
    let wrong = pair.node(B).attempt(&["hbctl", "cleanup", "nonsense"])?;
    expect("hbctl cleanup of no group", &wrong.status, &Some(4))?;
    pair.lab.wait_stable(B, begun, START)?;
    pair.node(A).run(&["hbctl", "takeover"])?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    Ok(format!("served by the peer {took:.1} s after the last crash"))
}

/// A unit that an operator stops with `systemctl stop` has not failed: hbd starts nothing and moves nothing until
/// `systemctl start`.
pub fn an_operators_stop_is_left_alone(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let since = now();
    pair.node(A).run(&["systemctl", "stop", HTTPD])?;
    let said = pair.wait_record(A, since, "httpd was stopped by somebody else", SOON)?;
    expect("its priority", &said.priority(), &4)?;
    wait_until("some seconds", SOON, || (now() > since + f64::from(DEADTIME) + 1.0).then_some(()))?;
    expect(HTTPD, &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.node(A).run(&["systemctl", "start", HTTPD])?;
    pair.wait_record(A, since, "httpd runs again", SOON)?;

    let since = now();
    for words in [["systemctl", "restart", HTTPD], ["systemctl", "reload", HTTPD]] {
        pair.node(A).run(&words)?;
    }
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    wait_until("a few looks", SOON, || (now() > since + 5.0).then_some(()))?;
    let records = pair.records(A, since)?;
    match records.iter().find(|record| record.message().contains("httpd ")) {
        Some(record) => unexpected(record.message()),
        None => Ok(String::new()),
    }
}

/// Where hbd.toml has `stopped = "restart"`, hbd itself starts what somebody stops, as often as that happens: it says
/// so each time, counts no failure and moves nothing.
pub fn an_operators_stop_is_undone_where_hbd_toml_says_so(pair: &mut Pair) -> Result<String> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(UNDONE.0, UNDONE.1)?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    wait_status(pair, 0)?;
    let begun = now();
    let mut slowest: f64 = 0.0;
    for _ in 0..STOPS {
        let before = main_process(pair, HTTPD)?;
        let since = now();
        pair.node(A).run(&["systemctl", "stop", HTTPD])?;
        let said = pair.wait_record(A, since, "httpd was stopped by somebody else: starting it again", SOON)?;
        expect("its priority", &said.priority(), &4)?;
        pair.wait_unit(A, HTTPD, "active", SOON)?;
        if main_process(pair, HTTPD)? == before {
            return unexpected("nginx.service was not stopped");
        }
        slowest = slowest.max(pair.client.wait_served_by(NODES[A].name, SOON)? - since);
        wait_whole(pair, A)?;
        wait_status(pair, 0)?;
    }
    let records = pair.records(A, begun)?;
    if let Some(record) = records.iter().find(|record| record.message().contains("has failed here")) {
        return unexpected(record.message());
    }
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    if pair.lab.announcers(begun)?.contains(&NODES[B].public_mac()) {
        return unexpected("nodeb had the address meanwhile");
    }
    for index in [A, B] {
        pair.node(index).run(&["rm", UNDONE.0])?;
    }
    pair.start_with(None)?;
    Ok(format!("served again {slowest:.1} s after the stop, at most"))
}
