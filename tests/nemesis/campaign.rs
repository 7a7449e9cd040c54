//! Plays one round after the other on one pair, keeps the evidence of a finding and goes on with a new pair, and sums
//! up at the end.
//!
//! A finding of a machine that was starved proves little: the round is played again. What is found each time counts,
//! unless it was the host that did not let this machine run.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hbd_lab::process::now;
use hbd_lab::starvation::{self, Times};
use hbd_lab::{Result, process};

use crate::acts::{Spot, TABLE, Undo};
use crate::field::{Field, HBD, locked};
use crate::finding::{Finding, Kind, keep};
use crate::plan::{self, Moment, Planned};
use crate::{calm, status, watch};

/// What was asked for.
#[derive(Debug)]
pub struct Wanted {
    /// No round begins after this time.
    pub time: Duration,
    /// The seed.
    pub seed: u64,
    /// The first round that is played.
    pub first: u64,
    /// Whether the pair has a witness.
    pub witness: bool,
    /// Which acts of the table are chosen from.
    pub acts: Vec<usize>,
}

/// How often a new pair is tried that does not become calm by itself.
const PAIRS: u32 = 3;
/// How often a round is played again whose machine was starved.
const AGAIN: u32 = 2;

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Nothing was found: the pair can be played with again.
    Well,
    /// Something was found, and counts or not.
    Judged,
    /// Something was found that says nothing: the round must be played again.
    Undecided,
}

/// A campaign.
#[derive(Debug)]
pub struct Campaign {
    wanted: Wanted,
    begun: Instant,
    rounds: u64,
    acts: BTreeMap<&'static str, u32>,
    refused: u32,
    longest_calm: f64,
    again: u32,
    spoilt: u32,
    findings: Vec<(String, Finding)>,
}

impl Campaign {
    /// Nothing is played yet.
    pub fn new(wanted: Wanted) -> Campaign {
        Campaign {
            wanted,
            begun: Instant::now(),
            rounds: 0,
            acts: BTreeMap::new(),
            refused: 0,
            longest_calm: 0.0,
            again: 0,
            spoilt: 0,
            findings: Vec::new(),
        }
    }

    /// Plays rounds until the time is over.
    pub fn play(&mut self) -> Result<()> {
        println!("nemesis: seed {}, {} acts to choose from", self.wanted.seed, self.wanted.acts.len());
        let mut pair = None;
        let mut number = self.wanted.first;
        let mut tries = 0;
        // A round that has to be played again is, also when the time is over.
        while (tries > 0 || self.begun.elapsed() < self.wanted.time) && !process::budget_is_over() {
            let mut field = match pair.take() {
                Some(field) => field,
                None => calm_pair(self.wanted.witness)?,
            };
            let ended = self.play_round(&mut field, number, tries);
            if ended == Ended::Undecided {
                tries += 1;
                continue;
            }
            if ended == Ended::Well {
                pair = Some(field);
            }
            number += 1;
            tries = 0;
        }
        Ok(())
    }

    /// Plays a round, which was played so often already.
    fn play_round(&mut self, field: &mut Field, number: u64, tries: u32) -> Ended {
        let planned = plan::round(self.wanted.seed, number, TABLE, &self.wanted.acts);
        println!("round {} ({:.0} s)", number, self.begun.elapsed().as_secs_f64());
        let (started, before) = (Instant::now(), Times::now());
        let begun = field.begin_round();
        self.rounds += 1;
        self.do_acts(field, &planned, begun);
        calm::tidy(field);
        match calm::wait(field) {
            Ok(seconds) => {
                self.longest_calm = self.longest_calm.max(seconds);
                field.shared.tell(format!("calm after {seconds:.0} s"));
            }
            Err(why) => field.shared.find(Finding { kind: Kind::NotCalm, text: why }),
        }
        look_for_panics(field, begun);
        let story = field.shared.story();
        *locked(&field.shared.begun) = None;
        let found = locked(&field.shared.findings).clone();
        if found.is_empty() {
            println!("    ok");
            return Ended::Well;
        }
        let again = if tries == 0 { String::new() } else { format!("-again-{tries}") };
        let name = format!("{}-{number}{again}", self.wanted.seed);
        println!("-- the story of {name}");
        print!("{story}");
        match keep(field, &name, begun, &story) {
            Ok(directory) => println!("-- evidence: {}", directory.display()),
            Err(error) => println!("-- no evidence: {error}"),
        }
        let ended = self.conclude(&name, found, started, before, tries);
        if ended == Ended::Undecided {
            starvation::wait_for_processors();
        }
        ended
    }

