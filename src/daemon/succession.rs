//! The start of a daemon where another one has left something running.
//!
//! Owns the decision whether that is taken up or released. It is taken up only as long as no peer can have claimed
//! it; should the start be too slow for that, it ends in time for `hbd --release`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use super::clock::moment;
use super::held::{self, BeatFile, Held};
use super::release::{left_over, release, stop_children};
use super::runtime::runtime;
use crate::cluster::Set;
use crate::config::{Child, Group, UnitPolicies};
use crate::util::error::{FileError, error_chain};

/// Crashes longer ago than this are forgotten.
const MEMORY: Duration = Duration::from_secs(600);
/// What must be left of the peers' patience to say the first word.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How long before the peers lose patience a start that hangs ends, for its ExecStopPost= to release everything.
const RELEASE_NEEDS: Duration = Duration::from_millis(500);

/// What a start found.
#[derive(Debug)]
pub struct Inheritance {
    /// The open file for what we hold from now on.
    pub beat: BeatFile,
    /// What the predecessor held and no peer can have claimed.
    adopted: Set,
    /// Whether the core has begun.
    begun: Arc<AtomicBool>,
}

impl Inheritance {
    /// The core begins, with what is to be adopted: the start was fast enough.
    pub fn begin(&self) -> Set {
        self.begun.store(true, Ordering::SeqCst);
        self.adopted
    }
}

/// Looks at what the last daemon noted, releases what is not to be taken up, and notes that we may hold `groups`
/// and may run `children`.
///
/// # Errors
/// When that cannot be noted: a crash would leave everything running.
pub fn take_up(
    directory: &Path,
    groups: &[Group],
    children: &[Child],
    units: &UnitPolicies,
) -> Result<Inheritance, FileError> {
    let now = moment().monotonic.0;
    let before = Held::read(directory).unwrap_or_else(|error| {
        warn!("{}: what the last hbd left, if anything, may still run", error_chain(&error));
        None
    });
    let begun = Arc::new(AtomicBool::new(false));
    let mut adopted = Set::NONE;
    let mut kept = Vec::new();
    if let Some(before) = before {
        kept = before.kept.iter().copied().filter(|at| *at + MEMORY > now).collect();
        let beat = held::last_beat(directory);
        let left = beat.map_or(Duration::ZERO, |beat| beat.until.saturating_sub(now));
        let leave = match beat {
            Some(beat) if left > FIRST_WORD => {
                adopted = beat.hold;
                end_in_time(left.saturating_sub(RELEASE_NEEDS), Arc::clone(&begun));
                left_over(&before.groups, groups)
            }
            _ => before.groups,
        };
        let leave = before.units.without_everywhere(leave);
        let gone: Vec<Child> = before.children.into_iter().filter(|child| !children.contains(child)).collect();
        if !leave.is_empty() || !gone.is_empty() {
            info!("Releasing what the last hbd left and nobody is to serve.");
            release_now(&leave, &gone, units);
        }
    }
    let held = Held { groups: groups.to_vec(), kept, children: children.to_vec(), units: units.clone() };
    held.write(directory)?;
    Ok(Inheritance { beat: BeatFile::open(directory)?, adopted, begun })
}

fn release_now(groups: &[Group], children: &[Child], units: &UnitPolicies) {
    match runtime() {
        Ok(runtime) => {
            let mut errors = runtime.block_on(release(groups, units));
            errors.extend(runtime.block_on(stop_children(children)));
            for error in errors {
                error!("{}", error_chain(&error));
            }
        }
        Err(error) => error!("{}", error_chain(&error)),
    }
}

/// A start that hangs must not keep what a peer is about to claim.
fn end_in_time(limit: Duration, begun: Arc<AtomicBool>) {
    let watch = move || {
        thread::sleep(limit);
        if !begun.load(Ordering::SeqCst) {
            error!("the start takes longer than the peers wait: ending, so that everything is released");
            log::logger().flush();
            std::process::exit(1);
        }
    };
    if let Err(error) = thread::Builder::new().name("succession".to_owned()).spawn(watch) {
        warn!("the start is not watched: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::held::Beat;

    fn noted(left: i64, hold: Set) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let now = moment().monotonic.0;
        let span = Duration::from_secs(left.unsigned_abs());
        let until = if left < 0 { now.saturating_sub(span) } else { now + span };
        Held { kept: vec![now], ..Held::default() }.write(directory.path()).unwrap();
        BeatFile::open(directory.path()).unwrap().write(Beat { until, hold, planned: false }).unwrap();
        directory
    }

    #[test]
    fn what_no_peer_can_have_claimed_is_taken_up() {
        let directory = noted(3600, Set::LOCAL);
        let succession = take_up(directory.path(), &[], &[], &UnitPolicies::default()).unwrap();
        assert_eq!(succession.begin(), Set::LOCAL);
        assert_eq!(Held::read(directory.path()).unwrap().unwrap().kept.len(), 1, "its crashes are remembered");
    }

    #[test]
    fn what_a_peer_may_have_is_not() {
        let directory = noted(-1, Set::ALL);
        assert_eq!(take_up(directory.path(), &[], &[], &UnitPolicies::default()).unwrap().begin(), Set::NONE);
    }

    #[test]
    fn a_first_start_finds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(take_up(directory.path(), &[], &[], &UnitPolicies::default()).unwrap().begin(), Set::NONE);
        assert!(Held::read(directory.path()).unwrap().is_some());
    }
}
