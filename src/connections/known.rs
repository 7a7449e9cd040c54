//! What the peer has told of its connections, and has not taken back by saying nothing more of them.
//!
//! Owns the bound. Never believes a connection with an address that is not to be tickled. Pure.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::connection::{ClientConnection, parse};

/// So many are told, and kept: some hundred kilobytes of messages in ten seconds.
pub(super) const MOST: usize = 8192;
/// What was not repeated for so long before the last message is over: three times the pause between two whole lists.
/// A peer that says nothing takes nothing back, because it may be dead.
const LASTING: Duration = Duration::from_secs(30);
/// Between two looks at what is over.
const TIDYING: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct KnownConnections {
    addresses: BTreeSet<IpAddr>,
    /// When each was told of last.
    told: HashMap<ClientConnection, Instant>,
    tidied: Instant,
}

impl KnownConnections {
    /// `addresses`: those of which connections are believed.
    pub(super) fn new(addresses: BTreeSet<IpAddr>, now: Instant) -> KnownConnections {
        KnownConnections { addresses, told: HashMap::new(), tidied: now }
    }

    /// The peer says this. Returns what it says of addresses that are here and not its own any more: that is not
    /// kept.
    pub(super) fn hear(&mut self, text: &str, here: impl Fn(IpAddr) -> bool, now: Instant) -> Vec<ClientConnection> {
        let mut late = Vec::new();
        for connection in parse(text) {
            let address = connection.local.ip();
            // Nobody but a program on the cluster's own machines connects from another of its addresses.
            if !self.addresses.contains(&address) || self.addresses.contains(&connection.client.ip()) {
                continue;
            }
            if here(address) {
                late.push(connection);
            } else if self.told.len() < MOST || self.told.contains_key(&connection) {
                self.told.insert(connection, now);
            }
        }
        if now.saturating_duration_since(self.tidied) >= TIDYING {
            self.tidied = now;
            self.told.retain(|_, told| now.saturating_duration_since(*told) < LASTING);
        }
        late
    }

    /// The connections with this address, which came here.
    pub(super) fn take(&mut self, address: IpAddr) -> Vec<ClientConnection> {
        let mut taken: Vec<ClientConnection> =
            self.told.keys().filter(|connection| connection.local.ip() == address).copied().collect();
        self.told.retain(|connection, _| connection.local.ip() != address);
        taken.sort_unstable();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::connection::tests::connection;
    use crate::connections::connection::texts;

    const VIP: &str = "192.0.2.1:80";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn known() -> (KnownConnections, Instant) {
        let now = Instant::now();
        (KnownConnections::new([address("192.0.2.1"), address("192.0.2.2")].into(), now), now)
    }

    #[test]
    fn what_is_told_is_known_until_the_address_comes() {
        let (mut known, now) = known();
        known.hear("@192.0.2.1:80 198.51.100.7:40000 @192.0.2.2:80 198.51.100.7:40001", |_| false, now);
        assert_eq!(known.take(address("192.0.2.1")), [connection(VIP, "198.51.100.7:40000")]);
        assert_eq!(known.take(address("192.0.2.1")), []);
        assert_eq!(known.take(address("192.0.2.2")).len(), 1);
    }

    #[test]
    fn addresses_that_are_not_to_be_tickled_are_not_believed() {
        let (mut known, now) = known();
        known.hear("@192.0.2.3:80 198.51.100.7:40000 @192.0.2.1:80 192.0.2.2:40000", |_| false, now);
        assert!(known.told.is_empty());
    }

    #[test]
    fn what_is_not_repeated_is_over_and_the_silence_of_the_dead_ends_nothing() {
        let (mut known, now) = known();
        known.hear("@192.0.2.1:80 198.51.100.7:40000 198.51.100.7:40001", |_| false, now);
        for seconds in [10, 20, 30, 40] {
            known.hear("@192.0.2.1:80 198.51.100.7:40001", |_| false, now + Duration::from_secs(seconds));
        }
        // An hour later.
        assert_eq!(known.take(address("192.0.2.1")), [connection(VIP, "198.51.100.7:40001")]);
    }

    #[test]
    fn a_peer_that_has_no_connection_any_more_says_so() {
        let (mut known, now) = known();
        known.hear("@192.0.2.1:80 198.51.100.7:40000", |_| false, now);
        known.hear(&texts(Vec::new())[0], |_| false, now + LASTING);
        assert_eq!(known.take(address("192.0.2.1")), []);
    }

    #[test]
    fn no_peer_fills_the_memory() {
        let (mut known, now) = known();
        let client = |index: u32| format!("198.51.{}.7:{}", index / 50_000, 10_000 + index % 50_000);
        let told = (0..2 * MOST as u32).map(|index| connection(VIP, &client(index))).collect();
        for text in texts(told) {
            known.hear(&text, |_| false, now);
        }
        assert_eq!(known.take(address("192.0.2.1")).len(), MOST);
    }

    #[test]
    fn what_is_told_of_an_address_that_is_here_is_not_kept() {
        let (mut known, now) = known();
        let late = known.hear("@192.0.2.1:80 198.51.100.7:40000", |address| address.is_ipv4(), now);
        assert_eq!(late, [connection(VIP, "198.51.100.7:40000")]);
        assert_eq!(known.take(address("192.0.2.1")), []);
    }
}
