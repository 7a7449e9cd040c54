//! The addresses on this machine's interfaces, and the networks they are in: a thousand addresses of one network
//! are one network to look at, so that the thousandth finds its place as fast as the first. Holds knowledge; asks
//! nobody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Index, local address, prefix length: what makes an address unique to the kernel.
pub(super) type AddressKey = (u32, IpAddr, u8);
/// Index, first address, prefix length.
type NetworkKey = (u32, IpAddr, u8);

/// One address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    /// IFA_ADDRESS: the network's side, or the peer of a point-to-point link.
    pub(super) network: IpAddr,
    /// Whether the kernel keeps a route for its prefix (no IFA_F_NOPREFIXROUTE).
    pub(super) prefix_route: bool,
    /// Whether hbd added it.
    pub(super) ours: bool,
    /// Whether the kernel found it on another machine and does not use it (IFA_F_DADFAILED).
    pub(super) duplicate: bool,
    /// IFA_LABEL; none with IPv6.
    pub(super) label: Option<String>,
    /// Its scope; 0 with IPv6, where it follows from the address.
    pub(super) scope: u8,
    /// IFA_RT_PRIORITY; 0: the kernel's own.
    pub(super) metric: u32,
}

/// How many addresses are in one network of one interface.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Members {
    /// Not added by hbd.
    others: usize,
    /// For whose prefix the kernel keeps a route.
    routed: usize,
}

impl Members {
    fn of(present: &Present) -> Members {
        Members { others: usize::from(!present.ours), routed: usize::from(present.prefix_route) }
    }

    fn with(self, more: Members) -> Members {
        Members { others: self.others + more.others, routed: self.routed + more.routed }
    }

    fn without(self, less: Members) -> Members {
        Members { others: self.others.saturating_sub(less.others), routed: self.routed.saturating_sub(less.routed) }
    }
}

/// All addresses as last heard.
#[derive(Debug, Default)]
pub(super) struct PresentAddresses {
    present: BTreeMap<AddressKey, Present>,
    networks: BTreeMap<NetworkKey, Members>,
}

impl PresentAddresses {
    /// It is there, as described. False if that was known.
    pub(super) fn insert(&mut self, key: AddressKey, present: Present) -> bool {
        if self.present.get(&key) == Some(&present) {
            return false;
        }
        let members = self.networks.entry(network_of(key, &present)).or_default();
        *members = members.with(Members::of(&present));
        if let Some(old) = self.present.insert(key, present) {
            self.leave(network_of(key, &old), &old);
        }
        true
    }

    /// It is gone.
    pub(super) fn remove(&mut self, key: AddressKey) {
        if let Some(present) = self.present.remove(&key) {
            self.leave(network_of(key, &present), &present);
        }
    }

    /// A network has lost an address.
    fn leave(&mut self, network: NetworkKey, gone: &Present) {
        if let Some(members) = self.networks.get_mut(&network) {
            *members = members.without(Members::of(gone));
            // Where only ours without a route are left, nothing is lost by forgetting the network.
            if *members == Members::default() {
                self.networks.remove(&network);
            }
        }
    }

