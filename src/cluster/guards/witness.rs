//! The third vote (docs/protocol 05 §3.14).

use crate::cluster::WitnessNews;
use crate::cluster::core::Core;

impl Core {
    /// The witness has answered.
    pub(in crate::cluster) fn witness_said(&mut self, _number: u64, _news: WitnessNews) {}
}
