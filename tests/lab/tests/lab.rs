//! hbd against hbd and against a real Heartbeat 3.0.6, in both roles, on real nodes.
//!
//! A table of scenarios over a table of pairings, run one after the other; each pairing boots once. After every
//! scenario exactly one live node owns the address, the client reaches it, and no node complains of anything that a
//! pair of real Heartbeats does not complain of in the same scenario: that pair is run too, as the control.
//!
//! Words on the command line select tests whose name contains one of them.

use std::time::Duration;

use hbd_lab::client::{Client, outages};
use hbd_lab::example::{DEADTIME, Example, INITDEAD};
use hbd_lab::lab::{Lab, NODES};
use hbd_lab::noise::{Noise, with_wrong_key};
use hbd_lab::process::{now, wait_until};
use hbd_lab::software::{Mark, Software};
use hbd_lab::suite::{Stage, Suite, Test};
use hbd_lab::switch::Lan;
use hbd_lab::{Error, Result};

/// The preferred node and its peer.
const A: usize = 0;
const B: usize = 1;

/// Upper bound for anything that follows from a start: `initdead`, Heartbeat's ten seconds of deciding, and slowness.
const START: Duration = Duration::from_secs(INITDEAD as u64 + 10 + 30);
/// Upper bound for a takeover after a crash, likewise.
const TAKEOVER: Duration = Duration::from_secs(DEADTIME as u64 + 20);

/// Seconds before an event from which the client's answers are looked at, so that an outage has a beginning.
const BEFORE: f64 = 0.3;

type Pairing = (&'static str, [Software; 2]);

const PAIRINGS: [Pairing; 4] = [
    ("hbd_hbd", [Software::Hbd, Software::Hbd]),
    ("hbd_heartbeat", [Software::Hbd, Software::Heartbeat]),
    ("heartbeat_hbd", [Software::Heartbeat, Software::Hbd]),
    ("heartbeat_heartbeat", [Software::Heartbeat, Software::Heartbeat]),
];

struct Scenario {
    name: &'static str,
    from: State,
    /// Whether it is about hbd alone, and so not for the control pair.
    needs_hbd: bool,
    /// What happens; leaves one owner.
    run: fn(&mut Round) -> Result<()>,
}

/// What a scenario starts from.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Both nodes on, the software stopped.
    Stopped,
    /// Both active, the preferred node owns.
    Settled,
    /// The preferred node is dead, its peer owns.
    Bereft,
}

const SCENARIOS: [Scenario; 12] = [
    scenario("cold_start_together", State::Stopped, false, cold_start_together),
    scenario("cold_start_one_after_the_other", State::Stopped, false, cold_start_one_after_the_other),
    scenario("crash_of_the_owner", State::Settled, false, crash_of_the_owner),
    scenario("return_and_failback", State::Bereft, false, return_and_failback),
    scenario("crash_of_the_standby", State::Settled, false, crash_of_the_standby),
    scenario("graceful_stop", State::Settled, false, graceful_stop),
    scenario("planned_moves_asked_for_on_the_owner", State::Settled, false, |round| planned_moves(round, A)),
    scenario("planned_moves_asked_for_on_the_other", State::Settled, false, |round| planned_moves(round, B)),
    scenario("partition_and_heal", State::Settled, true, partition_and_heal),
    scenario("kill_of_hbd_alone", State::Settled, true, kill_of_hbd_alone),
    scenario("wrong_key", State::Settled, false, wrong_key),
    scenario("garbage_every_millisecond", State::Settled, true, garbage_every_millisecond),
];

const fn scenario(name: &'static str, from: State, needs_hbd: bool, run: fn(&mut Round) -> Result<()>) -> Scenario {
    Scenario { name, from, needs_hbd, run }
}

/// Complaints of a pair of real Heartbeats, by scenario (`""`: any). The control run keeps this list honest.
const KNOWN_COMPLAINTS: [(&str, &str); 8] = [
    ("", "Cannot open watchdog device: /dev/watchdog"),
    // Machines whose root may not raise limits, such as containers.
    ("", "Cannot lock ourselves into memory:"),
    ("wrong_key", "authtoken does not match"),
    ("wrong_key", "netstring authentication failed"),
    ("wrong_key", "MSG"),
    ("partition", "Late heartbeat"),
    ("partition", "returning after partition"),
    // Only logged by a real pair (03 §8.1); hbd logs it and acts.
    ("partition", "Both machines own"),
];

/// One pairing being tested.
struct Round {
    lab: Lab,
    client: Client,
}

