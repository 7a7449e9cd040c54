//! hbd.toml, its drop-ins and the environment: what overrides ha.cf, and what ha.cf has no word for (04 §14 no. 1).
//!
//! Owns the schema of these files: top-level keys with the names of ha.cf's scalar directives, and the tables
//! `[aliases]`, `[record]`, `[addresses]`, `[groups]`, `[units]`, `[health]`, `[ipfail]`, `[watchdog]` and `[fence]`. Parsed by the toml crate for spans; the
//! layering itself is in `settings`.

mod addresses;
mod aliases;
pub(super) mod fence;
mod ipfail;
mod record;
mod services;
mod source;
mod watchdog;

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Findings, Location, Word};
use super::directives::{self, DIRECTIVES, Directive};
use super::settings::SettingCollector;
use super::types::{Recording, WatchdogPolicy};
use super::value::nearest;
use addresses::AddressTables;
use fence::FenceTables;
use ipfail::IpfailTable;
use services::ServiceTables;
use source::{TomlText, scalar_text};

pub(super) use aliases::Aliases;

/// What ha.cf has no word for.
#[derive(Debug, Default)]
pub(super) struct HbdToml {
    /// `[aliases]`.
    pub aliases: Aliases,
    /// `[record]`.
    pub recording: Recording,
    /// `[addresses]` and `[groups]`.
    pub addresses: AddressTables,
    /// `[units]` and `[health]`.
    pub services: ServiceTables,
    /// `[ipfail]`.
    pub ipfail: IpfailTable,
    /// `[fence]`.
    pub fencing: FenceTables,
    /// `[watchdog]`, but for its device, which overrides ha.cf's.
    pub watchdog: WatchdogPolicy,
}

/// Reads one TOML file: scalars to `scalars`, tables over those read before.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    scalars: &mut SettingCollector,
    own: &mut HbdToml,
    findings: &mut Findings,
) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        findings.error(&Word::file(path), "the file is not UTF-8", "write it in UTF-8, as TOML demands");
        return;
    };
    let source = TomlText::new(path, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = source.word(error.span().unwrap_or(0..0));
        findings.error(
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
            ("aliases", DeValue::Table(table)) => aliases::read(table, &source, &mut own.aliases, findings),
            ("aliases", _) => findings.error(&at, "`aliases` is not a table", "write [aliases] on a line of its own"),
            ("record", DeValue::Table(table)) => record::read(table, &source, &mut own.recording, findings),
            ("record", _) => findings.error(&at, "`record` is not a table", "write [record] on a line of its own"),
            ("fence", DeValue::Table(table)) => own.fencing.read(table, &source, findings),
            ("ipfail", DeValue::Table(table)) => own.ipfail.read(table, &source, findings),
            (name @ "watchdog", DeValue::Table(table)) => {
                watchdog::read(table, &source, &mut own.watchdog, findings);
                if let (Some(device), Ok(directive)) = (table.get(watchdog::DEVICE), scalar_directive(name)) {
                    scalar(directive, &source, device, device.get_ref(), scalars, findings);
                }
            }
            ("addresses", DeValue::Table(table)) => own.addresses.read_all(table, &source, findings),
            ("groups", DeValue::Table(table)) => own.addresses.read_groups(table, &source, findings),
            ("units", DeValue::Table(table)) => own.services.read_units(table, &source, findings),
            ("health", DeValue::Table(table)) => own.services.read_health(table, &source, findings),
            (name @ ("addresses" | "groups" | "units" | "health" | "ipfail" | "fence"), _) => {
                findings.error(
                    &at,
                    format!("`{name}` is not a table"),
                    format!(
                        "write [{}] on a line of its own",
                        if name == "groups" { "groups.\"KEY\"" } else { name }
                    ),
                );
            }
            (name, found) => match scalar_directive(name) {
                Ok(directive) => scalar(directive, &source, value, found, scalars, findings),
                Err(help) => findings.error(&at, format!("unknown key `{name}`"), help),
            },
        }
    }
}

/// Reads the variables `HBD_NAME`; an unknown one may belong to somebody else.
pub(super) fn read_environment(
    environment: &[(String, String)],
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) {
    for (name, value) in environment {
        let location = Location { file: Path::new("environment").into(), line: 0, column: 0, source: None };
        let at = Word { text: value.clone(), location };
        match scalar_directive(&name.to_ascii_lowercase()) {
            Ok(directive) => {
                scalars.report_treatment(directive, &at, findings);
                scalars.add(directive, &at, findings);
            }
            Err(help) => findings.notice(&at, format!("HBD_{name} is no setting of hbd and is ignored"), help),
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
    source: &TomlText<'_>,
    value: &Spanned<DeValue<'_>>,
    found: &DeValue<'_>,
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) {
    let mut at = source.word(value.span());
    let Some(text) = scalar_text(found) else {
        let message = format!("bad value for `{}`: {} instead of one value", directive.name, found.type_str());
        findings.error(&at, message, directive.usage());
        scalars.mark_refused(directive.name);
        return;
    };
    // What the parsers judge is the value; the caret keeps the place of the literal.
    at.text = text;
    scalars.report_treatment(directive, &at, findings);
    scalars.add(directive, &at, findings);
}
