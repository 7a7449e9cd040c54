//! `hbctl metrics`: the status in Prometheus's text format (exposition formats, version 0.0.4).
//!
//! An hbd that does not answer is a metric, too (`hbd_up 0`), so that a dead daemon differs from a dead exporter.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::bus::{CheckSnapshot, GroupSnapshot, LinkSnapshot, NodeSnapshot, Snapshot, Traffic};

const STATES: [&str; 6] = ["stopped", "starting", "active", "degraded", "stopping", "failed"];

/// The labels and the value of one series.
type Sample<'a> = (Vec<(&'a str, &'a str)>, f64);

struct Page(String);

impl Page {
    /// A gauge with its samples. Without any it is left out.
    fn metric<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        self.family("gauge", name, help, samples);
    }

    /// A counter, which begins at 0 with each start of hbd.
    fn counter<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        self.family("counter", name, help, samples);
    }

    fn family<'a>(&mut self, kind: &str, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn seconds(usec: u64) -> f64 {
    usec as f64 / 1e6
}

/// The text; `None` if hbd did not answer.
pub(super) fn render(snapshot: Option<&Snapshot>) -> String {
    let mut page = Page(String::new());
    page.metric("hbd_up", "Whether hbd answers on this machine.", [(vec![], flag(snapshot.is_some()))]);
    if let Some(snapshot) = snapshot {
        cluster(&mut page, snapshot);
        links(&mut page, snapshot);
        traffic(&mut page, snapshot);
        witness(&mut page, snapshot);
        groups(&mut page, snapshot);
        resources(&mut page, snapshot);
        checks(&mut page, snapshot);
    }
    page.0
}

fn witness(page: &mut Page, snapshot: &Snapshot) {
    if !snapshot.witness.is_empty() {
        let answers = flag(snapshot.witness_answers);
        page.metric("hbd_witness_up", "Whether the witness answers.", [(vec![], answers)]);
        let key = flag(snapshot.witness_key);
        page.metric("hbd_witness_key", "Whether the witness has given its key to this node.", [(vec![], key)]);
    }
}

fn cluster(page: &mut Page, snapshot: &Snapshot) {
    let info = vec![("version", snapshot.version.as_str()), ("node", &snapshot.node), ("state", &snapshot.state)];
    page.metric("hbd_info", "Version, name and state of this node.", [(info, 1.0)]);
    page.metric(
        "hbd_maintenance",
        "Whether this node's resources are left alone.",
        [(vec![], flag(snapshot.maintenance))],
    );
    page.metric(
        "hbd_start_problems",
        "How many things a start of hbd would not find, or finds wrong: hbctl status names them.",
        [(vec![], snapshot.start_problems.len() as f64)],
    );
    page.metric(
        "hbd_broken_fencing_devices",
        "How many fencing devices did not answer when they were last asked.",
        [(vec![], snapshot.broken_devices.len() as f64)],
    );
    page.metric("hbd_generation", "Grows with each start of hbd.", [(vec![], snapshot.generation as f64)]);
    page.metric("hbd_deadtime_seconds", "deadtime of ha.cf.", [(vec![], seconds(snapshot.deadtime_usec))]);
    let others = || snapshot.nodes.iter().filter(|node| !node.local);
    let alive = |node: &NodeSnapshot| node.status != "dead" && node.status != "init";
    page.metric(
        "hbd_node_alive",
        "Whether a node, or ping node, is heard.",
        others().map(|node| (vec![("node", node.name.as_str()), ("kind", &node.kind)], flag(alive(node)))),
    );
    page.metric(
        "hbd_node_last_heard_timestamp_seconds",
        "When a node was last heard; 0 for never.",
        others().map(|node| (vec![("node", node.name.as_str())], seconds(node.last_status_usec))),
    );
    page.metric(
        "hbd_node_maintenance",
        "Whether a node says that it is in maintenance.",
        snapshot
            .nodes
            .iter()
            .filter(|node| node.kind != "ping")
            .map(|node| (vec![("node", node.name.as_str())], flag(node.maintenance))),
    );
    page.metric(
        "hbd_node_configuration_differs",
        "Whether a node uses other cluster settings than this one.",
        others()
            .filter(|node| node.kind != "ping")
            .map(|node| (vec![("node", node.name.as_str())], flag(!node.differing.is_empty()))),
    );
}

