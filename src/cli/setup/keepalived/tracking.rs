//! Scripts that an instance tracks become checks of its group, and a command that says whether the other node is
//! ready.
//!
//! keepalived runs such a script on both nodes, and a node where it fails serves nothing. hbd runs `check` where the
//! group is, and `ready` where it is not (hbd.toml(5)).

use toml::{Table, Value};

use super::lines::ConfStatement;
use super::verdicts::{ConfPlace, Verdicts};

/// A vrrp_script.
#[derive(Debug, Clone)]
pub(super) struct VrrpScript {
    pub name: String,
    /// As a shell reads it.
    command: String,
    interval: f64,
    timeout: Option<f64>,
    fall: u32,
    rise: u32,
    weight: i64,
    reverse: bool,
}

/// A script in track_script, or an interface in track_interface.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub place: ConfPlace,
    pub name: String,
    weight: Option<i64>,
    reverse: Option<bool>,
}

impl Tracked {
    /// `NAME [weight NUMBER] [reverse|noreverse]`.
    pub fn of_line(line: &ConfStatement, verdicts: &mut Verdicts) -> Tracked {
        let mut tracked =
            Tracked { place: line.place.clone(), name: line.keyword().to_owned(), weight: None, reverse: None };
        let mut words = line.words[1..].iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "weight" => match words.next().map(str::parse) {
                    Some(Ok(weight)) => tracked.weight = Some(weight),
                    _ => verdicts.refuse(&line.place, "`weight` needs a number"),
                },
                "reverse" => tracked.reverse = Some(true),
                "noreverse" => tracked.reverse = Some(false),
                other => {
                    verdicts.refuse(&line.place, format!("`{other}` behind {}: write one on each line", tracked.name))
                }
            }
        }
        tracked
    }
}

/// Reads a vrrp_script. keepalived's defaults are those of keepalived.conf(5).
pub(super) fn script(statement: &ConfStatement, verdicts: &mut Verdicts) -> VrrpScript {
    let mut script = VrrpScript {
        name: statement.value().unwrap_or_default().to_owned(),
        command: String::new(),
        interval: 1.0,
        timeout: None,
        fall: 1,
        rise: 1,
        weight: 0,
        reverse: false,
    };
    for inside in &statement.block {
        match inside.keyword() {
            "script" => script.command = inside.rest(),
            "interval" => script.interval = inside.number(script.interval, verdicts),
            "timeout" => script.timeout = Some(inside.number(1.0, verdicts)),
            "fall" => script.fall = inside.number(script.fall, verdicts),
            "rise" => script.rise = inside.number(script.rise, verdicts),
            "weight" => {
                script.weight = inside.number(script.weight, verdicts);
                script.reverse = inside.words.iter().skip(2).any(|word| word == "reverse");
            }
            "user" => verdicts.note(
                &inside.place,
                "hbd runs checks as root: write `runuser -u NAME --` before the command in hbd.toml.d if that matters",
            ),
            "init_fail" => verdicts.note(
                &inside.place,
                "`init_fail` of a script is not had: for hbd a check has not failed before it has run",
            ),
            keyword => verdicts.note(&inside.place, format!("`{keyword}` of a script is not had")),
        }
    }
    if script.command.is_empty() {
        verdicts.refuse(&statement.place, format!("vrrp_script {} has no `script`", script.name));
    }
    script
}

impl VrrpScript {
    /// An interface without its carrier, as a script that fails.
    pub fn of_interface(interface: &str) -> VrrpScript {
        VrrpScript {
            name: interface.to_owned(),
            command: format!("grep -qx 1 /sys/class/net/{interface}/carrier"),
            interval: 1.0,
            timeout: None,
            fall: 1,
            rise: 1,
            weight: 0,
            reverse: false,
        }
    }

    /// Says what differs when this is tracked.
    pub fn compare(&self, tracked: &Tracked, verdicts: &mut Verdicts) {
        if tracked.reverse.unwrap_or(self.reverse) {
            let text = format!(
                "`reverse` of {}: hbd's check fails when its command does. Leave the word out, with a command that fails \
                 where the group must go, in a copy of this file",
                self.name
            );
            verdicts.refuse(&tracked.place, text);
        }
        if tracked.weight.unwrap_or(self.weight) != 0 {
            let text = format!(
                "hbd has no weights: when {} fails, its group goes to the other node if that is ready, whatever the \
                 priorities are",
                self.name
            );
            verdicts.note(&tracked.place, text);
        }
    }

    fn check(&self) -> Table {
        let timeout = self.timeout.unwrap_or(self.interval);
        let mut table = Table::new();
        table.insert("command".to_owned(), Value::String(self.command.clone()));
        table.insert("interval".to_owned(), time(self.interval));
        table.insert("timeout".to_owned(), time(timeout));
        table.insert("fall".to_owned(), Value::Integer(self.fall.clamp(1, 1000).into()));
        table.insert("rise".to_owned(), Value::Integer(self.rise.clamp(1, 1000).into()));
        table
    }
}

/// Whole seconds as a number, others as ha.cf writes them.
fn time(seconds: f64) -> Value {
    let milliseconds = (seconds * 1000.0).round().max(1.0);
    if milliseconds % 1000.0 == 0.0 {
        Value::Integer((milliseconds / 1000.0) as i64)
    } else {
        Value::String(format!("{milliseconds}ms"))
    }
}

/// The table `[groups."KEY"]` of a group that tracks these; `None` for none.
pub(super) fn group_table(scripts: &[VrrpScript]) -> Option<Table> {
    if scripts.is_empty() {
        return None;
    }
    let ready: Vec<String> = match scripts {
        [one] => vec![one.command.clone()],
        // Each in a shell of its own, so that an `exit` or `||` of one says nothing of the next.
        several => several.iter().map(|script| format!("( {} )", script.command)).collect(),
    };
    let mut table = Table::new();
    table.insert("ready".to_owned(), Value::String(ready.join(" && ")));
    table.insert("check".to_owned(), Value::Array(scripts.iter().map(|script| script.check().into()).collect()));
    Some(table)
}
