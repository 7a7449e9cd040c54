//! What hbd does where two real Heartbeats would be stuck (03 §14.3), also with a real Heartbeat as its peer where
//! that makes a difference.

use std::time::Duration;

use hbd::wire::Message;
use hbd_lab::exchanges;
use hbd_lab::lab::NODES;
use hbd_lab::noise::Noise;
use hbd_lab::process::now;
use hbd_lab::round::{A, B, Round, START, Setting, State, TAKEOVER};
use hbd_lab::software::Software;
use hbd_lab::suite::Test;
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

use crate::forge::in_the_name_of;
use crate::{PAIRINGS, Pairing};

/// A dead time that is long enough for a machine to boot.
const PATIENT: &str = "30";
/// The service of the example's group, and a drop-in that makes its start fail.
const BREAKAGE: &str = "/etc/systemd/system/nginx.service.d/broken.conf";
/// Within so many seconds a group that failed must run on the peer.
const OFFERED: f64 = 20.0;
/// Where scripts hand messages to a real Heartbeat (03 §16 no. 23).
const FIFO: &str = "/var/lib/heartbeat/fifo";

struct Recovery {
    name: &'static str,
    /// Which of [`PAIRINGS`] play it.
    pairings: &'static [usize],
    files: Files,
    from: State,
    run: fn(&mut Round) -> Result<()>,
}

#[derive(Clone, Copy)]
enum Files {
    AsGiven,
    Patient,
    TwoLinks,
}

const HBD_HBD: usize = 0;
const HBD_HEARTBEAT: usize = 1;
const HEARTBEAT_HBD: usize = 2;
const ALL: &[usize] = &[HBD_HBD, HBD_HEARTBEAT, HEARTBEAT_HBD];

const fn recovery(
    name: &'static str,
    pairings: &'static [usize],
    files: Files,
    from: State,
    run: fn(&mut Round) -> Result<()>,
) -> Recovery {
    Recovery { name, pairings, files, from, run }
}

const RECOVERIES: [Recovery; 10] = [
    recovery("kill_near_the_dead_time", ALL, Files::AsGiven, State::Settled, kill_near_the_dead_time),
    recovery("stray_starting", &[HBD_HEARTBEAT, HEARTBEAT_HBD], Files::AsGiven, State::Settled, stray_starting),
    recovery("impostor", ALL, Files::AsGiven, State::Settled, impostor),
    recovery(
        "failed_group_at_failback",
        &[HBD_HBD, HBD_HEARTBEAT],
        Files::AsGiven,
        State::TakenOver,
        failed_at_failback,
    ),
    recovery("failed_group_at_start", &[HBD_HBD, HBD_HEARTBEAT], Files::AsGiven, State::Stopped, failed_at_start),
    recovery("one_link_of_two", ALL, Files::TwoLinks, State::Settled, one_link_of_two),
    recovery("partition_of_both_links", ALL, Files::TwoLinks, State::Settled, |round| {
        exchanges::part_and_heal(round, &[Lan::Heartbeat, Lan::Public])
    }),
    recovery("orphans_of_a_short_crash", ALL, Files::Patient, State::Settled, orphans_of_a_short_crash),
    recovery("late_other_to_hbd", &[HBD_HBD, HBD_HEARTBEAT], Files::Patient, State::Settled, late_other_to_hbd),
    recovery("late_other_to_heartbeat", &[HEARTBEAT_HBD], Files::Patient, State::Settled, late_other_to_heartbeat),
];

/// All of them, pairing by pairing.
pub fn tests() -> Vec<Test<'static, Round>> {
    let each = |(index, pairing): (usize, &'static Pairing)| {
        let played = RECOVERIES.iter().filter(move |recovery| recovery.pairings.contains(&index));
        played.map(move |recovery| Test {
            name: format!("interop::recovery::{}::{}", pairing.0, recovery.name),
            play: Box::new(move |round: &mut Round| {
                let setting = recovery.files.setting(pairing.1)?;
                let outage = round.play(recovery.name, &setting, recovery.from, recovery.run)?;
                Ok(format!("longest outage: {outage:.3} s"))
            }),
        })
    };
    PAIRINGS.iter().enumerate().flat_map(each).collect()
}

impl Files {
    fn setting(self, software: [Software; 2]) -> Result<Setting> {
        let setting = Setting::new(software)?;
        Ok(match self {
            Files::AsGiven => setting,
            Files::Patient => setting.with(|files| files.with("deadtime", PATIENT).with("initdead", PATIENT)),
            Files::TwoLinks => {
                // A real Heartbeat uses the dead time of the last node in its table for every link (02 §7.4).
                let [a, b] = setting.files.map(|files| files.with("deadping", "5"));
                let second = |peer: usize| format!("ucast eth0 {}", NODES[peer].public);
                Setting { files: [a.and(&second(B)), b.and(&second(A))], software }
            }
        })
    }
}

