//! The units that operators stopped by hand, noted for the program that comes after this one (docs/DECISIONS.md "A
//! unit stopped by hand").
//!
//! Owns `stopped.json` in RuntimeDirectory=, which is gone after a reboot and after a stop of hbd: what is started
//! then is started anew. Written on the core's thread when it changes, which is seldom, and a tmpfs never waits.
//! Never decides whether such a wish still counts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::warn;
use serde::{Deserialize, Serialize};

use super::clock::moment;
use crate::cluster::{Instant, Step};
use crate::config::Group;
use crate::util::clock::{microseconds, monotonic_usec};
use crate::util::error::{FileError, error_chain, failed};

/// A unit that somebody stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedUnit {
    /// Its name, with its suffix.
    pub unit: String,
    /// When that was asked for, CLOCK_BOOTTIME.
    pub at: Duration,
}

/// What was noted, and where.
#[derive(Debug)]
pub struct StoppedUnitsFile {
    path: PathBuf,
    noted: Vec<(Step, Instant)>,
}

fn file(directory: &Path) -> PathBuf {
    directory.join("stopped.json")
}

/// What the last daemon noted; nothing if it noted nothing, or nothing that can be read, which is said.
pub fn read(directory: &Path) -> Vec<StoppedUnit> {
    let path = file(directory);
    let read = match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from).map_err(failed("understand", &path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read", &path)(error)),
    };
    read.unwrap_or_else(|error| {
        warn!("{}: units that were stopped by hand before are started", error_chain(&error));
        Vec::new()
    })
}

/// What is noted counts no more.
///
/// # Errors
/// When the file cannot be removed.
pub fn forget(directory: &Path) -> Result<(), FileError> {
    let path = file(directory);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// The places of those units in these groups.
pub fn places(stopped: &[StoppedUnit], groups: &[Group]) -> Vec<(Step, Instant)> {
    let mut places = Vec::new();
    for (group, found) in groups.iter().enumerate() {
        for (resource, kind) in found.resources.iter().map(|resource| &resource.kind).enumerate() {
            let known = stopped.iter().find(|stopped| kind.unit() == Some(&*stopped.unit));
            places.extend(known.map(|stopped| (Step { group, resource }, Instant(stopped.at))));
        }
    }
    places
}

/// The units in these places, as the thread of the units is told: each with the moment, CLOCK_MONOTONIC in
/// microseconds.
pub fn for_watch(places: &[(Step, Instant)], groups: &[Group]) -> Vec<(String, u64)> {
    let now = moment().monotonic;
    let asked = |at: &Instant| monotonic_usec().saturating_sub(microseconds(now.since(*at)));
    units(places, groups).into_iter().map(|(unit, at)| (unit, asked(&at))).collect()
}

fn units(places: &[(Step, Instant)], groups: &[Group]) -> Vec<(String, Instant)> {
    let mut units: Vec<(String, Instant)> = Vec::new();
    for (step, at) in places {
        let resource = groups.get(step.group).and_then(|group| group.resources.get(step.resource));
        let Some(unit) = resource.and_then(|resource| resource.kind.unit()) else { continue };
        if !units.iter().any(|(known, _)| known == unit) {
            units.push((unit.to_owned(), *at));
        }
    }
    units
}

impl StoppedUnitsFile {
    /// What this daemon has taken up is there already. `noted`: in which places.
    pub fn new(directory: &Path, noted: Vec<(Step, Instant)>) -> StoppedUnitsFile {
        StoppedUnitsFile { path: file(directory), noted }
    }

    /// Notes what is stopped by hand in these groups now, if that is news. Where that fails the next hbd starts it,
    /// which is said.
    pub fn note(&mut self, stopped: Vec<(Step, Instant)>, groups: &[Group]) {
        if stopped == self.noted {
            return;
        }
        let list: Vec<StoppedUnit> =
            units(&stopped, groups).into_iter().map(|(unit, at)| StoppedUnit { unit, at: at.0 }).collect();
        self.noted = stopped;
        let new = self.path.with_extension("new");
        let text = serde_json::to_vec_pretty(&list).map_err(io::Error::from);
        let written = text.and_then(|text| fs::write(&new, text)).and_then(|()| fs::rename(&new, &self.path));
        if let Err(error) = written {
            warn!("cannot note which units were stopped by hand, so a restart of hbd starts them: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Resource, ResourceKind};

    fn groups() -> Vec<Group> {
        let resource = |unit: &&str| Resource { word: (*unit).into(), kind: ResourceKind::Unit((*unit).into()) };
        let group = |units: &[&str]| Group {
            node: "nodea".into(),
            key: units[0].into(),
            resources: units.iter().map(resource).collect(),
            line: 1,
        };
        vec![group(&["db.service"]), group(&["web.service", "db.service"])]
    }

    #[test]
    fn what_was_stopped_is_found_by_its_unit_where_the_groups_are_others() {
        let directory = tempfile::tempdir().unwrap();
        let mut units = StoppedUnitsFile::new(directory.path(), Vec::new());
        assert_eq!(read(directory.path()), []);
        let at = Instant(Duration::from_secs(5));
        units.note(vec![(Step { group: 1, resource: 0 }, at)], &groups());
        let known = read(directory.path());
        assert_eq!(known, [StoppedUnit { unit: "web.service".into(), at: at.0 }]);
        let others: Vec<Group> = groups().into_iter().rev().collect();
        assert_eq!(places(&known, &others), [(Step { group: 0, resource: 0 }, at)]);
        units.note(Vec::new(), &groups());
        assert_eq!(read(directory.path()), [], "it runs again");
    }

    #[test]
    fn a_unit_of_two_groups_is_noted_once_and_found_in_both() {
        let directory = tempfile::tempdir().unwrap();
        let at = Instant(Duration::from_secs(5));
        let both = vec![(Step { group: 0, resource: 0 }, at), (Step { group: 1, resource: 1 }, at)];
        StoppedUnitsFile::new(directory.path(), Vec::new()).note(both.clone(), &groups());
        let known = read(directory.path());
        assert_eq!(known.len(), 1);
        assert_eq!(places(&known, &groups()), both);
        assert_eq!(for_watch(&both, &groups()).len(), 1);
        forget(directory.path()).unwrap();
        forget(directory.path()).unwrap();
        assert_eq!(read(directory.path()), []);
    }

    #[test]
    fn what_cannot_be_understood_is_no_wish() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("stopped.json"), "oops").unwrap();
        assert_eq!(read(directory.path()), []);
    }
}
