//! What we know of this machine's links, addresses and connected routes, IPv4 and IPv6: one dump at start, then
//! kept fresh by the kernel's notifications, so that a failover asks the kernel nothing. Holds knowledge; never
//! changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressProtocol};
use netlink_packet_route::link::{InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};

use super::addresses::{AddressKey, Present, PresentAddresses, covers};
use super::arp::MacBytes;
use super::mark::MARK;
use super::sourced::SourcedRoutes;

/// IFA_PROTO of the addresses that hbd added ('H'): how it knows its own after a crash. Newer iproute2 shows it as
/// `proto` in `ip -details address`.
pub(super) const OURS: AddressProtocol = AddressProtocol::Other(MARK);

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) name: String,
    /// The MAC that is announced; `None` where there are no neighbours to ask (loopback, tunnels, NOARP).
    pub(super) mac: Option<MacBytes>,
    /// Administratively up (IFF_UP).
    pub(super) up: bool,
    /// Has a carrier (IFF_RUNNING).
    pub(super) running: bool,
    pub(super) loopback: bool,
    /// A port of a bridge, whose frames are the bridge's.
    pub(super) bridged: bool,
}

/// A directly connected network, from a route without gateway or from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connected {
    pub(super) index: u32,
    pub(super) prefix: u8,
    metric: u32,
}

/// What a notification changed, as far as a held address is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing that matters to an address that is up.
    Nothing,
    /// The interface has a new MAC address or a carrier again: neighbours and switches have to learn anew.
    LinkFresh { index: u32 },
    /// There is something new about an address that is there.
    AddressThere { address: IpAddr },
    /// The interface is new, went down, came up, lost its carrier, or has another name.
    LinkChanged,
    /// The interface is gone, and all its addresses with it.
    LinkGone { index: u32 },
    /// The address was removed from the interface: by us, by somebody else, or because its lifetime was over.
    AddressGone { index: u32, address: IpAddr },
    /// A route or a rule of hbd's is gone.
    RouteGone,
}

/// Index, destination, prefix length, metric.
type RouteKey = (u32, IpAddr, u8, u32);

/// Links, addresses and connected routes as last heard.
#[derive(Debug, Default)]
pub(super) struct Network {
    links: BTreeMap<u32, Interface>,
    addresses: PresentAddresses,
    routes: BTreeSet<RouteKey>,
    pub(super) sourced: SourcedRoutes,
}

impl Network {
    pub(super) fn link(&self, index: u32) -> Option<&Interface> {
        self.links.get(&index)
    }

    pub(super) fn link_named(&self, name: &str) -> Option<&Interface> {
        self.links.values().find(|link| link.name == name)
    }

    /// Whether the address is on the interface, with whatever prefix.
    pub(super) fn has(&self, index: u32, address: IpAddr) -> bool {
        self.addresses.under(index, address).next().is_some()
    }

    /// The prefix length that the address has on the interface. An IPv6 address has exactly one there.
    pub(super) fn prefix_of(&self, index: u32, address: IpAddr) -> Option<u8> {
        self.addresses.under(index, address).next().map(|(&(_, _, prefix), _)| prefix)
    }

    /// Whether the address is on the interface with that prefix length.
    pub(super) fn has_prefix(&self, index: u32, address: IpAddr, prefix: u8) -> bool {
        self.addresses.under(index, address).any(|(&(_, _, found), _)| found == prefix)
    }

    /// The address on the interface with that prefix length.
    pub(super) fn present(&self, index: u32, address: IpAddr, prefix: u8) -> Option<&Present> {
        self.addresses.under(index, address).find(|((_, _, found), _)| *found == prefix).map(|(_, present)| present)
    }

    /// Whether the kernel has found the address on another machine, and does not use it.
    pub(super) fn is_duplicate(&self, index: u32, address: IpAddr) -> bool {
        self.addresses.under(index, address).any(|(_, present)| present.duplicate)
    }

    /// All MAC addresses of this machine.
    pub(super) fn is_own_mac(&self, mac: MacBytes) -> bool {
        self.links.values().any(|link| link.mac == Some(mac))
    }

