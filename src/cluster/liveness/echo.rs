//! Which of our statuses the peer has heard: how long it will not take us for dead (05 §3.15).
//!
//! That we hear the peer does not mean that it hears us. Where a witness is used, each of two hbd nodes says in every
//! message which status of the other one it took in last, and says so at once when it takes one in. A node was not
//! declared dead within its dead time after the moment at which it sent a status that is so confirmed.
//!
//! Owns those moments. Decides nothing: [`crate::cluster::guards::assurance`] does.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::cluster::Instant;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::wire::Message;

/// The field with our generation and the number of the status, lower-case hexadecimal; also the type of a message
/// that says nothing else.
const FIELD: &str = "hbd_alive";

/// So many of our statuses can be confirmed. More are said in a dead time only where it is very long.
const KEPT: usize = 64;

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Echo {
    /// Our last statuses, by their numbers, and when each was said.
    said: VecDeque<(u64, Instant)>,
    /// When we said the latest status that the peer has taken in.
    confirmed: Option<Instant>,
    /// The incarnation of the peer that says what it takes in.
    spoken: Option<u64>,
}

impl Core {
    /// What we say of the peer's statuses; `None` without a witness, and to a node that is known not to listen. A
    /// Heartbeat is told it in statuses only: it may have given way to an hbd.
    fn echo(&self, in_status: bool) -> Option<String> {
        let peer = self.peer_node().filter(|peer| in_status || !peer.is_heartbeat())?;
        self.settings.witness.map(|_| format!("{:x} {:x}", peer.generation, peer.last_status_order.0))
    }

    /// Adds it to a message.
    pub(in crate::cluster) fn add_echo(&self, message: &mut Message) {
        if let Some(echo) = self.echo(message.kind() == Some("status")) {
            message.set_text(FIELD, &echo);
        }
    }

    /// A status goes out under this number.
    pub(in crate::cluster) fn note_status_said(&mut self, seq: u64) {
        if self.settings.witness.is_some() {
            if self.echo.said.len() == KEPT {
                self.echo.said.pop_front();
            }
            self.echo.said.push_back((seq, self.now.monotonic));
        }
    }

    /// A message of now came from this incarnation of a node: what it says of our statuses. What an earlier one has
    /// confirmed stays true: the new one declares nobody dead sooner.
    pub(in crate::cluster) fn note_echo(&mut self, from: usize, incarnation: u64, message: &Message) {
        let Some(text) = message.text(FIELD).filter(|_| Some(from) == self.peer()) else { return };
        self.echo.spoken = Some(incarnation);
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let Some((generation, seq)) = text.split_once(' ') else { return };
        if number(generation) == Some(self.settings.generation) {
            let said = self.echo.said.iter().find(|(known, _)| Some(*known) == number(seq)).map(|(_, said)| *said);
            if said > self.echo.confirmed {
                self.echo.confirmed = said;
                self.raise(Fact::StatusConfirmed);
            }
        }
    }

    /// Whether the peer, in its present incarnation, says what it takes in.
    pub(in crate::cluster) fn peer_confirms(&self) -> bool {
        self.peer_node().is_some_and(|peer| Some(peer.generation) == self.echo.spoken)
    }

    /// A status of this node was taken in: a peer that waits for that word is told at once.
    pub(in crate::cluster) fn confirm_status(&mut self, from: usize) {
        if self.settings.witness.is_some() && Some(from) == self.peer() && self.peer_confirms() {
            self.send(Message::new(FIELD));
        }
    }

    /// The moment within whose dead time the peer takes nothing of ours; `None` if it never heard us. Of one that
    /// does not say what it hears we must believe that it hears us when we hear it.
    pub(in crate::cluster) fn heard_by_peer(&self) -> Option<Instant> {
        if self.peer_confirms() {
            return self.echo.confirmed;
        }
        let peer = self.peer_node()?;
        self.echo.confirmed.max(peer.last_status.or(peer.noticed))
    }
}
