//! How groups share the nodes and the time of a takeover: what hbd.toml says beyond haresources.
//!
//! Owns the values. What follows from them is decided by the core. Groups are meant by their places in haresources.

use serde::{Deserialize, Serialize};

/// `together`, `apart`, `parallel_starts`, and `priority` of each group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arrangement {
    /// Groups that move together. No group is in two of them, and all of one prefer the same node.
    pub together: Vec<Vec<usize>>,
    /// Groups of which an operator brings no two to one node. All of one prefer different nodes.
    pub apart: Vec<Vec<usize>>,
    /// The higher, the sooner a group starts where a node takes several; 0 where hbd.toml says nothing, and past the
    /// end of the list.
    pub priority: Vec<i32>,
    /// How many groups start units at once, at least 1; `None` for all of them.
    pub parallel_starts: Option<usize>,
}

impl Arrangement {
    /// The groups below `count` in the order in which they start.
    pub fn order(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|group| std::cmp::Reverse(self.priority.get(*group).copied().unwrap_or_default()));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_priority_start_in_the_order_of_haresources() {
        let arrangement = Arrangement { priority: vec![0, -1, 5], ..Arrangement::default() };
        assert_eq!(arrangement.order(4), [2, 0, 3, 1]);
    }
}
