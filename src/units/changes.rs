//! What the changes of a unit's state mean to a core that wants it to run (docs/DECISIONS.md "How hbd talks to
//! systemd", rules 4 and 6).
//!
//! Owns which change is news: laps of `Restart=`, up, down. Pure: states in, what was seen out. What it means that a
//! unit is down is in [`super::ends`].

use super::state::{ActiveState, UnitState};

/// What became of a unit without our doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It runs.
    Up,
    /// It failed, or ended by itself. Said again as long as it is in the state `failed`.
    Failed(String),
    /// It failed, and systemd will not start it again for now (`start-limit-hit`).
    Exhausted(String),
    /// It failed, and systemd starts it again by itself (`Restart=`). Said once for each attempt.
    Restarting(String),
    /// Somebody stopped it: a stop job for this very unit is done.
    Stopped {
        /// When systemd told of that job, CLOCK_MONOTONIC in microseconds.
        asked: u64,
    },
    /// systemd stopped it because of something else, which the text names.
    StoppedWith(String),
    /// What it was stopped with is over.
    Free,
    /// systemd does not answer.
    Unknown,
}

/// The changes of one unit so far.
#[derive(Debug, Default)]
pub(super) struct UnitChanges {
    /// It was up when it was looked at last.
    up: bool,
    /// It ran, or systemd was about to start it again: when it is down now, that is news.
    alive: bool,
    /// `NRestarts` at the last look; `None` before the first one.
    restarts: Option<u32>,
    /// A lap was told when the unit began to wait for it, before `NRestarts` counted it.
    ahead: bool,
}

/// What one look at a unit shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// How often the unit has failed and is, or was, started again by systemd since the last look.
    pub laps: u32,
    /// What it has come to.
    pub seen: Seen,
}

/// What a unit has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing new, or something under way that is not at its end.
    Nothing,
    /// It has come up.
    Up,
    /// It is down: [`super::ends`] says what that means.
    Down,
}

impl UnitChanges {
    /// Whether it was up at the last look.
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// Takes in a state. `restarts`: the service's `NRestarts`, read before the state, so that a lap that begins
    /// between the two is counted at the next look and not twice; `None` for what has no such counter.
    pub(super) fn look(&mut self, state: &UnitState, restarts: Option<u32>) -> Look {
        let laps = self.count_laps(state, restarts);
        if laps > 0 {
            (self.up, self.alive) = (false, true);
        }
        if state.active.is_up() {
            (self.alive, self.ahead) = (true, false);
            let seen = if std::mem::replace(&mut self.up, true) { Seen::Nothing } else { Seen::Up };
            return Look { laps, seen };
        }
        // With a job, it is on its way to somewhere.
        let resting = state.job.is_none() && state.active.is_down() && !state.awaits_restart();
        if resting {
            self.ahead = false;
        }
        let down = resting && (self.alive || state.active == ActiveState::Failed);
        Look { laps, seen: if down { Seen::Down } else { Seen::Nothing } }
    }

    /// systemd counts a lap when the pause of `RestartSec=` is over; it is told at the beginning of the pause, if
    /// that is seen.
    fn count_laps(&mut self, state: &UnitState, restarts: Option<u32>) -> u32 {
        let mut laps = 0;
        if let Some(now) = restarts {
            laps = match self.restarts.replace(now) {
                None => 0,
                Some(before) if now >= before => now - before,
                // It counts anew: somebody started the unit by hand.
                Some(_) => {
                    self.ahead = false;
                    now
                }
            };
            if laps > 0 && std::mem::take(&mut self.ahead) {
                laps -= 1;
            }
        }
        // `auto-restart-queued` (systemd 254) has been counted, as has a pause that has ended in a job.
        let waits = state.awaits_restart() && state.sub != "auto-restart-queued" && state.job.is_none();
        if waits && !std::mem::replace(&mut self.ahead, true) {
            laps += 1;
        }
        laps
    }

    /// Somebody else saw it up since the last look.
    pub(super) fn rose(&mut self) {
        (self.alive, self.ahead) = (true, false);
    }

