//! `move` in `[groups."KEY"]` and `[[group]]`: the program that moves the addresses of a group where an announcement
//! on the LAN moves nothing, such as a cloud or a routed network.
//!
//! Owns the key, and makes one more resource of the group for each of its addresses, behind the last of them. Runs
//! nothing: these resources are started and stopped like the scripts of haresources.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::names::NameTable;
use super::source::{NoScalar, TomlText, key_hint, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::files::{Files, is_hidden};
use crate::config::groups::{Dialect, Group, Recipe, Resource, ResourceKind, Script, Transient};
use crate::config::haresources::WrittenGroup;
use crate::config::value::ValueKind;

/// The key of a group that this module reads.
pub(super) const GROUP_KEY: &str = "move";
/// The keys of its long form.
const KEYS: [&str; 2] = ["command", "timeout"];
const HELP: &str =
    "write move = \"/PATH\", move = [\"/PATH\", \"ARGUMENT\"], or move = { command = \"/PATH\", timeout = 60 }";
/// How long one run may take where nothing is written: as long as a fencing program, which asks such devices, too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What one group says.
#[derive(Debug, Clone)]
struct Mover {
    at: FileWord,
    /// The program and its first arguments.
    command: Vec<String>,
    timeout: Duration,
}

/// The programs by the keys of their groups.
#[derive(Debug, Default)]
pub(in crate::config) struct MoveTables(BTreeMap<String, Mover>);

/// What the steps of a group depend on beside the group.
pub(in crate::config) struct MoveContext<'a> {
    pub files: &'a Files,
    pub names: &'a NameTable,
    pub nodes: &'a [FileWord],
    /// Our own node name.
    pub node: &'a str,
}

impl MoveTables {
    /// Reads the key of one group; it replaces that of earlier files.
    pub(super) fn read_group(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        source: &TomlText<'_>,
        findings: &mut Findings,
    ) {
        let Some(found) = table.get(GROUP_KEY) else { return };
        if let Some(mover) = mover(found, source, findings) {
            self.0.insert(key.to_owned(), mover);
        }
    }

    /// Adds the steps to these groups. Reports a program that cannot be run here, and a group without an address.
    pub(in crate::config) fn add_steps(
        &self,
        context: &MoveContext<'_>,
        groups: &mut [WrittenGroup],
        findings: &mut Findings,
    ) {
        for found in groups {
            let Some(mover) = self.0.get(&found.group.key) else { continue };
            let Some(last) = found.group.resources.iter().rposition(|one| address(one).is_some()) else {
                let help = "name the program as a resource of the group, or give the group an address";
                findings.error(&mover.at, "the group has no address that `move` could move", help);
                continue;
            };
            mover.report_missing(context.files, &found.group.key, findings);
            let addresses: Vec<_> = found.group.resources.iter().filter_map(address).collect();
            for (place, (address, device)) in addresses.iter().enumerate() {
                let step = mover.step(*address, device.as_deref(), &found.group, context);
                found.words.insert(last + 1 + place, FileWord { text: step.word.clone(), ..mover.at.clone() });
                found.group.resources.insert(last + 1 + place, step);
            }
        }
    }
}

impl Mover {
    /// The group cannot be served here without its program. systemd, which runs it, may see what hbd does not.
    fn report_missing(&self, files: &Files, group: &str, findings: &mut Findings) {
        let Some(path) = self.command.first() else { return };
        if !is_hidden(path) && files.lacks_program(path) {
            let help = "install it, chmod +x it, or write its arguments as words of their own: move = [\"/PATH\", \
                        \"ARGUMENT\"]";
            let message = format!("there is no program `{path}` here, so this node cannot serve the group {group}");
            findings.warning(&self.at, message, help);
        }
    }

    /// The resource that stands for the move of one address.
    fn step(&self, address: IpAddr, device: Option<&str>, group: &Group, context: &MoveContext<'_>) -> Resource {
        let name = context.names.names(&[group]).pop().flatten().unwrap_or_else(|| group.key.clone());
        let peer = context.nodes.iter().find(|node| node.text != context.node);
        let environment = [
            ("HBD_ADDRESS", address.to_string()),
            ("HBD_INTERFACE", device.unwrap_or_default().to_owned()),
            ("HBD_GROUP", name),
            ("HBD_GROUP_KEY", group.key.clone()),
            ("HBD_NODE", context.node.to_owned()),
            ("HBD_PEER", peer.map(|node| node.text.clone()).unwrap_or_default()),
        ];
        let mut command = self.command.clone();
        command.push(address.to_string());
        let script = Script {
            command,
            dialect: Dialect::Move,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            timeout: Some(self.timeout),
        };
        // No word of haresources gives a name with a second `-`, see its scripts. An address needs no escape.
        let unit = format!("hbd-move-{address}.service");
        let kind = ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) });
        Resource { word: format!("move::{address}"), kind }
    }
}

/// The address that this is, and its interface as it is written.
fn address(resource: &Resource) -> Option<(IpAddr, Option<String>)> {
    match &resource.kind {
        ResourceKind::Address(address) => Some((address.address, address.device.clone())),
        _ => None,
    }
}

/// The program as it is written: a path, a list, or a table with either and a limit.
fn mover(found: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) -> Option<Mover> {
    let at = source.word(found.span());
    let DeValue::Table(table) = found.get_ref() else {
        return Some(Mover { at, command: command(found, source, findings)?, timeout: TIMEOUT });
    };
    for (key, _) in table {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            let help = key_hint(key.get_ref(), &KEYS, "`move`");
            findings.error(&source.word(key.span()), format!("unknown key `{}` of `move`", key.get_ref()), help);
        }
    }
    let Some(program) = table.get("command") else {
        findings.error(&at, "`move` names no program", HELP);
        return None;
    };
    let command = command(program, source, findings)?;
    let Some(written) = table.get("timeout") else { return Some(Mover { at, command, timeout: TIMEOUT }) };
    let parsed = scalar_text(written.get_ref()).and_then(|text| {
        let parsed = ValueKind::Time { zero: false }.parse(&text);
        parsed.map_err(|refused| NoScalar { why: refused.why, help: Some(refused.help) })
    });
    match parsed {
        Ok(accepted) => {
            let milliseconds = accepted.value.to_u128().and_then(|number| u64::try_from(number).ok());
            Some(Mover { at, command, timeout: milliseconds.map_or(TIMEOUT, Duration::from_millis) })
        }
        Err(NoScalar { why, help }) => {
            let help = help.unwrap_or_else(|| "write seconds, for example timeout = 60".to_owned());
            findings.error(&source.word(written.span()), format!("bad value for `timeout` of `move`: {why}"), help);
            None
        }
    }
}

/// The absolute path of a program, alone or with its first arguments.
fn command(found: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let at = source.word(found.span());
    let words: Option<Vec<String>> = match found.get_ref() {
        DeValue::String(path) => Some(vec![path.to_string()]),
        DeValue::Array(words) => words.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    match words {
        Some(words) if words.first().is_some_and(|path| path.starts_with('/')) => Some(words),
        Some(words) if !words.is_empty() => {
            findings.error(&at, format!("`move`: `{}` is not an absolute path", words[0]), HELP);
            None
        }
        _ => {
            findings.error(&at, "bad value for `move` of a group", HELP);
            None
        }
    }
}
