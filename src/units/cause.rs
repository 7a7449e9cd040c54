//! What can stop a unit that nobody asked systemd to stop, in words, and when that is over (systemd.unit(5)).
//!
//! Never looks for it: [`super::causes`] does.

use super::state::UnitState;

/// What stopped a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// The unit that it comes from.
    pub unit: String,
    /// What that one did.
    pub kind: CauseKind,
}

/// What the other unit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CauseKind {
    /// It was stopped or restarted, and the unit depends on it.
    Stopped,
    /// It ended by itself, and the unit is bound to it.
    Gone,
    /// It failed, and the unit is bound to it.
    Failed,
    /// It was started, and the unit conflicts with it.
    Conflict,
    /// It was isolated: everything else was stopped.
    Isolated,
}

impl Cause {
    /// What happened, for people.
    pub(super) fn text(&self) -> String {
        let unit = &self.unit;
        match self.kind {
            CauseKind::Stopped => format!("{unit}, which it depends on, was stopped"),
            CauseKind::Gone => format!("{unit}, which it is bound to, is gone"),
            CauseKind::Failed => format!("{unit}, which it is bound to, has failed"),
            CauseKind::Conflict => format!("{unit}, which it conflicts with, was started"),
            CauseKind::Isolated => format!("{unit} was isolated, which stops everything else"),
        }
    }

    /// Whether it is over, seen from the state of its unit.
    pub(super) fn is_over(&self, state: &UnitState) -> bool {
        match self.kind {
            CauseKind::Stopped | CauseKind::Gone | CauseKind::Failed => state.active.is_up() && state.job.is_none(),
            CauseKind::Conflict => state.active.is_down() && state.job.is_none(),
            CauseKind::Isolated => state.job.is_none(),
        }
    }
}
