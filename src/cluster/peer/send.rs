//! Building and numbering what we send (01 §1.5, 02 §2, §6.1).

use crate::cluster::core::Core;
use crate::cluster::{Action, EXTENSIONS, Set, Status};
use crate::wire::{Message, Value};

impl Core {
    /// Adds the control fields in their order, keeps sequenced messages for retransmission, and sends.
    pub(in crate::cluster) fn send(&mut self, body: Message) {
        let message = self.complete(body);
        self.out.push(Action::Send(message));
    }

    fn complete(&mut self, mut message: Message) -> Message {
        let sequenced = !is_unsequenced(message.kind().unwrap_or_default());
        if let Some(uuid) = message.text("dest").and_then(|dest| self.uuid_of(dest)) {
            message.set("destuuid", Value::Binary(uuid.to_vec()));
        }
        message.set_text("src", &self.settings.node);
        message.set("srcuuid", Value::Binary(self.settings.uuid.to_vec()));
        let seq = sequenced.then(|| self.history.next_seq());
        if let Some(seq) = seq {
            message.set_text("seq", &format!("{seq:x}"));
        }
        message.set_text("hg", &format!("{:x}", self.settings.generation));
        message.set_text("ts", &format!("{:x}", self.now.wall.as_secs().max(1)));
        if sequenced {
            message.set_text("ld", &self.load);
        }
        let ttl = usize::from(self.settings.hopfudge) + self.nodes.len() + self.ping_nodes.len();
        message.set_text("ttl", &ttl.to_string());
        if let Some(seq) = seq {
            self.history.keep(seq, message.clone());
        }
        message
    }

    fn uuid_of(&self, name: &str) -> Option<[u8; 16]> {
        self.nodes.iter().find(|node| node.name == name).and_then(|node| node.uuid)
    }

    /// `status`, with the dead time we ask our peers for (02 §3.1, §4.2) and the extensions we speak.
    pub(in crate::cluster) fn send_status(&mut self) {
        let (status, dead_time) = (self.own_status(), self.announced_dead_time());
        let mut message = Message::new("status")
            .with("st", status.word())
            .with("dt", &format!("{:x}", dead_time.as_millis()))
            .with("protocol", "1")
            .with("hbd", &format!("{EXTENSIONS} {}", env!("CARGO_PKG_VERSION")));
        let cut = self.cut();
        if cut != Set::NONE && self.peer_kind().is_hbd() {
            message.set_text("hbd_cut", cut.word());
        }
        if self.succession.leaving() {
            message.set_text("hbd_restart", "1");
        }
        if let Some(words) = self.settings.fingerprint.words().filter(|_| self.peer_kind().is_hbd()) {
            message.set_text("hbd_conf", &words);
        }
        // Also to a peer of which nothing was heard yet: a restarted hbd must not seem to be done.
        let stranger = self.peer_node().is_some_and(|peer| peer.last_status.is_none());
        if self.maintenance.on() && (stranger || self.peer_kind().is_hbd()) {
            message.set_text("hbd_maintenance", "1");
        }
        let degraded = self.degraded();
        if !degraded.is_empty() && self.peer_kind().is_hbd() {
            message.set_text("hbd_degraded", &degraded.join(" "));
        }
        let unready = self.unready();
        if unready != Set::NONE && (stranger || self.peer_kind().is_hbd()) {
            message.set_text("hbd_unready", unready.word());
        }
        self.send(message);
    }

    /// `resource`, the absolute report of what we hold (03 §3). An hbd peer is also told since when.
    pub(in crate::cluster) fn send_resource(&mut self, stable: bool, info: Option<&str>) {
        if self.peer_kind().is_nice() {
            let message = self.resource_message(stable, info);
            self.send(message);
        }
    }

    /// The message of [`Core::send_resource`], not yet sent.
    pub(in crate::cluster) fn resource_message(&self, stable: bool, info: Option<&str>) -> Message {
        // While a giver, or the loser of a conflict, still stops, nothing it says may sound as if it had.
        let releasing = self.ownership.stopping() != Set::NONE || self.exchange.releasing();
        let (stable, info) = if releasing { (false, info.or(Some("standby"))) } else { (stable, info) };
        let mut message = Message::new("resource")
            .with("rsc_hold", self.groups.held().word())
            .with("rtype", "full")
            .with("isstable", if stable { "1" } else { "0" });
        if let Some(info) = info {
            message.set_text("info", info);
        }
        if self.peer_kind().is_hbd() {
            message.set_text("hbd_claim", &self.claims().to_string());
            if self.peer_node().is_some_and(|peer| peer.status == Status::Dead) {
                message.set_text("hbd_deaf", "1");
            }
            if let Some(unfit) = self.unfit() {
                message.set_text("hbd_unfit", &unfit);
            }
        }
        message
    }

    /// Our report, with the word that we know of no exchange. Only an hbd is told so, which reports in its turn; a
    /// real Heartbeat would not listen.
    pub(in crate::cluster) fn send_void(&mut self) {
        let report = self.resource_message(self.ownership.decided(), None);
        self.send(report.with("hbd_void", "1"));
    }

    /// `hb_takeover`: asks the peer to give. The set is in our words.
    pub(in crate::cluster) fn send_takeover(&mut self, set: Set) {
        self.send(Message::new("hb_takeover").with("rsc_hold", set.word()));
    }

    /// `ask_resources`, one word of the standby exchange (03 §4.5).
    pub(in crate::cluster) fn send_ask(&mut self, set: Set, word: &str) {
        self.send(ask(set, word));
    }
}

/// The message of [`Core::send_ask`], not yet sent.
pub(in crate::cluster) fn ask(set: Set, word: &str) -> Message {
    Message::new("ask_resources").with("rsc_hold", set.word()).with("info", word)
}

/// Whether messages of this type carry no sequence number (02 §3).
pub(in crate::cluster) fn is_unsequenced(kind: &str) -> bool {
    kind.starts_with("NS_")
}
