//! Whether this node can hear anybody at all.
//!
//! Owns what each of our links can do. A node that sends and hears nothing, because another program has its port, has
//! learned nothing from the silence: the others hear it, so none of them has taken anything from it, and to declare
//! them dead would make two owners (docs/DECISIONS.md "A port that another program has").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::core::Core;
use crate::cluster::{Instant, LinkAbility};

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct Hearing {
    /// Links that cannot do everything, by their number in the settings.
    impaired: BTreeMap<usize, LinkAbility>,
    /// When we could hear again, after a time in which we could only send.
    since: Option<Instant>,
}

impl Core {
    /// What a link can do has changed.
    pub(in crate::cluster) fn link_ability(&mut self, link: usize, ability: LinkAbility) {
        let deaf = self.hears_nothing();
        match ability {
            LinkAbility::Whole => drop(self.hearing.impaired.remove(&link)),
            impaired => drop(self.hearing.impaired.insert(link, impaired)),
        }
        if deaf && !self.hears_nothing() {
            self.hearing.since = Some(self.now.monotonic);
        }
    }

    /// Whether we are heard, perhaps, and hear nobody: there is no link that receives, and one that sends.
    pub(in crate::cluster) fn hears_nothing(&self) -> bool {
        let impaired = &self.hearing.impaired;
        (0..self.settings.links.len()).all(|link| impaired.contains_key(&link))
            && impaired.values().any(|ability| *ability == LinkAbility::SendOnly)
    }

    /// Nobody was silent before that, as far as we know.
    pub(in crate::cluster) fn hearing_since(&self) -> Option<Instant> {
        self.hearing.since
    }
}
