//! How much processor time the host gave to other machines, and when nothing ran on this machine at all. On a shared
//! host a virtual machine may stand still for seconds, and then the outcome of a test with times says nothing about
//! hbd. Only measures: the suite decides what follows.

use std::fs;
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::budget_is_over;

/// How long one measurement takes.
const MEASUREMENT: Duration = Duration::from_millis(500);
/// The pause between two measurements: the host gives less to a machine that works all the time.
const PAUSE: Duration = Duration::from_secs(5);
/// The time between two looks at the clock for a standstill.
const LOOK: Duration = Duration::from_millis(20);
/// A thread that wants to run and is delayed for longer than this was delayed by the host: load of this machine
/// itself delays it by some tens of milliseconds. A stall of this length may exceed a dead time or a client's
/// patience.
const STALL: Duration = Duration::from_millis(400);
/// The time of one look at this machine's own load.
const LOAD_LOOK: Duration = Duration::from_secs(1);
/// With less idle time than so many of a hundred in a look, who wants to run waits for a processor.
const HARDLY_IDLE: u64 = 5;
/// For so long at a time this machine's own load may delay a service's start, or an answer, by seconds.
const LOADED: Duration = Duration::from_secs(5);
/// How long the host may take to have processors for us again.
const PATIENCE: Duration = Duration::from_secs(180);

/// The processors' time since the machine began, in clock ticks (proc_stat(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Used by this machine.
    used: u64,
    /// Not wanted by this machine.
    idle: u64,
    /// Wanted by this machine and given to another one by the host.
    stolen: u64,
}

impl Times {
    /// The times until now; `None` where the kernel does not tell them.
    pub fn now() -> Times {
        fs::read_to_string("/proc/stat").ok().and_then(|text| Times::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Times> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [user, nice, system, idle, wait, interrupts, soft, stolen] = *ticks.first_chunk::<8>()?;
        Some(Times { used: user + nice + system + interrupts + soft, idle: idle + wait, stolen })
    }

    /// The percentage of the time since `before` that the host gave to other machines, if that is enough to spoil a
    /// test: a sixth of all time, and a third of the time that was wanted.
    pub fn starved_since(self, before: Times) -> Option<u64> {
        let used = self.used.saturating_sub(before.used);
        let idle = self.idle.saturating_sub(before.idle);
        let stolen = self.stolen.saturating_sub(before.stolen);
        let starved = stolen > 0 && stolen * 6 >= used + idle + stolen && stolen * 3 >= used + stolen;
        starved.then(|| stolen * 100 / (used + idle + stolen))
    }

    /// Whether no processor was idle since `before`, but for moments.
    fn is_full_since(self, before: Times) -> bool {
        let used = self.used.saturating_sub(before.used);
        let idle = self.idle.saturating_sub(before.idle);
        let stolen = self.stolen.saturating_sub(before.stolen);
        used > 0 && idle * 100 < HARDLY_IDLE * (used + idle + stolen)
    }
}

/// The stalls of this machine since the first question: when each ended, and how long it was.
static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Begins to look for stalls. Only the first call in a process counts.
pub fn watch_for_stalls() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        thread::spawn(|| {
            let mut before = Instant::now();
            loop {
                thread::sleep(LOOK);
                let now = Instant::now();
                if let Some(stall) = stall_between(before, now) {
                    STALLS.lock().unwrap_or_else(PoisonError::into_inner).push((now, stall));
                }
                before = now;
            }
        });
    });
}

/// The stall between two looks at the clock, if there was one.
fn stall_between(before: Instant, now: Instant) -> Option<Duration> {
    Some((now - before).saturating_sub(LOOK)).filter(|stall| *stall >= STALL)
}

/// The longest stall that has ended since `begun`, if [`watch_for_stalls`] was called before.
pub fn longest_stall_since(begun: Instant) -> Option<Duration> {
    let stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
    stalls.iter().filter(|(ended, _)| *ended >= begun).map(|(_, stall)| *stall).max()
}

/// The times in which no processor was idle: from when to when.
static LOADS: Mutex<Vec<(Instant, Instant)>> = Mutex::new(Vec::new());

