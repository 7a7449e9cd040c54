//! The recorder: keeps what the core was told and what it decided, for `hbd --replay` ([`super::replay`]).
//!
//! Owns the ring of files in /var/lib/hbd/events and the thread that writes them. The core's thread only hands over
//! clones; what the queue does not take is counted, and the recording says so and goes on with a fresh state. A disk
//! that is full or broken ends the recording, never the daemon.

pub mod line;
mod ring;
mod tape;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use log::{error, warn};
use thiserror::Error;

use crate::cluster::{Action, Core, Event, Instant, Moment, Settings};
use crate::util::error::{FileError, error_chain};
use line::{FORMAT, Header, Ignored};
use ring::{Create, Ring};
use tape::{Entry, Tape};

/// In StateDirectory=.
pub const DIRECTORY: &str = "/var/lib/hbd/events";

/// Entries that wait for the disk at most: minutes of an ordinary cluster's life.
const CAPACITY: usize = 1024;
/// After the queue was full, the state is copied for it at most this often.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end of the daemon waits for the disk.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// Why nothing is recorded.
#[derive(Debug, Error)]
pub enum RecorderError {
    /// No directory.
    #[error(transparent)]
    Ring(#[from] FileError),
    /// No thread.
    #[error("cannot start the recorder's thread")]
    Thread(#[source] std::io::Error),
}

/// The core's end of the recording.
#[derive(Debug, Default)]
pub struct Recorder(Option<Queue>);

#[derive(Debug)]
struct Queue {
    sender: SyncSender<Entry>,
    state_wanted: Arc<AtomicBool>,
    /// Events since the queue was found full.
    dropped: u64,
    /// Packets since the last event that are none.
    ignored: Ignored,
    /// Before then the state is not offered again.
    patience: Instant,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Recorder {
    /// Records nothing.
    pub fn off() -> Recorder {
        Recorder::default()
    }

    /// Records a core made from `settings` at `started` into `directory`, at most `megabytes` MiB with what is there
    /// already.
    ///
    /// # Errors
    /// When there is no directory or no thread. A full disk shows later, in the log.
    pub fn start(
        directory: &Path,
        megabytes: u64,
        settings: &Settings,
        started: Moment,
    ) -> Result<Recorder, RecorderError> {
        Recorder::start_with(directory, megabytes << 20, settings, started, ring::create)
    }

    fn start_with(
        directory: &Path,
        limit: u64,
        settings: &Settings,
        started: Moment,
        create: Create,
    ) -> Result<Recorder, RecorderError> {
        let ring = Ring::open(directory, settings.generation, limit, create)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let header = Header { format: FORMAT, version, part: 1, started: started.into(), settings: settings.clone() };
        let (sender, entries) = sync_channel(CAPACITY);
        let (alive, ended) = sync_channel::<()>(0);
        let state_wanted = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&state_wanted);
        let record = move || {
            // Dropped at the end of the thread, however that comes.
            let _alive = alive;
            let tape = Tape { ring, header, state_wanted: &wanted, lost: 0 };
            if let Err(error) = tape.run(&entries) {
                error!(
                    "events are not recorded any more: {}. Make room, or lower megabytes in [record] of hbd.toml; \
                     recording begins again when hbd does",
                    error_chain(&error)
                );
            }
        };
        thread::Builder::new().name("recorder".to_owned()).spawn(record).map_err(RecorderError::Thread)?;
        Ok(Recorder(Some(Queue {
            sender,
            state_wanted,
            dropped: 0,
            ignored: Ignored::default(),
            patience: Instant::default(),
            ended,
        })))
    }

    /// Packets that are not handed over to the core, because they change nothing: the next event tells their number.
    pub fn ignore(&mut self, packets: Ignored) {
        if let Some(Queue { ignored, .. }) = &mut self.0 {
            ignored.old += packets.old;
            ignored.bad += packets.bad;
        }
    }

    /// Lets the core handle one event, and hands over what happened. Never blocks.
    pub fn handle(&mut self, core: &mut Core, now: Moment, event: Event) -> Vec<Action> {
        let Some(queue) = &mut self.0 else { return core.handle(now, event) };
        let mut open = queue.offer_state(core, now.monotonic);
        let copy = event.clone();
        let actions = core.handle(now, event);
        if queue.dropped == 0 {
            let ignored = std::mem::take(&mut queue.ignored);
            open &= queue.offer(Entry::Event(now, Box::new(copy), ignored, actions.clone()));
        } else {
            queue.dropped += 1;
        }
        if !open {
            // The thread has said why.
            self.0 = None;
        }
        actions
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub fn finish(self, patience: Duration) {
        let Some(Queue { sender, ended, .. }) = self.0 else { return };
        drop(sender);
        if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            warn!("the disk is too slow: the last events are not recorded");
        }
    }
}

impl Queue {
    /// Offers the state where it is needed: for a new file, and after a gap. False if the thread has ended.
    fn offer_state(&mut self, core: &Core, now: Instant) -> bool {
        let wanted = self.state_wanted.load(Ordering::Relaxed);
        if (self.dropped == 0 && !wanted) || now < self.patience {
            return true;
        }
        self.patience = now + RETRY;
        let state = Box::new(core.clone());
        if self.dropped == 0 {
            self.state_wanted.store(false, Ordering::Relaxed);
            return self.offer(Entry::State(state));
        }
        match self.sender.try_send(Entry::Gap(self.dropped, state)) {
            Ok(()) => self.dropped = 0,
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }

    /// What is not taken is a gap. False if the thread has ended.
    fn offer(&mut self, entry: Entry) -> bool {
        match self.sender.try_send(entry) {
            Ok(()) => true,
            Err(TrySendError::Full(entry)) => {
                self.dropped += u64::from(matches!(entry, Entry::Event(..)));
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
