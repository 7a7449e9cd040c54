//! The pair that a keepalived.conf describes.
//!
//! Owns what the blocks mean together: who prefers what, which links there are, how long silence may last. When
//! groups go back is [`super::returning`]'s.

use std::path::Path;

use toml::{Table, Value};

use super::global::GlobalDefinitions;
use super::instance::{self, MAIL, VrrpInstance};
use super::lines::{self, ConfStatement};
use super::notify::{self, Notify, NotifyScope};
use super::returning;
use super::tracking::{self, VrrpScript};
use super::verdicts::{ConfPlace, Verdicts};
use crate::cli::secret_key::SecretKey;
use crate::cli::setup::error::SetupError;
use crate::cli::setup::machine::Machine;
use crate::cli::setup::options::{LinkOption, SetupOptions};
use crate::cli::setup::proposal::{ImportedGroup, ImportedPair, Proposal, propose_imported};

/// Blocks of keepalived itself, and those that nothing but a refused or noted keyword can use.
const NOT_NEEDED: [&str; 10] = [
    "linkbeat_interfaces",
    "linkbeat_use_polling",
    "instance",
    "use_pid_dir",
    "child_wait_time",
    "namespace_with_ipsets",
    "vrrp_track_process",
    "vrrp_track_file",
    "track_file",
    "bfd_instance",
];

/// hbd's shortest deadtime with leases, seconds.
const SHORTEST_DEADTIME: u32 = 4;
/// The longest that the options allow.
const LONGEST_DEADTIME: u32 = 600;

/// What the file says, block by block.
#[derive(Debug, Default)]
struct Blocks {
    instances: Vec<VrrpInstance>,
    scripts: Vec<VrrpScript>,
    sync_groups: Vec<SyncGroup>,
    global: GlobalDefinitions,
}

/// A vrrp_sync_group.
#[derive(Debug)]
struct SyncGroup {
    place: ConfPlace,
    members: Vec<String>,
    notify: Vec<Notify>,
}

/// The proposal for a pair as the file describes it; the options say the rest, and come first.
///
/// # Errors
/// When the file cannot be read, or [`SetupError::Unfit`] with everything that stands in the way.
pub fn import(
    path: &Path,
    options: &SetupOptions,
    machine: &Machine,
    key: SecretKey,
) -> Result<Proposal, SetupError> {
    let mut verdicts = Verdicts::default();
    let statements = lines::read(path, &machine.node, &mut verdicts)?;
    let mut blocks = Blocks::default();
    for statement in &statements {
        blocks.take(statement, &mut verdicts);
    }
    if blocks.instances.is_empty() {
        verdicts.refusals.push(format!("{} has no vrrp_instance", path.display()));
    }
    let machine = &without_virtual_addresses(machine, &blocks.instances);
    let mut options = options.clone();
    if options.links.is_empty() {
        options.links = links(&blocks.instances);
    }
    if options.deadtime.is_none() {
        options.deadtime = deadtime(&blocks.instances);
    }
    options.no_failback |= returning::is_off(&blocks.instances);
    check_sync_groups(&blocks, &mut verdicts);
    let settings = settings(&blocks, &options, &mut verdicts);
    let groups = blocks.instances.iter().map(|one| group(one, &options, machine, &mut verdicts)).collect();
    let (mut notes, problems) = verdicts.into_notes_and_refusals();
    notes.push(
        "keepalived and hbd must not run beside each other: before hbd starts, systemctl disable --now keepalived on both nodes"
            .to_owned(),
    );
    let pair = ImportedPair { groups, settings, notes, problems };
    propose_imported(&options, machine, key, pair)
}