fn cold_start_together(round: &mut Round) -> Result<()> {
    let since = now();
    round.lab.start(A)?;
    round.lab.start(B)?;
    round.wait_settled(since)
}

fn cold_start_one_after_the_other(round: &mut Round) -> Result<()> {
    round.lab.start(A)?;
    round.lab.wait_owner(A, START)?;
    let since = now();
    round.lab.start(B)?;
    round.wait_settled(since)
}

fn crash_of_the_owner(round: &mut Round) -> Result<()> {
    round.lab.nodes[A].power_failure()?;
    round.lab.wait_owner(B, TAKEOVER)?;
    round.client.wait_served_by(NODES[B].name, TAKEOVER).map(drop)
}

fn return_and_failback(round: &mut Round) -> Result<()> {
    let since = now();
    round.lab.nodes[A].boot()?;
    round.lab.start(A)?;
    round.wait_settled(since)
}

fn crash_of_the_standby(round: &mut Round) -> Result<()> {
    let mark = round.mark(A)?;
    let crash = round.lab.nodes[B].power_failure()?;
    round.wait_logged(A, &mark, "node nodeb: is dead", TAKEOVER)?;
    round.expect_served_by(A, crash)?;
    let since = now();
    round.lab.nodes[B].boot()?;
    round.lab.start(B)?;
    round.wait_settled(since)?;
    round.expect_served_by(A, crash)
}

fn graceful_stop(round: &mut Round) -> Result<()> {
    round.lab.stop(A)?;
    round.lab.wait_owner(B, TAKEOVER)?;
    round.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    let since = now();
    round.lab.start(A)?;
    round.wait_settled(since)
}

/// Everything to the other node and back, asked for on one of them: hb_standby or hb_takeover, or hbd's words for them.
fn planned_moves(round: &mut Round, asked: usize) -> Result<()> {
    let start = now();
    for (owner, other) in [(A, B), (B, A)] {
        let verb = if asked == owner { "standby" } else { "takeover" };
        let since = now();
        round.ask_to_move(asked, verb)?;
        round.lab.wait_owner(other, TAKEOVER)?;
        for index in [A, B] {
            round.lab.wait_stable(index, since, TAKEOVER)?;
        }
        round.client.wait_served_by(NODES[other].name, TAKEOVER)?;
    }
    // A real Heartbeat takes up to half a second for each of its steps, on a busy machine more.
    let limit = if round.lab.software == [Software::Hbd, Software::Hbd] { 1.0 } else { 4.0 };
    let outages = outages(&round.client.since(start));
    let longest = outages.iter().map(|outage| outage.length()).fold(0.0, f64::max);
    if longest < limit { Ok(()) } else { Err(Error::Unexpected(format!("a planned move cost {longest:.3} s"))) }
}

/// The heartbeat link is cut and healed. Both serve meanwhile, as with Heartbeat; afterwards one does. Nothing of hbd
/// restarts; a real Heartbeat restarts itself, and may stay away (03 §8.2), then it is started again.
fn partition_and_heal(round: &mut Round) -> Result<()> {
    let generations = round.hbd_generations()?;
    round.lab.switch.cut(NODES[B].name, Lan::Heartbeat)?;
    wait_until("both nodes to take over", TAKEOVER, || (round.lab.owners().ok()?.len() == 2).then_some(()))?;
    let since = now();
    let marks = [round.mark(A)?, round.mark(B)?];
    round.lab.switch.heal(NODES[B].name, Lan::Heartbeat)?;
    wait_until("one owner to be left", START, || (round.lab.owners().ok()?.len() == 1).then_some(()))?;
    for (index, mark) in [A, B].into_iter().zip(&marks) {
        if round.lab.software[index] == Software::Heartbeat {
            round.wait_logged(index, mark, "Performing heartbeat restart exec", START)?;
            // It may now be running twice, once, or not at all (03 §8.2): a clean slate.
            round.lab.nodes[index].power_failure()?;
        } else if round.lab.software == [Software::Hbd, Software::Hbd] {
            round.lab.wait_stable(index, since, START)?;
        }
    }
    round.reach(State::Settled)?;
    if round.hbd_generations()? == generations {
        Ok(())
    } else {
        Err(Error::Unexpected("an hbd restarted because of a partition".to_owned()))
    }
}

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

