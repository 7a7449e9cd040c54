//! Several groups: each moves, fails and returns alone, and none stops another one.

use std::net::Ipv4Addr;
use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain};
use hbd_lab::software::package;

use crate::pair::{A, B, HBD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words};

/// Two groups of one node, and one of the other: active/active.
const HARESOURCES: &str = "nodea 192.168.17.200/24/eth0 httpd\nnodea 192.168.17.201/24/eth0 second\n\
                           nodeb 192.168.17.202/24/eth0 third\n";
const SECOND: &str = "192.168.17.201/24/eth0";
const THIRD: &str = "192.168.17.202/24/eth0";
const SECOND_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 201);
const THIRD_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 202);

/// Both nodes serve what prefers them.
fn settled(pair: &mut Pair) -> Result<()> {
    pair.stop_with(Some(HARESOURCES))?;
    for index in [A, B] {
        for unit in ["second", "third"] {
            let file = "[Service]\nExecStart=/bin/sleep infinity\n";
            pair.node(index).write(&format!("/etc/systemd/system/{unit}.service"), file)?;
        }
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(Some(HARESOURCES))?;
    pair.wait_settled(since)?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)
}

/// Waits until the address and the unit of a group are on this node, and on no other.
fn wait_where(pair: &Pair, index: usize, address: Ipv4Addr, unit: &str, limit: Duration) -> Result<()> {
    wait_or_explain(&format!("{address} and {unit} on {}", NODES[index].name), limit, || {
        for (node, wanted) in [(index, true), (1 - index, false)] {
            if !pair.node(node).is_on() {
                continue;
            }
            let text = |error: hbd_lab::Error| error.to_string();
            let active = pair.node(node).unit_state(unit).map_err(text)? == "active";
            let holds = pair.node(node).holds(address).map_err(text)?;
            if (holds, active) != (wanted, wanted) {
                return Err(format!("{}: address {holds}, unit {active}", NODES[node].name));
            }
        }
        Ok(())
    })
}

/// One of two groups that prefer a node goes to the other node and back, and a client of the other group notices
/// nothing.
pub fn an_operator_moves_one_group_of_three(pair: &mut Pair) -> Result<String> {
    settled(pair)?;
    let since = now();
    let said = pair.node(A).run(&["hbctl", "move", SECOND, NODES[B].name])?;
    expect_words("hbctl move", &said, &[SECOND, "is now on nodeb"])?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", SOON)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 0)?;
    // From where it is now, and to where it was.
    pair.node(B).run(&["hbctl", "standby", SECOND, THIRD])?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;
    wait_where(pair, A, THIRD_ADDRESS, "third.service", SOON)?;
    pair.node(B).run(&["hbctl", "takeover", THIRD])?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    pair.expect_undisturbed(A, since)?;
    let unknown = pair.node(A).attempt(&["hbctl", "move", "fourth", NODES[B].name])?;
    expect_words("hbctl move of no group", &format!("{}{}", unknown.stdout, unknown.stderr), &["fourth"])?;
    Ok(String::new())
}

/// A unit that fails takes its own group along, and not the other one of its node.
pub fn a_failed_unit_moves_its_own_group_only(pair: &mut Pair) -> Result<String> {
    settled(pair)?;
    let since = now();
    let broken = "[Service]\nExecStart=/bin/false\nType=oneshot\n";
    pair.node(A).write("/etc/systemd/system/second.service", broken)?;
    pair.node(A).run(&["systemctl", "daemon-reload"])?;
    pair.node(A).run(&["systemctl", "kill", "--kill-whom=all", "--signal=SEGV", "second.service"])?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", SOON)?;
    pair.wait_record(A, since, "192.168.17.201/24/eth0 ", SOON)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    pair.expect_undisturbed(A, since)?;
    pair.node(A).write("/etc/systemd/system/second.service", "[Service]\nExecStart=/bin/sleep infinity\n")?;
    pair.node(A).run(&["systemctl", "daemon-reload"])?;
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.node(A).run(&["hbctl", "takeover", SECOND])?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;
    Ok(String::new())
}

