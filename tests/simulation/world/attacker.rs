//! Somebody on the cable without a key: records every packet, repeats it later, holds it back. Cannot make one.
//!
//! A packet that its receiver never got, because the cable was cut, and that is repeated, is one held back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hbd::cluster::Event;
use hbd::wire::Message;

use super::{Happening, World};
use crate::node::{name, timing};
use crate::schedule::{Kind, Part};

/// What the attacker has.
#[derive(Debug, Default)]
pub(super) struct Attacker {
    recorded: Vec<(Duration, Arc<Message>)>,
    /// By node: the address of each recorded message that has reached it.
    reached: [HashSet<usize>; 2],
    /// Until when somebody may count a node as alive for what it had said long before.
    misleads: Duration,
    /// By node: until when what is sent to it is held back.
    holding: [Option<Duration>; 2],
    /// By node: link, sender and message.
    held: [Vec<(usize, usize, Arc<Message>)>; 2],
}

impl Attacker {
    /// A node sends this.
    pub(super) fn record(&mut self, now: Duration, message: Arc<Message>) {
        self.recorded.push((now, message));
    }

    /// A recorded message reaches a node by itself.
    pub(super) fn note_arrival(&mut self, node: usize, message: &Arc<Message>) {
        if let Some(reached) = self.reached.get_mut(node) {
            reached.insert(Arc::as_ptr(message).addr());
        }
    }

    /// Whether packets to any node are held back, or were until now.
    pub(super) fn holds(&self, now: Duration) -> bool {
        now < self.misleads || self.holding.iter().any(Option::is_some)
    }
}

impl World {
    /// What was recorded reaches `node` again, at the pace at which it was sent.
    pub(super) fn replay(&mut self, node: usize, part: Part, span: Duration, times: u64) {
        let other = name(1 - node);
        let ago = |starts: bool, lives_ago: usize| {
            let of_other = |(_, message): &&(Duration, Arc<Message>)| message.text("src") == Some(other);
            let mut lives: Vec<(String, Duration)> = Vec::new();
            for (at, message) in self.attacker.recorded.iter().filter(of_other) {
                let life = message.text("hg").unwrap_or_default();
                match lives.last_mut() {
                    Some((last, end)) if last == life => *end = if starts { *end } else { *at },
                    _ => lives.push((life.to_owned(), *at)),
                }
            }
            lives.iter().rev().nth(lives_ago).map(|(_, at)| *at)
        };
        let from = match part {
            Part::Ago { ms } => Some(self.now.saturating_sub(Duration::from_millis(ms))),
            Part::Start { lives_ago } => ago(true, lives_ago),
            Part::End { lives_ago } => ago(false, lives_ago).map(|end| end.saturating_sub(span)),
        };
        let Some(from) = from else { return };
        let span = span.min(self.now.saturating_sub(from));
        let everybody = matches!(part, Part::Ago { .. });
        let said = |(at, message): &&(Duration, Arc<Message>)| {
            *at >= from && *at < from + span && (everybody || message.text("src") == Some(other))
        };
        let part: Vec<_> = self.attacker.recorded.iter().filter(said).cloned().collect();
        for time in 0..times {
            for (at, message) in &part {
                let link = self.random.below(self.cluster.links as u64) as usize;
                let delay = span * u32::try_from(time).unwrap_or_default() + (*at - from);
                self.push(delay, node, Happening::Repeated { link, message: Arc::clone(message) });
            }
        }
    }

    /// A message may be a status that its receiver believes.
    pub(super) fn status_arrives(&mut self, node: usize, message: &Message) {
        let hbd = self.cluster.nodes[node] == Kind::Hbd;
        let generation = hbd.then(|| self.nodes[node].generation());
        self.nodes[node].statuses.heard(self.now, message, generation);
    }

    /// A repeated message arrives.
    pub(super) fn repeated(&mut self, node: usize, link: usize, message: &Arc<Message>) {
        let reached = self.attacker.reached.get(node);
        if reached.is_some_and(|reached| !reached.contains(&Arc::as_ptr(message).addr())) {
            self.attacker.misleads = self.now + timing().deadtime + timing().keepalive;
        }
        self.feed_unnoticed(node, Event::Received { link, message: Message::clone(message) });
    }

    /// From now on what is sent to `node` is held back.
    pub(super) fn hold(&mut self, node: usize, span: Duration) {
        if self.attacker.holding[node].is_none() {
            self.attacker.holding[node] = Some(self.now + span);
            self.push(span, node, Happening::LetGo);
        }
    }

    /// Whether this message, which has just arrived at `node`, is held back.
    pub(super) fn held_back(&mut self, node: usize, link: usize, from: usize, message: &Arc<Message>) -> bool {
        let holds = self.attacker.holding.get(node).is_some_and(Option::is_some);
        if holds {
            self.attacker.held[node].push((link, from, Arc::clone(message)));
        }
        holds
    }

    /// What was held back arrives, in its order.
    pub(super) fn let_go(&mut self, node: usize) {
        self.invariants.disturbed(self.now);
        self.attacker.holding[node] = None;
        for (link, from, message) in std::mem::take(&mut self.attacker.held[node]) {
            self.push(Duration::from_micros(50), node, Happening::Arrives { link, from, message });
        }
    }
}
