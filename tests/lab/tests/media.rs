//! Every medium of ha.cf at once, between two hbds and between hbd and a real Heartbeat 3.0.6 (Debian's has all of
//! them): ucast, bcast, mcast, ucast6, mcast6, and a serial line over pseudo-terminals.
//!
//! Each medium is the only link for longer than a dead time, and no node takes over. Then the owner crashes and its
//! peer takes over. Between two hbds an interface is removed and comes back, and the serial line hangs up and comes
//! back.
//!
//! Words on the command line select tests whose name contains one of them.

use std::time::Duration;

use hbd_lab::example::{DEADTIME, Example};
use hbd_lab::lab::NODES;
use hbd_lab::opinion::hbd_status;
use hbd_lab::process::{now, wait_or_explain, wait_until};
use hbd_lab::round::{A, B, Round, Setting, State};
use hbd_lab::serial::{DEVICE, SerialLine};
use hbd_lab::software::Software;
use hbd_lab::suite::{Suite, Test};
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

/// How long its tests may take together: several times what they need.
const BUDGET: Duration = Duration::from_secs(12 * 60);
/// Upper bound for anything that takes a few heartbeats.
const SOON: Duration = Duration::from_secs(20);

/// Each further medium has a cable of its own: its name, the nodes' addresses on it, and its line in ha.cf (`PEER` is
/// the other node's address).
const CABLES: [(&str, [&str; 2], &str); 4] = [
    ("hb0", ["10.70.0.2/24", "10.70.0.3/24"], "bcast hb0"),
    ("hb1", ["10.71.0.2/24", "10.71.0.3/24"], "mcast hb1 225.0.0.1 701 1 0"),
    ("hb2", ["fd72::2/64", "fd72::3/64"], "ucast6 hb2 PEER"),
    ("hb3", ["fd73::2/64", "fd73::3/64"], "mcast6 hb3 ff02::1:ff 703 1 0"),
];

/// All links, with the names that both cluster managers use.
const LINKS: [&str; 6] = ["eth1", "hb0", "hb1", "hb2", "hb3", DEVICE];

fn names() -> [&'static str; 2] {
    NODES.map(|node| node.name)
}

/// The example's files with every medium.
fn setting(software: [Software; 2]) -> Result<Setting> {
    let mut setting = Setting::new(software)?;
    for (index, file) in setting.files.iter_mut().enumerate() {
        let mut changed: Example = file.clone();
        for (_, addresses, line) in CABLES {
            let peer = addresses[1 - index].split('/').next().unwrap_or_default();
            changed = changed.and(&line.replace("PEER", peer));
        }
        // A real Heartbeat uses the dead time of the last node for every link. That node is the ping node (02 §7.4).
        *file = changed.with("deadping", &DEADTIME.to_string()).and(&format!("serial {DEVICE}"));
    }
    Ok(setting)
}

/// Cables, the serial line, and both nodes settled.
fn begin(round: &mut Round) -> Result<SerialLine> {
    for (cable, addresses, _) in CABLES {
        round.lab.switch.lay(cable, names(), addresses)?;
    }
    for (node, software) in round.lab.nodes.iter().zip(round.lab.software) {
        if software == Software::Hbd {
            // A serial line of the laboratory is a pseudo-terminal.
            node.write("/etc/systemd/system/hbd.service.d/pts.conf", "[Service]\nDeviceAllow=char-pts rw\n")?;
            node.run(&["systemctl", "daemon-reload"])?;
        }
    }
    let line = SerialLine::lay(&round.lab.nodes)?;
    let setting = setting(round.lab.software)?;
    round.reach(&setting, State::Settled)?;
    Ok(line)
}

/// The state of a link to the other node as hbd reports it, `up` or `dead`, and the packets sent and received.
fn hbd_link(round: &Round, index: usize, link: &str) -> Result<(String, u64, u64)> {
    let status = hbd_status(&round.lab.nodes[index])?;
    let mut links = status["links"].as_array().into_iter().flatten();
    let found = links.find(|found| found["node"] == names()[1 - index] && found["name"] == link);
    let found = found.ok_or_else(|| Error::Unexpected(format!("no link {link}: {status}")))?;
    let count = |what: &str| found["traffic"][what].as_u64().unwrap_or_default();
    Ok((found["status"].as_str().unwrap_or_default().to_owned(), count("sent"), count("received")))
}

/// The state of a link as either cluster manager reports it, `up` or `dead`.
fn link_state(round: &Round, index: usize, link: &str) -> Result<String> {
    match round.lab.software[index] {
        Software::Hbd => Ok(hbd_link(round, index, link)?.0),
        Software::Heartbeat => {
            let words = ["cl_status", "hblinkstatus", names()[1 - index], link];
            Ok(round.lab.nodes[index].attempt(&words)?.stdout.trim().to_owned())
        }
    }
}

