//! The start of a daemon where another one has left something running.
//!
//! Owns the decision whether that is taken up or released. It is taken up only as long as no peer can have claimed
//! it; should the start be too slow for that, it ends in time for `hbd --release`.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use super::clock::moment;
use super::held::{self, Beat, BeatFile, Held};
use super::leaving::Leaving;
use super::release::left_over;
use super::runtime::runtime;
use super::stopped_units;
use crate::cluster::{Adoption, GroupSet, Instant, Set, Step};
use crate::config::{Child, Group, Resource, ResourceKind, UnitPolicies};
use crate::util::error::{FileError, error_chain};
use crate::vip;

/// Crashes longer ago than this are forgotten.
const MEMORY: Duration = Duration::from_secs(600);
/// What must be left of the peers' patience to say the first word.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How long a start waits for units to stop that are no longer served; they go on stopping beside it.
const STOPS_WITHIN: Duration = Duration::from_secs(10);
/// What must be left of the peers' patience after that.
const START_NEEDS: Duration = Duration::from_millis(1500);
/// How long before the peers lose patience a start that hangs ends, for its ExecStopPost= to release everything.
const RELEASE_NEEDS: Duration = Duration::from_millis(500);

/// What a start found.
#[derive(Debug)]
pub struct Inheritance {
    /// The open file for what we hold from now on.
    pub beat: BeatFile,
    /// What the predecessor held and no peer can have claimed.
    adopted: Adoption,
    /// Whether the core has begun.
    begun: Arc<AtomicBool>,
}

impl Inheritance {
    /// The core begins, with what is to be adopted: the start was fast enough.
    pub fn begin(&self) -> Adoption {
        self.begun.store(true, Ordering::SeqCst);
        self.adopted.clone()
    }

    /// What somebody had stopped by hand under the predecessor, of what is adopted and of what runs on both nodes.
    pub fn stopped(&self) -> Vec<(Step, Instant)> {
        self.adopted.stopped.clone()
    }
}

/// Looks at what the last daemon noted, releases what is not to be taken up, and notes that we may hold `groups`
/// and may run `children`. Where the peer cannot be told which groups are held, one that is held and has got another
/// preferred node keeps its old one.
///
/// # Errors
/// When that cannot be noted: a crash would leave everything running.
pub fn take_up(
    directory: &Path,
    groups: &mut [Group],
    children: &[Child],
    units: &UnitPolicies,
) -> Result<Inheritance, FileError> {
    let now = moment().monotonic.0;
    let before = Held::read(directory).unwrap_or_else(|error| {
        warn!("{}: what the last hbd left, if anything, may still run", error_chain(&error));
        None
    });
    let begun = Arc::new(AtomicBool::new(false));
    let mut adopted = Adoption::default();
    let mut kept = Vec::new();
    let mut leaving = Leaving::default();
    if before.is_some() {
        adopted.stopped = stopped_units::places(&stopped_units::read(directory), groups);
    }
    if let Some(before) = before {
        kept = before.kept.iter().copied().filter(|at| *at + MEMORY > now).collect();
        let beat = held::last_beat(directory);
        let left = beat.map_or(Duration::ZERO, |beat| beat.until.saturating_sub(now));
        let leave = match beat {
            Some(beat) if left > FIRST_WORD => {
                let stopped = adopted.stopped;
                adopted = Adoption { stopped, ..to_adopt(&before.groups, beat, groups, &present()) };
                if beat.classes_only {
                    keep_preferences(&before.groups, &mut adopted, groups);
                }
                end_in_time(left.saturating_sub(RELEASE_NEEDS), Arc::clone(&begun));
                left_over(&before.groups, groups)
            }
            _ => before.groups,
        };
        let mut leave = before.units.without_everywhere(leave);
        leave.extend(left_over(&before.leaving, groups));
        let gone: Vec<Child> = before.children.into_iter().filter(|child| !children.contains(child)).collect();
        if !leave.is_empty() || !gone.is_empty() {
            info!("Releasing what the last hbd left and nobody is to serve.");
            // What is adopted has to be told to the peers in time.
            let patience = (!adopted.held.is_none()).then(|| STOPS_WITHIN.min(left.saturating_sub(START_NEEDS)));
            leaving = Leaving::begin(leave, gone, units.clone(), patience);
        }
    }
    let held =
        Held { groups: groups.to_vec(), kept, children: children.to_vec(), units: units.clone(), ..Held::default() };
    leaving.note(directory, held).or_else(|error| note_of_predecessor(directory, error))?;
    Ok(Inheritance { beat: BeatFile::open(directory)?, adopted, begun })
}

