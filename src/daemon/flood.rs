//! When the kernel is to drop packets before they reach us: a flood of what no node with our key sends now.
//!
//! Owns the counts that show a flood on one medium. In quiet times everything is received, whatever its source (01
//! §1.7): a peer may have several addresses, and its source address changes with them. In a flood, sources that have
//! sent a message that counts go first, and of the others a sample is taken, so that a peer with a new address is
//! found. A right digest alone proves nothing of its source: anybody can repeat a packet from any address. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Rejected packets a second from which on it is a flood.
const FLOOD: f64 = 2_000.0;
/// Packets a second that are taken from strangers in a flood.
const SAMPLE: f64 = 1_000.0;
/// How long packets are counted before it is judged.
const WINDOW: Duration = Duration::from_millis(100);
/// The same while the kernel drops some of them.
const SHIELDED_WINDOW: Duration = Duration::from_secs(1);
/// So many quiet windows in a row end it.
const QUIET_WINDOWS: u32 = 10;
/// Sources that are remembered as a peer's.
const KNOWN: usize = 8;

/// What the kernel is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum FloodOrder {
    /// Take all from these sources, and of the rest a share, 0 to 1.
    Shield {
        /// Sources from which something came that counts, the latest last.
        known: Vec<IpAddr>,
        /// Of the packets of all others.
        share: f64,
        /// Rejected packets a second.
        rate: f64,
        /// Where one of them came from.
        example: Option<IpAddr>,
        /// The flood has just begun.
        begins: bool,
    },
    /// Take everything again.
    Lift,
}

#[derive(Debug)]
struct Shielded {
    share: f64,
    quiet: u32,
    /// Something that counts came from a source that the kernel does not know yet.
    stale: bool,
}

/// The counts of one medium.
#[derive(Debug)]
pub struct FloodGauge {
    /// The source that is known before it has said anything: no other one displaces it.
    peer: Option<IpAddr>,
    known: Vec<IpAddr>,
    since: Instant,
    /// Rejected since then, from known sources and from strangers.
    rejected: u32,
    strangers: u32,
    example: Option<IpAddr>,
    shielded: Option<Shielded>,
}

impl FloodGauge {
    /// `peer`: see the field.
    pub fn new(peer: Option<IpAddr>, now: Instant) -> FloodGauge {
        let known = peer.into_iter().collect();
        FloodGauge { peer, known, since: now, rejected: 0, strangers: 0, example: None, shielded: None }
    }

    /// Whether something that counts came from there.
    pub fn knows(&self, source: IpAddr) -> bool {
        self.known.contains(&source)
    }

    /// A message with the right digest came from there; `counts`: it shows that its sender lives now. One that does
    /// not is as good as rejected, unless the source is known: each message of the peer comes on every link, and
    /// counts once.
    pub fn authentic(&mut self, source: IpAddr, counts: bool) {
        if self.known.last() == Some(&source) {
            return;
        }
        let new = !self.knows(source);
        if new && !counts {
            return self.rejected(source);
        }
        self.known.retain(|known| *known != source);
        if self.known.len() == KNOWN {
            // Who hears the peer can be quicker with a copy of what it says, from any address.
            let oldest = self.known.iter().position(|known| Some(*known) != self.peer);
            oldest.map(|oldest| self.known.remove(oldest));
        }
        self.known.push(source);
        if let Some(shielded) = self.shielded.as_mut().filter(|_| new) {
            shielded.stale = true;
        }
    }

    /// Something else came from there.
    pub fn rejected(&mut self, source: IpAddr) {
        self.rejected += 1;
        self.strangers += u32::from(!self.known.contains(&source));
        self.example = Some(source);
    }

    /// The socket was opened anew: nothing is dropped.
    pub fn reopened(&mut self) {
        self.shielded = None;
    }

    /// What is to be changed, after some packets and from time to time.
    pub fn judge(&mut self, now: Instant) -> Option<FloodOrder> {
        let window = if self.shielded.is_some() { SHIELDED_WINDOW } else { WINDOW };
        let elapsed = now.saturating_duration_since(self.since);
        let stale = self.shielded.as_ref().is_some_and(|shielded| shielded.stale);
        if elapsed < window && !stale {
            return None;
        }
        let seconds = elapsed.max(Duration::from_millis(1)).as_secs_f64();
        let share = self.shielded.as_ref().map_or(1.0, |shielded| shielded.share);
        let strangers = f64::from(self.strangers) / share / seconds;
        let rate = f64::from(self.rejected - self.strangers) / seconds + strangers;
        let example = self.example.take();
        (self.since, self.rejected, self.strangers) = (now, 0, 0);
        let begins = self.shielded.is_none();
        if begins && rate < FLOOD {
            return None;
        }
        let wanted = (SAMPLE / strangers.max(SAMPLE)).min(1.0);
        let Some(shielded) = &mut self.shielded else {
            self.shielded = Some(Shielded { share: wanted, quiet: 0, stale: false });
            return Some(self.order(wanted, rate, example, true));
        };
        shielded.quiet = if rate < FLOOD / 2.0 { shielded.quiet + 1 } else { 0 };
        if shielded.quiet >= QUIET_WINDOWS {
            self.shielded = None;
            return Some(FloodOrder::Lift);
        }
        let keeps = stale || shielded.quiet > 0 || (0.5..2.0).contains(&(wanted / shielded.share));
        let share = if keeps { shielded.share } else { wanted };
        let changes = shielded.stale || share != shielded.share;
        (shielded.share, shielded.stale) = (share, false);
        changes.then(|| self.order(share, rate, example, false))
    }

