//! hbd.toml, its drop-ins and the environment: what overrides ha.cf, and what ha.cf has no word for (04 §14 no. 1).
//!
//! Owns the schema of these files: top-level keys with the names of ha.cf's scalar directives, and the tables
//! `[aliases]`, `[record]`, `[addresses]`, `[groups]`, `[units]`, `[health]`, `[ipfail]`, `[watchdog]` and `[fence]`. Parsed by the toml crate for spans; the
//! layering itself is in `settings`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address_table::Addresses;
use super::diagnostic::{Place, Report, Word};
use super::directives::{self, DIRECTIVES, Directive};
use super::fencing::FenceTables;
use super::ipfail_table::Ipfail;
use super::record_table;
use super::resource;
use super::service_tables::Services;
use super::settings::Scalars;
use super::types::{Recording, WatchdogPolicy};
use super::value::nearest;
use super::watchdog_table;

/// Words of haresources with the units they mean, and where that is said.
pub(super) type Aliases = BTreeMap<String, (String, Word)>;

/// What ha.cf has no word for.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// `[aliases]`.
    pub aliases: Aliases,
    /// `[record]`.
    pub recording: Recording,
    /// `[addresses]` and `[groups]`.
    pub addresses: Addresses,
    /// `[units]` and `[health]`.
    pub services: Services,
    /// `[ipfail]`.
    pub ipfail: Ipfail,
    /// `[fence]`.
    pub fencing: FenceTables,
    /// `[watchdog]`, but for its device, which overrides ha.cf's.
    pub watchdog: WatchdogPolicy,
}

/// Reads one TOML file: scalars to `scalars`, tables over those read before.
pub(super) fn read(path: &Path, bytes: &[u8], scalars: &mut Scalars, own: &mut Own, report: &mut Report) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        report.error(&Word::file(path), "the file is not UTF-8", "write it in UTF-8, as TOML demands");
        return;
    };
    let source = Source { file: path.into(), text };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = source.word(error.span().unwrap_or(0..0));
        report.error(
            &at,
            error.message().trim_end().replace('\n', ", "),
            "see hbd.toml(5) and toml.io for the syntax",
        );
    }
    if !errors.is_empty() {
        return;
    }
    for (key, value) in table.get_ref() {
        let at = source.word(key.span());
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("aliases", DeValue::Table(table)) => read_aliases(table, &source, &mut own.aliases, report),
            ("aliases", _) => report.error(&at, "`aliases` is not a table", "write [aliases] on a line of its own"),
            ("record", DeValue::Table(table)) => record_table::read(table, &source, &mut own.recording, report),
            ("record", _) => report.error(&at, "`record` is not a table", "write [record] on a line of its own"),
            ("fence", DeValue::Table(table)) => own.fencing.read(table, &source, report),
            ("ipfail", DeValue::Table(table)) => own.ipfail.read(table, &source, report),
            (name @ "watchdog", DeValue::Table(table)) => {
                watchdog_table::read(table, &source, &mut own.watchdog, report);
                if let (Some(device), Ok(directive)) = (table.get(watchdog_table::DEVICE), scalar_directive(name)) {
                    scalar(directive, &source, device, device.get_ref(), scalars, report);
                }
            }
            ("addresses", DeValue::Table(table)) => own.addresses.read_all(table, &source, report),
            ("groups", DeValue::Table(table)) => own.addresses.read_groups(table, &source, report),
            ("units", DeValue::Table(table)) => own.services.read_units(table, &source, report),
            ("health", DeValue::Table(table)) => own.services.read_health(table, &source, report),
            (name @ ("addresses" | "groups" | "units" | "health" | "ipfail" | "fence"), _) => {
                report.error(
                    &at,
                    format!("`{name}` is not a table"),
                    format!(
                        "write [{}] on a line of its own",
                        if name == "groups" { "groups.\"KEY\"" } else { name }
                    ),
                );
            }
            (name, found) => match scalar_directive(name) {
                Ok(directive) => scalar(directive, &source, value, found, scalars, report),
                Err(help) => report.error(&at, format!("unknown key `{name}`"), help),
            },
        }
    }
}

