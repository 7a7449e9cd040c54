//! One turn of the core's thread: packets, inputs, then time, each bounded.
//!
//! Owns the bounds. A flood of packets must not delay what is due: our own status leaves between turns however much
//! is queued, and the core knows how far the queue is read before it judges anybody's silence.

use std::time::Duration;

use super::clock::moment;
use super::core_loop::CoreLoop;
use super::links::Heard;
use super::load::load_average;
use super::recorder::line::Ignored;
use crate::cluster::{Core, Event, Instant};
use crate::wire::Message;

/// Inputs taken in a row before timers get their turn.
const BURST: usize = 64;
/// No link has this number.
const NO_LINK: usize = usize::MAX;

/// What a turn has found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    /// More is waiting.
    pub busy: bool,
    /// The core was told something, so its state may have changed.
    pub news: bool,
    /// Nothing that is due waits.
    pub on_time: bool,
}

impl CoreLoop {
    /// Packets, inputs, then time.
    pub(super) fn take_in(&mut self, ended: &mut bool) -> Turn {
        let mut turn = Turn::default();
        let (mut packets, bad) = (Vec::new(), self.links.bad());
        turn.busy = self.links.receive(|heard| packets.push(heard));
        self.recorder.ignore(Ignored { old: 0, bad: self.links.bad() - bad });
        if let Some(state) = self.links.changed_state() {
            turn.news = true;
            self.history.link_problems = state.problems;
            for (link, ability) in state.abilities.into_iter().enumerate() {
                *ended |= self.feed(Event::Link { link, ability });
            }
        }
        for heard in packets {
            // Judged when those before it have been handled.
            let Some(packet_ended) = self.take_packet(heard) else { continue };
            turn.news = true;
            *ended |= packet_ended;
        }
        for count in 0.. {
            let Ok(input) = self.inputs.try_recv() else { break };
            turn.news = true;
            *ended |= self.input(input);
            if count == BURST {
                turn.busy = true;
                break;
            }
        }
        if let Some(deadline) = self.due_deadline(turn.busy) {
            turn.news = true;
            self.feed(Event::LoadAverage(load_average()));
            *ended |= self.feed(deadline);
        }
        turn.on_time = self.due_deadline(turn.busy).is_none();
        turn
    }

    /// Tells the core of a packet: whether the core ended. `None` if that would change nothing, which is counted
    /// only: anybody can send a packet that was valid once, again and again.
    fn take_packet(&mut self, heard: Heard) -> Option<bool> {
        let (link, message, signer, origin) = match heard {
            Heard::PingAnswer { node } => return Some(self.feed(Event::PingAnswered { node })),
            Heard::Message { link, message, signer, origin } => (link, message, signer, origin),
        };
        if let Some(list) = self.core.connections_said(&message) {
            self.effects.connections_heard(list);
            self.links.judged(origin, false);
            return None;
        }
        let now = moment().monotonic;
        if !self.core.heeds(now, link, &message) {
            self.recorder.ignore(Ignored { old: 1, bad: 0 });
            self.links.judged(origin, false);
            return None;
        }
        let source = message.text("src").unwrap_or_default();
        if self.links.knows(origin) && self.signatures.knows(source, signer) {
            self.links.judged(origin, false);
            return Some(self.feed(Event::Received { link, message }));
        }
        // What the core heeds need not count: it may be a repetition that is complained about, or answered.
        let trial = Trial::begin(&self.core, now, &message);
        let ended = self.feed(Event::Received { link, message });
        let repeated = trial.repeats;
        let counted = trial.counted(&self.core);
        self.links.judged(origin, repeated || counted.is_some());
        counted.into_iter().for_each(|node| self.signatures.note(&node, signer, &self.config.nodes));
        Some(ended)
    }

    /// The deadline that has passed, if one has.
    fn due_deadline(&self, busy: bool) -> Option<Event> {
        let read_until = self.links.read_until();
        let (due, event) = if busy {
            (self.core.next_unread_deadline(read_until), Event::UnreadDeadline { read_until })
        } else {
            (self.core.next_deadline(), Event::Deadline)
        };
        due.filter(|due| *due <= moment().monotonic).map(|_| event)
    }
}

/// Whether a packet that is heeded counts, as far as that shows from outside of the core: a status does whose moment
/// becomes that of its node's last status.
#[derive(Debug)]
struct Trial {
    node: String,
    last_status: Option<Duration>,
    /// What it says is known; it only proves that its link works.
    repeats: bool,
}

