//! Who sees more ping nodes serves: Heartbeat's ipfail, message by message (03 §10).
//!
//! The two nodes tell each other how many ping nodes answer; the receiver of a number decides, and the node that sees
//! fewer gives everything up, by the exchange of an operator's standby. A real ipfail on the other node notices no
//! difference. Without `ipfail` in ha.cf or hbd.toml nothing of this is said or heard: ping nodes only report. Owns the
//! tie-break after a partition, too (`takeover_needs_ping`), which concerns nobody but us.
//!
//! In two points hbd is calmer than a real ipfail, which the other node cannot see: it begins no exchange in which
//! nothing would move, and equal numbers return only what had come because the other node was worse connected, so that
//! what an operator moved stays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Class, Core, Instant, Record, Set};
use crate::config::AutoFailback;
use crate::wire::Message;

/// A give-up that could not begin is thought over after this time (03 §10.2).
const POSTPONED: Duration = Duration::from_secs(10);

/// What is under way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ipfail {
    /// What is given up, and when: twice the keepalive after the reason for it.
    give_up: Option<(Instant, Set)>,
    /// When the numbers are compared once more.
    ask_at: Option<Instant>,
    /// `seq` of the peer's latest word: what is older was sent again, and is no longer so.
    heard: u64,
    /// How many ping nodes the peer's present incarnation sees, by its latest word.
    theirs: Option<usize>,
    /// The peer saw fewer, and what it gave us then is to go back when it does no more.
    peer_was_worse: bool,
    /// We do not take what the dead peer had, because no ping node answers here.
    isolated: bool,
}

impl Ipfail {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.give_up.map(|(at, _)| at).into_iter().chain(self.ask_at).min()
    }

    /// What waited for a ping node waits no more: it is taken, or the peer is heard again.
    pub(super) fn not_isolated(&mut self) {
        self.isolated = false;
    }

    /// The peer died, or a new incarnation counts anew.
    pub(super) fn forget(&mut self) {
        (self.give_up, self.ask_at, self.theirs, self.heard) = (None, None, None, 0);
    }
}

impl Core {
    /// Whether the client `ipfail` runs here, as a real node would say.
    pub(super) fn ipfail_runs(&self) -> bool {
        let leaving = self.leave.begun();
        self.settings.connectivity.ipfail && self.membership.active() && !leaving && self.speaks_nice()
    }

    /// How many ping nodes answer; a group counts once.
    fn ping_count(&self) -> usize {
        self.ping_nodes.iter().filter(|node| node.answers == Some(true)).count()
    }

    /// We became active: as a real daemon when its client signs on. The peer answers with its number; ours goes out as
    /// well, so that nothing fails back to us before the peer knows how we are connected.
    pub(super) fn ipfail_joins(&mut self) {
        if self.ipfail_runs() {
            self.ipfail_status("join", "signon");
            self.ipfail_ask();
        }
    }

    /// We are about to leave, and were running it.
    pub(super) fn ipfail_leaves(&mut self) {
        if self.settings.connectivity.ipfail && self.speaks_nice() {
            self.ipfail_status("leave", "signoff");
        }
    }

    fn ipfail_status(&mut self, st: &str, info: &str) {
        let message = Message::new("hbapi-clstat").with("st", st).with("from_id", "ipfail").with("to_id", "ipfail");
        self.send(message.with("src", &self.settings.node).with("info", info).with("client_gen", "0"));
    }

    /// Something about our connections, or the peer's ipfail, has changed: tell the peer what we see.
    pub(super) fn ipfail_ask(&mut self) {
        if !self.ipfail_runs() || !self.peer_alive() {
            return;
        }
        let count = self.ping_count().to_string();
        let message = Message::new("num_ping_nodes").with("src", &self.settings.node).with("num_ping", &count);
        self.ipfail_send(message.with("dest", &self.peer_name()));
    }

    fn ipfail_send(&mut self, message: Message) {
        self.send(client(message));
    }

    /// `me` of the peer: if its ipfail gives everything up, it had seen fewer ping nodes than we. If by now it sees as many,
    /// what it says of that has overtaken this, and came too early to make us give back what we had not got yet.
    pub(super) fn ipfail_gives(&mut self, set: Set, message: &Message) {
        let theirs = message.text("info") == Some("me") && message.text("from_id") == Some("ipfail");
        if theirs && set == Set::ALL {
            self.ipfail.peer_was_worse = true;
            if self.ipfail.theirs == Some(self.ping_count()) {
                self.ipfail_ask();
            }
        }
    }

    /// A message of the peer's ipfail, or about it. False if it is none.
    pub(super) fn ipfail_heard(&mut self, from: usize, seq: u64, message: &Message) -> bool {
        let ours = ["hbapi-clstat", "num_ping_nodes", "abort_giveup", "you_are_dead"];
        let Some(kind) = message.kind().filter(|kind| ours.contains(kind)) else { return false };
        if Some(from) != self.peer() || message.text("to_id") != Some("ipfail") || !self.ipfail_runs() {
            return true;
        }
        if seq < self.ipfail.heard {
            return true;
        }
        self.ipfail.heard = seq;
        match kind {
            "hbapi-clstat" => match message.text("st") {
                Some("join") => self.ipfail_ask(),
                _ => self.ipfail.theirs = None,
            },
            "num_ping_nodes" => {
                if let Some(theirs) = message.text("num_ping").and_then(|text| text.parse().ok()) {
                    self.compare(theirs);
                }
            }
            "you_are_dead" => {
                self.log(Record::FewerPingNodes { node: self.peer_name() });
                let contested =
                    self.ipfail.give_up.is_none() && self.ipfail.theirs.is_some() && !self.knows_to_be_worse();
                // How many it sees it does not say.
                self.ipfail.theirs = Some(self.ping_count() + 1);
                self.give_up_soon(Set::ALL);
                if contested {
                    self.ipfail_ask();
                }
            }
            _ => self.balanced(),
        }
        true
    }

