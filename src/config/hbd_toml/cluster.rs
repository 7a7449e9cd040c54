//! The tables `[cluster]` and `[[program]]` of hbd.toml: what ha.cf says of nodes, ping nodes, times and programs.
//!
//! Owns the keys of these tables. What their words mean is judged by the reader of ha.cf.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::{NoScalar, TomlText, key_hint, scalar_text};
use super::words::WordReader;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::directives::{self, DIRECTIVES, Directive, Treatment};
use crate::config::form::{ClusterForm, WrittenPing, WrittenProgram};

/// The table with what the whole cluster has.
pub(super) const CLUSTER: &str = "cluster";
/// The keys of `[cluster]` that are no directive with one value.
const KEYS: [&str; 4] = ["name", "nodes", "ping", "env"];
const PROGRAM_KEYS: [&str; 3] = ["user", "command", "failfast"];

/// Reads `[cluster]`; its keys replace those of earlier files.
pub(super) fn read(table: &DeTable<'_>, source: &TomlText<'_>, form: &mut ClusterForm, findings: &mut Findings) {
    let mut reader = WordReader { table: "[cluster]", source, findings };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        match (name, value.get_ref()) {
            ("nodes", _) => match reader.list(name, value) {
                Some(nodes) => form.nodes = nodes,
                None => refuse(form, "node"),
            },
            ("ping", DeValue::Array(list)) => match pings(list, &mut reader) {
                Some(pings) => form.pings = pings,
                None => refuse(form, "ping"),
            },
            ("ping", _) => match reader.word(name, value) {
                Some(word) => form.pings = vec![WrittenPing::Host(word)],
                None => refuse(form, "ping"),
            },
            ("env", DeValue::Table(table)) => environment(table, form, &mut reader),
            ("env", _) => {
                let at = source.word(value.span());
                reader.findings.error(
                    &at,
                    "`env` in [cluster] is not a table",
                    "write [cluster.env] and NAME = \"VALUE\"",
                );
            }
            _ => match directive(name) {
                Some(directive) => setting(directive, value, form, &mut reader),
                None => {
                    let at = source.word(key.span());
                    reader.findings.error(&at, format!("unknown key `{name}` in [cluster]"), help_for(name));
                }
            },
        }
    }
}

fn refuse(form: &mut ClusterForm, directive: &'static str) {
    form.refused.insert(directive);
}

/// The directive of ha.cf that a key stands for.
fn directive(key: &str) -> Option<&'static Directive> {
    match key {
        "name" => directives::find(CLUSTER),
        CLUSTER => None,
        _ => directives::find(key).filter(|directive| directive.overridable()),
    }
}

/// What to write instead of an unknown key, which may be a directive of ha.cf.
fn help_for(key: &str) -> String {
    let no_effect = |directive: &Directive| matches!(directive.treatment, Treatment::NoEffect(_));
    match key {
        CLUSTER => "write name = \"…\"".to_owned(),
        "node" => "write nodes = [\"…\", \"…\"]".to_owned(),
        "ping6" | "ping_group" => {
            "`ping` takes both: ping = [\"10.0.0.1\", { name = \"…\", hosts = [\"…\", \"…\"] }]".to_owned()
        }
        "ucast" | "ucast6" | "bcast" | "udp" | "mcast" | "mcast6" | "serial" | "link" => {
            "write [[link]] on a line of its own, with `interface` and `peer` below it".to_owned()
        }
        "respawn" | "failfast" => {
            "write [[program]] on a line of its own, with `user` and `command` below it".to_owned()
        }
        "stonith" | "stonith_host" => "write [fence.\"NODE\"] on a line of its own".to_owned(),
        _ if directives::find(key).is_some_and(no_effect) => "leave it out: it has no effect in hbd".to_owned(),
        _ => {
            let settings = DIRECTIVES.iter().filter(|known| known.overridable() && known.name != CLUSTER);
            let known: Vec<&str> = KEYS.into_iter().chain(settings.map(|known| known.name)).collect();
            key_hint(key, &known, "[cluster]")
        }
    }
}

