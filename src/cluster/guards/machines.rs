//! Whose machine is it that answers for our addresses, or claims them? (docs/DECISIONS.md "Strangers on the LAN")
//!
//! Owns what is known of MAC addresses: this machine's, those that an hbd says are its own (05 §3.14), those under
//! which a peer that does not say so was seen, and who was heard on which interface. Judges whose a MAC address is;
//! what follows from that is decided by [`super::lan`] and [`super::claimed`]. Never takes a machine for another one
//! than the peer's before the peer's own was seen on the same interface: where the network shows it under another MAC
//! address, or behind a proxy, nobody can be told from it.

use serde::{Deserialize, Serialize};

use crate::cluster::KnownPeer;
use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::message::StatusSaid;
use crate::cluster::peer::own_macs::{MACS_MAX, MacsSaid};

/// So many machines are remembered that were heard: a stranger can invent as many as it likes.
const HEARD_MAX: usize = 64;

/// Whose machine has a MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum Whose {
    /// The peer's.
    Peers,
    /// Neither the peer's nor ours, for certain.
    Strangers,
    /// Nobody knows: it may be the peer's.
    Unknown,
}

/// What we know of MAC addresses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Machines {
    /// This machine's.
    own: MacsSaid,
    /// All that the peer has said are its own, also to an earlier daemon of ours.
    said: Vec<String>,
    /// It has more than it could say.
    more: bool,
    /// Under which a peer that says nothing answered for what it holds.
    seen: Vec<String>,
    /// The generation of the peer of which this is known.
    generation: u64,
    /// Who was heard about our addresses, and on which interface; the latest last.
    heard: Vec<(String, String)>,
}

impl Machines {
    /// What an earlier daemon of ours has noted of the peer.
    pub(in crate::cluster) fn known(peer: Option<&KnownPeer>) -> Self {
        let Some(peer) = peer.filter(|peer| !peer.macs.is_empty()) else { return Machines::default() };
        Machines { said: peer.macs.clone(), more: peer.more_macs, generation: peer.generation, ..Machines::default() }
    }

    /// Every MAC address that may be the peer's.
    fn peers(&self) -> impl Iterator<Item = &String> {
        self.said.iter().chain(&self.seen)
    }
}

impl Core {
    /// The MAC addresses of this machine have changed, or are known now. The peer is told at once.
    pub(in crate::cluster) fn own_macs_changed(&mut self, macs: Vec<String>, more: bool) {
        let own = MacsSaid { macs, more };
        let before = std::mem::replace(&mut self.machines.own, own);
        if before != self.machines.own && self.membership.running() && self.peer_kind().is_hbd() {
            self.send_status();
        }
    }

    /// What our statuses say of them; `None` if there is nothing to say.
    pub(in crate::cluster) fn own_macs(&self) -> Option<String> {
        self.machines.own.words()
    }

    /// An hbd says which MAC addresses its machine has. What it said before counts as well: it may have more
    /// interfaces than are there at this moment.
    pub(in crate::cluster) fn macs_heard(&mut self, from: usize, said: &StatusSaid) {
        let Some(said) = said.macs.as_ref().filter(|_| Some(from) == self.peer()) else { return };
        let machines = &mut self.machines;
        let news = said.macs.iter().any(|mac| !machines.said.contains(mac));
        machines.said.retain(|mac| !said.macs.contains(mac));
        machines.said.extend(said.macs.iter().cloned());
        let surplus = machines.said.len().saturating_sub(2 * MACS_MAX);
        machines.said.drain(..surplus);
        machines.more = said.more;
        // A router that answers for everything may have been taken for a peer that did not say what it has.
        machines.seen.clear();
        machines.generation = self.nodes[from].generation;
        if news {
            self.raise(Fact::PeerMacsKnown);
            self.remember(from);
        }
    }

    /// What a node has said of them, for the next daemon.
    pub(in crate::cluster) fn said_by(&self, node: usize) -> (Vec<String>, bool) {
        let peers = Some(node) == self.peer();
        if peers { (self.machines.said.clone(), self.machines.more) } else { (Vec::new(), false) }
    }

    /// The same of several.
    pub(in crate::cluster) fn note_machines(&mut self, macs: &[String], device: &str) {
        macs.iter().for_each(|mac| self.note_machine(mac, device));
    }

    /// Somebody was heard about an address of ours on this interface.
    pub(in crate::cluster) fn note_machine(&mut self, mac: &str, device: &str) {
        let one = (mac.to_owned(), device.to_owned());
        let machines = &mut self.machines;
        if machines.heard.contains(&one) {
            return;
        }
        if machines.heard.len() >= HEARD_MAX {
            // Strangers are forgotten for strangers: who the peer is must not be forgotten for them.
            let peers: Vec<&String> = machines.said.iter().chain(&machines.seen).collect();
            let oldest = machines.heard.iter().position(|(mac, _)| !peers.contains(&mac)).unwrap_or_default();
            machines.heard.remove(oldest);
        }
        machines.heard.push(one);
    }

    /// These machines answer for what a living peer holds that does not say its MAC addresses. `others`: who answers
    /// for what we hold ourselves, and is a router that answers for everything, if anybody else answers here.
    pub(in crate::cluster) fn note_seen(&mut self, macs: &[String], others: &[String]) {
        let Some(generation) = self.peer_node().map(|peer| peer.generation) else { return };
        if !self.machines.said.is_empty() && self.machines.generation == generation {
            return;
        }
        let likely: Vec<String> = macs.iter().filter(|mac| !others.contains(mac)).cloned().collect();
        if likely.is_empty() {
            return;
        }
        let machines = &mut self.machines;
        machines.seen.retain(|mac| !likely.contains(mac) && !others.contains(mac));
        machines.seen.extend(likely);
        let surplus = machines.seen.len().saturating_sub(MACS_MAX);
        machines.seen.drain(..surplus);
        machines.generation = generation;
    }

    /// Whose machine has this MAC address, as heard on this interface.
    pub(in crate::cluster) fn whose(&self, mac: &str, device: &str) -> Whose {
        if self.machines.peers().any(|known| known == mac) {
            Whose::Peers
        } else if self.recognises_peer_on(device) {
            Whose::Strangers
        } else {
            Whose::Unknown
        }
    }

    /// Whether all MAC addresses of the peer are known, and it was seen under one of them on this interface.
    pub fn recognises_peer_on(&self, device: &str) -> bool {
        let machines = &self.machines;
        let current = self.peer_node().is_some_and(|peer| peer.generation == machines.generation);
        let seen = |(mac, on): &(String, String)| on == device && machines.peers().any(|known| known == mac);
        current && !machines.more && machines.heard.iter().any(seen)
    }

    /// Why a machine that may be the peer's is not known to be or not to be; empty if that is known.
    pub(in crate::cluster) fn whose_in_words(&self, mac: &str, device: &str) -> String {
        let node = self.peer_name();
        match self.whose(mac, device) {
            Whose::Peers if self.machines.said.iter().any(|said| said == mac) => format!("{node} itself"),
            Whose::Peers => format!("probably {node}: it answered for what {node} served"),
            Whose::Strangers => format!("no machine of {node}'s"),
            Whose::Unknown if self.machines.peers().next().is_none() => {
                format!("perhaps {node}, whose MAC addresses are not known")
            }
            Whose::Unknown => format!("perhaps {node}, which was not seen on that interface"),
        }
    }
}
