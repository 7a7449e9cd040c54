//! Virtual addresses on interfaces, and telling the neighbours about them.
//!
//! Owns the rtnetlink and AF_PACKET sockets, on a thread of its own: what blocks here (the kernel's RTNL lock, a
//! dump) delays nobody else. Knows [`config::Address`](crate::config::Address) and nothing of the cluster, of units
//! or of the bus; decides nothing about who may hold an address. Brings no interface up and removes no address that
//! it was not told to.
//!
//! What an address needs and haresources does not say comes from the directly connected network that covers it, as
//! with Heartbeat's IPaddr (03 §2.4): interface, prefix length, broadcast address. Without a label in haresources
//! the address has none (`ip addr` then shows the interface's name).
//!
//! hbd's addresses carry IFA_PROTO 0x48, so that [`release()`] finds them after a crash. An address that is there
//! already is adopted: marked, announced and reported as added.
//!
//! Addresses are leased ([`Terms`]): the kernel removes them by itself when [`VipCommand::Renew`] does not come,
//! that is when the core's thread, this thread or the process hangs or is gone. Where the dead time is too short for
//! that, this thread removes them when the core's hangs. What was lost so never comes back by itself. What somebody
//! else removed does, at once.
//!
//! Announcements are gratuitous ARP in both forms, request and reply, and with IPv6 an unsolicited neighbour
//! advertisement: once when the kernel has acknowledged the address, again after 50 ms, 200 ms, 1.1 s and 3 s, then
//! every 10 s for two minutes and every 60 s while it is held, unless `announce` of hbd.toml says otherwise; and anew
//! when the interface gets another MAC address or its carrier back, and when somebody else who claimed the address
//! has stopped.
//!
//! | module | owns |
//! |---|---|
//! | `command` | what the thread is told, and what it tells |
//! | `worker` | the loop, and what is held |
//! | `adding`, `removing`, `announcing` | the three commands |
//! | `herald` | the first announcements of what is being added, of many by a second thread while the kernel adds |
//! | `schedule`, `pacing` | when an announcement is repeated, and how fast frames may follow each other |
//! | `leasing`, `lease` | how long the kernel keeps an address |
//! | `restoring`, `removals`, `remover` | addresses that somebody else removed |
//! | `comparing`, `oddity` | held addresses that are there in another form |
//! | `routing`, `route_care` | routes and rules that belong to an address |
//! | `sourced` | routes of others that have an address as their source |
//! | `preferred_source` | `IPsrcaddr`: which routes have an address as their source, and what they were before |
//! | `strays` | addresses that are here and not held |
//! | `watching`, `watches`, `listen`, `probe` | who else uses an address; whether an interface can serve |
//! | `network`, `addresses`, `monitor`, `place` | what the network here looks like, and where an address goes in it |
//! | `release` | what is left of an hbd that is gone |
//! | `error` | why something could not be done |
//! | `mark`, `request`, `route_request`, `packet`, `arp`, `ndisc`, `kernel` | bytes to the kernel and to the wire |

mod adding;
mod addresses;
mod announcing;
mod arp;
mod command;
mod comparing;
mod error;
mod herald;
mod kernel;
mod lease;
mod leasing;
mod listen;
mod mark;
mod monitor;
mod ndisc;
mod network;
mod oddity;
mod pacing;
mod packet;
mod place;
mod preferred_source;
mod probe;
mod release;
mod removals;
mod remover;
mod removing;
mod request;
mod restoring;
mod route_care;
mod route_request;
mod routing;
mod schedule;
mod sourced;
mod strays;
mod watches;
mod watching;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::mpsc as sync;
use std::thread;

use tokio::sync::mpsc;

pub(crate) use addresses::covers;
pub use command::{MacAddress, VipCommand, VipReport};
pub use error::VipError;
pub use lease::{NoLease, Terms};
pub use oddity::{AddressOddity, FormFate};
pub use preferred_source::{forget_source, prefer_source};
pub use release::{present, release, release_routes};
pub(crate) use remover::hint as who_may_remove;

/// The address thread's command channel. When it is dropped the thread finishes what it was told and ends; the
/// addresses stay until their lease ends.
#[derive(Debug)]
pub struct VipHandle {
    commands: mpsc::UnboundedSender<VipCommand>,
    thread: thread::JoinHandle<()>,
}

impl VipHandle {
    /// Hands a command to the thread. Never blocks.
    ///
    /// # Errors
    ///
    /// [`VipError::Ended`] if the thread is gone; no further command will have an effect.
    pub fn send(&self, command: VipCommand) -> Result<(), VipError> {
        self.commands.send(command).map_err(|_| VipError::Ended)
    }

    /// Waits until the thread has done what it was told, and has ended. The addresses stay until their leases end.
    pub fn finish(self) {
        drop(self.commands);
        // A panic of that thread has been told by the panic hook, and has lost what it was told.
        let _ = self.thread.join();
    }
}

/// Starts the address thread in the caller's network namespace and waits, a few milliseconds, until it has opened its
/// sockets and listed links, addresses and routes. Without terms nothing is leased. `report` is called on that thread
/// and must not block.
///
/// # Errors
///
/// When a socket cannot be opened (CAP_NET_ADMIN, CAP_NET_RAW) or the lists cannot be read.
pub fn spawn(lease: Option<Terms>, report: impl Fn(VipReport) + Send + 'static) -> Result<VipHandle, VipError> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (opened, outcome) = sync::sync_channel(1);
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(opened.send(Err(VipError::Thread(error)))),
        };
        runtime.block_on(async move {
            match worker::Worker::open(lease, report).await {
                Ok(worker) => {
                    drop(opened.send(Ok(())));
                    worker.run(inbox).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
    };
    let thread = thread::Builder::new().name("vip".into()).spawn(body).map_err(VipError::Thread)?;
    outcome.recv().unwrap_or(Err(VipError::Ended))?;
    Ok(VipHandle { commands, thread })
}