impl Blocks {
    fn take(&mut self, statement: &ConfStatement, verdicts: &mut Verdicts) {
        let place = &statement.place;
        match statement.keyword() {
            "vrrp_instance" => self.instances.push(instance::read(statement, verdicts)),
            "vrrp_script" => self.scripts.push(tracking::script(statement, verdicts)),
            "vrrp_sync_group" => self.sync_groups.push(sync_group(statement, verdicts)),
            "global_defs" => self.global.read(statement, verdicts),
            keyword @ ("virtual_server" | "virtual_server_group" | "real_server") => verdicts.refuse(
                place,
                format!(
                    "hbd balances no load ({keyword}): use ldirectord, or go on with keepalived for it, remove the block from \
                     a copy of this file and import that"
                ),
            ),
            keyword @ ("static_ipaddress" | "static_routes" | "static_rules") => verdicts.note(
                place,
                format!("{keyword} belongs to the machine, not to the pair: write it into the network's configuration"),
            ),
            "net_namespace" => verdicts.refuse(
                place,
                "hbd's addresses are those of the namespace in which it runs (net_namespace): let a drop-in of hbd.service \
                 set NetworkNamespacePath=, and remove the line from a copy of this file",
            ),
            keyword @ ("garp_group" | "interface_up_down_delays") => verdicts.note(
                place,
                format!("`{keyword}` has no counterpart: [addresses] and [health] of hbd.toml say when hbd announces and moves"),
            ),
            keyword if NOT_NEEDED.contains(&keyword) => verdicts.not_needed(keyword, place),
            keyword => verdicts.note(place, format!("`{keyword}` has no counterpart, and nothing is made of it")),
        }
    }

    /// The scripts that an instance tracks, its interfaces among them.
    fn scripts_of(&self, instance: &VrrpInstance, verdicts: &mut Verdicts) -> Vec<VrrpScript> {
        let mut found = Vec::new();
        for tracked in &instance.scripts {
            match self.scripts.iter().find(|script| script.name == tracked.name) {
                Some(script) => {
                    script.compare(tracked, verdicts);
                    found.push(script.clone());
                }
                None => verdicts.refuse(&tracked.place, format!("there is no vrrp_script {}", tracked.name)),
            }
        }
        for interface in &instance.interfaces {
            let script = VrrpScript::of_interface(&interface.name);
            script.compare(interface, verdicts);
            // hbd watches the carrier of the interfaces of its addresses by itself.
            let own = instance.addresses.iter().any(|address| address.device == interface.name);
            if !own {
                found.push(script);
            }
        }
        found
    }
}

fn sync_group(statement: &ConfStatement, verdicts: &mut Verdicts) -> SyncGroup {
    let mut group = SyncGroup { place: statement.place.clone(), members: Vec::new(), notify: Vec::new() };
    for inside in &statement.block {
        match inside.keyword() {
            "group" => {
                let below = inside.block.iter().flat_map(|line| &line.words);
                group.members.extend(inside.words.iter().skip(1).chain(below).cloned());
            }
            keyword if keyword.starts_with("notify") => {
                let name = statement.value().unwrap_or_default().to_owned();
                group.notify.extend(Notify::of(inside, NotifyScope { instance: false, name }, verdicts));
            }
            "smtp_alert" => verdicts.note(&inside.place, MAIL),
            keyword @ ("global_tracking" | "sync_group_tracking_weight") => verdicts.note(
                &inside.place,
                format!(
                    "{keyword} is not had: hbd has no weights, and what an instance tracks moves its whole sync group"
                ),
            ),
            keyword => verdicts.refuse(
                &inside.place,
                format!("`{keyword}` of a sync group: write it into each of its instances, in a copy of this file"),
            ),
        }
    }
    group
}

/// Groups that are kept together prefer the same node.
fn check_sync_groups(blocks: &Blocks, verdicts: &mut Verdicts) {
    for group in &blocks.sync_groups {
        let of = |name: &String| blocks.instances.iter().find(|instance| instance.name == *name);
        if group.members.is_empty() {
            verdicts
                .refuse(&group.place, "this sync group names no instance: write them below `group`, or remove it");
        }
        for unknown in group.members.iter().filter(|name| of(name).is_none()) {
            verdicts
                .refuse(&group.place, format!("there is no vrrp_instance {unknown}, which this sync group names"));
        }
        let states: Vec<Option<bool>> = group.members.iter().filter_map(of).map(|instance| instance.master).collect();
        if states.windows(2).any(|pair| pair[0] != pair[1]) {
            verdicts.refuse(
                &group.place,
                "the instances of this sync group have different states: in hbd those stay together that prefer the same node. \
                 Write the same state in all of them",
            );
        }
    }
}

/// `together` of hbd.toml: the keys of the groups of each sync group.
fn together(blocks: &Blocks) -> Vec<Value> {
    let keys = |group: &SyncGroup| -> Vec<Value> {
        let members = blocks.instances.iter().filter(|instance| group.members.contains(&instance.name));
        members.map(|instance| Value::from(instance.key())).collect()
    };
    blocks.sync_groups.iter().map(keys).filter(|keys| keys.len() > 1).map(Value::from).collect()
}

