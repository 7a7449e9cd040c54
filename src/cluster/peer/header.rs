//! The header of a message: what tells it from every other message of its sender (02 §2).
//!
//! Owns how it is read. Judges nothing but whether a node can have sent it.

use serde::{Deserialize, Serialize};

use super::send::is_unsequenced;
use crate::wire::Message;

/// What orders the sequenced messages of one incarnation (02 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct SentOrder {
    /// Sequence number, from 1.
    pub(in crate::cluster) seq: u64,
    /// The sender's wall clock, seconds since 1970.
    pub(in crate::cluster) ts: u64,
}

/// The header of a sequenced message.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageHeader {
    pub(super) order: SentOrder,
    pub(super) generation: u64,
}

/// A header that no node can have sent: the message proves nothing, not even that its sender lives (01 §1.10 rows 21
/// to 23).
#[derive(Debug)]
pub(super) struct Unusable;

impl MessageHeader {
    /// The header, or `None` for a message that has no sequence number by its type.
    pub(super) fn of(kind: &str, message: &Message) -> Result<Option<MessageHeader>, Unusable> {
        let number = |name| message.get(name).map(|_| hex(message, name).ok_or(Unusable)).transpose();
        let ts = number("ts")?.filter(|ts| *ts != 0).ok_or(Unusable)?;
        let seq = number("seq")?;
        if is_unsequenced(kind) {
            return Ok(None);
        }
        let seq = seq.filter(|seq| *seq != 0).ok_or(Unusable)?;
        let generation = number("hg")?.unwrap_or(0);
        Ok(Some(MessageHeader { order: SentOrder { seq, ts }, generation }))
    }
}

/// Lower-case hexadecimal without prefix (02 §2).
pub(super) fn hex(message: &Message, name: &str) -> Option<u64> {
    u64::from_str_radix(message.text(name)?, 16).ok()
}
