//! What only a real Heartbeat needs; between two hbd nodes nothing here says a word. Could be deleted some day.
//!
//! | module | question it answers |
//! |---|---|
//! | [`legacy`] | what if the peer speaks Heartbeat's first protocol? (03 §5, §6.7) |
//! | [`repeat`] | does a real Heartbeat know what we decided? (03 §4.7, §14.1) |
//! | [`resync`] | the peer does not say what we wait for: what then? (03 §14.1 rule 3) |
//! | [`release`] | does a real Heartbeat hang in an exchange? (03 §4.5.4) |
//! | [`storage`] | may a disk be in use on both nodes? (03 §14.3) |

pub(in crate::cluster) mod legacy;
pub(in crate::cluster) mod release;
pub(in crate::cluster) mod repeat;
pub(in crate::cluster) mod resync;
pub(in crate::cluster) mod storage;
