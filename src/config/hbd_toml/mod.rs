//! hbd.toml, its drop-ins and the environment: values that override ha.cf, and settings that ha.cf does not have
//! (04 §14 no. 1).
//!
//! Owns which keys and tables there are: a key for each directive of ha.cf with one value, and a file of this folder
//! for each table. The toml crate parses; the layers are in `settings`.

mod address_options;
mod addresses;
mod aliases;
mod arrangement;
mod checks;
mod cluster;
mod failback;
pub(super) mod fence;
mod form_groups;
mod ipfail;
pub(super) mod keys;
mod links;
mod move_steps;
mod names;
pub(super) mod notify;
mod probes;
pub(super) mod record;
pub(super) mod services;
mod source;
pub(super) mod units;
mod unseen;
pub(super) mod watchdog;
pub(super) mod witness;
mod words;

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{FileWord, Findings, Location};
use super::directives::{self, DIRECTIVES, Directive};
use super::files::Files;
use super::form::ClusterForm;
use super::settings::{LayeredSettings, SettingCollector};
use super::types::{Recording, WatchdogPolicy};
use super::value::nearest;
use address_options::AddressOptionTables;
use addresses::AddressTables;
use checks::CheckTables;
use failback::FailbackKeys;
use fence::FenceTables;
use ipfail::IpfailTable;
use keys::KeysTable;
use move_steps::MoveTables;
use names::NameTable;
use notify::NotifyTable;
use services::ServiceTables;
use source::{NoScalar, TomlText, scalar_text};
use units::UnitTables;
use witness::WitnessTable;

pub(super) use aliases::Aliases;
use arrangement::ArrangementKeys;
pub(super) use move_steps::MoveContext;

/// The names of all tables, in the order in which hints list them.
const TABLES: [&str; 13] = [
    cluster::CLUSTER,
    "aliases",
    "record",
    "addresses",
    "groups",
    "units",
    "health",
    "ipfail",
    "watchdog",
    "fence",
    "keys",
    "notify",
    "witness",
];
/// The tables that stand as often as there are things of their kind.
const REPEATED: [&str; 3] = ["link", "group", "program"];

/// The keys at the top of the file that are no directives of ha.cf, for hbd.toml(5).
#[cfg(test)]
pub(super) const TOP_KEYS: [&[&str]; 2] = [&failback::KEYS, &arrangement::KEYS];

/// The keys of a group that are no policy of its addresses.
const OTHER_GROUP_KEYS: [&str; 13] = {
    let ([check, ready], [preferred, announce, tickle, conntrack, addresses, routes, rules]) =
        (checks::GROUP_KEYS, address_options::GROUP_KEYS);
    let [failback, priority, name, moves] =
        [failback::GROUP_KEY, arrangement::GROUP_KEY, names::GROUP_KEY, move_steps::GROUP_KEY];
    [check, ready, failback, priority, name, preferred, announce, tickle, conntrack, addresses, routes, rules, moves]
};

/// The tables: settings that ha.cf does not have.
#[derive(Debug, Default)]
pub(super) struct HbdToml {
    /// `[cluster]`, `[[link]]`, `[[group]]` and `[[program]]`.
    pub form: ClusterForm,
    /// Whether a file is no TOML: what it would have said is not known.
    pub unreadable: bool,
    /// `[aliases]`.
    pub aliases: Aliases,
    /// `[record]`.
    pub recording: Recording,
    /// `[addresses]` and `[groups]`.
    pub addresses: AddressTables,
    /// `preferred`, `announce`, `tickle` and `conntrack` of both, `addresses`, `routes` and `rules` of `[groups]`.
    pub address_options: AddressOptionTables,
    /// `move` of `[groups]`.
    pub moves: MoveTables,
    /// `check` and `ready` of `[groups]`.
    pub checks: CheckTables,
    /// `name` of `[groups]`.
    pub names: NameTable,
    /// `failback_after`, `failback_window`, `start_delay`, and `failback` of `[groups]`.
    pub failback: FailbackKeys,
    /// `together`, `apart`, `parallel_starts`, and `priority` of `[groups]`.
    pub arrangement: ArrangementKeys,
    /// `[units]` and `[units."UNIT"]`.
    pub units: UnitTables,
    /// `[health]`.
    pub services: ServiceTables,
    /// `[ipfail]`.
    pub ipfail: IpfailTable,
    /// `[fence]`.
    pub fencing: FenceTables,
    /// `[watchdog]` without its device, which is a setting of ha.cf.
    pub watchdog: WatchdogPolicy,
    /// `[notify]`.
    pub notify: NotifyTable,
    /// `[keys]`.
    pub keys: KeysTable,
    /// `[witness]`.
    pub witness: WitnessTable,
}

