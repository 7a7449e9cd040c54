//! How addresses are put on an interface and announced, and what becomes of connections with them: `preferred`,
//! `announce`, `tickle` and `conntrack` in `[addresses]` for all groups and in `[groups."KEY"]` for one, and there
//! `addresses`, `routes` and `rules`.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::failback::span;
use super::source::{NoScalar, TomlText, key_hint, scalar_text};
use crate::config::address_form;
use crate::config::address_options::{AddressOptions, AnnouncePolicy, ConntrackPolicy, source_of};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::files::Files;
use crate::config::groups::{Group, ResourceKind};
use crate::config::refused::Refused;
use crate::config::routes::{self, RouteWords};
use crate::config::value::boolean;

/// The keys of `[addresses]` that this module reads.
pub(super) const KEYS: [&str; 4] = ["preferred", "announce", "tickle", "conntrack"];
/// The keys of `[groups."KEY"]` that this module reads.
pub(super) const GROUP_KEYS: [&str; 7] =
    ["preferred", "announce", "tickle", "conntrack", "addresses", "routes", "rules"];

/// The keys of `announce`.
const ANNOUNCE_KEYS: [&str; 4] = ["repeat", "delay", "refresh", "pace"];
/// More announcements than this, or a longer pause between two frames, are a mistake.
const MOST_REPEATS: u32 = 100;
const LONGEST_PACE: Duration = Duration::from_secs(10);
/// Announcements more often than this are what `repeat` and `pace` are for.
const SHORTEST_SPAN: Duration = Duration::from_secs(1);

/// What one table sets.
#[derive(Debug, Clone, Default)]
struct PartialOptions {
    preferred: Option<bool>,
    announce: PartialAnnounce,
    tickle: Option<bool>,
    conntrack: Option<ConntrackPolicy>,
    /// As they are written: what they mean depends on the group's addresses.
    addresses: Option<Vec<FileWord>>,
    routes: Option<Vec<FileWord>>,
    rules: Option<Vec<FileWord>>,
}

/// The keys of `announce` that one table sets.
#[derive(Debug, Clone, Copy, Default)]
struct PartialAnnounce {
    repeat: Option<u32>,
    delay: Option<Duration>,
    refresh: Option<Duration>,
    pace: Option<Duration>,
}

/// What the files set. A key replaces the same key of earlier files.
#[derive(Debug, Default)]
pub(in crate::config) struct AddressOptionTables {
    all: PartialOptions,
    groups: BTreeMap<String, PartialOptions>,
    /// The numbers of this machine's tables of routes by their names.
    tables: BTreeMap<String, u32>,
}

impl AddressOptionTables {
    /// Reads [`KEYS`] of `[addresses]`.
    pub(super) fn read_all(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        self.all.read(table, source, findings);
    }

