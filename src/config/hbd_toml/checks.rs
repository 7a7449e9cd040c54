//! The tables `[groups."KEY".check]` of hbd.toml and the key `ready` of `[groups."KEY"]`: how a group's service is
//! checked.
//!
//! Owns the keys of these tables. What a probe looks for is read by [`super::probes`]. Runs nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::probes::{self, WrittenProbe};
use super::source::{TomlText, key_hint, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::Group;
use crate::config::service_checks::{CheckPurpose, CheckRule, ServiceCheck};
use crate::config::value::{ValueKind, nearest};

/// The keys of `[groups."KEY"]` that this module reads.
pub(super) const GROUP_KEYS: [&str; 2] = ["check", "ready"];

const TIME: ValueKind = ValueKind::Time { zero: false };
const COUNT: ValueKind = ValueKind::Integer { min: 1, max: 1000, unit: "results" };
/// The keys of a check in the order of hints; the probes' own come first.
const COMMON_KEYS: [&str; 5] = ["interval", "timeout", "fall", "rise", "restart"];

/// One check, not yet matched with its group.
#[derive(Debug)]
struct WrittenCheck {
    purpose: CheckPurpose,
    probe: WrittenProbe,
    interval: Duration,
    timeout: Duration,
    fall: u32,
    rise: u32,
    restart: Option<FileWord>,
}

impl WrittenCheck {
    fn new(purpose: CheckPurpose, probe: WrittenProbe) -> WrittenCheck {
        let (interval, timeout) = (Duration::from_secs(10), Duration::from_secs(5));
        WrittenCheck { purpose, probe, interval, timeout, fall: 3, rise: 2, restart: None }
    }
}

/// What one group says. A key replaces the same key of earlier files.
#[derive(Debug, Default)]
struct GroupChecks {
    check: Vec<WrittenCheck>,
    ready: Option<WrittenCheck>,
}

/// The checks of all groups, by their keys.
#[derive(Debug, Default)]
pub(in crate::config) struct CheckTables(BTreeMap<String, GroupChecks>);

impl CheckTables {
    /// Reads these keys of one group, in `[groups."KEY"]` or in `[[group]]`.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let group = self.0.entry(key.to_owned()).or_default();
        if let Some(value) = table.get("check") {
            group.check = check_tables(value, key, source, findings);
        }
        if let Some(value) = table.get("ready") {
            let probe = probes::command("ready", value, source, findings);
            group.ready = probe.map(|probe| WrittenCheck::new(CheckPurpose::Ready, probe));
        }
    }

    /// The checks of these groups, in their order.
    pub(in crate::config) fn checks(&self, groups: &[&Group], findings: &mut Findings) -> Vec<ServiceCheck> {
        let mut found = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let Some(written) = self.0.get(&group.key) else { continue };
            for one in written.check.iter().chain(&written.ready) {
                found.extend(one.check(index, group, findings));
            }
        }
        found
    }
}

impl WrittenCheck {
    /// The check of this group; `None` if what it names is not there.
    fn check(&self, index: usize, group: &Group, findings: &mut Findings) -> Option<ServiceCheck> {
        let restart = match &self.restart {
            None => last_service(group),
            Some(word) => match group.resources.iter().position(|resource| resource.word == word.text) {
                Some(resource) => resource,
                None => {
                    let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
                    let help = match nearest(&word.text, words.iter().copied()) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("write one of its resources: {}", words.join(", ")),
                    };
                    let message = format!("group {} has no resource `{}`", group.key, word.text);
                    findings.error(word, message, help);
                    return None;
                }
            },
        };
        let (probe, name) = self.probe.clone().at(group);
        let WrittenCheck { purpose, interval, timeout, fall, rise, .. } = *self;
        let rule = CheckRule { group: index, name, purpose, fall, rise, restart };
        Some(ServiceCheck { rule, probe, interval, timeout })
    }
}

/// The last resource that is not an address; in a group of addresses only, the last one.
fn last_service(group: &Group) -> usize {
    let service = group.resources.iter().rposition(|one| !one.kind.is_address());
    service.unwrap_or(group.resources.len() - 1)
}

/// `[groups."KEY".check]`, or several as `[[groups."KEY".check]]`.
fn check_tables(
    value: &Spanned<DeValue<'_>>,
    group: &str,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Vec<WrittenCheck> {
    let at = source.word(value.span());
    match value.get_ref() {
        DeValue::Table(found) => check_table(found, &at, group, source, findings).into_iter().collect(),
        DeValue::Array(list) if list.iter().all(|one| one.get_ref().is_table()) => list
            .iter()
            .filter_map(|one| {
                check_table(one.get_ref().as_table()?, &source.word(one.span()), group, source, findings)
            })
            .collect(),
        _ => {
            let help = format!("write [groups.\"{group}\".check] on a line of its own, with tcp = PORT for example");
            findings.error(&at, format!("`check` of [groups.\"{group}\"] is not a table"), help);
            Vec::new()
        }
    }
}

fn check_table(
    table: &DeTable<'_>,
    at: &FileWord,
    group: &str,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Option<WrittenCheck> {
    for (key, _) in table {
        let name = key.get_ref().as_ref();
        if !probes::KEYS.contains(&name) && !COMMON_KEYS.contains(&name) {
            let known: Vec<&str> = probes::KEYS.into_iter().chain(COMMON_KEYS).collect();
            let help = key_hint(name, &known, "a check");
            findings.error(&source.word(key.span()), format!("unknown key `{name}` of a check"), help);
        }
    }
    let probe = probes::read(table, at, group, source, findings);
    let unread = WrittenCheck::new(CheckPurpose::Service, probe?);
    let mut value = |name: &str, kind: ValueKind| {
        let found = table.get(name)?;
        let at = source.word(found.span());
        let parsed = scalar_text(found.get_ref()).map_err(|no| (no.why, no.help));
        let parsed = parsed.and_then(|text| kind.parse(&text).map_err(|no| (no.why, Some(no.help))));
        match parsed {
            Ok(accepted) => accepted.value.to_u128().and_then(|number| u64::try_from(number).ok()),
            Err((why, help)) => {
                let help = help.unwrap_or_else(|| "write one value behind the equals sign".to_owned());
                findings.error(&at, format!("bad value for `{name}` of a check: {why}"), help);
                None
            }
        }
    };
    let (interval, timeout) = (value("interval", TIME), value("timeout", TIME));
    let (fall, rise) = (value("fall", COUNT), value("rise", COUNT));
    let count = |number: Option<u64>, usual| number.and_then(|one| u32::try_from(one).ok()).unwrap_or(usual);
    Some(WrittenCheck {
        interval: interval.map_or(unread.interval, Duration::from_millis),
        timeout: timeout.map_or(unread.timeout, Duration::from_millis),
        fall: count(fall, unread.fall),
        rise: count(rise, unread.rise),
        restart: restart(table, source, findings),
        ..unread
    })
}

fn restart(table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) -> Option<FileWord> {
    let found = table.get("restart")?;
    let at = source.word(found.span());
    match found.get_ref() {
        DeValue::String(text) => Some(FileWord { text: text.to_string(), ..at }),
        _ => {
            let help = "write restart = \"RESOURCE\", a word of the group's line in haresources";
            findings.error(&at, "`restart` of a check is not a string", help);
            None
        }
    }
}
