//! The message in which the owner of an address tells the peer of its TCP connections (05 §3.16). Nothing is decided
//! by it: the core gives it the fields of every message, and judges whether one that comes is of now and of the peer.
//!
//! Owns the names on the wire. Reads no list, and keeps none. It changes no state, and no event or action carries it:
//! a recording would be full of it.

use super::freshness::Freshness;
use super::header::{MessageHeader, hex};
use super::receive::{is_for, uuid};
use crate::cluster::core::Core;
use crate::wire::Message;

/// The type of the message. It has no number: one that is lost is followed by others.
pub const CONNECTIONS: &str = "NS_hbd_connections";
/// The field with the list.
const LIST: &str = "list";
/// The longest list that is said or believed, bytes.
const LONGEST: usize = 1000;

impl Core {
    /// The message that tells the peer of these connections; `None` if the peer is not heard, has not said that it
    /// wants to know, or if the text is longer than a message may be.
    pub fn connections_message(&mut self, list: &str) -> Option<Message> {
        let ours = self.settings.tickle && list.len() <= LONGEST;
        let peer = self.peer_node().filter(|peer| ours && peer.alive() && peer.is_hbd() && peer.tickle)?;
        let body = Message::new(CONNECTIONS).with("dest", &peer.name).with(LIST, list);
        Some(self.complete(body))
    }

    /// The list that a message of the peer has, as it came; `None` for any other message, and for one that the peer
    /// has not said in its present life, having heard of ours.
    pub fn connections_said<'a>(&self, message: &'a Message) -> Option<&'a str> {
        let kind = message.kind().filter(|kind| *kind == CONNECTIONS && self.settings.tickle)?;
        // A header that no node can have sent.
        MessageHeader::of(kind, message).ok()?;
        let (from, generation) = (self.peer()?, hex(message, "hg")?);
        let peer = &self.nodes[from];
        let named = message.text("src") == Some(peer.name.as_str()) && uuid(message, "srcuuid") == peer.uuid;
        let present = peer.alive() && peer.tickle && generation == peer.generation;
        let proven = matches!(self.freshness(from, generation, message), Freshness::Proven { .. });
        let ours = named && present && proven && is_for(message, &self.settings.node);
        message.text(LIST).filter(|list| ours && list.len() <= LONGEST)
    }
}
