//! What must be true of the core between two events. The tests and the simulator ask after every event.
//!
//! Owns the list of the invariants that span modules; those of one module stand beside its fields as `debug_assert!`.

use super::core::Core;
use super::ownership::state::Decision;
use super::peer::node::Node;
use super::timers::Timer;

impl Core {
    /// Whether the core contradicts itself.
    ///
    /// # Errors
    /// The first invariant that is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        let broken = self.invariants().into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, invariant)| Err(invariant.to_owned()))
    }

    fn invariants(&self) -> Vec<(bool, &'static str)> {
        let ownership = &self.ownership;
        let dead = self.peer_node().is_some_and(|peer| peer.status == super::Status::Dead);
        let leaving = ownership.gives_up_everything();
        let set = |timer| self.timers.is_set(timer);
        vec![
            (self.facts.is_empty(), "every fact is heard before the event is over"),
            (self.out.is_empty(), "every action is handed out"),
            (self.groups.held().common(ownership.stopping()).is_none(), "what stops for another is not held"),
            (!leaving || self.leave.begun(), "nothing is given up for a stop that nobody asked for"),
            (
                !dead || ownership.decision == Decision::Init || ownership.other.holds.is_none(),
                "a dead peer holds nothing",
            ),
            (
                !self.fencing.waiting() || !self.peer_node().is_some_and(Node::alive),
                "no reset waits for a living node",
            ),
            (self.exchange.busy() == set(Timer::Exchange), "an exchange has an end, and nothing else has"),
            (self.operator.awaited().is_some() == set(Timer::RequestExpiry), "a request that waits expires"),
            (self.ipfail.gives_up() == set(Timer::GiveUp), "what ipfail gives up it gives up at a time"),
            (self.succession.waits() == set(Timer::Restart), "a restart that waits goes on at a time"),
        ]
    }
}