/// The node that holds everything crashes and is back before its peer notices. Now the peer's group runs nowhere, and
/// a real pair would only log that (03 §6.9).
fn orphans_of_a_short_crash(round: &mut Round) -> Result<()> {
    let since = now();
    round.ask_to_move(B, "takeover")?;
    round.lab.wait_owner(B, TAKEOVER)?;
    round.wait_decided(since)?;
    let mark = round.mark(A)?;
    let crash = round.lab.nodes[B].power_failure()?;
    round.lab.nodes[B].boot()?;
    round.lab.start(B)?;
    round.client.wait_served_by(NODES[A].name, START)?;
    round.wait_decided(crash)?;
    match round.wait_logged(A, &mark, "node nodeb: is dead", Duration::ZERO) {
        Ok(()) => Err(Error::Unexpected(format!("nodeb was not back within the {PATIENT} s of the dead time"))),
        Err(_) => round.lab.wait_owner(A, TAKEOVER),
    }
}

/// The group's service cannot start on the preferred node, and both nodes start.
fn failed_at_start(round: &mut Round) -> Result<()> {
    break_service(round)?;
    let since = now();
    round.lab.start(A)?;
    round.lab.start(B)?;
    expect_served_by_the_peer(round, since)
}

/// The same where the preferred node comes back from a crash and gets its group back.
fn failed_at_failback(round: &mut Round) -> Result<()> {
    round.lab.nodes[A].boot()?;
    break_service(round)?;
    let since = now();
    round.lab.start(A)?;
    round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let mark = round.mark(A)?;
    // The start was tried and failed.
    round.wait_logged(A, &mark, "is stopped here", START)?;
    expect_served_by_the_peer(round, since)?;
    let longest = round.longest_outage(since);
    if longest < OFFERED {
        Ok(())
    } else {
        Err(Error::Unexpected(format!("offered to the peer after {longest:.3} s")))
    }
}

fn break_service(round: &Round) -> Result<()> {
    round.lab.nodes[A].write(BREAKAGE, "[Service]\nExecStartPre=/bin/false\n")?;
    round.lab.nodes[A].run(&["systemctl", "daemon-reload"]).map(drop)
}

/// In the end the peer serves, and an operator moves the group back when the service works again.
fn expect_served_by_the_peer(round: &mut Round, since: f64) -> Result<()> {
    round.client.wait_served_by(NODES[B].name, START)?;
    round.wait_decided(since)?;
    round.lab.wait_owner(B, START)?;
    round.lab.nodes[A].run(&["rm", BREAKAGE])?;
    round.lab.nodes[A].run(&["systemctl", "daemon-reload"])?;
    let since = now();
    round.ask_to_move(A, "takeover")?;
    round.wait_settled(since)
}

/// An hbd that gives everything away receives the taker's `other` only after it has stopped waiting for it. A real
/// Heartbeat as giver would ignore it, and a real taker would then hang for an hour (03 §4.5.4).
fn late_other_to_hbd(round: &mut Round) -> Result<()> {
    let since = now();
    let deaf = round.lab.deafen(A, B)?;
    let said = round.lab.nodes[A].attempt(&["hbctl", "standby", "all"])?;
    drop(deaf);
    if said.status != Some(4) {
        return Err(Error::Unexpected(format!("hbctl standby, unheard: {said:?}")));
    }
    round.lab.wait_owner(B, TAKEOVER)?;
    round.wait_decided(since)?;
    round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let since = now();
    round.ask_to_move(A, "takeover")?;
    round.wait_settled(since)
}

/// A real Heartbeat as giver receives hbd's `other` too late and ignores it: hbd, the taker, must not wait for the
/// rest.
fn late_other_to_heartbeat(round: &mut Round) -> Result<()> {
    let mark = round.mark(A)?;
    let deaf = round.lab.deafen(A, B)?;
    round.ask_to_move(A, "standby")?;
    round.wait_logged(A, &mark, "No reply to standby request", TAKEOVER)?;
    drop(deaf);
    round.wait_logged(A, &mark, "Ignored standby message 'other' from nodeb", TAKEOVER)?;
    there_and_back(round)
}

