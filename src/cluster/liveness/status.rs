//! What a status, or any other message, tells us of its sender's life (02 §7.2, §7.6, §7.7).
//!
//! Owns the liveness fields of the node table. Reports a peer that is back as the fact [`Fact::PeerReappeared`].

use crate::cluster::core::Core;
use crate::cluster::facts::Fact;
use crate::cluster::peer::header::SentOrder;
use crate::cluster::peer::message::{MessageSaid, StatusSaid};
use crate::cluster::{FRESHNESS_EXTENSION, Record, Status};

impl Core {
    /// `status` (02 §7.2).
    pub(in crate::cluster) fn status_received(&mut self, from: usize, order: SentOrder, said: StatusSaid) {
        let Some(status) = said.status else { return };
        let now = self.now.monotonic;
        let warntime = self.settings.timing.warntime;
        let node = &mut self.nodes[from];
        // Unlike Heartbeat, which looks at `ts` as well: of two statuses of one second the later one counts, too.
        if order.seq < node.last_status_order.0 {
            return;
        }
        let name = node.name.clone();
        let known = node.last_status.is_some();
        let reappeared = std::mem::take(&mut node.gone) && status == Status::Active;
        let interval = node.last_status.map(|last| now.since(last)).filter(|_| node.status != Status::Dead);
        let changed = std::mem::replace(&mut node.status, status) != status;
        node.dead_time = said.dead_time.unwrap_or(node.dead_time);
        let introduced = node.hbd.is_none() && said.hbd.is_some();
        node.hbd = said.hbd;
        node.cut = said.cut.clone();
        node.keys.clone_from(&said.keys);
        node.tickle = said.tickle;
        node.last_status = Some(now);
        node.last_status_wall = Some(self.now.wall);
        node.last_status_order = (order.seq, order.ts);
        if let Some(interval) = interval.filter(|interval| *interval > warntime) {
            let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            self.log(Record::LateHeartbeat { node: name.clone(), interval_ms });
        }
        if changed {
            self.log(Record::StatusUpdate { node: name.clone(), status: status.to_string() });
        }
        if said.restarts {
            let seconds = self.nodes[from].dead_time.as_secs();
            self.complain(Record::PeerRestarts { node: name, seconds });
        }
        self.raise(Fact::StatusHeard { from, said });
        if Some(from) == self.peer() {
            if (reappeared || introduced) && self.peer_kind().is_nice() {
                self.raise(Fact::PeerReappeared { known });
            }
            self.raise(Fact::PeerStatus);
        }
    }

    /// A node said anything but a status. If we hold it for dead, or never had a status from it, that was lost or
    /// overtaken: what the node says will be acted on, so its next silence must count, too.
    pub(in crate::cluster) fn spoke(&mut self, from: usize, body: &MessageSaid) {
        let node = &mut self.nodes[from];
        let known = node.last_status.is_some();
        // Only an hbd says this, even if its first status was lost.
        let shown = if node.shows_freshness { Some(FRESHNESS_EXTENSION) } else { body.shows_hbd().then_some(1) };
        let introduced = node.hbd.is_none() && shown.is_some();
        node.hbd = node.hbd.or(shown);
        if matches!(body, MessageSaid::NodesWanted | MessageSaid::Starting(_)) {
            // It starts: whatever both served alone is asked about by `starting`.
            node.gone = false;
        }
        if node.alive() {
            if introduced && Some(from) == self.peer() {
                self.raise(Fact::PeerReappeared { known });
            }
            return;
        }
        let gathering = matches!(body, MessageSaid::NodesWanted | MessageSaid::Nodes(_));
        node.status = if gathering { Status::Up } else { Status::Active };
        // What it gathers or answers may be the first we hear of it again; its status will tell the rest.
        let reappeared = !gathering && std::mem::take(&mut node.gone);
        node.last_status = Some(self.now.monotonic);
        let (node, status) = (node.name.clone(), node.status);
        self.log(Record::StatusUpdate { node, status: status.to_string() });
        if reappeared && status == Status::Active && Some(from) == self.peer() && self.peer_kind().is_nice() {
            self.raise(Fact::PeerReappeared { known });
        }
    }

    /// A new incarnation of a node is heard.
    pub(in crate::cluster) fn new_incarnation(&mut self, node: usize, known: bool) {
        if known {
            self.log(Record::NodeRestarted { node: self.nodes[node].name.clone() });
            self.raise(Fact::PeerRestarted);
        }
    }

    /// A new life of an hbd peer may have begun out of our hearing, and does not say `starting` again: it hears what
    /// we hold, and says what it holds of that (05 §5.1). Not before its status says what it is, and that it is up.
    pub(in crate::cluster) fn report_to_new_life(&mut self, from: usize) {
        let active = self.nodes[from].status == Status::Active && Some(from) == self.peer();
        if !active || !self.ownership.other.is_new || !self.ownership.decided() || self.exchange.busy() {
            return;
        }
        self.ownership.other.is_new = false;
        if self.peer_kind().is_hbd() && self.ownership.other.reported.is_none() {
            self.send_resource(true, None);
        }
    }

    /// The same generation that we had declared dead is heard again: it was not dead, the network was (02 §7.7).
    pub(in crate::cluster) fn returning_after_partition(&mut self, node: usize) {
        self.log(Record::ReturningAfterPartition { node: self.nodes[node].name.clone() });
        self.log(Record::DeadtimeTooSmall {});
        self.send_status();
    }

    /// `stonith`: somebody's fencing step. That it was about us means that the sender held us for dead a moment
    /// ago, and takes what we had (03 §16 no. 14).
    pub(in crate::cluster) fn fencing_heard(
        &mut self,
        from: usize,
        seq: u64,
        node: Option<String>,
        result: Option<String>,
    ) {
        if node.as_ref() != Some(&self.settings.node) {
            return;
        }
        let result = result.unwrap_or_else(|| "?".to_owned());
        let node = self.nodes[from].name.clone();
        self.complain(Record::DeclaredDead { node, result });
        if Some(from) == self.peer() {
            self.raise(Fact::DeclaredDead { seq });
        }
    }
}
