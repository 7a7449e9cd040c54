//! What must not leave the machine, in each of hbd's files.
//!
//! Owns which words are secrets: rather too many than one too few. Reads nothing. A file that cannot be understood is
//! refused, because nobody knows what is in it. What was blotted out of the files is known to [`Redactor`], which
//! [`super::scrub`] takes out of everything else.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value, visit_mut};

/// What stands in the place of a secret.
const BLOT: &str = "(blotted out)";
/// Keys of [fence."NODE"] that tell nothing secret; every other one is a parameter of the device's agent.
const HARMLESS: [&str; 5] = ["agent", "stonith", "timeout", "plug", "action"];
/// Parts of names whose values are secrets wherever they stand, but for files of passwords, which are only named.
/// Names are compared without `_` and `-`.
const SECRET_WORDS: [&str; 10] =
    ["pass", "pwd", "secret", "token", "community", "credential", "apikey", "accesskey", "privatekey", "psk"];
/// Keys of hbd.toml whose values are command lines: only the program stays.
const COMMANDS: [&str; 5] = ["command", "ready", "move", "program", "exec"];
/// Scripts of haresources whose arguments are addresses, devices, directories and the like.
const PLAIN_SCRIPTS: [&str; 14] = [
    "IPaddr",
    "IPaddr2",
    "IPv6addr",
    "IPsrcaddr",
    "Filesystem",
    "drbddisk",
    "drbdupper",
    "LVM",
    "Raid1",
    "MailTo",
    "Delay",
    "SendArp",
    "portblock",
    "LVSSyncDaemonSwap",
];
/// Methods of authkeys.
const METHODS: [&str; 4] = ["crc", "md5", "sha1", "hmac-sha256"];
/// A value that is shorter stands in too many places that have nothing to do with it.
const SHORTEST: usize = 5;
/// Values that are no secrets although a parameter of a device has them.
const COMMON: [&str; 8] = ["admin", "administrator", "false", "lanplus", "password", "public", "login", "reboot"];

/// Takes secrets out of files, and remembers them.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    seen: RefCell<BTreeSet<String>>,
}

impl Redactor {
    /// What was blotted out and is told from ordinary words, longest first.
    pub(super) fn seen(&self) -> Vec<String> {
        let mut seen: Vec<String> = self.seen.borrow().iter().cloned().collect();
        seen.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        seen
    }

