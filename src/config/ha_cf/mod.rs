//! ha.cf: every statement becomes a setting, a node, a medium or a finding (04 §1.6–1.10).
//!
//! Owns the meaning of each single line, and the rules about the order of lines. Rules between directives are in
//! `checks`.

mod children;
mod form;
mod lines;
mod media;
pub(super) mod stonith;

use std::collections::{BTreeMap, BTreeSet};

use figment::value::Value;

use super::diagnostic::{FileWord, Findings};
use super::directives::{self, Directive, DirectiveForm, LineDirective, ListDirective, Treatment};
use super::files::Files;
use super::host::Host;
use super::settings::SettingCollector;
use super::types::{Child, Medium, PingNode};
use super::value::boolean;
use children::ChildLine;
pub(super) use form::read_form;
use lines::Statement;
use stonith::{StonithFrom, StonithLine};

/// Speed of serial lines without a `baud` line.
const DEFAULT_BAUD: u64 = 19_200;
/// Most media Heartbeat takes.
const MAX_MEDIA: usize = 64;
/// Most nodes Heartbeat takes, ping nodes included.
const MAX_NODES: usize = 100;
/// Longest node name Heartbeat keeps.
const MAX_NAME: usize = 99;

/// What ha.cf says besides scalar settings.
#[derive(Debug, Default)]
pub(super) struct HaCf {
    /// Normal nodes, lower case, each once, in order.
    pub nodes: Vec<FileWord>,
    /// Media, each with the word that names it.
    pub media: Vec<(Medium, FileWord)>,
    /// Ping nodes.
    pub ping_nodes: Vec<PingNode>,
    /// The words that name them, in the same order.
    pub ping_words: Vec<FileWord>,
    /// The command of a `respawn` line that starts ipfail.
    pub ipfail: Option<FileWord>,
    /// What the other `respawn` and `failfast` lines start.
    pub children: Vec<Child>,
    /// Names, without `HA_`, and values of `env`.
    pub env: Vec<(String, String)>,
    /// `stonith` and `stonith_host` lines, also those for another host.
    pub fencing: Vec<StonithLine>,
    /// The word that asks for Pacemaker.
    pub pacemaker: Option<FileWord>,
    /// Directives of which a value is refused. What they lack is a consequence of that, and is not reported.
    pub refused: BTreeSet<&'static str>,
}

/// Reads the statements in order.
struct Reader<'a> {
    files: &'a Files,
    host: &'a Host,
    scalars: &'a mut SettingCollector,
    findings: &'a mut Findings,
    found: HaCf,
    node_count: usize,
    /// Directives with one value that have occurred so far.
    seen: BTreeSet<&'static str>,
    /// For each setting that a medium uses: the first such medium, and the value at its line.
    used: BTreeMap<&'static str, (FileWord, u64)>,
    /// Lines with `respawn` and `failfast` so far.
    program_lines: usize,
    /// Clients with an `apiauth` line.
    clients: BTreeSet<String>,
}

/// Reads ha.cf. Settings with one value go to `scalars`.
pub(super) fn read(
    files: &Files,
    bytes: &[u8],
    host: &Host,
    scalars: &mut SettingCollector,
    findings: &mut Findings,
) -> HaCf {
    let statements = lines::statements(&files.ha_cf, bytes, findings);
    let mut reader = Reader::new(files, host, scalars, findings);
    for statement in &statements {
        reader.statement(statement);
    }
    reader.found
}

impl HaCf {
    /// Whether a line of one of these directives is refused.
    pub(super) fn is_refused(&self, directives: &[&str]) -> bool {
        directives.iter().any(|name| self.refused.contains(name))
    }

    /// Whether a line that would be a medium is refused.
    pub(super) fn lacks_media(&self) -> bool {
        self.is_refused(&["ucast", "ucast6", "bcast", "udp", "mcast", "mcast6", "serial", "openais", "rds", "tipc"])
    }

    /// Whether a line that would be a ping node is refused.
    pub(super) fn lacks_ping_nodes(&self) -> bool {
        self.is_refused(&["ping", "ping6", "ping_group", "hbaping"])
    }
}

impl<'a> Reader<'a> {
    fn new(
        files: &'a Files,
        host: &'a Host,
        scalars: &'a mut SettingCollector,
        findings: &'a mut Findings,
    ) -> Reader<'a> {
        Reader {
            files,
            host,
            scalars,
            findings,
            found: HaCf::default(),
            node_count: 0,
            seen: BTreeSet::new(),
            used: BTreeMap::new(),
            program_lines: 0,
            clients: BTreeSet::new(),
        }
    }
}