/// An operator works on one group: hbd leaves it alone, also over a restart, and serves the others as ever.
pub fn an_operator_works_on_one_group(pair: &mut Pair) -> Result<String> {
    settled(pair)?;
    let since = now();
    pair.node(A).run(&["hbctl", "maintenance", "on", SECOND])?;
    for index in [A, B] {
        let status = pair.node(index).attempt(&["hbctl", "status"])?;
        expect_status("hbctl status in maintenance", &status, 3)?;
        expect_words("hbctl status", &format!("{}{}", status.stdout, status.stderr), &["n maintenance on", SECOND])?;
    }
    pair.node(A).run(&["systemctl", "kill", "--kill-whom=all", "--signal=SEGV", "second.service"])?;
    pair.wait_record(A, since, "left alone, because the group is in maintenance", SOON)?;
    for (index, command) in [(A, "standby"), (B, "takeover")] {
        let refused = pair.node(index).attempt(&["hbctl", command, SECOND])?;
        expect_status("a move of what is in maintenance", &refused, 4)?;
        expect_words("hbctl", &format!("{}{}", refused.stdout, refused.stderr), &["hbctl maintenance off GROUP"])?;
    }
    pair.node(A).run(&["hbctl", "takeover", THIRD])?;
    wait_where(pair, A, THIRD_ADDRESS, "third.service", SOON)?;
    let restarted = now();
    pair.node(A).run(&["systemctl", "restart", "hbd.service"])?;
    pair.lab.wait_stable(A, restarted, START)?;
    expect("second.service", &pair.node(A).unit_state("second.service")?, &"failed".to_owned())?;
    pair.node(A).run(&["hbctl", "maintenance", "off", SECOND])?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}

/// Each node serves what prefers it; one loses its power and returns. The groups of the other one are not touched.
pub fn active_active_through_a_crash_and_back(pair: &mut Pair) -> Result<String> {
    settled(pair)?;
    let since = pair.lab.nodes[A].power_failure()?;
    pair.wait_record(B, since, "node nodea: is dead", TAKEOVER)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", TAKEOVER)?;
    let third = pair.node(B).run(&["systemctl", "show", "--value", "--property=InvocationID", "third.service"])?;
    pair.lab.nodes[A].boot()?;
    pair.lab.start(A)?;
    pair.lab.wait_owner(A, START)?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", START)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    let still = pair.node(B).run(&["systemctl", "show", "--value", "--property=InvocationID", "third.service"])?;
    expect("the run of third.service", &still, &third)?;
    Ok(String::new())
}

/// A unit that stops slowly keeps no other group from the other node while hbd stops.
pub fn a_stop_hands_each_group_over_when_it_is_down(pair: &mut Pair) -> Result<String> {
    const SLOW: &str = "/etc/systemd/system/second.service.d/slow.conf";
    settled(pair)?;
    pair.node(A).write(SLOW, "[Service]\nExecStop=/bin/sleep 20\n")?;
    pair.node(A).run(&["systemctl", "daemon-reload"])?;
    let stopped = now();
    pair.node(A).run(&["systemctl", "stop", "--no-block", HBD])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    let served = now() - stopped;
    expect("second.service meanwhile", &pair.node(A).unit_state("second.service")?, &"deactivating".to_owned())?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", START)?;
    pair.node(A).run(&["rm", "-r", "/etc/systemd/system/second.service.d"])?;
    pair.node(A).run(&["systemctl", "daemon-reload"])?;
    Ok(format!("the other group was served {served:.1} s later"))
}

/// Where `make last-release` has built the package of the last release.
const LAST_RELEASE: &str = "HBD_LAST_RELEASE";

/// A node still has the last release, which knows classes only: groups move together, and the refusal says why. Then
/// it is updated: nothing moves for that, and from then on each group moves alone.
pub fn the_last_release_is_updated_node_by_node(pair: &mut Pair) -> Result<String> {
    let Some(last_release) = std::env::var_os(LAST_RELEASE) else {
        return Ok(format!("not played: {LAST_RELEASE} names no package; see make last-release"));
    };
    settled(pair)?;
    pair.stop_with(Some(HARESOURCES))?;
    pair.node(B).install(last_release.as_ref())?;
    let since = pair.start_with(Some(HARESOURCES))?;
    pair.wait_settled(since)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    let refused = pair.node(A).attempt(&["hbctl", "move", SECOND, NODES[B].name])?;
    expect_status("hbctl move beside the last release", &refused, 4)?;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    expect_words("hbctl move beside the last release", &said, &["cannot be moved without", "older hbd"])?;
    pair.node(A).run(&["hbctl", "standby", "local"])?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", SOON)?;
    pair.node(A).run(&["hbctl", "takeover", "local"])?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;

    let since = now();
    pair.node(B).install(&package()?)?;
    pair.node(B).run(&["systemctl", "restart", "hbd.service"])?;
    pair.lab.wait_stable(B, since, START)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    pair.expect_undisturbed(A, since)?;
    pair.node(A).run(&["hbctl", "move", SECOND, NODES[B].name])?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", SOON)?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}