    /// The blot for a value, whose words are remembered.
    fn blot(&self, value: &str) -> &'static str {
        let whole = std::iter::once(value.trim());
        for word in whole.chain(value.split_whitespace()) {
            let common = COMMON.contains(&word.to_ascii_lowercase().as_str());
            let telling =
                word.len() >= SHORTEST && !common && !word.starts_with('/') && word.parse::<IpAddr>().is_err();
            if telling {
                self.seen.borrow_mut().insert(word.to_owned());
            }
        }
        BLOT
    }

    /// Keys: all but the number and the method, and every comment, which may be a key of former times.
    #[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
    pub(super) fn authkeys(&self, text: &str) -> Result<String, String> {
        let line = |line: &str| {
            if let Some(comment) = line.trim_start().strip_prefix('#') {
                return format!("# {}", self.blot(comment));
            }
            let (number, rest) = split_word(line);
            let (method, key) = split_word(rest);
            match (number, method) {
                ("", _) => String::new(),
                // A word alone may be a key that slipped onto a line of its own.
                (word, "") => self.blot(word).to_owned(),
                ("auth", number) => format!("auth {number}"),
                (number, method) if !METHODS.contains(&method) => format!("{number} {}", self.blot(rest)),
                (number, method) if key.is_empty() => format!("{number} {method}"),
                (number, method) => format!("{number} {method} {}", self.blot(key)),
            }
        };
        Ok(by_line(text, line))
    }

    /// Parameters of fencing devices, values of variables that scripts get, arguments of programs. A comment is
    /// treated as the line that it may have been.
    #[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
    pub(super) fn ha_cf(&self, text: &str) -> Result<String, String> {
        Ok(by_line(text, |line| match line.trim_start().strip_prefix('#') {
            Some(comment) if is_secret(comment) => format!("# {}", self.blot(comment)),
            Some(comment) => format!("#{}", self.directive(comment)),
            None => self.directive(line),
        }))
    }

    fn directive(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["stonith_host", from, kind, parameters @ ..] if !parameters.is_empty() => {
                format!("stonith_host {from} {kind} {}", self.blot(&parameters.join(" ")))
            }
            ["env", variables @ ..] => {
                let name = |word: &&str| match word.split_once('=') {
                    Some((name, value)) => format!("{name}={}", self.blot(value)),
                    None => self.blot(word).to_owned(),
                };
                format!("env {}", variables.iter().map(name).collect::<Vec<_>>().join(" "))
            }
            ["respawn", user, program, arguments @ ..] if !arguments.is_empty() => {
                format!("respawn {user} {program} {}", self.blot(&arguments.join(" ")))
            }
            _ => self.assignments(line),
        }
    }

    /// Arguments of resources: those that are named like a secret, and all of a script that may take one.
    #[expect(clippy::unnecessary_wraps, reason = "all of these have one type")]
    pub(super) fn haresources(&self, text: &str) -> Result<String, String> {
        Ok(by_line(text, |line| match line.trim_start().strip_prefix('#') {
            Some(comment) if is_secret(comment) => format!("# {}", self.blot(comment)),
            Some(comment) => format!("#{}", self.resources(comment)),
            None => self.resources(line),
        }))
    }

    fn resources(&self, line: &str) -> String {
        line.split(' ').map(|word| self.resource(word)).collect::<Vec<_>>().join(" ")
    }

    /// `SCRIPT::ARGUMENT::ARGUMENT`.
    fn resource(&self, word: &str) -> String {
        let (script, arguments) = if let Some(rest) = word.strip_prefix("OCF::") {
            rest.split_once("::").map_or((word, None), |(name, rest)| (&word[..5 + name.len()], Some(rest)))
        } else {
            word.split_once("::").map_or((word, None), |(name, rest)| (name, Some(rest)))
        };
        let Some(arguments) = arguments else { return self.assignments(word) };
        let plain = PLAIN_SCRIPTS.contains(&script);
        let argument = |argument: &str| match argument.split_once('=') {
            Some((name, value)) if is_secret(name) => format!("{name}={}", self.blot(value)),
            Some(_) => self.assignments(argument),
            None if plain || argument.is_empty() => argument.to_owned(),
            None => self.blot(argument).to_owned(),
        };
        let arguments: Vec<String> = arguments.split("::").map(argument).collect();
        format!("{script}::{}", arguments.join("::"))
    }

    /// hbd.toml, and the files in hbd.toml.d: the parameters of fence agents, variables of scripts, arguments of
    /// programs, and what is named like a secret.
    ///
    /// # Errors
    /// Why the file is not understood, without a word of it.
    pub(super) fn toml(&self, text: &str) -> Result<String, String> {
        let mut document: DocumentMut =
            text.parse().map_err(|_| "it is no TOML, so its secrets cannot be told from the rest".to_owned())?;
        for (key, item) in document.as_table_mut().iter_mut() {
            if key.get() == "fence" {
                self.blot_devices(item);
            }
        }
        let mut blots = Blots(self);
        visit_mut::VisitMut::visit_document_mut(&mut blots, &mut document);
        // A comment may be a setting of former times.
        Ok(by_line(&document.to_string(), |line| match line.trim_start().strip_prefix('#') {
            Some(comment) if is_secret(comment) || comment.contains('=') => format!("# {}", self.blot(comment)),
            _ => line.to_owned(),
        }))
    }

    /// `[fence]`: a table for each node, or an array of them.
    fn blot_devices(&self, fence: &mut Item) {
        let Some(nodes) = fence.as_table_like_mut() else { return self.blot_item(fence) };
        for (_, device) in nodes.iter_mut() {
            if let Some(tables) = device.as_array_of_tables_mut() {
                tables.iter_mut().for_each(|table: &mut Table| self.blot_all(table, &HARMLESS));
            } else if let Some(table) = device.as_table_like_mut() {
                self.blot_all(table, &HARMLESS);
            } else {
                self.blot_item(device);
            }
        }
    }

    fn blot_all(&self, table: &mut dyn TableLike, but: &[&str]) {
        for (key, item) in table.iter_mut() {
            if !but.contains(&key.get()) {
                self.blot_item(item);
            }
        }
    }

    /// Blots a value whole, and remembers the texts in it.
    fn blot_item(&self, item: &mut Item) {
        let text = item.as_str().map_or_else(|| item.to_string().replace('"', " "), str::to_owned);
        self.blot(&text);
        *item = toml_edit::value(BLOT);
    }

    /// A command line: the program stays.
    fn blot_arguments(&self, item: &mut Item) {
        if let Some(words) = item.as_array() {
            let mut kept = Array::new();
            let mut texts = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned));
            kept.extend(texts.next());
            let rest: Vec<String> = texts.collect();
            if !rest.is_empty() {
                for word in &rest {
                    self.blot(word);
                }
                kept.push(BLOT);
            }
            *item = toml_edit::value(kept);
        } else if let Some((program, arguments)) = item.as_str().and_then(|text| text.split_once(' ')) {
            let line = format!("{program} {}", self.blot(arguments));
            *item = toml_edit::value(line);
        }
    }

    /// The text with the values of `password=…` and the like blotted out, and users of addresses (`user:password@`).
    fn assignments(&self, text: &str) -> String {
        let word = |word: &str| match word.split_once('=') {
            Some((name, value)) if is_secret(name) && !value.is_empty() => format!("{name}={}", self.blot(value)),
            _ => match word.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
                Some((scheme, (user, host))) => format!("{scheme}://{}@{host}", self.blot(user)),
                None => word.to_owned(),
            },
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

/// Blots values that are named like a secret, at any depth, and assignments within texts.
struct Blots<'a>(&'a Redactor);