/// A script makes a stable Heartbeat send `starting`. From then on its peer takes it to be in transition (03 §0 no.
/// 20).
fn stray_starting(round: &mut Round) -> Result<()> {
    let theirs = if round.setting().software[A] == Software::Heartbeat { A } else { B };
    let since = now();
    let script = format!("printf '>>>\\nt=starting\\n<<<\\n' >{FIFO}");
    round.lab.nodes[theirs].run(&["sh", "-c", &script])?;
    round.lab.wait_said(theirs, "starting", since, TAKEOVER)?;
    there_and_back(round)
}

/// hbd is killed and comes back shortly before its peer declares it dead, at that moment, and after it. Then the peer
/// is asked to stop while both still react. A real Heartbeat stops only when it takes both nodes to be stable, and
/// waits for that up to an hour (03 §4.4).
fn kill_near_the_dead_time(round: &mut Round) -> Result<()> {
    const SLOW: &str = "/etc/systemd/system/hbd.service.d/slow.conf";
    let (ours, peer) = if round.setting().software[A] == Software::Hbd { (A, B) } else { (B, A) };
    for (attempt, delay) in ["3", "3.5", "4", "4.5", "5", "6"].into_iter().enumerate() {
        let node = &round.lab.nodes[ours];
        node.write(SLOW, &format!("[Service]\nRestartSec={delay}\n"))?;
        node.run(&["systemctl", "daemon-reload"])?;
        let since = now();
        node.signal("hbd.service", "KILL")?;
        round.lab.wait_said(ours, "starting", since, START)?;
        if attempt % 2 == 0 {
            round.wait_settled(since)?;
        }
        round.lab.stop(peer)?;
        round.lab.wait_owner(ours, TAKEOVER)?;
        let since = now();
        round.lab.start(peer)?;
        round.wait_settled(since)?;
    }
    round.lab.nodes[ours].run(&["rm", SLOW])?;
    round.lab.nodes[ours].run(&["systemctl", "daemon-reload"]).map(drop)
}

/// Everything moves to the other node and back. The node that runs hbd is asked.
fn there_and_back(round: &mut Round) -> Result<()> {
    let ours = if round.setting().software[A] == Software::Hbd { A } else { B };
    for other in [B, A] {
        let since = now();
        round.ask_to_move(ours, if other == ours { "takeover" } else { "standby" })?;
        round.lab.wait_owner(other, TAKEOVER)?;
        round.wait_decided(since)?;
        round.client.wait_served_by(NODES[other].name, TAKEOVER)?;
    }
    Ok(())
}

/// An intruder with the key sends in the name of a node that runs hbd: that the node is active, holds nothing,
/// leaves. hbd logs that another machine uses its name, and nothing else happens. (A real Heartbeat would adopt the
/// intruder's generation and die of it.)
fn impostor(round: &mut Round) -> Result<()> {
    let start = now();
    let software = round.setting().software;
    for index in [A, B].into_iter().filter(|index| software[*index] == Software::Hbd) {
        let name = NODES[index].name;
        let mark = round.mark(index)?;
        for body in [
            Message::new("status").with("st", "active").with("dt", "fa0").with("protocol", "1"),
            Message::new("resource").with("rsc_hold", "none").with("rtype", "full").with("isstable", "1"),
            Message::new("shutdone").with("st", "dead"),
        ] {
            let since = now();
            let intruder = round.lab.intrude(&Noise::Datagram(in_the_name_of(name, body)?), &[name])?;
            round.lab.wait_intruded(since, 200)?;
            drop(intruder);
        }
        round.wait_logged(index, &mark, "another machine sends under our name", TAKEOVER)?;
    }
    round.expect_served_by(A, start)
}

/// One of two links dies, then it comes back and the other one dies: both nodes log it, and nothing else happens.
fn one_link_of_two(round: &mut Round) -> Result<()> {
    let start = now();
    for (lan, link) in [(Lan::Heartbeat, "eth1"), (Lan::Public, "eth0")] {
        let marks = [round.mark(A)?, round.mark(B)?];
        round.lab.switch.cut(NODES[B].name, lan)?;
        for (index, peer) in [(A, B), (B, A)] {
            let dead = format!("Link {}:{link} dead", NODES[peer].name);
            round.wait_logged(index, &marks[index], &dead, START)?;
        }
        round.lab.wait_owner(A, Duration::ZERO)?;
        round.lab.switch.heal(NODES[B].name, lan)?;
        for (index, peer) in [(A, B), (B, A)] {
            let up = format!("Link {}:{link} up", NODES[peer].name);
            round.wait_logged(index, &marks[index], &up, START)?;
            let died = format!("node {}: is dead", NODES[peer].name);
            if round.wait_logged(index, &marks[index], &died, Duration::ZERO).is_ok() {
                return Err(Error::Unexpected(format!("{} took {link} for the node", NODES[index].name)));
            }
        }
    }
    round.expect_served_by(A, start)
}
