//! Bytes to [`Message`] and back: netstring, classic text, digests, compression (01). Pure: no socket, no clock, no
//! log. Everything that arrives is hostile until its digest is right.

mod message;

pub use message::{Field, Message, Value};