fn links(page: &mut Page, snapshot: &Snapshot) {
    page.metric(
        "hbd_link_up",
        "Whether a node is heard on a link.",
        snapshot.links.iter().map(|link| {
            let labels = vec![("node", link.node.as_str()), ("link", &link.name), ("medium", &link.medium)];
            (labels, flag(link.status == "up"))
        }),
    );
    page.metric(
        "hbd_link_last_heard_timestamp_seconds",
        "When a node was last heard on a link; 0 for never.",
        snapshot
            .links
            .iter()
            .map(|link| (vec![("node", link.node.as_str()), ("link", &link.name)], seconds(link.last_heard_usec))),
    );
}

/// Traffic is counted for the media of this node, and shown once for each node that is heard on a link.
fn traffic(page: &mut Page, snapshot: &Snapshot) {
    let mut own: Vec<&LinkSnapshot> = Vec::new();
    for link in snapshot.links.iter().filter(|link| link.medium != "ping") {
        if own.iter().all(|known| known.name != link.name) {
            own.push(link);
        }
    }
    let samples = |count: fn(&Traffic) -> u64| -> Vec<Sample<'_>> {
        own.iter().map(|link| (vec![("link", link.name.as_str())], count(&link.traffic) as f64)).collect()
    };
    page.counter("hbd_link_sent_packets_total", "Packets sent on a link.", samples(|traffic| traffic.sent));
    page.counter(
        "hbd_link_received_packets_total",
        "Packets received on a link, good and bad.",
        samples(|traffic| traffic.received),
    );
    page.counter(
        "hbd_link_send_errors_total",
        "Packets that could not be sent on a link.",
        samples(|traffic| traffic.send_errors),
    );
    page.counter(
        "hbd_link_bad_packets_total",
        "Packets received on a link that were damaged or had a wrong signature.",
        samples(|traffic| traffic.bad),
    );
}

fn groups(page: &mut Page, snapshot: &Snapshot) {
    page.metric(
        "hbd_group_state",
        "State of a resource group on this node: 1 for the one it is in.",
        snapshot.groups.iter().flat_map(|group| {
            STATES
                .into_iter()
                .map(|state| (vec![("group", group.name.as_str()), ("state", state)], flag(group.state == state)))
        }),
    );
    page.metric(
        "hbd_group_contested",
        "Whether another node says that it holds a resource group which this node holds as well.",
        snapshot.groups.iter().map(|group| (vec![("group", group.name.as_str())], flag(group.contested))),
    );
    page.metric(
        "hbd_group_strangers",
        "How many other machines answer for addresses of a resource group.",
        snapshot.groups.iter().map(|group| (vec![("group", group.name.as_str())], group.strangers.len() as f64)),
    );
    page.metric(
        "hbd_group_healthy",
        "Whether a resource group has one owner and all of it runs there, as far as this node knows.",
        snapshot.groups.iter().map(|group| (vec![("group", group.name.as_str())], flag(group.is_healthy()))),
    );
    page.metric(
        "hbd_group_unfit",
        "Whether a node has failed a resource group, and is not given it by itself for a while.",
        snapshot.groups.iter().flat_map(|group| {
            let unfit = |node: &NodeSnapshot| flag(group.unfit.iter().any(|unfit| unfit.node == node.name));
            snapshot
                .nodes
                .iter()
                .filter(|node| node.kind != "ping")
                .map(move |node| (vec![("group", group.name.as_str()), ("node", node.name.as_str())], unfit(node)))
        }),
    );
    page.metric(
        "hbd_group_owned",
        "Whether a resource group has an owner, as far as this node knows.",
        snapshot.groups.iter().map(|group| {
            let labels =
                vec![("group", group.name.as_str()), ("owner", &group.owner), ("preferred", &group.preferred)];
            (labels, flag(!group.owner.is_empty()))
        }),
    );
    page.metric(
        "hbd_group_held_back",
        "Whether this node does not take a group although its owner is dead.",
        snapshot.groups.iter().map(|group| (vec![("group", group.name.as_str())], flag(!group.held_back.is_empty()))),
    );
    page.metric(
        "hbd_group_owner_since_timestamp_seconds",
        "Since when its owner owns a group, as far as this hbd saw; 0 without an owner.",
        snapshot.groups.iter().map(|group| (vec![("group", group.name.as_str())], seconds(group.owner_since_usec))),
    );
}

