//! What it means that a unit which ran, or was about to, is down (docs/UNITS.md).
//!
//! Owns the judgement and its words. Pure: what systemd told goes in, one [`News`] comes out.

use super::cause::{Cause, CauseKind};
use super::changes::News;
use super::details::Details;
use super::error::look;
use super::jobs::{JobKind, UnitJob};
use super::state::{ActiveState, UnitState};

/// All that is known about the end of a unit.
#[derive(Debug)]
pub(super) struct End<'a> {
    /// Its state now.
    pub state: &'a UnitState,
    /// Its details, if systemd tells.
    pub details: Option<&'a Details>,
    /// How its last run ended (`Result`); empty if it has none.
    pub result: &'a str,
    /// The last job of the unit that ended after it had left its active state.
    pub job: Option<&'a UnitJob>,
    /// Since when it was seen up, CLOCK_MONOTONIC in microseconds.
    pub up_since: Option<u64>,
    /// Its `Restart=` was about to start it again, or did, and it has not been up since.
    pub lapped: bool,
    /// It was announced to go down after `job` was announced, and before the end of `job` was.
    pub fell_in_job: bool,
}

impl End<'_> {
    /// Whether a stop job took it down, or was asked for while it was down. It is not known yet who asked.
    ///
    /// A stop job is `done` also when the unit is `failed` because its stop went wrong.
    pub(super) fn was_stopped(&self) -> bool {
        let Some(job) = self.job.filter(|job| job.result() == "done") else { return false };
        match job.kind {
            Some(kind) => kind == JobKind::Stop,
            // The job was over before its type could be read. It may have been a start whose unit ended at once, a
            // restart, or a reload. So it counts as a stop only if the unit was up before the job came, and nobody
            // has tried to start it since. And a unit whose own stop went wrong must be told from one that crashed
            // just after its job: systemd announces that a unit is down before the end of the job that did it.
            None => {
                let up_before = self.up_since.is_some_and(|since| since <= job.begun);
                let started = self.details.is_none_or(|details| details.tried > details.left);
                let well = self.state.active == ActiveState::Inactive && self.ended_well();
                up_before && !started && (well || self.fell_in_job)
            }
        }
    }

    /// The verdict. `cause` is what brought the stop job about, if somebody else's unit did; `managed` whether that
    /// unit is one of those that are watched, too.
    pub(super) fn news(&self, cause: Option<&Cause>, managed: bool) -> News {
        if !self.was_stopped() {
            return self.failure();
        }
        match cause {
            // Nobody meant that, and a start of this unit starts the other one, too: it is a failure of this unit.
            // But one that is watched is being seen to already.
            Some(cause) if cause.kind == CauseKind::Failed && !managed => {
                News::Failed(format!("{} was stopped by systemd: {}", self.state.name, cause.text()))
            }
            Some(cause) => News::StoppedWith(cause.text()),
            None if self.details.is_some_and(|details| details.stops_when_unneeded) => News::Failed(format!(
                "{} was stopped by systemd because no unit needs it (StopWhenUnneeded=yes, which a resource must not \
                 have)",
                self.state.name
            )),
            None => News::Stopped { asked: self.job.map_or(0, |job| job.begun) },
        }
    }

    fn ended_well(&self) -> bool {
        matches!(self.result, "" | "success")
    }

    fn failure(&self) -> News {
        let name = &self.state.name;
        let see = look(name);
        let failed = self.state.active == ActiveState::Failed;
        let mut text = match (self.refusal(), failed) {
            (Some(refusal), _) => format!("{name} {refusal}"),
            (None, true) => format!("{name} is failed{}", self.result_text()),
            (None, false) if self.ended_well() => format!("{name} ended by itself"),
            (None, false) => format!("{name} is {}{}", self.state.active, self.result_text()),
        };
        if let Some(job) = self.job.filter(|job| job.result() != "done") {
            let verb = match job.kind {
                Some(JobKind::Restart) => "its restart",
                Some(JobKind::Start) => "its start",
                Some(JobKind::Stop) => "its stop",
                Some(JobKind::Other) | None => "its job",
            };
            let ended = match job.result() {
                "dependency" => "failed because a unit that it depends on did not start",
                "canceled" => "was canceled",
                "timeout" => "took too long",
                _ => "failed",
            };
            text = format!("{text}; {verb} {ended}");
        }
        // At the start limit systemd 252 leaves the result of the run before: then the end of the laps tells.
        let given_up = self.lapped && failed && self.job.is_some_and(|job| job.result() == "failed");
        if given_up && self.result != "start-limit-hit" {
            text.push_str("; systemd has given up to start it again");
        }
        text = format!("{text}; see {see}");
        if given_up || self.result == "start-limit-hit" { News::Exhausted(text) } else { News::Failed(text) }
    }

    fn result_text(&self) -> String {
        if self.result.is_empty() { String::new() } else { format!(", result {}", self.result) }
    }

    /// Why systemd does not start it.
    fn refusal(&self) -> Option<String> {
        match self.state.load.as_str() {
            "masked" => return Some("is down and masked, so it cannot be started".to_owned()),
            "not-found" => return Some("is down, and its unit file is gone".to_owned()),
            "bad-setting" | "error" => return Some("is down, and its unit file has an error".to_owned()),
            _ => {}
        }
        if self.job.is_some_and(|job| job.result() == "assert") {
            return Some("was not started: an assertion (Assert…=) of the unit is not met".to_owned());
        }
        if self.result == "exec-condition" {
            return Some("was not started: its ExecCondition= is not met".to_owned());
        }
        let details = self.details.filter(|details| details.tried > details.left && !details.conditions_met)?;
        let unmet = details.unmet.as_deref().unwrap_or("a condition");
        Some(format!("was not started: {unmet} is not met"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::cause::CauseKind;

    fn state(active: &str) -> UnitState {
        UnitState {
            name: "web.service".into(),
            load: "loaded".into(),
            active: active.into(),
            sub: "dead".into(),
            job: None,
            job_type: String::new(),
            path: "/unit".try_into().unwrap(),
        }
    }

    fn details() -> Details {
        Details {
            active: ActiveState::Inactive,
            rose: 10,
            left: 500,
            rested: 501,
            tried: 9,
            conditions_met: true,
            unmet: None,
            stops_when_unneeded: false,
            may_isolate: false,
            relations: Vec::new(),
        }
    }

    fn job(kind: Option<JobKind>, result: &str) -> UnitJob {
        let (unit, ended) = ("web.service".into(), Some((501, result.into())));
        UnitJob { id: 3, unit, kind, own: false, begun: 499, ended, new_at: None, removed_at: None }
    }

    fn news(active: &str, details: &Details, result: &str, job: Option<&UnitJob>) -> News {
        let (state, details, up_since) = (state(active), Some(details), Some(20));
        End { state: &state, details, result, job, up_since, lapped: false, fell_in_job: false }.news(None, false)
    }

    fn failed(news: News) -> String {
        let News::Failed(text) = news else { panic!("{news:?}") };
        text
    }

    #[test]
    fn only_a_stop_job_that_is_done_is_somebodys_wish() {
        let stop = job(Some(JobKind::Stop), "done");
        assert_eq!(news("inactive", &details(), "success", Some(&stop)), News::Stopped { asked: 499 });
        assert_eq!(
            news("failed", &details(), "timeout", Some(&stop)),
            News::Stopped { asked: 499 },
            "its own stop went wrong"
        );
        for (kind, result, said) in [
            (JobKind::Restart, "failed", "its restart failed"),
            (JobKind::Start, "dependency", "its start failed because a unit that it depends on did not start"),
            (JobKind::Start, "canceled", "its start was canceled"),
            (JobKind::Stop, "timeout", "its stop took too long"),
            (JobKind::Other, "failed", "its job failed"),
        ] {
            let text = failed(news("failed", &details(), "exit-code", Some(&job(Some(kind), result))));
            assert!(text.starts_with("web.service is failed, result exit-code; "), "{text}");
            assert!(text.contains(said), "{text}");
        }
        let text = failed(news("failed", &details(), "exit-code", Some(&job(Some(JobKind::Restart), "done"))));
        assert_eq!(text, "web.service is failed, result exit-code; see `systemctl status web.service`");
    }

    #[test]
    fn a_job_of_unknown_type_is_a_stop_only_if_nothing_speaks_against_it() {
        let quick = job(None, "done");
        assert_eq!(news("inactive", &details(), "success", Some(&quick)), News::Stopped { asked: 499 });
        failed(news("inactive", &details(), "signal", Some(&quick)));
        failed(news("failed", &details(), "exit-code", Some(&quick)));
        failed(news("inactive", &details(), "success", Some(&job(None, "canceled"))));
        failed(news("inactive", &Details { tried: 500 + 1, ..details() }, "success", Some(&quick)));
        let (state, details) = (state("inactive"), details());
        for (up_since, fell_in_job) in [(None, false), (None, true), (Some(500), false), (Some(500), true)] {
            let (details, job, lapped) = (Some(&details), Some(&quick), false);
            let end = End { state: &state, details, result: "success", job, up_since, lapped, fell_in_job };
            assert!(!end.was_stopped(), "it may have been the start of a unit that ended at once");
        }
    }

    #[test]
    fn a_job_of_unknown_type_that_took_the_unit_down_is_a_stop_also_if_that_went_wrong() {
        let news = |active: &str, details: &Details, result: &str, job: &UnitJob| {
            let (state, details, job, up_since) = (state(active), Some(details), Some(job), Some(20));
            End { state: &state, details, result, job, up_since, lapped: false, fell_in_job: true }.news(None, false)
        };
        let quick = job(None, "done");
        for (active, result) in [("failed", "exit-code"), ("failed", "timeout"), ("inactive", "success")] {
            assert_eq!(news(active, &details(), result, &quick), News::Stopped { asked: 499 }, "{result}");
        }
        let tried = Details { tried: 500 + 1, ..details() };
        failed(news("failed", &tried, "exit-code", &quick));
        failed(news("failed", &details(), "exit-code", &job(None, "failed")));
        failed(news("failed", &details(), "exit-code", &job(Some(JobKind::Restart), "done")));
        failed(news("failed", &details(), "exit-code", &job(Some(JobKind::Other), "done")));
    }

    #[test]
    fn an_end_without_a_job_is_a_failure() {
        for result in ["exit-code", "signal", "core-dump", "oom-kill", "watchdog", "timeout", "protocol", "resources"]
        {
            let text = failed(news("failed", &details(), result, None));
            assert_eq!(text, format!("web.service is failed, result {result}; see `systemctl status web.service`"));
        }
        let text = failed(news("inactive", &details(), "success", None));
        assert_eq!(text, "web.service ended by itself; see `systemctl status web.service`");
        let start = job(Some(JobKind::Restart), "failed");
        let exhausted = news("failed", &details(), "start-limit-hit", Some(&start));
        assert!(matches!(&exhausted, News::Exhausted(text) if text.contains("start-limit-hit")), "{exhausted:?}");
    }

    #[test]
    fn a_unit_whose_laps_end_in_a_failed_job_is_exhausted_whatever_its_result_says() {
        let (state, details, restart) = (state("failed"), details(), job(None, "failed"));
        let (details, job, result) = (Some(&details), Some(&restart), "exit-code");
        let end = End { state: &state, details, result, job, up_since: None, lapped: true, fell_in_job: false };
        let News::Exhausted(text) = end.news(None, false) else { panic!("{end:?}") };
        assert!(text.contains("result exit-code; its job failed; systemd has given up"), "{text}");
        let up_since = End { lapped: false, ..end };
        failed(up_since.news(None, false));
    }

    #[test]
    fn what_systemd_does_not_start_says_why() {
        let unmet =
            Details { tried: 501, conditions_met: false, unmet: Some("ConditionPathExists=/x".into()), ..details() };
        let done = job(Some(JobKind::Restart), "done");
        let text = failed(news("inactive", &unmet, "success", Some(&done)));
        assert!(text.starts_with("web.service was not started: ConditionPathExists=/x is not met"), "{text}");
        let text = failed(news("inactive", &details(), "exec-condition", Some(&done)));
        assert!(text.contains("ExecCondition="), "{text}");
        let text = failed(news("inactive", &details(), "success", Some(&job(Some(JobKind::Start), "assert"))));
        assert!(text.contains("Assert…="), "{text}");
        for (load, said) in [("masked", "masked"), ("not-found", "unit file is gone"), ("error", "has an error")] {
            let (state, details) = (UnitState { load: load.into(), ..state("inactive") }, details());
            let end = End {
                state: &state,
                details: Some(&details),
                result: "",
                job: None,
                up_since: Some(20),
                lapped: false,
                fell_in_job: false,
            };
            let text = failed(end.news(None, false));
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn a_cause_is_waited_for_unless_it_is_a_failure_that_nobody_sees_to() {
        let (state, details, stop) = (state("inactive"), details(), job(Some(JobKind::Stop), "done"));
        let end = |details| End {
            state: &state,
            details: Some(details),
            result: "success",
            job: Some(&stop),
            up_since: Some(20),
            lapped: false,
            fell_in_job: false,
        };
        for kind in [CauseKind::Stopped, CauseKind::Gone, CauseKind::Conflict, CauseKind::Isolated] {
            let cause = Cause { unit: "db.service".into(), kind };
            let news = end(&details).news(Some(&cause), false);
            assert!(matches!(&news, News::StoppedWith(text) if text.starts_with("db.service")), "{news:?}");
        }
        let crash = Cause { unit: "db.service".into(), kind: CauseKind::Failed };
        assert!(
            failed(end(&details).news(Some(&crash), false)).contains("db.service, which it is bound to, has failed")
        );
        assert!(matches!(end(&details).news(Some(&crash), true), News::StoppedWith(_)));
        let unneeded = Details { stops_when_unneeded: true, ..details.clone() };
        assert!(failed(end(&unneeded).news(None, false)).contains("StopWhenUnneeded=yes"));
    }
}
