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
use std::sync::mpsc::{Sender, channel};
use std::thread;

pub use command::{ConnectionCares, ConnectionsCommand};

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct ConnectionsHandle {
    commands: Sender<ConnectionsCommand>,
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
        let worker = worker::ConnectionsWorker::new(cares, present, report);
        thread::Builder::new().name("connections".to_owned()).spawn(move || worker.run(&inbox))?;
        Ok(ConnectionsHandle { commands })
    }

    /// Hands a command to the thread. Never blocks. What a thread that has ended is told is lost, and with it nothing
    /// but what the options promise.
    pub fn send(&self, command: ConnectionsCommand) {
        let _ = self.commands.send(command);
    }
}
