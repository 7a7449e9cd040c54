//! What is done to a pair, and what each scenario measures.
//!
//! Owns the actions and their limits. How a number is printed, and which one is better, is `rows`' part.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::switch::Lan;

use crate::contenders::{Profile, START};
use crate::costs;
use crate::pair::{A, B, Pair, SERVICE};
use crate::rows::Row;

/// What one scenario found for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// The number, in the row's unit.
    Number(f64),
    /// Nothing happened for so many seconds, and it was not waited for any longer.
    Never(f64),
}

/// A scenario's findings, each for its row.
pub type Findings = Vec<(Row, Measured)>;

/// Something that is done to a pair.
pub struct Scenario {
    /// The name by which it is selected and logged.
    pub name: &'static str,
    /// How the pair is set.
    pub profile: Profile,
    /// Does it. The pair serves from the preferred node before; what it leaves is mended afterwards.
    pub play: fn(&mut Pair) -> Result<Findings>,
}

const fn scenario(name: &'static str, profile: Profile, play: fn(&mut Pair) -> Result<Findings>) -> Scenario {
    Scenario { name, profile, play }
}

/// In the order in which they are played: every change of the profile costs a start of both nodes. The first one
/// wants a pair that was just started: after an outage nodes send again what the client had not acknowledged.
pub const SCENARIOS: [Scenario; 16] = [
    scenario("idle", Profile::Usual, costs::idle),
    scenario("stop", Profile::Usual, stop),
    scenario("upgrade", Profile::Usual, upgrade),
    scenario("service-killed", Profile::Usual, |pair| service_signalled(pair, "KILL", Row::ServiceKilled)),
    scenario("address-removed", Profile::Usual, address_removed),
    scenario("daemon-killed", Profile::Usual, daemon_killed),
    scenario("daemon-frozen", Profile::Usual, daemon_frozen),
    scenario("machine-stalled", Profile::Usual, machine_stalled),
    scenario("cable-cut", Profile::Usual, cable_cut),
    scenario("total-cut", Profile::Usual, total_cut),
    scenario("power-cut-5", Profile::Usual, power_cut_and_failback),
    scenario("service-hung", Profile::Usual, |pair| service_hung(pair, Row::ServiceHung)),
    scenario("move-start", Profile::Starting, |pair| planned_move(pair, Row::MoveWithStart)),
    scenario("move-everywhere", Profile::Everywhere, |pair| planned_move(pair, Row::MoveEverywhere)),
    scenario("power-cut-1", Profile::Everywhere, power_cut_at_one_second),
    scenario("hung-everywhere", Profile::Everywhere, |pair| service_hung(pair, Row::HungEverywhere)),
];

/// How long we wait for a contender to notice something before we call it never.
const NOTICE: Duration = Duration::from_secs(30);
/// How long something lasts that ends by our hand, with a dead time of 5 s: what a contender does at its dead time is
/// done by then.
const LASTING: Duration = Duration::from_secs(9);
/// How long a machine stands still: longer than the dead time.
const STALL: Duration = Duration::from_secs(8);
/// How long we watch after such an end.
const AFTERWARDS: Duration = Duration::from_secs(4);
/// A service that was restored has answered everything for so long.
const ANSWERED: f64 = 0.5;
/// A request for a move may be refused while a contender is not calm; then it is made again after this time.
const AGAIN: Duration = Duration::from_secs(8);

fn one(row: Row, value: f64) -> Findings {
    vec![(row, Measured::Number(value))]
}

/// Whether this node alone has the address and the client was served by it lately.
fn served_by(pair: &Pair, index: usize, acted: f64) -> Result<bool> {
    let requests = pair.requests(acted);
    let last = requests.iter().rev().find_map(|request| request.server.as_deref());
    Ok(last == Some(NODES[index].name) && pair.lab.owners()? == [NODES[index].name])
}

/// Whether something has answered every request of the last half second, a second after the action.
fn restored(pair: &Pair, acted: f64) -> bool {
    let until = now() - 0.2;
    let requests = pair.requests(until - ANSWERED);
    let recent = || requests.iter().filter(|request| request.begun < until);
    until > acted + 1.0 && recent().count() > 20 && recent().all(|request| request.server.is_some())
}

fn power_cut(pair: &mut Pair, row: Row, profile: Profile) -> Result<Findings> {
    let (dead, _) = pair.contender()?.detection(profile);
    let off = |lab: &mut hbd_lab::Lab| lab.nodes[A].power_failure().map(drop);
    let (seen, done) = pair.watch(START, off, |pair, acted| served_by(pair, B, acted))?;
    let measured =
        if done { Measured::Number(seen.longest_silence() - dead) } else { Measured::Never(START.as_secs_f64()) };
    Ok(vec![(row, measured)])
}

