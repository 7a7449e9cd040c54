//! Who sees more ping nodes serves: Heartbeat's ipfail, message by message (03 §10).
//!
//! The two nodes tell each other how many ping nodes answer; the receiver of a number decides, and the node that sees
//! fewer gives everything up, by the exchange of an operator's standby. A real ipfail on the other node notices no
//! difference. Without `ipfail` in ha.cf or hbd.toml nothing of this is said or heard: ping nodes only report.
//!
//! In two points hbd is calmer than a real ipfail, which the other node cannot see: it begins no exchange in which
//! nothing would move, and equal numbers return only what had come because the other node was worse connected, so
//! that what an operator moved stays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::message::{Ask, AskWord, IpfailSaid, IpfailWord};
use crate::cluster::timers::Timer;
use crate::cluster::{GroupSet, Instant, Record};
use crate::config::AutoFailback;
use crate::wire::Message;

/// A give-up that could not begin is thought over after this time (03 §10.2).
const POSTPONED: Duration = Duration::from_secs(10);

/// What is under way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Ipfail {
    /// What is given up when [`Timer::GiveUp`] is due: twice the keepalive after the reason for it.
    giving_up: Option<GroupSet>,
    /// `seq` of the peer's latest word: what is older was sent again, and is no longer so.
    heard: u64,
    /// How many ping nodes the peer's present incarnation sees, by its latest word.
    theirs: Option<usize>,
    /// The peer saw fewer, and what it gave us then is to go back when it does no more.
    peer_was_worse: bool,
}

impl Ipfail {
    /// Whether the peer gave us something because it saw fewer ping nodes.
    pub(in crate::cluster) fn peer_was_worse(&self) -> bool {
        self.peer_was_worse
    }

    /// Whether something is about to be given up.
    pub(in crate::cluster) fn gives_up(&self) -> bool {
        self.giving_up.is_some()
    }
}

impl Core {
    /// The peer died, or a new incarnation counts anew.
    pub(in crate::cluster) fn ipfail_forget(&mut self) {
        self.timers.stop(Timer::GiveUp);
        self.timers.stop(Timer::PingComparison);
        (self.ipfail.giving_up, self.ipfail.theirs, self.ipfail.heard) = (None, None, 0);
    }

    /// Whether the client `ipfail` runs here, as a real node would say.
    pub(in crate::cluster) fn ipfail_runs(&self) -> bool {
        let leaving = self.leave.begun();
        self.settings.connectivity.ipfail && self.membership.active() && !leaving && self.peer_kind().is_nice()
    }

    /// How many ping nodes answer; a group counts once.
    fn ping_count(&self) -> usize {
        self.ping_nodes.iter().filter(|node| node.answers == Some(true)).count()
    }

    /// We became active: as a real daemon when its client signs on. The peer answers with its number; ours goes out
    /// as well, so that nothing fails back to us before the peer knows how we are connected.
    pub(in crate::cluster) fn ipfail_joins(&mut self) {
        if self.ipfail_runs() {
            self.ipfail_status("join", "signon");
            self.ipfail_ask();
        }
    }

    /// We are about to leave, and were running it.
    pub(in crate::cluster) fn ipfail_leaves(&mut self) {
        if self.settings.connectivity.ipfail && self.peer_kind().is_nice() {
            self.ipfail_status("leave", "signoff");
        }
    }

    fn ipfail_status(&mut self, st: &str, info: &str) {
        let message = Message::new("hbapi-clstat").with("st", st).with("from_id", "ipfail").with("to_id", "ipfail");
        self.send(message.with("src", &self.settings.node).with("info", info).with("client_gen", "0"));
    }

