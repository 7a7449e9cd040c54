//! How it stands with the routes and rules of one held address: state only, of [`super::routing`].

use std::time::Instant;

use super::removals::Removals;

/// The care for what belongs to one held address.
#[derive(Debug, Default)]
pub(super) struct RouteCare {
    /// When they are looked at again.
    pub(super) due: Option<Instant>,
    /// How often they were gone.
    pub(super) removals: Removals,
    /// In a fight with somebody who removes them they are not looked at before this moment.
    pub(super) not_before: Option<Instant>,
    /// Since when something of it cannot be put back.
    pub(super) missing: Option<Instant>,
    /// It was told that they are missing.
    pub(super) told: bool,
    /// The caller has asked for the address meanwhile, and waits for the answer.
    pub(super) awaited: bool,
}
