//! What a test program of the lab does around its tests: selects them by words, skips them where no nodes can be
//! booted, prints a line for each, and ends with libtest's result.
//!
//! Tests that share machines run one after the other on the same [`Stage`]; after a failure the next gets a new one.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Result;
use crate::lab::missing;
use crate::process;
use crate::software::package;
use crate::starvation::{self, Times};

/// How long the tests of one program may take together: four times what they need on a machine whose processors are
/// its own. Tests that have not begun by then fail with that reason: nodes that hang make a run fail and never keep
/// it from ending.
pub const BUDGET: Duration = Duration::from_secs(40 * 60);

/// How often a test is played at most if it fails while the host does not let this machine run.
const ATTEMPTS: usize = 5;

/// Booted machines that tests play on.
pub trait Stage: Sized {
    /// What may explain a failure.
    fn report(&self) -> String;
}

/// What a test does. The text that it returns is printed behind the `ok`.
pub type Play<'a, S> = Box<dyn Fn(&mut S) -> Result<String> + 'a>;

/// One test.
pub struct Test<'a, S> {
    /// As it is printed and selected, such as `lab::hbd_hbd::graceful_stop`.
    pub name: String,
    /// What it does.
    pub play: Play<'a, S>,
}

impl<S> Test<'static, S> {
    /// One of a table, of the program that is called so.
    pub fn of(program: &str, (name, play): (&str, fn(&mut S) -> Result<String>)) -> Self
    where
        S: 'static,
    {
        Test { name: format!("{program}::{name}"), play: Box::new(play) }
    }
}

/// Which tests of a program are played, where several runs of it share them: `HBD_LAB_SHARE=1/2` and `2/2`. Most of a
/// test's time is waiting.
#[derive(Debug)]
struct Share {
    own: usize,
    of: usize,
    next: usize,
}

impl Share {
    fn from_environment() -> Share {
        let text = std::env::var("HBD_LAB_SHARE").unwrap_or_default();
        let numbers = text.split_once('/').and_then(|(own, of)| Some((own.parse().ok()?, of.parse().ok()?)));
        let (own, of) = numbers.filter(|(own, of)| (1..=*of).contains(own)).unwrap_or((1, 1));
        Share { own, of, next: 0 }
    }

    /// Whether the next test of the program is one of ours.
    fn takes_next(&mut self) -> bool {
        self.next += 1;
        self.next % self.of == self.own % self.of
    }
}

/// A run of a test program.
#[derive(Debug)]
pub struct Suite {
    words: Vec<String>,
    share: Share,
    budget: Duration,
    lacks: Vec<String>,
    begun: Instant,
    passed: usize,
    failed: Vec<String>,
    ignored: usize,
    filtered: usize,
}

impl Suite {
    /// Takes the words that select tests from the command line (none select all), and looks at what this machine
    /// lacks. From now on the tests have [`BUDGET`], or as many seconds as `HBD_LAB_BUDGET` says.
    pub fn begin() -> Suite {
        Suite::begin_with_budget(BUDGET)
    }

    /// As [`Suite::begin`], with another budget: the programs that CI runs one after the other must end within CI's
    /// own time limit.
    pub fn begin_with_budget(budget: Duration) -> Suite {
        let asked = std::env::var("HBD_LAB_BUDGET").ok().and_then(|seconds| seconds.parse().ok());
        let budget = asked.map_or(budget, Duration::from_secs);
        process::set_budget(budget);
        starvation::watch_for_stalls();
        Suite {
            budget,
            words: std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect(),
            share: Share::from_environment(),
            lacks: missing(),
            begun: Instant::now(),
            passed: 0,
            failed: Vec::new(),
            ignored: 0,
            filtered: 0,
        }
    }

    /// Whether words on the command line select tests.
    pub fn selects(&self) -> bool {
        !self.words.is_empty()
    }

