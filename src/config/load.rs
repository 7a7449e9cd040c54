//! Reads every file, reports the findings of all stages together, and gives one [`Config`] or none.
//!
//! Owns the order of the stages. The start of the daemon, its reload and `check` call the same function (04 §5.4).

use std::io;
use std::path::{Path, PathBuf};

use super::authkeys::{self, AuthKeys};
use super::checks::CrossChecks;
use super::diagnostic::{Diagnostic, FileWord, Findings};
use super::environment;
use super::fencing::FencingSources;
use super::files::Files;
use super::groups::{Group, Recipe, ResourceKind, Transient};
use super::ha_cf::{self, HaCf};
use super::haresources::{self, LookupContext, WrittenGroup};
use super::hbd_toml::{self, Aliases, HbdToml};
use super::host::Host;
use super::service_checks::ServiceCheck;
use super::settings::{LayeredSettings, SettingCollector};
use super::text::text_of;
use super::types::{Config, FenceDevice};
use super::unit_types::UnitPolicies;
use super::value::NO_PATH;

/// What [`load`] gives.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The configuration; `None` if there is an error among the diagnostics.
    pub config: Option<Config>,
    /// The keys; `None` under the same condition.
    pub keys: Option<AuthKeys>,
    /// Everything found, sorted by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
    /// The only error: this machine's name is that of no node of ha.cf. It may get another later.
    pub stranger: bool,
}

/// Reads all files and checks them as a whole. The caller decides what to do with the findings: a daemon logs them
/// and exits with status 6 if `config` is `None`; `check` prints them.
pub fn load(files: &Files, host: &Host) -> Loaded {
    let mut findings = Findings::default();
    let mut scalars = SettingCollector::default();
    let ha_cf = read_ha_cf(files, host, &mut scalars, &mut findings);
    if let Some(word) = &ha_cf.pacemaker {
        // Such a file is Pacemaker's: whatever else is found in it is a consequence.
        findings.keep_lines(&[(word.location.file.to_path_buf(), word.location.line)]);
        return Loaded { diagnostics: findings.into_sorted(), ..Loaded::default() };
    }
    let keys = authkeys::read(files, &mut findings);
    let mut hbd_toml = read_hbd_toml(files, host, &mut scalars, &mut findings);
    scalars.report_without_effect(&mut findings);
    let node = node_name(files, host, &ha_cf.nodes, &mut findings);
    let before = findings.errors();
    let groups = read_haresources(files, &ha_cf, &hbd_toml.aliases, &node, &mut findings);
    // A group with a refused word is missing, and tables for it would be reported as unknown.
    let whole = findings.errors() == before;
    if whole {
        hbd_toml.services.match_groups(&groups, &mut findings);
        hbd_toml.units.match_units(&groups, &mut findings);
    }
    let layers = layered(scalars, files, host, &mut findings);
    let known: Vec<_> = groups.iter().map(|found| &found.group).collect();
    if !findings.has_errors() {
        hbd_toml.addresses.check_groups(&known, &mut findings);
    }
    let service_checks = if whole { hbd_toml.checks.checks(&known, &mut findings) } else { Vec::new() };
    if !ha_cf.lacks_ping_nodes() {
        hbd_toml.ipfail.check(&ha_cf.ping_nodes, &mut findings);
    }
    hbd_toml.notify.check(files, &mut findings);
    let fencing = FencingSources {
        node: &node,
        nodes: &ha_cf.nodes,
        programs: &files.programs,
        stonith: &ha_cf.fencing,
        tables: &hbd_toml.fencing,
    };
    let devices = fencing.devices(&mut findings);
    if let Some(layers) = &layers {
        let checks = CrossChecks {
            files,
            ha_cf: &ha_cf,
            layers,
            groups: &groups,
            aliases: &hbd_toml.aliases,
            node: &node,
            fencing: !devices.is_empty(),
            lease: hbd_toml.addresses.lease(),
            host,
        };
        checks.run(&mut findings);
    }
    let sound = !findings.has_errors();
    let stranger = findings.errors() == 1 && is_stranger(&ha_cf.nodes, &node);
    let config = layers
        .filter(|_| sound)
        .map(|layers| assemble(node, ha_cf, &layers, groups, hbd_toml, devices, service_checks));
    Loaded { config, keys: keys.filter(|_| sound), diagnostics: findings.into_sorted(), stranger }
}

