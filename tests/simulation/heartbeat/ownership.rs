//! Which node holds what: `rstate`, `resource`, takeover (03 §4.1 to §4.4, §6).

use std::time::Duration;

use hbd::cluster::Set;
use hbd::wire::Message;

use super::scripts::After;
use super::{Heartbeat, PHASE, Stop, ask};

/// Two nodes that start together wait this long before each takes its own (T10).
const T10: Duration = Duration::from_secs(10);

/// 03 §4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Init,
    Starting,
    BothStarting,
    Received,
    Stable,
    Shutdown,
}

/// 03 §4.1.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    pub(super) hold: Set,
    other: Set,
    /// Whether the peer was heard since its last death. Only then does `other` say whether it must be fenced.
    pub(super) other_stable: bool,
    pub(super) state: State,
    t10: Option<Duration>,
    taking: bool,
    need_failback: bool,
    failback_at: Option<Duration>,
}

impl Ownership {
    pub(super) fn is_stable(&self) -> bool {
        let decided = matches!(self.state, State::Init | State::Stable | State::Shutdown);
        (self.other_stable || self.state == State::Init) && !self.taking && decided
    }
}

impl Heartbeat {
    /// First row of 03 §4.2.
    pub(super) fn communication_up(&mut self) {
        if self.ownership.state == State::Init {
            self.ownership.state = State::Starting;
        }
        self.send(Message::new("starting"));
    }

    pub(super) fn send_resource(&mut self, stable: bool, info: Option<&str>) {
        let mut message = Message::new("resource")
            .with("rsc_hold", self.ownership.hold.word())
            .with("rtype", "full")
            .with("isstable", if stable { "1" } else { "0" });
        if let Some(info) = info {
            message.set_text("info", info);
        }
        self.send(message);
    }

    pub(super) fn starting_received(&mut self) {
        match self.ownership.state {
            State::Init | State::BothStarting => {}
            State::Starting => {
                self.ownership.other_stable = false;
                self.send_resource(false, None);
                self.ownership.state = State::BothStarting;
            }
            state => {
                self.ownership.other_stable = false;
                self.send_resource(state == State::Stable, None);
            }
        }
    }

    /// 03 §4.3.
    pub(super) fn resource_received(&mut self, own: bool, message: &Message) {
        if self.ownership.state == State::Init {
            return;
        }
        let said = message.text("rsc_hold").and_then(Set::parse).unwrap_or_default();
        let full = message.text("rtype") == Some("full") || said == Set::NONE;
        if matches!(self.ownership.state, State::Starting | State::BothStarting) {
            self.ownership.t10.get_or_insert(self.now + T10);
            self.ownership.state = State::Received;
        }
        let mask = if own { &mut self.ownership.hold } else { &mut self.ownership.other };
        *mask = if full { said } else { mask.with(said) };
        if own {
            self.own_report(message);
        } else {
            self.peer_report(message);
        }
        self.stop_if_stable();
    }

    fn own_report(&mut self, message: &Message) {
        match message.text("info") {
            Some("mach_down") => {
                let ownership = &mut self.ownership;
                ownership.taking = false;
                ownership.hold = ownership.hold.with(Set::FOREIGN);
                ownership.need_failback = true;
                ownership.other_stable = true;
            }
            Some("shutdown") => self.ownership.state = State::Shutdown,
            _ => {}
        }
    }

    fn peer_report(&mut self, message: &Message) {
        match message.text("isstable") {
            Some("1") if !self.ownership.other_stable => {
                self.ownership.other_stable = true;
                self.say("remote resource transition completed.");
                self.send_resource(self.ownership.state == State::Stable, None);
                self.check_failback();
            }
            Some("1") | None => {}
            Some(_) => self.ownership.other_stable = false,
        }
        if self.ownership.other_stable && !matches!(self.ownership.state, State::Stable | State::Shutdown) {
            self.decide();
            self.check_failback();
        }
    }

    fn decide(&mut self) {
        self.say("local resource transition completed.");
        if !self.ownership.other.foreign && !self.ownership.hold.local {
            self.acquire_local();
        }
        self.ownership.state = State::Stable;
        self.send_resource(true, None);
    }