    /// Plays the selected ones of these tests in order, on machines that `boot` makes when the first is wanted.
    pub fn play<S: Stage>(&mut self, needs_package: bool, boot: impl Fn() -> Result<S>, tests: Vec<Test<'_, S>>) {
        let wanted = |name: &str| self.words.is_empty() || self.words.iter().any(|word| name.contains(word));
        let share = &mut self.share;
        let chosen = |test: &Test<'_, S>| share.takes_next() && wanted(&test.name);
        let (chosen, others): (Vec<_>, Vec<_>) = tests.into_iter().partition(chosen);
        self.filtered += others.len();
        if let Some(why) = self.reason_to_skip(needs_package) {
            for test in &chosen {
                println!("test {} ... ignored, {why}", test.name);
            }
            self.ignored += chosen.len();
            return;
        }
        for _ in 0..repetitions() {
            self.play_once_each(&chosen, &boot);
        }
    }

    /// Plays each of these tests once, on newly booted machines: not every test leaves a node as it was.
    fn play_once_each<S: Stage>(&mut self, chosen: &[Test<'_, S>], boot: &impl Fn() -> Result<S>) {
        let mut stage = None;
        for test in chosen {
            if process::budget_is_over() {
                let why = format!(
                    "not played: the {} s for all tests are over (HBD_LAB_BUDGET, in seconds, allows more)",
                    self.budget.as_secs()
                );
                self.tell(&test.name, 0.0, &Err(why));
                continue;
            }
            let begun = Instant::now();
            let outcome = play_unless_starved(test, &mut stage, boot);
            self.tell(&test.name, begun.elapsed().as_secs_f64(), &outcome);
        }
    }

    fn reason_to_skip(&self, needs_package: bool) -> Option<String> {
        if !self.lacks.is_empty() {
            return Some("lab skipped".to_owned());
        }
        let unbuilt = needs_package.then(package)?.err()?;
        Some(format!("lab skipped: {unbuilt}"))
    }

    fn tell(&mut self, name: &str, seconds: f64, outcome: &std::result::Result<String, String>) {
        match outcome {
            Ok(remark) => {
                self.passed += 1;
                let remark = if remark.is_empty() { remark.clone() } else { format!(", {remark}") };
                println!("test {name} ... ok ({seconds:.1} s{remark})");
            }
            Err(error) => {
                self.failed.push(name.to_owned());
                println!("test {name} ... FAILED after {seconds:.1} s\n{error}");
            }
        }
    }

    /// The names of the tests that have failed so far.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// Prints the result as libtest does.
    pub fn end(self) -> ExitCode {
        if !self.lacks.is_empty() {
            println!("\nlab skipped: this machine cannot boot nodes; missing:\n  {}", self.lacks.join("\n  "));
        }
        let verdict = if self.failed.is_empty() { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {verdict}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; \
             finished in {:.2}s\n",
            self.passed,
            self.failed.len(),
            self.ignored,
            self.filtered,
            self.begun.elapsed().as_secs_f64()
        );
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Plays a test. Plays it again if it failed while the host did not let this machine run: such a failure proves
/// nothing.
fn play_unless_starved<S: Stage>(
    test: &Test<'_, S>,
    stage: &mut Option<S>,
    boot: impl Fn() -> Result<S>,
) -> std::result::Result<String, String> {
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        let (begun, before) = (Instant::now(), Times::now());
        let outcome = play_once(test, stage, &boot);
        let Err(error) = &outcome else { return outcome };
        match starvation::spoilt_since(begun, before) {
            Some(why) if attempts > 0 && !process::budget_is_over() => {
                let first = error.lines().next().unwrap_or_default();
                println!("test {} ... played again: {why} ({first})", test.name);
                starvation::wait_for_processors();
            }
            _ => return outcome,
        }
    }
}

/// Plays a test on the machines that are there, or on new ones. Only a test that passed leaves its machines for the
/// next.
fn play_once<S: Stage>(
    test: &Test<'_, S>,
    stage: &mut Option<S>,
    boot: impl Fn() -> Result<S>,
) -> std::result::Result<String, String> {
    let mut fresh = stage.take().map_or_else(boot, Ok).map_err(|error| error.to_string())?;
    match (test.play)(&mut fresh) {
        Ok(remark) => {
            *stage = Some(fresh);
            Ok(remark)
        }
        Err(error) => Err(format!("{error}\n{}", fresh.report())),
    }
}

/// How often every test is played. `HBD_LAB_REPEAT=50`, with words that select one test, finds what happens rarely.
fn repetitions() -> usize {
    std::env::var("HBD_LAB_REPEAT").ok().and_then(|count| count.parse().ok()).unwrap_or(1)
}
