//! Node states: the gates to `active`, statuses, deaths, returns (02 §4, §7).

use std::time::Duration;

use hbd::wire::Message;

use super::{Comm, Heartbeat, PARTITION_RESTART, RESTART_RAISE, START_RAISE};

impl Heartbeat {
    fn status_word(&self) -> &'static str {
        match (self.comm, self.seq) {
            (Comm::Active, _) => "active",
            (_, 0) => "init",
            _ => "up",
        }
    }

    pub(super) fn set_status(&mut self, status: &str) {
        self.say(&format!("Local status now set to: '{status}'"));
        self.send_status();
    }

    pub(super) fn send_status(&mut self) {
        let mut dead_time = self.settings.timing.deadtime;
        if self.raise_ends.is_some() {
            dead_time += START_RAISE.0;
        }
        if self.restart_raised {
            dead_time += RESTART_RAISE;
        }
        let status = Message::new("status")
            .with("st", self.status_word())
            .with("dt", &format!("{:x}", dead_time.as_millis()))
            .with("protocol", "1");
        self.send(status);
    }

    /// 02 §7.2.
    pub(super) fn status_received(&mut self, from: usize, (seq, ts): (u64, u64), message: &Message) {
        let Some(status) = message.text("st").map(str::to_owned) else { return };
        if ts < self.nodes[from].last_ts && seq < self.nodes[from].last_seq {
            return;
        }
        let interval = self.nodes[from].last_status.map(|last| self.now.saturating_sub(last));
        // 03 §8.3: 3.0.6 uses its own deadtime, whatever dead time the node announced.
        if from != self.own && interval.is_some_and(|interval| interval > self.settings.timing.deadtime) {
            self.node_died(from);
        }
        let now = self.now;
        let node = &mut self.nodes[from];
        if let Some(milliseconds) = message.text("dt").and_then(|dt| u64::from_str_radix(dt, 16).ok()) {
            node.dead_time = Duration::from_millis(milliseconds);
        }
        (node.last_status, node.last_ts, node.last_seq) = (Some(now), ts, seq);
        if node.status != status {
            node.status.clone_from(&status);
            let name = node.name.clone();
            self.say(&format!("Status update for node {name}: status {status}"));
        }
    }

    /// 02 §7.3, §7.5, §7.6.
    pub(super) fn poll(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let limit = match self.comm {
                Comm::Hearing => self.settings.timing.initdead,
                _ => node.dead_time,
            };
            let since = node.last_status.unwrap_or(self.started);
            if node.status == "dead" || self.now - since <= limit {
                continue;
            }
            if index == self.own {
                self.say("No local heartbeat. Forcing restart");
                self.restart_at.get_or_insert(self.now);
                // Sent once: the heartbeats that follow are late, not missing.
                self.nodes[index].last_status = Some(self.now);
            } else {
                self.node_died(index);
            }
        }
        self.check_gate();
    }

    fn node_died(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.status = "dead".to_owned();
        let heard = std::mem::take(&mut node.heard);
        node.last_ts = 0;
        node.reset_tracking();
        let name = node.name.clone();
        self.say(&format!("node {name}: is dead"));
        if matches!(self.comm, Comm::Asking(_)) {
            self.comm = Comm::Asking(self.now);
        }
        self.peer_died(heard);
    }

    /// 02 §7.7.
    pub(super) fn returns_after_partition(&mut self, from: usize) {
        let name = self.nodes[from].name.clone();
        self.say(&format!("Cluster node {name} returning after partition"));
        self.restart_at.get_or_insert(self.now + PARTITION_RESTART);
        self.send_status();
    }

    /// Gate 1 (02 §4.3).
    pub(super) fn check_gate(&mut self) {
        if self.comm == Comm::Hearing && self.nodes.iter().all(|node| node.heard || node.status == "dead") {
            self.comm = Comm::Asking(self.now);
            self.ask_for_nodes_again();
        }
    }

    /// Gate 2 (02 §4.3).
    pub(super) fn ask_for_nodes_again(&mut self) {
        if !matches!(self.comm, Comm::Asking(again) if again <= self.now) {
            return;
        }
        let mut others = self.nodes.iter().filter(|node| node.name != self.settings.node && node.status != "dead");
        match others.next().map(|node| node.name.clone()) {
            Some(name) => {
                self.comm = Comm::Asking(self.now + Duration::from_secs(1));
                self.send(Message::new("reqnodes").with("dest", &name));
            }
            None => self.become_active(),
        }
    }

    pub(super) fn answer_reqnodes(&mut self, from: usize) {
        let list: String = self.nodes.iter().flat_map(|node| [node.name.as_str(), " "]).collect();
        let mut answer = Message::default();
        answer.set_text("dest", &self.nodes[from].name.clone());
        answer.set_text("t", "repnodes");
        answer.set_text("nodelist", &list);
        answer.set_text("delnodelist", " ");
        self.send(answer);
    }

    pub(super) fn repnodes_received(&mut self) {
        if matches!(self.comm, Comm::Asking(_)) {
            self.become_active();
        }
    }

    fn become_active(&mut self) {
        self.comm = Comm::Active;
        self.set_status("active");
        self.communication_up();
        self.stop_if_stable();
    }
}