impl Reader<'_> {
    fn statement(&mut self, statement: &Statement) {
        let name = &statement.name;
        let Some(directive) = directives::find(&name.text) else {
            let message = format!("Illegal directive [{}] in {}", name.text, self.files.ha_cf.display());
            self.findings.error(name, message, directives::suggestion(&name.text));
            if let Some(meant) = directives::nearest_to(&name.text) {
                self.found.refused.insert(meant.name);
                self.scalars.mark_refused(meant.name);
            }
            return;
        };
        self.noting_refusal(directive.name, |reader| reader.directive(directive, statement));
    }

    /// Reads something, and marks the directive as refused if that reports an error.
    fn noting_refusal(&mut self, directive: &'static str, read: impl FnOnce(&mut Self)) {
        let errors = self.findings.errors();
        read(self);
        if self.findings.errors() > errors {
            self.found.refused.insert(directive);
        }
    }

    fn directive(&mut self, directive: &'static Directive, statement: &Statement) {
        let name = &statement.name;
        if let Treatment::Refused { why, help } = directive.treatment {
            let message = match directive.name {
                "nice_failback" => why.to_owned(),
                _ => format!("Illegal directive [{}] in {}: {why}", name.text, self.files.ha_cf.display()),
            };
            self.findings.error(name, message, help);
            return;
        }
        self.scalars.note_treatment(directive, name);
        match directive.form {
            DirectiveForm::Line(line) => self.line(line, directive, statement),
            DirectiveForm::Setting(_) | DirectiveForm::List(_) => self.values(directive, statement),
        }
    }

    /// Reads every word of a directive with one value or with several.
    fn values(&mut self, directive: &'static Directive, statement: &Statement) {
        let values = statement.values();
        if values.is_empty() {
            let message = format!("`{}` without a value has no effect", directive.name);
            self.findings.warning(&statement.name, message, directive.usage());
        }
        for value in &values {
            match directive.form {
                DirectiveForm::Setting(_) => self.setting(directive, value),
                DirectiveForm::List(list) => self.list(list, directive, value),
                DirectiveForm::Line(_) => {}
            }
        }
    }

    fn setting(&mut self, directive: &'static Directive, value: &FileWord) {
        if self.judge_late_setting(directive, value) {
            return;
        }
        if !self.seen.insert(directive.name) {
            if !directive.second_value_complaint.is_empty() {
                let help = format!("leave one `{}` line with one value", directive.name);
                self.findings.error(value, directive.second_value_complaint, help);
                return;
            }
            let legal = directive.kind().is_some_and(|kind| kind.parse(&value.text).is_ok());
            if let Some((first, _)) = self.scalars.last(directive.name).filter(|_| legal) {
                let message = format!(
                    "`{}` has a second value: `{}` counts, `{}` ({}) does not",
                    directive.name,
                    value.text,
                    first.text,
                    first.file_and_line()
                );
                self.findings.warning(value, message, "leave one line with one value");
            }
        }
        if directive.name == "logfacility" && value.text == "kern" {
            let help = "write `logfacility daemon` or another facility of user programs";
            self.findings.warning(value, "Heartbeat treats `logfacility kern` as none, so does hbd", help);
        }
        self.scalars.add(directive, value, self.findings);
    }

    /// A medium uses the port or speed that is in force at its line; a later line does not change it (04 §1.6).
    /// Reports such a later value and returns true.
    fn judge_late_setting(&mut self, directive: &'static Directive, value: &FileWord) -> bool {
        let name = directive.name;
        let Some((medium, used)) = self.used.get(name) else { return false };
        let Some(Ok(accepted)) = directive.kind().map(|kind| kind.parse(&value.text)) else { return false };
        let location = medium.file_and_line();
        if number(&accepted.value) == Some(*used) {
            self.findings.notice(
                value,
                format!("`{name}` after `{}` ({location}) has no effect; {used} is in force anyway", medium.text),
                format!("move the {name} line above the first medium"),
            );
            return true;
        }
        let what = if name == "baud" { "baudrate" } else { name };
        self.findings.warning(
            value,
            format!(
                "{what} setting must precede media statements: `{}` in {location} has taken {used}, which stays in force, as \
                 with Heartbeat; `{}` has no effect",
                medium.text, value.text
            ),
            format!(
                "write `{name} {used}` above {location}, or nothing; for `{}` both nodes have to be stopped first: they \
                 would not hear each other",
                value.text
            ),
        );
        true
    }

    fn list(&mut self, list: ListDirective, directive: &'static Directive, value: &FileWord) {
        match list {
            ListDirective::Node => self.node(value),
            ListDirective::Serial => {
                let Some(medium) = media::serial(value, self.files, self.findings) else { return };
                self.note_use("baud", DEFAULT_BAUD, directive.name, value);
                self.medium(medium, value);
            }
            ListDirective::Bcast | ListDirective::Udp => {
                if list == ListDirective::Udp {
                    let help = format!("write `bcast {}`", value.text);
                    self.findings.warning(value, "WARNING: directive 'udp' replaced by 'bcast'", help);
                }
                let Some(medium) = media::bcast(value, self.findings) else { return };
                self.note_use_of_port(directive.name, value);
                self.medium(medium, value);
            }
            ListDirective::Ping => {
                let node = media::ping(value, self.host, self.findings);
                self.ping_node(node, value);
            }
            ListDirective::Ping6 => {
                let node = media::ping6(value, self.findings);
                self.ping_node(node, value);
            }
            ListDirective::Env => self.environment(value),
            ListDirective::Autojoin => self.autojoin(value),
            ListDirective::Crm => self.crm(directive, value),
            ListDirective::Opaque => {}
        }
    }

    fn line(&mut self, line: LineDirective, directive: &'static Directive, statement: &Statement) {
        match line {
            LineDirective::Ucast | LineDirective::Ucast6 => {
                let medium = match line {
                    LineDirective::Ucast => media::ucast(statement, self.host, self.findings),
                    _ => media::ucast6(statement, self.findings),
                };
                let (Some(medium), Some(word)) = (medium, statement.words.get(1)) else { return };
                self.note_use_of_port(directive.name, &statement.name);
                self.medium(medium, word);
            }
            LineDirective::Mcast | LineDirective::Mcast6 => {
                let medium = media::multicast(statement, self.findings);
                let (Some(medium), Some(word)) = (medium, statement.words.get(1)) else { return };
                self.medium(medium, word);
            }
            LineDirective::PingGroup => {
                let node = media::ping_group(statement, self.host, self.findings);
                self.ping_node(node, &statement.name);
            }
            LineDirective::Stonith => {
                self.report_missing_words(
                    statement,
                    &["No Stonith type given", "Invalid Stonith config file []"],
                    directive,
                );
                if let [kind, file, ..] = statement.words.as_slice() {
                    let from = StonithFrom::File(file.clone(), self.files.on_this_machine(&file.text));
                    self.found.fencing.push(StonithLine { kind: kind.clone(), from });
                }
            }
            LineDirective::StonithHost => {
                let missing = ["No Stonith hostname argument given", "No Stonith type given"];
                self.report_missing_words(statement, &missing, directive);
                if let [host, kind, parameters @ ..] = statement.words.as_slice() {
                    let parameters = parameters.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                    let from = StonithFrom::Line { host: host.clone(), parameters };
                    self.found.fencing.push(StonithLine { kind: kind.clone(), from });
                }
            }
            LineDirective::Child => self.child(statement, directive),
            LineDirective::Apiauth => children::apiauth(statement, directive, &mut self.clients, self.findings),
            LineDirective::Opaque => {}
        }
    }

    /// Reports the first missing word of a line, with Heartbeat's text for it.
    fn report_missing_words(&mut self, statement: &Statement, missing: &[&str], directive: &Directive) {
        if let Some(complaint) = missing.get(statement.words.len()) {
            self.findings.error(&statement.name, *complaint, directive.usage());
        }
    }

    /// Notes that a medium uses the UDP port in force.
    fn note_use_of_port(&mut self, medium: &str, at: &FileWord) {
        self.note_use("udpport", self.host.service_port.unwrap_or(694).into(), medium, at);
    }

    /// Notes the first medium that uses a setting, and the value in force.
    fn note_use(&mut self, setting: &'static str, default: u64, medium: &str, at: &FileWord) {
        let written = self.scalars.last(setting).and_then(|(_, value)| number(value));
        let medium = FileWord { text: medium.to_owned(), location: at.location.clone() };
        self.used.entry(setting).or_insert((medium, written.unwrap_or(default)));
    }

    fn medium(&mut self, medium: Medium, word: &FileWord) {
        if let Some((_, first)) = self.found.media.iter().find(|(known, _)| *known == medium) {
            let message = format!("the same medium as {}: every message would be sent twice", first.file_and_line());
            self.findings.warning(word, message, "remove one of them");
        }
        self.found.media.push((medium, word.clone()));
        if self.found.media.len() == MAX_MEDIA + 1 {
            let message = format!("Too many media specified (> {MAX_MEDIA})");
            self.findings.error(word, message, "two or three independent links are enough");
        }
    }

    /// Counts a normal or ping node.
    fn count_node(&mut self, word: &FileWord) {
        self.node_count += 1;
        if self.node_count == MAX_NODES + 1 {
            let message = format!("more than {MAX_NODES} nodes, ping nodes included");
            self.findings.error(word, message, "Heartbeat does not start with more");
        }
    }

    fn ping_node(&mut self, node: Option<PingNode>, at: &FileWord) {
        self.count_node(at);
        let Some(node) = node else { return };
        if self.found.ping_nodes.iter().any(|known| known.name == node.name) {
            let message = format!("ping node `{}` is already there", node.name);
            self.findings.warning(at, message, "name each host once");
            return;
        }
        self.found.ping_nodes.push(node);
        self.found.ping_words.push(at.clone());
    }

    fn node(&mut self, value: &FileWord) {
        self.count_node(value);
        let name = value.text.to_ascii_lowercase();
        if name.len() > MAX_NAME {
            let message = format!("node name of {} bytes: Heartbeat keeps the first {MAX_NAME}", name.len());
            self.findings.error(value, message, "use a shorter name (/etc/ha.d/nodeinfo can give one)");
            return;
        }
        if !name.contains(|c: char| c.is_ascii_alphanumeric()) {
            let message = format!("`{}` cannot be the name of a machine", value.text);
            self.findings.error(value, message, "write what `uname -n` prints there");
            return;
        }
        let odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
        if let Some(odd) = name.chars().find(|c| odd(*c)) {
            let message =
                format!("`{}` in the name of a machine: names have letters, digits, `-` and `.`", odd.escape_debug());
            self.findings.warning(value, message, "write what `uname -n` prints there");
        }
        if let Some(first) = self.found.nodes.iter().find(|node| node.text == name) {
            let message =
                format!("node `{name}` is already in {}: Heartbeat would count two nodes", first.file_and_line());
            self.findings.error(value, message, "name each node once");
            return;
        }
        self.found.nodes.push(FileWord { text: name, location: value.location.clone() });
    }

    fn environment(&mut self, value: &FileWord) {
        let usage = "write `env NAME=VALUE`, without blanks or commas in VALUE";
        match value.text.split_once('=') {
            Some(("", _)) => self.findings.error(value, format!("set_env: invalid nvpair({})", value.text), usage),
            Some((name, _)) if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                self.findings.error(value, format!("`{name}` cannot be the name of a variable"), usage);
            }
            Some((name, content)) => self.found.env.push((name.to_owned(), content.to_owned())),
            None => self.findings.error(value, format!("`env {}` has no `=`", value.text), usage),
        }
    }

    fn autojoin(&mut self, value: &FileWord) {
        let help = "write `autojoin none` and a node line for every node";
        match value.text.to_ascii_lowercase().as_str() {
            "none" => {}
            "other" | "any" => {
                self.findings.error(value, "R1 style resource management conflicts with  autojoin set", help);
            }
            _ => self.findings.error(value, format!("Invalid autojoin directive [{}]", value.text), help),
        }
    }

    fn crm(&mut self, directive: &'static Directive, value: &FileWord) {
        if !self.seen.insert("crm") {
            let help = "leave one line: `crm off`";
            self.findings.error(value, "pacemaker/crm directive used multiple times!", help);
        }
        let known = ["respawn", "manual", "minimal", "valgrind"];
        let lower = value.text.to_ascii_lowercase();
        match boolean(&lower) {
            Some(false) => {}
            None if !known.contains(&lower.as_str()) => {
                let message = format!("bad value in `{} {}`", directive.name, value.text);
                self.findings.error(value, message, "write `crm off`, or remove the line");
            }
            _ => {
                let message = format!(
                    "'{} {}' asks for Pacemaker. hbd manages haresources clusters only.",
                    directive.name, value.text
                );
                let help = "For Pacemaker use Corosync; to use haresources set 'crm off'.";
                self.findings.error(value, message, help);
                self.found.pacemaker = Some(value.clone());
            }
        }
    }

    fn child(&mut self, statement: &Statement, directive: &'static Directive) {
        self.program_lines += 1;
        match children::read(statement, directive, self.program_lines, (self.files, self.host), self.findings) {
            Some(ChildLine::Ipfail(command)) => self.found.ipfail = Some(command),
            Some(ChildLine::Program(child)) => self.found.children.push(child),
            None => {}
        }
    }
}

/// The value as a number; a number of a choice is kept as text.
fn number(value: &Value) -> Option<u64> {
    value.to_u128().and_then(|number| u64::try_from(number).ok()).or_else(|| value.as_str()?.parse().ok())
}
