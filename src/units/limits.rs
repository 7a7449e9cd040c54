//! How long a unit may take: as long as `[units]` of hbd.toml says; if it says nothing, as usual, or as the unit's
//! own file says where that is longer.
//!
//! Owns what systemd tells of a unit's own limits (systemd.service(5), TimeoutStartSec= and TimeoutStopSec=). What a
//! service asks for while it starts or stops (EXTEND_TIMEOUT_USEC= of sd_notify(3)) is not to be seen from outside
//! and does not count.

use std::time::Duration;

use super::error::{UnitError, Verb};
use super::state::UnitState;
use super::systemd::Systemd;
use crate::config::UnitLimit;

/// What hbd waits beyond a unit's own limit: systemd's verdict names the reason, ours would not.
const VERDICT: Duration = Duration::from_secs(10);
/// systemd's word for a time without end, USEC_INFINITY.
const INFINITY: u64 = u64::MAX;

/// What a unit's own file says about how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnLimit {
    /// Then systemd ends it.
    Finite(Duration),
    /// For ever: the default of a start of a oneshot service, otherwise written by somebody.
    Infinite,
    /// A unit of this kind has none.
    Absent,
}

impl OwnLimit {
    fn of_microseconds(limit: u64) -> OwnLimit {
        // 0 is another word for infinity in older files.
        if limit == 0 || limit == INFINITY {
            OwnLimit::Infinite
        } else {
            OwnLimit::Finite(Duration::from_micros(limit))
        }
    }
}

/// The interface of org.freedesktop.systemd1(5) and its property that say how long a unit of this name may take.
fn property(unit: &str, verb: Verb) -> Option<(&'static str, &'static str)> {
    let (_, suffix) = unit.rsplit_once('.')?;
    match (suffix, verb) {
        ("service", Verb::Start) => Some(("org.freedesktop.systemd1.Service", "TimeoutStartUSec")),
        ("service", Verb::Stop) => Some(("org.freedesktop.systemd1.Service", "TimeoutStopUSec")),
        ("mount", _) => Some(("org.freedesktop.systemd1.Mount", "TimeoutUSec")),
        ("swap", _) => Some(("org.freedesktop.systemd1.Swap", "TimeoutUSec")),
        ("socket", _) => Some(("org.freedesktop.systemd1.Socket", "TimeoutUSec")),
        _ => None,
    }
}

impl Systemd {
    /// How long hbd waits for a unit: as long as hbd.toml says. If it says nothing: as long as usual, or as the
    /// unit's own limit says where that is longer and has an end. A unit that systemd does not tell of counts as one
    /// without a limit.
    pub async fn limit_for(&self, verb: Verb, unit: &str, ours: UnitLimit) -> Duration {
        if ours.written {
            return ours.time;
        }
        let own = async { self.own_limit(verb, &self.state(unit).await?).await };
        match own.await {
            Ok(OwnLimit::Finite(own)) if own > ours.time => own.saturating_add(VERDICT),
            _ => ours.time,
        }
    }

    /// The limit that a loaded unit has for itself.
    pub(super) async fn own_limit(&self, verb: Verb, state: &UnitState) -> Result<OwnLimit, UnitError> {
        let Some((interface, property)) = property(&state.name, verb) else { return Ok(OwnLimit::Absent) };
        let limit: u64 = self.read(&state.path, interface, property).await?;
        Ok(OwnLimit::of_microseconds(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_is_no_length_of_time() {
        assert_eq!(OwnLimit::of_microseconds(90_000_000), OwnLimit::Finite(Duration::from_secs(90)));
        assert_eq!(OwnLimit::of_microseconds(u64::MAX), OwnLimit::Infinite);
        assert_eq!(OwnLimit::of_microseconds(0), OwnLimit::Infinite);
    }

    #[test]
    fn each_kind_of_unit_has_its_own_property() {
        assert_eq!(property("db.service", Verb::Stop).map(|found| found.1), Some("TimeoutStopUSec"));
        assert_eq!(property("srv-data.mount", Verb::Start).map(|found| found.1), Some("TimeoutUSec"));
        assert_eq!(property("web.target", Verb::Start), None);
    }
}