/// Whether this is the name of none of these nodes.
fn is_stranger(nodes: &[FileWord], name: &str) -> bool {
    !nodes.is_empty() && nodes.iter().all(|known| known.text != name)
}

/// The settings in force; `None` through a fault of hbd only, which is reported.
fn layered(
    scalars: SettingCollector,
    files: &Files,
    host: &Host,
    findings: &mut Findings,
) -> Option<LayeredSettings> {
    match scalars.into_layers(host.service_port) {
        Ok(layers) => Some(layers),
        Err(error) => {
            let help = "every value was legal by itself, so this is a fault of hbd: please report it";
            findings.error(&FileWord::file(&files.ha_cf), format!("cannot layer the settings: {error}"), help);
            None
        }
    }
}

fn read_ha_cf(files: &Files, host: &Host, scalars: &mut SettingCollector, findings: &mut Findings) -> HaCf {
    let path = &files.ha_cf;
    match std::fs::read(path) {
        Ok(bytes) => {
            let found = ha_cf::read(files, &bytes, host, scalars, findings);
            if let Some(word) = found.pacemaker.as_ref().filter(|_| files.cib_xml.exists()) {
                let message = format!("{} exists: this node has run Pacemaker", files.cib_xml.display());
                findings.notice(
                    word,
                    message,
                    "its resources are not in haresources; move them there or to Corosync",
                );
            }
            found
        }
        Err(error) => {
            let message = format!("Cannot open config file [{}]: {error}", path.display());
            let help = "create it, or copy it from the other node and adapt the peer's address; /usr/share/doc/hbd/examples \
                        has examples";
            findings.error(&FileWord::file(path), message, help);
            HaCf::default()
        }
    }
}

/// hbd.toml, then hbd.toml.d/*.toml by name, then the environment.
fn read_hbd_toml(files: &Files, host: &Host, scalars: &mut SettingCollector, findings: &mut Findings) -> HbdToml {
    let mut tables = HbdToml::default();
    let mut paths = vec![files.hbd_toml.clone()];
    match drop_ins(&files.hbd_toml_dir) {
        Ok(found) => paths.extend(found),
        Err(error) => report_unreadable(&files.hbd_toml_dir, &error, findings),
    }
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => hbd_toml::read(&path, &bytes, scalars, &mut tables, findings),
            Err(error) => report_unreadable(&path, &error, findings),
        }
    }
    hbd_toml::read_environment(&host.environment, scalars, findings);
    tables
}

fn drop_ins(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file of hbd's own may be absent. One that cannot be read is an error: its settings would be ignored silently.
fn report_unreadable(path: &Path, error: &io::Error, findings: &mut Findings) {
    if error.kind() != io::ErrorKind::NotFound {
        let message = format!("cannot read {}: {error}", path.display());
        findings.error(&FileWord::file(path), message, "make it readable, or remove it");
    }
}

fn read_haresources(
    files: &Files,
    ha_cf: &HaCf,
    aliases: &Aliases,
    node: &str,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    let path = &files.haresources;
    let units = aliases.iter().map(|(word, (unit, _))| (word.clone(), unit.clone())).collect();
    let context = LookupContext {
        nodes: if ha_cf.is_refused(&["node"]) { &[] } else { &ha_cf.nodes },
        aliases: &units,
        resource_d: &files.resource_d,
        init_d: &files.init_d,
        agents: &files.agents,
        fstab: &files.fstab,
        node,
    };
    match std::fs::read(path) {
        Ok(bytes) => haresources::read(path, &bytes, context, findings),
        Err(error) => {
            let message = format!("Cannot open resources file [{}]: {error}", path.display());
            let help = "write lines `NODE ADDRESS SERVICE…`, the same on both nodes; the file may be empty";
            findings.error(&FileWord::file(path), message, help);
            Vec::new()
        }
    }
}

/// Our own name, lower case: the first line of nodeinfo if it ends in a newline, else the node that `uname -n` stands
/// for (02 §4.1).
fn node_name(files: &Files, host: &Host, nodes: &[FileWord], findings: &mut Findings) -> String {
    let path = &files.nodeinfo;
    match std::fs::read(path).map(|bytes| text_of(&bytes)) {
        Ok(text) => match text.split_once('\n') {
            Some((line, _)) => return line.trim().to_ascii_lowercase(),
            None => findings.warning(
                &FileWord::file(path),
                "the first line does not end in a newline: Heartbeat ignores the file, so does hbd",
                format!("echo NAME > {}", path.display()),
            ),
        },
        Err(error) => report_unreadable(path, &error, findings),
    }
    node_of_host(files, host.node_name.to_ascii_lowercase(), nodes, findings)
}

/// The node of this name, or the only one whose name is the same but for a domain that one of the two lacks.
/// Heartbeat knows the former only.
fn node_of_host(files: &Files, name: String, nodes: &[FileWord], findings: &mut Findings) -> String {
    if nodes.iter().any(|node| node.text == name) {
        return name;
    }
    let extends = |long: &str, short: &str| {
        !short.is_empty()
            && !short.contains('.')
            && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))
    };
    let mut near = nodes.iter().filter(|node| extends(&node.text, &name) || extends(&name, &node.text));
    let (Some(node), None) = (near.next(), near.next()) else { return name };
    let message = format!("this machine is named {name}, taken for node {}: only the domain differs", node.text);
    let nodeinfo = files.nodeinfo.display();
    let help = format!("Heartbeat would not start: name this machine {0}, or `echo {0} > {nodeinfo}`", node.text);
    findings.warning(node, message, help);
    node.text.clone()
}

