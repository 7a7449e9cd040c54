//! Where an address goes: what haresources leaves open is taken from the network that covers the address (03 §2.4).
//! Pure: a [`Network`] and a wish in, a [`Placement`] or a clear error out.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::address::AddressScope;

use super::addresses::{AddressKey, Present, mask};
use super::error::VipError;
use super::network::Network;
use crate::config::{Address, AddressForm};

/// The kernel's limit for a label, without the terminating NUL (IFNAMSIZ − 1).
const LABEL_MAX: usize = 15;

/// Everything that RTM_NEWADDR needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
    pub(super) device: String,
    pub(super) index: u32,
    pub(super) broadcast: Option<Ipv4Addr>,
    pub(super) label: Option<String>,
    /// Whether the kernel may create a route for the prefix.
    pub(super) prefix_route: bool,
    /// Whether the kernel may choose it as the source of a connection.
    pub(super) preferred: bool,
    /// What hbd.toml says of its form, which counts before the rest.
    pub(super) form: AddressForm,
}

/// Where an address goes of which hbd.toml says nothing, or where it matters on which interface only.
pub(super) fn place(network: &Network, wanted: &Address) -> Result<Placement, VipError> {
    place_in_form(network, wanted, &AddressForm::default())
}

/// Decides interface, prefix, broadcast address and flags.
///
/// The interface is the one given, or that of the most specific directly connected network that covers the address.
/// The prefix is the one given, or that network's. The broadcast address is the one given, or the network's last
/// address; a /31, a /32 and IPv6 have none. There is no label unless one was given. The interface must be up. An
/// IPv6 address is not preferred. With a peer the prefix is the peer's, alone if none was given, and there is no
/// broadcast address unless one was given.
pub(super) fn place_in_form(network: &Network, wanted: &Address, form: &AddressForm) -> Result<Placement, VipError> {
    let address = wanted.address;
    match &wanted.label {
        Some(label) if address.is_ipv6() => return Err(VipError::NoLabel { address, label: label.clone() }),
        Some(label) if label.len() > LABEL_MAX => {
            return Err(VipError::LabelTooLong { address, label: label.clone() });
        }
        _ => {}
    }

    let (link, covering) = match &wanted.device {
        Some(device) => {
            let missing = || VipError::NoSuchInterface { address, device: device.clone() };
            let link = network.link_named(device).ok_or_else(missing)?;
            // Looked for only where it is asked: this is in the path of every takeover.
            let covering = wanted.prefix.is_none().then(|| network.covering(address, Some(link.index)));
            (link, covering.flatten())
        }
        None => {
            let covering = network.covering(address, None);
            let link = covering.and_then(|connected| network.link(connected.index));
            (link.ok_or(VipError::NoNetwork { address })?, covering)
        }
    };
    let device = link.name.clone();
    let alone = form.peer.map(|peer| if peer.is_ipv4() { 32 } else { 128 });
    let prefix = wanted.prefix.or(alone).or(covering.map(|connected| connected.prefix));
    let Some(prefix) = prefix else { return Err(VipError::NoPrefix { address, device }) };
    if !link.up {
        return Err(VipError::InterfaceDown { address, device });
    }

    Ok(Placement {
        address,
        prefix,
        index: link.index,
        broadcast: match address {
            IpAddr::V4(_) if form.peer.is_some() => wanted.broadcast,
            IpAddr::V4(address) => wanted.broadcast.or_else(|| last_address(address, prefix)),
            IpAddr::V6(_) => None,
        },
        label: wanted.label.clone().or_else(|| form.label.clone()),
        prefix_route: match form {
            AddressForm { no_prefix_route: true, .. } => false,
            AddressForm { metric: Some(_), .. } => true,
            _ => !network.needs_no_prefix_route(link.index, form.peer.unwrap_or(address), prefix),
        },
        preferred: address.is_ipv4(),
        device,
        form: form.clone(),
    })
}

impl Placement {
    /// How the kernel will tell of it once it is there.
    pub(super) fn as_present(&self) -> (AddressKey, Present) {
        let ipv4 = self.address.is_ipv4();
        let present = Present {
            network: self.form.peer.unwrap_or(self.address),
            prefix_route: self.prefix_route,
            ours: true,
            duplicate: false,
            label: ipv4.then(|| self.label.clone().unwrap_or_else(|| self.device.clone())),
            scope: self.scope(),
            metric: self.form.metric.unwrap_or_default(),
        };
        ((self.index, self.address, self.prefix), present)
    }

    /// The number of its scope.
    pub(super) fn scope(&self) -> u8 {
        self.form.scope.map_or(0, |scope| scope as u8)
    }

