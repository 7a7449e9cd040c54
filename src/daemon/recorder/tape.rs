//! The recorder's thread: makes lines of what the core's thread hands over, and files of the lines.
//!
//! May block on the disk for as long as it likes: the core's thread only counts what it cannot hand over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::line::{Deeds, Happened, Header, Ignored, RecordingLine};
use super::ring::Ring;
use crate::cluster::{Action, Core, Event, Moment};
use crate::util::error::FileError;

/// Lines reach the kernel this long after they were made at the latest.
const FLUSH: Duration = Duration::from_secs(1);

/// What the core's thread hands over.
#[derive(Debug)]
pub enum Entry {
    /// What happened and what the core did about it.
    Event(Moment, Box<Event>, Ignored, Vec<Action>),
    /// The state that was asked for.
    State(Box<Core>),
    /// So many events could not be handed over; this is the state after them.
    Gap(u64, Box<Core>),
}

/// Why nothing more is recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A file.
    #[error(transparent)]
    Ring(#[from] FileError),
    /// A line; would be a fault of ours.
    #[error("cannot write an event as JSON")]
    Json(#[from] serde_json::Error),
}

/// The thread's state.
pub struct Tape<'a> {
    /// Where to.
    pub ring: Ring,
    /// The first line of every file, but for the number.
    pub header: Header,
    /// Set when the next file is due and needs a state to begin with.
    pub state_wanted: &'a AtomicBool,
    /// Events that did not fit into the present file.
    pub lost: u64,
}

impl Tape<'_> {
    /// Records until nobody hands over anything more.
    ///
    /// # Errors
    /// The first one ends the recording.
    pub fn run(mut self, entries: &Receiver<Entry>) -> Result<(), RecordError> {
        self.begin(None)?;
        let mut due: Option<Instant> = None;
        loop {
            let entry = match due {
                None => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => entries.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match entry {
                Ok(entry) => {
                    self.take(entry)?;
                    due.get_or_insert_with(|| Instant::now() + FLUSH);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.ring.flush()?),
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                self.ring.flush()?;
                due = None;
            }
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), RecordError> {
        match entry {
            Entry::Event(moment, mut event, ignored, actions) => {
                if let Event::Received { message, .. } = event.as_mut() {
                    // Verified before the core saw it, and of no use to anybody later.
                    message.remove("auth");
                }
                let deeds = Deeds::of(&actions);
                let happened = Happened { when: moment.into(), event: *event, ignored, deeds };
                let line = bytes(&RecordingLine::Event(Box::new(happened)))?;
                if self.lost > 0 || !self.ring.append(&line)? {
                    self.lost += 1;
                }
                if self.lost > 0 || self.ring.full() {
                    self.state_wanted.store(true, Ordering::Relaxed);
                }
            }
            Entry::State(core) if self.lost > 0 || self.ring.full() => self.begin(Some(core))?,
            // Offered twice: the file that wanted it has begun meanwhile.
            Entry::State(_) => {}
            Entry::Gap(dropped, core) => {
                self.lost += dropped;
                self.begin(Some(core))?;
            }
        }
        Ok(())
    }

    /// Begins a file. Without a state it is that of a daemon which begins as well.
    fn begin(&mut self, state: Option<Box<Core>>) -> Result<(), RecordError> {
        self.header.part = self.ring.next_part();
        let mut opening = bytes(&RecordingLine::Recording(Box::new(self.header.clone())))?;
        if self.lost > 0 {
            opening.extend(bytes(&RecordingLine::Gap { dropped: self.lost })?);
            self.lost = 0;
        }
        if let Some(core) = state {
            opening.extend(bytes(&RecordingLine::State(core))?);
        }
        self.ring.begin(&opening)?;
        self.state_wanted.store(false, Ordering::Relaxed);
        Ok(())
    }
}

fn bytes(line: &RecordingLine<Box<Core>>) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