/// Reads the variables `HBD_NAME`; an unknown one may belong to somebody else.
pub(super) fn read_environment(environment: &[(String, String)], scalars: &mut Scalars, report: &mut Report) {
    for (name, value) in environment {
        let place = Place { file: Path::new("environment").into(), line: 0, column: 0, source: None };
        let at = Word { text: value.clone(), place };
        match scalar_directive(&name.to_ascii_lowercase()) {
            Ok(directive) => {
                scalars.tell_status(directive, &at, report);
                scalars.take(directive, &at, report);
            }
            Err(help) => report.notice(&at, format!("HBD_{name} is no setting of hbd and is ignored"), help),
        }
    }
}

/// The directive a key overrides, or what to write instead.
fn scalar_directive(name: &str) -> Result<&'static Directive, String> {
    match directives::find(name) {
        Some(directive) if directive.overridable() => Ok(directive),
        Some(_) => Err(format!("`{name}` can stand in ha.cf only")),
        None => {
            let names = DIRECTIVES.iter().filter(|directive| directive.overridable()).map(|directive| directive.name);
            Err(match nearest(name, names.chain(["aliases", "record", "addresses", "groups", "units", "health", "ipfail", "watchdog", "fence"])) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "keys are the names of ha.cf's directives with one value, and the tables [aliases], [record], \
                     [addresses], [groups], [units], [health], [ipfail], [watchdog] and [fence]"
                        .into()
                }
            })
        }
    }
}

/// One scalar: the same words as in ha.cf, or TOML's own numbers and booleans.
fn scalar(
    directive: &'static Directive,
    source: &Source<'_>,
    value: &Spanned<DeValue<'_>>,
    found: &DeValue<'_>,
    scalars: &mut Scalars,
    report: &mut Report,
) {
    let mut at = source.word(value.span());
    let Some(text) = literal(found) else {
        let message = format!("bad value for `{}`: {} instead of one value", directive.name, found.type_str());
        report.error(&at, message, directive.usage());
        scalars.refuse(directive.name);
        return;
    };
    // What the parsers judge is the value; the caret keeps the place of the literal.
    at.text = text;
    scalars.tell_status(directive, &at, report);
    scalars.take(directive, &at, report);
}

/// The text of a single value as ha.cf would have it; `None` for anything else.
pub(super) fn literal(found: &DeValue<'_>) -> Option<String> {
    match found {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn read_aliases(table: &DeTable<'_>, source: &Source<'_>, aliases: &mut Aliases, report: &mut Report) {
    for (key, value) in table {
        let word = key.get_ref().to_string();
        let at = source.word(key.span());
        let shown = source.word(value.span());
        let DeValue::String(unit) = value.get_ref() else {
            let message = format!("alias `{word}` is not a string");
            report.error(&shown, message, "write the name of a unit in quotes, for example \"apache2.service\"");
            continue;
        };
        if resource::looks_like_address(&word) {
            let message = format!("`{word}` is an address: it has no unit");
            report.error(&at, message, "aliases are for the names of services and scripts");
            continue;
        }
        match resource::unit(unit) {
            Ok(name) if name == unit.as_ref() => {
                aliases.insert(word, (name, at));
            }
            Ok(name) => {
                let message = format!("alias `{word}`: `{unit}` lacks the unit's type");
                report.error(&shown, message, format!("write \"{name}\""));
            }
            Err(refused) => report.error(&shown, format!("alias `{word}`: {}", refused.why), refused.help),
        }
    }
}

/// A TOML file, to turn byte spans into places.
pub(super) struct Source<'a> {
    file: Arc<Path>,
    text: &'a str,
}

impl Source<'_> {
    /// The text of a span with its line and column. A span over several lines is cut at the first line's end.
    pub(super) fn word(&self, span: std::ops::Range<usize>) -> Word {
        let start =
            (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let end = span.end.min(line_start + line.len());
        Word {
            text: self.text.get(start..end).unwrap_or("").to_owned(),
            place: Place {
                file: self.file.clone(),
                line: before.matches('\n').count() + 1,
                column: self.text[line_start..start].chars().count() + 1,
                source: Some(line.into()),
            },
        }
    }
}
