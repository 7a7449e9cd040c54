//! Watched addresses that are on this machine although nobody had them added: left by somebody, or added by hand.
//!
//! Only tells; the core decides what becomes of them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::command::VipReport;
use super::watches::Stray;
use super::worker::Worker;

/// The kernel's notification of an addition of ours may be read after we have removed the address again.
const ECHO: Duration = Duration::from_millis(200);

impl<R: Fn(VipReport)> Worker<R> {
    /// Compares what is here with what is held.
    pub(super) fn look_for_strays(&mut self, now: Instant) {
        let held_here: HashSet<IpAddr> = self.held.values().map(|held| held.place.address).collect();
        for (&id, (address, _)) in &self.watches.carriers {
            let held = held_here.contains(&address.address);
            let here = !held && self.network.holders(address.address).next().is_some();
            match (here, self.watches.strays.get(&id).copied()) {
                (true, None) => {
                    self.watches.strays.insert(id, Stray::Seen(now + ECHO));
                }
                (true, Some(Stray::Seen(at))) if at <= now => {
                    self.watches.strays.insert(id, Stray::Told);
                    (self.report)(VipReport::Found { id });
                }
                (false, Some(stray)) => {
                    self.watches.strays.remove(&id);
                    if stray == Stray::Told && !held {
                        (self.report)(VipReport::Absent { id });
                    }
                }
                _ => {}
            }
        }
    }
}
