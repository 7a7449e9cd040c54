//! Makes a failing schedule as short as possible while it still fails.

use crate::campaign::play;
use crate::schedule::{Fault, Schedule};

/// How often a schedule is played at most while it is shortened.
const PATIENCE: usize = 2_000;

struct Shrinker {
    best: Schedule,
    plays: usize,
}

impl Shrinker {
    /// Keeps `candidate` if it differs and still fails, for whatever reason.
    fn tries(&mut self, candidate: Schedule) -> bool {
        if candidate == self.best || self.plays >= PATIENCE {
            return false;
        }
        self.plays += 1;
        let fails = play(&candidate, false).1.is_err();
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn drop_faults(&mut self) -> bool {
        let mut any = false;
        let mut index = self.best.stages.len();
        while index > 0 {
            index -= 1;
            let mut without = self.best.clone();
            let gone = without.stages.remove(index);
            let mut merged = without.clone();
            if let Some(after) = merged.stages.get_mut(index) {
                after.pause_ms += gone.pause_ms;
            }
            any |= self.tries(without) || self.tries(merged);
        }
        any
    }

    fn calm_the_wire(&mut self) -> bool {
        let mut any = false;
        for kind in 0..3 {
            let mut calmer = self.best.clone();
            let cluster = &mut calmer.cluster;
            *[&mut cluster.loss, &mut cluster.duplicated, &mut cluster.reordered][kind] = 0;
            any |= self.tries(calmer);
        }
        any
    }

    /// Rounds times to seconds and halves them.
    fn shorten_times(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.best.stages.len() {
            for change in [|ms: u64| ms / 1000 * 1000, |ms: u64| ms / 2000 * 1000, |ms: u64| ms / 1000 * 1000 / 4 * 3]
            {
                let mut shorter = self.best.clone();
                shorter.stages[index].pause_ms = change(shorter.stages[index].pause_ms);
                any |= self.tries(shorter);
                let mut shorter = self.best.clone();
                if let Fault::Stall { for_ms, .. } | Fault::Trouble { for_ms, .. } | Fault::Blink { for_ms, .. } =
                    &mut shorter.stages[index].fault
                {
                    *for_ms = change(*for_ms).max(1);
                    any |= self.tries(shorter);
                }
            }
        }
        any
    }
}

/// The shortest failing schedule found.
pub fn shrink(schedule: &Schedule) -> Schedule {
    let mut shrinker = Shrinker { best: schedule.clone(), plays: 0 };
    while shrinker.drop_faults() | shrinker.calm_the_wire() | shrinker.shorten_times() {}
    shrinker.best
}