    /// The MAC addresses of this machine, each once, those of interfaces in `first` before others. Not those of ports
    /// of bridges: a machine with containers has many, and answers on the bridge.
    pub(super) fn macs(&self, first: &[u32]) -> Vec<MacBytes> {
        let mut links: Vec<&Interface> = self.links.values().filter(|link| !link.bridged).collect();
        links.sort_by_key(|link| (!first.contains(&link.index), link.index));
        let mut macs = Vec::new();
        for mac in links.into_iter().filter_map(|link| link.mac) {
            if !macs.contains(&mac) {
                macs.push(mac);
            }
        }
        macs
    }

    /// The interfaces that have the address, loopback excepted (LVS real servers keep theirs on `lo`).
    pub(super) fn holders(&self, address: IpAddr) -> impl Iterator<Item = &Interface> {
        self.links.values().filter(move |link| !link.loopback && self.has(link.index, address))
    }

    /// The directly connected network that covers the address: on an interface that is up before one that is down,
    /// the most specific first, then the lowest metric, as the kernel would choose. `only` limits it to one
    /// interface.
    pub(super) fn covering(&self, address: IpAddr, only: Option<u32>) -> Option<Connected> {
        self.connected(address).filter(|candidate| only.is_none_or(|index| candidate.index == index)).min_by_key(
            |candidate| {
                let down = self.link(candidate.index).is_none_or(|link| !link.up);
                (down, u8::MAX - candidate.prefix, candidate.metric, candidate.index)
            },
        )
    }

    /// Whether adding `address/prefix` here must not create a route of its own: the network is reachable already,
    /// and, with IPv4, not by the kernel's own prefix route of another address.
    ///
    /// Where the kernel does keep that route for another IPv4 address of the same network, ours becomes its
    /// secondary and has no route anyway. It must then *not* be marked: when the host's own address goes (a DHCP
    /// renewal, a reconfiguration) ours is promoted, and with the mark the route would vanish and, with ours now
    /// primary, not come back with the host's address (verified on Linux 6.18). IPv6 knows no secondaries, and
    /// renewing a lease would give the host's route the lease's lifetime.
    pub(super) fn needs_no_prefix_route(&self, index: u32, address: IpAddr, prefix: u8) -> bool {
        let kernel_keeps_it = address.is_ipv4() && self.addresses.kernel_routes(index, address, prefix);
        let covered = self.connected(address).any(|other| other.index == index && other.prefix <= prefix);
        covered && !kernel_keeps_it
    }

    /// All connected networks that contain the address, except those that only the address itself makes.
    fn connected(&self, address: IpAddr) -> impl Iterator<Item = Connected> {
        let routes = self.routes.iter().filter_map(move |&(index, destination, prefix, metric)| {
            covers(destination, prefix, address).then_some(Connected { index, prefix, metric })
        });
        let addresses = self.addresses.networks_around(address);
        let usable = addresses.filter(|(index, _)| self.link(*index).is_some_and(|link| !link.loopback));
        let addresses = usable.map(|(index, prefix)| Connected { index, prefix, metric: u32::MAX });
        routes.chain(addresses)
    }

    /// Notes that the kernel has acknowledged an address of ours, ahead of its notification.
    pub(super) fn note_added(&mut self, key: AddressKey, present: Present) {
        self.addresses.insert(key, present);
    }

    /// Notes that the address is gone from the interface, ahead of the kernel's notification.
    pub(super) fn note_removed(&mut self, index: u32, address: IpAddr) {
        self.addresses.remove_all(index, address);
    }

    /// RTM_NEWLINK.
    pub(super) fn new_link(&mut self, message: &LinkMessage) -> Change {
        // A bridge reports its ports in its own family; those messages are not about the interface.
        if message.header.interface_family != AddressFamily::Unspec {
            return Change::Nothing;
        }
        let Some(link) = parse_link(message) else { return Change::Nothing };
        let index = link.index;
        match self.links.insert(index, link.clone()) {
            Some(old) if old.mac != link.mac || (!old.running && link.running) => Change::LinkFresh { index },
            Some(old) if old == link => Change::Nothing,
            _ => Change::LinkChanged,
        }
    }

    /// RTM_DELLINK.
    pub(super) fn del_link(&mut self, message: &LinkMessage) -> Change {
        if message.header.interface_family != AddressFamily::Unspec {
            return Change::Nothing;
        }
        let index = message.header.index;
        self.links.remove(&index);
        self.addresses.remove_interface(index);
        self.routes.retain(|&(on, ..)| on != index);
        Change::LinkGone { index }
    }

