//! Reports the findings of all stages together, and gives one [`Config`] or none.
//!
//! Owns the order of the stages behind the reading of the files. The start of the daemon, its reload and `check`
//! call the same function (04 §5.4).

use std::net::IpAddr;
use std::path::Path;

use super::arrangement::Arrangement;
use super::authkeys::AuthKeys;
use super::checks::CrossChecks;
use super::checks_of_witness::WitnessSources;
use super::diagnostic::{Diagnostic, FileWord, Findings};
use super::environment;
use super::fencing::FencingSources;
use super::files::Files;
use super::groups::{Group, Recipe, Resource, ResourceKind, Transient};
use super::ha_cf::HaCf;
use super::haresources::WrittenGroup;
use super::hbd_toml::{HbdToml, MoveContext};
use super::host::Host;
use super::service_checks::ServiceCheck;
use super::settings::{LayeredSettings, SettingCollector};
use super::sources::{self, Sources};
use super::types::{Config, FenceDevice};
use super::unit_types::UnitPolicies;
use super::value::NO_PATH;
use super::witness::WitnessSettings;

/// What [`load`] gives.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The configuration; `None` if there is an error among the diagnostics.
    pub config: Option<Config>,
    /// The keys; `None` under the same condition.
    pub keys: Option<AuthKeys>,
    /// Everything found, errors first, then sorted by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
    /// The only error: this machine's name is that of no node of ha.cf. It may get another later.
    pub stranger: bool,
}

