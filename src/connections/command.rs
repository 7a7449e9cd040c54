//! What the thread of the connections is told.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::{AddressOptions, ConntrackPolicy, Group, ResourceKind};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionsCommand {
    /// This address is up here.
    Arrived(IpAddr),
    /// This address is not here any more.
    Left(IpAddr),
    /// The peer says which connections it has (05 §3.16): the text, as it came.
    Heard(String),
}

/// Which addresses the options `tickle` and `conntrack` of hbd.toml are about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionCares {
    /// Clients of these are told that their connections are over.
    pub tickle: BTreeSet<IpAddr>,
    /// The kernel is to forget what it tracks of these.
    pub flush: BTreeSet<IpAddr>,
}

impl ConnectionCares {
    /// `options` are those of `groups`, in the same order.
    pub fn of(groups: &[Group], options: &[AddressOptions]) -> ConnectionCares {
        let mut cares = ConnectionCares::default();
        for (group, options) in groups.iter().zip(options) {
            let addresses = group.resources.iter().filter_map(|resource| match &resource.kind {
                ResourceKind::Address(address) => Some(address.address),
                _ => None,
            });
            for address in addresses {
                cares.tickle.extend(options.tickle.then_some(address));
                cares.flush.extend((options.conntrack == ConntrackPolicy::Flush).then_some(address));
            }
        }
        cares
    }

    /// Whether neither option is used.
    pub fn is_none(&self) -> bool {
        self.tickle.is_empty() && self.flush.is_empty()
    }
}
