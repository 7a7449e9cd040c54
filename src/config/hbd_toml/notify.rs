//! The table `[notify]` of hbd.toml: the program that is told what happens to groups and nodes.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{TomlText, read_values, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::files::{Files, is_hidden};
use crate::config::types::NotifyProgram;
use crate::config::value::ValueKind;

/// The key with the program; all others have a single value.
const COMMAND: &str = "command";
pub(in crate::config) const KEYS: &[(&str, ValueKind)] =
    &[("timeout", ValueKind::Time { zero: false }), ("keepalived", ValueKind::Bool)];
const HELP: &str = "write command = \"/PATH\", or command = [\"/PATH\", \"ARGUMENT\"]";

/// The table.
#[derive(Debug, Default)]
pub(in crate::config) struct NotifyTable {
    program: NotifyProgram,
    /// Where the program stands.
    command_at: Option<FileWord>,
    /// Where another key stands.
    other_at: Option<FileWord>,
}

impl NotifyTable {
    /// Reads the table; its keys replace those of earlier files.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        let program = &mut self.program;
        read_values("notify", KEYS, &[COMMAND], table, source, findings, |key, value| match key {
            "timeout" => program.timeout = Duration::from_millis(value.parse().unwrap_or_default()),
            _ => program.keepalived = value == "true",
        });
        for (key, value) in table {
            match key.get_ref().as_ref() {
                COMMAND => self.read_command(value, source, findings),
                _ => self.other_at = Some(source.word(key.span())),
            }
        }
    }

    fn read_command(&mut self, value: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) {
        let at = source.word(value.span());
        let words: Option<Vec<String>> = match value.get_ref() {
            DeValue::String(path) => Some(vec![path.to_string()]),
            DeValue::Array(words) => words.iter().map(|word| scalar_text(word.get_ref()).ok()).collect(),
            _ => None,
        };
        match words.as_deref() {
            Some([path, ..]) if path.starts_with('/') => {
                self.program.command = words.unwrap_or_default();
                self.command_at = Some(at);
            }
            Some([path, ..]) => {
                findings.error(&at, format!("`command` in [notify]: `{path}` is not an absolute path"), HELP);
            }
            _ => findings.error(&at, "bad value for `command` in [notify]", HELP),
        }
    }

    /// Reports a program that cannot be run, which hbd can do without, and keys without a program.
    pub(in crate::config) fn check(&self, files: &Files, findings: &mut Findings) {
        match (&self.command_at, self.program.command.first()) {
            // systemd, which runs it, sees it all the same.
            (Some(at), Some(path)) if !is_hidden(path) && files.lacks_program(path) => {
                let help = "install it, chmod +x it, or write its arguments as words of their own: \
                            command = [\"/PATH\", \"ARGUMENT\"]";
                findings.warning(at, format!("there is no program `{path}` here, so nobody is told anything"), help);
            }
            _ => {}
        }
        if let (None, Some(at)) = (&self.command_at, &self.other_at) {
            findings.warning(at, "[notify] has no `command`, so this has no effect", HELP);
        }
    }

    /// The program, if there is one.
    pub(in crate::config) fn program(self) -> Option<NotifyProgram> {
        Some(self.program).filter(|program| !program.command.is_empty())
    }
}
