//! systemd's jobs, as far as their signals and `ListJobs` told of them: which are under way, and how the others
//! ended.
//!
//! Owns the table of jobs. Pure: what is told goes in with the time at which it was heard. Never judges what a job
//! means for a unit ([`super::ends`], [`super::causes`]).

use std::collections::BTreeMap;

use zbus::message::Sequence;

use super::signals::{ListedJob, ManagerEvent, NewJob, OwnStop, RemovedJob};

/// How long an ended job is remembered, microseconds.
const REMEMBERED: u64 = 60_000_000;
/// A job that ended this long, microseconds, before another one of the same transaction was announced still counts as
/// its contemporary: systemd announces a job that takes no time together with its end, before the others.
const ANNOUNCED: u64 = 200_000;

/// What a job does (`JobType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobKind {
    /// Starts the unit. The second half of a restart is a start, too.
    Start,
    /// Stops the unit, and starts it again.
    Restart,
    /// Stops the unit.
    Stop,
    /// Reloads it, verifies that it is active, or nothing.
    Other,
}

impl JobKind {
    fn from_word(word: &str) -> Self {
        match word {
            "start" | "reload-or-start" => JobKind::Start,
            "restart" | "try-restart" => JobKind::Restart,
            "stop" => JobKind::Stop,
            _ => JobKind::Other,
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitJob {
    /// Its number. The job that was asked for has a smaller one than those that systemd adds because of it.
    pub id: u32,
    /// Its unit, by its primary name.
    pub unit: String,
    /// `None` if it was over before it could be asked.
    pub kind: Option<JobKind>,
    /// hbd asked for it, and nobody before hbd. It is a stop.
    pub own: bool,
    /// When it was heard of, CLOCK_MONOTONIC in microseconds.
    pub begun: u64,
    /// When its end was heard of, and its result (`done`, `failed`, `canceled`, …).
    pub ended: Option<(u64, String)>,
    /// The places of `JobNew` and `JobRemoved` among the signals of this connection, if they were heard over it.
    pub new_at: Option<Sequence>,
    /// See `new_at`.
    pub removed_at: Option<Sequence>,
}

impl UnitJob {
    /// Its result; empty while it is under way.
    pub(super) fn result(&self) -> &str {
        self.ended.as_ref().map_or("", |(_, result)| result)
    }

    /// Whether it is over, and its end was heard of later than at `moment`.
    pub(super) fn ended_after(&self, moment: u64) -> bool {
        self.ended.as_ref().is_some_and(|(ended, _)| *ended > moment)
    }
}

/// The jobs of the last minute.
#[derive(Debug, Clone, Default)]
pub(super) struct UnitJobs(BTreeMap<u32, UnitJob>);

impl UnitJobs {
    /// Takes in what an event tells of jobs.
    pub(super) fn hear(&mut self, event: &ManagerEvent, now: u64) {
        match event {
            ManagerEvent::JobNew(new) => self.begin(new, now),
            ManagerEvent::Jobs(listed) => self.list(listed, now),
            ManagerEvent::JobRemoved(removed) => self.end(removed, now),
            ManagerEvent::OwnStop(own) => self.note_own_stop(own, now),
            ManagerEvent::Look | ManagerEvent::Up(_) | ManagerEvent::Aborted(_) => {}
        }
    }

    /// `JobNew`.
    pub(super) fn begin(&mut self, new: &NewJob, now: u64) {
        self.0.retain(|_, job| job.ended.as_ref().is_none_or(|(ended, _)| now.saturating_sub(*ended) < REMEMBERED));
        self.entry(new.id, &new.unit, now).new_at = Some(new.at);
    }

    /// `ListJobs`. A job that it does not name is over, and its end was not heard of, if the job is no newer than the
    /// list.
    pub(super) fn list(&mut self, listed: &[ListedJob], now: u64) {
        let named = |id: u32| listed.iter().any(|one| one.id == id);
        self.0.retain(|id, job| job.ended.is_some() || named(*id) || now.saturating_sub(job.begun) < ANNOUNCED);
        for one in listed {
            let job = self.entry(one.id, &one.unit, now);
            // What was a restart and is a start now has stopped the unit.
            job.kind = job.kind.or(Some(JobKind::from_word(&one.kind)));
        }
    }

    /// `JobRemoved`.
    pub(super) fn end(&mut self, removed: &RemovedJob, now: u64) {
        let job = self.entry(removed.id, &removed.unit, now);
        (job.ended, job.removed_at) = (Some((now, removed.result.clone())), Some(removed.at));
    }

    /// A stop that we asked for.
    pub(super) fn note_own_stop(&mut self, own: &OwnStop, now: u64) {
        let job = self.entry(own.id, &own.unit, now);
        (job.own, job.kind) = (true, Some(JobKind::Stop));
    }

    /// Another connection counts its signals anew.
    pub(super) fn forget_places(&mut self) {
        for job in self.0.values_mut() {
            (job.new_at, job.removed_at) = (None, None);
        }
    }

    fn entry(&mut self, id: u32, unit: &str, now: u64) -> &mut UnitJob {
        self.0.entry(id).or_insert_with(|| UnitJob {
            id,
            unit: unit.to_owned(),
            kind: None,
            own: false,
            begun: now,
            ended: None,
            new_at: None,
            removed_at: None,
        })
    }

    /// The last job of `unit` that ended at `since` or later and may have started or stopped it. A reload, `nop` and
    /// `verify-active` do neither; of a job of unknown type `idle` says whether it did.
    pub(super) fn last_ended(&self, unit: &str, since: u64, idle: impl Fn(&UnitJob) -> bool) -> Option<&UnitJob> {
        let ended = |job: &&UnitJob| job.unit == unit && job.ended.as_ref().is_some_and(|(ended, _)| *ended >= since);
        let acts = |job: &&UnitJob| match job.kind {
            Some(kind) => kind != JobKind::Other,
            None => !idle(job),
        };
        self.0.values().rev().filter(ended).find(acts)
    }

    /// The job of that number.
    pub(super) fn of(&self, id: u32) -> Option<&UnitJob> {
        self.0.get(&id)
    }

    /// The last job of `unit` that came after the end of the job `own`, is over, and may have started or stopped it.
    pub(super) fn last_since(&self, unit: &str, own: u32) -> Option<&UnitJob> {
        let end = self.of(own).and_then(|own| own.removed_at);
        // What takes the place of a job is announced behind the end of that one.
        let after = |job: &&UnitJob| match (end, job.new_at) {
            (Some(end), Some(new)) => end < new,
            _ => true,
        };
        let mut later = self.0.range(own..).rev().map(|(_, job)| job).filter(|job| job.id != own);
        let acts = |job: &&UnitJob| job.unit == unit && job.ended.is_some() && job.kind != Some(JobKind::Other);
        later.find(|job| acts(job) && after(job))
    }

    /// When somebody else asked first for a stop of `unit` that ended at `since` or later. A job of unknown type that
    /// is done is taken for one.
    pub(super) fn first_stop(&self, unit: &str, since: u64) -> Option<u64> {
        let ended = |job: &UnitJob| job.unit == unit && job.ended.as_ref().is_some_and(|(ended, _)| *ended >= since);
        let stop =
            |job: &UnitJob| !job.own && matches!(job.kind, None | Some(JobKind::Stop)) && job.result() == "done";
        self.0.values().filter(|job| ended(job) && stop(job)).map(|job| job.begun).min()
    }

    /// The job of `unit` that may have been asked for first, and have brought about `job`.
    pub(super) fn before(&self, unit: &str, job: &UnitJob) -> Option<&UnitJob> {
        self.earlier(job).find(|earlier| earlier.unit == unit)
    }

    /// Whether no job of `unit` was queued with `job` or after it.
    pub(super) fn by_itself(&self, unit: &str, job: &UnitJob) -> bool {
        self.0.range(job.id..).all(|(_, later)| later.unit != unit)
    }

    /// Jobs that were under way when `job` was queued, the latest first.
    pub(super) fn earlier(&self, job: &UnitJob) -> impl Iterator<Item = &UnitJob> {
        let begun = job.begun;
        let over = move |earlier: &UnitJob| {
            earlier.ended.as_ref().is_some_and(|(ended, _)| ended.saturating_add(ANNOUNCED) < begun)
        };
        self.0.range(..job.id).rev().map(|(_, earlier)| earlier).filter(move |earlier| !over(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(id: u32, unit: &str) -> NewJob {
        NewJob { id, unit: unit.into(), at: Sequence::default() }
    }

    fn removed(id: u32, unit: &str, result: &str) -> RemovedJob {
        let (job, at) = ("/job".try_into().unwrap(), Sequence::default());
        RemovedJob { id, job, unit: unit.into(), result: result.into(), at }
    }

    fn listed(id: u32, unit: &str, kind: &str) -> ListedJob {
        ListedJob { id, unit: unit.into(), kind: kind.into() }
    }

    #[test]
    fn a_restart_stays_one_when_it_has_become_a_start() {
        let mut jobs = UnitJobs::default();
        jobs.begin(&new(7, "web.service"), 100);
        jobs.list(&[listed(7, "web.service", "restart")], 101);
        jobs.list(&[listed(7, "web.service", "start")], 150);
        jobs.end(&removed(7, "web.service", "failed"), 200);
        let job = jobs.last_ended("web.service", 200, |_| false).unwrap();
        assert_eq!((job.kind, job.result()), (Some(JobKind::Restart), "failed"));
        assert_eq!(jobs.last_ended("web.service", 201, |_| false), None);
    }

    #[test]
    fn a_job_that_starts_and_stops_nothing_hides_no_stop() {
        let mut jobs = UnitJobs::default();
        let kinds = [(3, "stop"), (4, "nop"), (5, "verify-active"), (6, "reload"), (7, "")];
        for (id, kind) in kinds {
            jobs.begin(&new(id, "web.service"), 100);
            if !kind.is_empty() {
                jobs.list(&[listed(id, "web.service", kind)], 100);
            }
            jobs.end(&removed(id, "web.service", "done"), 150);
        }
        let last = |idle: bool| jobs.last_ended("web.service", 100, |_| idle).map(|job| job.id);
        assert_eq!(last(true), Some(3));
        assert_eq!(last(false), Some(7), "a job of unknown type may be a start or a stop");
    }

    #[test]
    fn what_is_stopped_twice_was_stopped_at_the_first_time() {
        let mut jobs = UnitJobs::default();
        for (id, kind, begun, result) in
            [(3, "stop", 100, "done"), (4, "start", 200, "failed"), (5, "stop", 300, "done"), (6, "", 400, "done")]
        {
            jobs.begin(&new(id, "web.service"), begun);
            if !kind.is_empty() {
                jobs.list(&[listed(id, "web.service", kind)], begun);
            }
            jobs.end(&removed(id, "web.service", result), begun + 50);
        }
        assert_eq!(jobs.first_stop("web.service", 90), Some(100));
        assert_eq!(jobs.first_stop("web.service", 200), Some(300), "a start was tried since");
        assert_eq!(jobs.first_stop("web.service", 400), Some(400));
        assert_eq!(jobs.first_stop("db.service", 0), None);
    }

    #[test]
    fn a_stop_of_our_own_is_known_whenever_that_is_heard_and_is_nobodys_wish() {
        let own = OwnStop { id: 7, unit: "web.service".into() };
        for late in [false, true] {
            let mut jobs = UnitJobs::default();
            if !late {
                jobs.note_own_stop(&own, 99);
            }
            jobs.begin(&new(7, "web.service"), 100);
            jobs.end(&removed(7, "web.service", "done"), 150);
            if late {
                jobs.note_own_stop(&own, 151);
            }
            let job = jobs.last_ended("web.service", 100, |_| false).unwrap();
            assert_eq!((job.own, job.kind, job.result()), (true, Some(JobKind::Stop), "done"));
            assert_eq!(jobs.first_stop("web.service", 100), None);
        }
    }

    #[test]
    fn the_signals_of_one_job_may_come_in_any_order() {
        let mut jobs = UnitJobs::default();
        jobs.end(&removed(7, "web.service", "done"), 100);
        jobs.begin(&new(7, "web.service"), 101);
        jobs.list(&[listed(7, "web.service", "stop")], 102);
        let job = jobs.last_ended("web.service", 100, |_| false).unwrap();
        assert_eq!((job.kind, job.result()), (Some(JobKind::Stop), "done"));
    }

    #[test]
    fn the_places_of_another_connection_say_nothing() {
        let mut jobs = UnitJobs::default();
        jobs.begin(&new(7, "web.service"), 100);
        jobs.forget_places();
        jobs.end(&removed(7, "web.service", "done"), 101);
        let job = jobs.last_ended("web.service", 100, |_| false).unwrap();
        assert_eq!((job.new_at, job.removed_at), (None, Some(Sequence::default())));
    }

    #[test]
    fn only_an_earlier_job_of_the_same_time_can_have_brought_about_another() {
        let mut jobs = UnitJobs::default();
        let web = |jobs: &UnitJobs| jobs.0[&8].clone();
        jobs.begin(&new(7, "db.service"), 1_000_000);
        jobs.begin(&new(8, "web.service"), 1_000_010);
        jobs.begin(&new(9, "log.service"), 1_000_020);
        assert_eq!(jobs.before("db.service", &web(&jobs)).map(|job| job.id), Some(7));
        assert_eq!(jobs.before("log.service", &web(&jobs)), None, "it was queued later");
        jobs.end(&removed(7, "db.service", "done"), 1_000_005);
        assert!(jobs.before("db.service", &web(&jobs)).is_some(), "announced together with its end");
        jobs.end(&removed(7, "db.service", "done"), 700_000);
        assert_eq!(jobs.before("db.service", &web(&jobs)), None, "over before");
    }

    #[test]
    fn a_job_whose_end_was_missed_is_over_when_it_is_not_listed() {
        let mut jobs = UnitJobs::default();
        jobs.begin(&new(1, "web.service"), 0);
        jobs.begin(&new(2, "db.service"), ANNOUNCED);
        jobs.list(&[], ANNOUNCED + 1);
        assert_eq!(jobs.0.keys().copied().collect::<Vec<_>>(), [2], "the second may be newer than the list");
    }

    #[test]
    fn ended_jobs_are_forgotten_after_a_minute() {
        let mut jobs = UnitJobs::default();
        jobs.end(&removed(1, "web.service", "done"), 5);
        jobs.begin(&new(2, "db.service"), REMEMBERED + 5);
        assert_eq!(jobs.last_ended("web.service", 0, |_| false), None);
        assert_eq!(jobs.0.len(), 1);
    }
}
