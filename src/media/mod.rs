//! Heartbeat media: the sockets that messages leave and arrive by (01 §1.8).
//!
//! Owns sockets and their counters. Carries bytes and never looks into them; never waits to send; knows nothing of
//! nodes, of liveness or of messages. A medium's interface may be missing, now or later: that is an error value, and
//! the caller tries again when it likes ([`Link::try_open`]).

mod error;
mod link;
mod ucast;

#[cfg(test)]
mod tests;

pub use error::MediaError;
pub use link::{Counters, Link};
pub use ucast::Ucast;

/// The longest message there is, in bytes (01 §1.9): a receive buffer of this length fits any. UDP itself ends at
/// 65,507.
pub const MESSAGE_MAX: usize = 262_143;
