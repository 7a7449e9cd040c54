//! A set of groups: what a node holds, what moves, what conflicts.
//!
//! Heartbeat knows sets of two classes only ([`super::set::Set`], 03 §1), and speaks of a class that has no group as
//! well. Therefore a [`GroupSet`] has both: groups one by one, and those classes without a group that are in it.
//! Which group is of which class only [`crate::cluster::ownership::groups`] knows; this module owns what is the same
//! for all sets.

use serde::{Deserialize, Serialize};

use super::set::Set;
pub use crate::config::MAX_GROUPS;

const WORDS: usize = MAX_GROUPS / 64;

/// See the module. Groups are told apart by their place in haresources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupSet {
    words: [u64; WORDS],
    /// The classes in the set that have no group.
    empty: Set,
}

impl GroupSet {
    /// Nothing.
    pub const NONE: GroupSet = GroupSet { words: [0; WORDS], empty: Set::NONE };

    /// These groups, and these classes that have no group.
    ///
    /// # Panics
    /// With a group that is not below [`MAX_GROUPS`]; haresources is refused before.
    pub fn new(groups: impl IntoIterator<Item = usize>, empty: Set) -> GroupSet {
        let mut set = GroupSet { empty, ..GroupSet::NONE };
        for group in groups {
            set.words[group / 64] |= 1 << (group % 64);
        }
        set
    }

    /// This group alone.
    ///
    /// # Panics
    /// As [`GroupSet::new`].
    pub fn one(group: usize) -> GroupSet {
        GroupSet::new([group], Set::NONE)
    }

    /// Whether nothing is in it.
    pub fn is_none(self) -> bool {
        self == GroupSet::NONE
    }

    /// Whether the group is in it.
    pub fn has(self, group: usize) -> bool {
        self.words.get(group / 64).is_some_and(|word| word & (1 << (group % 64)) != 0)
    }

    /// The classes in the set that have no group.
    pub fn empty(self) -> Set {
        self.empty
    }

    /// The groups in the set, in the order of haresources.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..WORDS).flat_map(move |word| {
            let rest = |bits: &u64| Some(bits & (bits - 1)).filter(|rest| *rest != 0);
            let words = std::iter::successors(Some(self.words[word]).filter(|bits| *bits != 0), rest);
            words.map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    /// How many groups are in it.
    pub fn count(self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: GroupSet) -> GroupSet {
        self.join(other, |one, other| one | other, self.empty.with(other.empty))
    }

    /// This set less the other.
    #[must_use]
    pub fn without(self, other: GroupSet) -> GroupSet {
        self.join(other, |one, other| one & !other, self.empty.without(other.empty))
    }

    /// What is in both.
    #[must_use]
    pub fn common(self, other: GroupSet) -> GroupSet {
        self.join(other, |one, other| one & other, self.empty.common(other.empty))
    }

    /// The set as text of always the same length, for [`GroupSet::parse`].
    pub fn text(self) -> String {
        let digits: String = self.words.iter().map(|word| format!("{word:016x}")).collect();
        format!("{digits}:{:<7}", self.empty.word())
    }

    /// Reads what [`GroupSet::text`] made; `None` if `text` is not that.
    pub fn parse(text: &str) -> Option<GroupSet> {
        let (digits, empty) = text.split_once(':')?;
        let mut set = GroupSet { empty: Set::parse(empty.trim_end())?, ..GroupSet::NONE };
        for (index, word) in set.words.iter_mut().enumerate() {
            *word = u64::from_str_radix(digits.get(index * 16..(index + 1) * 16)?, 16).ok()?;
        }
        Some(set)
    }

    fn join(self, other: GroupSet, join: impl Fn(u64, u64) -> u64, empty: Set) -> GroupSet {
        GroupSet { words: std::array::from_fn(|index| join(self.words[index], other.words[index])), empty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_empty_classes_are_joined_alike() {
        let one = GroupSet::new([0, 64, MAX_GROUPS - 1], Set::LOCAL);
        let other = GroupSet::new([64, 65], Set::ALL);
        assert_eq!(one.common(other), GroupSet::new([64], Set::LOCAL));
        assert_eq!(one.without(other), GroupSet::new([0, MAX_GROUPS - 1], Set::NONE));
        assert_eq!(one.with(other).count(), 4);
        assert_eq!(one.iter().collect::<Vec<_>>(), [0, 64, MAX_GROUPS - 1]);
        assert_eq!(GroupSet::parse(&one.text()), Some(one));
        assert_eq!(one.text().len(), GroupSet::NONE.text().len());
        assert_eq!(GroupSet::parse("0:none"), None);
        assert!(!one.has(MAX_GROUPS) && one.without(one).is_none());
    }
}
