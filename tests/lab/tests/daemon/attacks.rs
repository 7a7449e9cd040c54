//! Attacks from the network: somebody on the heartbeat link who has no key.

use hbd_lab::Result;
use hbd_lab::capture::Message;
use hbd_lab::example::DEADTIME;
use hbd_lab::lab::NODES;
use hbd_lab::noise::{Noise, with_wrong_key};
use hbd_lab::process::{now, wait_until};

use crate::pair::{A, B, Pair, SOON, TAKEOVER, expect_status, expect_words, unexpected};

/// A client that asks too much.
const QUESTIONS: &str = "/usr/local/bin/lab-questions";
/// Another program with the port of the heartbeats, for as long as the node is told.
const PORT_THIEF: &str = "lab-thief.service";

/// As many packets with a wrong digest as a processor can send reach both nodes: neither calls the other dead, and a
/// planned move works meanwhile.
pub fn flood(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    let from_b = |message: &Message| message.source == NODES[B].link && message.is("status");
    let status = wait_until("a status of nodeb on the wire", SOON, || {
        let packet =
            pair.lab.link.first_after(since, |packet| packet.message().is_some_and(|m| from_b(&m))).ok()??;
        packet.message().map(|message| message.payload.to_vec())
    })?;
    let intruder = pair.lab.intrude(&Noise::Flood(with_wrong_key(&status)), &NODES.map(|node| node.name))?;
    for index in [A, B] {
        pair.wait_record(index, since, "packets a second that nobody with our key has sent", SOON)?;
    }
    let calm = now() + 2.0 * f64::from(DEADTIME);
    pair.wait_with_one_owner("two dead times of a flood", 2 * TAKEOVER, || now() > calm)?;
    let moved = now();
    let standby = pair.node(A).attempt(&["hbctl", "standby"])?;
    expect_status("hbctl standby in a flood", &standby, 0)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)?;
    drop(intruder);
    for index in [A, B] {
        let lost = |text: &str| text.contains("is dead") || text.contains("returning after partition");
        if let Some(record) = pair.records(index, since)?.iter().find(|record| lost(record.message())) {
            return unexpected(format!("{}: {}", NODES[index].name, record.message()));
        }
    }
    Ok(format!("served by nodeb {:.1} s after the command", served - moved))
}

/// Another program has the port when hbd starts: hbd says which, is heard all the same, declares nobody dead, and
/// takes the port when it is free.
pub fn a_taken_port(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.node(B).systemctl("stop", "hbd.service")?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    let steal = "use IO::Socket::INET; @s = (IO::Socket::INET->new(Proto => 'udp', LocalPort => 694)); sleep";
    let unit = format!("--unit={PORT_THIEF}");
    pair.node(B).run(&["systemd-run", "--quiet", "--collect", &unit, "perl", "-e", steal])?;
    wait_until("the port to be taken", SOON, || {
        let taken = pair.node(B).run(&["cat", "/proc/net/udp"]).ok()?;
        taken.contains(":02B6 ").then_some(())
    })?;
    let since = now();
    pair.node(B).systemctl("start", "hbd.service")?;
    let record = pair.wait_record(B, since, "is taken by", SOON)?;
    expect_words("the record", record.message(), &["UDP port 694", PORT_THIEF])?;
    // What a node says that does not hear the other one might be a repetition.
    pair.wait_record(A, since, "node nodeb is heard, and does not know this daemon", SOON)?;
    let long = now() + f64::from(hbd_lab::example::INITDEAD) + f64::from(DEADTIME) + 5.0;
    pair.wait_with_one_owner("longer than initdead", 3 * TAKEOVER, || now() > long)?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 3)?;
    expect_words("hbctl status", &status.stdout, &["is taken by", "hears no other node"])?;
    if let Some(record) = pair.records(B, since)?.iter().find(|record| record.message().contains("is dead")) {
        return unexpected(format!("nodeb: {}", record.message()));
    }
    let freed = now();
    pair.node(B).systemctl("stop", PORT_THIEF)?;
    pair.wait_record(B, freed, "is open", SOON)?;
    pair.wait_settled(freed)?;
    Ok(format!("settled {:.1} s after the port was free", now() - freed))
}

/// An ordinary user asks both hbds for everything they show, thirty times at once and without end, by four
/// connections: a move works, and no heartbeat is late.
pub fn questions_without_end(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    for index in [A, B] {
        pair.node(index).write_mode(QUESTIONS, include_str!("flood.pl"), 0o755)?;
        for number in 1..=4 {
            let unit = format!("--unit=lab-asker-{number}");
            let words = [
                "systemd-run",
                "--quiet",
                "--collect",
                "-p",
                "User=nobody",
                &unit,
                "perl",
                QUESTIONS,
                "objects",
                "90",
            ];
            pair.node(index).run(&words)?;
        }
    }
    let since = now();
    pair.node(B).run(&["hbctl", "takeover"])?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)? - since;
    for index in [A, B] {
        for number in 1..=4 {
            // One that hbd or the bus had sent away would be gone.
            let stopped = pair.node(index).attempt(&["systemctl", "stop", &format!("lab-asker-{number}.service")])?;
            expect_status("the end of a client that was still there", &stopped, 0)?;
        }
        if let Some(record) = pair.records(index, since)?.iter().find(|one| one.message().contains("Late heartbeat"))
        {
            return unexpected(format!("{}: {}", NODES[index].name, record.message()));
        }
    }
    Ok(format!("served by nodeb {served:.1} s after the command"))
}
