//! The witness: one key for the cluster, with a time limit, behind a network of its own.

use std::time::Duration;

use hbd::cluster::{Event, Outcome, Step, WitnessNews, WitnessOrder, WitnessStamp};

use super::{Happening, World};
use crate::node::{TTL, name, timing};

/// After this time an order that was not answered is said to have failed.
const LIMIT: Duration = Duration::from_secs(2);
/// A backup is at least so old when somebody restores it.
const BACKUP: Duration = Duration::from_secs(60);
/// While the nodes hear each other each of them has looked at it after this time, even if an answer was lost.
const SEEN: Duration = Duration::from_secs(35);
/// What a planned restart leaves of the peer's patience (src/daemon/beat.rs).
const STRETCH_MARGIN: Duration = Duration::from_secs(2);
/// The kernel removes an address at most so late.
const LATE: Duration = Duration::from_millis(300);

/// Who has the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owned {
    node: usize,
    /// The life and the number of the order by which it has it.
    order: (u64, u64),
    until: Duration,
}

/// An order on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub sent: Duration,
    pub number: u64,
    pub order: WitnessOrder,
    /// How far the witness had come when the node saw it last.
    pub since: Option<WitnessStamp>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Witness {
    key: Option<Owned>,
    revision: u64,
    /// It answers nobody until then, as while its members elect a leader.
    down_until: Duration,
    /// The nodes that cannot reach it.
    cut: [bool; 2],
    /// When it was restored from a backup.
    restored: Option<Duration>,
    /// When the nodes did not hear each other last.
    pub(super) parted: Duration,
    /// What it was, until when.
    past: Vec<(Duration, Option<Owned>, u64)>,
}

impl Witness {
    /// Whether a node can ask it.
    pub(super) fn reached_by(&self, node: usize, now: Duration) -> bool {
        !self.cut[node] && self.down_until <= now
    }

    /// Whether it was restored, and the nodes have not had the time to see while they heard each other that it is
    /// another one now.
    pub(super) fn is_forgetful(&self, now: Duration) -> bool {
        self.restored.is_some_and(|restored| now < self.parted.max(restored) + SEEN)
    }

    fn stamp(&self) -> WitnessStamp {
        WitnessStamp { cluster: 1, revision: self.revision }
    }

    fn changes(&mut self, now: Duration, key: Option<Owned>) {
        self.past.push((now, self.key, self.revision));
        self.revision += 1;
        self.key = key;
    }

    fn carry_out(&mut self, now: Duration, node: usize, life: u64, asked: Asked) -> WitnessNews {
        if self.key.is_some_and(|key| key.until <= now) {
            self.changes(now, None);
        }
        let number = (life, asked.number);
        let ours = Some(Owned { node, order: number, until: now + TTL });
        let forgot = asked.since.is_some_and(|since| !self.stamp().follows(since));
        match (asked.order, self.key) {
            _ if forgot => {}
            (WitnessOrder::Ask, None) => self.changes(now, ours),
            (WitnessOrder::Ask, Some(key)) if key.node == node => self.changes(now, ours),
            // The same lease, which is not older for that.
            (WitnessOrder::Renew, Some(key)) if key.node == node && key.order.0 == number.0 => {
                self.key = Some(Owned { until: now + TTL, ..key });
            }
            (WitnessOrder::Give, Some(key)) if key.node == node && key.order < number => self.changes(now, None),
            _ => {}
        }
        let stamp = self.stamp();
        match self.key {
            None => WitnessNews::Nobodys { stamp },
            Some(key) if key.node == node => WitnessNews::Ours { stamp },
            Some(key) => WitnessNews::Theirs { stamp, holder: name(key.node).to_owned() },
        }
    }
}

impl World {
    /// A node orders something. Requests and answers take their time, and get lost.
    pub(super) fn witness_ordered(&mut self, node: usize, asked: Asked) {
        let delay = Duration::from_micros(self.random.between(200, 40_000) * self.random.between(1, 8));
        self.push(delay, node, Happening::Ordered(asked));
    }

    /// The order reaches the witness, whatever has become of the node.
    pub(super) fn witness_asked(&mut self, node: usize, life: u64, asked: Asked) {
        let Asked { sent, number, order, .. } = asked;
        let (now, late) = (self.now, sent + LIMIT);
        let current = life == self.nodes[node].life;
        if !self.witness.reached_by(node, now) || self.random.below(50) == 0 {
            let fails = late.max(now) - now;
            if self.witness.down_until > now && self.witness.down_until < late && !self.witness.cut[node] {
                let wait = self.witness.down_until - now;
                self.push_for(life, wait, node, Happening::Ordered(asked));
            } else if current {
                let news = WitnessNews::Failed("simulated".to_owned());
                self.push(fails, node, Happening::Tells(Event::Witness { number, news }));
            }
            return;
        }
        let news = self.witness.carry_out(now, node, life, asked);
        self.tell(|| format!("the witness to {}: {order:?}: {news:?}", name(node)));
        if !current {
            return;
        }
        let lost = self.random.below(50) == 0;
        let delay = Duration::from_micros(self.random.between(200, 40_000) * self.random.between(1, 8));
        let (delay, news) = match lost || now + delay > late {
            true => (late.max(now) - now, WitnessNews::Failed("simulated".to_owned())),
            false => (delay, news),
        };
        self.push(delay, node, Happening::Tells(Event::Witness { number, news }));
    }

