//! The kernel's notifications about links, addresses and routes, and the dumps they build on, over rtnetlink.
//! Listens and asks; never changes anything.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::{Stream, StreamExt, TryStreamExt};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use rtnetlink::sys::AsyncSocket;
use rtnetlink::{Handle, IpVersion, MulticastGroup, RouteMessageBuilder};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use tokio::task::JoinHandle;

use super::error::VipError;
use super::mark::PROTOCOL;
use super::network::{Change, Network};
use super::route_request::is_ours;

/// A dump that takes longer than this is given up; it takes milliseconds.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// Notifications handled before the thread looks at its commands again.
const CHUNK: usize = 256;

/// What the kernel told.
pub(super) enum KernelNotice {
    /// A link, address or route changed.
    Changed(Box<RouteNetlinkMessage>),
    /// Notifications were lost (ENOBUFS): only a new dump helps.
    Lost,
    /// A control message without news.
    Other,
}

/// The notification socket.
pub(super) struct Monitor {
    handle: Handle,
    notices: Box<dyn Stream<Item = Vec<KernelNotice>> + Send + Unpin>,
    reader: JoinHandle<()>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Monitor {
    /// Opens the socket and starts its reader on the current runtime.
    pub(super) fn open() -> Result<Monitor, VipError> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
        ];
        let (mut connection, handle, notices) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|source| VipError::Netlink { doing: "listen for changes", source })?;
        // Best effort: what does not fit is noticed as an overrun and answered with a new dump.
        let _ = set_socket_recv_buffer_size_force(connection.socket_mut().socket_mut(), 8 << 20);
        let reader = tokio::spawn(connection);
        let notices = notices.map(|(message, _)| match message.payload {
            NetlinkPayload::InnerMessage(message) => KernelNotice::Changed(Box::new(message)),
            NetlinkPayload::Overrun(_) => KernelNotice::Lost,
            _ => KernelNotice::Other,
        });
        Ok(Monitor { handle, notices: Box::new(notices.ready_chunks(CHUNK)), reader })
    }

    /// The next notifications, at least one; `None` when the socket broke. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Vec<KernelNotice>> {
        self.notices.next().await
    }

    /// Lists links, addresses and routes anew. Notifications that are still queued are applied afterwards and end in
    /// the same state.
    pub(super) async fn list(&self) -> Result<Network, VipError> {
        let listing = async {
            let mut network = Network::default();
            for link in links(&self.handle).await? {
                network.new_link(&link);
            }
            for address in addresses(&self.handle).await? {
                network.new_address(&address);
            }
            for route in routes(&self.handle).await? {
                network.new_route(&route);
            }
            Ok(network)
        };
        tokio::time::timeout(LIST_TIMEOUT, listing).await.unwrap_or(Err(VipError::ListTimeout(LIST_TIMEOUT)))
    }
}

impl Monitor {
    /// Lists the rules and routes that have hbd's mark.
    pub(super) async fn belongings(&self) -> Result<(Vec<RuleMessage>, Vec<RouteMessage>), VipError> {
        let listing = async {
            let mut listed = (rules(&self.handle).await?, routes(&self.handle).await?);
            listed.0.retain(|rule| rule.attributes.contains(&RuleAttribute::Protocol(PROTOCOL)));
            listed.1.retain(|route| route.header.protocol == PROTOCOL);
            Ok(listed)
        };
        tokio::time::timeout(LIST_TIMEOUT, listing).await.unwrap_or(Err(VipError::ListTimeout(LIST_TIMEOUT)))
    }
}

/// Applies one notification.
pub(super) fn apply(network: &mut Network, message: &RouteNetlinkMessage) -> Change {
    match message {
        RouteNetlinkMessage::NewLink(link) => return network.new_link(link),
        RouteNetlinkMessage::DelLink(link) => return network.del_link(link),
        RouteNetlinkMessage::NewAddress(address) => return network.new_address(address),
        RouteNetlinkMessage::DelAddress(address) => return network.del_address(address),
        RouteNetlinkMessage::NewRoute(route) => network.new_route(route),
        RouteNetlinkMessage::DelRoute(route) => {
            network.del_route(route);
            if is_ours(message) {
                return Change::RouteGone;
            }
        }
        RouteNetlinkMessage::DelRule(_) if is_ours(message) => return Change::RouteGone,
        _ => {}
    }
    Change::Nothing
}

/// All links.
pub(super) async fn links(handle: &Handle) -> Result<Vec<LinkMessage>, VipError> {
    let links = handle.link().get().execute().try_collect().await;
    links.map_err(|source| VipError::List { what: "links", source })
}

/// All addresses, in the kernel's order: a network's primary address before its secondaries.
pub(super) async fn addresses(handle: &Handle) -> Result<Vec<AddressMessage>, VipError> {
    let addresses = handle.address().get().execute().try_collect().await;
    addresses.map_err(|source| VipError::List { what: "addresses", source })
}

/// All routes of both families, in all tables.
pub(super) async fn routes(handle: &Handle) -> Result<Vec<RouteMessage>, VipError> {
    let families = [RouteMessageBuilder::<Ipv4Addr>::new().build(), RouteMessageBuilder::<Ipv6Addr>::new().build()];
    let mut all = Vec::new();
    for family in families {
        let routes: Result<Vec<_>, _> = handle.route().get(family).execute().try_collect().await;
        all.extend(routes.map_err(|source| VipError::List { what: "routes", source })?);
    }
    Ok(all)
}

/// All rules of both families.
pub(super) async fn rules(handle: &Handle) -> Result<Vec<RuleMessage>, VipError> {
    let mut all = Vec::new();
    for family in [IpVersion::V4, IpVersion::V6] {
        let rules: Result<Vec<_>, _> = handle.rule().get(family).execute().try_collect().await;
        match rules {
            Ok(rules) => all.extend(rules),
            // A kernel without IPv6 (ipv6.disable=1), or without rules, has none.
            Err(rtnetlink::Error::NetlinkError(answer))
                if answer.to_io().raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(source) => return Err(VipError::List { what: "rules", source }),
        }
    }
    Ok(all)
}
