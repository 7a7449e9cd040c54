//! Floods of packets without a key, at any moment of a schedule.

use crate::schedule::{Fault, Kind, Schedule, Stage};
use hbd::util::random::SplitMix64;

impl Schedule {
    /// In every sixth pair of hbd nodes strangers flood one of them, or one after the other.
    pub fn add_floods(&mut self) {
        let mut random = SplitMix64::new(self.seed ^ 0x0f10_0d00);
        if self.cluster.nodes != [Kind::Hbd; 2] || random.below(6) != 0 {
            return;
        }
        for _ in 0..random.between(1, 4) {
            let at = random.between(2, self.stages.len() as u64) as usize;
            let (for_ms, behind_ms) = (random.between(100, 20_000), random.between(1, 400));
            let fault = Fault::Flood { node: random.below(2) as usize, for_ms, behind_ms };
            self.stages.insert(at, Stage { pause_ms: random.below(10_000), fault });
        }
    }
}
