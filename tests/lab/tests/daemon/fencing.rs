//! Fencing with an agent of the test's own, which fails, hangs, reports a reset that it has not made, or waits until
//! the test has cut the node's power.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::switch::Lan;

use crate::pair::{A, B, HBD, Pair, SOON, TAKEOVER, expect, expect_words, unexpected};

/// The longest pause between two attempts, and the attempt itself.
const RETRY: Duration = Duration::from_secs(60);

const AGENT: &str = r#"#!/bin/sh
[ $# = 0 ] || exit 9
cat >/var/lib/fence.stdin
if grep -qx action=metadata /var/lib/fence.stdin; then
    echo '<resource-agent><parameters><parameter name="ip"/><parameter name="passwd"/></parameters></resource-agent>'
    exit 0
fi
echo "the agent is asked"
case $(cat /var/lib/fence.mode) in
hang) exec sleep 600 ;;
fail) exit 1 ;;
lie) exit 0 ;;
off) exit 2 ;;
esac
touch /var/lib/fence.asked
while [ ! -e /var/lib/fence.dead ]; do sleep 0.1; done
"#;

const TOML: &str =
    "[fence.nodea]\nagent = \"/usr/local/sbin/fence_lab\"\nip = \"192.0.2.1\"\npassword = \"a b\"\ntimeout = 5\n";

/// Both nodes have settled, and nodeb can reset nodea with an agent that behaves in this way.
fn settle(pair: &mut Pair, mode: &str) -> Result<()> {
    pair.stop_with(None)?;
    pair.node(B).write_mode("/usr/local/sbin/fence_lab", AGENT, 0o755)?;
    pair.node(B).write("/etc/hbd/hbd.toml.d/fence.toml", TOML)?;
    pair.node(B).run(&["rm", "-f", "/var/lib/fence.asked", "/var/lib/fence.dead"])?;
    pair.node(B).write("/var/lib/fence.mode", mode)?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)
}

fn tidy(pair: &mut Pair) -> Result<()> {
    pair.node(B).run(&["rm", "-f", "/etc/hbd/hbd.toml.d/fence.toml"])?;
    pair.start_with(None).map(drop)
}

/// Checks that only nodea serves.
fn only_a(pair: &Pair) -> Result<()> {
    pair.wait_with_one_owner("nodea to serve", SOON, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })
}

/// Parameters that the agent would ignore are named, and a device whose node is off counts as one that answers.
pub fn an_agent_is_asked_before_it_is_needed(pair: &mut Pair) -> Result<String> {
    settle(pair, "off")?;
    let check = pair.node(B).attempt(&["hbctl", "check"])?;
    let ignored = "fencing of nodea: /usr/local/sbin/fence_lab has no parameter `password` and would ignore it: did you mean `passwd`?";
    expect_words("hbctl check", &check.stdout, &[ignored])?;
    let dry = pair.node(B).run(&["hbctl", "fence", "nodea", "--dry-run"])?;
    expect_words("a dry run", &dry, &["the fencing device of nodea answers; nothing was switched"])?;
    tidy(pair)?;
    Ok(String::new())
}

/// Only the heartbeat link is cut: nodea lives and serves, and nodeb declares it dead.
pub fn nothing_is_taken_before_the_reset(pair: &mut Pair) -> Result<String> {
    settle(pair, "hang")?;
    let dry = pair.node(B).run(&["hbctl", "fence", "nodea", "--dry-run"]);
    expect_words("a dry run of an agent that hangs", &format!("{dry:?}"), &["took too long"])?;
    let cut = now();
    pair.lab.switch.cut(NODES[A].name, Lan::Heartbeat)?;
    for (next, said) in [("fail", "it took too long and was killed"), ("kill", "it ended with exit-code")] {
        pair.wait_record(B, cut, &format!("Host nodea not reset! /usr/local/sbin/fence_lab failed: {said}"), RETRY)?;
        only_a(pair)?;
        pair.node(B).write("/var/lib/fence.mode", next)?;
    }
    wait_until("the agent to be asked", RETRY, || pair.node(B).read("/var/lib/fence.asked").ok()?)?;
    let stdin = pair.node(B).read("/var/lib/fence.stdin")?.unwrap_or_default();
    expect("what the agent read", &stdin.as_str(), &"ip=192.0.2.1\npassword=a b\nnodename=nodea\naction=reboot\n")?;
    let left = pair.node(B).run(&["ls", "/run/hbd"])?;
    let commands = pair.node(B).run(&["systemctl", "show", "hbd-fence-*"])?;
    if commands.contains("a b") {
        return unexpected("the password is in the unit");
    }
    expect_words("the parameters of the running agent", &left, &["hbd-fence-nodea"])?;
    only_a(pair)?;
    pair.lab.nodes[A].power_failure()?;
    let dead = now();
    pair.node(B).write("/var/lib/fence.dead", "")?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    pair.wait_record(B, cut, "node nodea now reset.", SOON)?;
    pair.node(B).wait_record("hbd-fence-*", cut, "the agent is asked", SOON)?;
    pair.lab.nodes[A].boot()?;
    tidy(pair)?;
    Ok(format!("served {:.3} s after the reset", served - dead))
}

/// The agent reports that it has reset nodea, which goes on serving: nodeb does not take an address that is still
/// answered on the LAN.
pub fn a_false_report_of_a_reset_makes_no_second_owner(pair: &mut Pair) -> Result<String> {
    settle(pair, "lie")?;
    let cut = now();
    pair.lab.switch.cut(NODES[A].name, Lan::Heartbeat)?;
    pair.wait_record(B, cut, "node nodea now reset.", TAKEOVER)?;
    pair.wait_record(B, cut, "is still answered by", SOON)?;
    pair.wait_with_one_owner("two dead times", SOON, || now() > cut + 3.0 * f64::from(DEADTIME))?;
    only_a(pair)?;
    let healed = now();
    pair.lab.switch.heal(NODES[A].name, Lan::Heartbeat)?;
    pair.wait_record(B, healed, "the device resets nothing, or another machine", SOON)?;
    pair.wait_with_one_owner("a dead time", SOON, || now() > healed + f64::from(DEADTIME))?;
    pair.expect_used_in_turn(cut, &[A])?;
    expect("the unit", &pair.node(B).unit_state(HBD)?, &"active".to_owned())?;
    tidy(pair)?;
    Ok(String::new())
}