    fn order(&self, share: f64, rate: f64, example: Option<IpAddr>, begins: bool) -> FloodOrder {
        FloodOrder::Shield { known: self.known.clone(), share, rate, example, begins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));
    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    /// `count` packets from a source within so many milliseconds.
    fn pours(gauge: &mut FloodGauge, now: &mut Instant, source: IpAddr, count: u32, ms: u64) -> Option<FloodOrder> {
        (0..count).for_each(|_| gauge.rejected(source));
        *now += Duration::from_millis(ms);
        gauge.judge(*now)
    }

    #[test]
    fn a_few_wrong_packets_are_no_flood() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        for _ in 0..100 {
            assert_eq!(pours(&mut gauge, &mut now, STRANGER, 100, 100), None, "1,000 a second");
        }
    }

    #[test]
    fn in_a_flood_strangers_are_sampled_until_it_is_over() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        let Some(FloodOrder::Shield { known, share, begins: true, .. }) =
            pours(&mut gauge, &mut now, STRANGER, 8_000, 100)
        else {
            panic!("80,000 a second are a flood")
        };
        assert_eq!(known, [PEER]);
        assert!((0.012..0.013).contains(&share), "{share}");
        for _ in 0..30 {
            assert_eq!(pours(&mut gauge, &mut now, STRANGER, 1_000, 1_000), None, "it goes on");
        }
        let orders: Vec<_> = (0..10).filter_map(|_| pours(&mut gauge, &mut now, STRANGER, 3, 1_000)).collect();
        assert_eq!(orders, [FloodOrder::Lift]);
    }

    #[test]
    fn a_peer_that_speaks_from_another_address_is_let_in_at_once() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        pours(&mut gauge, &mut now, STRANGER, 8_000, 100).unwrap();
        gauge.authentic(OTHER, true);
        let Some(FloodOrder::Shield { known, begins: false, .. }) = gauge.judge(now) else { panic!("it is new") };
        assert_eq!(known, [PEER, OTHER]);
        gauge.authentic(PEER, true);
        assert_eq!(gauge.judge(now), None, "both are known");
    }

    #[test]
    fn who_signs_is_remembered_and_old_addresses_are_forgotten() {
        let now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        (1..=8).for_each(|host| gauge.authentic(IpAddr::from([10, 0, 1, host]), true));
        assert_eq!(gauge.known.len(), KNOWN);
        assert!(gauge.known.contains(&PEER), "repetitions of its packets from elsewhere do not displace it");
    }

    #[test]
    fn a_packet_that_is_repeated_is_a_flood_and_makes_nobody_known() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        (0..8_000).for_each(|_| gauge.authentic(STRANGER, false));
        now += Duration::from_millis(100);
        let Some(FloodOrder::Shield { known, share, .. }) = gauge.judge(now) else { panic!("it is a flood") };
        assert_eq!(known, [PEER]);
        assert!(share < 0.02, "{share}");
    }

    #[test]
    fn repetitions_from_many_addresses_displace_no_peer_that_ha_cf_does_not_name() {
        let mut gauge = FloodGauge::new(None, Instant::now());
        gauge.authentic(PEER, true);
        (1..=200).for_each(|host| gauge.authentic(IpAddr::from([10, 0, 1, host]), false));
        assert_eq!(gauge.known, [PEER]);
        // Somebody who hears the peer is quicker with copies than the peer itself.
        for host in 1..=200 {
            gauge.authentic(IpAddr::from([10, 0, 1, host]), true);
            gauge.authentic(PEER, false);
            assert!(gauge.knows(PEER), "its own packets keep it known");
        }
    }

    #[test]
    fn what_a_peer_says_on_a_second_link_once_more_is_no_flood() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(None, now);
        gauge.authentic(PEER, true);
        gauge.authentic(OTHER, true);
        (0..8_000).for_each(|_| gauge.authentic(PEER, false));
        now += Duration::from_millis(100);
        assert_eq!(gauge.judge(now), None);
    }

    #[test]
    fn a_flood_from_the_peers_own_address_makes_no_strangers() {
        let mut now = Instant::now();
        let mut gauge = FloodGauge::new(Some(PEER), now);
        let Some(FloodOrder::Shield { share, .. }) = pours(&mut gauge, &mut now, PEER, 8_000, 100) else {
            panic!("it is a flood")
        };
        assert!((share - 1.0).abs() < f64::EPSILON, "{share}");
    }
}
