//! Building and numbering what we send (01 §1.5, 02 §2, §6.1).

use super::heard::FIELD;
use super::own_macs;
use super::set_said::{CUT_FIELDS, LEFT_ALONE_FIELDS, UNREADY_FIELDS};
use crate::cluster::core::Core;
use crate::cluster::{Action, GroupSet, MACHINES_EXTENSION, Status};
use crate::wire::{Message, Value};

/// On which side of an exchange we are: its sets are in the giver's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum Side {
    /// We give.
    Giver,
    /// We take.
    Taker,
}

impl Core {
    /// Adds the control fields in their order, keeps sequenced messages for retransmission, and sends.
    pub(in crate::cluster) fn send(&mut self, body: Message) {
        let message = self.complete(body);
        self.out.push(Action::Send(message));
    }

    /// Adds the control fields. A message without a number changes nothing here.
    pub(super) fn complete(&mut self, mut message: Message) -> Message {
        let sequenced = !is_unsequenced(message.kind().unwrap_or_default());
        if let Some(heard) = self.heard_of_peer(message.kind() == Some("status")) {
            message.set_text(FIELD, &heard);
        }
        self.add_echo(&mut message);
        if let Some(uuid) = message.text("dest").and_then(|dest| self.uuid_of(dest)) {
            message.set("destuuid", Value::Binary(uuid.to_vec()));
        }
        message.set_text("src", &self.settings.node);
        message.set("srcuuid", Value::Binary(self.settings.uuid.to_vec()));
        let seq = sequenced.then(|| self.history.next_seq());
        if let Some(seq) = seq {
            message.set_text("seq", &format!("{seq:x}"));
        }
        if let Some(seq) = seq.filter(|_| message.kind() == Some("status")) {
            self.note_status_said(seq);
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
    fn status_message(&self) -> Message {
        let (status, dead_time) = (self.own_status(), self.announced_dead_time());
        let mut message = Message::new("status")
            .with("st", status.word())
            .with("dt", &format!("{:x}", dead_time.as_millis()))
            .with("protocol", "1")
            .with("hbd", &format!("{} {}", self.settings.extensions, env!("CARGO_PKG_VERSION")));
        if self.peer_kind().is_hbd() {
            self.add_unable(&mut message, self.cut(), CUT_FIELDS);
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
        if stranger || self.peer_kind().is_hbd() {
            self.add_unable(&mut message, self.unready(), UNREADY_FIELDS);
            self.add_unable(&mut message, self.moving_with(self.maintenance.named()), LEFT_ALONE_FIELDS);
        }
        if let Some(seconds) = self.start_delay_rest().filter(|_| stranger || self.peer_kind().is_hbd()) {
            message.set_text("hbd_start_delay", &seconds.to_string());
        }
        let speaks = self.settings.extensions >= MACHINES_EXTENSION && (stranger || self.peer_kind().is_hbd());
        if let Some(macs) = self.own_macs().filter(|_| speaks) {
            message.set_text(own_macs::FIELD, &macs);
        }
        if self.settings.tickle && self.peer_kind().is_hbd() {
            message.set_text("hbd_tickle", "1");
        }
        message
    }

    /// What we cannot serve, if there is anything: in classes, and group by group for a peer that moves groups alone.
    fn add_unable(&self, message: &mut Message, set: GroupSet, [classes, groups]: [&str; 2]) {
        if !set.is_none() {
            message.set_text(classes, self.groups.touched(set).word());
        }
        if !set.is_none() && self.groups_move_alone() {
            message.set_text(groups, &self.groups.keys(set));
        }
    }

    /// `status`.
    pub(in crate::cluster) fn send_status(&mut self) {
        let message = self.status_message();
        self.send(message);
    }

    /// `status` for a node that does not know us. Which key it verifies it says in messages that count only when it
    /// knows us.
    pub(in crate::cluster) fn introduce(&mut self) {
        let message = self.complete(self.status_message());
        self.out.push(Action::Send(message.clone()));
        self.out.push(Action::SendSignedOtherwise(message));
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
        let releasing = !self.ownership.stopping().is_none() || self.exchange.releasing();
        let (stable, info) = if releasing { (false, info.or(Some("standby"))) } else { (stable, info) };
        // An hbd that has just begun, and asks, is to know that we stop.
        let stops = self.ownership.gives_up_everything() && self.peer_kind().is_hbd();
        let (stable, info) = if stops { (false, Some("shutdown")) } else { (stable, info) };
        let mut message = Message::new("resource")
            .with("rsc_hold", self.groups.classes(self.groups.held()).word())
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
            if let Some(why) = self.unfit_why() {
                message.set_text("hbd_unfit_why", &why);
            }
            let left_behind = self.left_behind();
            if !left_behind.is_none() {
                message.set_text("hbd_left_behind", &self.groups.keys(left_behind));
            }
            let orphans = self.orphans_down();
            if !orphans.is_none() {
                message.set_text("hbd_unassured", &self.groups.keys(orphans));
            }
        }
        if self.says_groups() {
            self.add_holding(&mut message);
        }
        message
    }

    /// Each group that we hold, and since when. A peer whose file may be another one knows them perhaps by what they
    /// run only.
    pub(in crate::cluster) fn add_holding(&self, message: &mut Message) {
        let held = self.groups.held();
        let claims = self.ownership.claims();
        message.set_text("hbd_groups", &self.groups.keys_with(held, |group| claims.of(group)));
        if !self.same_haresources() && !held.is_none() {
            message.set_text("hbd_resources", &self.groups.identities(held));
        }
    }

    /// A message about a set, with its groups for a peer that reads them.
    pub(in crate::cluster) fn with_groups(&self, message: Message, set: GroupSet) -> Message {
        if self.says_groups() { message.with("hbd_groups", &self.groups.keys(set)) } else { message }
    }

    /// A report that says as well that these are down here.
    pub(in crate::cluster) fn with_released(&self, report: Message, set: GroupSet) -> Message {
        let report = report.with("hbd_released", self.groups.classes(set).word());
        if self.says_groups() { report.with("hbd_released_groups", &self.groups.keys(set)) } else { report }
    }

    /// Our report, with the word that we know of no exchange. Only an hbd is told so, which reports in its turn; a
    /// real Heartbeat would not listen.
    pub(in crate::cluster) fn send_void(&mut self) {
        let report = self.resource_message(self.ownership.decided(), None);
        self.send(report.with("hbd_void", "1"));
    }

    /// `hb_takeover`: asks the peer to give. The set is in our words.
    pub(in crate::cluster) fn send_takeover(&mut self, set: GroupSet) {
        let message = Message::new("hb_takeover").with("rsc_hold", self.groups.classes(set).word());
        self.send(self.with_groups(message, set));
    }

    /// `ask_resources`, one word of the standby exchange (03 §4.5).
    pub(in crate::cluster) fn send_ask(&mut self, set: GroupSet, word: &str, side: Side) {
        let message = self.ask_message(set, word, side);
        self.send(message);
    }

    /// The message of [`Core::send_ask`], not yet sent.
    pub(in crate::cluster) fn ask_message(&self, set: GroupSet, word: &str, side: Side) -> Message {
        let classes = self.groups.classes(set);
        let giver = if side == Side::Giver { classes } else { classes.swapped() };
        let message = Message::new("ask_resources").with("rsc_hold", giver.word()).with("info", word);
        self.with_groups(message, set)
    }
}

/// Whether messages of this type carry no sequence number (02 §3).
pub(in crate::cluster) fn is_unsequenced(kind: &str) -> bool {
    kind.starts_with("NS_")
}
