//! What the objects on the bus show.

use std::sync::{Arc, RwLock};

use super::snapshot::Snapshot;

/// What there is to see. Not inside of the manager's object: that is locked for as long as a call of it lasts, and a
/// call may wait for a person's password.
pub(super) type Shown = Arc<RwLock<Snapshot>>;
