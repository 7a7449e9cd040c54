//! When the core's thread lets others run although packets wait.
//!
//! Owns since when it has not waited. Its priority is realtime, and the threads that carry its decisions out are not:
//! on a machine with one processor a flood would keep them from running.

use std::time::Duration;

use crate::cluster::Instant;

/// Busy for so long, the thread sleeps.
const BUSY_LIMIT: Duration = Duration::from_millis(8);
/// For so long. What arrives meanwhile finds space in the receive buffers.
const REST: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rest(Option<Instant>);

impl Rest {
    /// Between two busy turns.
    pub async fn take(&mut self, now: Instant) {
        let since = *self.0.get_or_insert(now);
        if now.since(since) < BUSY_LIMIT {
            // The runtime looks at its sockets and timers.
            tokio::task::yield_now().await;
        } else {
            self.0 = None;
            tokio::time::sleep(REST).await;
        }
    }
}