fn setting(
    directive: &'static Directive,
    value: &Spanned<DeValue<'_>>,
    form: &mut ClusterForm,
    reader: &mut WordReader<'_, '_>,
) {
    let at = reader.source.word(value.span());
    match scalar_text(value.get_ref()) {
        Ok(text) => {
            form.settings.insert(directive.name, (directive, FileWord { text, ..at }));
        }
        Err(NoScalar { why, help }) => {
            let help = help.unwrap_or_else(|| "write one value behind the equals sign".to_owned());
            reader.findings.error(&at, format!("bad value for `{}` in [cluster]: {why}", directive.name), help);
            refuse(form, directive.name);
        }
    }
}

/// The values of `ping`; `None` after a finding.
fn pings(list: &DeArray<'_>, reader: &mut WordReader<'_, '_>) -> Option<Vec<WrittenPing>> {
    let found: Vec<_> = list
        .iter()
        .filter_map(|value| match value.get_ref() {
            DeValue::Table(table) => ping_group(table, reader.source.word(value.span()), reader),
            _ => reader.word("ping", value).map(WrittenPing::Host),
        })
        .collect();
    (found.len() == list.len()).then_some(found)
}

fn ping_group(table: &DeTable<'_>, at: FileWord, reader: &mut WordReader<'_, '_>) -> Option<WrittenPing> {
    let mut odd = false;
    for (key, _) in table.iter().filter(|(key, _)| !["name", "hosts"].contains(&key.get_ref().as_ref())) {
        let name = key.get_ref().as_ref();
        let help = key_hint(name, &["name", "hosts"], "a group of ping nodes");
        let at = reader.source.word(key.span());
        reader.findings.error(&at, format!("unknown key `{name}` of a group of ping nodes"), help);
        odd = true;
    }
    let (Some(name), Some(hosts)) = (table.get("name"), table.get("hosts")) else {
        let help = "write { name = \"routers\", hosts = [\"10.0.0.1\", \"10.0.0.2\"] }";
        reader.findings.error(&at, "a group of ping nodes needs `name` and `hosts`", help);
        return None;
    };
    let (name, hosts) = (reader.word("name", name), reader.list("hosts", hosts));
    Some(WrittenPing::Group { name: name?, hosts: hosts? }).filter(|_| !odd)
}

fn environment(table: &DeTable<'_>, form: &mut ClusterForm, reader: &mut WordReader<'_, '_>) {
    for (key, value) in table {
        let at = reader.source.word(value.span());
        let name = FileWord { text: key.get_ref().to_string(), ..reader.source.word(key.span()) };
        match scalar_text(value.get_ref()) {
            Ok(text) if !text.contains(['\n', '\0']) => {
                form.env.insert(name.text.clone(), (name, FileWord { text, ..at }));
            }
            _ => {
                let message = format!("bad value for `{}` in [cluster.env]", name.text);
                reader.findings.error(&at, message, "write NAME = \"VALUE\", the value on one line");
            }
        }
    }
}

/// Reads one `[[program]]`.
pub(super) fn read_program(
    table: &DeTable<'_>,
    at: FileWord,
    source: &TomlText<'_>,
    form: &mut ClusterForm,
    findings: &mut Findings,
) {
    let before = findings.errors();
    for (key, _) in table.iter().filter(|(key, _)| !PROGRAM_KEYS.contains(&key.get_ref().as_ref())) {
        let name = key.get_ref().as_ref();
        let help = key_hint(name, &PROGRAM_KEYS, "[[program]]");
        findings.error(&source.word(key.span()), format!("unknown key `{name}` in [[program]]"), help);
    }
    let (Some(user), Some(command)) = (table.get("user"), table.get("command")) else {
        let help = "write user = \"root\" and command = [\"/PATH\", \"ARGUMENT\"] below it";
        findings.error(&at, "[[program]] needs `user` and `command`", help);
        return;
    };
    let mut reader = WordReader { table: "[[program]]", source, findings };
    let failfast = reader.flag("failfast", table).unwrap_or(false);
    let (user, command) = (reader.word("user", user), reader.list("command", command));
    if let (Some(user), Some(command), true) = (user, command, findings.errors() == before) {
        form.programs.push(WrittenProgram { at, user, command, failfast });
    }
}
