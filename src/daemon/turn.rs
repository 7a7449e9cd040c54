//! One turn of the core's thread: packets, inputs, then time, each bounded.
//!
//! Owns the bounds. A flood of packets must not delay what is due: our own status leaves between turns however much
//! is queued, and the core knows how far the queue is read before it judges anybody's silence.

use super::clock::moment;
use super::core_loop::CoreLoop;
use super::links::Heard;
use super::load::load_average;
use super::recorder::line::Ignored;
use crate::cluster::Event;

/// Inputs taken in a row before timers get their turn.
const BURST: usize = 64;
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
            let Some(event) = self.heeded(heard) else { continue };
            turn.news = true;
            *ended |= self.feed(event);
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

    /// What the core is to be told of a packet; nothing if that would change nothing, which is counted only: anybody
    /// can send a packet that was valid once, again and again.
    fn heeded(&mut self, heard: Heard) -> Option<Event> {
        let (link, message, method) = match heard {
            Heard::PingAnswer { node } => return Some(Event::PingAnswered { node }),
            Heard::Message { link, message, method } => (link, message, method),
        };
        if !self.core.heeds(moment().monotonic, link, &message) {
            self.recorder.ignore(Ignored { old: 1, bad: 0 });
            return None;
        }
        self.signatures.note(message.text("src").unwrap_or_default(), method, &self.config.nodes);
        Some(Event::Received { link, message })
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