    /// It was told that it is down.
    pub(super) fn fell(&mut self) {
        (self.up, self.alive) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(active: &str, sub: &str, job: &str) -> UnitState {
        UnitState {
            name: "web.service".into(),
            load: "loaded".into(),
            active: active.into(),
            sub: sub.into(),
            job: (!job.is_empty()).then(|| "/job/1".try_into().unwrap()),
            job_type: job.into(),
            path: "/unit".try_into().unwrap(),
        }
    }

    fn up() -> UnitState {
        state("active", "running", "")
    }

    fn waiting() -> UnitState {
        state("activating", "auto-restart", "")
    }

    /// What looks at these states with these counters show.
    fn looks(steps: &[(UnitState, Option<u32>)]) -> Vec<(u32, Seen)> {
        let mut changes = UnitChanges::default();
        let look = |(state, restarts): &(UnitState, Option<u32>)| {
            let Look { laps, seen } = changes.look(state, *restarts);
            (laps, seen)
        };
        steps.iter().map(look).collect()
    }

    #[test]
    fn a_unit_that_failed_is_down_as_long_as_it_has() {
        let mut changes = UnitChanges::default();
        let mut seen = |state: &UnitState| changes.look(state, None).seen;
        assert_eq!(seen(&state("activating", "start", "start")), Seen::Nothing);
        assert_eq!(seen(&up()), Seen::Up);
        assert_eq!(seen(&state("reloading", "reload", "reload")), Seen::Nothing);
        let failed = state("failed", "failed", "");
        assert_eq!(seen(&failed), Seen::Down);
        changes.fell();
        assert_eq!(changes.look(&failed, None).seen, Seen::Down, "the first word may have come too early");
    }

    #[test]
    fn a_unit_that_ended_falls_once() {
        let mut changes = UnitChanges::default();
        changes.look(&up(), None);
        assert_eq!(changes.look(&state("deactivating", "stop-sigterm", "stop"), None).seen, Seen::Nothing);
        let dead = state("inactive", "dead", "");
        assert_eq!(changes.look(&dead, None).seen, Seen::Down);
        changes.fell();
        assert_eq!(changes.look(&dead, None).seen, Seen::Nothing);
    }

    #[test]
    fn a_unit_that_was_up_between_two_looks_falls_again() {
        let mut changes = UnitChanges::default();
        let dead = state("inactive", "dead", "");
        changes.look(&up(), None);
        changes.look(&dead, None);
        changes.fell();
        changes.rose();
        assert_eq!(changes.look(&dead, None).seen, Seen::Down);
        changes.fell();
        changes.rose();
        assert_eq!(changes.look(&up(), None).seen, Seen::Up, "and is told to be up if it still is");
    }

    #[test]
    fn what_never_ran_does_not_fall_and_a_restart_by_hand_is_no_news() {
        let restart = state("inactive", "dead", "restart");
        let seen =
            looks(&[(state("inactive", "dead", ""), Some(0)), (up(), Some(0)), (restart, Some(0)), (up(), Some(0))]);
        assert_eq!(seen, [(0, Seen::Nothing), (0, Seen::Up), (0, Seen::Nothing), (0, Seen::Nothing)]);
    }

    #[test]
    fn each_lap_is_told_once() {
        // The pause is seen, then its end in a job, then the counter, and the next lap.
        let queued = state("activating", "auto-restart", "restart");
        let seen = looks(&[
            (up(), Some(2)),
            (waiting(), Some(2)),
            (waiting(), Some(2)),
            (queued, Some(3)),
            (state("activating", "start", "start"), Some(3)),
            (waiting(), Some(3)),
            (up(), Some(4)),
        ]);
        let laps: Vec<u32> = seen.iter().map(|(laps, _)| *laps).collect();
        assert_eq!(laps, [0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(seen[6].1, Seen::Up);
    }

    #[test]
    fn laps_between_two_looks_are_counted_and_up_is_told_again() {
        assert_eq!(
            looks(&[(up(), Some(0)), (up(), Some(3)), (up(), Some(3))]),
            [(0, Seen::Up), (3, Seen::Up), (0, Seen::Nothing)]
        );
    }

    #[test]
    fn newer_states_of_the_pause_count_as_one_lap() {
        for sub in ["auto-restart-queued", "failed-before-auto-restart", "dead-before-auto-restart"] {
            let active = if sub == "auto-restart-queued" { "activating" } else { "failed" };
            let counted = if sub == "auto-restart-queued" { 1 } else { 0 };
            let seen = looks(&[(up(), Some(0)), (state(active, sub, ""), Some(counted)), (up(), Some(1))]);
            assert_eq!(seen, [(0, Seen::Up), (1, Seen::Nothing), (0, Seen::Up)], "{sub}");
        }
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_lap() {
        let seen = looks(&[(up(), Some(5)), (up(), Some(0)), (waiting(), Some(0)), (up(), Some(1))]);
        assert_eq!(seen, [(0, Seen::Up), (0, Seen::Nothing), (1, Seen::Nothing), (0, Seen::Up)]);
    }

    #[test]
    fn a_pause_that_somebody_ends_by_a_stop_is_a_fall() {
        let dead = state("inactive", "dead", "");
        let seen =
            looks(&[(up(), Some(1)), (waiting(), Some(1)), (dead, Some(1)), (up(), Some(0)), (waiting(), Some(0))]);
        assert_eq!(seen, [(0, Seen::Up), (1, Seen::Nothing), (0, Seen::Down), (0, Seen::Up), (1, Seen::Nothing)]);
    }

    #[test]
    fn without_a_counter_each_pause_is_a_lap() {
        let seen = looks(&[(up(), None), (waiting(), None), (waiting(), None), (up(), None), (waiting(), None)]);
        let laps: Vec<u32> = seen.iter().map(|(laps, _)| *laps).collect();
        assert_eq!(laps, [0, 1, 0, 0, 1]);
    }
}
