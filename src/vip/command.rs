//! What the address thread is told, and what it tells.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::error::VipError;
use crate::config::{Address, AddressOptions};

/// What the address thread is told. `id` is the caller's name for the address and comes back in the [`VipReport`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VipCommand {
    /// Add the address and announce it. One that is there already is adopted, so adding twice is harmless. With a
    /// lease it waits for a [`VipCommand::Renew`] of a core that is not silent.
    Add {
        /// Names the address from now on; used again, it names the newer one.
        id: u64,
        /// What haresources says.
        address: Address,
    },
    /// How an address is to be put on its interface and announced, from its next addition on. Without this command as
    /// [`AddressOptions::default`] says.
    Configure {
        /// The id that the address has or will have.
        id: u64,
        /// What hbd.toml says.
        options: AddressOptions,
    },
    /// All addresses are configured: removes the routes and rules of hbd's that belong to none of them. A predecessor
    /// with another hbd.toml has left them.
    Sweep,
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
    /// [`VipCommand::Renew`] ends it. Without a lease it does nothing.
    Stretch {
        /// Whole seconds count.
        lifetime: Duration,
    },
    /// Ask the LAN, again and again, whether anybody has this address, and report each change
    /// ([`VipReport::Answered`], [`VipReport::Unanswered`], [`VipReport::Silent`], [`VipReport::Service`]). Three
    /// questions without an answer are silence.
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
    /// Ask the LAN once who has this address, ourselves or not, and report it ([`VipReport::Surveyed`]).
    Survey {
        /// As in the report.
        id: u64,
        /// What haresources says.
        address: Address,
    },
    /// Announce a held address whenever somebody claims it, at most twice a second, until the claims have ended.
    Defend {
        /// The id it was added with.
        id: u64,
    },
    /// Report from now on whether the interface of this address can serve it ([`VipReport::Carrier`]), held or not,
    /// and whether it is on this machine although it is not held ([`VipReport::Found`]).
    Watch {
        /// As in the report.
        id: u64,
        /// What haresources says.
        address: Address,
    },
}

/// What the address thread tells. Every [`VipCommand::Add`] is answered by `Added` or `Failed`, every
/// [`VipCommand::Remove`] by `Removed` or `Failed`, in the order of neither.
#[derive(Debug)]
pub enum VipReport {
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
    /// The address was not added.
    NotAdded {
        /// From the command.
        id: u64,
        /// Why.
        error: VipError,
    },
    /// The address was not removed.
    NotRemoved {
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
    /// A held address is gone, and the kernel does not take it back although the interface is up: it is tried again
    /// once a second.
    Refused {
        /// The id it was added with.
        id: u64,
        /// What the kernel said.
        error: VipError,
    },
    /// The same address is there again.
    TakenBack {
        /// The id it was added with.
        id: u64,
    },
    /// The interface of a watched address can serve it from now on, or cannot: it is gone, down, or has no carrier.
    /// Nothing is told of one that can from the beginning.
    Carrier {
        /// From the command.
        id: u64,
        /// Whether it can.
        up: bool,
    },
    /// A watched address is on this machine although it is not held, for longer than it takes the kernel to tell of a
    /// removal of ours.
    Found {
        /// From the command.
        id: u64,
    },
    /// It is not there any more.
    Absent {
        /// From the command.
        id: u64,
    },
    /// Somebody answers for an address that we ask for.
    Answered {
        /// The id of the probe.
        id: u64,
        /// Whose interface answers.
        mac: MacAddress,
        /// Our interface, on which that was heard.
        device: String,
    },
    /// This machine does not answer any more for an address that we ask for, and others do.
    Unanswered {
        /// The id of the probe.
        id: u64,
        /// Its MAC address.
        mac: MacAddress,
    },
    /// Who answered within a second. Not told of an address that could not be asked for.
    Surveyed {
        /// From the command.
        id: u64,
        /// Our interface, on which it was asked for.
        device: String,
        /// Everybody but ourselves.
        machines: Vec<MacAddress>,
    },
    /// Somebody asks whether anybody has an address that we hold. Told once of each machine, of a few.
    AskedBy {
        /// The id it was added with.
        id: u64,
        /// Who.
        mac: MacAddress,
        /// Our interface, on which that was heard.
        device: String,
    },
    /// The MAC addresses of this machine, at the start and at each change.
    OwnMacs {
        /// Those of the interfaces of watched addresses first. Without ports of bridges, on which nobody is answered.
        macs: Vec<MacAddress>,
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
        mac: MacAddress,
        /// Our interface, on which that was heard.
        device: String,
        /// The claim is repeated although we defended the address. Told once in ten seconds of each machine.
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
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