fn power_cut_at_one_second(pair: &mut Pair) -> Result<Findings> {
    power_cut(pair, Row::PowerCutOne, Profile::Everywhere)
}

/// The power fails, returns, and the preferred node takes back what it had.
fn power_cut_and_failback(pair: &mut Pair) -> Result<Findings> {
    let mut findings = power_cut(pair, Row::PowerCutFive, Profile::Usual)?;
    pair.lab.nodes[A].boot()?;
    pair.start(A)?;
    let (seen, done) = pair.watch(START, |_| Ok(()), |pair, acted| served_by(pair, A, acted))?;
    let failback = if done { Measured::Number(seen.longest_silence()) } else { Measured::Never(START.as_secs_f64()) };
    findings.push((Row::Failback, failback));
    Ok(findings)
}

/// There and back: two values, but one from a contender that goes back unasked.
fn planned_move(pair: &mut Pair, row: Row) -> Result<Findings> {
    let contender = pair.contender()?;
    let mut findings = Vec::new();
    for (from, to) in [(A, B), (B, A)] {
        if !served_by(pair, from, now() - 0.5)? {
            // Some go back by themselves.
            break;
        }
        let mut asked = now();
        let ask = |lab: &hbd_lab::Lab| if from == A { contender.leave(lab, A) } else { contender.come_back(lab) };
        let (seen, done) = pair.watch(
            START,
            |lab| ask(lab).or(Ok(())),
            |pair, acted| {
                if now() > asked.max(acted) + AGAIN.as_secs_f64() {
                    asked = now();
                    // A refusal is answered by asking again; the client's answers decide.
                    let _ = ask(&pair.lab);
                }
                served_by(pair, to, acted)
            },
        )?;
        let silence = Measured::Number(seen.longest_silence() * 1e3);
        findings.push((row, if done { silence } else { Measured::Never(START.as_secs_f64()) }));
        // What a contender does after a move is over before the next one.
        std::thread::sleep(Duration::from_secs(2));
    }
    Ok(findings)
}

/// An administrator stops the contender on the node that serves.
fn stop(pair: &mut Pair) -> Result<Findings> {
    let units = pair.contender()?.units();
    let end = |lab: &mut hbd_lab::Lab| {
        units.iter().rev().try_for_each(|unit| lab.nodes[A].run_within(&["systemctl", "stop", unit], START).map(drop))
    };
    let (seen, done) = pair.watch(START, end, |pair, acted| served_by(pair, B, acted))?;
    let silence = Measured::Number(seen.longest_silence() * 1e3);
    Ok(vec![(Row::Stop, if done { silence } else { Measured::Never(START.as_secs_f64()) })])
}

/// What a package does when it is upgraded: the units are restarted on the node that serves.
fn upgrade(pair: &mut Pair) -> Result<Findings> {
    let units = pair.contender()?.units();
    let restart = |lab: &mut hbd_lab::Lab| {
        let command = [&["systemctl", "restart"], units].concat();
        lab.nodes[A].run_within(&command, START).map(drop)
    };
    let (seen, _) = pair.watch(START, restart, |_, acted| Ok(now() > acted + LASTING.as_secs_f64()))?;
    Ok(one(Row::Upgrade, seen.unserved()))
}

fn service_signalled(pair: &mut Pair, signal: &str, row: Row) -> Result<Findings> {
    let act = |lab: &mut hbd_lab::Lab| {
        // Processes are named, not the unit: some contenders start the service without systemd.
        lab.nodes[A].run(&["killall", &format!("-{signal}"), "nginx"]).map(drop)
    };
    noticed(pair, row, act)
}

fn service_hung(pair: &mut Pair, row: Row) -> Result<Findings> {
    let findings = service_signalled(pair, "STOP", row);
    // Processes that hung may outlive the service that they belonged to, and hold its port.
    pair.forget();
    findings
}

fn address_removed(pair: &mut Pair) -> Result<Findings> {
    let address = format!("{VIP}/24");
    let act =
        |lab: &mut hbd_lab::Lab| lab.nodes[A].run(&["ip", "address", "delete", &address, "dev", "eth0"]).map(drop);
    noticed(pair, Row::AddressRemoved, act)
}

/// How long the client was not served until somebody mended it, or that nobody did.
fn noticed(pair: &mut Pair, row: Row, act: impl FnOnce(&mut hbd_lab::Lab) -> Result<()>) -> Result<Findings> {
    let (seen, done) = pair.watch(NOTICE, act, |pair, acted| Ok(restored(pair, acted)))?;
    let measured = if done { Measured::Number(seen.unserved()) } else { Measured::Never(NOTICE.as_secs_f64()) };
    // What nobody noticed is mended here, or every later scenario would begin with it.
    let node = &pair.lab.nodes[A];
    node.attempt(&["killall", "-CONT", "nginx"])?;
    if !done && pair.contender()?.name() != "hbd" {
        node.attempt(&["systemctl", "restart", SERVICE])?;
        node.attempt(&["ip", "address", "add", &format!("{VIP}/24"), "dev", "eth0"])?;
    }
    pair.contender()?.forgive(node)?;
    Ok(vec![(row, measured)])
}

