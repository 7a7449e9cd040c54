//! How the addresses of a group are put on an interface and announced, and what becomes of connections with them:
//! what hbd.toml adds to haresources.
//!
//! Owns the values. Nothing here is a decision of the core: only the threads of the addresses and of the connections
//! read them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::address_form::AddressForm;
use super::groups::Group;
use super::routes::{GroupRoute, GroupRule};

/// `preferred`, `announce`, `tickle`, `conntrack`, `addresses`, `routes` and `rules` of `[addresses]` and
/// `[groups."KEY"]`, and what IPsrcaddr says, for the addresses of one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressOptions {
    /// Whether IPv6 addresses of the group may become the source of connections of this machine.
    pub preferred: bool,
    /// The address that an `IPsrcaddr` of the group names.
    pub source: Option<IpAddr>,
    /// What `addresses` says, by address.
    pub forms: BTreeMap<IpAddr, AddressForm>,
    /// When they are announced.
    pub announce: AnnouncePolicy,
    /// Whether clients are told at once that their TCP connections have not moved with an address.
    pub tickle: bool,
    /// What becomes of the kernel's memory of connections.
    pub conntrack: ConntrackPolicy,
    /// What comes after the group's last address and goes before it, in this order.
    pub routes: Vec<GroupRoute>,
    /// What comes after these.
    pub rules: Vec<GroupRule>,
}

/// `conntrack`: what happens to the entries of an address in the kernel's connection tracking when it comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConntrackPolicy {
    /// Nothing.
    #[default]
    Keep,
    /// They are removed.
    Flush,
}

/// `announce`: when an address is announced on its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncePolicy {
    /// How many announcements there are in the burst when an address comes, 1–100.
    pub repeat: u32,
    /// Between further announcements in the first two minutes; zero: there are none.
    pub delay: Duration,
    /// Between announcements after that, for as long as the address is held; zero: there are none.
    pub refresh: Duration,
    /// The least time between two frames on one interface; zero: as fast as they come.
    pub pace: Duration,
}

impl Default for AnnouncePolicy {
    /// docs/DECISIONS.md "When an address is announced".
    fn default() -> AnnouncePolicy {
        AnnouncePolicy {
            repeat: 5,
            delay: Duration::from_secs(10),
            refresh: Duration::from_secs(60),
            pace: Duration::ZERO,
        }
    }
}

impl AddressOptions {
    /// For the addresses of a group but the last.
    pub fn without_routes(&self) -> AddressOptions {
        AddressOptions { routes: Vec::new(), rules: Vec::new(), ..self.clone() }
    }

    /// Whether the kernel may choose this address as the source of a connection whose program has chosen none. With
    /// IPv4 it never does so where the interface has another address of the network.
    pub fn is_preferred(&self, address: IpAddr) -> bool {
        address.is_ipv4() || self.preferred || self.source == Some(address)
    }
}

/// The address that `IPsrcaddr::ADDR` of this group names.
pub(super) fn source_of(group: &Group) -> Option<IpAddr> {
    group.resources.iter().find_map(|resource| resource.word.strip_prefix("IPsrcaddr::")?.parse().ok())
}
