//! hbd against hbd and against a real Heartbeat 3.0.6, in both roles, on real nodes.
//!
//! Every scenario is played with every pairing, one after the other; each pairing boots once. After every
//! scenario exactly one live node owns the address, the client reaches it, both nodes say so, and no node complains
//! of anything that a pair of real Heartbeats does not complain of in the same scenario. `make interop` plays more of
//! it, and that pair as the control.
//!
//! Words on the command line select tests whose name contains one of them.

use std::time::Duration;

use hbd_lab::example::{Example, INITDEAD};
use hbd_lab::exchanges::{self, Asked};
use hbd_lab::lab::NODES;
use hbd_lab::noise::{Noise, with_wrong_key};
use hbd_lab::process::{now, wait_until};
use hbd_lab::round::{A, B, Round, START, Setting, State, TAKEOVER};
use hbd_lab::software::Software;
use hbd_lab::suite::{Suite, Test};
use hbd_lab::{Error, Result};

/// Longest time for a move by ipfail: deadping, two keepalives, the exchange. A real ipfail acts once a second and
/// may postpone its decision for ten.
const IPFAIL: Duration = Duration::from_secs(60);

/// The unit that `httpd` of haresources stands for here.
const NGINX: &str = "nginx.service";
/// Merged over hbd.toml.
const EVERYWHERE_FILE: &str = "/etc/hbd/hbd.toml.d/everywhere.toml";