/// Puts together what has been read and checked.
fn assemble(
    node: String,
    ha_cf: HaCf,
    layers: &LayeredSettings,
    groups: Vec<WrittenGroup>,
    hbd_toml: HbdToml,
    fencing: Vec<FenceDevice>,
    checks: Vec<ServiceCheck>,
) -> Config {
    let settings = layers.settings.clone();
    let environment = environment::for_programs(&node, layers, ha_cf.env);
    let units = with_mounts_of_fstab(hbd_toml.units.policies, &groups);
    let policies = hbd_toml.addresses.policies(&groups.iter().map(|found| &found.group).collect::<Vec<_>>());
    Config {
        node,
        nodes: ha_cf.nodes.into_iter().map(|word| word.text).collect(),
        ping_nodes: ha_cf.ping_nodes,
        timing: layers.timing(),
        media: ha_cf.media.into_iter().map(|(medium, _)| medium).collect(),
        udpport: settings.udpport,
        baud: settings.baud,
        auto_failback: settings.auto_failback,
        hopfudge: settings.hopfudge,
        message_format: settings.msgfmt,
        compression: settings.compression(),
        cluster: settings.cluster,
        log_badpack: settings.log_badpack,
        generation_method: settings.hbgenmethod,
        uuid_from: settings.uuidfrom,
        groups: groups.into_iter().map(|found| with_environment(found.group, &environment)).collect(),
        children: ha_cf.children,
        environment,
        log_facility: settings.logfacility.filter(|name| name != "none"),
        log_file: settings.logfile.filter(|path| path != Path::new(NO_PATH)),
        debug_file: settings.debugfile.filter(|path| path != Path::new(NO_PATH)),
        syslog_format: settings.syslogmsgfmt,
        debug: settings.debug,
        watchdog: settings.watchdog.filter(|path| path != Path::new(NO_PATH)),
        watchdog_policy: hbd_toml.watchdog,
        realtime: settings.realtime,
        rtprio: settings.rtprio,
        fencing,
        connectivity: hbd_toml.ipfail.connectivity(ha_cf.ipfail.is_some()),
        recording: hbd_toml.recording,
        lease: hbd_toml.addresses.lease(),
        policies,
        limits: hbd_toml.units.limits,
        units,
        health: hbd_toml.services.health,
        checks,
        notify: hbd_toml.notify.program(),
    }
}

/// The policies, in which a mount unit that stands for `Filesystem::` may be vacated like a mount of hbd's own.
fn with_mounts_of_fstab(mut policies: UnitPolicies, groups: &[WrittenGroup]) -> UnitPolicies {
    let vacate = policies.vacate.unwrap_or(true);
    for resource in groups.iter().flat_map(|found| &found.group.resources) {
        if let (true, ResourceKind::Unit(unit)) = (resource.word.starts_with("Filesystem::"), &resource.kind) {
            policies.by_unit.entry(unit.clone()).or_default().vacate.get_or_insert(vacate);
        }
    }
    policies
}

/// The group, with these variables in the environment of its scripts. A script's own variables come last, so they
/// win.
fn with_environment(mut group: Group, environment: &[(String, String)]) -> Group {
    for resource in &mut group.resources {
        if let ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) = &mut resource.kind {
            let own = std::mem::take(&mut script.environment);
            script.environment = environment::unique(environment.iter().cloned().chain(own));
        }
    }
    group
}
