//! Notify scripts become the program of `[notify]`, called as keepalived calls them.

use super::lines::ConfStatement;
use super::verdicts::{ConfPlace, Verdicts};

/// Whose state a script is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotifyScope {
    /// An instance, or else a sync group.
    pub instance: bool,
    pub name: String,
}

/// A script, and when it runs.
#[derive(Debug, Clone)]
pub(super) struct Notify {
    scope: NotifyScope,
    /// `None`: at every change, with the state as an argument.
    state: Option<&'static str>,
    /// As a shell reads it.
    command: String,
    place: ConfPlace,
}

impl Notify {
    /// A statement that begins with `notify`.
    pub fn of(statement: &ConfStatement, scope: NotifyScope, verdicts: &mut Verdicts) -> Option<Notify> {
        let state = match statement.keyword() {
            "notify" => None,
            "notify_master" => Some("MASTER"),
            "notify_backup" => Some("BACKUP"),
            "notify_fault" => Some("FAULT"),
            "notify_stop" => Some("STOP"),
            keyword => {
                verdicts.note(&statement.place, format!("`{keyword}` has no counterpart, and nothing is made of it"));
                return None;
            }
        };
        let command = statement.value().unwrap_or_default().to_owned();
        if !command.starts_with('/') {
            let text = format!("`{}` needs a program with its absolute path", statement.keyword());
            verdicts.refuse(&statement.place, text);
            return None;
        }
        Some(Notify { scope, state, command, place: statement.place.clone() })
    }

    /// The line of the shell that runs it for the group `key`. hbd gives INSTANCE, the group, the state and the
    /// priority (hbd.toml(5)); the script is told keepalived's own name.
    fn shell_line(&self, key: &str) -> String {
        let command = &self.command;
        match self.state {
            Some(state) => format!("case \"$2 $3\" in '{key} {state}') {command} ;; esac"),
            None => {
                let kind = if self.scope.instance { "INSTANCE" } else { "GROUP" };
                let name = &self.scope.name;
                format!("case \"$2\" in '{key}') {command} {kind} '{name}' \"$3\" \"$4\" ;; esac")
            }
        }
    }
}

/// The table `[notify]`, from scripts and the groups that they are about; `None` for none.
pub(super) fn table(notified: &[(String, Notify)], verdicts: &mut Verdicts) -> Option<toml::Table> {
    let (_, first) = notified.first()?;
    let text = "hbd runs it as root, whatever script_user says; its output is in journalctl -u 'hbd-notify-*'";
    verdicts.note(&first.place, text);
    let lines: Vec<String> = notified.iter().map(|(key, notify)| notify.shell_line(key)).collect();
    let command = ["/bin/sh", "-c", &lines.join("\n"), "hbd-notify"].map(|word| toml::Value::String(word.to_owned()));
    let mut table = toml::Table::new();
    table.insert("command".to_owned(), toml::Value::Array(command.to_vec()));
    table.insert("keepalived".to_owned(), toml::Value::Boolean(true));
    Some(table)
}
