//! Objections to taking or keeping a group: each guard answers for one part of the world outside the protocol.
//!
//! Owns nothing itself. [`Core::objection`] asks those guards that keep a free group from being taken.
//!
//! | module | question it answers |
//! |---|---|
//! | [`fencing`] | is the dead node really dead? (03 §7, 04 §8) |
//! | [`maintenance`] | does an operator work here? |
//! | [`isolation`] | is it we who are cut off? |
//! | [`lan`] | does somebody still have what we are about to take? |
//! | [`questions`] | which machines answer for the addresses that we ask for? |
//! | [`lost`] | is an address still ours whose lease ended? |
//! | [`claimed`] | does somebody claim what we serve? |
//! | [`machines`] | whose machine is it? |
//! | [`survey`] | who answers for our addresses beside their owner? |
//! | [`doubt`] | is a peer that is heard and not believed perhaps alive? (05 §3.12) |
//! | [`failure`] | what is one failure? |
//! | [`health`] | a resource failed: again here, or to the peer? |
//! | [`retry`] | may a group that could not be started here be tried again? |
//! | [`unfit`] | how do two hbds tell each other of it? (05 §4.3) |
//! | [`checks`] | does a service do its work? |
//! | [`ready`] | could this node serve a group that it does not run? |
//! | [`condition`] | what is known of the resources that are to run here and do not? |
//! | [`stopped`] | what has somebody stopped on purpose? |
//! | [`leftover`] | what runs here and is not to? |
//! | [`carrier`] | can the peer serve, and we cannot? |
//! | [`assurance`] | how long is it certain that nobody takes what we hold? |
//! | [`witness`] | whose vote does the witness give us? (05 §3.15) |
//! | [`ipfail`] | which node is better connected, and should serve? (03 §10) |

pub(in crate::cluster) mod assurance;
pub(in crate::cluster) mod carrier;
pub(in crate::cluster) mod checks;
pub(in crate::cluster) mod claimed;
pub(in crate::cluster) mod condition;
pub(in crate::cluster) mod doubt;
pub(in crate::cluster) mod failure;
pub(in crate::cluster) mod fencing;
pub(in crate::cluster) mod health;
pub(in crate::cluster) mod ipfail;
pub(in crate::cluster) mod isolation;
pub(in crate::cluster) mod lan;
pub(in crate::cluster) mod leftover;
pub(in crate::cluster) mod lost;
pub(in crate::cluster) mod machines;
pub(in crate::cluster) mod maintenance;
pub(in crate::cluster) mod questions;
pub(in crate::cluster) mod ready;
pub(in crate::cluster) mod retry;
pub(in crate::cluster) mod stopped;
pub(in crate::cluster) mod survey;
pub(in crate::cluster) mod unfit;
pub(in crate::cluster) mod witness;

use super::core::Core;
use crate::cluster::HoldReason;

/// How a guard is asked about a group.
type Guard = fn(&Core, usize) -> Option<String>;

impl Core {
    /// Why a group is not taken although its owner is gone, if anything objects: which guard, and in words.
    pub(super) fn objection(&self, group: usize) -> Option<(HoldReason, String)> {
        let guards: [(HoldReason, Guard); 7] = [
            (HoldReason::NotFenced, Core::fencing_objection),
            (HoldReason::Maintenance, Core::maintenance_objection),
            (HoldReason::Isolated, Core::isolation_objection),
            (HoldReason::Witness, Core::witness_objection),
            (HoldReason::NotReady, Core::ready_objection),
            (HoldReason::Answered, Core::lan_objection),
            (HoldReason::Doubted, Core::doubt_objection),
        ];
        guards.into_iter().find_map(|(reason, ask)| Some((reason, ask(self, group)?)))
    }
}
