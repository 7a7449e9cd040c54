//! What a node that has failed a group says of that to the other one: the fields `hbd_unfit` and `hbd_unfit_why` (05
//! §4.3).
//!
//! Owns how it is said, heard and shown. What counts as a failure, and what follows, is [`super::health`]'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::{FailedThere, Failure};
use super::health::Failures;
use crate::cluster::core::Core;
use crate::cluster::peer::message::Report;
use crate::cluster::{Instant, Record, Step};
use crate::config;
use crate::util::text::printable;

/// How many characters of a reason are told.
const LONGEST_REASON: usize = 120;
/// How many bytes `hbd_unfit_why` has at most: a report goes over a serial link, too.
const LONGEST_FIELD: usize = 600;
/// The other node says in whole seconds for how long a failure counts: a time that is later by less is of the same
/// failure.
const SAME_FAILURE: Duration = Duration::from_secs(5);

/// A node that has failed a group, and is not given it for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfitView {
    /// Its name.
    pub node: String,
    /// Until when that counts, by the wall clock; zero if that is not known.
    pub until: Duration,
    /// The resource, and why it failed; empty if that is not known.
    pub why: String,
}

impl Failures {
    /// The last of the failures for which this node counts as unable to serve the group; `None` if there is none. It
    /// may be too old by now.
    fn last_serious(&self, group: usize, policy: &config::Health) -> Option<&Failure> {
        let own = self.failures.iter().filter(|failure| failure.step.group == group);
        let enough = |failure: &&Failure| failure.fatal || self.count(failure.step) > policy.restarts as usize;
        own.filter(enough).max_by_key(|failure| failure.at)
    }
}

impl Core {
    /// The failure for which this node cannot serve the group now, and until when that counts.
    fn unfit_for(&self, group: usize) -> Option<(&Failure, Instant)> {
        let policy = &self.settings.health;
        let failure = self.health.last_serious(group, policy)?;
        let until = failure.at + policy.within;
        (until.since(self.now.monotonic) >= Duration::from_secs(1)).then_some((failure, until))
    }

    /// Keys of the groups that failed here, each with the seconds for which that counts: the field `hbd_unfit`.
    pub(in crate::cluster) fn unfit(&self) -> Option<String> {
        let list = self.groups.list().iter().enumerate();
        let unfit = list.filter_map(|(index, group)| {
            let (_, until) = self.unfit_for(index)?;
            Some(format!("{} {}", group.key, until.since(self.now.monotonic).as_secs()))
        });
        let unfit: Vec<_> = unfit.collect();
        (!unfit.is_empty()).then(|| unfit.join(" "))
    }

    /// The same with what of each failed, as far as it fits: the field `hbd_unfit_why`.
    pub(in crate::cluster) fn unfit_why(&self) -> Option<String> {
        let list = self.groups.list().iter().enumerate();
        let entries = list.filter_map(|(index, group)| {
            let (failure, _) = self.unfit_for(index)?;
            let reason: String = printable(&failure.reason).chars().take(LONGEST_REASON).collect();
            let reason = reason.replace(" ; ", ", ");
            Some(format!("{} {} {reason}", group.key, self.bare_word(failure.step)))
        });
        let mut said = String::new();
        for entry in entries.filter(|entry| entry.len() <= LONGEST_FIELD) {
            let gap = if said.is_empty() { "" } else { " ; " };
            if said.len() + gap.len() + entry.len() > LONGEST_FIELD {
                break;
            }
            said.push_str(gap);
            said.push_str(entry.trim_end());
        }
        (!said.is_empty()).then_some(said)
    }

    /// The word of a resource without its arguments, which may be passwords.
    fn bare_word(&self, step: Step) -> String {
        let (_, word) = self.groups.words(step);
        word.split("::").next().unwrap_or_default().to_owned()
    }

    /// The peer's report says what it cannot serve, and why. What it does not say is well again.
    pub(in crate::cluster) fn health_heard(&mut self, report: &Report) {
        if !self.peer_kind().is_hbd() {
            return;
        }
        let now = self.now;
        // Its groups are ours: whatever else is named can be no more than there are.
        let said = report.unfit.iter().take(self.groups.list().len());
        let said: Vec<(String, Instant)> = said.map(|(key, time)| (key.clone(), now.monotonic + *time)).collect();
        let before = std::mem::replace(&mut self.health.peer_unfit, said.clone());
        let shown = std::mem::take(&mut self.health.failed_there);
        for (key, until) in said {
            let same = before.iter().any(|(known, then)| *known == key && until <= *then + SAME_FAILURE);
            let why = report.unfit_why.iter().find(|(of, _)| *of == key).map(|(_, why)| why.clone());
            let known = shown.iter().find(|failed| same && failed.key == key);
            let known_until = known.map(|failed| failed.until);
            let until = known_until.unwrap_or_else(|| now.wall + until.since(now.monotonic));
            let failed = FailedThere { key, until, why: why.unwrap_or_default() };
            if !same {
                self.say_failed_there(&failed);
            }
            self.health.failed_there.push(failed);
        }
    }

    /// A group of ours has failed on the peer.
    fn say_failed_there(&mut self, failed: &FailedThere) {
        let group = failed.key.clone();
        if self.groups.list().iter().any(|known| known.key == group) {
            let cause = if failed.why.is_empty() { "it does not say why" } else { &failed.why };
            self.log(Record::FailedThere { group, node: self.peer_name(), cause: cause.to_owned() });
        }
    }

    /// The nodes that have failed a group and are not given it by themselves.
    pub(in crate::cluster) fn unfit_views(&self, group: usize) -> Vec<UnfitView> {
        let here = self.unfit_for(group).map(|(failure, _)| UnfitView {
            node: self.settings.node.clone(),
            until: failure.wall + self.settings.health.within,
            why: format!("{}: {}", self.bare_word(failure.step), failure.reason),
        });
        let key = self.groups.key(group);
        let counts = |(known, until): &&(String, Instant)| known == key && *until > self.now.monotonic;
        let there = self.health.peer_unfit.iter().find(counts).filter(|_| self.peer_alive()).map(|_| {
            let said = self.health.failed_there.iter().find(|failed| failed.key == key);
            UnfitView {
                node: self.peer_name(),
                until: said.map_or(Duration::ZERO, |failed| failed.until),
                why: said.map(|failed| failed.why.clone()).unwrap_or_default(),
            }
        });
        here.into_iter().chain(there).collect()
    }
}
