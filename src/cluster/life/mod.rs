//! How this daemon ends, how the next one goes on, when an operator has it stand aside, and whether both nodes run
//! with the same configuration.
//!
//! | module | question it answers |
//! |---|---|
//! | [`leave`] | how do we stop? (02 §9.1) |
//! | [`restart`] | how does the next daemon on this node go on where we ended? (02 §9.2) |
//! | [`upkeep`] | when does maintenance begin, and what is done at its end? |
//! | [`comparison`] | do both nodes run with the same configuration? |

pub(in crate::cluster) mod comparison;
pub(in crate::cluster) mod leave;
pub(in crate::cluster) mod restart;
pub(in crate::cluster) mod upkeep;