    /// It is gone under every prefix length.
    pub(super) fn remove_all(&mut self, index: u32, address: IpAddr) {
        let keys: Vec<AddressKey> = self.under(index, address).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.remove(key));
    }

    /// The interface is gone.
    pub(super) fn remove_interface(&mut self, index: u32) {
        self.present.retain(|&(on, ..), _| on != index);
        self.networks.retain(|&(on, ..), _| on != index);
    }

    /// The entries of an address on an interface: one for every prefix length.
    pub(super) fn under(&self, index: u32, address: IpAddr) -> impl Iterator<Item = (&AddressKey, &Present)> {
        self.present.range((index, address, 0)..=(index, address, u8::MAX))
    }

    /// Interface and prefix length of the networks that contain `address` because of some other address that hbd
    /// did not add.
    pub(super) fn networks_around(&self, address: IpAddr) -> impl Iterator<Item = (u32, u8)> {
        let around = self.networks.iter().filter(move |((_, first, prefix), _)| covers(*first, *prefix, address));
        around.filter_map(move |(network, members)| {
            let (index, _, prefix) = *network;
            (members.without(self.share(network, address)).others > 0).then_some((index, prefix))
        })
    }

    /// Whether the kernel keeps a route for this very network on the interface, because of some other address in it.
    pub(super) fn kernel_routes(&self, index: u32, address: IpAddr, prefix: u8) -> bool {
        let network = (index, first(address, prefix), prefix);
        let members = self.networks.get(&network).copied().unwrap_or_default();
        members.without(self.share(&network, address)).routed > 0
    }

    /// What the address itself contributes to a network.
    fn share(&self, network: &NetworkKey, address: IpAddr) -> Members {
        let key = (network.0, address, network.2);
        let own = self.present.get(&key).filter(|present| network_of(key, present) == *network);
        own.map(Members::of).unwrap_or_default()
    }
}

fn network_of((index, _, prefix): AddressKey, present: &Present) -> NetworkKey {
    (index, first(present.network, prefix), prefix)
}

/// The IPv4 netmask of a prefix length; longer than 32 counts as 32.
pub(super) fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

/// The first address of the network.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & mask(prefix)).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & mask6(prefix)).into(),
    }
}

/// Whether the network, of which any address is given, contains the address; never across families.
pub(crate) fn covers(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    network.is_ipv4() == address.is_ipv4() && first(network, prefix) == first(address, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn present(network: &str, ours: bool) -> Present {
        let network = ip(network);
        Present { network, prefix_route: !ours, ours, duplicate: false, label: None, scope: 0, metric: 0 }
    }

    fn around(addresses: &PresentAddresses, address: &str) -> Vec<(u32, u8)> {
        addresses.networks_around(ip(address)).collect()
    }

    #[test]
    fn an_address_is_no_network_to_itself_and_ours_are_none_to_each_other() {
        let mut addresses = PresentAddresses::default();
        addresses.insert((2, ip("10.0.0.1"), 24), present("10.0.0.1", false));
        assert_eq!(around(&addresses, "10.0.0.1"), []);
        addresses.insert((2, ip("10.0.0.100"), 16), present("10.0.0.100", true));
        assert_eq!(around(&addresses, "10.0.0.101"), [(2, 24)]);
        assert_eq!(around(&addresses, "10.0.9.1"), [], "only one of ours is in that");
    }

    #[test]
    fn the_last_address_takes_its_network_with_it() {
        let mut addresses = PresentAddresses::default();
        for last in ["1", "2"] {
            addresses.insert((2, ip(&format!("10.0.0.{last}")), 24), present("10.0.0.0", false));
        }
        addresses.remove_all(2, ip("10.0.0.1"));
        assert_eq!(around(&addresses, "10.0.0.9"), [(2, 24)]);
        assert!(addresses.kernel_routes(2, ip("10.0.0.9"), 24));
        addresses.remove((2, ip("10.0.0.2"), 24));
        assert_eq!(around(&addresses, "10.0.0.9"), []);
        assert!(!addresses.kernel_routes(2, ip("10.0.0.9"), 24));
    }

    #[test]
    fn an_address_that_is_told_of_again_counts_once() {
        let mut addresses = PresentAddresses::default();
        for ours in [false, false, true] {
            addresses.insert((2, ip("2001:db8::1"), 64), present("2001:db8::1", ours));
        }
        assert_eq!(around(&addresses, "2001:db8::2"), []);
    }

    #[test]
    fn an_interface_takes_all_with_it() {
        let mut addresses = PresentAddresses::default();
        addresses.insert((2, ip("10.0.0.1"), 24), present("10.0.0.1", false));
        addresses.insert((3, ip("10.0.0.2"), 24), present("10.0.0.2", false));
        addresses.remove_interface(2);
        assert_eq!(around(&addresses, "10.0.0.9"), [(3, 24)]);
        assert_eq!(addresses.under(2, ip("10.0.0.1")).count(), 0);
    }
}
