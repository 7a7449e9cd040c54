//! The targets that stand for groups (`hbd-group@KEY.target`): each is active where its group is, for units that
//! other people bind to it (docs/DECISIONS.md "A target for each group").
//!
//! Owns the jobs of these targets, on a connection of its own: whatever hangs on a target, or hangs here, delays no
//! job of a group. Never waits for the end of a job, never says whether a group should run, and reports nothing to
//! the core.

use std::collections::BTreeMap;
use std::time::Duration;

use log::{info, warn};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use zbus::connection::Builder;

use super::answer::{connection_error, is_transient};
use super::cause::Cause;
use super::error::UnitError;
use super::jobs::UnitJobs;
use super::signals::{ManagerEvent, RemovedJob};
use super::state::UnitState;
use super::systemd::{LAG, RECHECK, Systemd};
use crate::config::GROUP_TARGETS;
use crate::util::bus_error::error_text;
use crate::util::clock::monotonic_usec;

/// How long one call may go unanswered.
const CALL: Duration = Duration::from_secs(10);
/// How long a stuck bus may take to let us in.
const CONNECT: Duration = Duration::from_secs(20);
/// Pause before a connection, or an unanswered call, is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is to become of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    /// All of the group runs here: it is to be active.
    Active,
    /// The group goes down here, or does not run here: it is to be inactive.
    Inactive,
    /// The group is on its way up: the target stays as it is.
    Unchanged,
}

/// What is wanted of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetWish {
    /// The target's name.
    pub target: String,
    /// What is to become of it.
    pub state: TargetState,
}

/// Keeps the targets as the lists say, until their sender is dropped. The first list has a wish for every group; a
/// target that is in no list is stopped. Needs a tokio runtime.
pub async fn follow_groups(connect: impl Fn() -> Builder<'static>, mut lists: UnboundedReceiver<Vec<TargetWish>>) {
    let Some(first) = lists.recv().await else { return };
    let mut targets = GroupTargets::new(first);
    loop {
        let attempt = async { Systemd::new(connect().method_timeout(CALL).build().await?).await };
        // That the bus cannot be reached is said by the loop of the units.
        if let Ok(Ok(systemd)) = timeout(CONNECT, attempt).await
            && targets.serve(&systemd, &mut lists).await == End::Daemon
        {
            return;
        }
        sleep(RETRY).await;
    }
}

/// Why [`GroupTargets::serve`] has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Connection,
    Daemon,
}

#[derive(Debug)]
struct Wanted {
    state: TargetState,
    /// Whether systemd has taken the job, or has refused it.
    asked: bool,
    /// When it is to be found out why it was stopped: jobs that tell may still be on their way.
    judge_at: Option<Instant>,
    /// What has stopped it, and is not over.
    cause: Option<Cause>,
}

impl Wanted {
    fn new(state: TargetState, asked: bool) -> Wanted {
        Wanted { state, asked, judge_at: None, cause: None }
    }
}

#[derive(Debug)]
struct GroupTargets {
    wanted: BTreeMap<String, Wanted>,
    jobs: UnitJobs,
}

impl GroupTargets {
    /// What is to be inactive is stopped by [`GroupTargets::stop_strays`] where it is not.
    fn new(first: Vec<TargetWish>) -> GroupTargets {
        let wanted = |state| Wanted::new(state, state != TargetState::Active);
        let wanted = first.into_iter().map(|wish| (wish.target, wanted(wish.state))).collect();
        GroupTargets { wanted, jobs: UnitJobs::default() }
    }

    fn take(&mut self, list: Vec<TargetWish>) {
        for TargetWish { target, state } in list {
            if state != TargetState::Unchanged {
                self.wanted.insert(target, Wanted::new(state, false));
            }
        }
    }

    async fn serve(&mut self, systemd: &Systemd, lists: &mut UnboundedReceiver<Vec<TargetWish>>) -> End {
        // Before anything is asked, so that no end is missed.
        let mut events = systemd.events.subscribe();
        self.stop_strays(systemd).await;
        let mut tick = interval(RECHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.ask(systemd).await;
            let owed = self.wanted.values().any(|wanted| !wanted.asked);
            let due = self.wanted.values().filter_map(|wanted| wanted.judge_at).min();
            let due_at = due.unwrap_or_else(Instant::now);
            let waits = self.wanted.values().any(|wanted| wanted.cause.is_some());
            tokio::select! {
                () = systemd.closed() => return End::Connection,
                list = lists.recv() => match list {
                    Some(list) => self.take(list),
                    None => return End::Daemon,
                },
                event = events.recv() => match event {
                    Ok(event) => self.hear(systemd, &event).await,
                    Err(RecvError::Lagged(_)) => self.stop_strays(systemd).await,
                    Err(RecvError::Closed) => return End::Connection,
                },
                () = sleep(RETRY), if owed => {}
                () = sleep_until(due_at), if due.is_some() => {
                    while let Ok(event) = events.try_recv() {
                        self.hear(systemd, &event).await;
                    }
                    self.judge_due(systemd).await;
                }
                _ = tick.tick(), if waits => self.look_at_causes(systemd).await,
            }
        }
    }

    async fn hear(&mut self, systemd: &Systemd, event: &ManagerEvent) {
        let now = monotonic_usec();
        match event {
            ManagerEvent::JobNew(new) => self.jobs.begin(new, now),
            ManagerEvent::Jobs(listed) => self.jobs.list(listed, now),
            ManagerEvent::JobRemoved(job) => {
                self.jobs.end(job, now);
                self.job_ended(systemd, job).await;
            }
            ManagerEvent::Look => self.stop_strays(systemd).await,
            ManagerEvent::Up(_) | ManagerEvent::OwnStop(_) | ManagerEvent::Aborted(_) => {}
        }
    }

