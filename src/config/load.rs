//! The front door: reads every file, lets all stages report together, and gives one [`Config`] or none.
//!
//! Owns which files there are and the order of the stages. Start, reload and `check` call the same function (04 §5.4).

use std::io;
use std::path::{Path, PathBuf};

use super::authkeys::{self, AuthKeys};
use super::checks;
use super::diagnostic::{Diagnostic, Report, Word};
use super::environment;
use super::fencing::FencingSources;
use super::files::Files;
use super::groups::{Group, Recipe, ResourceKind, Transient};
use super::ha_cf::{self, HaCf};
use super::haresources::{self, Context, Found};
use super::hbd_toml::{self, Aliases, Own};
use super::host::Host;
use super::settings::{Layers, Scalars};
use super::text::text_of;
use super::types::{Config, FenceDevice};

/// What [`load`] gives.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration; `None` if there is an error among the diagnostics.
    pub config: Option<Config>,
    /// The keys; `None` under the same condition.
    pub keys: Option<AuthKeys>,
    /// Everything found, sorted by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all files and checks them as a whole. The caller decides what to do with the findings: a daemon logs them
/// and exits with status 6 if `config` is `None`; `check` prints them.
pub fn load(files: &Files, host: &Host) -> Loaded {
    let mut report = Report::default();
    let mut scalars = Scalars::default();
    let ha_cf = read_ha_cf(files, host, &mut scalars, &mut report);
    let keys = authkeys::read(files, &mut report);
    let mut own = read_own(files, host, &mut scalars, &mut report);
    let node = own_name(files, host, &mut report);
    let groups = read_haresources(files, &ha_cf, &own.aliases, &node, &mut report);
    own.services.match_groups(&groups, &mut report);
    let layers = match scalars.layer(host.service_port) {
        Ok(layers) => Some(layers),
        Err(error) => {
            let help = "every value was legal by itself, so this is a fault of hbd: please report it";
            report.error(&Word::file(&files.ha_cf), format!("cannot layer the settings: {error}"), help);
            None
        }
    };
    let known: Vec<_> = groups.iter().map(|found| &found.group).collect();
    // Where haresources itself has a mistake, its group may be missing.
    if !report.has_errors() {
        own.addresses.check_groups(&known, &mut report);
    }
    own.ipfail.check(&ha_cf.ping_nodes, &mut report);
    let fencing = FencingSources {
        node: &node,
        nodes: &ha_cf.nodes,
        programs: &files.programs,
        stonith: &ha_cf.fencing,
        tables: &own.fencing,
    };
    let devices = fencing.devices(&mut report);
    if let Some(layers) = &layers {
        let whole = checks::Whole {
            files,
            ha_cf: &ha_cf,
            layers,
            groups: &groups,
            aliases: &own.aliases,
            node: &node,
            fencing: !devices.is_empty(),
        };
        whole.check(&mut report);
    }
    let sound = !report.has_errors();
    let config = layers.filter(|_| sound).map(|layers| assemble(node, ha_cf, &layers, groups, own, devices));
    Loaded { config, keys: keys.filter(|_| sound), diagnostics: report.finish() }
}

fn read_ha_cf(files: &Files, host: &Host, scalars: &mut Scalars, report: &mut Report) -> HaCf {
    let path = &files.ha_cf;
    match std::fs::read(path) {
        Ok(bytes) => {
            let found = ha_cf::read(files, &bytes, host, scalars, report);
            if let Some(word) = found.pacemaker.as_ref().filter(|_| files.cib_xml.exists()) {
                let message = format!("{} exists: this node has run Pacemaker", files.cib_xml.display());
                report.notice(word, message, "its resources are not in haresources; move them there or to Corosync");
            }
            found
        }
        Err(error) => {
            let message = format!("Cannot open config file [{}]: {error}", path.display());
            report.error(&Word::file(path), message, "copy ha.cf from the other node and adapt the peer's address");
            HaCf::default()
        }
    }
}

