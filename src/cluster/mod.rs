//! The core: membership and resource protocol as a function of events (02, 03).
//!
//! Owns every decision hbd makes: who is alive, who holds what, what runs here. Pure: no I/O, no clock, no log, no
//! randomness of its own. [`Core::handle`] takes an event and returns the actions; the daemon, the simulator and the
//! replay run the very same code. Knows `wire::Message` and `config`, nothing else.

mod api;
mod check;
mod complaints;
mod core;
mod facts;
mod guards;
mod heartbeat;
mod life;
mod liveness;
mod ownership;
mod peer;
#[cfg(test)]
mod tests;
mod timers;

pub use api::event::{Action, AddressNews, Answer, Awaited, Event, Order, Outcome, Request, Step, UnitNews};
pub use api::record::{Priority, Record, Subject};
pub use api::settings::Settings;
pub use api::time::{Instant, Moment};
pub use api::view::{GroupView, LinkView, NodeView, View};
pub use core::Core;
pub use guards::lan::asking_interval;
pub use ownership::groups::GroupState;
pub use ownership::operator::MOVE_PATIENCE;
pub use ownership::set::{Class, Set};
pub use peer::node::Status;
pub use peer::ping::PingNode;

/// Protocol extensions that this hbd announces in the field `hbd` of its statuses (shared decision "How hbd knows
/// an hbd peer"): 1 = claims in `resource` messages, partitions heal without restarts. The fields `hbd_restart`,
/// `hbd_unfit`, `hbd_maintenance`, `hbd_conf` and `hbd_deaf` need no number: a node that does not know them
/// loses nothing.
pub const EXTENSIONS: u32 = 1;
