//! Watching units: what becomes of them without our doing (docs/UNITS.md).
//!
//! Owns what is remembered of each unit between two looks, also while the connection is lost. Never decides what is
//! to be done.

mod wish;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use zbus::OwnedObjectPath;

use super::announced::StateSignals;
use super::answer::connection_error;
use super::cause::Cause;
use super::causes::HEARD;
use super::changes::{Look, News, Seen, UnitChanges};
use super::details::Details;
use super::ends::End;
use super::error::UnitError;
use super::jobs::{UnitJob, UnitJobs};
use super::signals::{AbortedStart, ManagerEvent};
use super::state::UnitState;
use super::systemd::{LAG, RECHECK, Systemd};
use crate::util::clock::monotonic_usec;

/// Units whose signals are subscribed to: dbus-daemon allows a connection 512 match rules
/// (`max_match_rules_per_connection`). Further units are seen by the periodic look.
const WATCHED: usize = 400;
/// How long systemd may leave a question unanswered, or the connection be lost, before the units count as unknown: a
/// reload of systemd, its new execution, and a restart of the bus take less.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// How long a stop of our own is no news, microseconds: longer than our own start after it needs. Then it is, because
/// the unit may stand in two groups, one of which is to run.
pub(super) const OWN_STOP: u64 = 10_000_000;

/// What is remembered of the watched units.
#[derive(Debug)]
pub(super) struct Watched {
    units: Vec<Watch>,
    jobs: UnitJobs,
    /// What was announced of them over this connection.
    announced: Arc<StateSignals>,
    /// When systemd answered last.
    answered: Instant,
}

/// What is remembered of one unit.
#[derive(Debug)]
struct Watch {
    /// Its name as it was asked for.
    unit: String,
    /// Its primary name, in which jobs speak of it.
    name: String,
    /// Its object path, once it was looked at.
    path: Option<OwnedObjectPath>,
    changes: UnitChanges,
    /// Since when it was seen up, CLOCK_MONOTONIC in microseconds.
    up_since: Option<u64>,
    /// When it was seen to be up no more, CLOCK_MONOTONIC in microseconds, if it has not been up since.
    fell_at: Option<u64>,
    /// `Restart=` was about to start it again, or did, and it has not been up since.
    lapped: bool,
    /// When its end was judged last, CLOCK_MONOTONIC in microseconds; 0 for never.
    judged: u64,
    /// When it is to be judged: it is down, and the end of the job that did it may be still on its way.
    judge_at: Option<Instant>,
    /// The verdict on it while it is down.
    standing: Option<News>,
    /// Until the first look: when its stop was asked for, CLOCK_MONOTONIC in microseconds, as a predecessor noted.
    wish: Option<u64>,
    /// That is not said yet: we stopped it ourselves.
    quiet: bool,
    /// What stopped it, and is not over.
    cause: Option<Cause>,
    /// A job of it has ended since that was said.
    job_ended: bool,
    /// systemd was said not to answer.
    unknown: bool,
}

impl Watched {
    /// Nothing is known of these units.
    pub(super) fn new(units: &[String]) -> Self {
        let watch = |unit: &String| Watch {
            unit: unit.clone(),
            name: unit.clone(),
            path: None,
            changes: UnitChanges::default(),
            up_since: None,
            fell_at: None,
            lapped: false,
            judged: 0,
            judge_at: None,
            standing: None,
            wish: None,
            quiet: false,
            cause: None,
            job_ended: false,
            unknown: false,
        };
        let (jobs, announced) = (UnitJobs::default(), Arc::default());
        Watched { units: units.iter().map(watch).collect(), jobs, announced, answered: Instant::now() }
    }

    /// When the units count as unknown if systemd does not answer before.
    pub(super) fn unknown_at(&self) -> Instant {
        self.answered + ANSWER
    }

    /// Whether that was said, and systemd has not answered since.
    pub(super) fn is_unknown(&self) -> bool {
        self.units.iter().all(|watch| watch.unknown)
    }