    /// Judges what was found in a round.
    fn conclude(&mut self, name: &str, found: Vec<Finding>, started: Instant, before: Times, tries: u32) -> Ended {
        let host = starvation::spoilt_since(started, before);
        let by_host = host.is_some();
        let starved = host.or_else(|| starvation::loaded_since(started));
        let certain = |finding: &Finding| match (starved.is_some(), by_host) {
            (false, _) => true,
            (true, true) => finding.kind == Kind::Panic,
            (true, false) => finding.kind.counts_under_load(),
        };
        let (counts, doubtful): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(certain);
        let named = |finding| (name.to_owned(), finding);
        self.findings.extend(counts.into_iter().map(named));
        let Some(why) = starved.filter(|_| !doubtful.is_empty()) else { return Ended::Judged };
        if tries < AGAIN && !process::budget_is_over() {
            println!("    played again: {why}");
            self.again += 1;
            return Ended::Undecided;
        }
        if by_host {
            println!("    not counted: {why}");
            self.spoilt += 1;
        } else {
            self.findings.extend(doubtful.into_iter().map(named));
        }
        Ended::Judged
    }

    fn do_acts(&mut self, field: &mut Field, planned: &[Planned], begun: f64) {
        let mut undo: Vec<Option<Undo>> = planned.iter().map(|_| None).collect();
        for (at, moment) in plan::moments(planned) {
            let wait = begun + at - now();
            if wait > 0.0 {
                sleep(Duration::from_secs_f64(wait));
            }
            match moment {
                Moment::Begin(index) => undo[index] = self.begin(field, index, &planned[index]),
                Moment::Undo(index) => {
                    if let Some(undo) = undo[index].take() {
                        end(field, index, &planned[index], undo);
                    }
                }
            }
        }
    }

    fn begin(&mut self, field: &mut Field, index: usize, one: &Planned) -> Option<Undo> {
        let act = &TABLE[one.act];
        let shared = field.shared.clone();
        let name = hbd_lab::lab::NODES[one.node].name;
        shared.tell(format!("{} on {name}", act.name));
        for (node, trouble) in act.troubles(one.node) {
            let node = hbd_lab::lab::NODES[node].name;
            shared.note(format!("  {node}: {trouble:?}; what that excuses: {}", trouble.source()));
        }
        // Before it: what it brings must be excused from the first moment on.
        locked(&shared.world).begin(index, &act.troubles(one.node), now());
        *self.acts.entry(act.name).or_default() += 1;
        match (act.begin)(field, Spot { node: one.node, dice: one.dice }) {
            Ok(undo) => Some(undo),
            Err(error) => {
                self.refused += 1;
                shared.tell(format!("{} on {name} is not done: {error}", act.name));
                // Half of it may have been done.
                locked(&shared.world).end(index, now());
                None
            }
        }
    }

    /// Prints how it went. Whether nothing was found.
    pub fn sum_up(&self) -> bool {
        let acts: u32 = self.acts.values().sum();
        println!(
            "\nnemesis: seed {}, {} rounds, {acts} acts ({} not done) in {:.0} s; calm again after {:.0} s at most",
            self.wanted.seed,
            self.rounds,
            self.refused,
            self.begun.elapsed().as_secs_f64(),
            self.longest_calm
        );
        if self.again > 0 {
            println!("{} rounds were played again, because the machine was starved", self.again);
        }
        if self.spoilt > 0 {
            println!("{} rounds with findings are not counted: the host did not let this machine run", self.spoilt);
        }
        let mut kinds: BTreeMap<Kind, u32> = BTreeMap::new();
        for (name, finding) in &self.findings {
            *kinds.entry(finding.kind).or_default() += 1;
            println!("  target/nemesis/{name}: {}: {}", finding.kind.name(), finding.text);
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
        println!("findings: {}", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") });
        self.findings.is_empty()
    }
}

fn end(field: &mut Field, index: usize, one: &Planned, undo: Undo) {
    let (act, name) = (&TABLE[one.act], hbd_lab::lab::NODES[one.node].name);
    let shared = field.shared.clone();
    shared.tell(format!("{} on {name} is over", act.name));
    if let Err(error) = undo(field) {
        shared.tell(format!("{} on {name} is not undone: {error}", act.name));
    }
    locked(&shared.world).end(index, now());
}

/// A new pair, which has become calm by itself.
fn calm_pair(witness: bool) -> Result<Field> {
    let mut tries = PAIRS;
    loop {
        tries -= 1;
        let field = Field::boot(witness)?;
        match calm::wait(&field) {
            Ok(_) => {
                watch::start(&field.shared);
                status::start(&field.shared, 0);
                status::start(&field.shared, 1);
                return Ok(field);
            }
            Err(why) if tries == 0 => return Err(hbd_lab::Error::Unexpected(format!("the pair is not calm: {why}"))),
            Err(why) => println!("a new pair is not calm: {why}"),
        }
    }
}

fn look_for_panics(field: &Field, since: f64) {
    for node in &field.lab.nodes {
        let records = node.journal(Some(HBD), since).unwrap_or_default();
        if let Some(record) = records.iter().find(|record| record.message().contains("panicked at")) {
            let text = format!("{}: {}", node.name(), record.message());
            field.shared.find(Finding { kind: Kind::Panic, text });
        }
    }
}
