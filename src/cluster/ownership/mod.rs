//! Who holds what, and how it moves.
//!
//! Owns the masks of what each node holds, the exchange in which sets move, and the groups' steps. What the world
//! outside the protocol objects is asked of [`super::guards`].
//!
//! | module | question it answers |
//! |---|---|
//! | [`groups`] | which step of which group is next? (03 §2.5) |
//! | [`run`] | how far has one group come? |
//! | [`attempts`] | when is a group tried again that could not be started? |
//! | [`sets`] | how is a set of groups spoken of? (03 §1, 05 §3.8) |
//! | [`company`] | what moves along with a group? (05 §3.13) |
//! | [`everywhere`] | which unit that both nodes run is up here? |
//! | [`state`] | who holds what, as far as both have said? (03 §4.1) |
//! | [`acquire`] | what do we take, and when? (03 §4, §6) |
//! | [`failback`] | what goes back, and when? (03 §5.2) |
//! | [`exchange`] | how does a set move while both live? (03 §4.5) |
//! | [`parting`] | what of a set is down already while the rest stops? (05 §4.6) |
//! | [`obstacle`] | what keeps an exchange from beginning? |
//! | [`operator`] | may an operator's move begin, and how did it end? |
//! | [`undo`] | what we give does not stop: what now? |
//! | [`orphans`] | who takes what was let go of for want of the witness's key? (05 §4.7) |
//! | [`released`] | does the peer know what has gone down here? (05 §5.3) |
//! | [`conflict`] | both hold it, or nobody does: what now? (03 §8, §14.3) |

pub(in crate::cluster) mod acquire;
mod attempts;
pub(in crate::cluster) mod company;
pub(in crate::cluster) mod conflict;
pub(in crate::cluster) mod everywhere;
pub(in crate::cluster) mod exchange;
pub(in crate::cluster) mod failback;
pub(in crate::cluster) mod groups;
pub(in crate::cluster) mod obstacle;
pub(in crate::cluster) mod operator;
pub(in crate::cluster) mod orphans;
pub(in crate::cluster) mod parting;
pub(in crate::cluster) mod released;
mod run;
pub(in crate::cluster) mod sets;
pub(in crate::cluster) mod state;
pub(in crate::cluster) mod undo;
