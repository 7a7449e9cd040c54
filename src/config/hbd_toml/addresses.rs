//! The tables `[addresses]` and `[groups]` of hbd.toml: whether addresses are leased, and what to do when another
//! machine uses one, for all groups or for one group.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::source::{TomlText, key_hint, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::Group;
use crate::config::types::{AddressPolicy, OnAnswer, OnClaim};
use crate::config::value::nearest;

/// The keys of a policy that one table sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct PartialPolicy {
    conflict: Option<OnAnswer>,
    probe: Option<Option<u16>>,
    on_claim: Option<OnClaim>,
}

/// Both tables.
#[derive(Debug, Default)]
pub(in crate::config) struct AddressTables {
    lease: Option<bool>,
    all: PartialPolicy,
    groups: BTreeMap<String, (PartialPolicy, FileWord)>,
}

impl AddressTables {
    /// Whether addresses may be leased.
    pub(in crate::config) fn lease(&self) -> bool {
        self.lease.unwrap_or(true)
    }

    /// The policy of every group, in their order.
    pub(in crate::config) fn policies(&self, groups: &[&Group]) -> Vec<AddressPolicy> {
        let usual = AddressPolicy::default();
        let policy = |group: &&Group| {
            let own = self.groups.get(&group.key).map_or(PartialPolicy::default(), |(own, _)| *own);
            AddressPolicy {
                conflict: own.conflict.or(self.all.conflict).unwrap_or(usual.conflict),
                probe: own.probe.or(self.all.probe).unwrap_or(usual.probe),
                on_claim: own.on_claim.or(self.all.on_claim).unwrap_or(usual.on_claim),
            }
        };
        groups.iter().map(policy).collect()
    }

    /// Reports tables for groups that do not exist.
    pub(in crate::config) fn check_groups(&self, groups: &[&Group], findings: &mut Findings) {
        for (key, (_, at)) in &self.groups {
            if groups.iter().any(|group| group.key == *key) {
                continue;
            }
            let help = match nearest(key, groups.iter().map(|group| group.key.as_str())) {
                Some(near) => format!("did you mean [groups.\"{near}\"]?"),
                None => "a group is named by its first resource, as written there".into(),
            };
            findings.error(at, format!("no group is named `{key}`"), help);
        }
    }

    /// Reads `[addresses]`; its keys replace those of earlier files. `others` are keys that the caller reads.
    pub(super) fn read_all(
        &mut self,
        table: &DeTable<'_>,
        others: &[&str],
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let at = source.word(value.span());
            if name == "lease" {
                match value.get_ref() {
                    DeValue::Boolean(lease) => self.lease = Some(*lease),
                    _ => findings.error(&at, "bad value for `lease` in [addresses]", "write lease = true or false"),
                }
            } else if !others.contains(&name) && !self.all.read(name, value.get_ref(), &at, findings) {
                let known = ["lease", "conflict", "probe", "on_claim"];
                let known: Vec<&str> = known.into_iter().chain(others.iter().copied()).collect();
                let help = key_hint(name, &known, "[addresses]");
                findings.error(&source.word(key.span()), format!("unknown key `{name}` in [addresses]"), help);
            }
        }
    }

    /// Reads `[groups."KEY"]`; its keys replace those of earlier files. `others` are keys that the caller reads.
    pub(super) fn read_groups(
        &mut self,
        table: &DeTable<'_>,
        others: &[&str],
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        for (key, value) in table {
            let at = source.word(key.span());
            let DeValue::Table(settings) = value.get_ref() else {
                let message = format!("`{}` in [groups] is not a table", key.get_ref());
                findings.error(&at, message, format!("write [groups.\"{}\"] on a line of its own", key.get_ref()));
                continue;
            };
            self.read_group(key.get_ref(), at, settings, others, source, findings);
        }
    }

    /// Reads what one group says, in `[groups."KEY"]` or in `[[group]]`.
    pub(super) fn read_group(
        &mut self,
        group: &str,
        at: FileWord,
        settings: &DeTable<'_>,
        others: &[&str],
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let (partial, _) = self.groups.entry(group.to_owned()).or_insert_with(|| (PartialPolicy::default(), at));
        for (key, value) in settings {
            let name = key.get_ref().as_ref();
            if !others.contains(&name) && !partial.read(name, value.get_ref(), &source.word(value.span()), findings) {
                let known: Vec<&str> =
                    ["conflict", "probe", "on_claim"].into_iter().chain(others.iter().copied()).collect();
                let help = key_hint(name, &known, "a group");
                findings.error(&source.word(key.span()), format!("unknown key `{name}` of a group"), help);
            }
        }
    }
}

impl PartialPolicy {
    /// Reads one key and reports a bad value. False if a policy has no such key.
    fn read(&mut self, name: &str, found: &DeValue<'_>, at: &FileWord, findings: &mut Findings) -> bool {
        let text = scalar_text(found).unwrap_or_default();
        let understood = match (name, text.as_str()) {
            ("conflict", "hold") => keep(&mut self.conflict, OnAnswer::Hold),
            ("conflict", "takeover") => keep(&mut self.conflict, OnAnswer::Takeover),
            ("on_claim", "yield") => keep(&mut self.on_claim, OnClaim::Yield),
            ("on_claim", "defend") => keep(&mut self.on_claim, OnClaim::Defend),
            ("probe", probe) => probe_port(probe).is_some_and(|probe_port| keep(&mut self.probe, probe_port)),
            ("conflict" | "on_claim", _) => false,
            _ => return false,
        };
        if !understood {
            let help = match name {
                "conflict" => "write conflict = \"hold\" or \"takeover\"",
                "on_claim" => "write on_claim = \"yield\" or \"defend\"",
                _ => "write probe = \"tcp:80\", with the service's own port, or \"none\"",
            };
            findings.error(at, format!("bad value for `{name}`"), help);
        }
        true
    }
}

/// Keeps a legal value; always true.
fn keep<T>(place: &mut Option<T>, value: T) -> bool {
    *place = Some(value);
    true
}

/// The port of `tcp:PORT`, or `Some(None)` for `none`; `None` for anything else.
fn probe_port(text: &str) -> Option<Option<u16>> {
    match text.strip_prefix("tcp:") {
        Some(probe_port) => probe_port.parse().ok().filter(|probe_port| *probe_port > 0).map(Some),
        None => (text == "none").then_some(None),
    }
}
