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
//! Addresses are leased ([`Terms`]): the kernel removes them by itself when [`Command::Renew`] does not come, that is
//! when the core's thread, this thread or the process hangs or is gone. What was lost so never comes back by itself.
//! What somebody else removed does, at once.
//!
//! Announcements are gratuitous ARP in both forms, request and reply, and with IPv6 an unsolicited neighbour
//! advertisement: once when the kernel has acknowledged the address, again after 50 ms, 200 ms, 1.1 s and 3 s, then
//! every 60 s while it is held; and anew when the interface gets another MAC address or its carrier back, and when
//! somebody else who claimed the address has stopped.
//!
//! | room | owns |
//! |---|---|
//! | `worker` | the loop, and what is held |
//! | `adding`, `removing`, `announcing` | the three commands |
//! | `herald` | the first announcements of what is being added, of many by a second thread while the kernel adds
//! | `leasing`, `lease` | how long the kernel keeps an address |
//! | `restoring`, `culprit` | addresses that somebody else removed |
//! | `watching`, `listen`, `probe` | who else uses an address; whether an interface can serve |
//! | `network`, `addresses`, `monitor`, `place` | what this machine's network looks like, and where an address goes in it |
//! | `request`, `packet`, `arp`, `ndisc`, `kernel` | bytes to the kernel and to the wire |

mod adding;
mod addresses;
mod announcing;
mod arp;
mod culprit;
mod error;
mod herald;
mod kernel;
mod lease;
mod leasing;
mod listen;
mod monitor;
mod ndisc;
mod network;
mod packet;
mod place;
mod probe;
mod release;
mod removing;
mod request;
mod restoring;
mod schedule;
mod watching;
mod worker;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::mpsc as sync;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::config::Address;

pub(crate) use culprit::hint as who_may_remove;
pub use error::VipError;
pub use lease::{NoLease, Terms};
pub use release::release;

/// What the address thread is told. `id` is the caller's name for the address and comes back in the [`Report`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add the address and announce it. One that is there already is adopted, so adding twice is harmless. With a lease
    /// it waits for a [`Command::Renew`] of a core that is not silent.
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
    /// The core lives: all leases run from here. Without a lease it does nothing.
    Renew {
        /// When the core sent its last status.
        beat: Instant,
    },
    /// Keep what is held for this long although no renewal will come: the daemon is about to be restarted. The next
    /// [`Command::Renew`] ends it. Without a lease it does nothing.
    Stretch {
        /// Whole seconds count.
        lifetime: Duration,
    },
    /// Ask the LAN, again and again, whether anybody has this address, and report each change
    /// ([`Report::Answered`], [`Report::Silent`], [`Report::Service`]). Three questions without an answer are silence.
    Probe {
        /// As in the reports.
        id: u64,
        /// What haresources says.
        address: Address,
        /// Between two questions.
        interval: Duration,
        /// A TCP port on that address that is asked, too.
        service: Option<u16>,
    },
    /// Stop asking.
    ProbeEnd {
        /// The id of the probe.
        id: u64,
    },
    /// Report from now on whether the interface of this address can serve it ([`Report::Carrier`]), held or not.
    Watch {
        /// As in the report.
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
    /// The lease of a held address ended: we, or the whole machine, were silent for too long, and somebody else may
    /// have it by now. It is not held any more; the caller decides whether to add it again.
    Expired {
        /// The id it was added with.
        id: u64,
    },
    /// Held addresses that somebody else had removed are back and announced.
    Restored {
        /// Which, all on one interface.
        addresses: Vec<IpAddr>,
        /// The interface.
        device: String,
        /// They are removed again and again, and are therefore put back once a second only.
        often: bool,
        /// What may have removed them, and what to write against it.
        hint: Option<String>,
    },
    /// The interface of a watched address can serve it from now on, or cannot: it is gone, down, or has no carrier.
    /// Nothing is told of one that can from the beginning.
    Carrier {
        /// From the command.
        id: u64,
        /// Whether it can.
        up: bool,
    },
    /// Somebody answers for an address that we ask for.
    Answered {
        /// The id of the probe.
        id: u64,
        /// Whose interface answers.
        mac: Mac,
    },
    /// Nobody answers for an address that we ask for.
    Silent {
        /// The id of the probe.
        id: u64,
    },
    /// The TCP port that we ask accepts connections, or does not any more. It is taken to accept until then.
    Service {
        /// The id of the probe.
        id: u64,
        /// Whether it does.
        answers: bool,
    },
    /// Somebody else claims an address that we hold. It was defended by one announcement, unless that was done within
    /// the last ten seconds (RFC 5227 §2.4).
    Claimed {
        /// The id it was added with.
        id: u64,
        /// Who.
        mac: Mac,
        /// He goes on although we defended it. Told once in ten seconds.
        again: bool,
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

/// A MAC address; shown as `02:00:c0:a8:11:02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The address thread's command channel. When it is dropped the thread finishes what it was told and ends; the
/// addresses stay until their lease ends.
#[derive(Debug)]
pub struct VipHandle {
    commands: mpsc::UnboundedSender<Command>,
    thread: thread::JoinHandle<()>,
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
pub fn spawn(lease: Option<Terms>, report: impl Fn(Report) + Send + 'static) -> Result<VipHandle, VipError> {
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
