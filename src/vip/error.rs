//! What can go wrong with an address, in words that say what to write or run instead.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::oddity::AddressOddity;

/// Why an address could not be added, removed or announced, or why the thread could not start.
#[derive(Debug, thiserror::Error)]
pub enum VipError {
    /// The interface that haresources names is not there.
    #[error(
        "{address}: interface {device} does not exist; correct it in haresources, or leave it out to use the \
         interface whose network covers the address (`ip -brief link` lists the interfaces)"
    )]
    NoSuchInterface {
        /// The address wanted.
        address: IpAddr,
        /// The interface named.
        device: String,
    },
    /// The interface exists and is administratively down. hbd never brings an interface up.
    #[error("{address}: interface {device} is down; bring it up first (`ip link set dev {device} up`)")]
    InterfaceDown {
        /// The address wanted.
        address: IpAddr,
        /// The interface named or derived.
        device: String,
    },
    /// It was being added, and the core was silent for too long meanwhile.
    #[error("the lease of the address ended while it was being added")]
    LeaseOver,
    /// No interface was given, and no directly connected network covers the address.
    #[error(
        "{address}: no directly connected network covers this address, so its interface is unknown; \
         write prefix and interface in haresources, as in {address}/{}/eth0",
        usual_prefix(address)
    )]
    NoNetwork {
        /// The address wanted.
        address: IpAddr,
    },
    /// An interface was given without a prefix, and no network on it covers the address.
    #[error(
        "{address}: no network on {device} covers this address, so its prefix is unknown; \
         write it in haresources, as in {address}/{}/{device}",
        single_prefix(address)
    )]
    NoPrefix {
        /// The address wanted.
        address: IpAddr,
        /// The interface named.
        device: String,
    },
    /// The label does not fit the kernel's field (IFNAMSIZ − 1).
    #[error("{address}: label {label} has {} bytes; use at most 15, as in eth0:1", label.len())]
    LabelTooLong {
        /// The address wanted.
        address: IpAddr,
        /// The label given.
        label: String,
    },
    /// The kernel refused to add the address.
    #[error("cannot add {address}/{prefix} to {device}")]
    Add {
        /// The address wanted.
        address: IpAddr,
        /// Prefix length asked for.
        prefix: u8,
        /// Interface asked for.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel refused to remove the address: it may still be there.
    #[error("cannot remove {address} from {device}; it may still be answered here")]
    Remove {
        /// The address to be removed.
        address: IpAddr,
        /// The interface it is on.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The address is up, but neighbours could not be told.
    #[error("cannot announce {address} on {device}; neighbours may go on using the old MAC address")]
    Announce {
        /// The address held.
        address: IpAddr,
        /// The interface it is on.
        device: String,
        /// What sending said.
        source: io::Error,
    },
    /// An announcement was asked for an address that we do not hold.
    #[error("{address} is not held here, so it is not announced; add it first")]
    NotHeld {
        /// The address named.
        address: IpAddr,
    },
    /// `promote_secondaries` could not be set: removing one address may remove others of the same network.
    #[error(
        "cannot set net.ipv4.conf.{device}.promote_secondaries=1: removing one virtual address may remove others of \
         the same network; set it in /etc/sysctl.d"
    )]
    PromoteSecondaries {
        /// The interface.
        device: String,
        /// What writing said.
        source: io::Error,
    },
    /// The rtnetlink socket could not be opened or used.
    #[error("rtnetlink: cannot {doing}")]
    Netlink {
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A dump of links, addresses or routes failed.
    #[error("rtnetlink: cannot list {what}")]
    List {
        /// What was listed.
        what: &'static str,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// The kernel did not finish listing in time.
    #[error("rtnetlink: listing links, addresses and routes took longer than {0:?}")]
    ListTimeout(std::time::Duration),
    /// The socket that sends announcements could not be opened.
    #[error("cannot open a packet socket for ARP and neighbour discovery (this needs CAP_NET_RAW)")]
    PacketSocket(#[source] io::Error),
    /// Whether somebody else uses an address cannot be seen on this interface.
    #[error(
        "cannot listen for ARP and neighbour discovery on {device}; a second owner of an address would go unnoticed"
    )]
    Listen {
        /// The interface.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A label was given for an IPv6 address.
    #[error("{address}: an IPv6 address has no label; leave :{label} out")]
    NoLabel {
        /// The address wanted.
        address: IpAddr,
        /// The label given.
        label: String,
    },
    /// The kernel refused a route or a rule that belongs to an address.
    #[error("cannot add the {what} of hbd.toml{}", route_hint(source))]
    Route {
        /// What it is, and as it was written.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel refused to remove one.
    #[error("cannot remove the {what} of hbd.toml; remove it by hand (`ip route`, `ip rule`)")]
    RouteStays {
        /// What it is, and as it was written.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A route of somebody else went with its source address, and does not come back with it.
    #[error("cannot put back the {what}, which went with its source address; set it again by hand")]
    SourcedRoute {
        /// Where it leads.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Some were gone and are there again.
    #[error("somebody removed what belongs to an address, and hbd has put it back: {what}")]
    RoutesBack {
        /// What they are, and as they were written.
        what: String,
    },
    /// An address is to be the source of connections, and is not on this machine.
    #[error("{address} is not on this machine: write IPsrcaddr::{address} behind the address")]
    SourceNotHere {
        /// The address.
        address: IpAddr,
    },
    /// An address is to be the source of connections, and there is no default route that could say so.
    #[error(
        "there is no default route here that could have {address} as its source: set one on this machine, over one \
         interface and not by router advertisements"
    )]
    NoSourceRoute {
        /// The address.
        address: IpAddr,
    },
    /// The kernel refused a change of a route's source.
    #[error("cannot change the {what}")]
    SourceRoute {
        /// Which.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// What the routes were before cannot be noted, or the note not be removed.
    #[error("cannot keep the note {} of what the routes were before", path.display())]
    SourceNote {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A held address is not as it was added.
    #[error("{address} on {device}: {oddity}")]
    OddAddress {
        /// The address held.
        address: IpAddr,
        /// The interface it was added to.
        device: String,
        /// What is odd.
        oddity: AddressOddity,
    },
    /// The thread could not be started.
    #[error("cannot start the address thread")]
    Thread(#[source] io::Error),
    /// The thread has ended; nothing that it is told has an effect any more.
    #[error("the address thread has ended")]
    Ended,
}

/// What to write instead of a route that the kernel refuses.
fn route_hint(answer: &io::Error) -> &'static str {
    match answer.raw_os_error() {
        Some(libc::EEXIST) => "; another one has its place, so write another metric, table or priority",
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => {
            "; its router is on no network here: write onlink, or correct via"
        }
        Some(libc::ENODEV) => "; its interface is not here: correct dev",
        Some(libc::EINVAL) => "; is its src an address of this machine?",
        _ => "",
    }
}

/// What a network's prefix length mostly is, for a hint.
fn usual_prefix(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}

/// The prefix length of a network that holds this address alone, for a hint.
fn single_prefix(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
