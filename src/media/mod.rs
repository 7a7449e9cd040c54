//! Heartbeat media: the sockets and serial lines that messages leave and arrive by (01 §1.8).
//!
//! Owns sockets, lines and their counters. Carries bytes and never looks into them, but for the two marks that tell
//! where a message on a serial line begins and ends; never waits to send; knows nothing of nodes, of liveness or of
//! messages. A medium's interface may be missing, now or later: that is an error value, and the caller tries again
//! when it likes ([`MediaLink::try_open`]).

mod bcast;
mod device;
mod error;
mod framing;
mod holder;
mod link;
mod mcast;
mod ping;
mod serial;
mod sieve;
mod ucast;
mod udp;

#[cfg(test)]
mod flood_tests;
#[cfg(test)]
mod reopening_tests;
#[cfg(test)]
mod serial_tests;
#[cfg(test)]
mod tests;

pub use error::MediaError;
pub use holder::port_holders;
pub use link::{Counters, Defaults, MediaLink, MessageForm};
pub use ping::Pinger;
pub use serial::Serial;
pub use udp::Udp;

/// The longest message there is, in bytes (01 §1.9): a receive buffer of this length fits any. UDP itself ends at
/// 65,507.
pub const MESSAGE_MAX: usize = 262_143;
