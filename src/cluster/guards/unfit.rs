//! What a node that has failed a group says of that to the other one: the field `hbd_unfit` (05 §4.3).
//!
//! Owns how it is said and heard. What counts as a failure, and what follows, is [`super::health`]'s.

use std::time::Duration;

use crate::cluster::core::Core;

impl Core {
    /// Keys of the groups that failed here, each with the seconds for which that counts: the field `hbd_unfit`.
    pub(in crate::cluster) fn unfit(&self) -> Option<String> {
        let now = self.now.monotonic;
        let list = self.groups.list().iter().enumerate();
        let unfit = list.filter_map(|(index, group)| {
            let until = self.health.unfit_until(index, &self.settings.health)?;
            let seconds = until.since(now).as_secs();
            (seconds > 0).then(|| format!("{} {seconds}", group.key))
        });
        let unfit: Vec<_> = unfit.collect();
        (!unfit.is_empty()).then(|| unfit.join(" "))
    }

    /// The peer's report says what it cannot serve. What it does not say is well again.
    pub(in crate::cluster) fn health_heard(&mut self, unfit: &[(String, Duration)]) {
        if !self.peer_kind().is_hbd() {
            return;
        }
        let now = self.now.monotonic;
        // Its groups are ours: whatever else is named can be no more than there are.
        let known = unfit.iter().take(self.groups.list().len());
        self.health.peer_unfit = known.map(|(key, time)| (key.clone(), now + *time)).collect();
    }
}