    /// Stops what is active and should not be: what a crash has left, and what has no group any more.
    async fn stop_strays(&self, systemd: &Systemd) {
        let stray = |target: &str| self.wanted.get(target).is_none_or(|wanted| wanted.state == TargetState::Inactive);
        match systemd.stop_group_targets(stray).await {
            Ok(stopped) if !stopped.is_empty() => {
                info!("stopping {}: the group does not run here", stopped.join(", "));
            }
            Ok(_) | Err(UnitError::ConnectionLost) => {}
            Err(error) => warn!("targets of groups that do not run here may be active: {error}"),
        }
    }

    /// Asks systemd for every job that it has not been asked for yet.
    async fn ask(&mut self, systemd: &Systemd) {
        for (target, wanted) in self.wanted.iter_mut().filter(|(_, wanted)| !wanted.asked) {
            let manager = &systemd.manager;
            let answer = match wanted.state {
                TargetState::Active => systemd.call(manager.start_unit(target, "replace")).await,
                TargetState::Inactive => systemd.call(manager.stop_unit(target, "replace")).await,
                TargetState::Unchanged => continue,
            };
            match answer {
                Err(error) if is_transient(&error) => {}
                Err(error) if wanted.state == TargetState::Active => {
                    wanted.asked = true;
                    warn!(
                        "{target} cannot be started: {}. Units that are bound to it do not run; its group does",
                        error_text(&error)
                    );
                }
                // A target that cannot be stopped is not loaded.
                _ => wanted.asked = true,
            }
        }
    }

    /// A job of `target` has ended, ours or somebody else's: what the target is now must fit its group.
    async fn job_ended(&mut self, systemd: &Systemd, job: &RemovedJob) {
        let (target, result) = (job.unit.as_str(), job.result.as_str());
        let Some(wanted) = self.wanted.get_mut(target).filter(|wanted| wanted.asked) else { return };
        let Ok(state) = systemd.state(target).await else { return };
        if state.job.is_some() {
            return;
        }
        match wanted.state {
            TargetState::Inactive if state.active.is_up() => {
                wanted.asked = false;
                warn!(
                    "{target} was started by somebody else, and its group does not run here: stopping it. A unit with \
                     Requires= or BindsTo= of the target starts it, too"
                );
            }
            TargetState::Active if state.active.is_down() && matches!(result, "done" | "canceled") => {
                // Once: what comes later, such as a `try-restart` of it, has not stopped it.
                let due = wanted.cause.is_none().then(|| Instant::now() + LAG);
                wanted.judge_at = due.or(wanted.judge_at);
            }
            TargetState::Active if state.active.is_down() => warn!(
                "{target} did not start ({result}): a unit that it requires did not, see `systemctl status \
                 '{target}'`. Its group runs all the same"
            ),
            _ => {}
        }
    }

    /// Finds out why targets of groups that run here were stopped. What systemd has stopped because of something else
    /// is started when that is over, as the units of the group are. What somebody has stopped is left alone.
    async fn judge_due(&mut self, systemd: &Systemd) {
        let now = Instant::now();
        for (target, wanted) in &mut self.wanted {
            if wanted.judge_at.take_if(|at| *at <= now).is_none() {
                continue;
            }
            let Ok(state) = systemd.state(target).await else { continue };
            if state.job.is_some() || !state.active.is_down() {
                continue;
            }
            if self.jobs.last_ended(&state.name, 0, |_| false).is_some_and(|job| job.result() == "canceled") {
                info!("the start of {target} was canceled: hbd asks for it again");
                wanted.asked = false;
                continue;
            }
            match stop_cause(systemd, &state, &self.jobs).await {
                Some(cause) => {
                    info!("{target} was stopped: {}. hbd starts it when that is over", cause.text());
                    wanted.cause = Some(cause);
                }
                None => warn!(
                    "{target} was stopped by somebody else: what is bound to it is down until its group starts \
                     again, or until `systemctl start '{target}'`"
                ),
            }
        }
        self.look_at_causes(systemd).await;
    }

    /// Has the targets started again for which what stopped them is over.
    async fn look_at_causes(&mut self, systemd: &Systemd) {
        for wanted in self.wanted.values_mut() {
            let Some(cause) = &wanted.cause else { continue };
            if systemd.state(&cause.unit).await.is_ok_and(|state| cause.is_over(&state)) {
                (wanted.cause, wanted.asked) = (None, false);
            }
        }
    }
}

/// What has stopped the target of `state`; `None` if somebody asked for that, or nobody knows.
async fn stop_cause(systemd: &Systemd, state: &UnitState, jobs: &UnitJobs) -> Option<Cause> {
    let details = systemd.details(state.path.clone()).await.ok()?;
    let job = jobs.last_ended(&state.name, details.left, |_| false)?;
    systemd.cause(&details, job, jobs).await
}

impl Systemd {
    /// Asks for the stop of every group's target that is not inactive and for which `stray` is true, and returns
    /// their names. Waits for none of them.
    ///
    /// # Errors
    /// [`UnitError::ConnectionLost`] and [`UnitError::Bus`].
    pub async fn stop_group_targets(&self, stray: impl Fn(&str) -> bool) -> Result<Vec<String>, UnitError> {
        let lost = |error| connection_error(&self.connection, error);
        let rows = self.call(self.manager.list_units_by_patterns(&[], &[GROUP_TARGETS])).await.map_err(lost)?;
        let mut stopped = Vec::new();
        for state in rows.into_iter().map(UnitState::from_row) {
            let idle = state.active.is_down() && state.job.is_none();
            if !idle && stray(&state.name) {
                self.call(self.manager.stop_unit(&state.name, "replace")).await.map_err(lost)?;
                stopped.push(state.name);
            }
        }
        Ok(stopped)
    }
}
