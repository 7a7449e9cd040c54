//! Names that are used twice in haresources, in one group or in several (03 §2.2).
//!
//! Owns which of these are mistakes. Changes no group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::context::LookupContext;
use super::filesystem;
use super::written::WrittenGroup;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::{Resource, ResourceKind, Transient};

/// Storage that one node at a time may write to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Storage {
    /// A device node.
    Device(String),
    /// The name of a DRBD resource.
    Drbd(String),
}

/// Reports names that are used twice, in one group or in several.
pub(super) fn check(found: &[WrittenGroup], context: &LookupContext<'_>, findings: &mut Findings) {
    let mut keys: BTreeMap<&str, &FileWord> = BTreeMap::new();
    for one in found {
        if let Some(word) = one.words.first() {
            keys.entry(&word.text).or_insert(word);
        }
    }
    let mut addresses: BTreeMap<IpAddr, (&FileWord, &str)> = BTreeMap::new();
    let mut storage: BTreeMap<Storage, (&FileWord, &str)> = BTreeMap::new();
    let mut units: BTreeMap<&str, &FileWord> = BTreeMap::new();
    for one in found {
        let mut own = BTreeSet::new();
        for (word, resource) in one.words.iter().zip(&one.group.resources) {
            if !own.insert(&word.text) {
                let message = format!("`{}` stands twice in one group", word.text);
                findings.warning(word, message, "name it once");
                continue;
            }
            if let Some(key) = keys.get(word.text.as_str()).filter(|key| !std::ptr::eq(**key, word)) {
                report_shared_key(word, key, findings);
                continue;
            }
            let node = one.group.node.as_str();
            if let Some(written) = one_writer(resource, one, context) {
                let first = *storage.entry(written.clone()).or_insert((word, node));
                if first.1 != node {
                    report_two_writers(word, first.0, &written, findings);
                    continue;
                }
            }
            let first = match &resource.kind {
                ResourceKind::Address(address) => {
                    let first = *addresses.entry(address.address).or_insert((word, node));
                    if first.1 != node {
                        report_two_owners(word, first.0, address.address, findings);
                        continue;
                    }
                    first.0
                }
                ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => {
                    *units.entry(unit).or_insert(word)
                }
            };
            if !std::ptr::eq(first, word) {
                report_shared_resource(word, first, &resource.kind, findings);
            }
        }
        warn_of_regular_expression(one, findings);
    }
}

/// The first resource of a line is the name of its group, so it must be unique in the file (03 §2.2).
fn report_shared_key(word: &FileWord, key: &FileWord, findings: &mut Findings) {
    findings.error(
        word,
        format!(
            "`{}` names the group in {}: a group's first resource must not stand in any other line",
            word.text,
            key.file_and_line()
        ),
        "give each group a first resource of its own, or make one group of both lines",
    );
}

/// The storage of a resource that only one node at a time may write to; `None` for other resources, and for a file
/// system of the network or of a cluster, with what lies below it.
fn one_writer(resource: &Resource, group: &WrittenGroup, context: &LookupContext<'_>) -> Option<Storage> {
    if let Some(mounted) = filesystem::mounted(resource, context) {
        let alone = mounted.device.starts_with("/dev/") && !mounted.is_of_cluster();
        return alone.then_some(Storage::Device(mounted.device));
    }
    let name = resource.word.strip_prefix("drbddisk::").or_else(|| resource.word.strip_prefix("drbdupper::"))?;
    let mut mounts = group.group.resources.iter().filter_map(|other| filesystem::mounted(other, context));
    let both = mounts.any(|mounted| mounted.is_of_cluster());
    (!both).then(|| Storage::Drbd(name.to_owned()))
}

/// Groups of different nodes run on both nodes at the same time, most of the time.
fn report_two_owners(word: &FileWord, first: &FileWord, address: IpAddr, findings: &mut Findings) {
    let message =
        format!("the address {address} is already in {}, in a group of the other node", first.file_and_line());
    findings.error(
        word,
        message,
        "put it into one group only: as it stands, both nodes would have it at the same time",
    );
}

fn report_two_writers(word: &FileWord, first: &FileWord, storage: &Storage, findings: &mut Findings) {
    let place = first.file_and_line();
    match storage {
        Storage::Device(device) => findings.error(
            word,
            format!("{device} is already mounted in {place}, in a group of the other node"),
            "put it into one group only: two nodes that mount it at the same time destroy it",
        ),
        // DRBD itself refuses to be primary twice where it was not told to be.
        Storage::Drbd(name) => findings.warning(
            word,
            format!("the DRBD resource {name} is already in {place}, in a group of the other node"),
            "put it into one group only, unless it may be primary on both nodes (allow-two-primaries): otherwise the \
             other group cannot start",
        ),
    }
}

fn report_shared_resource(word: &FileWord, first: &FileWord, kind: &ResourceKind, findings: &mut Findings) {
    let (message, help) = match kind {
        ResourceKind::Address(address) => (
            format!("the address {} is already in {}", address.address, first.file_and_line()),
            "put each address into one group only: each group adds and removes it on its own account",
        ),
        ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => (
            format!(
                "{unit} is already in {}: each group starts and stops it on its own account",
                first.file_and_line()
            ),
            "put each unit into one group only",
        ),
    };
    findings.warning(word, message, help);
}

/// Heartbeat's scripts use the name of a group as a regular expression (03 §2.2).
fn warn_of_regular_expression(found: &WrittenGroup, findings: &mut Findings) {
    if let Some(word) =
        found.words.first().filter(|word| word.text.contains(['+', '*', '?', '(', '[', '$', '^', '|']))
    {
        let message =
            format!("`{}` is a regular expression to Heartbeat's scripts and may not match itself", word.text);
        findings.warning(word, message, "begin the group with its address");
    }
}