type Pairing = (&'static str, [Software; 2]);

const PAIRINGS: [Pairing; 3] = [
    ("hbd_hbd", [Software::Hbd, Software::Hbd]),
    ("hbd_heartbeat", [Software::Hbd, Software::Heartbeat]),
    ("heartbeat_hbd", [Software::Heartbeat, Software::Hbd]),
];

/// The name, the state from which it starts, and what happens.
type Scenario = (&'static str, State, fn(&mut Round) -> Result<()>);

const SCENARIOS: [Scenario; 15] = [
    ("cold_start_together", State::Stopped, exchanges::cold_start_together),
    ("cold_start_one_after_the_other", State::Stopped, exchanges::cold_start_one_after_the_other),
    ("crash_of_the_owner", State::Settled, exchanges::crash_of_the_owner),
    ("return_and_failback", State::TakenOver, exchanges::return_and_failback),
    ("crash_of_the_standby", State::Settled, exchanges::crash_of_the_standby),
    ("graceful_stop", State::Settled, exchanges::graceful_stop),
    ("planned_moves_asked_for_on_the_owner", State::Settled, |round| exchanges::planned_moves(round, Asked::Owner)),
    ("planned_moves_asked_for_on_the_other", State::Settled, |round| exchanges::planned_moves(round, Asked::Other)),
    ("partition_and_heal", State::Settled, exchanges::partition_and_heal),
    ("kill_of_hbd_alone", State::Settled, kill_of_hbd_alone),
    ("wrong_key", State::Settled, wrong_key),
    ("garbage_every_millisecond", State::Settled, garbage_every_millisecond),
    ("loss_of_the_lan_with_ipfail", State::Stopped, loss_of_the_lan_with_ipfail),
    ("legacy_failback", State::Stopped, legacy_failback),
    ("a_service_on_both_nodes", State::Stopped, a_service_on_both_nodes),
];

fn kill_of_hbd_alone(round: &mut Round) -> Result<()> {
    for index in [A, B] {
        if round.lab.software[index] != Software::Hbd {
            continue;
        }
        let since = now();
        round.lab.nodes[index].signal("hbd.service", "KILL")?;
        round.wait_settled(since)?;
    }
    Ok(())
}

/// First an intruder without the key sends on the link, then the peer itself has another key.
fn wrong_key(round: &mut Round) -> Result<()> {
    let from_b = |message: &hbd_lab::capture::Message| message.source == NODES[B].link && message.is("status");
    let start = now();
    let status = wait_until("a status of nodeb on the wire", Duration::from_secs(5), || {
        let packet =
            round.lab.link.first_after(start, |packet| packet.message().is_some_and(|m| from_b(&m))).ok()??;
        packet.message().map(|message| message.payload.to_vec())
    })?;
    let intruder = round.lab.intrude(&Noise::Datagram(with_wrong_key(&status)), &NODES.map(|node| node.name))?;
    round.lab.wait_intruded(start, 2000)?;
    drop(intruder);
    round.expect_served_by(A, start)?;

    round.lab.stop(B)?;
    let example = Example::of(NODES[B].name)?;
    let other_key = Example { authkeys: "auth 1\n1 sha1 another-secret\n".to_owned(), ..example.clone() };
    round.lab.software[B].configure(&round.lab.nodes[B], &other_key)?;
    // The mark is taken before the start: hbd logs this once, at the first packet.
    let mark = round.mark(A)?;
    let restart = now();
    round.lab.start(B)?;
    wait_until("nodeb to be heard", START, || {
        round.lab.link.first_after(restart, |packet| packet.message().is_some_and(|m| from_b(&m))).ok()?
    })?;
    round.wait_logged(A, &mark, "authentication", Duration::from_secs(u64::from(INITDEAD)))?;
    // A graceful stop would not do: a node that hears nobody takes over before it stops.
    round.lab.nodes[B].power_failure()?;
    round.expect_served_by(A, start)?;
    round.lab.software[B].configure(&round.lab.nodes[B], &example)?;
    let since = now();
    round.lab.nodes[B].boot()?;
    round.lab.start(B)?;
    round.wait_settled(since)
}

/// Both nodes run ipfail, hbd's own or the real one. The owner loses the gateway and gets it back, then both nodes
/// lose it.
fn loss_of_the_lan_with_ipfail(round: &mut Round) -> Result<()> {
    let ipfail = "respawn hacluster /usr/libexec/heartbeat/ipfail";
    let setting = Setting::new(round.lab.software)?.with(|files| files.with("deadping", "4").and(ipfail));
    round.reach(&setting, State::Settled)?;
    let lost = round.lab.lose_gateway(A)?;
    round.lab.wait_owner(B, IPFAIL)?;
    round.client.wait_served_by(NODES[B].name, IPFAIL)?;
    drop(lost);
    round.lab.wait_owner(A, IPFAIL)?;
    round.client.wait_served_by(NODES[A].name, IPFAIL)?;
    let marks = [round.mark(A)?, round.mark(B)?];
    let lost = [round.lab.lose_gateway(A)?, round.lab.lose_gateway(B)?];
    for index in [A, B] {
        round.wait_logged(index, &marks[index], "node 192.168.17.1: is dead", IPFAIL)?;
    }
    let known = now();
    wait_until("a give-up that must not come", IPFAIL, || (now() > known + 6.0).then_some(()))?;
    round.lab.wait_owner(A, Duration::from_secs(1))?;
    drop(lost);
    round.client.wait_served_by(NODES[A].name, IPFAIL).map(drop)
}

/// No `auto_failback` in either ha.cf: nodes ask for single groups, a group returns to the node that it prefers, and
/// no node reports what it holds (03 §6.7). Two hbds behave as with `auto_failback on`.
fn legacy_failback(round: &mut Round) -> Result<()> {
    let plain = Setting::new(round.lab.software)?;
    let legacy = plain.clone().with(|files| files.without("auto_failback"));
    round.reach(&legacy, State::Stopped)?;
    let start = now();
    for index in [A, B] {
        round.lab.start(index)?;
    }
    let served_by = |round: &mut Round, index: usize| {
        round.lab.wait_owner(index, START)?;
        round.client.wait_served_by(NODES[index].name, START).map(drop)
    };
    served_by(round, A)?;
    round.crash_of_the_owner()?;
    round.lab.nodes[A].boot()?;
    round.lab.start(A)?;
    served_by(round, A)?;
    round.lab.stop(A)?;
    served_by(round, B)?;
    round.lab.start(A)?;
    served_by(round, A)?;
    let asked = |packet: &hbd_lab::capture::Packet| packet.message().is_some_and(|message| message.is("ip-request"));
    // Between two hbds this mode is not used.
    if round.lab.link.first_after(start, asked)?.is_none() != legacy.both(Software::Hbd) {
        return Err(Error::Unexpected(
            "groups are asked for where a Heartbeat takes part, and there alone".to_owned(),
        ));
    }
    // Only in the usual mode can it be checked that both nodes report the same.
    round.reach(&plain, State::Settled)
}

/// hbd runs nginx whatever it holds (`everywhere` of hbd.toml); on a Heartbeat nginx follows the group. Planned
/// moves, a crash and a return go as ever, and hbd's nginx runs through all of them.
fn a_service_on_both_nodes(round: &mut Round) -> Result<()> {
    let setting = round.setting().clone();
    let hbd = |index: &usize| setting.software[*index] == Software::Hbd;
    for index in [A, B].into_iter().filter(hbd) {
        round.lab.nodes[index].write(EVERYWHERE_FILE, "[units.\"nginx.service\"]\neverywhere = true\n")?;
    }
    let since = now();
    [A, B].into_iter().try_for_each(|index| round.lab.start(index))?;
    round.wait_settled(since)?;
    let show = ["systemctl", "show", "--property=MainPID", "--value", NGINX];
    let process = |round: &Round, index: usize| round.lab.nodes[index].run(&show);
    let expect_run = |round: &Round, index: usize, runs: bool| {
        let state = if runs { "active" } else { "inactive" };
        let what = format!("{NGINX} on {} to be {state}", NODES[index].name);
        wait_until(&what, TAKEOVER, || (round.lab.nodes[index].unit_state(NGINX).ok()? == state).then_some(()))
    };
    [A, B].into_iter().try_for_each(|index| expect_run(round, index, hbd(&index) || index == A))?;
    let before = [process(round, A)?, process(round, B)?];
    for asked in [Asked::Owner, Asked::Other] {
        exchanges::planned_moves(round, asked)?;
        [A, B].into_iter().try_for_each(|index| expect_run(round, index, hbd(&index) || index == A))?;
    }
    let expect_same = |round: &Round, index: usize| {
        if hbd(&index) && process(round, index)? != before[index] {
            return Err(Error::Unexpected(format!("{NGINX} was started anew on {}", NODES[index].name)));
        }
        Ok(())
    };
    [A, B].into_iter().try_for_each(|index| expect_same(round, index))?;
    round.crash_of_the_owner()?;
    expect_same(round, B)?;
    exchanges::return_and_failback(round)?;
    expect_same(round, B)?;

    [B, A].into_iter().try_for_each(|index| round.lab.stop(index))?;
    for index in [A, B].into_iter().filter(hbd) {
        round.lab.nodes[index].run(&["rm", EVERYWHERE_FILE])?;
        round.lab.nodes[index].run(&["systemctl", "stop", NGINX])?;
    }
    round.reach(&setting, State::Settled)
}

fn garbage_every_millisecond(round: &mut Round) -> Result<()> {
    let start = now();
    let ours = |index: &usize| round.lab.software[*index] == Software::Hbd;
    let targets: Vec<&str> = [A, B].into_iter().filter(ours).map(|index| NODES[index].name).collect();
    let intruder = round.lab.intrude(&Noise::Garbage, &targets)?;
    round.lab.wait_intruded(start, 2000)?;
    round.expect_served_by(A, start)?;
    round.crash_of_the_owner()?;
    exchanges::return_and_failback(round)?;
    drop(intruder);
    Ok(())
}

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin();
    for (pairing, software) in PAIRINGS {
        let tests = SCENARIOS.iter().map(|(name, from, run)| Test {
            name: format!("lab::{pairing}::{name}"),
            play: Box::new(move |round: &mut Round| {
                let outage = round.play(name, &Setting::new(software)?, *from, run)?;
                Ok(format!("longest outage {outage:.3} s"))
            }),
        });
        suite.play(true, || Round::boot(software), tests.collect());
    }
    suite.end()
}
