//! Does a group's service do its work? (docs/DECISIONS.md "A service is judged by what it does")
//!
//! Owns which checks run, their results in a row, and what is concluded from them. Where a group runs, `fall`
//! failures in a row are a failure of the resource that the check names; [`super::health`] reacts to it as to that of
//! a unit. A check runs only while the whole group does, and begins anew after each restart. What a node may take
//! whose `ready` checks fail is asked of [`super::ready`]. Never runs a check: the thread of the checks does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::api::event::{Action, CheckOutcome};
use crate::cluster::api::step::Step;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::guards::condition::Condition;
use crate::cluster::{GroupState, Record};
use crate::config::{CheckPurpose, CheckRule};

/// What is known of a check that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CheckState {
    /// It does not run here now.
    #[default]
    Off,
    /// It has not run yet since this daemon began.
    Untested,
    /// It has not said yet whether what runs now is well, or cannot be run.
    Unknown,
    /// It passes.
    Passing,
    /// It failed so often in a row that the service counts as failed, or this node as not ready.
    Failing,
}

impl CheckState {
    /// Whether a run that came to nothing leaves nothing of it: it said that all is well, or nothing yet.
    fn becomes_unknown(self) -> bool {
        matches!(self, CheckState::Untested | CheckState::Passing)
    }
}

/// One check.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Check {
    state: CheckState,
    /// Number of the present run, or of the last one. Results of another run say nothing of this one.
    run: u64,
    /// Its group has been held here since this daemon began.
    served: bool,
    /// Failures in a row.
    failures: u32,
    /// Passes in a row.
    passes: u32,
    /// Why it failed last, or could not be run.
    reason: Option<String>,
    /// Since when it is in this state, wall clock.
    since: Duration,
}

/// All checks, in the order of [`crate::cluster::Settings::checks`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Checks {
    list: Vec<Check>,
}

impl Checks {
    /// For these rules; nothing runs yet.
    pub(in crate::cluster) fn new(rules: &[CheckRule]) -> Checks {
        Checks { list: vec![Check::default(); rules.len()] }
    }
}

/// What is shown of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Which question it answers.
    pub purpose: CheckPurpose,
    /// How it is.
    pub state: CheckState,
    /// Why it failed last, or could not be run; empty if the last run passed.
    pub reason: String,
    /// Since when it is in this state, wall clock; zero if it never ran.
    pub since: Duration,
}

impl Core {
    /// Whether a result can change anything: one that cannot need not be handed over, nor recorded.
    pub fn heeds_check(&self, check: usize, run: u64, outcome: &CheckOutcome) -> bool {
        let (Some(rule), Some(known)) = (self.settings.checks.get(check), self.checks.list.get(check)) else {
            return false;
        };
        if known.state == CheckState::Off || known.run != run {
            return false;
        }
        match outcome {
            CheckOutcome::Passed => known.state != CheckState::Passing || known.reason.is_some(),
            CheckOutcome::Failed(_) if rule.purpose == CheckPurpose::Service => true,
            CheckOutcome::Failed(reason) => {
                known.state != CheckState::Failing || known.passes > 0 || known.reason.as_ref() != Some(reason)
            }
            CheckOutcome::NotRun(reason) => known.state.becomes_unknown() || known.reason.as_ref() != Some(reason),
        }
    }

    /// A check has run.
    pub(in crate::cluster) fn check_ended(&mut self, check: usize, run: u64, outcome: CheckOutcome) {
        if !self.heeds_check(check, run, &outcome) {
            return;
        }
        let rule = self.settings.checks[check].clone();
        match outcome {
            CheckOutcome::Passed => self.check_passed(check, &rule),
            CheckOutcome::Failed(reason) => self.check_failed(check, &rule, reason),
            CheckOutcome::NotRun(reason) => {
                let (group, check_name) = (self.groups.key(rule.group).to_owned(), rule.name.clone());
                self.log(Record::CheckNotRun { group, check: check_name, reason: reason.clone() });
                let known = &mut self.checks.list[check];
                known.reason = Some(reason);
                // That it passed when it was run last says nothing of now.
                if known.state.becomes_unknown() {
                    self.set_check(check, CheckState::Unknown);
                }
            }
        }
    }

    fn check_passed(&mut self, check: usize, rule: &CheckRule) {
        let known = &mut self.checks.list[check];
        known.failures = 0;
        known.passes = known.passes.saturating_add(1);
        if known.state == CheckState::Failing && known.passes < rule.rise {
            return;
        }
        known.reason = None;
        let failed = known.state == CheckState::Failing;
        if known.state != CheckState::Passing {
            self.set_check(check, CheckState::Passing);
        }
        if !failed {
            return;
        }
        let (group, check) = (self.groups.key(rule.group).to_owned(), rule.name.clone());
        match rule.purpose {
            CheckPurpose::Service => {
                self.log(Record::CheckPasses { group, check });
                let step = self.everywhere.first(Step { group: rule.group, resource: rule.restart });
                self.raise(Fact::ServiceWell { step });
            }
            CheckPurpose::Ready => self.log(Record::ReadyAgain { group, check }),
        }
    }