/// What names the resources of a group: their targets, without the arguments of scripts, which may be secrets.
fn resource_labels(group: &GroupSnapshot) -> Vec<String> {
    distinct(group.resources.iter().map(|resource| match resource.target.split_once("::") {
        Some((script, _)) if script.starts_with("hbd-") => script.to_owned(),
        _ => resource.target.clone(),
    }))
}

/// What names the checks of a group: what each does and with what, without the arguments of commands.
fn check_labels(group: &GroupSnapshot) -> Vec<String> {
    let first = |name: &str| name.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    distinct(group.checks.iter().map(|check| first(&check.name)))
}

/// The same texts, those that are there already with a number behind them: two samples must not have equal labels.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        let taken = |label: &String| label == &text || label.starts_with(&format!("{text} no. "));
        let before = all.iter().filter(|label| taken(label)).count();
        all.push(if before == 0 { text } else { format!("{text} no. {}", before + 1) });
    }
    all
}

fn resources(page: &mut Page, snapshot: &Snapshot) {
    let labels: Vec<Vec<String>> = snapshot.groups.iter().map(resource_labels).collect();
    page.metric(
        "hbd_resource_state",
        "State of a resource on this node, by its label: always 1.",
        snapshot.groups.iter().zip(&labels).flat_map(|(group, labels)| {
            group.resources.iter().zip(labels).map(|(resource, label)| {
                let labels = vec![
                    ("group", group.name.as_str()),
                    ("resource", label.as_str()),
                    ("state", resource.state.as_str()),
                ];
                (labels, 1.0)
            })
        }),
    );
    page.metric(
        "hbd_resource_failures",
        "How often a resource has failed on this node lately.",
        snapshot.groups.iter().zip(&labels).flat_map(|(group, labels)| {
            group.resources.iter().zip(labels).map(|(resource, label)| {
                let labels = vec![("group", group.name.as_str()), ("resource", label.as_str())];
                (labels, f64::from(resource.failures))
            })
        }),
    );
}

fn checks(page: &mut Page, snapshot: &Snapshot) {
    let labels: Vec<Vec<String>> = snapshot.groups.iter().map(check_labels).collect();
    page.metric(
        "hbd_check_passing",
        "Whether a check of a group passes on this node; none while that is not known.",
        snapshot.groups.iter().zip(&labels).flat_map(|(group, labels)| {
            let known = |check: &CheckSnapshot| matches!(check.state.as_str(), "passing" | "failing");
            group.checks.iter().zip(labels).filter(move |(check, _)| known(check)).map(|(check, label)| {
                let labels = vec![
                    ("group", group.name.as_str()),
                    ("check", label.as_str()),
                    ("purpose", check.purpose.as_str()),
                ];
                (labels, flag(check.state == "passing"))
            })
        }),
    );
}

