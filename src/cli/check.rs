//! `hbctl check`: findings in the configuration files, the meaning of each word of haresources, units that are not
//! fit to be managed, parameters that fence agents do not know, differences from what the running hbd and its peer
//! use, and what a change of the other node to a Heartbeat would move.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::connection::Builder;

use super::doctor;
use super::error::CliError;
use super::exit::EXIT_CONFIGURATION;
use super::fetch;
use super::format::{bold, ha_cf_time, paint};
use crate::bus::Snapshot;
use crate::config::{self, Config, FenceProtocol, Files, Fingerprint, Host};
use crate::fencing::Metadata;
use crate::units::survey::{UnitFinding, survey};
use crate::util::clock::microseconds;
use crate::util::error::error_chain;

/// Which files are checked.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckTarget {
    /// A directory with a copy of another node's `etc/ha.d` and so on.
    pub root: Option<PathBuf>,
    /// The name of that node; `None` for this machine's.
    pub node: Option<String>,
}

/// The text so far, and whether it contains an error: hbd would not start, or could not start every unit.
#[derive(Debug, Default)]
pub(super) struct FileReport {
    pub text: String,
    pub failed: bool,
}

impl FileReport {
    fn add(&mut self, severity: &str, text: &str, colour: bool) {
        self.failed |= severity == "error";
        self.text.push_str(&format!("{}: {text}\n", paint(severity, severity, colour)));
    }
}

/// Checks the files. Gives the text, and the exit status: 6 if there is an error.
pub(super) fn run(
    runtime: &Runtime,
    bus: Builder<'static>,
    subject: &CheckTarget,
    colour: bool,
) -> Result<(String, ExitCode), CliError> {
    let (files, host) = files_and_host(subject)?;
    let (mut report, config) = read(&files, &host, colour);
    if files.programs.is_empty() {
        let text = "that machine's programs are not in the copy: whether scripts, agents and programs are installed there is \
                    not checked";
        report.add("notice", text, colour);
    }
    // The units and the daemon of another node cannot be asked from here.
    if let (Some(config), None) = (&config, &subject.root) {
        runtime.block_on(async {
            add_unit_findings(config, &mut report, |_| true, colour).await;
            add_fence_agents_complaints(config, &mut report, colour).await;
            if let (Some(_), Some(complaint)) = (&config.witness, witness_complaint(Path::new("/"))) {
                report.add("warning", complaint, colour);
            }
            match fetch::snapshot(bus).await {
                Ok(snapshot) => {
                    compare(config, &snapshot, &mut report, colour);
                    report.text.push_str(&peers_compared_with(&snapshot));
                }
                Err(_) => {
                    report.add("notice", "hbd does not run here, so the files are compared with nothing", colour)
                }
            }
        });
    }
    if report.failed {
        return Ok((report.text, ExitCode::from(EXIT_CONFIGURATION)));
    }
    report.text.push_str("hbd can start with these files.\n");
    Ok((report.text, ExitCode::SUCCESS))
}

/// The files that are meant, and the machine that reads them.
pub(super) fn files_and_host(subject: &CheckTarget) -> Result<(Files, Host), CliError> {
    let files = subject.root.as_deref().map_or_else(Files::default, Files::of_copy);
    let host = match &subject.root {
        Some(root) => Host::of_another_machine(root, subject.node.as_deref()),
        None => {
            let here = Host::of_this_machine().map_err(CliError::Runtime)?;
            let name = subject.node.clone().unwrap_or_else(|| here.node_name.clone());
            Host { node_name: name, ..here }
        }
    };
    Ok((files, host))
}