    fn check_failed(&mut self, check: usize, rule: &CheckRule, reason: String) {
        let known = &mut self.checks.list[check];
        known.passes = 0;
        known.failures = known.failures.saturating_add(1);
        known.reason = Some(reason.clone());
        let (state, failures) = (known.state, known.failures);
        let (group, name) = (self.groups.key(rule.group).to_owned(), rule.name.clone());
        if failures == 1 && state != CheckState::Failing {
            self.log(Record::CheckFailed { group: group.clone(), check: name.clone(), reason: reason.clone() });
        }
        match rule.purpose {
            CheckPurpose::Service if failures.is_multiple_of(rule.fall) => {
                if state != CheckState::Failing {
                    self.set_check(check, CheckState::Failing);
                }
                self.service_fails(rule, reason, failures);
            }
            // The first result of a daemon decides at once: what was never ready is not given the benefit of a doubt.
            CheckPurpose::Ready
                if state == CheckState::Untested || (failures >= rule.fall && state != CheckState::Failing) =>
            {
                self.set_check(check, CheckState::Failing);
                self.log(Record::NotReady { group, check: name, reason });
            }
            _ => {}
        }
    }

    /// `fall` failures in a row, once more.
    fn service_fails(&mut self, rule: &CheckRule, reason: String, count: u32) {
        let step = self.everywhere.first(Step { group: rule.group, resource: rule.restart });
        let (group, resource) = (self.groups.key(rule.group).to_owned(), self.groups.words(step).1);
        let check = rule.name.clone();
        self.log(Record::CheckFails { group, resource, check: check.clone(), count, reason: reason.clone() });
        // What does not run for another reason is not restarted because of its check, and neither is what may need
        // something of its group that is down by somebody's wish.
        let runs = matches!(self.conditions.of(step), None | Some(Condition::Failed(_)));
        let of_group = |step: Step| self.everywhere.all(step).iter().any(|step| step.group == rule.group);
        let runs = runs && !self.conditions.keep_down(of_group);
        if runs && !self.leaves_alone(rule.group) && !self.leave.begun() && !self.exchange.busy() {
            self.raise(Fact::ServiceFailed { step, reason: format!("check {check}: {reason}") });
        }
    }

    fn set_check(&mut self, check: usize, state: CheckState) {
        let known = &mut self.checks.list[check];
        (known.state, known.since) = (state, self.now.wall);
    }

    /// The `ready` checks of a group, with their states and why they failed last.
    pub(super) fn ready_checks(&self, group: usize) -> impl Iterator<Item = (&CheckRule, CheckState, Option<&str>)> {
        let rules = self.settings.checks.iter().zip(&self.checks.list);
        let ready = rules.filter(move |(rule, _)| rule.group == group && rule.purpose == CheckPurpose::Ready);
        ready.map(|(rule, known)| (rule, known.state, known.reason.as_deref()))
    }

    /// After every event: begins and ends checks with what they watch.
    pub(in crate::cluster) fn follow_checks(&mut self) {
        for check in 0..self.checks.list.len() {
            self.follow_check(check);
        }
    }

    fn follow_check(&mut self, check: usize) {
        let CheckRule { group, purpose, .. } = self.settings.checks[check];
        let (state, running) = self.groups.state(group);
        let held = self.groups.wanted(group);
        let wanted = match purpose {
            CheckPurpose::Service => state == GroupState::Active && self.everywhere_up(group),
            CheckPurpose::Ready => !held && running == 0,
        };
        let wanted = wanted && self.membership.running() && !self.leave.begun();
        let known = &mut self.checks.list[check];
        known.served |= held;
        if wanted == (known.state != CheckState::Off) {
            return;
        }
        (known.failures, known.passes, known.reason) = (0, 0, None);
        if wanted {
            known.run += 1;
            // What this node served a moment ago it can serve, as far as anybody knows.
            let ready = purpose == CheckPurpose::Ready && !known.served;
            let run = Some(known.run);
            self.set_check(check, if ready { CheckState::Untested } else { CheckState::Unknown });
            self.out.push(Action::Check { check, run });
        } else {
            self.set_check(check, CheckState::Off);
            self.out.push(Action::Check { check, run: None });
        }
    }

    /// The checks of a group, for people.
    pub(in crate::cluster) fn check_views(&self, group: usize) -> Vec<CheckView> {
        let rules = self.settings.checks.iter().zip(&self.checks.list).filter(|(rule, _)| rule.group == group);
        let view = |(rule, known): (&CheckRule, &Check)| CheckView {
            name: rule.name.clone(),
            purpose: rule.purpose,
            state: known.state,
            reason: known.reason.clone().unwrap_or_default(),
            since: known.since,
        };
        rules.map(view).collect()
    }
}
