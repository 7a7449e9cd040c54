//! The core: membership and resource protocol as a function of events (02, 03).
//!
//! Owns every decision hbd makes: who is alive, who holds what, what runs here. Pure: no I/O, no clock, no log, no
//! randomness of its own. [`Core::handle`] takes an event and returns the actions; the daemon, the simulator and the
//! replay run the very same code. Knows `wire::Message` and `config`, nothing else.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | events, requests, actions, records: what goes in and comes out |
//! | `core` | the state machine: its parts, and what an event sets off |
//! | `facts` | what became true, and who hears it, in which order |
//! | `timers` | what is due when, and in which order |
//! | `peer` | messages: received, judged new, read, sent, sent again |
//! | `liveness` | who is alive |
//! | `ownership` | who holds what, and how it moves |
//! | `guards` | what objects to taking or keeping a group |
//! | `heartbeat` | what only a real Heartbeat needs |
//! | `life` | how this daemon ends, and how the next one goes on |
//! | `complaints` | records that a stranger can provoke at will |
//! | `view` | what the core shows of itself |
//! | `check` | what must be true between two events |

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
mod view;

pub use api::adoption::Adoption;
pub use api::event::{Action, AddressNews, Answer, Awaited, CheckOutcome, Event, LinkAbility, Order, Request};
pub use api::group_set::{GroupSet, MAX_GROUPS};
pub use api::hold_reason::HoldReason;
pub use api::outcome::Outcome;
pub use api::record::{Priority, Record, Subject};
pub use api::set::{Class, Set};
pub use api::settings::{KnownPeer, Settings};
pub use api::step::Step;
pub use api::time::{Instant, Moment};
pub use api::unit_news::UnitNews;
pub use api::witness::{WitnessNews, WitnessOrder, WitnessRules, WitnessStamp};
pub use core::Core;
pub use guards::checks::{CheckState, CheckView};
pub use guards::condition::ResourceState;
pub use guards::questions::asking_interval;
pub use guards::unfit::UnfitView;
pub use guards::witness::WitnessView;
pub use ownership::failback::ReturnWait;
pub use ownership::groups::GroupState;
pub use ownership::operator::MOVE_PATIENCE;
pub use peer::connections::CONNECTIONS;
pub use peer::heard::{Doubt, Doubted, HeardLives};
pub use peer::node::Status;
pub use peer::ping::PingedNode;
pub use view::{GroupView, LinkView, NodeView, ResourceView, View};

/// Protocol extensions that this hbd announces in the field `hbd` of its statuses (docs/DECISIONS.md "How hbd knows
/// an hbd peer"; 05 §3.1): 1 = claims in `resource` messages, partitions heal without restarts; 2 = sets of groups
/// by their keys; 3 = what was heard of the receiver, in every message; 4 = groups move one by one; 5 = the MAC
/// addresses of the sender's machine. The fields `hbd_restart`, `hbd_unfit`, `hbd_unfit_why`, `hbd_maintenance`,
/// `hbd_conf`, `hbd_left_alone`, `hbd_degraded`, `hbd_unready`, `hbd_start_delay`, `hbd_keys`, `hbd_tickle` and
/// `hbd_deaf` need no number: a node that does not know them loses nothing.
pub const EXTENSIONS: u32 = 5;
/// The first of them with sets of groups by their keys.
const GROUPS_EXTENSION: u32 = 2;
/// The first of them that says what it has heard.
const FRESHNESS_EXTENSION: u32 = 3;
/// The first of them whose groups move one by one.
const ALONE_EXTENSION: u32 = 4;
/// The first of them that says its MAC addresses.
const MACHINES_EXTENSION: u32 = 5;
