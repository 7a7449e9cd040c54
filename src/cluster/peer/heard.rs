//! What was heard of a node, whether it was believed or not (05 §3.12).
//!
//! Owns how that is said and read. Judges nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::Instant;

/// The field in which a node says what it has heard of the other one.
pub(super) const FIELD: &str = "hbd_heard";

/// Up to which number an incarnation was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct HeardUpTo {
    pub(super) generation: u64,
    pub(super) seq: u64,
}

/// What was heard of a node, believed or not: what it needs to know to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeardLives {
    /// Of the highest generation: repetitions of older ones do not change it.
    highest: HeardUpTo,
    /// Of the life that counts, where that is not the highest: the node had lost its generation.
    #[serde(default)]
    counting: Option<HeardUpTo>,
    /// Of another one that was heard last: the node may have lost its generation.
    latest: Option<HeardUpTo>,
}

impl HeardLives {
    /// A message came. `counting`: the generation of the node that counts.
    pub(super) fn note(&mut self, generation: u64, seq: u64, counting: u64) {
        let heard = HeardUpTo { generation, seq };
        // Repetitions of other lives do not hide the one that counts, which waits to be told.
        if self.counting.is_none_or(|known| known.generation != counting) {
            let known = self.latest.filter(|latest| latest.generation == counting);
            self.counting = known.filter(|known| known.generation < self.highest.generation);
        }
        let slot = match generation {
            _ if generation >= self.highest.generation => {
                self.highest = heard.max(self.highest);
                return;
            }
            _ if generation == counting => &mut self.counting,
            _ => &mut self.latest,
        };
        *slot = slot.filter(|known| known.generation == generation).max(Some(heard));
    }

    /// Whether a message of this number would change what is said of the highest generation.
    pub(super) fn is_behind(&self, generation: u64, seq: u64) -> bool {
        HeardUpTo { generation, seq } > self.highest
    }

    /// Reads the field: pairs of generation and number, lower-case hexadecimal; what is malformed is left out.
    pub(super) fn parse(text: &str) -> Vec<HeardUpTo> {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let pair = |pair: &[&str]| Some(HeardUpTo { generation: number(pair[0])?, seq: number(pair[1])? });
        words.chunks_exact(2).filter_map(pair).collect()
    }
}

impl fmt::Display for HeardUpTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x} {:x}", self.generation, self.seq)
    }
}

impl fmt::Display for HeardLives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.highest.fmt(f)?;
        let latest = self.latest.filter(|latest| self.counting.is_none_or(|c| c.generation != latest.generation));
        self.counting.into_iter().chain(latest).try_for_each(|heard| write!(f, " {heard}"))
    }
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doubt {
    /// Its sender does not know this daemon: it does not hear us, or the message is older than our start.
    Unaware,
    /// Its generation is lower than one that was heard.
    LowerGeneration(u64),
}

/// A node is heard, and nothing that it says is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubted {
    /// Why.
    pub doubt: Doubt,
    /// Since when.
    pub since: Instant,
    /// When it was heard last.
    pub at: Instant,
    /// When it was told last which life of ours this is.
    pub(super) told: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_generation_does_not_hide_the_highest() {
        let mut heard = HeardLives::default();
        assert_eq!(heard.to_string(), "0 0");
        heard.note(7, 20, 7);
        heard.note(7, 18, 7);
        assert_eq!(heard.to_string(), "7 14");
        heard.note(5, 3, 7);
        heard.note(5, 2, 7);
        assert_eq!(heard.to_string(), "7 14 5 3");
        heard.note(6, 1, 7);
        assert_eq!(heard.to_string(), "7 14 6 1");
        heard.note(8, 1, 8);
        assert_eq!(HeardLives::parse(&heard.to_string())[0], HeardUpTo { generation: 8, seq: 1 });
    }

    #[test]
    fn no_repetition_hides_the_life_that_counts_of_a_node_that_lost_its_generation() {
        let mut heard = HeardLives::default();
        heard.note(7, 20, 7);
        heard.note(2, 3, 7);
        heard.note(2, 4, 2);
        assert_eq!(heard.to_string(), "7 14 2 4");
        heard.note(1, 9, 2);
        heard.note(7, 18, 2);
        assert_eq!(heard.to_string(), "7 14 2 4 1 9");
        heard.note(2, 10, 2);
        assert_eq!(heard.to_string(), "7 14 2 a 1 9");
    }

    #[test]
    fn a_malformed_field_names_nothing() {
        assert_eq!(HeardLives::parse("7"), []);
        assert_eq!(HeardLives::parse("x y 7 14"), [HeardUpTo { generation: 7, seq: 20 }]);
    }
}