/// Begins to look at this machine's own load. Only the first call in a process counts.
pub fn watch_for_load() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        thread::spawn(|| {
            let (mut before, mut times) = (Instant::now(), Times::now());
            loop {
                thread::sleep(LOAD_LOOK);
                let (now, times_now) = (Instant::now(), Times::now());
                if times_now.is_full_since(times) {
                    join(&mut LOADS.lock().unwrap_or_else(PoisonError::into_inner), (before, now));
                }
                (before, times) = (now, times_now);
            }
        });
    });
}

/// Adds a look to the one that it follows, or as another one.
fn join(loads: &mut Vec<(Instant, Instant)>, (begun, ended): (Instant, Instant)) {
    match loads.last_mut() {
        Some(last) if last.1 == begun => last.1 = ended,
        _ => loads.push((begun, ended)),
    }
}

/// How this machine's own load may have spoilt what began at `begun`, in words, if [`watch_for_load`] was called
/// before; `None` if it has not.
pub fn loaded_since(begun: Instant) -> Option<String> {
    let loads = LOADS.lock().unwrap_or_else(PoisonError::into_inner);
    let longest = loads.iter().map(|(from, until)| until.saturating_duration_since(begun.max(*from))).max()?;
    (longest >= LOADED).then(|| format!("this machine had no idle processor for {:.0} s", longest.as_secs_f64()))
}

/// How the host has spoilt a test that began at `begun`, when the processors' times were `before`: in words; `None`
/// if it has not.
pub fn spoilt_since(begun: Instant, before: Times) -> Option<String> {
    let starved = Times::now().starved_since(before);
    starved.map(|percent| format!("{percent} % of the processors' time went to other machines")).or_else(|| {
        let stall = longest_stall_since(begun)?;
        Some(format!("this machine stood still for {:.1} s", stall.as_secs_f64()))
    })
}

/// Waits until the host has processor time for this machine again, three minutes at most.
pub fn wait_for_processors() {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !budget_is_over() {
        let calm = Instant::now();
        thread::sleep(PAUSE);
        // Only a machine that wants to run can see that the host does not let it.
        let (before, measurement) = (Times::now(), Instant::now());
        while measurement.elapsed() < MEASUREMENT {
            std::hint::spin_loop();
        }
        if Times::now().starved_since(before).is_none() && longest_stall_since(calm).is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_understood() {
        let text = "cpu  100 10 20 3000 5 1 2 400 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(Times::parse(text), Some(Times { used: 133, idle: 3005, stolen: 400 }));
        assert_eq!(Times::parse("cpu0 1 2 3\n"), None);
        assert!(Times::now().idle > 0, "this kernel's own");
    }

    #[test]
    fn a_thread_that_is_late_by_more_than_its_own_machine_can_explain_has_stood_still() {
        let before = Instant::now();
        let after = |millis| stall_between(before, before + Duration::from_millis(millis));
        assert_eq!(after(20), None);
        assert_eq!(after(100), None);
        assert_eq!(after(1_020), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_machine_is_loaded_without_an_idle_processor_for_seconds_at_a_time() {
        let since = |used, idle, stolen| Times { used, idle, stolen }.is_full_since(Times::default());
        assert!(since(199, 1, 0) && since(150, 0, 50));
        assert!(!since(150, 50, 0) && !since(0, 0, 0));
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let [one, two, three, five] = [1, 2, 3, 5].map(at);
        let mut loads = Vec::new();
        join(&mut loads, (one, two));
        join(&mut loads, (two, three));
        join(&mut loads, (five, at(6)));
        assert_eq!(loads[0], (one, three));
        assert_eq!(loads.len(), 2);
    }

    #[test]
    fn only_a_machine_that_is_kept_from_working_is_starved() {
        let since = |used, idle, stolen| Times { used, idle, stolen }.starved_since(Times::default());
        assert_eq!(since(10, 0, 90), Some(90));
        assert_eq!(since(50, 20, 30), Some(30));
        assert_eq!(since(80, 0, 20), None, "busy, and mostly with its own work");
        assert_eq!(since(0, 91, 9), None, "idle");
        assert_eq!(since(0, 0, 0), None);
    }
}
