//! What the changes of a unit's state mean to a core that wants it to run (docs/DECISIONS.md "How hbd talks to
//! systemd", rules 4 and 6).
//!
//! Pure: states in, news out. Whether a unit that went down was stopped by somebody is told by the caller, who
//! knows the jobs.

use super::error::look;
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
    Stopped,
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
    up: bool,
    restarting: bool,
}

/// What one look at a unit shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing new, or something under way that is not at its end.
    Nothing,
    /// It has come up.
    Up,
    /// It is down: [`UnitChanges::fell`] says what that means.
    Down,
    /// It crashed and waits for its `Restart=`.
    Restarting,
}

impl UnitChanges {
    /// Whether it ran when it was looked at last.
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// Takes in a state.
    pub(super) fn look(&mut self, state: &UnitState) -> Seen {
        if state.awaits_restart() {
            self.up = false;
            return if std::mem::replace(&mut self.restarting, true) { Seen::Nothing } else { Seen::Restarting };
        }
        if state.active.is_up() {
            self.restarting = false;
            return if std::mem::replace(&mut self.up, true) { Seen::Nothing } else { Seen::Up };
        }
        if state.active != ActiveState::Activating {
            self.restarting = false;
        }
        // With a job, it is on its way to somewhere.
        let down =
            state.job.is_none() && (state.active == ActiveState::Failed || (self.up && state.active.is_down()));
        if down { Seen::Down } else { Seen::Nothing }
    }

    /// What it means that the unit is down. `by_job`: a job ended after it had left its active state, so somebody
    /// stopped it. `result` is systemd's word for how it ended.
    pub(super) fn fell(&mut self, state: &UnitState, by_job: bool, result: &str) -> News {
        self.up = false;
        if by_job {
            News::Stopped
        } else if state.active == ActiveState::Failed {
            let exhausted = result == "start-limit-hit";
            let result = if result.is_empty() { String::new() } else { format!(", result {result}") };
            let text = format!("{} is {}{result}; see {}", state.name, state.active, look(&state.name));
            if exhausted { News::Exhausted(text) } else { News::Failed(text) }
        } else {
            News::Failed(format!("{} ended by itself; see {}", state.name, look(&state.name)))
        }
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

    #[test]
    fn a_crash_is_news_as_long_as_it_lasts() {
        let mut changes = UnitChanges::default();
        assert_eq!(changes.look(&state("activating", "start", "start")), Seen::Nothing);
        assert_eq!(changes.look(&state("active", "running", "")), Seen::Up);
        assert_eq!(changes.look(&state("reloading", "reload", "reload")), Seen::Nothing);
        let failed = state("failed", "failed", "");
        assert_eq!(changes.look(&failed), Seen::Down);
        let News::Failed(text) = changes.fell(&failed, false, "signal") else { panic!() };
        assert_eq!(text, "web.service is failed, result signal; see `systemctl status web.service`");
        assert_eq!(changes.look(&failed), Seen::Down, "said again: the first word may have come too early");
    }

    #[test]
    fn an_end_without_a_job_is_a_failure_and_with_one_it_is_somebodys_will() {
        for (by_job, news) in [(true, true), (false, false)] {
            let mut changes = UnitChanges::default();
            changes.look(&state("active", "running", ""));
            assert_eq!(changes.look(&state("deactivating", "stop-sigterm", "stop")), Seen::Nothing);
            let dead = state("inactive", "dead", "");
            assert_eq!(changes.look(&dead), Seen::Down);
            assert_eq!(changes.fell(&dead, by_job, "success") == News::Stopped, news);
            assert_eq!(changes.look(&dead), Seen::Nothing);
        }
    }

    #[test]
    fn what_never_ran_does_not_fall_and_a_restart_by_hand_is_no_news() {
        let mut changes = UnitChanges::default();
        assert_eq!(changes.look(&state("inactive", "dead", "")), Seen::Nothing);
        changes.look(&state("active", "running", ""));
        assert_eq!(changes.look(&state("inactive", "dead", "restart")), Seen::Nothing);
        assert_eq!(changes.look(&state("active", "running", "")), Seen::Nothing);
    }

    #[test]
    fn each_automatic_restart_is_told_once() {
        let mut changes = UnitChanges::default();
        changes.look(&state("active", "running", ""));
        let waiting = state("activating", "auto-restart", "");
        assert_eq!(changes.look(&waiting), Seen::Restarting);
        assert_eq!(changes.look(&waiting), Seen::Nothing);
        assert_eq!(changes.look(&state("active", "running", "")), Seen::Up);
        assert_eq!(changes.look(&waiting), Seen::Restarting);
    }
}
