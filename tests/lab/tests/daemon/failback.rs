//! When a group goes back to the node that it prefers: what hbd.toml says of it, and what an operator says.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::opinion::hbd_status;
use hbd_lab::process::{now, wait_until};
use serde_json::Value;

use crate::pair::{A, B, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// Merged over hbd.toml on both nodes.
const FILE: &str = "/etc/hbd/hbd.toml.d/failback.toml";
/// Longer than everything that the test does in between, also on a busy machine.
const LONG: &str = "failback_after = \"15m\"\n";
/// Seconds of `failback_after` where the wait is played to its end.
const AFTER: f64 = 20.0;
const GROUP: &str = "192.168.17.200/24/eth0";
const OBJECT: &str = "/org/hbd1/group/_3192_2e168_2e17_2e200_2f24_2feth0";

/// Both nodes have this file and run; the preferred one has lost its power, and the other one serves.
fn taken_over(pair: &mut Pair, toml: &str) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(FILE, toml)?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    away(pair)
}

/// The preferred node loses its power, is dead to the other one, and that serves.
fn away(pair: &mut Pair) -> Result<()> {
    let since = pair.lab.nodes[A].power_failure()?;
    pair.wait_record(B, since, "node nodea: is dead", TAKEOVER)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER).map(drop)
}

/// The preferred node is up again, and both say so. Returns when its hbd was started.
fn back(pair: &mut Pair) -> Result<f64> {
    pair.lab.nodes[A].boot()?;
    let since = now();
    pair.lab.start(A)?;
    pair.lab.wait_stable(A, since, START)?;
    Ok(since)
}

/// What the group on nodeb says of its return, by `hbctl status --json`.
fn returns(pair: &Pair) -> Option<(String, u64)> {
    let status = hbd_status(pair.node(B)).ok()?;
    let group = status["groups"].get(0)?;
    Some((group["returns"].as_str()?.to_owned(), group["returns_at_usec"].as_u64()?))
}

fn wait_returns(pair: &Pair, wanted: &str) -> Result<()> {
    let what = format!("the group to say of its return: {wanted:?}");
    wait_until(&what, SOON, || returns(pair).filter(|(said, _)| said == wanted).map(drop))
}

/// The node that served is back: its group waits, and the status counts down. An operator keeps it where it is; after
/// another absence one returns it at once.
pub fn a_group_waits_to_go_back_and_an_operator_says_otherwise(pair: &mut Pair) -> Result<String> {
    taken_over(pair, LONG)?;
    wait_returns(pair, "when-well")?;
    let since = back(pair)?;
    pair.wait_record(B, since, &format!("{GROUP}: to return to node nodea in 900 s"), SOON)?;
    wait_returns(pair, "at")?;
    wait_until("hbctl status to count down and to find nothing wrong", SOON, || {
        let status = pair.node(B).attempt(&["hbctl", "status"]).ok()?;
        (status.status == Some(0) && status.stdout.contains("returns to nodea in 14 min ")).then_some(())
    })?;
    let shown = pair.node(B).property("org.hbd1", OBJECT, "org.hbd1.Group", "Returns")?;
    expect("Returns on D-Bus", &shown, &Value::from("at"))?;
    let elsewhere = pair.node(A).attempt(&["hbctl", "failback", "cancel"])?;
    expect_status("hbctl failback on the node that does not serve", &elsewhere, 4)?;
    expect_words(
        "hbctl failback on the node that does not serve",
        &elsewhere.stderr,
        &["nothing of that waits here"],
    )?;

    let kept = pair.node(B).attempt(&["hbctl", "failback", "cancel", GROUP])?;
    expect_status("hbctl failback cancel", &kept, 0)?;
    expect_words("hbctl failback cancel", &kept.stdout, &[GROUP, "stays on this node"])?;
    wait_returns(pair, "")?;
    let restarted = now();
    pair.node(B).systemctl("restart", "hbd.service")?;
    pair.lab.wait_stable(B, restarted, START)?;
    wait_returns(pair, "")?;
    expect("the owners after a cancel and a restart", &pair.lab.owners()?, &vec![NODES[B].name])?;
    let again = pair.node(B).attempt(&["hbctl", "failback", "now"])?;
    expect_status("hbctl failback with nothing to return", &again, 4)?;

    away(pair)?;
    back(pair)?;
    wait_returns(pair, "at")?;
    let asked = now();
    let returned = pair.node(B).attempt(&["hbctl", "failback", "now"])?;
    expect_status("hbctl failback now", &returned, 0)?;
    expect_words("hbctl failback now", &returned.stdout, &[GROUP, "is back on the other node"])?;
    let served = pair.client.wait_served_by(NODES[A].name, SOON)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    tidy(pair)?;
    Ok(format!("served by the preferred node {:.1} s after the operator asked", served - asked))
}

/// Without an operator the group goes back when the wait is over, and not before.
pub fn a_group_goes_back_when_its_wait_is_over(pair: &mut Pair) -> Result<String> {
    taken_over(pair, &format!("failback_after = {AFTER}\nstart_delay = 5\n"))?;
    let since = back(pair)?;
    wait_returns(pair, "at")?;
    let served = pair.client.wait_served_by(NODES[A].name, Duration::from_secs_f64(AFTER) + START)?;
    let waited = served - since;
    if waited < AFTER {
        return unexpected(format!("the group went back {waited:.1} s after the start of hbd"));
    }
    tidy(pair)?;
    Ok(format!("back {waited:.1} s after the start of hbd, with {AFTER} s to wait"))
}

fn tidy(pair: &mut Pair) -> Result<()> {
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", FILE])?;
    }
    pair.start_with(None).map(drop)
}