    /// Reads [`GROUP_KEYS`] of one group, in `[groups."KEY"]` or in `[[group]]`.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let own = self.groups.entry(key.to_owned()).or_default();
        own.read(table, source, findings);
        let lists = [("addresses", &mut own.addresses), ("routes", &mut own.routes), ("rules", &mut own.rules)];
        for (name, place) in lists {
            if let Some(found) = table.get(name) {
                *place = texts(name, found, source, findings).or(place.take());
            }
        }
    }

    /// Reports addresses, routes and rules that cannot be put into the kernel on this machine as they are written.
    pub(in crate::config) fn check(&mut self, files: &Files, groups: &[&Group], findings: &mut Findings) {
        self.tables = table_names(files);
        for group in groups {
            let Some(own) = self.groups.get(&group.key) else { continue };
            let vips = addresses(group);
            let words = RouteWords { vips: &vips, tables: &self.tables };
            let mut judge = |what: &str, at: &FileWord, refused: Option<Refused>| {
                if let Some(Refused { why, help }) = refused {
                    findings.error(at, format!("{what} `{}`: {why}", at.text), help);
                }
            };
            let (routes, rules) = (own.routes.iter().flatten(), own.rules.iter().flatten());
            routes.for_each(|at| judge("route", at, routes::route(&at.text, words).err()));
            rules.for_each(|at| judge("rule", at, routes::rule(&at.text, words).err()));
            own.check_addresses(group, &vips, findings);
            let first = own.routes.iter().chain(&own.rules).flatten().next();
            if let Some(at) = first.filter(|_| vips.is_empty()) {
                let help = "give the group an address, or set the routes elsewhere";
                findings.error(at, "the group has no address that its routes and rules could come with", help);
            }
        }
    }

    /// The options of every group, in their order.
    pub(in crate::config) fn options(&self, groups: &[&Group]) -> Vec<AddressOptions> {
        let none = PartialOptions::default();
        let options = |group: &&Group| {
            let own = self.groups.get(&group.key).unwrap_or(&none);
            let vips = addresses(group);
            let words = RouteWords { vips: &vips, tables: &self.tables };
            AddressOptions {
                preferred: own.preferred.or(self.all.preferred).unwrap_or_default(),
                source: source_of(group),
                forms: own
                    .addresses
                    .iter()
                    .flatten()
                    .filter_map(|at| address_form::read(&at.text, &vips).ok())
                    .collect(),
                announce: own.announce.over(self.all.announce),
                tickle: own.tickle.or(self.all.tickle).unwrap_or_default(),
                conntrack: own.conntrack.or(self.all.conntrack).unwrap_or_default(),
                routes: own.routes.iter().flatten().filter_map(|at| routes::route(&at.text, words).ok()).collect(),
                rules: own.rules.iter().flatten().filter_map(|at| routes::rule(&at.text, words).ok()).collect(),
            }
        };
        groups.iter().map(options).collect()
    }
}

impl PartialOptions {
    /// Reports entries of `addresses` that are none, or that say again what something else says.
    fn check_addresses(&self, group: &Group, vips: &[IpAddr], findings: &mut Findings) {
        let mut seen: Vec<IpAddr> = Vec::new();
        for at in self.addresses.iter().flatten() {
            let (address, form) = match address_form::read(&at.text, vips) {
                Ok(read) => read,
                Err(Refused { why, help }) => {
                    findings.error(at, format!("address `{}`: {why}", at.text), help);
                    continue;
                }
            };
            if seen.contains(&address) {
                findings.error(at, format!("{address} stands twice in `addresses`"), "write all of it in one entry");
            }
            seen.push(address);
            let line = group.resources.iter().find_map(|resource| match &resource.kind {
                ResourceKind::Address(found) if found.address == address => found.label.as_deref(),
                _ => None,
            });
            if let (Some(_), Some(label)) = (&form.label, line) {
                let message = format!("the group's line gives {address} the label {label}");
                findings.error(at, message, "leave label out here, or there");
            }
        }
    }

    fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        for (name, place) in [("preferred", &mut self.preferred), ("tickle", &mut self.tickle)] {
            let Some(found) = table.get(name) else { continue };
            match scalar_text(found.get_ref()).ok().as_deref().and_then(boolean) {
                Some(value) => *place = Some(value),
                None => findings.error(
                    &source.word(found.span()),
                    format!("bad value for `{name}`"),
                    format!("write {name} = true or false"),
                ),
            }
        }
        if let Some(found) = table.get("conntrack") {
            match scalar_text(found.get_ref()).ok().as_deref() {
                Some("keep") => self.conntrack = Some(ConntrackPolicy::Keep),
                Some("flush") => self.conntrack = Some(ConntrackPolicy::Flush),
                _ => {
                    let help = "write conntrack = \"flush\" or \"keep\"";
                    findings.error(&source.word(found.span()), "bad value for `conntrack`", help);
                }
            }
        }
        if let Some(found) = table.get("announce") {
            self.announce.read(found, source, findings);
        }
    }
}