/// The machine without what keepalived may serve on it at this moment: that is not its own.
fn without_virtual_addresses(machine: &Machine, instances: &[VrrpInstance]) -> Machine {
    let mut machine = machine.clone();
    let served = |address| instances.iter().flat_map(|one| &one.addresses).any(|one| one.address == address);
    for interface in &mut machine.interfaces {
        interface.addresses.retain(|own| !served(own.address));
    }
    machine
}

/// The links that unicast_peer names.
fn links(instances: &[VrrpInstance]) -> Vec<LinkOption> {
    let mut links: Vec<LinkOption> = Vec::new();
    for instance in instances {
        let found = instance.peers.iter().map(|peer| LinkOption { device: instance.interface.clone(), peer: *peer });
        for link in found {
            if !links.contains(&link) {
                links.push(link);
            }
        }
    }
    links
}

/// keepalived waits for three intervals and a part of a second (RFC 5798 §6.1).
fn deadtime(instances: &[VrrpInstance]) -> Option<u32> {
    let longest = instances.iter().map(|instance| instance.interval).reduce(f64::max)?;
    let seconds = (3.0 * longest + 1.0).ceil().min(LONGEST_DEADTIME.into());
    Some((seconds as u32).max(SHORTEST_DEADTIME))
}

/// The line of haresources.
fn group(
    instance: &VrrpInstance,
    options: &SetupOptions,
    machine: &Machine,
    verdicts: &mut Verdicts,
) -> ImportedGroup {
    let words = instance.addresses.iter().map(|address| address.word.clone());
    let resources = words.chain(options.services.iter().cloned()).collect();
    let here = match (instance.master, instance.priority, &options.prefer) {
        (_, _, Some(node)) => *node == machine.node,
        (Some(true), ..) | (_, 255, _) => true,
        (Some(false), _, None) if !instance.nopreempt => {
            let text = format!("{} is BACKUP here, so it prefers the other node", instance.name);
            verdicts.note(&instance.place, text);
            false
        }
        (_, _, None) => {
            verdicts.refuse(
                &instance.place,
                format!(
                    "{} does not say on which node it begins (BACKUP on both; priority {} here): --prefer NAME says it",
                    instance.name, instance.priority
                ),
            );
            true
        }
    };
    ImportedGroup { here, resources }
}

/// hbd.toml.d: services on both nodes, as keepalived leaves them; checks; the program that is told.
fn settings(blocks: &Blocks, options: &SetupOptions, verdicts: &mut Verdicts) -> Table {
    let mut settings = returning::settings(&blocks.instances, blocks.global.startup_delay, verdicts);
    let mut groups = Table::new();
    let mut notified: Vec<(String, Notify)> = Vec::new();
    for instance in &blocks.instances {
        let scripts = blocks.scripts_of(instance, verdicts);
        let mut table = tracking::group_table(&scripts).unwrap_or_default();
        table.extend(returning::of_group(instance, &blocks.instances));
        let forms: Vec<Value> = instance
            .addresses
            .iter()
            .filter(|one| !one.form.is_empty())
            .map(|one| one.form.as_str().into())
            .collect();
        if !forms.is_empty() {
            table.insert("addresses".to_owned(), forms.into());
        }
        if !table.is_empty() {
            groups.insert(instance.key().to_owned(), table.into());
        }
        notified.extend(instance.notify.iter().map(|notify| (instance.key().to_owned(), notify.clone())));
    }
    for group in &blocks.sync_groups {
        let first = blocks.instances.iter().find(|instance| group.members.contains(&instance.name));
        let key = first.map_or("", VrrpInstance::key);
        notified.extend(group.notify.iter().map(|notify| (key.to_owned(), notify.clone())));
    }
    let together = together(blocks);
    if !together.is_empty() {
        settings.insert("together".to_owned(), together.into());
    }
    if !groups.is_empty() {
        settings.insert("groups".to_owned(), groups.into());
    }
    if !options.services.is_empty() {
        let everywhere = || Table::from_iter([("everywhere".to_owned(), Value::Boolean(true))]);
        let units = options.services.iter().map(|unit| (unit.clone(), everywhere().into()));
        settings.insert("units".to_owned(), Table::from_iter(units).into());
    }
    if let Some(table) = notify::table(&notified, verdicts) {
        settings.insert("notify".to_owned(), table.into());
    }
    settings
}
