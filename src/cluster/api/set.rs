//! Who holds what, in the two classes that Heartbeat knows (03 §1): local groups are the speaker's own, foreign ones
//! the other node's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two classes, from the speaker's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Groups whose preferred node is the speaker.
    Local,
    /// All other groups.
    Foreign,
}

impl Class {
    /// Both classes.
    pub const BOTH: [Class; 2] = [Class::Local, Class::Foreign];

    /// The same groups as the other node calls them.
    pub fn swapped(self) -> Class {
        match self {
            Class::Local => Class::Foreign,
            Class::Foreign => Class::Local,
        }
    }
}

/// A set of classes: the value of `rsc_hold` (03 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Set {
    /// The speaker's own groups.
    pub local: bool,
    /// The other node's groups.
    pub foreign: bool,
}

impl Set {
    /// Nothing.
    pub const NONE: Set = Set { local: false, foreign: false };
    /// Own groups only.
    pub const LOCAL: Set = Set { local: true, foreign: false };
    /// The other node's groups only.
    pub const FOREIGN: Set = Set { local: false, foreign: true };
    /// Everything.
    pub const ALL: Set = Set { local: true, foreign: true };

    /// Whether `class` is in the set.
    pub fn has(self, class: Class) -> bool {
        match class {
            Class::Local => self.local,
            Class::Foreign => self.foreign,
        }
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Set) -> Set {
        Set { local: self.local || other.local, foreign: self.foreign || other.foreign }
    }

    /// This set less the other.
    #[must_use]
    pub fn without(self, other: Set) -> Set {
        Set { local: self.local && !other.local, foreign: self.foreign && !other.foreign }
    }

    /// What is in both.
    #[must_use]
    pub fn common(self, other: Set) -> Set {
        Set { local: self.local && other.local, foreign: self.foreign && other.foreign }
    }

    /// The same groups as the other node calls them.
    #[must_use]
    pub fn swapped(self) -> Set {
        Set { local: self.foreign, foreign: self.local }
    }

    /// The word of `rsc_hold`: exactly `none`, `local`, `foreign` or `all` (03 §3).
    pub fn parse(word: &str) -> Option<Set> {
        match word {
            "none" => Some(Set::NONE),
            "local" => Some(Set::LOCAL),
            "foreign" => Some(Set::FOREIGN),
            "all" => Some(Set::ALL),
            _ => None,
        }
    }

    /// The word of `rsc_hold`.
    pub fn word(self) -> &'static str {
        match (self.local, self.foreign) {
            (false, false) => "none",
            (true, false) => "local",
            (false, true) => "foreign",
            (true, true) => "all",
        }
    }
}

impl From<Class> for Set {
    fn from(class: Class) -> Set {
        match class {
            Class::Local => Set::LOCAL,
            Class::Foreign => Set::FOREIGN,
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_alike() {
        for word in ["none", "local", "foreign", "all"] {
            assert_eq!(Set::parse(word).unwrap().word(), word);
        }
        assert_eq!(Set::parse("All"), None);
    }

    #[test]
    fn the_other_node_swaps_the_classes() {
        assert_eq!(Set::LOCAL.swapped(), Set::FOREIGN);
        assert_eq!(Set::ALL.swapped(), Set::ALL);
        assert_eq!(Set::ALL.without(Set::LOCAL), Set::FOREIGN);
    }
}
