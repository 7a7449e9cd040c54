//! One start or stop, from its call to the verdict on it, whatever others do to its job meanwhile (docs/UNITS.md,
//! section 5).
//!
//! Owns what it means that a job of ours was canceled, and that another one took its place. Never judges what becomes
//! of a unit after that ([`super::watch`]).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use zbus::OwnedObjectPath;

use super::answer::connection_error;
use super::cause::{Cause, CauseKind};
use super::changes::News;
use super::details::Details;
use super::error::{UnitError, Verb};
use super::jobs::{JobKind, UnitJob, UnitJobs};
use super::signals::{AbortedStart, ManagerEvent, job_number};
use super::state::{ActiveState, UnitState};
use super::systemd::{JobWish, LAG, RECHECK, RETRY, ServiceProperty, Systemd, satisfied};
use crate::util::clock::monotonic_usec;

/// How often a start or stop is asked for again because others have ended its job.
const AGAIN: u32 = 10;

/// How a job ended, as far as is known.
#[derive(Debug, Clone)]
enum Ended {
    /// `JobRemoved` with this result.
    Told(String),
    /// The unit no longer has the job, and no signal told why.
    Unseen,
}

impl Ended {
    fn word(&self) -> &str {
        match self {
            Ended::Told(result) => result,
            Ended::Unseen => "unknown",
        }
    }

    /// Whether the job was taken from the unit, or nobody knows what became of it: systemd may go on with the unit
    /// all the same. `systemctl cancel` ends a job with the result `canceled`, and so does a job against it.
    fn says_little(&self) -> bool {
        matches!(self.word(), "canceled" | "unknown")
    }
}

/// Where a unit has come to when our job, and each that took its place, is over.
struct Settled {
    state: UnitState,
    /// When the state was asked for, CLOCK_MONOTONIC in microseconds.
    at: u64,
    /// How the last of the jobs ended.
    ended: Ended,
    /// The last of them is not ours.
    replaced: bool,
    /// The unit went on without a job, and has come to an end of that.
    went_on: bool,
}

/// What follows from that, where the unit is not where it should be.
enum Outcome {
    /// What the unit and its job say.
    Judged(Ended),
    /// Others have ended our job, and nobody wanted that of the unit: it is asked for again.
    Again,
    /// Our start was ended by a stop.
    Stopped(News, Option<Cause>),
}

impl Systemd {
    /// Does what is wished, however long it takes.
    ///
    /// # Errors
    /// Every [`UnitError`] but [`UnitError::Deadline`].
    pub(super) async fn drive(&self, wish: JobWish<'_>, pinned: &AtomicBool) -> Result<(), UnitError> {
        let JobWish { verb, unit, .. } = wish;
        // Before anything is asked, so that no answer is missed.
        let mut events = self.events.subscribe();
        let mut again = 0;
        loop {
            let Some(job) = self.begin(wish, pinned).await? else { return Ok(()) };
            let settled = self.follow(verb, unit, &job, &mut events).await?;
            let state = &settled.state;
            if satisfied(verb, state) {
                self.tell_up(verb, state, settled.at);
                return Ok(());
            }
            match self.outcome(verb, &job, &settled).await {
                Outcome::Again if again < AGAIN => again += 1,
                Outcome::Again => {
                    return self.judge(verb, unit, state, &Ended::Told("canceled".to_owned())).await;
                }
                Outcome::Judged(ended) => return self.judge(verb, unit, state, &ended).await,
                Outcome::Stopped(news, cause) => {
                    let (name, unit) = (state.name.clone(), unit.to_owned());
                    let told = AbortedStart { unit: name, news: news.clone(), cause };
                    // Nobody may be watching.
                    let _ = self.events.send(ManagerEvent::Aborted(Arc::new(told)));
                    return Err(UnitError::Aborted { unit, news });
                }
            }
            sleep(RETRY).await;
        }
    }