    /// Says that the units are unknown if systemd has not answered for too long; once until it answers again.
    pub(super) fn note_silence(&mut self, report: &mut (impl FnMut(&str, News) + Send)) {
        if Instant::now() < self.unknown_at() {
            return;
        }
        for watch in &mut self.units {
            watch.judge_at = None;
            if !std::mem::replace(&mut watch.unknown, true) {
                report(&watch.unit, News::Unknown);
            }
        }
    }

    fn all(&self) -> Vec<usize> {
        (0..self.units.len()).collect()
    }

    /// Whether a job of unknown type found a unit at rest and left it there, as a `nop` and a `verify-active` do
    /// (`systemctl try-restart` of what is down).
    fn is_idle(&self, index: usize, details: &Details, job: &UnitJob) -> bool {
        let watch = &self.units[index];
        // `verify-active` of what is not active is skipped. A start is tried, also one that comes to nothing at once.
        let nothing = matches!(job.result(), "done" | "skipped") && details.tried <= details.rested;
        let known = watch.standing.is_some() && details.rested <= watch.judged && watch.judged < job.begun;
        nothing && (known || self.announced.fell_before(index, job))
    }

    fn next_judgement(&self) -> Option<Instant> {
        self.units.iter().filter_map(|watch| watch.judge_at).min()
    }

    /// Takes in what was heard of jobs. Returns the units to be looked at.
    fn hear(&mut self, event: &ManagerEvent) -> Vec<usize> {
        let now = monotonic_usec();
        self.jobs.hear(event, now);
        match event {
            ManagerEvent::JobNew(_) | ManagerEvent::Jobs(_) | ManagerEvent::OwnStop(_) => {}
            ManagerEvent::JobRemoved(removed) => {
                let mut concerned = Vec::new();
                for (index, watch) in self.units.iter_mut().enumerate() {
                    watch.job_ended |= watch.name == removed.unit;
                    let of_cause = watch.cause.as_ref().is_some_and(|cause| cause.unit == removed.unit);
                    if watch.name == removed.unit || of_cause {
                        concerned.push(index);
                    }
                }
                return concerned;
            }
            ManagerEvent::Look => return self.all(),
            ManagerEvent::Aborted(aborted) => {
                let concerned = |watch: &Watch| watch.name == aborted.unit;
                for watch in self.units.iter_mut().filter(|watch| concerned(watch)) {
                    watch.was_aborted(aborted, now);
                }
                return self.all().into_iter().filter(|index| concerned(&self.units[*index])).collect();
            }
            ManagerEvent::Up(seen) => {
                let mut concerned = Vec::new();
                for (index, watch) in self.units.iter_mut().enumerate() {
                    if watch.name == seen.unit && watch.judged < seen.at {
                        watch.rose(seen.at);
                        concerned.push(index);
                    }
                }
                return concerned;
            }
        }
        Vec::new()
    }
}

/// What it means that a unit is down.
struct Verdict {
    news: News,
    /// What stopped it.
    cause: Option<Cause>,
    /// We stopped it ourselves just now: the end of that stop says so.
    quiet: bool,
}

impl Watch {
    /// It was up at that moment: if it is down when it is looked at, that is a new end, and not the last one again.
    fn rose(&mut self, at: u64) {
        if !self.changes.is_up() {
            self.changes.rose();
            (self.standing, self.cause, self.lapped, self.up_since) = (None, None, false, Some(at));
            self.fell_at = None;
        }
    }

    /// A stop has ended its start, which is being said.
    fn was_aborted(&mut self, aborted: &AbortedStart, now: u64) {
        self.changes.fell();
        (self.judged, self.judge_at, self.job_ended) = (now, None, false);
        (self.standing, self.cause, self.quiet) = (Some(aborted.news.clone()), aborted.cause.clone(), false);
        (self.up_since, self.lapped) = (None, false);
    }