/// Reads the files: their findings, and the groups with the meaning of each word.
pub(super) fn read(files: &Files, host: &Host, colour: bool) -> (FileReport, Option<Config>) {
    let loaded = config::load(files, host);
    let mut report = FileReport { failed: loaded.config.is_none(), ..FileReport::default() };
    for diagnostic in &loaded.diagnostics {
        report.text.push_str(&format!("{}\n\n", diagnostic.render(colour)));
    }
    if let Some(config) = &loaded.config {
        for (group, name) in config.groups.iter().zip(&config.group_names) {
            let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            report.text.push_str(&format!("resource group {}{name} of {}:\n", bold(&group.key, colour), group.node));
            for resource in &group.resources {
                let both = if config.units.is_everywhere(&resource.kind) { ", on both nodes" } else { "" };
                report.text.push_str(&format!("  {}  {}{both}\n", resource.word, resource.kind));
            }
        }
    }
    (report, loaded.config)
}

/// Adds what systemd says of the units, as far as `wanted`, and gives all of it.
pub(super) async fn add_unit_findings(
    config: &Config,
    report: &mut FileReport,
    wanted: impl Fn(&UnitFinding) -> bool,
    colour: bool,
) -> Vec<UnitFinding> {
    let found = survey(Builder::system(), config).await.unwrap_or_else(|error| {
        report.add("notice", &format!("the units are not checked: {}", error_chain(&error)), colour);
        Vec::new()
    });
    found.iter().filter(|unit| wanted(unit)).for_each(|unit| report.add(unit.severity(), &unit.to_string(), colour));
    found
}

/// Adds what fence agents say about their parameters.
async fn add_fence_agents_complaints(config: &Config, report: &mut FileReport, colour: bool) {
    for device in &config.fencing {
        for agent in &device.agents {
            let FenceProtocol::Agent { path, parameters } = &agent.protocol else { continue };
            match Metadata::of(path).await {
                Ok(metadata) => {
                    for complaint in metadata.complaints(&agent.name, parameters) {
                        report.add("warning", &format!("fencing of {}: {complaint}", device.node), colour);
                    }
                }
                Err(error) => {
                    let text = format!(
                        "fencing of {}: {} does not describe itself ({}); its parameters are not checked",
                        device.node,
                        agent.name,
                        error_chain(&error)
                    );
                    report.add("notice", &text, colour);
                }
            }
        }
    }
}

/// What is missing to ask the witness, on the machine whose files are below `root`.
fn witness_complaint(root: &Path) -> Option<&'static str> {
    let units =
        ["etc", "run", "usr/lib", "lib"].map(|place| root.join(place).join("systemd/system/hbd-witness.socket"));
    let there = units.iter().any(|unit| unit.exists());
    (!there).then_some("[witness] is never asked: install the package hbd-witness (hbd finds it without a restart)")
}

/// Says with which nodes the files were compared, so that an unreachable node is not mistaken for an equal one.
fn peers_compared_with(running: &Snapshot) -> String {
    let others = running.nodes.iter().filter(|node| !node.local && node.kind == "normal");
    let said = others.map(|node| match (node.status.as_str(), node.ha_cf_digest.is_empty()) {
        ("dead" | "init", _) => format!("{} is not reached: not compared with it\n", node.name),
        (_, true) => {
            format!("{} runs no hbd that says what its files are: only deadtime was compared with it\n", node.name)
        }
        _ => format!("compared with what {} runs with: nodes, intervals, auto_failback, haresources\n", node.name),
    });
    said.collect()
}

/// Adds the differences between the files and what runs, and what a change-over of the other node would move.
fn compare(config: &Config, running: &Snapshot, report: &mut FileReport, colour: bool) {
    for difference in differences(config, running) {
        report.add("warning", &difference, colour);
    }
    if let Some(note) = doctor::change_over(running) {
        report.add("notice", &note.text, colour);
    }
}

