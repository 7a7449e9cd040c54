//! One turn of the core's thread: packets, inputs, then time, each bounded.
//!
//! Owns the bounds. A flood of packets must not delay what is due: our own status leaves between turns however much
//! is queued, and the core knows how far the queue is read before it judges anybody's silence.

use std::time::Duration;

use super::clock::moment;
use super::core_loop::CoreLoop;
use super::links::Heard;
use crate::cluster::{Event, Instant};

/// Inputs taken in a row before timers get their turn.
const BURST: usize = 64;
/// Busy for so long, the thread lets others run, which matters on a machine with one processor: its priority is
/// realtime, and those that carry its decisions out are not.
const BUSY_LIMIT: Duration = Duration::from_millis(8);
/// For so long. What arrives meanwhile finds room in the receive buffers.
const REST: Duration = Duration::from_millis(1);

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

/// Since when the thread has not waited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rest(Option<Instant>);

impl Rest {
    /// Between two busy turns.
    pub async fn take(&mut self, now: Instant) {
        let since = *self.0.get_or_insert(now);
        if now.since(since) < BUSY_LIMIT {
            // The runtime looks at its sockets and timers.
            tokio::task::yield_now().await;
        } else {
            self.0 = None;
            tokio::time::sleep(REST).await;
        }
    }
}

impl CoreLoop {
    /// Packets, inputs, then time.
    pub(super) fn take_in(&mut self, ended: &mut bool) -> Turn {
        let mut turn = Turn::default();
        let mut events = Vec::new();
        turn.busy = self.links.receive(|heard| {
            events.push(match heard {
                Heard::Message { link, message } => Event::Received { link, message },
                Heard::PingAnswer { node } => Event::PingAnswered { node },
            });
        });
        for event in events {
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

/// The first line of /proc/loadavg for the field `ld`; procfs does not block.
pub(super) fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "n/a".to_owned())
}