fn daemon_killed(pair: &mut Pair) -> Result<Findings> {
    let unit = pair.contender()?.units()[0];
    let kill = |lab: &mut hbd_lab::Lab| lab.nodes[A].signal(unit, "KILL");
    let (seen, _) = pair.watch(START, kill, |_, acted| Ok(now() > acted + LASTING.as_secs_f64()))?;
    Ok(vec![
        (Row::KilledUnserved, Measured::Number(seen.unserved())),
        (Row::KilledTwo, Measured::Number(seen.two_owners_since(seen.acted))),
    ])
}

/// All processes of the contender stand still, and go on later.
fn daemon_frozen(pair: &mut Pair) -> Result<Findings> {
    let units = pair.contender()?.units();
    let freeze = |lab: &mut hbd_lab::Lab| {
        units.iter().try_for_each(|unit| lab.nodes[A].run(&["systemctl", "kill", "--signal=STOP", unit]).map(drop))
    };
    let mut going_on = false;
    let (seen, _) = pair.watch(START, freeze, |pair, acted| {
        if !going_on && now() > acted + LASTING.as_secs_f64() {
            going_on = true;
            for unit in units {
                pair.lab.nodes[A].attempt(&["systemctl", "kill", "--signal=CONT", unit])?;
            }
        }
        Ok(now() > acted + (LASTING + AFTERWARDS).as_secs_f64())
    })?;
    Ok(vec![
        (Row::FrozenUnserved, Measured::Number(seen.unserved())),
        (Row::FrozenTwo, Measured::Number(seen.two_owners_since(seen.acted))),
    ])
}

/// The node that serves stands still for longer than the dead time, as a virtual machine does that is moved. Nothing
/// leaves it meanwhile: a machine that stands still answers no ARP.
fn machine_stalled(pair: &mut Pair) -> Result<Findings> {
    let stall = |lab: &mut hbd_lab::Lab| {
        lab.switch.block(NODES[A].name, true)?;
        lab.nodes[A].freeze(true)
    };
    let mut woken = f64::INFINITY;
    let (seen, _) = pair.watch(START, stall, |pair, acted| {
        if woken.is_infinite() && now() > acted + STALL.as_secs_f64() {
            pair.lab.switch.block(NODES[A].name, false)?;
            woken = now();
            pair.lab.nodes[A].freeze(false)?;
        }
        // What a contender does when the machine goes on may make things worse: it is watched until the client is
        // served.
        Ok(now() > acted + (STALL + AFTERWARDS).as_secs_f64() && restored(pair, acted))
    })?;
    Ok(vec![
        (Row::StalledUnserved, Measured::Number(seen.unserved())),
        (Row::StalledTwo, Measured::Number(seen.two_owners_since(woken))),
    ])
}

/// Only the heartbeat link is cut. Who has none does not notice.
fn cable_cut(pair: &mut Pair) -> Result<Findings> {
    let cut = |lab: &mut hbd_lab::Lab| lab.switch.cut(NODES[B].name, Lan::Heartbeat);
    let mend = |pair: &Pair| pair.lab.switch.heal(NODES[B].name, Lan::Heartbeat);
    parted(pair, cut, mend, [Row::CableUnserved, Row::CableTwo])
}

/// Nothing passes between the nodes any more; each of them still reaches the client.
fn total_cut(pair: &mut Pair) -> Result<Findings> {
    let both = NODES.map(|node| node.name);
    let cut = |lab: &mut hbd_lab::Lab| lab.switch.part(&both, true);
    let mend = |pair: &Pair| pair.lab.switch.part(&both, false);
    parted(pair, cut, mend, [Row::TotalUnserved, Row::TotalTwo])
}

fn parted(
    pair: &mut Pair,
    cut: impl FnOnce(&mut hbd_lab::Lab) -> Result<()>,
    mend: impl Fn(&Pair) -> Result<()>,
    [unserved, two]: [Row; 2],
) -> Result<Findings> {
    let mut mended = false;
    let (seen, _) = pair.watch(START, cut, |pair, acted| {
        if !mended && now() > acted + LASTING.as_secs_f64() {
            mended = true;
            mend(pair)?;
        }
        Ok(now() > acted + (LASTING + AFTERWARDS).as_secs_f64())
    })?;
    Ok(vec![
        (unserved, Measured::Number(seen.unserved())),
        (two, Measured::Number(seen.two_owners_since(seen.acted))),
    ])
}
