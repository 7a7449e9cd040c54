//! The witness: a third vote outside of the two nodes, asked through a process of its own (05 §3.14).
//!
//! Owns the line protocol that hbd and that process speak. Never decides anything: when the witness is asked, and what
//! its answer means, is the core's; how a kind of witness is asked is the process's (`hbd-witness` for etcd).
//!
//! | module | question it answers |
//! |---|---|
//! | [`protocol`] | what do hbd and the process say to each other? |
//! | [`lines`] | where does a line end, and is it too long? |

pub mod lines;
pub mod protocol;