    /// What is there and is not as hbd.toml says, in the words of `ip address`. What it does not say may be anything.
    pub(super) fn difference(&self, present: &Present) -> Option<String> {
        let AddressForm { label, scope, metric, peer, no_prefix_route } = &self.form;
        let found = present.label.as_deref().unwrap_or("none");
        let mut other = Vec::new();
        if label.as_deref().is_some_and(|label| label != found) {
            other.push(format!("label {found}"));
        }
        if scope.is_some() && self.scope() != present.scope {
            let word = match present.scope {
                0 => "global".to_owned(),
                number => AddressScope::from(number).to_string(),
            };
            other.push(format!("scope {word}"));
        }
        if metric.is_some_and(|metric| metric != present.metric) {
            other.push(format!("metric {}", present.metric));
        }
        if peer.is_some_and(|peer| peer != present.network) {
            let alone = present.network == self.address;
            other.push(if alone { "no peer".to_owned() } else { format!("peer {}", present.network) });
        }
        if *no_prefix_route && present.prefix_route {
            other.push("a route of its network".to_owned());
        }
        (!other.is_empty()).then(|| other.join(", "))
    }
}

/// The broadcast address of the network; `None` for /31 and /32, which have none (and where the kernel would create a
/// broadcast route for every address).
fn last_address(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    (prefix <= 30).then(|| Ipv4Addr::from(u32::from(address) | !mask(prefix)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
    use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
    use netlink_packet_route::route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteScope, RouteType,
    };

    use super::*;

    fn link(index: u32, name: &str, up: bool) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = if up { LinkFlags::Up | LinkFlags::Running } else { LinkFlags::empty() };
        message.attributes =
            vec![LinkAttribute::IfName(name.to_string()), LinkAttribute::Address(vec![2, 0, 0, 0, 0, index as u8])];
        message
    }

    fn address(index: u32, local: &str, prefix: u8, flags: AddressFlags) -> AddressMessage {
        let local: IpAddr = local.parse().unwrap();
        let mut message = AddressMessage::default();
        message.header.family = if local.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.index = index;
        message.header.prefix_len = prefix;
        message.attributes =
            vec![AddressAttribute::Address(local), AddressAttribute::Local(local), AddressAttribute::Flags(flags)];
        message
    }

    fn route(index: u32, network: &str, prefix: u8, metric: u32) -> RouteMessage {
        let network: IpAddr = network.parse().unwrap();
        let mut message = RouteMessage::default();
        message.header.address_family = if network.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.kind = RouteType::Unicast;
        message.header.scope = RouteScope::Link;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.destination_prefix_length = prefix;
        message.attributes = vec![
            RouteAttribute::Destination(network.into()),
            RouteAttribute::Oif(index),
            RouteAttribute::Priority(metric),
        ];
        message
    }

    /// eth0 has 10.0.0.1/16 and 10.0.7.1/24, eth1 (down) has 10.9.0.1/24, eth2 has nothing.
    fn network() -> Network {
        let mut network = Network::default();
        network.new_link(&link(2, "eth0", true));
        network.new_link(&link(3, "eth1", false));
        network.new_link(&link(4, "eth2", true));
        network.new_address(&address(2, "10.0.0.1", 16, AddressFlags::empty()));
        network.new_address(&address(2, "10.0.7.1", 24, AddressFlags::empty()));
        network.new_address(&address(3, "10.9.0.1", 24, AddressFlags::empty()));
        network.new_route(&route(2, "10.0.0.0", 16, 0));
        network.new_route(&route(2, "10.0.7.0", 24, 0));
        network
    }

    fn wanted(address: &str) -> Address {
        Address { address: address.parse().unwrap(), prefix: None, device: None, label: None, broadcast: None }
    }

    fn on(address: &str, prefix: u8, device: &str) -> Address {
        Address { prefix: Some(prefix), device: Some(device.to_string()), ..wanted(address) }
    }

    #[test]
    fn the_most_specific_connected_network_gives_interface_prefix_and_broadcast() {
        let place = place(&network(), &wanted("10.0.7.100")).unwrap();
        assert_eq!((place.device.as_str(), place.index, place.prefix), ("eth0", 2, 24));
        assert_eq!(place.broadcast, Some(Ipv4Addr::new(10, 0, 7, 255)));
        assert_eq!(place.label, None);

        let wide = super::place(&network(), &wanted("10.0.9.100")).unwrap();
        assert_eq!((wide.prefix, wide.broadcast), (16, Some(Ipv4Addr::new(10, 0, 255, 255))));
    }

    #[test]
    fn what_is_given_is_kept() {
        let given = Address {
            broadcast: Some(Ipv4Addr::new(10, 0, 7, 7)),
            label: Some("eth0:web".into()),
            ..on("10.0.7.100", 29, "eth0")
        };
        let place = place(&network(), &given).unwrap();
        assert_eq!(place.prefix, 29);
        assert_eq!(place.broadcast, Some(Ipv4Addr::new(10, 0, 7, 7)));
        assert_eq!(place.label.as_deref(), Some("eth0:web"));
    }

    #[test]
    fn a_single_address_has_no_broadcast() {
        assert_eq!(place(&network(), &on("10.0.7.100", 32, "eth0")).unwrap().broadcast, None);
        assert_eq!(place(&network(), &on("10.0.7.100", 31, "eth0")).unwrap().broadcast, None);
    }

    #[test]
    fn of_two_interfaces_on_one_network_the_lower_metric_is_taken() {
        let mut network = network();
        network.new_route(&route(4, "10.5.0.0", 24, 100));
        network.new_route(&route(2, "10.5.0.0", 24, 200));
        assert_eq!(place(&network, &wanted("10.5.0.9")).unwrap().device, "eth2");
    }

    #[test]
    fn a_secondary_of_the_hosts_address_leaves_the_prefix_route_to_the_kernel() {
        assert!(place(&network(), &wanted("10.0.7.100")).unwrap().prefix_route);
    }

    #[test]
    fn a_narrower_network_of_its_own_makes_no_route() {
        assert!(!place(&network(), &on("10.0.9.100", 24, "eth0")).unwrap().prefix_route);
    }

    #[test]
    fn a_prefix_route_that_somebody_else_manages_is_not_touched() {
        let mut network = network();
        // As NetworkManager does it: the address without a prefix route, and the route on its own.
        network.new_address(&address(4, "10.6.0.1", 24, AddressFlags::Noprefixroute));
        network.new_route(&route(4, "10.6.0.0", 24, 100));
        assert!(!place(&network, &wanted("10.6.0.100")).unwrap().prefix_route);
    }

    #[test]
    fn an_address_on_a_bare_interface_makes_its_route() {
        assert!(place(&network(), &on("192.0.2.1", 24, "eth2")).unwrap().prefix_route);
    }

    #[test]
    fn its_own_leftover_does_not_count_as_a_network() {
        let mut network = network();
        network.new_address(&address(2, "10.0.7.100", 32, AddressFlags::empty()));
        assert_eq!(place(&network, &wanted("10.0.7.100")).unwrap().prefix, 24);
    }

    #[test]
    fn errors_name_the_interface_and_what_to_write() {
        let text = |wanted: &Address| place(&network(), wanted).unwrap_err().to_string();
        assert!(text(&on("10.0.7.100", 24, "eth7")).contains("interface eth7 does not exist"));
        assert!(text(&wanted("172.16.0.1")).contains("172.16.0.1/24/eth0"));
        assert!(text(&Address { prefix: None, ..on("172.16.0.1", 24, "eth2") }).contains("172.16.0.1/32/eth2"));
        assert!(text(&wanted("10.9.0.9")).contains("interface eth1 is down"));
        let label = Some("eth0:far-too-long".to_string());
        assert!(text(&Address { label, ..wanted("10.0.7.100") }).contains("at most 15"));
    }

    #[test]
    fn a_bridge_port_message_is_not_about_the_interface() {
        let mut network = network();
        let mut port = link(2, "eth0", true);
        port.header.interface_family = AddressFamily::Bridge;
        network.del_link(&port);
        assert!(network.link_named("eth0").is_some());
    }

    #[test]
    fn routes_through_a_gateway_do_not_count() {
        let mut network = network();
        let mut through = route(4, "172.16.0.0", 24, 0);
        through.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(10, 0, 0, 254))));
        network.new_route(&through);
        assert!(matches!(place(&network, &wanted("172.16.0.1")), Err(VipError::NoNetwork { .. })));
    }

    #[test]
    fn ipv6_has_neither_label_nor_broadcast_and_leaves_the_hosts_route_alone() {
        let mut network = network();
        network.new_address(&address(2, "2001:db8:7::1", 64, AddressFlags::empty()));
        network.new_route(&route(2, "2001:db8:7::", 64, 256));
        let placed = place(&network, &wanted("2001:db8:7::100")).unwrap();
        assert_eq!((placed.device.as_str(), placed.prefix, placed.broadcast), ("eth0", 64, None));
        assert!(!placed.prefix_route, "the host's route would get the lease's lifetime");
        assert!(place(&network, &on("2001:db8:9::1", 64, "eth2")).unwrap().prefix_route, "on a bare interface");
        let labelled = Address { label: Some("eth0:1".into()), ..wanted("2001:db8:7::100") };
        assert!(place(&network, &labelled).unwrap_err().to_string().contains("no label"));
        let nowhere = place(&network, &wanted("2001:db8:8::1")).unwrap_err().to_string();
        assert!(nowhere.contains("2001:db8:8::1/64/eth0"), "{nowhere}");
    }
}
