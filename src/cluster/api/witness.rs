//! The third vote: what is asked of a witness, and what it says (docs/protocol 05 §3.15).
//!
//! A witness keeps one key for the cluster: nobody's, or one node's for a time that the holder renews. Owns the words
//! only; when it is asked, and what an answer means, [`crate::cluster::guards::witness`] decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a witness is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessRules {
    /// Without an answer nothing is taken or kept; otherwise it is as without a witness.
    pub required: bool,
    /// The key is a node's for so long after it was asked for, or renewed. Whole seconds.
    pub ttl: Duration,
}

/// What a witness is to do. Each is answered once by [`crate::cluster::Event::Witness`] with the same number, in any
/// order and however late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WitnessOrder {
    /// Make the key this node's unless it is another's, for the time of [`WitnessRules::ttl`]. What is this node's
    /// already is its own for that time anew, also where an earlier daemon asked for it.
    Ask,
    /// The same, if the key is this node's by an order of this daemon; otherwise change nothing.
    Renew,
    /// Make the key nobody's, if it is this node's.
    Give,
    /// Change nothing, and say whose it is.
    Look,
}

/// What a witness is, and how far it has come: one that was restored from a backup has gone back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WitnessStamp {
    /// Which cluster of witnesses.
    pub cluster: u64,
    /// Rises with each change.
    pub revision: u64,
}

impl WitnessStamp {
    /// Whether a witness that was like this earlier can be as it is now, and has forgotten nothing.
    pub fn follows(self, earlier: WitnessStamp) -> bool {
        self.cluster == earlier.cluster && self.revision >= earlier.revision
    }
}

/// Whose the key is after an order was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WitnessNews {
    /// This node's.
    Ours {
        /// The witness that says so.
        stamp: WitnessStamp,
    },
    /// Another node's.
    Theirs {
        /// The witness that says so.
        stamp: WitnessStamp,
        /// That node.
        holder: String,
    },
    /// Nobody's.
    Nobodys {
        /// The witness that says so.
        stamp: WitnessStamp,
    },
    /// The witness did not answer, or refused; the text says why. Whether the order was carried out is not known.
    Failed(String),
}