    /// Waits until `job` of `unit` is over, and each job that took its place. Not for one that starts what is to be
    /// stopped.
    async fn follow(
        &self,
        verb: Verb,
        unit: &str,
        job: &OwnedObjectPath,
        events: &mut broadcast::Receiver<ManagerEvent>,
    ) -> Result<Settled, UnitError> {
        let mut job = job.clone();
        let mut replaced = false;
        loop {
            let ended = self.finish(unit, &job, events).await?;
            let (state, at, went_on) = self.at_rest(unit, &ended).await?;
            let against_us = verb == Verb::Stop && state.job_type != "stop";
            match &state.job {
                Some(other) if *other != job && !satisfied(verb, &state) && !against_us => {
                    (job, replaced) = (other.clone(), true);
                }
                _ => return Ok(Settled { state, at, ended, replaced, went_on }),
            }
        }
    }

    /// The state of a unit whose job is over, and when that was asked for. What goes up or down without its job is
    /// waited for; the last value says whether it was.
    async fn at_rest(&self, unit: &str, ended: &Ended) -> Result<(UnitState, u64, bool), UnitError> {
        let mut went_on = false;
        loop {
            let at = monotonic_usec();
            let state = self.patiently(|| self.state(unit)).await?;
            let moves = matches!(state.active, ActiveState::Activating | ActiveState::Deactivating);
            if !moves || state.job.is_some() || state.awaits_restart() || !ended.says_little() {
                return Ok((state, at, went_on));
            }
            went_on = true;
            sleep(RETRY).await;
        }
    }

    /// What it means that the unit is not where it should be: it may be others who have seen to that.
    async fn outcome(&self, verb: Verb, job: &OwnedObjectPath, settled: &Settled) -> Outcome {
        let Settled { state, ended, replaced, went_on, .. } = settled;
        let judged = || Outcome::Judged(ended.clone());
        let Some(own) = job_number(job) else { return judged() };
        let canceled = *replaced || ended.word() == "canceled";
        let mut jobs = self.jobs();
        if canceled && jobs.last_since(&state.name, own).is_none() {
            // What took its place may have been over at once, and be still on its way to us.
            sleep(LAG).await;
            jobs = self.jobs();
        }
        let other = jobs.last_since(&state.name, own);
        if verb == Verb::Stop {
            // Somebody starts what is to be down, or has canceled its stop: nothing of a group that is given away may
            // be left running.
            let started = state.job.is_some() || other.is_some_and(|other| other.kind != Some(JobKind::Stop));
            return if canceled || started { Outcome::Again } else { judged() };
        }
        if !state.active.is_down() || state.job.is_some() || state.awaits_restart() {
            return judged();
        }
        match other {
            None if *replaced => Outcome::Judged(Ended::Told("canceled".to_owned())),
            // It ended by itself: its job would not have told more.
            None if *went_on => Outcome::Judged(Ended::Unseen),
            None if canceled => Outcome::Again,
            None => judged(),
            Some(other) => self.ended_by(state, own, other, &jobs).await,
        }
    }

    /// The same of a start after which `other`, the last job of the unit, has come.
    async fn ended_by(&self, state: &UnitState, own: u32, other: &UnitJob, jobs: &UnitJobs) -> Outcome {
        let failed = |result: &str| Outcome::Judged(Ended::Told(result.to_owned()));
        if other.result() == "canceled" {
            return Outcome::Again;
        }
        let maybe_stop = matches!(other.kind, None | Some(JobKind::Stop)) && other.result() == "done";
        if !maybe_stop {
            return failed(other.result());
        }
        if other.own {
            // The unit stands in two groups, one of which goes away.
            return Outcome::Again;
        }
        let Ok(details) = self.details(state.path.clone()).await else { return failed("canceled") };
        let gone = jobs.of(own).and_then(|own| own.ended.as_ref());
        if other.kind.is_none() && gone.is_some_and(|(gone, _)| details.tried > *gone) {
            // It was over before its type could be read, and a start was tried since ours.
            return failed(other.result());
        }
        // systemd adds a stop of what is at rest only where that has a job to be ended.
        let had_job = gone.is_none_or(|(_, result)| result == "canceled");
        let cause = if had_job {
            self.cause_of_stop(&details, other, jobs).await
        } else {
            self.cause(&details, other, jobs).await
        };
        match stop_news(&details, other, cause.as_ref()) {
            Some(news) => Outcome::Stopped(news, cause),
            None => failed("canceled"),
        }
    }