/// Reads one TOML file. Keys of ha.cf go to `scalars`; tables go to `tables`, over those of earlier files.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    scalars: &mut SettingCollector,
    tables: &mut HbdToml,
    findings: &mut Findings,
) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        findings.error(&FileWord::file(path), "the file is not UTF-8", "write it in UTF-8, as TOML demands");
        tables.unreadable = true;
        return;
    };
    let source = TomlText::new(path, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut told = 0;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        if let Some((at, odd)) = source.unseen(source.line_of(span.start)) {
            // One such character makes several mistakes of a line.
            if at.location.line != told {
                findings.error(&at, odd, unseen::HELP);
            }
            told = at.location.line;
            continue;
        }
        let at = source.mistake(span);
        findings.error(
            &at,
            error.message().trim_end().replace('\n', ", "),
            "see hbd.toml(5) and toml.io for the syntax",
        );
    }
    if !errors.is_empty() || unseen::report(table.get_ref(), &source, findings) {
        tables.unreadable = true;
        return;
    }
    read_top(table.get_ref(), &source, scalars, tables, findings);
}

/// Reads the keys and tables of a file.
fn read_top(
    table: &DeTable<'_>,
    source: &TomlText<'_>,
    scalars: &mut SettingCollector,
    tables: &mut HbdToml,
    findings: &mut Findings,
) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let at = source.word(key.span());
        let directive = scalar_directive(name);
        match (value.get_ref(), &directive) {
            (DeValue::Table(table), _) if TABLES.contains(&name) => {
                if name == cluster::CLUSTER {
                    tables.form.first.get_or_insert_with(|| at.clone());
                    tables.form.heading.get_or_insert_with(|| at.clone());
                }
                tables.read_table(name, table, at, source, findings);
                if let ("watchdog", Some(device), Ok(directive)) = (name, table.get(watchdog::DEVICE), &directive) {
                    read_scalar(directive, source, device, scalars, findings);
                }
            }
            (DeValue::Array(list), _)
                if REPEATED.contains(&name) && list.iter().all(|one| one.get_ref().is_table()) =>
            {
                tables.form.first.get_or_insert(at);
                for one in list.iter() {
                    let (Some(table), at) = (one.get_ref().as_table(), source.word(one.span())) else { continue };
                    tables.read_repeated(name, table, at, source, findings);
                }
            }
            (found, _) if failback::KEYS.contains(&name) => {
                tables.failback.read(name, source.word(value.span()), found, findings);
            }
            (found, _) if arrangement::KEYS.contains(&name) => {
                tables.arrangement.read(name, source.word(value.span()), found, source, findings);
            }
            (_, Ok(directive)) => read_scalar(directive, source, value, scalars, findings),
            (found, Err(_)) if TABLES.contains(&name) => {
                let help = match (name, found) {
                    ("groups", DeValue::Array(_)) => {
                        "write [[group]] for each group; [groups.\"KEY\"] says more of one".to_owned()
                    }
                    ("groups", _) => "write [groups.\"KEY\"] on a line of its own".to_owned(),
                    _ => format!("write [{name}] on a line of its own"),
                };
                findings.error(&at, format!("`{name}` is not a table"), help);
            }
            (_, Err(_)) if REPEATED.contains(&name) => {
                let help = format!("write [[{name}]] on a line of its own, once for each {name}");
                findings.error(&at, format!("`{name}` is not a list of tables"), help);
            }
            (_, Err(help)) => findings.error(&at, format!("unknown key `{name}`"), help.clone()),
        }
    }
}

impl HbdToml {
    /// Reports keys that ask for a program that cannot be run, or that have no effect.
    pub(super) fn check(&self, files: &Files, layers: Option<&LayeredSettings>, findings: &mut Findings) {
        self.notify.check(files, findings);
        if let Some(layers) = layers {
            self.failback.check(layers, findings);
        }
    }

