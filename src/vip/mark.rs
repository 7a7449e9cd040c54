//! The mark of what hbd puts into the kernel.

use netlink_packet_route::route::RouteProtocol;

/// 'H': the protocol of hbd's addresses, routes and rules.
pub(super) const MARK: u8 = 0x48;

/// The mark of routes and rules.
pub(super) const PROTOCOL: RouteProtocol = RouteProtocol::Other(MARK);