    /// It is to be judged at that moment, or before if it is to be so already.
    fn judge_by(&mut self, at: Instant) {
        self.judge_at = Some(self.judge_at.map_or(at, |due| due.min(at)));
    }
}

impl Systemd {
    /// Reports what becomes of each of the units without our doing until the connection is gone. Drop the future to
    /// end it. The next connection goes on with the same `watched`.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] at last; [`UnitError::Bus`] when signals cannot be subscribed to.
    pub(super) async fn watch(
        &self,
        watched: &mut Watched,
        mut report: impl FnMut(&str, News) + Send,
    ) -> Result<(), UnitError> {
        let mut events = self.events.subscribe();
        let announced = Arc::new(StateSignals::default());
        watched.announced = Arc::clone(&announced);
        watched.jobs.forget_places();
        let _drain = timeout(ANSWER, self.watch_signals(watched))
            .await
            .unwrap_or_else(|_| Err(zbus::Error::from(zbus::fdo::Error::TimedOut("no answer".to_owned())).into()))?;

        let mut tick = interval(RECHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = watched.next_judgement();
            let due_at = due.unwrap_or_else(Instant::now);
            let (look, again) = tokio::select! {
                () = self.connection.closed() => return Err(UnitError::ConnectionLost),
                () = announced.changed.notified() => (announced.take(), false),
                _ = tick.tick() => (watched.all(), true),
                () = sleep_until(due_at), if due.is_some() => {
                    let mut concerned = Vec::new();
                    while let Ok(event) = events.try_recv() {
                        concerned.extend(watched.hear(&event));
                    }
                    self.judge_due(watched, &mut report).await;
                    (concerned, false)
                }
                event = events.recv() => match event {
                    Ok(event) => (watched.hear(&event), false),
                    Err(_) => (watched.all(), false),
                },
            };
            if !look.is_empty() {
                self.look_at(watched, &look, again, &mut report).await;
            }
        }
    }

    /// Looks at these units. `again`: what is still broken is said again.
    async fn look_at(
        &self,
        watched: &mut Watched,
        look: &[usize],
        again: bool,
        report: &mut (impl FnMut(&str, News) + Send),
    ) {
        let names: Vec<&str> = look.iter().map(|index| watched.units[*index].unit.as_str()).collect();
        let read = async {
            // Before the states: see `UnitChanges::look`.
            let restarts = join_all(look.iter().map(|index| self.restarts_of(&watched.units[*index]))).await;
            self.states(&names).await.map(|states| (restarts, states))
        };
        let Ok(Ok((restarts, states))) = timeout(ANSWER, read).await else {
            watched.note_silence(report);
            return;
        };
        watched.answered = Instant::now();
        for ((index, restarts), state) in look.iter().zip(restarts).zip(states) {
            let Some(state) = state else { continue };
            self.take_in(&mut watched.units[*index], &state, restarts, again, report).await;
        }
    }