/// Replaces `file` in one step: a collector never reads half of it. The directory must be writable.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let name = file.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    // The node exporter reads files whose names end in `.prom`; this one does not.
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(temporary);
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        // A second error would add nothing to the first.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::bus::{CheckSnapshot, GroupSnapshot, ResourceSnapshot};
    use crate::test_needs::missing;

    #[test]
    fn what_is_dead_is_zero_and_names_are_escaped() {
        let node = NodeSnapshot { name: "no\"de\\b".into(), status: "dead".into(), ..NodeSnapshot::default() };
        let group = GroupSnapshot {
            name: "10.0.0.1".into(),
            state: "active".into(),
            owner: "nodea".into(),
            owner_since_usec: 1_500_000,
            ..GroupSnapshot::default()
        };
        let text = render(Some(&Snapshot { nodes: vec![node], groups: vec![group], ..Snapshot::default() }));
        for line in [
            "hbd_up 1",
            r#"hbd_node_alive{node="no\"de\\b",kind=""} 0"#,
            r#"hbd_group_state{group="10.0.0.1",state="active"} 1"#,
            r#"hbd_group_state{group="10.0.0.1",state="failed"} 0"#,
            r#"hbd_group_owned{group="10.0.0.1",owner="nodea",preferred=""} 1"#,
            r#"hbd_group_unfit{group="10.0.0.1",node="no\"de\\b"} 0"#,
            r#"hbd_group_owner_since_timestamp_seconds{group="10.0.0.1"} 1.5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }

    /// A pair of which every kind of metric has a sample.
    fn everything() -> Snapshot {
        let link = |node: &str, medium: &str| LinkSnapshot {
            node: node.into(),
            name: "eth1".into(),
            medium: medium.into(),
            status: "up".into(),
            traffic: Traffic { sent: 5, received: 4, send_errors: 1, bad: 2 },
            ..LinkSnapshot::default()
        };
        let node = |name: &str, local| NodeSnapshot {
            name: name.into(),
            kind: "normal".into(),
            status: "active".into(),
            local,
            ..NodeSnapshot::default()
        };
        let check = CheckSnapshot { state: "passing".into(), ..CheckSnapshot::default() };
        let resource = ResourceSnapshot { target: "nginx.service".into(), ..ResourceSnapshot::default() };
        let group = GroupSnapshot {
            name: "web".into(),
            checks: vec![check],
            resources: vec![resource],
            ..GroupSnapshot::default()
        };
        Snapshot {
            witness: "answers".into(),
            nodes: vec![node("nodea", true), node("nodeb", false), node("nodec", false)],
            links: vec![link("nodeb", "ucast"), link("nodec", "ucast"), link("192.168.17.1", "ping")],
            groups: vec![group],
            ..Snapshot::default()
        }
    }

    #[test]
    fn packets_of_a_link_are_counted_once_whoever_is_heard_on_it() {
        let text = render(Some(&everything()));
        let counted: Vec<&str> = text.lines().filter(|line| line.contains("packets_total{")).collect();
        let wanted = [
            r#"hbd_link_sent_packets_total{link="eth1"} 5"#,
            r#"hbd_link_received_packets_total{link="eth1"} 4"#,
            r#"hbd_link_bad_packets_total{link="eth1"} 2"#,
        ];
        assert_eq!(counted, wanted);
    }

    #[test]
    fn every_metric_is_printed_and_prometheus_has_nothing_to_say_about_them() {
        let text = render(Some(&everything()));
        let named: BTreeSet<&str> = include_str!("metrics.rs")
            .split('"')
            .filter(|word| {
                word.starts_with("hbd_") && word.len() > 4 && word.chars().all(|c| c == '_' || c.is_ascii_lowercase())
            })
            .collect();
        assert!(named.len() > 20, "{named:?}");
        for name in &named {
            assert!(text.contains(&format!("# TYPE {name} ")), "no {name} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{line}");
        }
        assert_eq!(render(None).lines().last(), Some("hbd_up 0"));
        let promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
        let Ok(mut promtool) = promtool else {
            return missing("promtool", "install the package prometheus, as `make prepare` does");
        };
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(promtool.wait().unwrap().success(), "promtool check metrics complains");
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hbd.prom");
        replace(&file, "one\n").unwrap();
        replace(&file, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("none/hbd.prom"), "x").is_err());
    }
}
