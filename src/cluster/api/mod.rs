//! What goes into the core and what comes out of it. Plain data, so that it can be recorded and replayed.
//!
//! | module | what it is |
//! |---|---|
//! | [`adoption`] | what one daemon leaves to the next |
//! | [`event`] | what happens outside, what an operator asks for, what is to be done, how a request ended |
//! | [`group_set`] | a set of groups |
//! | [`hold_reason`] | why a group is held back |
//! | [`outcome`] | how a step ended |
//! | [`record`] | what the core has to say to an administrator |
//! | [`set`] | Heartbeat's two classes of groups (03 §1) |
//! | [`settings`] | what the core must know at start |
//! | [`step`] | where a resource stands in haresources |
//! | [`time`] | the core's notion of time |
//! | [`unit_news`] | what becomes of a unit without our doing |
//! | [`witness`] | what is asked of a witness, and what it says |

pub(in crate::cluster) mod adoption;
pub(in crate::cluster) mod event;
pub(in crate::cluster) mod group_set;
pub(in crate::cluster) mod hold_reason;
pub(in crate::cluster) mod outcome;
pub(in crate::cluster) mod record;
pub(in crate::cluster) mod set;
pub(in crate::cluster) mod settings;
pub(in crate::cluster) mod step;
pub(in crate::cluster) mod time;
pub(in crate::cluster) mod unit_news;
pub(in crate::cluster) mod witness;