/// One sentence for each difference that matters.
fn differences(config: &Config, running: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    let restart = "`systemctl restart hbd` brings the file into force";
    let names = |names: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.join(" ")
    };
    let mut pair = |what: &str, file: String, daemon: String| {
        if file != daemon {
            found.push(format!("{what}: the file says {file}, the running hbd has {daemon}; {restart}"));
        }
    };
    let normal = running.nodes.iter().filter(|node| node.kind == "normal").map(|node| node.name.clone());
    pair("node", names(&mut config.nodes.iter().cloned()), names(&mut { normal }));
    let written_time = |duration: Duration| ha_cf_time(microseconds(duration));
    pair("keepalive", written_time(config.timing.keepalive), ha_cf_time(running.keepalive_usec));
    pair("deadtime", written_time(config.timing.deadtime), ha_cf_time(running.deadtime_usec));
    let written = |group: &config::Group| {
        let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
        format!("{} {}", group.node, words.join(" "))
    };
    let shown = |group: &crate::bus::GroupSnapshot| {
        let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
        format!("{} {}", group.preferred, words.join(" "))
    };
    let listed = |groups: String| if groups.is_empty() { "nothing".to_owned() } else { format!("`{groups}`") };
    pair(
        "haresources",
        listed(names(&mut config.groups.iter().map(written)).clone()),
        listed(names(&mut running.groups.iter().map(shown))),
    );
    found.extend(peers_with_other_files(&Fingerprint::of(config), running));
    let deadtime = microseconds(config.timing.deadtime);
    for peer in running.nodes.iter().filter(|node| !node.local && node.kind == "normal" && node.generation > 0) {
        if peer.deadtime_usec != deadtime {
            found.push(format!(
                "deadtime: {} here, but {} announces {}: write the same on both nodes",
                ha_cf_time(deadtime),
                peer.name,
                ha_cf_time(peer.deadtime_usec)
            ));
        }
    }
    found
}

