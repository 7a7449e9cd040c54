//! What clients have with an address that moves: TCP connections that the other node knows nothing of, and the
//! kernel's connection tracking (`tickle` and `conntrack` of hbd.toml).
//!
//! Owns a thread that lists this node's connections, keeps what the peer tells of its own, and tickles their clients
//! when the address comes here: a packet makes each client ask, and the kernel resets what it does not know. Decides
//! nothing: it hears of addresses that have come and gone. Never keeps a connection alive, and moves none.
//!
//! | module | question it answers |
//! |---|---|
//! | `command` | what is the thread told, and which addresses is it about? |
//! | `worker` | what is due when? |
//! | `established` | which connections has this node? |
//! | `connection` | what is a connection, and how do two nodes tell each other? |
//! | `known` | which connections has the peer? |
//! | `rounds` | whom to tickle next? |
//! | `tickle` | what is the packet, and how does it leave? |
//! | `conntrack` | what does the kernel track of an address? |

mod command;
mod connection;
mod conntrack;
mod established;
mod known;
mod rounds;
mod tickle;
mod worker;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

pub use command::{ConnectionCares, ConnectionsCommand};

/// So many texts of the peer wait at most while the kernel is asked: more than it says in ten seconds. Anybody can
/// send one that was valid once again and again, and hbd's memory is locked.
const WAITING: usize = 1024;

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct ConnectionsHandle {
    commands: Sender<ConnectionsCommand>,
    /// Texts of the peer that wait.
    waiting: Arc<AtomicUsize>,
}

impl ConnectionsHandle {
    /// Starts the thread, which takes what addresses are here now for a predecessor's: those have not come. `report`
    /// is called on the thread with texts for the peer ([`ConnectionsCommand::Heard`] there), and must not block.
    ///
    /// # Errors
    ///
    /// When no thread can be made.
    pub fn spawn(cares: ConnectionCares, report: impl Fn(String) + Send + 'static) -> io::Result<ConnectionsHandle> {
        // Without the list an address that a predecessor held counts as one that comes: its clients lose nothing by
        // it.
        let present = if_addrs::get_if_addrs().unwrap_or_default();
        let present: BTreeSet<_> = present.iter().map(if_addrs::Interface::ip).collect();
        let (commands, inbox) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = worker::ConnectionsWorker::new(cares, present, report).counting(Arc::clone(&waiting));
        thread::Builder::new().name("connections".to_owned()).spawn(move || worker.run(&inbox))?;
        Ok(ConnectionsHandle { commands, waiting })
    }

    /// Hands a command to the thread. Never blocks. What a thread that has ended is told is lost, and so are texts of
    /// the peer beyond 1024 that wait; with them nothing but what the options promise.
    pub fn send(&self, command: ConnectionsCommand) {
        if matches!(command, ConnectionsCommand::Heard(_)) {
            // Only this thread adds.
            if self.waiting.load(Ordering::Relaxed) >= WAITING {
                return;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        let _ = self.commands.send(command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_repetitions_does_not_grow_in_memory_and_hides_no_address() {
        let (commands, inbox) = channel();
        let handle = ConnectionsHandle { commands, waiting: Arc::default() };
        for _ in 0..WAITING * 2 {
            handle.send(ConnectionsCommand::Heard("-".to_owned()));
        }
        let address = [192, 0, 2, 1].into();
        handle.send(ConnectionsCommand::Arrived(address));
        let mut queued: Vec<ConnectionsCommand> = inbox.try_iter().collect();
        assert_eq!((queued.len(), queued.pop()), (WAITING + 1, Some(ConnectionsCommand::Arrived(address))));
        let worker = worker::ConnectionsWorker::new(ConnectionCares::default(), BTreeSet::new(), |_| {});
        let mut worker = worker.counting(Arc::clone(&handle.waiting));
        queued.into_iter().for_each(|command| worker.execute(command));
        handle.send(ConnectionsCommand::Heard("-".to_owned()));
        assert_eq!(inbox.try_iter().count(), 1, "there is room again");
    }
}