    /// Takes in one state of one unit.
    async fn take_in(
        &self,
        watch: &mut Watch,
        state: &UnitState,
        restarts: Option<u32>,
        again: bool,
        report: &mut (impl FnMut(&str, News) + Send),
    ) {
        watch.name.clone_from(&state.name);
        watch.path = Some(state.path.clone());
        let ran = watch.changes.is_up();
        let Look { laps, seen } = watch.changes.look(state, restarts);
        if state.active.is_up() {
            watch.fell_at = None;
        } else {
            watch.fell_at.get_or_insert_with(monotonic_usec);
        }
        if laps > 0 {
            (watch.standing, watch.cause, watch.lapped) = (None, None, true);
            let text = lap_text(&state.name, &self.result_of(state).await);
            (0..laps).for_each(|_| report(&watch.unit, News::Restarting(text.clone())));
        }
        let unknown = watch.unknown && (state.job.is_none() || state.active.is_up());
        match seen {
            Seen::Up => {
                (watch.standing, watch.cause, watch.lapped) = (None, None, false);
                watch.up_since = Some(monotonic_usec());
                report(&watch.unit, News::Up);
            }
            Seen::Nothing if state.active.is_up() => {
                if unknown && ran {
                    report(&watch.unit, News::Up);
                }
            }
            Seen::Down | Seen::Nothing => {
                self.weigh_wish(watch, state).await;
                let settled = state.job.is_none() && state.active.is_down() && !state.awaits_restart();
                let news = seen == Seen::Down && watch.standing.is_none();
                // Somebody may have asked for its stop while it was down, or tried in vain to start it.
                let news = news || (watch.standing.is_some() && watch.job_ended);
                if settled && (news || (unknown && watch.quiet)) {
                    watch.standing.take_if(|_| unknown);
                    watch.judge_by(Instant::now() + LAG);
                } else if let (true, Some(standing)) = (settled, &watch.standing) {
                    let lasts = matches!(standing, News::Failed(_) | News::Exhausted(_)) && seen == Seen::Down;
                    if unknown || (again && lasts) {
                        report(&watch.unit, standing.clone());
                    }
                }
                self.look_at_cause(watch, report).await;
            }
        }
        if unknown {
            watch.unknown = false;
        }
        if state.active.is_up() || state.job.is_some() {
            // What stopped it is starting it again: we ourselves, in a quick move to and fro, or a restart.
            watch.judge_at = None;
        }
    }

    /// Says that what stopped the unit is over, if it is.
    async fn look_at_cause(&self, watch: &mut Watch, report: &mut (impl FnMut(&str, News) + Send)) {
        let Some(cause) = &watch.cause else { return };
        if self.state(&cause.unit).await.is_ok_and(|state| cause.is_over(&state)) {
            (watch.cause, watch.standing) = (None, Some(News::Free));
            report(&watch.unit, News::Free);
        }
    }

    /// Judges the units that are due.
    async fn judge_due(&self, watched: &mut Watched, report: &mut (impl FnMut(&str, News) + Send)) {
        let now = Instant::now();
        for index in watched.all() {
            if watched.units[index].judge_at.take_if(|at| *at <= now).is_none() {
                continue;
            }
            let at = monotonic_usec();
            let judged = timeout(ANSWER, self.judge_end(watched, index)).await;
            let Ok(Ok(Some(Verdict { news, cause, quiet }))) = judged else {
                watched.note_silence(report);
                continue;
            };
            let watch = &mut watched.units[index];
            watch.judged = at;
            watch.changes.fell();
            watch.job_ended = false;
            (watch.up_since, watch.cause, watch.lapped) = (None, cause, false);
            let same = watch.standing.as_ref() == Some(&news) && watch.quiet == quiet;
            (watch.standing, watch.quiet) = (Some(news.clone()), quiet);
            if quiet {
                watch.judge_by(Instant::now() + Duration::from_micros(OWN_STOP));
            } else if !same {
                report(&watch.unit, news);
            }
        }
    }