/// Differences between the files here and those that the other nodes say they run with.
fn peers_with_other_files(file: &Fingerprint, running: &Snapshot) -> Vec<String> {
    let others = running.nodes.iter().filter(|node| !node.local && !node.ha_cf_digest.is_empty());
    let differing = others.flat_map(|node| {
        let theirs = Fingerprint { ha_cf: node.ha_cf_digest.clone(), haresources: node.haresources_digest.clone() };
        file.differing(&theirs)
            .into_iter()
            .map(|name| {
                let remedy =
                    format!("compare them with those of {}; resources may be missing after a takeover", node.name);
                format!("{name}: {} uses other settings than the files here: {remedy}", node.name)
            })
            .collect::<Vec<_>>()
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{GroupSnapshot, NodeSnapshot, ResourceSnapshot};

    fn example(directory: &std::path::Path) -> (Files, Host) {
        let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/seed-centos65");
        let ha_d = directory.join("etc/ha.d");
        std::fs::create_dir_all(&ha_d).unwrap();
        for (from, to) in [("nodea.ha.cf", "ha.cf"), ("authkeys", "authkeys"), ("haresources", "haresources")] {
            std::fs::copy(example.join(from), ha_d.join(to)).unwrap();
        }
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(ha_d.join("authkeys"), std::fs::Permissions::from_mode(0o600)).unwrap();
        (Files::below(directory), Host::named("nodea"))
    }

    fn running() -> Snapshot {
        let node = |name: &str| NodeSnapshot {
            name: name.to_owned(),
            kind: "normal".to_owned(),
            local: name == "nodea",
            generation: 3,
            deadtime_usec: 30_000_000,
            ..NodeSnapshot::default()
        };
        Snapshot {
            keepalive_usec: 2_000_000,
            deadtime_usec: 30_000_000,
            nodes: vec![node("nodea"), node("nodeb")],
            ..Snapshot::default()
        }
    }

    /// The groups of a configuration as the daemon shows them.
    fn shown(config: &Config) -> Vec<GroupSnapshot> {
        let resource = |resource: &config::Resource| ResourceSnapshot {
            word: resource.word.clone(),
            ..ResourceSnapshot::default()
        };
        let group = |group: &config::Group| GroupSnapshot {
            preferred: group.node.clone(),
            resources: group.resources.iter().map(resource).collect(),
            ..GroupSnapshot::default()
        };
        config.groups.iter().map(group).collect()
    }

    #[test]
    fn the_example_is_told_word_by_word() {
        let directory = tempfile::tempdir().unwrap();
        let (files, host) = example(directory.path());
        let (report, config) = read(&files, &host, false);
        assert!(!report.failed, "{}", report.text);
        assert!(report.text.contains("resource group 192.168.17.200/24/eth0 of nodea:\n"), "{}", report.text);
        assert!(report.text.contains("  httpd  unit httpd.service\n"), "{}", report.text);
        let config = config.unwrap();
        let mut same = running();
        same.groups = shown(&config);
        assert_eq!(differences(&config, &same), Vec::<String>::new());
    }

    #[test]
    fn groups_that_a_change_over_would_move_are_named_beforehand() {
        let directory = tempfile::tempdir().unwrap();
        let (files, host) = example(directory.path());
        let config = read(&files, &host, false).1.unwrap();
        let group = |name: &str, owner: &str| GroupSnapshot {
            name: name.to_owned(),
            preferred: "nodea".to_owned(),
            owner: owner.to_owned(),
            ..GroupSnapshot::default()
        };
        let said = |owner: &str, groups_move_alone| {
            let groups = vec![group("web", "nodea"), group("mail", owner)];
            let mut report = FileReport::default();
            compare(&config, &Snapshot { groups, groups_move_alone, ..running() }, &mut report, false);
            assert!(!report.failed);
            report.text
        };
        let note = "notice: groups that prefer one node are on both (web on nodea, and mail not): before a node becomes a \
                    Heartbeat";
        assert!(said("nodeb", true).contains(note), "{}", said("nodeb", true));
        assert!(!said("nodea", true).contains("notice"), "they are together");
        assert!(!said("nodeb", false).contains("notice"), "the other node knows them only together already");
    }

    #[test]
    fn a_package_that_is_missing_is_named() {
        let directory = tempfile::tempdir().unwrap();
        assert!(witness_complaint(directory.path()).unwrap().contains("install the package hbd-witness"));
        let units = directory.path().join("usr/lib/systemd/system");
        std::fs::create_dir_all(&units).unwrap();
        std::fs::write(units.join("hbd-witness.socket"), "").unwrap();
        assert_eq!(witness_complaint(directory.path()), None);
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_a_caret() {
        let directory = tempfile::tempdir().unwrap();
        let (files, host) = example(directory.path());
        let text = std::fs::read_to_string(&files.ha_cf).unwrap();
        std::fs::write(&files.ha_cf, text.replace("deadtime 30", "deadtime thirty")).unwrap();
        let (report, config) = read(&files, &host, false);
        assert!(report.failed && config.is_none());
        assert!(report.text.contains("deadtime thirty") && report.text.contains("^^^^^^"), "{}", report.text);
    }

    #[test]
    fn what_differs_from_the_running_daemon_and_from_the_peer_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (files, host) = example(directory.path());
        let config = read(&files, &host, false).1.unwrap();
        let mut other = running();
        other.deadtime_usec = 10_000_000;
        other.nodes[1].deadtime_usec = 10_000_000;
        other.nodes[1].name = "nodec".to_owned();
        let found = differences(&config, &other).join("\n");
        other.nodes[1].ha_cf_digest = Fingerprint::of(&config).ha_cf;
        other.nodes[1].haresources_digest = "0123456789abcdef".to_owned();
        let found = format!("{found}\n{}", differences(&config, &other).join("\n"));
        assert!(found.contains("haresources: nodec uses other settings than the files here"), "{found}");
        assert!(!found.contains("ha.cf: nodec"), "{found}");
        for wanted in [
            "node: the file says nodea nodeb, the running hbd has nodea nodec",
            "deadtime: the file says 30s, the running hbd has 10s",
            "haresources: the file says `nodea 192.168.17.200/24/eth0 httpd`, the running hbd has nothing",
            "deadtime: 30s here, but nodec announces 10s",
        ] {
            assert!(found.contains(wanted), "no {wanted:?} in\n{found}");
        }
    }
}
