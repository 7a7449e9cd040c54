//! Who is alive: our own start and beat, the death and the return of nodes and links (02 §4, §7, §8.3).
//!
//! Owns our status and what is known of the other nodes' lives. Reports who died, left silence or came back as
//! facts; never decides what runs where.
//!
//! | module | question it answers |
//! |---|---|
//! | [`startup`] | when are we active? |
//! | [`beat`] | when do we say our next status, and have we slept through one? |
//! | [`echo`] | which of our statuses has the peer heard? |
//! | [`hearing`] | can we hear anybody at all? |
//! | [`reading`] | what may be judged while packets wait to be read? |
//! | [`silence`] | who has been silent for too long? |
//! | [`status`] | what does a status, or any other sign of life, tell us of its sender? |

pub(in crate::cluster) mod beat;
pub(in crate::cluster) mod echo;
pub(in crate::cluster) mod hearing;
pub(in crate::cluster) mod reading;
pub(in crate::cluster) mod silence;
pub(in crate::cluster) mod startup;
pub(in crate::cluster) mod status;