    /// RTM_NEWADDR.
    pub(super) fn new_address(&mut self, message: &AddressMessage) -> Change {
        let Some((key, present)) = parse_address(message) else { return Change::Nothing };
        let news = self.addresses.insert(key, present);
        if news { Change::AddressThere { address: key.1 } } else { Change::Nothing }
    }

    /// RTM_DELADDR.
    pub(super) fn del_address(&mut self, message: &AddressMessage) -> Change {
        let Some((key, _)) = parse_address(message) else { return Change::Nothing };
        self.addresses.remove(key);
        let (index, address, _) = key;
        Change::AddressGone { index, address }
    }

    /// RTM_NEWROUTE.
    pub(super) fn new_route(&mut self, message: &RouteMessage) {
        self.sourced.come(message);
        if let Some(key) = parse_route(message) {
            self.routes.insert(key);
        }
    }

    /// RTM_DELROUTE.
    pub(super) fn del_route(&mut self, message: &RouteMessage) {
        self.sourced.go(message);
        if let Some(key) = parse_route(message) {
            self.routes.remove(&key);
        }
    }
}

fn parse_link(message: &LinkMessage) -> Option<Interface> {
    let mut name = None;
    let mut mac = None;
    let mut bridged = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::LinkInfo(infos) => bridged = infos.iter().any(is_bridged),
            LinkAttribute::IfName(value) => name = Some(value.clone()),
            LinkAttribute::Address(value) => mac = MacBytes::try_from(value.as_slice()).ok(),
            _ => {}
        }
    }
    let flags = message.header.flags;
    let arp = message.header.link_layer_type == LinkLayerType::Ether && !flags.contains(LinkFlags::Noarp);
    Some(Interface {
        index: message.header.index,
        name: name?,
        mac: mac.filter(|_| arp),
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Running),
        loopback: flags.contains(LinkFlags::Loopback),
        bridged,
    })
}

/// Whether an interface is a port of a bridge, of the kernel's or of Open vSwitch.
fn is_bridged(info: &LinkInfo) -> bool {
    match info {
        LinkInfo::PortKind(InfoPortKind::Bridge) => true,
        LinkInfo::PortKind(InfoPortKind::Other(kind)) => kind == "openvswitch",
        _ => false,
    }
}

fn parse_address(message: &AddressMessage) -> Option<(AddressKey, Present)> {
    if !matches!(message.header.family, AddressFamily::Inet | AddressFamily::Inet6) {
        return None;
    }
    let mut local = None;
    let mut network = None;
    let mut flags = AddressFlags::empty();
    let (mut ours, mut label, mut metric) = (false, None, 0);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Label(value) => label = Some(value.clone()),
            AddressAttribute::RoutePriority(value) => metric = *value,
            AddressAttribute::Local(value) => local = Some(*value),
            AddressAttribute::Address(value) => network = Some(*value),
            AddressAttribute::Flags(value) => flags = *value,
            AddressAttribute::Protocol(value) => ours = *value == OURS,
            _ => {}
        }
    }
    let local = local.or(network)?;
    let prefix_route = !flags.contains(AddressFlags::Noprefixroute);
    let duplicate = flags.contains(AddressFlags::Dadfailed);
    let scope = if local.is_ipv4() { message.header.scope.into() } else { 0 };
    let network = network.unwrap_or(local);
    let present = Present { network, prefix_route, ours, duplicate, label, scope, metric };
    Some(((message.header.index, local, message.header.prefix_len), present))
}

/// Connected routes only: unicast, main table, without gateway, not the default route.
fn parse_route(message: &RouteMessage) -> Option<RouteKey> {
    let header = &message.header;
    let candidate = matches!(header.address_family, AddressFamily::Inet | AddressFamily::Inet6)
        && header.kind == RouteType::Unicast
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.destination_prefix_length > 0;
    if !candidate {
        return None;
    }
    let mut destination = None;
    let mut index = None;
    let mut metric = 0;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(value)) => destination = Some(IpAddr::V4(*value)),
            RouteAttribute::Destination(RouteAddress::Inet6(value)) => destination = Some(IpAddr::V6(*value)),
            RouteAttribute::Oif(value) => index = Some(*value),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => return None,
            _ => {}
        }
    }
    Some((index?, destination?, header.destination_prefix_length, metric))
}