    /// Waits until `job` of `unit` is over.
    async fn finish(
        &self,
        unit: &str,
        job: &OwnedObjectPath,
        events: &mut broadcast::Receiver<ManagerEvent>,
    ) -> Result<Ended, UnitError> {
        let mut tick = interval(RECHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(ManagerEvent::JobRemoved(removed)) if removed.job == *job => {
                        return Ok(Ended::Told(removed.result.clone()));
                    }
                    Ok(ManagerEvent::Look) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Ok(_) => continue,
                    Err(broadcast::error::RecvError::Closed) => return Err(UnitError::ConnectionLost),
                },
                _ = tick.tick() => {}
            }
            match self.state(unit).await {
                Ok(state) if state.job.as_ref() != Some(job) => break,
                // Still there, or not answered: both mean to wait on.
                Ok(_) | Err(UnitError::Bus(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let told = async {
            loop {
                match events.recv().await {
                    Ok(ManagerEvent::JobRemoved(removed)) if removed.job == *job => {
                        return Ended::Told(removed.result.clone());
                    }
                    Err(broadcast::error::RecvError::Closed) => return Ended::Unseen,
                    _ => {}
                }
            }
        };
        Ok(timeout(LAG, told).await.unwrap_or(Ended::Unseen))
    }

    /// What it means that the job is over and the unit is not simply where it should be.
    async fn judge(&self, verb: Verb, unit: &str, state: &UnitState, ended: &Ended) -> Result<(), UnitError> {
        let failed = |result: String| UnitError::Failed {
            unit: unit.to_owned(),
            verb,
            job: ended.word().to_owned(),
            active: state.active.clone(),
            sub: state.sub.clone(),
            result,
        };
        let service = state.name.ends_with(".service");
        let result =
            if service { self.service_property(state, ServiceProperty::Result).await? } else { String::new() };
        // Only what hbd makes: a status that others leave may be of better times.
        if service && unit.starts_with("hbd-") && result != "success" {
            let text = self.service_property(state, ServiceProperty::StatusText).await?;
            if !text.is_empty() {
                return Err(UnitError::Told { unit: unit.to_owned(), verb, text });
            }
        }
        let clean_end = matches!(ended, Ended::Unseen) || ended.word() == "done";
        if verb == Verb::Stop || state.active != ActiveState::Inactive || !clean_end {
            return Err(failed(result));
        }
        if result == "exec-condition" || !self.condition_met(state).await? {
            return Err(UnitError::Condition { unit: unit.to_owned() });
        }
        if service && result != "success" {
            return Err(failed(result));
        }
        if service && self.service_property(state, ServiceProperty::Type).await? == "oneshot" {
            return Ok(());
        }
        Err(UnitError::Ended { unit: unit.to_owned() })
    }

    /// Whether the last attempt passed the unit's conditions; a unit never tried since it was loaded counts as met.
    async fn condition_met(&self, state: &UnitState) -> Result<bool, UnitError> {
        self.patiently(|| async {
            let lost = |error| connection_error(&self.connection, error);
            let unit = self.unit_at(state.path.clone()).await.map_err(lost)?;
            let tried = self.call(unit.condition_timestamp_monotonic()).await.map_err(lost)? != 0;
            Ok(!tried || self.call(unit.condition_result()).await.map_err(lost)?)
        })
        .await
    }
}

/// What it means that `stop` ended a start; `None` if it is a failure of the unit ([`super::ends`]).
fn stop_news(details: &Details, stop: &UnitJob, cause: Option<&Cause>) -> Option<News> {
    match cause {
        Some(cause) if cause.kind == CauseKind::Failed => None,
        Some(cause) => Some(News::StoppedWith(cause.text())),
        None if details.stops_when_unneeded => None,
        None => Some(News::Stopped { asked: stop.begun }),
    }
}