/// First somebody who knows everything but the key talks on the link, then the peer itself has another key.
fn wrong_key(round: &mut Round) -> Result<()> {
    let from_b = |message: &hbd_lab::capture::Message| message.source == NODES[B].link && message.is("status");
    let start = now();
    let status = wait_until("a status of nodeb on the wire", Duration::from_secs(5), || {
        let packet =
            round.lab.link.first_after(start, |packet| packet.message().is_some_and(|m| from_b(&m))).ok()??;
        packet.message().map(|message| message.payload.to_vec())
    })?;
    let intruder = round.lab.intrude(&Noise::Datagram(with_wrong_key(&status)), &NODES.map(|node| node.name))?;
    round.wait_intruded(start, 2000)?;
    drop(intruder);
    round.expect_served_by(A, start)?;

    round.lab.stop(B)?;
    let example = Example::of(NODES[B].name)?;
    let other_key = Example { authkeys: "auth 1\n1 sha1 another-secret\n".to_owned(), ..example.clone() };
    round.lab.software[B].configure(&round.lab.nodes[B], &other_key)?;
    // Before the start: hbd says it once, at the first packet.
    let mark = round.mark(A)?;
    let restart = now();
    round.lab.start(B)?;
    wait_until("nodeb to be heard", Duration::from_secs(u64::from(INITDEAD)), || {
        round.lab.link.first_after(restart, |packet| packet.message().is_some_and(|m| from_b(&m))).ok()?
    })?;
    round.wait_logged(A, &mark, "authentication", Duration::from_secs(u64::from(INITDEAD)))?;
    // Not a graceful stop: a node that hears nobody is about to take over, and would do so first.
    round.lab.nodes[B].power_failure()?;
    round.expect_served_by(A, start)?;
    round.lab.software[B].configure(&round.lab.nodes[B], &example)?;
    let since = now();
    round.lab.nodes[B].boot()?;
    round.lab.start(B)?;
    round.wait_settled(since)
}

fn garbage_every_millisecond(round: &mut Round) -> Result<()> {
    let start = now();
    let ours = |index: &usize| round.lab.software[*index] == Software::Hbd;
    let targets: Vec<&str> = [A, B].into_iter().filter(ours).map(|index| NODES[index].name).collect();
    let intruder = round.lab.intrude(&Noise::Garbage, &targets)?;
    round.wait_intruded(start, 2000)?;
    round.expect_served_by(A, start)?;
    crash_of_the_owner(round)?;
    return_and_failback(round)?;
    drop(intruder);
    Ok(())
}

impl Round {
    fn ask_to_move(&self, index: usize, verb: &str) -> Result<()> {
        let old_tool = format!("/usr/share/heartbeat/hb_{verb}");
        let words = match self.lab.software[index] {
            Software::Hbd => vec!["hbctl", verb, "all"],
            Software::Heartbeat => vec![old_tool.as_str(), "all"],
        };
        // A real node takes a second or two after each exchange to say that it is stable; hbctl says to try again.
        wait_until(&format!("`{}` to be accepted", words.join(" ")), TAKEOVER, || {
            self.lab.nodes[index].run(&words).ok().map(drop)
        })
    }

    /// The generation of every hbd of the pair: another one after each start.
    fn hbd_generations(&self) -> Result<Vec<String>> {
        let hbds = [A, B].into_iter().filter(|index| self.lab.software[*index] == Software::Hbd);
        let read = |index: usize| self.lab.nodes[index].run(&["cat", "/var/lib/heartbeat/hb_generation"]);
        hbds.map(read).collect()
    }

    fn boot(software: [Software; 2]) -> Result<Round> {
        let lab = Lab::boot(software)?;
        let client = lab.client()?;
        Ok(Round { lab, client })
    }

    /// Brings the pair into the state that a scenario starts from, from whatever it is in.
    fn reach(&mut self, state: State) -> Result<()> {
        if state == State::Bereft && !self.lab.nodes[A].is_on() {
            return self.lab.wait_owner(B, TAKEOVER);
        }
        for index in [A, B] {
            if !self.lab.nodes[index].is_on() {
                self.lab.nodes[index].boot()?;
            }
        }
        if state == State::Stopped {
            self.lab.stop(B)?;
            return self.lab.stop(A);
        }
        let since = now();
        let mut started = false;
        for index in [A, B] {
            if self.lab.nodes[index].unit_state(self.lab.software[index].unit())? != "active" {
                self.lab.start(index)?;
                started = true;
            }
        }
        if started {
            self.wait_settled(since)?;
        }
        self.lab.wait_owner(A, START)?;
        if state == State::Bereft { crash_of_the_owner(self) } else { Ok(()) }
    }

    /// Waits until both nodes have said since then that they are active and stable, and the preferred one serves.
    fn wait_settled(&mut self, since: f64) -> Result<()> {
        for index in [A, B] {
            self.lab.software[index].wait_started(&self.lab.nodes[index], START)?;
        }
        for index in [A, B] {
            self.lab.wait_stable(index, since, START)?;
        }
        self.lab.wait_owner(A, START)?;
        self.client.wait_served_by(NODES[A].name, TAKEOVER).map(drop)
    }

