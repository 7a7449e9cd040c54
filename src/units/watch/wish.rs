//! Units that somebody had stopped by hand before this daemon began.
//!
//! Owns what a predecessor's note of that means to the watch. Never tells the core, which has read the note itself.

use super::{Watch, Watched};
use crate::units::changes::News;
use crate::units::state::{ActiveState, UnitState};
use crate::units::systemd::Systemd;
use crate::util::clock::monotonic_usec;

impl Watched {
    /// The same, where somebody had stopped some of them, each at that moment: nobody has to be told again.
    pub(in crate::units) fn stopped_before(mut self, stopped: &[(String, u64)]) -> Self {
        for watch in &mut self.units {
            if let Some((_, asked)) = stopped.iter().find(|(unit, _)| *unit == watch.unit) {
                (watch.standing, watch.judged) = (Some(News::Stopped { asked: *asked }), monotonic_usec());
                watch.wish = Some(*asked);
            }
        }
        self
    }
}

impl Systemd {
    /// What a predecessor noted counts no more if somebody has started the unit since: that it failed is news.
    pub(super) async fn weigh_wish(&self, watch: &mut Watch, state: &UnitState) {
        let wish = watch.wish.take().filter(|_| state.active == ActiveState::Failed);
        if let Some(asked) = wish
            && self.details(state.path.clone()).await.is_ok_and(|details| details.rose > asked)
        {
            watch.standing = None;
        }
    }
}
