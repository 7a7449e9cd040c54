//! Plays many random schedules on all processors and shows the progress.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::golden::Digests;
use crate::schedule::Schedule;
use crate::world::World;

/// A campaign ends after so many failing schedules.
const ENOUGH: usize = 20;

/// Plays one schedule. Returns the world at its end, and which invariant broke.
pub fn play(schedule: &Schedule, telling: bool) -> (World, Result<(), String>) {
    let mut world = World::new(schedule.seed, &schedule.cluster, telling);
    let outcome = schedule.play(&mut world);
    (world, outcome)
}

/// How a campaign went.
#[derive(Debug, Default)]
pub struct Summary {
    pub played: u64,
    pub takeovers: u64,
    pub per_second: f64,
    /// The seeds that broke an invariant, each with the reason.
    pub failed: BTreeMap<u64, String>,
    /// What the cores decided, for the golden trace.
    pub digests: Digests,
}

/// Plays the seeds from `first`, `count` of them; of these only the schedules that are `wanted`.
pub fn run(first: u64, count: u64, wanted: impl Fn(&Schedule) -> bool + Sync) -> Summary {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let (played, takeovers) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(BTreeMap::new());
    let digests = Mutex::new(Digests::new());
    let progress = Mutex::new(Progress::new(count));
    let work = || {
        loop {
            let done = next.fetch_add(1, Ordering::Relaxed);
            if done >= count || failed.lock().is_ok_and(|failed| failed.len() >= ENOUGH) {
                break;
            }
            let schedule = Schedule::random(first + done);
            if !wanted(&schedule) {
                continue;
            }
            let (world, outcome) = play(&schedule, false);
            played.fetch_add(1, Ordering::Relaxed);
            takeovers.fetch_add(world.takeovers(), Ordering::Relaxed);
            if let Ok(mut digests) = digests.lock() {
                digests.insert(format!("seed-{:04}", first + done), world.digest());
            }
            if let (Err(why), Ok(mut failed)) = (outcome, failed.lock()) {
                let _ = writeln!(std::io::stderr(), "\nseed {}: {why}", first + done);
                failed.insert(first + done, why);
            }
            if let Ok(mut progress) = progress.try_lock() {
                progress.report(done + 1);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let played = played.into_inner();
    Summary {
        played,
        takeovers: takeovers.into_inner(),
        per_second: played as f64 / started.elapsed().as_secs_f64(),
        failed: failed.into_inner().unwrap_or_default(),
        digests: digests.into_inner().unwrap_or_default(),
    }
}

/// On a terminal one line that is overwritten; elsewhere a line for every tenth of the schedules.
struct Progress {
    count: u64,
    terminal: bool,
    shown: u64,
    started: Instant,
}

impl Progress {
    fn new(count: u64) -> Self {
        Progress { count, terminal: std::io::stderr().is_terminal(), shown: 0, started: Instant::now() }
    }

    fn report(&mut self, done: u64) {
        let steps = if self.terminal { 1000 } else { 10 };
        let step = done * steps / self.count;
        if step <= self.shown {
            return;
        }
        self.shown = step;
        let rate = done as f64 / self.started.elapsed().as_secs_f64();
        let percent = done as f64 * 100.0 / self.count as f64;
        let filled = (done * 40 / self.count) as usize;
        let line = format!("[{:40}] {percent:5.1} %  {done} of {}  {rate:.0}/s", "#".repeat(filled), self.count);
        let end = if self.terminal && done < self.count { "" } else { "\n" };
        let begin = if self.terminal { "\r" } else { "" };
        // Not eprint!: the test harness would capture it.
        let _ = write!(std::io::stderr(), "{begin}{line}{end}");
    }
}