/// Waits until both nodes report this state for these links.
fn wait_links(round: &Round, links: &[&str], state: &str) -> Result<()> {
    for index in [A, B] {
        for link in links {
            let what = format!("{}: the link {link} to be {state}", names()[index]);
            wait_or_explain(&what, SOON, || {
                match link_state(round, index, link).map_err(|error| error.to_string())? {
                    seen if seen == state => Ok(()),
                    seen => Err(seen),
                }
            })?;
        }
    }
    Ok(())
}

/// Cuts, or heals, every cable but one. The serial line is cut by dropping it.
fn switch_all_but(round: &Round, left: &str, on: bool) -> Result<()> {
    for (cable, ..) in CABLES.iter().filter(|(cable, ..)| *cable != left) {
        round.lab.switch.switch_cable(cable, names()[B], on)?;
    }
    match (left, on) {
        ("eth1", _) => Ok(()),
        (_, true) => round.lab.switch.heal(names()[B], Lan::Heartbeat),
        (_, false) => round.lab.switch.cut(names()[B], Lan::Heartbeat),
    }
}

/// One medium is the only link for longer than a dead time.
fn alone(round: &Round, left: &str) -> Result<()> {
    let cut = now();
    switch_all_but(round, left, false)?;
    let mut wrong = None;
    wait_until("a dead time and a half", SOON, || {
        let owners = round.lab.owners().ok()?;
        if owners != [names()[A]] {
            wrong = Some(format!("with {left} alone: owners {owners:?}"));
        }
        (wrong.is_some() || now() > cut + 1.5 * f64::from(DEADTIME)).then_some(())
    })?;
    if let Some(wrong) = wrong {
        return Err(Error::Unexpected(wrong));
    }
    let others: Vec<&str> = LINKS.into_iter().filter(|link| *link != left && *link != DEVICE).collect();
    wait_links(round, &others, "dead")?;
    wait_links(round, &[left], "up")?;
    round.expect_served_by(A, cut)?;
    switch_all_but(round, left, true)
}

/// The serial line is the only one left, then each of the others, while the serial line is out.
fn each_medium_alone(round: &mut Round) -> Result<String> {
    let line = begin(round)?;
    wait_links(round, &LINKS, "up")?;
    let line = if round.setting().both(HBD) { what_goes_away_comes_back(round, line)? } else { line };
    alone(round, DEVICE)?;
    // A real Heartbeat whose line hangs up only logs EOF again and again.
    line.cut();
    for (cable, ..) in CABLES {
        alone(round, cable)?;
    }
    wait_links(round, &LINKS[..5], "up")?;
    round.crash_of_the_owner()?;
    Ok(String::new())
}

/// An interface is removed and comes back, the serial line hangs up and comes back, and the counters show both.
fn what_goes_away_comes_back(round: &Round, line: SerialLine) -> Result<SerialLine> {
    let since = now();
    for (cable, addresses, _) in CABLES {
        round.lab.switch.remove(cable, names()[A])?;
        wait_links(round, &[cable], "dead")?;
        round.lab.switch.connect(cable, names()[A], addresses[A])?;
        wait_links(round, &[cable], "up")?;
    }
    drop(line);
    wait_links(round, &[DEVICE], "dead")?;
    let line = SerialLine::lay(&round.lab.nodes)?;
    wait_links(round, &[DEVICE], "up")?;
    for link in LINKS {
        let (_, sent, received) = hbd_link(round, A, link)?;
        wait_or_explain(&format!("the counters of {link} to move"), SOON, || {
            let (_, more_sent, more_received) = hbd_link(round, A, link).map_err(|error| error.to_string())?;
            let moved = sent > 0 && received > 0 && more_sent > sent && more_received > received;
            if moved { Ok(()) } else { Err(format!("sent {more_sent}, received {more_received}")) }
        })?;
    }
    round.expect_served_by(A, since)?;
    Ok(line)
}

type Play = fn(&mut Round) -> Result<String>;

const HBD: Software = Software::Hbd;
const HEARTBEAT: Software = Software::Heartbeat;

/// The name, which cluster manager runs where, and what happens. Both nodes send and receive on every medium, so it
/// makes no difference which of them serves.
const TESTS: [(&str, [Software; 2], Play); 2] = [
    ("hbd_hbd::each_medium_alone", [HBD, HBD], each_medium_alone),
    ("heartbeat_hbd::each_medium_alone", [HEARTBEAT, HBD], each_medium_alone),
];

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin_with_budget(BUDGET);
    for (name, software, play) in TESTS {
        suite.play(true, || Round::boot(software), vec![Test::of("media", (name, play))]);
    }
    suite.end()
}
