//! The cables: which link carries packets in which direction, and what it loses, doubles or delays.

use std::time::Duration;

use crate::schedule::{Cluster, Way};
use hbd::util::random::SplitMix64;

/// All links between all nodes.
#[derive(Debug)]
pub struct Wire {
    nodes: usize,
    links: usize,
    /// By link, sender, receiver.
    cut: Vec<bool>,
    /// Percent of the packets that get lost, arrive twice, are overtaken.
    loss: u64,
    duplicated: u64,
    reordered: u64,
}

impl Wire {
    pub fn new(cluster: &Cluster) -> Self {
        let nodes = cluster.nodes.len();
        Wire {
            nodes,
            links: cluster.links,
            cut: vec![false; cluster.links * nodes * nodes],
            loss: cluster.loss,
            duplicated: cluster.duplicated,
            reordered: cluster.reordered,
        }
    }

    fn index(&self, link: usize, from: usize, to: usize) -> usize {
        (link * self.nodes + from) * self.nodes + to
    }

    /// Cuts one link or all, for one node or all.
    pub fn cut(&mut self, link: Option<usize>, node: usize, way: Way) {
        for at in (0..self.links).filter(|at| link.is_none_or(|link| link == *at)) {
            for other in 0..self.nodes {
                let (out, back) = (self.index(at, node, other), self.index(at, other, node));
                self.cut[out] |= way != Way::In;
                self.cut[back] |= way != Way::Out;
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.fill(false);
    }

    /// No packet is lost, doubled or overtaken any more.
    pub fn mend(&mut self) {
        (self.loss, self.duplicated, self.reordered) = (0, 0, 0);
    }

    pub fn carries(&self, link: usize, from: usize, to: usize) -> bool {
        !self.cut[self.index(link, from, to)]
    }

    /// Whether any two nodes hear each other in both directions.
    pub fn whole(&self) -> bool {
        let hears = |from: usize, to: usize| from == to || (0..self.links).any(|link| self.carries(link, from, to));
        (0..self.nodes).all(|from| (0..self.nodes).all(|to| hears(from, to)))
    }

    /// Whether no node hears any other.
    pub fn silent(&self) -> bool {
        self.cut.iter().enumerate().all(|(at, cut)| *cut || at / self.nodes % self.nodes == at % self.nodes)
    }

    /// When the copies of one packet arrive: link and delay.
    pub fn deliveries(&self, from: usize, to: usize, random: &mut SplitMix64) -> Vec<(usize, Duration)> {
        let mut deliveries = Vec::new();
        for link in (0..self.links).filter(|link| self.carries(*link, from, to)) {
            if random.below(100) < self.loss {
                continue;
            }
            let late = if random.below(100) < self.reordered { random.between(3_000, 600_000) } else { 0 };
            deliveries.push((link, Duration::from_micros(random.between(50, 3_000) + late)));
            if random.below(100) < self.duplicated {
                deliveries.push((link, Duration::from_micros(random.between(50, 1_500_000))));
            }
        }
        deliveries
    }
}
