//! `hbctl check-health`: the status as a plugin of Nagios prints it.
//!
//! Owns which troubles are critical. What is wrong is [`crate::bus::troubles`]'s to say.

use std::fmt::Write;
use std::process::ExitCode;

use super::error::CliError;
use crate::bus::troubles::troubles;
use crate::bus::{GroupSnapshot, Snapshot};
use crate::util::error::error_chain;
use crate::util::text::printable;

/// The exit statuses of a plugin, and their words (Nagios Plugin API, "Return Code").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Health::Ok => "OK",
            Health::Warning => "WARNING",
            Health::Critical => "CRITICAL",
            Health::Unknown => "UNKNOWN",
        }
    }

    fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Health::Ok => 0,
            Health::Warning => 1,
            Health::Critical => 2,
            Health::Unknown => 3,
        })
    }
}

/// The text, and the exit status that says the same.
pub(super) fn render(snapshot: Result<&Snapshot, &CliError>) -> (String, ExitCode) {
    let (health, text) = match snapshot {
        Ok(snapshot) => judge(snapshot),
        Err(error @ CliError::NotRunning) => (Health::Critical, printable(&error_chain(error))),
        Err(error) => (Health::Unknown, printable(&error_chain(error))),
    };
    (format!("HBD {} - {text}\n", health.word()), health.code())
}

fn judge(snapshot: &Snapshot) -> (Health, String) {
    let troubles: Vec<String> = troubles(snapshot).iter().map(|trouble| without_bar(trouble)).collect();
    let health = match (troubles.is_empty(), snapshot.groups.iter().any(is_hurt)) {
        (true, _) => Health::Ok,
        (false, true) => Health::Critical,
        (false, false) => Health::Warning,
    };
    let owners: Vec<String> =
        snapshot.groups.iter().map(|group| without_bar(&format!("{} on {}", group.name, group.owner))).collect();
    let mut text = match troubles.as_slice() {
        [] if owners.is_empty() => "no groups".to_owned(),
        [] => owners.join(", "),
        [only] => only.clone(),
        [first, ..] => format!("{} problems: {first}", troubles.len()),
    };
    let served = snapshot.groups.iter().filter(|group| !group.owner.is_empty()).count();
    let dead = snapshot.nodes.iter().filter(|node| node.status == "dead").count();
    let links = snapshot.links.iter().filter(|link| link.status == "dead").count();
    let numbers = format!("groups={} served={served} dead_nodes={dead} dead_links={links}", snapshot.groups.len());
    // Writing to a string never fails.
    let _ = write!(text, " | {numbers}");
    for trouble in troubles.iter().filter(|_| troubles.len() > 1) {
        let _ = write!(text, "\n{trouble}");
    }
    (health, text)
}

/// The text as it may stand before the bar with which the numbers begin.
fn without_bar(text: &str) -> String {
    printable(text).replace('|', "/")
}

/// Whether clients of the group notice what is wrong, or soon will.
fn is_hurt(group: &GroupSnapshot) -> bool {
    let down = group.owner.is_empty() || !group.held_back.is_empty();
    down || group.contested || group.degraded_there || matches!(group.state.as_str(), "failed" | "degraded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{LinkSnapshot, NodeSnapshot};

    fn snapshot(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
        let node = |name: &str, local| NodeSnapshot {
            name: name.into(),
            kind: "normal".into(),
            status: "active".into(),
            local,
            ..NodeSnapshot::default()
        };
        let group = GroupSnapshot {
            name: "web".into(),
            key: "10.0.0.1".into(),
            owner: "nodea".into(),
            state: "active".into(),
            ..GroupSnapshot::default()
        };
        let link =
            LinkSnapshot { node: "nodeb".into(), name: "eth1".into(), status: "up".into(), ..Default::default() };
        let mut snapshot = Snapshot {
            nodes: vec![node("nodea", true), node("nodeb", false)],
            groups: vec![group],
            links: vec![link],
            ..Snapshot::default()
        };
        change(&mut snapshot);
        snapshot
    }

    fn said(change: impl FnOnce(&mut Snapshot)) -> (Health, String) {
        judge(&snapshot(change))
    }

    #[test]
    fn all_is_well() {
        let (health, text) = said(|_| {});
        assert_eq!(health, Health::Ok, "{text}");
        assert_eq!(text, "web on nodea | groups=1 served=1 dead_nodes=0 dead_links=0");
    }

    #[test]
    fn what_clients_do_not_notice_is_a_warning() {
        let (health, text) = said(|snapshot| snapshot.links[0].status = "dead".into());
        assert_eq!(health, Health::Warning);
        assert_eq!(text, "Link nodeb:eth1 is dead. | groups=1 served=1 dead_nodes=0 dead_links=1");
    }

    #[test]
    fn a_group_without_an_owner_is_critical_and_everything_is_named() {
        let (health, text) = said(|snapshot| {
            snapshot.groups[0].owner.clear();
            snapshot.groups[0].held_back = "a|b".into();
            snapshot.nodes[1].status = "dead".into();
        });
        assert_eq!(health, Health::Critical);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().ends_with("| groups=1 served=0 dead_nodes=1 dead_links=0"), "{text}");
        assert_eq!(text.matches('|').count(), 1, "{text}");
        assert!(lines.any(|line| line == "Node nodeb is dead."), "{text}");
    }

    #[test]
    fn an_hbd_that_does_not_run_is_critical_and_a_bus_that_is_away_is_unknown() {
        assert!(render(Err(&CliError::NotRunning)).0.starts_with("HBD CRITICAL - hbd is not running"));
        let bus = CliError::NoBus(zbus::Error::InvalidReply);
        assert!(render(Err(&bus)).0.starts_with("HBD UNKNOWN - cannot reach the system bus"));
    }
}