    /// Reads one of [`TABLES`].
    fn read_table(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        at: FileWord,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        match name {
            cluster::CLUSTER => cluster::read(table, source, &mut self.form, findings),
            "aliases" => aliases::read(table, source, &mut self.aliases, findings),
            "record" => record::read(table, source, &mut self.recording, findings),
            "addresses" => {
                self.addresses.read_all(table, &address_options::KEYS, source, findings);
                self.address_options.read_all(table, source, findings);
            }
            "groups" => {
                self.addresses.read_groups(table, &OTHER_GROUP_KEYS, source, findings);
                let groups = table.iter().filter_map(|(key, value)| Some((key, value.get_ref().as_table()?)));
                for (key, group) in groups {
                    self.failback.read_group(key.get_ref(), group, source, findings);
                    self.names.read_group(key.get_ref(), group, source, findings);
                    self.arrangement.read_group(key.get_ref(), group, source, findings);
                    self.checks.read_group(key.get_ref(), group, source, findings);
                    self.address_options.read_group(key.get_ref(), group, source, findings);
                    self.moves.read_group(key.get_ref(), group, source, findings);
                }
            }
            "units" => self.units.read(table, source, findings),
            "health" => self.services.read_health(table, source, findings),
            "ipfail" => self.ipfail.read(table, source, findings),
            "watchdog" => watchdog::read(table, source, &mut self.watchdog, findings),
            "fence" => self.fencing.read(table, source, findings),
            "keys" => self.keys.read(table, source, findings),
            "notify" => self.notify.read(table, source, findings),
            "witness" => self.witness.read(at, table, source, findings),
            _ => {}
        }
    }
}

impl HbdToml {
    /// Reads one of [`REPEATED`].
    fn read_repeated(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        at: FileWord,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        match name {
            "link" => links::read(table, at, source, &mut self.form, findings),
            "program" => cluster::read_program(table, at, source, &mut self.form, findings),
            _ => {
                let others: Vec<&str> = form_groups::KEYS.into_iter().chain(OTHER_GROUP_KEYS).collect();
                if let Some(key) = form_groups::read(table, &at, source, &mut self.form, findings) {
                    self.addresses.read_group(&key, at, table, &others, source, findings);
                    self.checks.read_group(&key, table, source, findings);
                    self.failback.read_group(&key, table, source, findings);
                    self.address_options.read_group(&key, table, source, findings);
                    self.moves.read_group(&key, table, source, findings);
                    self.names.read_group(&key, table, source, findings);
                    self.arrangement.read_group(&key, table, source, findings);
                }
            }
        }
    }
}

/// Reads the variables `HBD_NAME`. An unknown one is no error, because another program may use it.
pub(super) fn read_environment(
    environment: &[(String, String)],
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) {
    for (name, value) in environment {
        let location = Location { file: Path::new("environment").into(), line: 0, column: 0, source: None };
        let at = FileWord { text: value.clone(), location };
        match scalar_directive(&name.to_ascii_lowercase()) {
            Ok(directive) => {
                scalars.note_treatment(directive, &at);
                scalars.add(directive, &at, findings);
            }
            Err(help) => findings.notice(&at, format!("HBD_{name} is no setting of hbd and is ignored"), help),
        }
    }
}

/// The directive that a key overrides, or a hint what to write instead.
fn scalar_directive(name: &str) -> Result<&'static Directive, String> {
    match directives::find(name) {
        Some(directive) if directive.overridable() => Ok(directive),
        Some(_) => Err(format!("`{name}` can stand in ha.cf only")),
        None => {
            let names = DIRECTIVES.iter().filter(|directive| directive.overridable()).map(|directive| directive.name);
            Err(
                match nearest(
                    name,
                    names.chain(failback::KEYS).chain(arrangement::KEYS).chain(TABLES).chain(REPEATED),
                ) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let tables = TABLES.iter().map(|table| format!("[{table}]"));
                        let tables = tables.chain(REPEATED.iter().map(|table| format!("[[{table}]]")));
                        let tables = tables.collect::<Vec<_>>().join(", ");
                        format!("keys are the names of ha.cf's directives with one value, and the tables {tables}")
                    }
                },
            )
        }
    }
}

/// Reads one value that overrides ha.cf: the same words as there, or TOML's own numbers and booleans.
fn read_scalar(
    directive: &'static Directive,
    source: &TomlText<'_>,
    value: &Spanned<DeValue<'_>>,
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) {
    let mut at = source.word(value.span());
    match scalar_text(value.get_ref()) {
        Ok(text) => {
            // The parsers check the value; the caret shows the place of the literal.
            at.text = text;
            scalars.note_treatment(directive, &at);
            scalars.add(directive, &at, findings);
        }
        Err(NoScalar { why, help }) => {
            let message = format!("bad value for `{}`: {why}", directive.name);
            findings.error(&at, message, help.unwrap_or_else(|| directive.usage()));
            scalars.mark_refused(directive.name);
        }
    }
}