    /// The witness answers nobody for a while; the node with the key has it that much longer.
    pub(super) fn witness_down(&mut self, span: Duration) {
        self.witness.down_until = self.now + span;
        if let Some(key) = &mut self.witness.key {
            key.until = key.until.max(self.now + span + TTL);
        }
    }

    /// Somebody restores a backup of the witness; not where a node could not tell (docs/PROTECTION.md).
    pub(super) fn witness_restored(&mut self) {
        let Some(then) = self.now.checked_sub(BACKUP) else { return };
        let Some((_, key, revision)) = self.witness.past.iter().find(|(until, ..)| *until > then).copied() else {
            return;
        };
        if !self.nodes.iter().all(|node| node.has_seen_witness_beyond(revision)) {
            return;
        }
        self.tell(|| format!("** the witness is restored to revision {revision}"));
        self.witness.key = key.map(|key| Owned { until: self.now + TTL, ..key });
        self.witness.revision = revision;
        self.witness.restored = Some(self.now);
        self.witness.past.retain(|(until, ..)| *until <= then);
    }

    pub(super) fn witness_cut(&mut self, node: usize, cut: bool) {
        self.witness.cut[node] = cut;
    }

    pub(super) fn witness_mended(&mut self) {
        self.witness.cut = [false; 2];
        self.witness.down_until = self.now;
        // An outage that ends early has kept the key for no longer than that.
        if let Some(key) = &mut self.witness.key {
            key.until = key.until.min(self.now + TTL);
        }
    }

    /// A core says from when its leases run, by its clock. Lifetimes are whole seconds (src/vip/lease.rs).
    pub(super) fn leases_run(&mut self, node: usize, since: Duration) {
        let (deadtime, now) = (timing().deadtime, self.nodes[node].clock_at(self.now));
        let left = (since + deadtime).saturating_sub(now + LATE).min(deadtime - Duration::from_secs(1));
        if left.as_secs() == 0 {
            self.end_leases(node);
            return;
        }
        let late = Duration::from_millis(self.random.below(LATE.as_millis() as u64));
        let over = self.nodes[node].moment_of(now + Duration::from_secs(left.as_secs()) + late);
        self.nodes[node].leased_until = over;
        self.push(over - self.now, node, Happening::LeaseOver);
    }

    /// A daemon hands over: its addresses last for as long as nobody takes them (`stretch` in src/daemon/beat.rs),
    /// and no shorter than before.
    pub(super) fn leases_stretch(&mut self, node: usize, assured_for: Option<Duration>) {
        let lifetime = assured_for.unwrap_or_default().saturating_sub(STRETCH_MARGIN).as_secs();
        let clocks = &self.nodes[node];
        let over = clocks.moment_of(clocks.clock_at(self.now) + Duration::from_secs(lifetime));
        if over > self.nodes[node].leased_until && lifetime > 0 {
            self.nodes[node].leased_until = over;
            self.push(over - self.now, node, Happening::LeaseOver);
        }
    }

    /// src/vip adds an address unless its removal was ordered since, and no sooner than the core is heard.
    pub(super) fn address_added(&mut self, node: usize, group: usize, ordered: Duration) {
        let step = Step { group, resource: 0 };
        if self.nodes[node].units.address_due[group] != Some(ordered) {
            return;
        }
        if self.not_leased(node, step) {
            return self.push(Duration::from_millis(50), node, Happening::Added { group, ordered });
        }
        self.step_ends(node, step, Outcome::Started);
    }

    /// Whether this is an address, and the leases are over.
    pub(super) fn not_leased(&self, node: usize, step: Step) -> bool {
        self.cluster.witness && step.resource == 0 && self.nodes[node].leased_until <= self.now
    }

    /// What was not renewed in time is removed, also where the daemon does not run.
    pub(super) fn end_leases(&mut self, node: usize) {
        if self.now < self.nodes[node].leased_until {
            return;
        }
        let had = self.nodes[node].addresses();
        if had.is_empty() {
            return;
        }
        self.tell(|| format!("{}: the addresses have outlived their lease", name(node)));
        let stalled = self.nodes[node].stall.is_some();
        self.lease_ends(node);
        for group in had.into_iter().filter(|_| !stalled) {
            let step = Step { group, resource: 0 };
            self.push(
                Duration::from_millis(1),
                node,
                Happening::Tells(Event::Address { step, news: hbd::cluster::AddressNews::Expired }),
            );
        }
    }
}
