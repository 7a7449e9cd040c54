//! Several groups: each moves, fails and returns alone, and none stops another one.

use std::net::Ipv4Addr;
use std::time::Duration;

use hbd_lab::example::{DEADTIME, Example, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain, wait_until};
use hbd_lab::software::package;
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

const HA_CF: &str = "/etc/ha.d/ha.cf";

/// Two groups of one node, and one of the other: active/active.
const HARESOURCES: &str = "nodea 192.168.17.200/24/eth0 httpd\nnodea 192.168.17.201/24/eth0 second\n\
                           nodeb 192.168.17.202/24/eth0 third\n";
const SECOND: &str = "192.168.17.201/24/eth0";
const THIRD: &str = "192.168.17.202/24/eth0";
const SECOND_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 201);
const THIRD_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 202);
const FOURTH_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 203);

/// Both nodes serve what prefers them.
fn settled(pair: &mut Pair) -> Result<()> {
    settled_with(pair, HARESOURCES, "on")
}

/// The same with a haresources that has these groups, or more, and with this `auto_failback`.
fn settled_with(pair: &mut Pair, haresources: &str, auto_failback: &str) -> Result<()> {
    pair.stop_with(Some(haresources))?;
    for index in [A, B] {
        let file = Example::of(NODES[index].name)?.with("auto_failback", auto_failback);
        pair.node(index).write(HA_CF, &file.ha_cf)?;
        for unit in ["second", "third", "fourth"] {
            let file = "[Service]\nExecStart=/bin/sleep infinity\n";
            pair.node(index).write(&format!("/etc/systemd/system/{unit}.service"), file)?;
        }
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = now();
    for index in [A, B] {
        pair.lab.start(index)?;
    }
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

/// Each node serves what prefers it, but for a group that an operator has moved. First the link is cut, then the LAN
/// between the nodes as well, and both serve everything. Healed, each group has one owner: where the nodes hear each
/// other first, the one that claimed it first; where they see each other's ARP first, the one that it prefers (05
/// §5.4).
pub fn active_active_through_a_partition(pair: &mut Pair) -> Result<String> {
    // What an operator has moved would return with a peer that was dead.
    settled_with(pair, HARESOURCES, "off")?;
    pair.node(A).run(&["hbctl", "move", SECOND, NODES[B].name])?;
    wait_as_moved(pair, SOON)?;

    let cut = now();
    pair.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    for index in [A, B] {
        pair.wait_record(index, cut, "not taking over group", TAKEOVER)?;
    }
    wait_dead_times()?;
    wait_as_moved(pair, SOON)?;
    pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    pair.wait_well()?;
    wait_as_moved(pair, SOON)?;
    pair.expect_used_in_turn(cut, &[A])?;
    pair.expect_undisturbed(A, cut)?;

    let names = NODES.map(|node| node.name);
    pair.lab.switch.part(&names, true)?;
    wait_both_serve_all(pair)?;
    pair.lab.switch.part(&names, false)?;
    wait_as_preferred(pair, START)?;
    let second = only_owner(pair, START)?;
    pair.wait_well()?;
    let agreed = now();
    wait_dead_times()?;
    wait_as_preferred(pair, SOON)?;
    expect("the owner of the group that was moved", &only_owner(pair, SOON)?, &second)?;
    pair.expect_used_in_turn(agreed, &[A])?;
    pair.expect_undisturbed(A, agreed)?;
    Ok(String::new())
}

/// The groups are where an operator has moved them.
fn wait_as_moved(pair: &Pair, limit: Duration) -> Result<()> {
    wait_as_preferred(pair, limit)?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", limit)
}

/// The groups that were not moved are where they prefer to be.
fn wait_as_preferred(pair: &Pair, limit: Duration) -> Result<()> {
    wait_where(pair, A, VIP, HTTPD, limit)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", limit)
}

/// Which node alone has the group that an operator has moved.
fn only_owner(pair: &Pair, limit: Duration) -> Result<usize> {
    let serves = |index: usize| {
        let (address, unit) = (pair.node(index).holds(SECOND_ADDRESS), pair.node(index).unit_state("second.service"));
        [address.is_ok_and(|held| held), unit.is_ok_and(|state| state == "active")]
    };
    wait_until("the group that was moved to have one owner", limit, || match [serves(A), serves(B)] {
        [[true, true], [false, false]] => Some(A),
        [[false, false], [true, true]] => Some(B),
        _ => None,
    })
}

fn wait_both_serve_all(pair: &Pair) -> Result<()> {
    let groups = [(VIP, HTTPD), (SECOND_ADDRESS, "second.service"), (THIRD_ADDRESS, "third.service")];
    let serves = |index: usize, (address, unit): (Ipv4Addr, &str)| {
        Ok::<_, Error>(pair.node(index).holds(address)? && pair.node(index).unit_state(unit)? == "active")
    };
    wait_until("both to serve every group", TAKEOVER, || {
        let all = |index: usize| groups.iter().all(|group| serves(index, *group).unwrap_or(false));
        (all(A) && all(B)).then_some(())
    })
}

/// Waits for two dead times, in which a node would have taken something.
fn wait_dead_times() -> Result<()> {
    let until = now() + 2.0 * f64::from(DEADTIME);
    wait_until("two dead times to pass", START, || (now() > until).then_some(()))
}

/// How the groups of [`ARRANGED`] share the nodes. `db` starts slowly: who does not wait for it is seen.
const ARRANGEMENT: &str = r#"together = ["web", "db"]
apart = ["jobs", "reports"]
parallel_starts = 1

[groups."192.168.17.200/24/eth0"]
name = "web"
priority = 20

[groups."192.168.17.201/24/eth0"]
name = "db"
priority = 30

[groups."192.168.17.203/24/eth0"]
name = "jobs"
priority = 10

[groups."192.168.17.202/24/eth0"]
name = "reports"
"#;
/// Merged over hbd.toml on both nodes.
const ARRANGEMENT_FILE: &str = "/etc/hbd/hbd.toml.d/arrangement.toml";
/// Three groups of one node, in another order than that of their priorities, and one of the other node.
const ARRANGED: &str = "nodea 192.168.17.200/24/eth0 httpd\nnodea 192.168.17.203/24/eth0 fourth\n\
                        nodea 192.168.17.201/24/eth0 second\nnodeb 192.168.17.202/24/eth0 third\n";
const SLOW_START: &str = "/etc/systemd/system/second.service.d/slow.conf";

/// A node dies and returns, and an operator brings back what does not return by itself. What hbd.toml keeps together
/// stays together, what it keeps apart parts when there are two nodes again, and what a node takes at once starts in
/// the order of priority.
pub fn kept_together_and_apart(pair: &mut Pair) -> Result<String> {
    pair.stop_with(Some(ARRANGED))?;
    for index in [A, B] {
        pair.node(index).write(ARRANGEMENT_FILE, ARRANGEMENT)?;
        pair.node(index).write(SLOW_START, "[Service]\nExecStartPre=/bin/sleep 1\n")?;
    }
    settled_with(pair, ARRANGED, "off")?;
    wait_where(pair, A, FOURTH_ADDRESS, "fourth.service", SOON)?;
    let refused = pair.node(A).attempt(&["hbctl", "move", "jobs", NODES[B].name])?;
    expect_status("hbctl move to what it is kept apart from", &refused, 4)?;
    expect_words("hbctl move", &format!("{}{}", refused.stdout, refused.stderr), &["keeps apart"])?;

    // A node that serves alone serves everything.
    let dead = pair.lab.nodes[A].power_failure()?;
    pair.wait_record(B, dead, "node nodea: is dead", TAKEOVER)?;
    wait_where(pair, B, VIP, HTTPD, START)?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", START)?;
    wait_where(pair, B, FOURTH_ADDRESS, "fourth.service", START)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    expect_started_in_order(pair, B, &["second.service", HTTPD, "fourth.service"])?;

    // Without auto_failback only what is kept apart goes back.
    pair.lab.nodes[A].boot()?;
    pair.lab.start(A)?;
    wait_where(pair, A, FOURTH_ADDRESS, "fourth.service", START)?;
    pair.wait_well()?;
    wait_where(pair, B, VIP, HTTPD, SOON)?;
    wait_where(pair, B, SECOND_ADDRESS, "second.service", SOON)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;

    // One of the two is named, and both move.
    let moved = pair.node(B).attempt(&["hbctl", "move", "db", NODES[A].name])?;
    expect_status("hbctl move of what is kept together", &moved, 0)?;
    wait_where(pair, A, SECOND_ADDRESS, "second.service", SOON)?;
    wait_where(pair, A, VIP, HTTPD, SOON)?;
    wait_where(pair, A, FOURTH_ADDRESS, "fourth.service", SOON)?;
    wait_where(pair, B, THIRD_ADDRESS, "third.service", SOON)?;
    expect_started_in_order(pair, A, &["second.service", HTTPD])?;
    pair.wait_well()?;

    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", ARRANGEMENT_FILE, SLOW_START])?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    Ok(String::new())
}

/// Each of these units of a node was started last when the one before it was up.
fn expect_started_in_order(pair: &Pair, index: usize, units: &[&str]) -> Result<()> {
    let moment = |unit: &str, property: &str| {
        let shown = pair.node(index).run(&["systemctl", "show", "--value", "--property", property, unit])?;
        let parsed = shown.trim().parse::<u64>();
        parsed.map_err(|error| Error::Unexpected(format!("{property} of {unit} is {shown:?}: {error}")))
    };
    for pair in units.windows(2) {
        let up = moment(pair[0], "ActiveEnterTimestampMonotonic")?;
        let begun = moment(pair[1], "InactiveExitTimestampMonotonic")?;
        if begun < up {
            return unexpected(format!("{} was started {} us before {} was up", pair[1], up - begun, pair[0]));
        }
    }
    Ok(())
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