impl visit_mut::VisitMut for Blots<'_> {
    fn visit_table_like_kv_mut(&mut self, key: toml_edit::KeyMut<'_>, node: &mut Item) {
        let name = key.get().to_owned();
        if is_secret(&name) && !name.ends_with("file") && !node.is_table_like() {
            self.0.blot_item(node);
        } else if name == "env" {
            match node.as_table_like_mut() {
                Some(variables) => self.0.blot_all(variables, &[]),
                None => self.0.blot_item(node),
            }
        } else if COMMANDS.contains(&name.as_str()) && !node.is_table_like() {
            self.0.blot_arguments(node);
        } else if name == "resources" && node.is_array() {
            let words = node.as_array().into_iter().flatten();
            let kept: Array = words.map(|word| self.0.resource(word.as_str().unwrap_or_default())).collect();
            *node = toml_edit::value(kept);
        } else {
            visit_mut::visit_table_like_kv_mut(self, key, node);
        }
    }

    fn visit_value_mut(&mut self, node: &mut Value) {
        if let Value::String(text) = node {
            let redacted = self.0.assignments(text.value());
            if redacted != *text.value() {
                *node = Value::from(redacted);
            }
        }
        // A remark behind a value.
        let remark = node.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default().to_owned();
        if is_secret(&remark) {
            self.0.blot(&remark);
            node.decor_mut().set_suffix("");
        }
        visit_mut::visit_value_mut(self, node);
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '-'], "");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// The first word of a line, and what follows behind the blanks.
fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim();
    line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()))
}