/// What of `new` runs here, when the predecessor held `hold` of its groups `old`: a group of which something ran
/// here, whatever node it prefers by now, whose addresses are all `present`, and of which nothing may run on the
/// other node. An address that is not there has lost its lease, and somebody else may have it by now.
fn to_adopt(old: &[Group], beat: Beat, new: &[Group], present: &HashSet<IpAddr>) -> Adoption {
    let hold = beat.hold;
    let ran = |resource: &Resource| hold.iter().filter_map(|index| old.get(index)).any(|group| group.names(resource));
    let elsewhere = |resource: &Resource| !ran(resource) && old.iter().any(|group| group.names(resource));
    let lost = |resource: &Resource| match &resource.kind {
        ResourceKind::Address(address) => ran(resource) && !present.contains(&address.address),
        _ => false,
    };
    let fits = |resource: &Resource| !elsewhere(resource) && !lost(resource);
    let runs = |group: &Group| group.resources.iter().any(ran) && group.resources.iter().all(fits);
    let held = (0..new.len()).filter(|index| runs(&new[*index]));
    let held = GroupSet::new(held, hold.empty());
    let moved = held.iter().filter(|index| {
        let before = hold.iter().find(|before| old.get(*before).is_some_and(|group| group.shares(&new[*index])));
        before.is_some_and(|before| old[before].node != new[*index].node || beat.returns.has(before))
    });
    // Nothing of a group that is taken up.
    let is_taken_up = |group: &Group| held.iter().any(|index| new[index].shares(group));
    let not_taken_up = |places: GroupSet| {
        let before = |group: &Group| places.iter().filter_map(|place| old.get(place)).any(|old| old.shares(group));
        let left = |index: &usize| before(&new[*index]) && !is_taken_up(&new[*index]);
        GroupSet::new((0..new.len()).filter(left), Set::NONE)
    };
    let stopping = not_taken_up(beat.stopping);
    Adoption {
        held,
        moved: GroupSet::new(moved, Set::NONE),
        failback: beat.failback,
        assured_until: Some(Instant(beat.until)),
        peer_off: beat.peer_off,
        stopping,
        lapsed: not_taken_up(hold).without(stopping),
        stopped: Vec::new(),
    }
}

/// The addresses on this machine. None if the kernel does not say: then nothing is taken up.
fn present() -> HashSet<IpAddr> {
    let asked = runtime().map(|runtime| runtime.block_on(vip::present()));
    match asked {
        Ok(Ok(present)) => return present,
        Ok(Err(error)) => error!("{}", error_chain(&error)),
        Err(error) => error!("{}", error_chain(&error)),
    }
    HashSet::new()
}

/// A peer that understands Heartbeat's two classes only would take groups for others than they are if one changed its
/// class while it runs, wherever that is: such a group keeps its class until hbd is stopped and started.
fn keep_preferences(old: &[Group], adopted: &mut Adoption, new: &mut [Group]) {
    adopted.moved = GroupSet::NONE;
    for group in new {
        let Some(before) = old.iter().find(|before| before.shares(group)) else { continue };
        if before.node == group.node {
            continue;
        }
        warn!(
            "{} prefers node {} by haresources, and counts as {}'s while the peer is a Heartbeat, which has not read that: \
             to put it in force stop both, and start both (hbd-migration(7))",
            group.key, group.node, before.node
        );
        group.node = before.node.clone();
    }
}