    /// What it means that this unit is down; `None` if it is down no more.
    async fn judge_end(&self, watched: &Watched, index: usize) -> Result<Option<Verdict>, UnitError> {
        let watch = &watched.units[index];
        let state = self.state(&watch.unit).await?;
        if state.job.is_some() || !state.active.is_down() || state.awaits_restart() {
            return Ok(None);
        }
        let details = self.details(state.path.clone()).await.ok();
        let result = self.result_of(&state).await;
        // systemd forgets when a unit left its active state if nothing refers to the unit any more. Then the look at
        // which the unit was up no more tells, though a quick job may have ended before that look.
        let left = details.as_ref().map(|details| details.left).filter(|left| *left > 0);
        let seen = || watch.fell_at.unwrap_or_else(monotonic_usec).saturating_sub(HEARD);
        let since = left.unwrap_or_else(seen);
        let idle = |job: &UnitJob| details.as_ref().is_some_and(|details| watched.is_idle(index, details, job));
        let job = watched.jobs.last_ended(&state.name, since, idle);
        if watch.standing.is_some() && !watch.quiet && !job.is_some_and(|job| job.ended_after(watch.judged)) {
            // Nothing has been tried since the last verdict, which may rest on a job that is forgotten by now.
            let cause = watch.cause.clone();
            return Ok(watch.standing.clone().map(|news| Verdict { news, cause, quiet: false }));
        }
        let end = End {
            state: &state,
            details: details.as_ref(),
            result: &result,
            job,
            up_since: watch.up_since,
            lapped: watch.lapped,
            fell_in_job: job.is_some_and(|job| watched.announced.fell_during(index, job)),
        };
        let just_now = monotonic_usec().saturating_sub(OWN_STOP);
        let quiet = end.was_stopped() && job.is_some_and(|job| job.own && job.ended_after(just_now));
        let cause = match (job, &details) {
            (Some(job), Some(details)) if end.was_stopped() && !quiet => {
                self.cause(details, job, &watched.jobs).await
            }
            _ => None,
        };
        let managed = cause.as_ref().is_some_and(|cause| watched.units.iter().any(|other| other.name == cause.unit));
        let news = match end.news(cause.as_ref(), managed) {
            // A package stops what is down already: it was stopped when that was asked for first.
            News::Stopped { asked } => {
                let tried = details.as_ref().map_or(since, |details| details.tried.max(since));
                News::Stopped { asked: watched.jobs.first_stop(&state.name, tried).unwrap_or(asked) }
            }
            news => news,
        };
        let cause = cause.filter(|_| matches!(news, News::StoppedWith(_)));
        Ok(Some(Verdict { news, cause, quiet }))
    }

    /// The `NRestarts` of a unit that was looked at before, if it is a service.
    async fn restarts_of(&self, watch: &Watch) -> Option<u32> {
        if !watch.name.ends_with(".service") {
            return None;
        }
        self.restarts(watch.path.clone()?).await
    }

    /// Drains `PropertiesChanged` of each unit until the returned set is dropped.
    async fn watch_signals(&self, watched: &mut Watched) -> Result<JoinSet<()>, UnitError> {
        let mut drain = JoinSet::new();
        for (index, watch) in watched.units.iter_mut().enumerate().take(WATCHED) {
            let state = self.state(&watch.unit).await?;
            watch.name.clone_from(&state.name);
            watch.path = Some(state.path.clone());
            let hearing = Arc::clone(&watched.announced).hear_all(index, &self.connection, state.path).await;
            drain.spawn(hearing.map_err(|error| connection_error(&self.connection, error))?);
        }
        Ok(drain)
    }
}

/// What a lap of `Restart=` is to people. The next start may have wiped out how the run ended.
fn lap_text(name: &str, result: &str) -> String {
    match result {
        "" | "success" => format!("{name} ended, and systemd starts it again"),
        result => format!("{name} failed, result {result}, and systemd starts it again"),
    }
}

/// How long ago a moment of CLOCK_MONOTONIC was, which is given in microseconds.
pub fn time_since(moment: u64) -> Duration {
    Duration::from_micros(monotonic_usec().saturating_sub(moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::signals::SeenUp;

    #[test]
    fn an_end_after_our_start_is_judged_although_the_unit_was_never_seen_up() {
        let mut watched = Watched::new(&["web.service".to_owned()]);
        watched.units[0].standing = Some(News::Failed("web.service ended by itself".into()));
        watched.units[0].judged = 100;
        let up = |at| ManagerEvent::Up(Arc::new(SeenUp { unit: "web.service".to_owned(), at }));
        assert_eq!(watched.hear(&up(90)), [0; 0], "it was judged since");
        assert!(watched.units[0].standing.is_some());
        assert_eq!(watched.hear(&up(110)), [0]);
        assert_eq!((watched.units[0].standing.clone(), watched.units[0].up_since), (None, Some(110)));
    }
}