/// hbd.toml, then hbd.toml.d/*.toml by name, then the environment.
fn read_own(files: &Files, host: &Host, scalars: &mut Scalars, report: &mut Report) -> Own {
    let mut own = Own::default();
    let mut paths = vec![files.hbd_toml.clone()];
    match drop_ins(&files.hbd_toml_dir) {
        Ok(found) => paths.extend(found),
        Err(error) => unreadable(&files.hbd_toml_dir, &error, report),
    }
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => hbd_toml::read(&path, &bytes, scalars, &mut own, report),
            Err(error) => unreadable(&path, &error, report),
        }
    }
    hbd_toml::read_environment(&host.environment, scalars, report);
    own
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

/// hbd's own files may be absent, but not unreadable: a setting would silently not count.
fn unreadable(path: &Path, error: &io::Error, report: &mut Report) {
    if error.kind() != io::ErrorKind::NotFound {
        let message = format!("cannot read {}: {error}", path.display());
        report.error(&Word::file(path), message, "make it readable, or remove it");
    }
}

fn read_haresources(files: &Files, ha_cf: &HaCf, aliases: &Aliases, node: &str, report: &mut Report) -> Vec<Found> {
    let path = &files.haresources;
    let units = aliases.iter().map(|(word, (unit, _))| (word.clone(), unit.clone())).collect();
    let context = Context {
        nodes: &ha_cf.nodes,
        aliases: &units,
        resource_d: &files.resource_d,
        init_d: &files.init_d,
        agents: &files.agents,
        fstab: &files.fstab,
        node,
    };
    match std::fs::read(path) {
        Ok(bytes) => haresources::read(path, &bytes, context, report),
        Err(error) => {
            let message = format!("Cannot open resources file [{}]: {error}", path.display());
            let help = "write lines `NODE ADDRESS SERVICE…`, the same on both nodes; the file may be empty";
            report.error(&Word::file(path), message, help);
            Vec::new()
        }
    }
}

/// Our own name, lower case: the first line of nodeinfo if it ends in a newline, else `uname -n` (02 §4.1).
fn own_name(files: &Files, host: &Host, report: &mut Report) -> String {
    let path = &files.nodeinfo;
    match std::fs::read(path).map(|bytes| text_of(&bytes)) {
        Ok(text) => match text.split_once('\n') {
            Some((line, _)) => return line.trim().to_ascii_lowercase(),
            None => report.warning(
                &Word::file(path),
                "the first line does not end in a newline: Heartbeat ignores the file, so does hbd",
                format!("echo NAME > {}", path.display()),
            ),
        },
        Err(error) => unreadable(path, &error, report),
    }
    host.node_name.to_ascii_lowercase()
}

/// Everything has been checked: put it together.
fn assemble(
    node: String,
    ha_cf: HaCf,
    layers: &Layers,
    groups: Vec<Found>,
    own: Own,
    fencing: Vec<FenceDevice>,
) -> Config {
    let settings = layers.settings.clone();
    let environment = environment::all(&node, layers, ha_cf.env);
    let policies = own.addresses.policies(&groups.iter().map(|found| &found.group).collect::<Vec<_>>());
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
        log_file: settings.logfile.filter(|path| path != Path::new("/dev/null")),
        debug_file: settings.debugfile.filter(|path| path != Path::new("/dev/null")),
        syslog_format: settings.syslogmsgfmt,
        debug: settings.debug,
        watchdog: settings.watchdog,
        watchdog_policy: own.watchdog,
        realtime: settings.realtime,
        rtprio: settings.rtprio,
        fencing,
        connectivity: own.ipfail.connectivity(ha_cf.ipfail.is_some()),
        recording: own.recording,
        lease: own.addresses.lease(),
        policies,
        limits: own.services.limits,
        health: own.services.health,
    }
}

/// The same group, its scripts with these variables, too. Their own come last: they count.
fn with_environment(mut group: Group, environment: &[(String, String)]) -> Group {
    for resource in &mut group.resources {
        if let ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) = &mut resource.kind {
            let own = std::mem::take(&mut script.environment);
            script.environment = environment::unique(environment.iter().cloned().chain(own));
        }
    }
    group
}