/// With `/run` full, what the last daemon noted has to do: hbd serves the same groups, but for a change since.
fn note_of_predecessor(directory: &Path, error: FileError) -> Result<(), FileError> {
    if !matches!(Held::read(directory), Ok(Some(_))) {
        return Err(error);
    }
    warn!("{}: after a crash what the last hbd noted there is released or taken up", error_chain(&error));
    Ok(())
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

    fn group(node: &str, units: &[&str]) -> Group {
        let resource = |unit: &&str| Resource { word: (*unit).into(), kind: ResourceKind::Unit((*unit).into()) };
        let resources = units.iter().map(resource).collect();
        Group { node: node.into(), key: units[0].into(), resources, line: 1 }
    }

    #[test]
    fn groups_are_remembered_and_not_their_class() {
        let old = [group("nodea", &["a", "b"]), group("nodeb", &["c"])];
        let hold = GroupSet::new([0], Set::LOCAL);
        let beat = Beat { planned: true, ..beat(Duration::ZERO, hold) };
        let adopted = |new: &[Group]| to_adopt(&old, beat, new, &HashSet::new()).held.iter().collect::<Vec<_>>();
        assert_eq!(adopted(&old), [0]);
        assert_eq!(
            adopted(&[group("nodeb", &["c"]), group("nodeb", &["a", "b"])]),
            [1],
            "its node and place changed"
        );
        assert_eq!(adopted(&[group("nodea", &["a", "x"]), group("nodea", &["b"])]), [0, 1], "it was divided");
        assert_eq!(adopted(&[group("nodea", &["x", "a", "b"])]), [0], "it begins with something new");
        assert_eq!(adopted(&[group("nodea", &["a", "c"])]), [0; 0], "the other node may run a part of it");
        assert_eq!(adopted(&[group("nodea", &["c"]), group("nodea", &["x"])]), [0; 0], "nothing of it ran here");
    }

    #[test]
    fn what_was_stopping_goes_on_stopping_but_for_what_is_taken_up() {
        let old = [group("nodea", &["a", "b"]), group("nodea", &["c"])];
        let beat =
            Beat { stopping: GroupSet::new([1], Set::NONE), ..beat(Duration::ZERO, GroupSet::new([0], Set::NONE)) };
        let stopping = |new: &[Group]| to_adopt(&old, beat, new, &HashSet::new()).stopping.iter().collect::<Vec<_>>();
        assert_eq!(stopping(&old), [1]);
        assert_eq!(
            stopping(&[group("nodeb", &["c", "x"]), group("nodea", &["a", "b"])]),
            [0],
            "it has another place"
        );
        assert_eq!(stopping(&[group("nodea", &["a", "b"])]), [0; 0], "left_over() has it");
    }

    /// What a daemon that did not end as planned has noted.
    fn beat(until: Duration, hold: GroupSet) -> Beat {
        let (returns, stopping) = (GroupSet::NONE, GroupSet::NONE);
        let (planned, classes_only, failback, peer_off) = (false, false, false, false);
        Beat { until, hold, returns, planned, classes_only, failback, stopping, peer_off }
    }

    fn noted(left: i64, hold: GroupSet) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let now = moment().monotonic.0;
        let span = Duration::from_secs(left.unsigned_abs());
        let until = if left < 0 { now.saturating_sub(span) } else { now + span };
        Held { kept: vec![now], ..Held::default() }.write(directory.path()).unwrap();
        BeatFile::open(directory.path()).unwrap().write(beat(until, hold)).unwrap();
        directory
    }

    #[test]
    fn a_changed_preference_is_put_in_force_where_the_peer_can_be_told() {
        let old = [group("nodea", &["a", "b"])];
        let hold = GroupSet::new([0], Set::LOCAL);
        let beat = Beat { planned: true, ..beat(Duration::ZERO, hold) };
        let mut new = [group("nodeb", &["a", "b"])];
        let mut adopted = to_adopt(&old, beat, &new, &HashSet::new());
        assert_eq!((adopted.held.count(), adopted.moved.count()), (1, 1));
        let again = to_adopt(&new, Beat { returns: hold, ..beat }, &new, &HashSet::new());
        assert_eq!(again.moved.count(), 1, "a second restart does not forget it");
        keep_preferences(&old, &mut adopted, &mut new);
        assert_eq!((adopted.moved.count(), new[0].node.as_str()), (0, "nodea"));
    }

    /// A real Heartbeat has it, and calls it its own: it must not seem free.
    #[test]
    fn beside_a_heartbeat_a_group_that_it_has_keeps_its_preference_too() {
        let old = [group("nodea", &["a", "b"])];
        let mut new = [group("nodeb", &["a", "b"]), group("nodeb", &["c"])];
        let mut adopted = Adoption::default();
        keep_preferences(&old, &mut adopted, &mut new);
        assert_eq!(new.map(|group| group.node), ["nodea", "nodeb"]);
    }

    #[test]
    fn what_no_peer_can_have_claimed_is_taken_up() {
        let hold = GroupSet::new([], Set::LOCAL);
        let directory = noted(3600, hold);
        let succession = take_up(directory.path(), &mut [], &[], &UnitPolicies::default()).unwrap();
        assert_eq!(succession.begin().held, hold);
        assert_eq!(Held::read(directory.path()).unwrap().unwrap().kept.len(), 1, "its crashes are remembered");
    }

    #[test]
    fn what_a_peer_may_have_is_not() {
        let directory = noted(-1, GroupSet::new([], Set::ALL));
        assert_eq!(
            take_up(directory.path(), &mut [], &[], &UnitPolicies::default()).unwrap().begin(),
            Adoption::default()
        );
    }

    #[test]
    fn a_full_runtime_directory_ends_no_start_that_has_a_predecessor() {
        let directory = noted(3600, GroupSet::new([], Set::LOCAL));
        std::fs::create_dir(directory.path().join("held.new")).unwrap();
        let before = Held::read(directory.path()).unwrap();
        let inheritance = take_up(directory.path(), &mut [], &[], &UnitPolicies::default()).unwrap();
        assert_eq!(inheritance.begin().held, GroupSet::new([], Set::LOCAL));
        assert_eq!(Held::read(directory.path()).unwrap(), before);
        held::forget(directory.path()).unwrap();
        take_up(directory.path(), &mut [], &[], &UnitPolicies::default()).unwrap_err();
    }

    #[test]
    fn a_first_start_finds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            take_up(directory.path(), &mut [], &[], &UnitPolicies::default()).unwrap().begin(),
            Adoption::default()
        );
        assert!(Held::read(directory.path()).unwrap().is_some());
    }
}
