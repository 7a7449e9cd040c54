//! Virtual addresses on interfaces, and telling the neighbours about them.
//!
//! Owns the rtnetlink and AF_PACKET sockets, on a thread of its own: what blocks here (the kernel's RTNL lock, a
//! dump) delays nobody else. Knows [`config::Address`](crate::config::Address) and nothing of the cluster, of units
//! or of the bus; decides nothing about who may hold an address. Brings no interface up and removes no address that
//! it was not told to.
//!
//! What an address needs and haresources does not say comes from the directly connected network that covers it, as
//! with Heartbeat's IPaddr (03 §2.4): interface, prefix length, broadcast address. Without a label in haresources the
//! address has none (`ip addr` then shows the interface's name).
//!
//! hbd's addresses carry IFA_PROTO 0x48, so that [`release()`] finds them after a crash. An address that is there
//! already is adopted: marked, announced and reported as added.
//!
//! Announcements are gratuitous ARP in both forms, request and reply: once when the kernel has acknowledged the
//! address, again after 50 ms, 200 ms, 1.1 s and 3 s, then every 60 s while it is held; and anew when the interface
//! gets another MAC address or its carrier back.

mod arp;
mod error;
mod kernel;
mod monitor;
mod network;
mod packet;
mod place;
mod release;
mod request;
mod schedule;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::mpsc as sync;
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::config::Address;

pub use error::VipError;
pub use release::release;

/// What the address thread is told. `id` is the caller's name for the address and comes back in the [`Report`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add the address and announce it. One that is there already is adopted, so adding twice is harmless.
    Add {
        /// Names the address from now on; used again, it names the newer one.
        id: u64,
        /// What haresources says.
        address: Address,
    },
    /// Remove the address, under whatever prefix and label it is there, and stop announcing it. From the interface it
    /// was added to; if this process did not add it, from the interface that haresources names, else from every
    /// interface but loopback. One that is not there counts as removed.
    Remove {
        /// As in the report.
        id: u64,
        /// What haresources says.
        address: Address,
    },
    /// Announce an address that is held once more, with all repetitions.
    Announce {
        /// The id it was added with.
        id: u64,
        /// What haresources says.
        address: Address,
    },
}

/// What the address thread tells. Every [`Command::Add`] is answered by `Added` or `Failed`, every
/// [`Command::Remove`] by `Removed` or `Failed`, in the order of neither.
#[derive(Debug)]
pub enum Report {
    /// The address is up and its first announcement sent.
    Added {
        /// From the command.
        id: u64,
        /// The interface it is on.
        device: String,
        /// Its prefix length.
        prefix: u8,
        /// When the kernel had acknowledged it.
        at: Instant,
    },
    /// The address is not on this machine's interface any more.
    Removed {
        /// From the command.
        id: u64,
    },
    /// The address was not added, or not removed.
    Failed {
        /// From the command.
        id: u64,
        /// Why.
        error: VipError,
    },
    /// A held address vanished without a [`Command::Remove`]: somebody removed it, or its interface is gone. It is
    /// not announced any more; the caller decides whether to add it again.
    Lost {
        /// The id it was added with.
        id: u64,
    },
    /// A held address could not be announced. Told when announcing begins to fail, not for every repetition.
    NotAnnounced {
        /// From the command.
        id: u64,
        /// Why.
        error: VipError,
    },
    /// Something that the administrator should know and that stopped nothing.
    Warning {
        /// What.
        error: VipError,
    },
}

/// The address thread's command channel. When it is dropped the thread finishes what it was told and ends; the
/// addresses stay.
#[derive(Debug)]
pub struct VipHandle {
    commands: mpsc::UnboundedSender<Command>,
}

impl VipHandle {
    /// Hands a command to the thread. Never blocks.
    ///
    /// # Errors
    ///
    /// [`VipError::Ended`] if the thread is gone; no further command will have an effect.
    pub fn send(&self, command: Command) -> Result<(), VipError> {
        self.commands.send(command).map_err(|_| VipError::Ended)
    }
}

/// Starts the address thread in the caller's network namespace and waits, a few milliseconds, until it has opened its
/// sockets and listed links, addresses and routes. `report` is called on that thread and must not block.
///
/// # Errors
///
/// When a socket cannot be opened (CAP_NET_ADMIN, CAP_NET_RAW) or the lists cannot be read.
pub fn spawn(report: impl Fn(Report) + Send + 'static) -> Result<VipHandle, VipError> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (opened, outcome) = sync::sync_channel(1);
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(opened.send(Err(VipError::Thread(error)))),
        };
        runtime.block_on(async move {
            match worker::Worker::open(report).await {
                Ok(worker) => {
                    drop(opened.send(Ok(())));
                    worker.run(inbox).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
    };
    thread::Builder::new().name("vip".into()).spawn(body).map_err(VipError::Thread)?;
    outcome.recv().unwrap_or(Err(VipError::Ended))?;
    Ok(VipHandle { commands })
}