    /// T10 and the failback check, in every poll.
    pub(super) fn ownership_poll(&mut self) {
        if self.ownership.state == State::Received && self.ownership.t10.is_some_and(|t10| t10 <= self.now) {
            self.say("T10 is over");
            if !self.ownership.hold.local {
                self.acquire_local();
            }
            self.ownership.state = State::Stable;
            self.send_resource(true, None);
            self.stop_if_stable();
        }
        if self.ownership.failback_at.is_some_and(|at| at <= self.now) {
            self.check_failback();
        }
    }

    /// 03 §5.2.
    fn check_failback(&mut self) {
        self.ownership.failback_at = None;
        let wanted = self.ownership.need_failback && self.ownership.hold.foreign && self.failback();
        if !wanted || self.ownership.state == State::Shutdown {
            self.ownership.need_failback = false;
        } else if !self.standby.is_stable() || !self.ownership.other_stable || self.ownership.state != State::Stable {
            self.ownership.failback_at = Some(self.now + Duration::from_secs(1));
        } else {
            self.ownership.need_failback = false;
            self.send(ask(Set::FOREIGN, "me"));
        }
    }

    /// `hold` changes at once, the scripts come later (03 §4.6).
    fn acquire_local(&mut self) {
        self.ownership.hold = self.ownership.hold.with(Set::LOCAL);
        self.scripts.direct(Vec::new(), After::RequestOurs);
    }

    fn peer_name(&self) -> String {
        self.nodes[1 - self.own].name.clone()
    }

    /// 03 §6.4.
    pub(super) fn peer_died(&mut self, heard: bool) {
        self.cancel_standby();
        if self.ownership.state == State::Shutdown {
            return;
        }
        self.ownership.need_failback = true;
        let harmless = heard && self.ownership.other == Set::NONE;
        let result = if harmless { "unneeded" } else { "n_stnth" };
        let name = self.peer_name();
        self.send(Message::new("stonith").with("node", &name).with("result", result));
        if !harmless {
            self.take_over();
        } else if self.ownership.hold == Set::ALL {
            self.ownership.other_stable = true;
        } else {
            if !self.ownership.hold.foreign {
                self.take_foreign();
            }
            if !self.ownership.hold.local {
                self.acquire_local();
            }
        }
    }

    fn take_foreign(&mut self) {
        self.say("Resources being acquired from the peer");
        let ownership = &mut self.ownership;
        ownership.hold = ownership.hold.with(Set::FOREIGN);
        ownership.other = Set::NONE;
        ownership.other_stable = true;
        ownership.taking = true;
        let groups = self.groups_of(Set::FOREIGN);
        self.scripts.queue(groups, After::MachDown);
    }

    fn take_over(&mut self) {
        self.take_foreign();
        self.acquire_local();
    }

    /// 03 §6.5, with the defect described there.
    pub(super) fn peer_shutdone(&mut self) {
        self.say("Received shutdown notice");
        self.ownership.other = Set::NONE;
        self.ownership.other_stable = true;
        if self.ownership.state == State::Shutdown {
            return;
        }
        if self.ownership.state != State::Init && self.ownership.hold != Set::ALL {
            self.retake_on_shutdone();
        }
        self.take_over();
    }

    /// The end of our own release (02 §9.1 step 5).
    pub(super) fn own_shutdone(&mut self) {
        self.ownership.hold = Set::NONE;
        self.ownership.state = State::Shutdown;
        self.stop = Stop::Clients(self.now + PHASE);
    }

    /// 02 §9.1 steps 2 and 3: every group is stopped, also those we never held (03 §0 no. 13).
    pub(super) fn give_up_resources(&mut self) {
        self.ownership.hold = Set::NONE;
        self.send_resource(false, Some("shutdown"));
        let groups = self.groups_of(Set::ALL);
        self.scripts.release(groups, After::Shutdown);
    }

    /// The indices of the groups in a set, as this node sees it.
    pub(super) fn groups_of(&self, set: Set) -> Vec<usize> {
        let groups = self.settings.groups.iter().enumerate();
        let wanted =
            groups.filter(|(_, group)| if group.node == self.settings.node { set.local } else { set.foreign });
        wanted.map(|(index, _)| index).collect()
    }
}
