//! Why systemd stopped a unit that nobody asked it to stop, and when that is over (systemd.unit(5)).
//!
//! Owns the search for the cause. Never judges whether the unit failed ([`super::ends`]).

use super::cause::{Cause, CauseKind};
use super::details::{Details, Relation};
use super::jobs::{JobKind, UnitJob, UnitJobs};
use super::state::ActiveState;
use super::systemd::Systemd;

/// How long before a unit another one may have changed, microseconds, in order to be its cause without a job.
const RECENT: u64 = 10_000_000;
/// A job that was heard of this long after a unit left its active state, microseconds, may still have stopped it.
pub(super) const HEARD: u64 = 1_000_000;
/// How many causes of causes are looked at.
const DEPTH: usize = 8;

impl Systemd {
    /// What brought about that `job` stopped the unit of `details`; `None` if the job was asked for.
    ///
    /// `systemctl stop db` makes one transaction: the job of db, and jobs of whatever depends on db, with larger
    /// numbers. So the unit whose job has the smallest number was meant. What systemd does when a unit ends by itself
    /// comes in a transaction of its own, with no other job.
    pub(super) async fn cause(&self, details: &Details, job: &UnitJob, jobs: &UnitJobs) -> Option<Cause> {
        if details.rested > 0 && job.begun > details.rested.saturating_add(HEARD) {
            // The unit was at rest when its stop was asked for, and systemd adds no stop of what is at rest. In the
            // pause of its `Restart=`, or in a long stop, it was not: then systemd may have added this one.
            return None;
        }
        self.cause_of_stop(details, job, jobs).await
    }

    /// The same of a unit that was not at rest, or had a job, when `job` came.
    pub(super) async fn cause_of_stop(&self, details: &Details, job: &UnitJob, jobs: &UnitJobs) -> Option<Cause> {
        if let Some(cause) = self.same_transaction(details, job, jobs).await {
            return Some(cause);
        }
        // A job that came long after the unit left its active state has not brought that about: then what came before
        // the job counts.
        let late = job.begun > details.left.saturating_add(HEARD);
        let before = if late { job.begun } else { details.left };
        for (relation, other) in &details.relations {
            if *relation != Relation::Stop
                && jobs.by_itself(other, job)
                && let Some(kind) = self.changed_before(*relation, other, before).await
            {
                return Some(Cause { unit: other.clone(), kind });
            }
        }
        self.isolated(job, jobs).await
    }

    async fn same_transaction(&self, details: &Details, job: &UnitJob, jobs: &UnitJobs) -> Option<Cause> {
        let (mut cause, mut cause_job) = self.direct_cause(details, job, jobs).await?;
        // The one that was stopped may have been stopped because of another one.
        for _ in 0..DEPTH {
            if cause.kind != CauseKind::Stopped {
                break;
            }
            let Ok(state) = self.state(&cause.unit).await else { break };
            let Ok(details) = self.details(state.path).await else { break };
            let Some((deeper, deeper_job)) = self.direct_cause(&details, &cause_job, jobs).await else { break };
            (cause, cause_job) = (deeper, deeper_job);
        }
        Some(cause)
    }

    /// A unit that is related to the one of `details`, and whose job may have brought about `job`.
    async fn direct_cause(&self, details: &Details, job: &UnitJob, jobs: &UnitJobs) -> Option<(Cause, UnitJob)> {
        for (relation, other) in &details.relations {
            let Some(earlier) = jobs.before(other, job) else { continue };
            let stops = match earlier.kind {
                Some(kind) => matches!(kind, JobKind::Stop | JobKind::Restart),
                // It was over before its type could be read: what has become of its unit tells.
                None => self.state(other).await.is_ok_and(|state| state.active.is_down()),
            };
            let starts = match earlier.kind {
                Some(kind) => matches!(kind, JobKind::Start | JobKind::Restart),
                None => !stops,
            };
            let kind = match relation {
                Relation::Stop | Relation::Bound if stops => CauseKind::Stopped,
                Relation::Conflict if starts => CauseKind::Conflict,
                _ => continue,
            };
            return Some((Cause { unit: other.clone(), kind }, earlier.clone()));
        }
        None
    }

    /// What another unit did by itself shortly before this moment.
    async fn changed_before(&self, relation: Relation, other: &str, moment: u64) -> Option<CauseKind> {
        let state = self.state(other).await.ok()?;
        let other = self.details(state.path).await.ok()?;
        let shortly = |at: u64| at <= moment && moment - at < RECENT;
        match relation {
            Relation::Bound if !other.active.is_up() && shortly(other.left) => {
                Some(if other.active == ActiveState::Failed { CauseKind::Failed } else { CauseKind::Gone })
            }
            Relation::Conflict if !other.active.is_down() && shortly(other.rose) => Some(CauseKind::Conflict),
            _ => None,
        }
    }

    /// `systemctl isolate`: the target's job is the first of a transaction that stops all units that it does not
    /// need.
    async fn isolated(&self, job: &UnitJob, jobs: &UnitJobs) -> Option<Cause> {
        let starts = |earlier: &&UnitJob| !matches!(earlier.kind, Some(JobKind::Stop | JobKind::Other));
        let target = |earlier: &&UnitJob| {
            earlier.unit.ends_with(".target") && job.begun - earlier.begun.min(job.begun) < HEARD
        };
        let targets: Vec<String> =
            jobs.earlier(job).filter(starts).filter(target).map(|earlier| earlier.unit.clone()).collect();
        // Of a job that was quickly over the type is not known: it may be the stop of another target.
        let mut stopped = None;
        for unit in targets {
            let state = self.state(&unit).await.ok()?;
            let comes = state.active.is_up() || state.job_type == "start";
            if self.details(state.path).await.is_ok_and(|details| details.may_isolate) {
                if comes {
                    return Some(Cause { unit, kind: CauseKind::Isolated });
                }
                stopped.get_or_insert(unit);
            }
        }
        stopped.map(|unit| Cause { unit, kind: CauseKind::Isolated })
    }
}