fn by_line(text: &str, redacted: impl Fn(&str) -> String) -> String {
    text.lines().map(|line| redacted(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_and_what_explains_them_stays() {
        let redactor = Redactor::default();
        let given = "# ours\n#1 sha1 HIDDEN\nauth 1\n1 sha1 HIDDEN\n2 crc\n3 md5  HIDDEN twice\nHIDDEN\n4 HIDDEN\n5 HIDDEN x\n\n";
        let text = redactor.authkeys(given).unwrap();
        let wanted =
            format!("# {BLOT}\n# {BLOT}\nauth 1\n1 sha1 {BLOT}\n2 crc\n3 md5 {BLOT}\n{BLOT}\n4 {BLOT}\n5 {BLOT}\n\n");
        assert_eq!(text, wanted);
        assert!(redactor.seen().contains(&"HIDDEN".to_owned()), "and is known elsewhere: {:?}", redactor.seen());
    }

    #[test]
    fn parameters_of_devices_and_variables_go_from_ha_cf() {
        let text = Redactor::default().ha_cf(
            "node nodea\nstonith_host * apcmaster 10.0.0.9 apc HIDDEN\n#stonith_host * apcmaster HIDDEN\nenv A=HIDDEN \
             B=HIDDEN\n# password was HIDDEN\nrespawn u /bin/x --key HIDDEN\n# as agreed\n",
        );
        let wanted = format!(
            "node nodea\nstonith_host * apcmaster {BLOT}\n#stonith_host * apcmaster {BLOT}\nenv A={BLOT} B={BLOT}\n# \
             {BLOT}\nrespawn u /bin/x {BLOT}\n# as agreed\n"
        );
        assert_eq!(text.unwrap(), wanted);
    }

    #[test]
    fn arguments_of_resources_that_may_be_secrets_go() {
        let text = Redactor::default()
            .haresources(
                "nodea 10.0.0.1 OCF::db::user=x::pwd=HIDDEN Filesystem::/dev/x::/srv::ext4 db::u::HIDDEN web\n",
            )
            .unwrap();
        let wanted = format!(
            "nodea 10.0.0.1 OCF::db::user=x::pwd={BLOT} Filesystem::/dev/x::/srv::ext4 db::{BLOT}::{BLOT} web\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_toml_keeps_its_form_and_loses_its_secrets() {
        let redactor = Redactor::default();
        let text = redactor
            .toml(
                r#"deadtime = "4s" # as agreed
[fence."nodeb"]
agent = "fence_ipmilan" # old password: HIDDEN
ip = "HIDDEN"
timeout = "30s"
[[fence."nodea"]]
agent = "fence_x"
inset = { pin = "HIDDEN" }
[witness]
password_file = "/etc/hbd/witness"
password = "HIDDEN"
endpoints = ["https://me:HIDDEN@10.0.0.3:2379"]
[cluster.env]
DB = "HIDDEN"
[notify]
command = ["/usr/bin/tell", "--to", "HIDDEN"]
[groups."web".check]
command = "mysqladmin -pHIDDEN ping"
[[group]]
resources = ["10.0.0.1", "db::passwd=HIDDEN", "db::HIDDEN"]
api_key = "HIDDEN"
# old password: HIDDEN
# pin = "HIDDEN"
"#,
            )
            .unwrap();
        assert!(!text.contains("HIDDEN"), "{text}");
        for kept in [
            "deadtime = \"4s\" # as agreed",
            "agent = \"fence_ipmilan\"",
            "timeout = \"30s\"",
            "password_file = \"/etc/hbd/witness\"",
            "\"10.0.0.1\"",
            "/usr/bin/tell",
            "mysqladmin ",
        ] {
            assert!(text.contains(kept), "no {kept} in\n{text}");
        }
        assert!(redactor.seen().contains(&"HIDDEN".to_owned()), "{:?}", redactor.seen());
    }

    #[test]
    fn a_file_that_is_not_understood_stays_out_with_all_its_words() {
        let error = Redactor::default().toml("[fence\npassword = \"HIDDEN\"").unwrap_err();
        assert!(!error.contains("HIDDEN"), "{error}");
    }
}