    fn mark(&self, index: usize) -> Result<Mark> {
        self.lab.software[index].mark(&self.lab.nodes[index])
    }

    fn wait_logged(&self, index: usize, mark: &Mark, text: &str, limit: Duration) -> Result<()> {
        self.lab.software[index].wait_logged(&self.lab.nodes[index], mark, text, limit)
    }

    /// Waits until so many datagrams that are no node's have crossed the link.
    fn wait_intruded(&mut self, since: f64, count: usize) -> Result<()> {
        let foreign = |packet: &hbd_lab::capture::Packet| match &packet.kind {
            hbd_lab::capture::Kind::Udp { source, .. } => NODES.iter().all(|node| node.link != *source),
            hbd_lab::capture::Kind::Arp { .. } => false,
        };
        wait_until("the intruder to be loud", Duration::from_secs(30), || {
            let packets = self.lab.link.packets().ok()?;
            let heard = packets.iter().filter(|packet| packet.time >= since && foreign(packet)).count();
            (heard >= count).then_some(())
        })
    }

    /// The client was never without this node's answers for longer than a busy machine explains.
    fn expect_served_by(&self, index: usize, since: f64) -> Result<()> {
        let requests = self.client.since(since - BEFORE);
        if let Some(outage) = outages(&requests).iter().find(|outage| outage.length() > 1.0) {
            return Err(Error::Unexpected(format!("the client was without service for {:.3} s", outage.length())));
        }
        // A client's last answer before `since` may rightly have come from somebody else.
        let requests = self.client.since(since);
        let other = requests.iter().filter_map(|request| request.server.as_deref()).find(|s| *s != NODES[index].name);
        other.map_or(Ok(()), |other| Err(Error::Unexpected(format!("{other} served"))))
    }

    /// What must hold after every scenario.
    fn verify(&mut self, scenario: &str, marks: &[Option<Mark>; 2]) -> Result<()> {
        let owners = self.lab.owners()?;
        let [owner] = owners[..] else {
            return Err(Error::Unexpected(format!("not exactly one owner: {owners:?}")));
        };
        self.client.wait_served_by(owner, Duration::from_secs(5))?;
        let known = |complaint: &str| {
            KNOWN_COMPLAINTS.iter().any(|(when, text)| scenario.contains(when) && complaint.contains(text))
        };
        for (index, mark) in marks.iter().enumerate() {
            let Some(mark) = mark else { continue };
            let complaints = self.lab.software[index].complaints(&self.lab.nodes[index], mark)?;
            let mut unknown: Vec<String> = complaints.into_iter().filter(|complaint| !known(complaint)).collect();
            // One of each kind is enough to read.
            unknown.sort();
            unknown.dedup_by_key(|complaint| complaint.chars().take(24).collect::<String>());
            if !unknown.is_empty() {
                let listed = unknown.join("\n  ");
                return Err(Error::Unexpected(format!("{} complained:\n  {listed}", NODES[index].name)));
            }
        }
        Ok(())
    }

    fn play(&mut self, scenario: &Scenario) -> Result<f64> {
        self.reach(scenario.from)?;
        let start = now();
        let mut marks = [None, None];
        for index in [A, B] {
            if self.lab.nodes[index].is_on() {
                marks[index] = Some(self.mark(index)?);
            }
        }
        (scenario.run)(self)?;
        self.verify(scenario.name, &marks)?;
        let outages = outages(&self.client.since(start - BEFORE));
        Ok(outages.iter().map(|outage| outage.length()).filter(|length| length.is_finite()).fold(0.0, f64::max))
    }
}

impl Stage for Round {
    fn report(&self) -> String {
        self.lab.report()
    }
}

fn main() -> std::process::ExitCode {
    hbd_lab::enter();
    let mut suite = Suite::begin();
    for (pairing, software) in PAIRINGS {
        let with_hbd = software.contains(&Software::Hbd);
        let tests = SCENARIOS.iter().filter(|scenario| !scenario.needs_hbd || with_hbd).map(|scenario| Test {
            name: format!("lab::{pairing}::{}", scenario.name),
            play: Box::new(|round: &mut Round| {
                let outage = round.play(scenario)?;
                Ok(format!("longest outage {outage:.3} s"))
            }),
        });
        suite.play(with_hbd, || Round::boot(software), tests.collect());
    }
    suite.end()
}
