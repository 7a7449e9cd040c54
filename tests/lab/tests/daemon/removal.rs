//! Addresses that others remove, and interfaces that cannot serve.

use hbd_lab::Result;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::switch::Lan;

use crate::pair::{A, B, Pair, SOON, TAKEOVER};

/// `ip address del`: back at once, said in the journal, and nothing to notice for a client.
pub fn an_address_that_somebody_removes_is_back(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.node(A).run(&["ip", "address", "del", &format!("{VIP}/24"), "dev", "eth0"])?;
    wait_until("the address to be back", SOON, || pair.node(A).holds(VIP).ok()?.then_some(()))?;
    pair.wait_record(A, since, "removed from eth0 by somebody else and put back at once", SOON)?;
    pair.wait_with_one_owner("a second", SOON, || now() > since + 1.0)?;
    pair.expect_undisturbed(A, since)?;
    Ok(String::new())
}

/// The public cable of the owner is pulled: the peer, which can be reached, serves, and gets it by a planned move.
pub fn a_lost_carrier_moves_the_group(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let since = now();
    pair.lab.switch.cut(NODES[A].name, Lan::Public)?;
    pair.wait_record(A, since, "has no carrier", SOON)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    pair.wait_record(A, since, "giving them up", SOON)?;
    let healed = now();
    pair.lab.switch.heal(NODES[A].name, Lan::Public)?;
    pair.wait_record(A, healed, "works", SOON)?;
    pair.settle()?;
    Ok(format!("served {:.3} s after the cut", served - since))
}
