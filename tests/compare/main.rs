//! `make compare`: hbd beside keepalived, Pacemaker, Heartbeat and ucarp, on the same two nodes, in turns.
//!
//! Every round plays every scenario with every contender. The table of medians goes into docs/COMPARISON.md; a run
//! that was told what to play prints it only.
//!
//! | module | owns |
//! |---|---|
//! | [`contenders`] | how each cluster manager is configured, started and told to move |
//! | [`pair`] | the two nodes, and the state that a scenario begins with |
//! | [`scenarios`] | what is done, and what is measured of it |
//! | [`costs`] | what a contender costs while nothing happens |
//! | [`seen`] | what the client and a look at the addresses saw |
//! | [`rows`] | what the rows mean |
//! | [`log`] | what earlier runs printed |
//! | [`table`] | medians, verdicts, Markdown |
//!
//! Arguments: `--rounds N`, and words that select contenders and scenarios by their names; or `--from` and files with
//! what earlier runs printed, and `--note` with a text about them.

mod contenders;
mod costs;
mod log;
mod pair;
mod rows;
mod scenarios;
mod seen;
mod table;

use std::process::ExitCode;
use std::time::Instant;

use contenders::Contender;
use hbd_lab::starvation::{Times, spoilt_since, wait_for_processors, watch_for_stalls};
use hbd_lab::{Error, Result};
use pair::Pair;
use scenarios::{SCENARIOS, Scenario};
use table::Table;

/// A scenario whose machine stood still, or that failed, is played again so often.
const AGAIN: usize = 1;

fn main() -> ExitCode {
    hbd_lab::enter();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--from", files)) = arguments.split_first().map(|(first, files)| (first.as_str(), files)) {
        return finish(rewrite(files));
    }
    let missing = hbd_lab::missing();
    if !missing.is_empty() {
        eprintln!("compare: this machine cannot boot nodes; missing:\n  {}", missing.join("\n  "));
        return ExitCode::FAILURE;
    }
    finish(selection(arguments.into_iter()).and_then(|selection| compare(&selection)))
}

fn finish(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the document of what earlier runs printed. What follows `--note` is said of them.
fn rewrite(arguments: &[String]) -> Result<()> {
    let end = arguments.iter().position(|word| word == "--note").unwrap_or(arguments.len());
    let (files, note) = arguments.split_at(end);
    let mut table = Table::begin();
    table.set_note(note.get(1..).unwrap_or_default().join(" "));
    let rounds = log::read(&mut table, files)?;
    println!("{}", table.markdown(&contenders::all(), files.len(), rounds));
    table.write(&contenders::all(), files.len(), rounds)
}

/// What is to be played.
struct Selection {
    rounds: usize,
    contenders: Vec<&'static dyn Contender>,
    scenarios: Vec<&'static Scenario>,
    /// Whether that is all of it.
    whole: bool,
}

/// A word is that of contenders if it is in one of their names, else that of scenarios.
fn selection(mut words: impl Iterator<Item = String>) -> Result<Selection> {
    let (mut rounds, mut contenders, mut scenarios) = (3, Vec::new(), Vec::new());
    let mut whole = true;
    while let Some(word) = words.next() {
        if word == "--rounds" {
            let number = words.next().and_then(|word| word.parse().ok());
            rounds = number.ok_or_else(|| Error::Unexpected("--rounds wants a number".to_owned()))?;
            continue;
        }
        whole = false;
        let named =
            contenders::all().into_iter().filter(|one| one.name().to_lowercase().contains(&word.to_lowercase()));
        let before = (contenders.len(), scenarios.len());
        contenders.extend(named);
        if contenders.len() == before.0 {
            scenarios.extend(SCENARIOS.iter().filter(|scenario| scenario.name.contains(&*word)));
        }
        if (contenders.len(), scenarios.len()) == before {
            return Err(Error::Unexpected(format!("no contender and no scenario is named {word}")));
        }
    }
    if contenders.is_empty() {
        contenders.extend(contenders::all());
    }
    if scenarios.is_empty() {
        scenarios.extend(&SCENARIOS);
    }
    Ok(Selection { rounds, contenders, scenarios, whole })
}

fn compare(selection: &Selection) -> Result<()> {
    watch_for_stalls();
    let mut table = Table::begin();
    let mut pair = Pair::boot()?;
    table.set_versions(&pair, &selection.contenders)?;
    for round in 1..=selection.rounds {
        for contender in &selection.contenders {
            for scenario in &selection.scenarios {
                play(&mut pair, *contender, scenario, round, &mut table);
            }
        }
        println!("\n{}", table.markdown(&selection.contenders, 1, round));
        if selection.whole {
            // After every round: a run takes an hour, and what it has measured by then is not lost if it ends early.
            table.write(&selection.contenders, 1, round)?;
        }
    }
    Ok(())
}

/// Plays a scenario until it counts, and adds what it found to the table.
fn play(pair: &mut Pair, contender: &'static dyn Contender, scenario: &Scenario, round: usize, table: &mut Table) {
    if table.is_decided(contender.name(), scenario.name) {
        return;
    }
    for attempt in 0..=AGAIN {
        if attempt > 0 {
            wait_for_processors();
        }
        let (begun, times) = (Instant::now(), Times::now());
        let outcome = pair.reach(contender, scenario.profile).and_then(|()| (scenario.play)(pair));
        let spoilt = spoilt_since(begun, times);
        let name = format!("round {round}, {}, {}", contender.name(), scenario.name);
        let seconds = begun.elapsed().as_secs_f64();
        match (&outcome, &spoilt) {
            (Ok(findings), spoilt) if spoilt.is_none() || attempt == AGAIN => {
                println!("{name}: {findings:?} ({seconds:.0} s){}", table::spoilt_note(spoilt.as_deref()));
                table.record(contender.name(), scenario.name, findings);
                return;
            }
            (Ok(findings), _) => {
                let why = spoilt.unwrap_or_default();
                println!("{name}: {findings:?}, played again because {why}");
            }
            (Err(error), _) => {
                println!("{name}: failed: {error} ({seconds:.0} s)");
                if attempt == AGAIN {
                    table.record_failure(contender.name(), scenario.name);
                }
                pair.forget();
            }
        }
    }
}