impl PartialAnnounce {
    fn over(self, all: PartialAnnounce) -> AnnouncePolicy {
        let usual = AnnouncePolicy::default();
        AnnouncePolicy {
            repeat: self.repeat.or(all.repeat).unwrap_or(usual.repeat),
            delay: self.delay.or(all.delay).unwrap_or(usual.delay),
            refresh: self.refresh.or(all.refresh).unwrap_or(usual.refresh),
            pace: self.pace.or(all.pace).unwrap_or(usual.pace),
        }
    }

    fn read(&mut self, found: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) {
        let Some(table) = found.get_ref().as_table() else {
            let help = "write announce = { repeat = 5, delay = \"10s\", refresh = \"1m\" }, for example";
            return findings.error(&source.word(found.span()), "`announce` is not a table", help);
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !ANNOUNCE_KEYS.contains(&name) {
                let help = key_hint(name, &ANNOUNCE_KEYS, "`announce`");
                findings.error(&source.word(key.span()), format!("unknown key `{name}` of `announce`"), help);
                continue;
            }
            let read = scalar_text(value.get_ref()).map_err(|NoScalar { why, help }| (why, help));
            if let Err((why, help)) = read.and_then(|text| self.keep(name, &text)) {
                let help = help.unwrap_or_else(|| "write one value behind the equals sign".to_owned());
                findings.error(
                    &source.word(value.span()),
                    format!("bad value for `{name}` of `announce`: {why}"),
                    help,
                );
            }
        }
    }

    fn keep(&mut self, name: &str, text: &str) -> Result<(), (String, Option<String>)> {
        let refuse = |why: &str, help: String| Err((format!("`{text}` {why}"), Some(help)));
        if name == "repeat" {
            return match text.parse().ok().filter(|repeat| (1..=MOST_REPEATS).contains(repeat)) {
                Some(repeat) => {
                    self.repeat = Some(repeat);
                    Ok(())
                }
                None => refuse("is no such number", format!("write a whole number from 1 to {MOST_REPEATS}")),
            };
        }
        let time = span(text)?;
        match name {
            "pace" if time > LONGEST_PACE => {
                refuse("is too long", "write 10s or less, for example 100ms for ten frames in a second".to_owned())
            }
            "pace" => {
                self.pace = Some(time);
                Ok(())
            }
            _ if !time.is_zero() && time < SHORTEST_SPAN => {
                refuse("is too short", "write 1s or more, or 0 for no such announcements".to_owned())
            }
            "delay" => {
                self.delay = Some(time);
                Ok(())
            }
            _ => {
                self.refresh = Some(time);
                Ok(())
            }
        }
    }
}

/// The tables that iproute2 knows by a name.
fn table_names(files: &Files) -> BTreeMap<String, u32> {
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let directories = ["/usr/share/iproute2", "/etc/iproute2"].map(|path| files.on_this_machine(path));
    let texts: Vec<String> = directories.iter().filter_map(|directory| read(directory.join("rt_tables"))).collect();
    routes::table_names(texts.iter().map(String::as_str))
}

/// The addresses of a group in their order.
fn addresses(group: &Group) -> Vec<IpAddr> {
    let address =
        |kind: &ResourceKind| if let ResourceKind::Address(address) = kind { Some(address.address) } else { None };
    group.resources.iter().filter_map(|resource| address(&resource.kind)).collect()
}

/// A list of texts; reports anything else.
fn texts(
    name: &str,
    found: &Spanned<DeValue<'_>>,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Option<Vec<FileWord>> {
    let text = |one: &Spanned<DeValue<'_>>| {
        let text = one.get_ref().as_str()?.to_owned();
        Some(FileWord { text, ..source.word(one.span()) })
    };
    let list = found.get_ref().as_array().and_then(|list| list.iter().map(text).collect::<Option<Vec<_>>>());
    if list.is_none() {
        let example = match name {
            "rules" => "from VIP table 100 priority 100",
            "routes" => "default via 192.168.17.1 src VIP",
            _ => "VIP label eth0:web metric 100",
        };
        let help = format!("write {name} = [\"{example}\"], for example");
        findings.error(&source.word(found.span()), format!("`{name}` of a group is no list of texts"), help);
    }
    list
}