/// Reads all files and checks them as a whole. The caller decides what to do with the findings: a daemon logs them
/// and exits with status 6 if `config` is `None`; `check` prints them.
pub fn load(files: &Files, host: &Host) -> Loaded {
    let mut findings = Findings::default();
    let Some(sources) = sources::read(files, host, &mut findings) else {
        return Loaded { diagnostics: findings.into_sorted(), ..Loaded::default() };
    };
    let Sources { ha_cf, mut scalars, overrides, keys, mut hbd_toml, node, mut groups, groups_whole: whole } =
        sources;
    scalars.append(overrides);
    scalars.report_without_effect(&mut findings);
    let layers = layered(scalars, files, host, &mut findings);
    if whole {
        hbd_toml.services.match_groups(&groups, &mut findings);
        hbd_toml.units.match_units(&groups, &mut findings);
        // These are no words that a table could mean.
        let context = MoveContext { files, names: &hbd_toml.names, nodes: &ha_cf.nodes, node: &node };
        hbd_toml.moves.add_steps(&context, &mut groups, &mut findings);
    }
    let known: Vec<_> = groups.iter().map(|found| &found.group).collect();
    if !findings.has_errors() {
        hbd_toml.addresses.check_groups(&known, &mut findings);
        hbd_toml.address_options.check(files, &known, &mut findings);
    }
    hbd_toml.names.check(&known, &ha_cf.nodes, &mut findings);
    let (arrangement, service_checks) = said_of_groups(&hbd_toml, &known, whole, &mut findings);
    if !ha_cf.lacks_ping_nodes() {
        hbd_toml.ipfail.check(&ha_cf.ping_nodes, &mut findings);
    }
    hbd_toml.check(files, layers.as_ref(), &mut findings);
    hbd_toml.keys.check(keys.as_ref(), &mut findings);
    // Of a copy the modes are not those of the files.
    if !host.elsewhere {
        sources::check_ownership(files, &ha_cf, &hbd_toml, &mut findings);
    }
    let devices = fencing(files, &node, &ha_cf, &hbd_toml, &mut findings);
    if let Some(layers) = &layers {
        let checks = CrossChecks {
            files,
            form: &hbd_toml.form,
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
    let witness =
        layers.as_ref().and_then(|layers| witness(files, host, layers, &ha_cf, &hbd_toml, &known, &mut findings));
    let sound = !findings.has_errors();
    let stranger = findings.errors() == 1 && is_stranger(&ha_cf.nodes, &node);
    let beside = Beside { fencing: devices, checks: service_checks, arrangement, witness };
    let config = layers.filter(|_| sound).map(|layers| assemble(node, ha_cf, &layers, groups, hbd_toml, beside));
    Loaded { config, keys: keys.filter(|_| sound), diagnostics: findings.into_sorted(), stranger }
}

/// What hbd.toml says of these groups beyond their addresses. A group with a refused word is missing, and what is
/// said of it would be reported as unknown: then nothing is read.
fn said_of_groups(
    hbd_toml: &HbdToml,
    groups: &[&Group],
    whole: bool,
    findings: &mut Findings,
) -> (Arrangement, Vec<ServiceCheck>) {
    if !whole {
        return Default::default();
    }
    let names = hbd_toml.names.names(groups);
    (hbd_toml.arrangement.arrangement(groups, &names, findings), hbd_toml.checks.checks(groups, findings))
}

/// Whether this is the name of none of these nodes.
fn is_stranger(nodes: &[FileWord], name: &str) -> bool {
    !nodes.is_empty() && nodes.iter().all(|known| known.text != name)
}

/// What follows from several files together.
struct Beside {
    fencing: Vec<FenceDevice>,
    checks: Vec<ServiceCheck>,
    arrangement: Arrangement,
    witness: Option<WitnessSettings>,
}

/// The devices that reset other nodes.
fn fencing(files: &Files, node: &str, ha_cf: &HaCf, hbd_toml: &HbdToml, findings: &mut Findings) -> Vec<FenceDevice> {
    let sources = FencingSources {
        node,
        nodes: &ha_cf.nodes,
        programs: &files.programs,
        stonith: &ha_cf.fencing,
        tables: &hbd_toml.fencing,
    };
    sources.devices(findings)
}

/// `[witness]`, with what it needs of everything else.
fn witness(
    files: &Files,
    host: &Host,
    layers: &LayeredSettings,
    ha_cf: &HaCf,
    hbd_toml: &HbdToml,
    groups: &[&Group],
    findings: &mut Findings,
) -> Option<WitnessSettings> {
    let addresses: Vec<_> = groups.iter().flat_map(|group| &group.resources).filter_map(address).collect();
    let sources = WitnessSources {
        table: &hbd_toml.witness,
        files,
        timing: layers.timing(),
        lease: hbd_toml.addresses.lease(),
        media: &ha_cf.media,
        addresses: &addresses,
        elsewhere: host.elsewhere,
    };
    sources.witness(findings)
}

/// The address that this is.
fn address(resource: &Resource) -> Option<IpAddr> {
    match &resource.kind {
        ResourceKind::Address(address) => Some(address.address),
        _ => None,
    }
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

/// Puts together what has been read and checked.
fn assemble(
    node: String,
    ha_cf: HaCf,
    layers: &LayeredSettings,
    groups: Vec<WrittenGroup>,
    hbd_toml: HbdToml,
    beside: Beside,
) -> Config {
    let settings = layers.settings.clone();
    let environment = environment::for_programs(&node, layers, ha_cf.env);
    let units = with_mounts_of_fstab(hbd_toml.units.policies, &groups);
    let known: Vec<_> = groups.iter().map(|found| &found.group).collect();
    let (policies, address_options) = (hbd_toml.addresses.policies(&known), hbd_toml.address_options.options(&known));
    let (failback, group_names) = (hbd_toml.failback.policy(&known), hbd_toml.names.names(&known));
    Config {
        node,
        nodes: ha_cf.nodes.into_iter().map(|word| word.text).collect(),
        ping_nodes: ha_cf.ping_nodes,
        timing: layers.timing(),
        media: ha_cf.media.into_iter().map(|(medium, _)| medium).collect(),
        udpport: settings.udpport,
        baud: settings.baud,
        auto_failback: settings.auto_failback,
        failback,
        arrangement: beside.arrangement,
        hopfudge: settings.hopfudge,
        message_format: settings.msgfmt,
        compression: settings.compression(),
        cluster: settings.cluster,
        log_badpack: settings.log_badpack,
        generation_method: settings.hbgenmethod,
        uuid_from: settings.uuidfrom,
        group_names,
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
        fencing: beside.fencing,
        connectivity: hbd_toml.ipfail.connectivity(ha_cf.ipfail.is_some()),
        recording: hbd_toml.recording,
        required_method: hbd_toml.keys.required(),
        lease: hbd_toml.addresses.lease(),
        policies,
        address_options,
        limits: hbd_toml.units.limits,
        units,
        health: hbd_toml.services.health,
        checks: beside.checks,
        notify: hbd_toml.notify.program(),
        witness: beside.witness,
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