    /// Whether the peer's last number was higher than ours. If it was not, what it tells us may have crossed our own
    /// number: it gets that again, and takes its word back if it must.
    fn knows_to_be_worse(&self) -> bool {
        self.ipfail.theirs.is_some_and(|theirs| theirs > self.ping_count())
    }

    /// The receiver of a number decides (03 §10.2).
    fn compare(&mut self, theirs: usize) {
        self.ipfail.theirs = Some(theirs);
        let (ours, node) = (self.ping_count(), self.peer_name());
        let answer = |kind: &str, src: &str| match kind {
            "abort_giveup" => Message::new(kind).with("src", src).with("dest", &node),
            _ => Message::new(kind).with("dest", &node),
        };
        if ours > theirs {
            self.ipfail.give_up = None;
            self.ipfail.peer_was_worse = true;
            self.log(Record::MorePingNodes { node: node.clone() });
            self.ipfail_send(answer("you_are_dead", ""));
        } else if ours < theirs {
            self.log(Record::FewerPingNodes { node });
            self.give_up_soon(Set::ALL);
        } else {
            self.ipfail_send(answer("abort_giveup", &self.settings.node.clone()));
            self.balanced();
        }
    }

    /// Both are connected alike: nothing is given up, and what came here because the peer was not goes back.
    fn balanced(&mut self) {
        self.ipfail.theirs = Some(self.ping_count());
        if self.ipfail.give_up.is_some_and(|(_, set)| set == Set::FOREIGN) {
            return;
        }
        self.ipfail.give_up = None;
        if self.ipfail.peer_was_worse && self.settings.auto_failback != AutoFailback::Off {
            self.log(Record::PingNodesBalanced { node: self.peer_name() });
            self.give_up_soon(Set::FOREIGN);
        }
    }

    /// The peer may just have lost, or found, the same ping node, and say so by then.
    fn give_up_soon(&mut self, set: Set) {
        self.ipfail.ask_at = None;
        self.ipfail.give_up = Some((self.now.monotonic + self.settings.timing.keepalive * 2, set));
    }

    /// Whether what belongs to the peer had better stay here although it is back.
    pub(super) fn peer_is_worse_connected(&self) -> bool {
        self.ipfail_runs() && self.ipfail.theirs.is_some_and(|theirs| theirs < self.ping_count())
    }

    pub(super) fn ipfail_tick(&mut self) {
        let now = self.now.monotonic;
        if let Some((_, set)) = self.ipfail.give_up.take_if(|(at, _)| *at <= now) {
            self.give_up_now(set);
        }
        if self.ipfail.ask_at.take_if(|at| *at <= now).is_some() {
            self.ipfail_ask();
        }
    }

    fn give_up_now(&mut self, set: Set) {
        let returning = set == Set::FOREIGN;
        if !returning && !self.knows_to_be_worse() {
            // We see more than when it said so, and its answer to that may have been lost.
            return self.ipfail_ask();
        }
        if !self.ipfail_runs() || returning && self.peer_is_worse_connected() {
            return;
        }
        // It may be on its way to us, in the exchange that its owner has begun.
        let nothing = set.common(self.ownership.hold) == Set::NONE && !self.standby.busy();
        let me = Message::new("ask_resources").with("rsc_hold", set.word()).with("src", &self.settings.node);
        let begun = !nothing && self.begin_standby_saying(set, client(me.with("info", "me")));
        let again = self.now.monotonic + POSTPONED;
        if returning && nothing {
            self.ipfail.peer_was_worse = false;
        } else if returning {
            // Begun or not: it is over when nothing of it is here any more.
            self.ipfail.give_up = Some((again, set));
        } else if begun {
            self.log(Record::GivenUpForPings { node: self.peer_name() });
        } else if !nothing {
            self.ipfail.ask_at = Some(again);
        }
    }

    /// Whether the dead peer may be the better connected one: the administrator wants no takeover then, and no ping node
    /// has answered since the peer fell silent. A peer that said that it leaves has nothing any more.
    pub(super) fn is_isolated(&self) -> bool {
        let fresh = self.settings.timing.keepalive * 5 / 2;
        let now = self.now.monotonic;
        self.settings.connectivity.takeover_needs_ping
            && !self.ownership.peer_left
            && !self.ping_nodes.is_empty()
            && !self.ping_nodes.iter().any(|node| node.heard_within(now, fresh))
    }

    /// The peer is dead, and we take nothing of it.
    pub(super) fn isolation_begins(&mut self) {
        if !std::mem::replace(&mut self.ipfail.isolated, true) {
            self.log(Record::NoPingNode { node: self.peer_name() });
        }
    }

    /// What waited is taken. Whether it was a ping node that it waited for.
    pub(super) fn isolation_ends(&mut self) -> bool {
        let isolated = std::mem::take(&mut self.ipfail.isolated);
        if isolated {
            self.log(Record::PingNodeBack { node: self.peer_name() });
        }
        isolated
    }

    /// Why a group is not taken, if it is for want of a ping node.
    pub(super) fn waits_for_ping(&self, class: Class) -> Option<String> {
        let waits = self.ipfail.isolated && self.hold.waiting().has(class);
        waits.then(|| "no ping node answers".to_owned())
    }
}

/// The fields that a daemon adds to what its client says.
fn client(message: Message) -> Message {
    message.with("from_id", "ipfail").with("to_id", "ipfail").with("client_gen", "0")
}