    /// Something about our connections, or the peer's ipfail, has changed: tell the peer what we see.
    pub(in crate::cluster) fn ipfail_ask(&mut self) {
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

    /// `me` of the peer: if its ipfail gives up something of its own, it had seen fewer ping nodes than we. That is
    /// everything but what an operator works on there. If by now it sees as many, what it says of that has overtaken
    /// this, and came too early to make us give back what we had not got yet.
    pub(in crate::cluster) fn ipfail_gives(&mut self, set: GroupSet, ask: &Ask) {
        let its_own = set == self.groups.all() || !set.common(self.groups.foreign()).is_none();
        if ask.word == AskWord::Me && ask.from_ipfail && its_own {
            self.ipfail.peer_was_worse = true;
            if self.ipfail.theirs == Some(self.ping_count()) {
                self.ipfail_ask();
            }
        }
    }

    /// `query-cstatus`: does that client of the API run here? We have no such API, but the asker waits for an
    /// answer (02 §3.1), and ipfail we are ourselves. `client`: which, and who asks.
    pub(in crate::cluster) fn answer_client_query(&mut self, from: usize, client: Option<(String, String)>) {
        let Some((client, asker)) = client else { return };
        let answer = Message::new("respond-cstatus").with("dest", &self.nodes[from].name).with("result", "OK");
        let state = if client == "ipfail" && self.ipfail_runs() { "online" } else { "offline" };
        self.send(answer.with("cn", &client).with("to_id", &asker).with("cs", state));
    }

    /// A message of the peer's ipfail, or about it.
    pub(in crate::cluster) fn ipfail_heard(&mut self, seq: u64, said: IpfailSaid) {
        if !said.for_ipfail || !self.ipfail_runs() || seq < self.ipfail.heard {
            return;
        }
        self.ipfail.heard = seq;
        match said.word {
            IpfailWord::Joined => self.ipfail_ask(),
            IpfailWord::Left => self.ipfail.theirs = None,
            IpfailWord::Count(theirs) => {
                if let Some(theirs) = theirs {
                    self.compare(theirs);
                }
            }
            IpfailWord::SeesMore => self.peer_sees_more(),
            IpfailWord::Balanced => self.balanced(),
        }
    }

    fn peer_sees_more(&mut self) {
        self.log(Record::FewerPingNodes { node: self.peer_name() });
        let contested = self.ipfail.giving_up.is_none() && self.ipfail.theirs.is_some() && !self.knows_to_be_worse();
        // How many it sees it does not say.
        self.ipfail.theirs = Some(self.ping_count() + 1);
        self.give_up_soon(self.groups.all());
        if contested {
            self.ipfail_ask();
        }
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
            self.give_up_nothing();
            self.ipfail.peer_was_worse = true;
            self.log(Record::MorePingNodes { node: node.clone() });
            self.ipfail_send(answer("you_are_dead", ""));
        } else if ours < theirs {
            self.log(Record::FewerPingNodes { node });
            self.give_up_soon(self.groups.all());
        } else {
            self.ipfail_send(answer("abort_giveup", &self.settings.node.clone()));
            self.balanced();
        }
    }

    /// Both are connected alike: nothing is given up, and what came here because the peer was not goes back.
    fn balanced(&mut self) {
        self.ipfail.theirs = Some(self.ping_count());
        if self.ipfail.giving_up == Some(self.groups.foreign()) {
            return;
        }
        self.give_up_nothing();
        if self.ipfail.peer_was_worse && !self.settings.failback.is_plain() {
            self.ipfail.peer_was_worse = false;
            self.raise(Fact::ConnectedAlike);
        } else if self.ipfail.peer_was_worse && self.settings.auto_failback != AutoFailback::Off {
            self.log(Record::PingNodesBalanced { node: self.peer_name() });
            self.give_up_soon(self.groups.foreign());
        }
    }

    /// The peer may just have lost, or found, the same ping node, and say so by then.
    fn give_up_soon(&mut self, set: GroupSet) {
        self.timers.stop(Timer::PingComparison);
        self.give_up_at(self.now.monotonic + self.settings.timing.keepalive * 2, set);
    }

    fn give_up_at(&mut self, at: Instant, set: GroupSet) {
        self.timers.set(Timer::GiveUp, at);
        self.ipfail.giving_up = Some(set);
    }

    fn give_up_nothing(&mut self) {
        self.timers.stop(Timer::GiveUp);
        self.ipfail.giving_up = None;
    }

    /// Whether what belongs to the peer had better stay here although it is back.
    pub(in crate::cluster) fn peer_is_worse_connected(&self) -> bool {
        self.ipfail_runs() && self.ipfail.theirs.is_some_and(|theirs| theirs < self.ping_count())
    }

    /// What the better connected peer is to serve is given up now.
    pub(in crate::cluster) fn ipfail_give_up(&mut self) {
        let Some(set) = self.ipfail.giving_up.take() else { return };
        let returning = set == self.groups.foreign();
        if !returning && !self.knows_to_be_worse() {
            // We see more than when it said so, and its answer to that may have been lost.
            return self.ipfail_ask();
        }
        if !self.ipfail_runs() || returning && self.peer_is_worse_connected() {
            return;
        }
        // It may be on its way to us, in the exchange that its owner has begun.
        let nothing = set.common(self.groups.held()).is_none() && !self.exchange.busy();
        let all = set;
        // What is in maintenance follows when that ends.
        let set = if self.says_groups() { all.without(self.left_alone()) } else { all };
        let me = Message::new("ask_resources")
            .with("rsc_hold", self.groups.classes(set).word())
            .with("src", &self.settings.node);
        let me = self.with_groups(me.with("info", "me"), set);
        let moves = !set.common(self.groups.held()).is_none();
        let begun = moves && self.begin_exchange_saying(set, client(me)).is_ok();
        let again = self.now.monotonic + POSTPONED;
        if returning && nothing {
            self.ipfail.peer_was_worse = false;
        } else if returning {
            // Begun or not: it is over when nothing of it is here any more.
            self.give_up_at(again, all);
        } else if begun {
            self.log(Record::GivenUpForPings { node: self.peer_name() });
        } else if !nothing {
            self.timers.set(Timer::PingComparison, again);
        }
    }
}

/// The fields that a daemon adds to what its client says.
fn client(message: Message) -> Message {
    message.with("from_id", "ipfail").with("to_id", "ipfail").with("client_gen", "0")
}
