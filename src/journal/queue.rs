//! The bounded queue and the thread that empties it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::kinds::DROPPED;
use super::record::{JournalRecord, SyslogPriority};
use crate::util::clock::now_usec;

/// Where records end; may block, and is alone on its thread for that.
pub(super) trait Sink: Send + 'static {
    /// Writes one record; on error it counts as dropped.
    fn write(&mut self, record: &JournalRecord) -> io::Result<()>;
}

enum Item {
    Record(JournalRecord),
    /// Answered when everything queued before is done.
    Flush(SyncSender<()>),
}

/// The callers' end.
pub(super) struct Queue {
    sender: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    /// Starts the thread that writes to `sink`. It ends with the queue.
    pub(super) fn start(sink: impl Sink, capacity: usize) -> io::Result<Queue> {
        let (sender, receiver) = sync_channel(capacity);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        thread::Builder::new().name("hbd-journal".to_owned()).spawn(move || empty(&receiver, sink, &counter))?;
        Ok(Queue { sender, dropped })
    }

    /// Queues `record`, or counts it as dropped.
    pub(super) fn push(&self, record: JournalRecord) {
        if self.sender.try_send(Item::Record(record)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what is queued is written, `limit` at most; whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + limit;
        let (done, answer) = sync_channel(1);
        let mut item = Item::Flush(done);
        loop {
            match self.sender.try_send(item) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => item = back,
                Err(_) => return false,
            }
            thread::sleep(PAUSE);
        }
        answer.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// The writer thread.
fn empty(queue: &Receiver<Item>, mut sink: impl Sink, dropped: &AtomicU64) {
    while let Ok(item) = queue.recv() {
        let record = match item {
            Item::Record(record) => record,
            Item::Flush(done) => {
                // Who no longer waits needs no answer.
                let _ = done.try_send(());
                continue;
            }
        };
        if sink.write(&record).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 && sink.write(&confession(lost)).is_err() {
            dropped.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

fn confession(lost: u64) -> JournalRecord {
    JournalRecord {
        priority: SyslogPriority::Warning,
        realtime_usec: now_usec(),
        fields: vec![
            ("MESSAGE_ID".to_owned(), DROPPED.id.to_owned()),
            ("HBD_EVENT".to_owned(), DROPPED.event.to_owned()),
            ("HBD_DROPPED".to_owned(), lost.to_string()),
        ],
        text: format!("{lost} log messages dropped: the journal was too slow or away"),
        source: None,
    }
}
