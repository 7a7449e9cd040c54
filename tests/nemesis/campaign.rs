//! Plays one round after the other on one pair, keeps the evidence of a finding and goes on with a new pair, and sums
//! up at the end.

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

/// A campaign.
#[derive(Debug)]
pub struct Campaign {
    wanted: Wanted,
    begun: Instant,
    rounds: u64,
    acts: BTreeMap<&'static str, u32>,
    refused: u32,
    longest_calm: f64,
    spoilt: u32,
    findings: Vec<(u64, Finding)>,
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
            spoilt: 0,
            findings: Vec::new(),
        }
    }

    /// Plays rounds until the time is over.
    pub fn play(&mut self) -> Result<()> {
        println!("nemesis: seed {}, {} acts to choose from", self.wanted.seed, self.wanted.acts.len());
        let mut pair = None;
        let mut number = self.wanted.first;
        while self.begun.elapsed() < self.wanted.time && !process::budget_is_over() {
            let mut field = match pair.take() {
                Some(field) => field,
                None => calm_pair(self.wanted.witness)?,
            };
            if self.play_round(&mut field, number) {
                pair = Some(field);
            }
            number += 1;
        }
        Ok(())
    }

    /// Plays a round. Whether the pair can be played with again.
    fn play_round(&mut self, field: &mut Field, number: u64) -> bool {
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
            return true;
        }
        self.conclude(field, number, begun, &story, found, starvation::spoilt_since(started, before));
        false
    }

    /// Keeps the evidence of a round with findings, and prints where it is.
    fn conclude(
        &mut self,
        field: &Field,
        number: u64,
        begun: f64,
        story: &str,
        found: Vec<Finding>,
        spoilt: Option<String>,
    ) {
        let seed = self.wanted.seed;
        println!("-- the story of seed {seed}, round {number}");
        print!("{story}");
        match keep(field, &format!("{seed}-{number}"), begun, story) {
            Ok(directory) => println!("-- evidence: {}", directory.display()),
            Err(error) => println!("-- no evidence: {error}"),
        }
        match spoilt {
            Some(why) => {
                self.spoilt += 1;
                println!("    not counted: {why}");
                starvation::wait_for_processors();
            }
            None => self.findings.extend(found.into_iter().map(|finding| (number, finding))),
        }
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
        if self.spoilt > 0 {
            println!("{} rounds with findings are not counted: the host did not let this machine run", self.spoilt);
        }
        let mut kinds: BTreeMap<Kind, u32> = BTreeMap::new();
        for (round, finding) in &self.findings {
            *kinds.entry(finding.kind).or_default() += 1;
            let seed = self.wanted.seed;
            println!("  target/nemesis/{seed}-{round}: {}: {}", finding.kind.name(), finding.text);
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
