//! The lines of a recording: one JSON object each, by kind.
//!
//! Owns the format. A file begins with `recording`, then, unless it is the first of its daemon, `state`; if the
//! disk was too slow for what was in between, there is a `gap` before it. Then come `event`s.

use std::time::Duration;

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::cluster::{Action, Event, Instant, Moment, Settings};

/// The format of this version, in [`Header::format`]: a new number whenever a field of an event changes. 1: a stop by
/// hand had no time.
pub const FORMAT: u32 = 2;

/// One line. `S` is the core's state: [`crate::cluster::Core`] when written; unread JSON when read, because only the
/// version that wrote it need understand it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingLine<S> {
    /// The first line of every file.
    Recording(Box<Header>),
    /// The core as it was before the next event.
    State(S),
    /// Something happened.
    Event(Box<Happened>),
    /// Events are missing here.
    Gap {
        /// How many.
        dropped: u64,
    },
}

/// What must be known to replay what follows. No keys: the core never has them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the hbd that recorded.
    pub version: String,
    /// Which file of this daemon it is, from 1.
    pub part: u32,
    /// When the daemon started.
    pub started: Stamp,
    /// What its core was made from.
    pub settings: Settings,
}

/// A [`Moment`] to the nanosecond: what is decided may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Monotonic time in nanoseconds since boot.
    pub at: u64,
    /// Wall clock in nanoseconds since 1970.
    pub wall: u64,
}

/// One event and what the daemon did about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Happened {
    /// When the core took it in.
    #[serde(flatten)]
    pub when: Stamp,
    /// What.
    pub event: Event,
    /// Packets since the event before that changed nothing, and so are none: copies, and what was signed otherwise.
    #[serde(default, skip_serializing_if = "Ignored::is_none")]
    pub ignored: Ignored,
    /// The decisions, to compare with.
    #[serde(flatten)]
    pub deeds: Deeds,
}

/// Packets that were not handed over to the core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Authentic, but a copy, of an earlier incarnation, or of nobody.
    #[serde(default, skip_serializing_if = "is_none")]
    pub old: u64,
    /// Damaged, or with a wrong digest.
    #[serde(default, skip_serializing_if = "is_none")]
    pub bad: u64,
}

impl Ignored {
    fn is_none(&self) -> bool {
        *self == Ignored::default()
    }
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What a list of actions comes down to: their kinds, and a digest of what they contain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    /// `send status`, `start 0.1`, `log NodeDead`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did: Vec<String>,
    /// CRC-32 of the contents; 0 for no action.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crc: u32,
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<Moment> for Stamp {
    fn from(moment: Moment) -> Stamp {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Stamp { at: nanoseconds(moment.monotonic.0), wall: nanoseconds(moment.wall) }
    }
}

impl From<Stamp> for Moment {
    fn from(stamp: Stamp) -> Moment {
        Moment { monotonic: Instant(Duration::from_nanos(stamp.at)), wall: Duration::from_nanos(stamp.wall) }
    }
}

impl Deeds {
    /// The essence of `actions`.
    pub fn of(actions: &[Action]) -> Deeds {
        let mut crc = Crc::new();
        let mut did = Vec::with_capacity(actions.len());
        for action in actions {
            let (kind, content) = kind_and_content(action);
            crc.update(kind.as_bytes());
            crc.update(b" ");
            crc.update(content.as_bytes());
            crc.update(b"\n");
            did.push(kind);
        }
        Deeds { did, crc: crc.sum() }
    }
}

/// The version in `hbd` is left out: another version may decide the same.
fn kind_and_content(action: &Action) -> (String, String) {
    match action {
        Action::Send(message) => {
            let mut message = message.clone();
            message.remove("hbd");
            // A message always can be written as JSON.
            let content = serde_json::to_string(&message).unwrap_or_default();
            (format!("send {}", message.kind().unwrap_or("?")), content)
        }
        Action::SendSignedOtherwise(message) => {
            ("send signed otherwise".to_owned(), message.kind().unwrap_or("?").to_owned())
        }
        Action::Start(step) => (format!("start {}.{}", step.group, step.resource), String::new()),
        Action::Stop(step) => (format!("stop {}.{}", step.group, step.resource), String::new()),
        Action::StopLeftover(step) => (format!("stop left-over {}.{}", step.group, step.resource), String::new()),
        Action::Escalate(step) => (format!("escalate {}.{}", step.group, step.resource), String::new()),
        Action::Announce(step) => (format!("announce {}.{}", step.group, step.resource), String::new()),
        Action::Address { step, order } => (format!("{order:?} {}.{}", step.group, step.resource), String::new()),
        Action::Check { check, run } => (format!("check {check}"), format!("{run:?}")),
        Action::Witness { number, order, .. } => (format!("witness {order:?}"), number.to_string()),
        Action::Assured { since } => ("assured".to_owned(), format!("{since:?}")),
        Action::RememberWitness(stamp) => ("remember witness".to_owned(), format!("{stamp:?}")),
        Action::Remember(known) => ("remember".to_owned(), format!("{known:?}")),
        Action::Log(record) => (format!("log {}", record.event()), record.text()),
        Action::Answer { id, answer } => (format!("answer {answer:?}"), id.to_string()),
        Action::Fence { node } => ("fence".to_owned(), node.clone()),
        Action::HandOver => ("hand over".to_owned(), String::new()),
        Action::Exit => ("exit".to_owned(), String::new()),
    }
}