impl Trial {
    /// Before the core has it.
    fn begin(core: &Core, now: Instant, message: &Message) -> Trial {
        let node = message.text("src").unwrap_or_default().to_owned();
        let last_status = last_status(core, &node);
        Trial { node, last_status, repeats: !core.heeds(now, NO_LINK, message) }
    }

    /// After the core has handled it: its node, if it counted.
    fn counted(self, core: &Core) -> Option<String> {
        let last_status = last_status(core, &self.node);
        (last_status.is_some() && last_status != self.last_status).then_some(self.node)
    }
}

/// When the last status of another node came, by the wall clock.
fn last_status(core: &Core, node: &str) -> Option<Duration> {
    core.view().nodes.into_iter().find(|known| !known.local && known.name == node)?.last_status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{EXTENSIONS, Moment};
    use crate::daemon::core_settings::settings;
    use crate::daemon::identity::Identity;
    use crate::daemon::start_check::tests::Machine;

    /// The generation of this node, nodea.
    const GENERATION: u64 = 7;

    struct Node {
        core: Core,
        now: Duration,
    }

    impl Node {
        fn start() -> Node {
            let machine = Machine::new();
            let identity = Identity { generation: GENERATION, uuid: [1; 16] };
            let mut core = Core::new(settings(&machine.start().config, identity, Vec::new(), None));
            let moment = Moment { monotonic: Instant(Duration::ZERO), wall: Duration::from_secs(1_000_000) };
            core.handle(moment, Event::Start);
            Node { core, now: Duration::ZERO }
        }

        /// Half a second later this comes on link 0: the node of which it counts, and whether it proves the link.
        fn hears(&mut self, message: &Message) -> (Option<String>, bool) {
            self.now += Duration::from_millis(500);
            let moment = Moment { monotonic: Instant(self.now), wall: Duration::from_secs(1_000_000) + self.now };
            let trial = Trial::begin(&self.core, moment.monotonic, message);
            let repeats = trial.repeats;
            self.core.handle(moment, Event::Received { link: 0, message: message.clone() });
            (trial.counted(&self.core), repeats)
        }
    }

    /// A status of nodeb. `heard`: what an hbd there says it has heard of us; `None` of a Heartbeat.
    fn status(generation: u64, seq: u64, heard: Option<&str>) -> Message {
        let message = Message::new("status")
            .with("st", "active")
            .with("dt", "7530")
            .with("src", "nodeb")
            .with("seq", &format!("{seq:x}"))
            .with("hg", &format!("{generation:x}"))
            .with("ts", "6b02377a");
        let Some(heard) = heard else { return message };
        message.with("hbd", &EXTENSIONS.to_string()).with("hbd_heard", heard)
    }

    fn counts() -> (Option<String>, bool) {
        (Some("nodeb".to_owned()), false)
    }

    #[test]
    fn a_status_counts_once_and_then_proves_its_link() {
        let mut node = Node::start();
        assert_eq!(node.hears(&status(5, 1, None)), counts());
        assert_eq!(node.hears(&status(5, 2, None)), counts());
        assert_eq!(node.hears(&status(5, 2, None)), (None, true));
    }

    #[test]
    fn what_an_earlier_life_of_a_heartbeat_said_does_not_count_although_it_is_heeded() {
        let mut node = Node::start();
        assert_eq!(node.hears(&status(6, 1, None)), counts());
        let recorded = status(5, 9, None);
        assert!(node.core.heeds(Instant(node.now), 0, &recorded), "it is complained about");
        assert_eq!(node.hears(&recorded), (None, false));
    }

    #[test]
    fn what_an_hbd_said_to_an_earlier_life_of_ours_does_not_count_although_it_is_heeded() {
        let mut node = Node::start();
        let recorded = status(5, 9, Some("6 40"));
        assert!(node.core.heeds(Instant(node.now), 0, &recorded), "its sender is told of us");
        assert_eq!(node.hears(&recorded), (None, false));
    }

    #[test]
    fn somebody_else_under_the_peers_name_does_not_count() {
        let mut node = Node::start();
        let with_uuid = |message: Message, uuid: u8| {
            let mut message = message;
            message.set("srcuuid", crate::wire::Value::Binary(vec![uuid; 16]));
            message
        };
        assert_eq!(node.hears(&with_uuid(status(5, 1, None), 2)), counts());
        assert_eq!(node.hears(&with_uuid(status(5, 9, None), 3)), (None, false));
    }
}
