//! haresources: logical lines and groups (03 §2.1–2.3, §16 no. 19).
//!
//! Owns the grammar of the file, exactly as Heartbeat's scripts read it. Refuses a file that Heartbeat's daemon and
//! its scripts read differently, or that a human reader would read differently from Heartbeat.

mod context;
mod filesystem;
pub(super) mod ipv4;
mod ipv6;
mod resource;
mod script;
pub(super) mod unit_name;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{FileWord, Findings, Location};
use super::groups::{Address, Group, Resource, ResourceKind, Transient};
use super::text::{MAX_LINE, text_of};
use super::value::nearest;
use ipv4::looks_like_address;
use resource::resource_kind;

pub(super) use context::LookupContext;

/// One group, and the places of its words.
#[derive(Debug)]
pub(super) struct WrittenGroup {
    pub group: Group,
    /// The words of `group.resources`, in the same order.
    pub words: Vec<FileWord>,
}

/// Reads haresources.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Vec<WrittenGroup> {
    let lines = logical_lines(path, bytes, findings);
    let mut found = Vec::new();
    for words in lines {
        found.extend(group(path, words, context, findings));
    }
    check_names(&found, findings);
    found
}

/// A line of the file, and its place with its text for the caret.
struct PhysicalLine {
    text: String,
    location: Location,
}

fn physical_lines(path: &Path, bytes: &[u8], findings: &mut Findings) -> Vec<PhysicalLine> {
    let file: Arc<Path> = path.into();
    let mut carriage_returns = false;
    let mut lines = Vec::new();
    for (index, raw) in bytes.split(|b| *b == b'\n').enumerate() {
        let mut text = text_of(raw);
        let mut location = Location { file: file.clone(), line: index + 1, column: 1, source: None };
        if text.ends_with('\r') {
            text.pop();
            if !carriage_returns {
                location.column = text.chars().count() + 1;
                let at = FileWord { text: String::new(), location: location.clone() };
                let help = format!("convert the file: sed -i 's/\\r$//' {}", path.display());
                let message = "the line ends in CR LF: Heartbeat takes the CR as part of the last resource's name";
                findings.error(&at, message, help);
                carriage_returns = true;
            }
        }
        if raw.len() > MAX_LINE {
            let at = FileWord { text: String::new(), location: Location { column: 1, ..location.clone() } };
            let message = format!("line of {} bytes: Heartbeat's daemon splits it after {MAX_LINE}", raw.len());
            findings.error(&at, message, "continue it with a backslash at the line's end");
        }
        location.column = 1;
        location.source = Some(text.as_str().into());
        lines.push(PhysicalLine { text, location });
    }
    lines
}

/// The words of each logical line, by the steps of 03 §2.1 in their order.
fn logical_lines(path: &Path, bytes: &[u8], findings: &mut Findings) -> Vec<Vec<FileWord>> {
    let physical = physical_lines(path, bytes, findings);
    let mut lines = physical.iter();
    let mut logical = Vec::new();
    while let Some(first) = lines.next() {
        let (code, comment) = first.text.split_at(first.text.find('#').unwrap_or(first.text.len()));
        if !code.trim().is_empty() && comment.trim_end().ends_with('\\') {
            let column = first.text.trim_end().chars().count();
            findings.warning(
                &word_at("\\", &first.location, column),
                "the backslash is part of the comment: the next line does not continue this one",
                "put the comment on a line of its own above, or leave out the backslash",
            );
        }
        let mut splitter = Splitter::default();
        let mut code = code;
        let mut line = first;
        loop {
            let continued = code.strip_suffix('\\');
            splitter.add(continued.unwrap_or(code), &line.location);
            if continued.is_none() {
                report_blank_after_backslash(code, &line.location, findings);
                break;
            }
            let Some(next) = lines.next() else { break };
            report_comment_on_continued_line(next, findings);
            (code, line) = (next.text.as_str(), next);
        }
        if !splitter.words.is_empty() {
            logical.push(splitter.words);
        }
    }
    logical
}

fn word_at(text: &str, location: &Location, column: usize) -> FileWord {
    FileWord { text: text.to_owned(), location: Location { column, ..location.clone() } }
}

/// Reports a line that ends in a backslash and a blank: it looks continued, but Heartbeat reads the backslash as a
/// resource.
fn report_blank_after_backslash(code: &str, location: &Location, findings: &mut Findings) {
    let trimmed = code.trim_end_matches([' ', '\t']);
    if trimmed.len() < code.len() && trimmed.ends_with('\\') {
        findings.error(
            &word_at("\\", location, trimmed.chars().count()),
            "a blank after the backslash: Heartbeat does not continue the line and takes `\\` as a resource",
            "remove the blank, or the backslash",
        );
    }
}

/// Reports a comment on a continued line: Heartbeat removes comments from the first physical line only.
fn report_comment_on_continued_line(line: &PhysicalLine, findings: &mut Findings) {
    if let Some(byte) = line.text.find('#') {
        let column = line.text[..byte].chars().count() + 1;
        findings.error(
            &word_at("#", &line.location, column),
            "a comment on a continued line: Heartbeat takes `#` and every word after it as resources",
            "put the comment on a line of its own above the group",
        );
    }
}

/// Splits the text of a logical line into words. A word may go on in the next physical line.
#[derive(Default)]
struct Splitter {
    words: Vec<FileWord>,
    inside: bool,
}

impl Splitter {
    fn add(&mut self, text: &str, location: &Location) {
        for (index, c) in text.chars().enumerate() {
            if matches!(c, ' ' | '\t') {
                self.inside = false;
                continue;
            }
            match self.words.last_mut() {
                Some(word) if self.inside => word.text.push(c),
                _ => self.words.push(word_at(&c.to_string(), location, index + 1)),
            }
            self.inside = true;
        }
    }
}

/// The group of a logical line; `None` if it has no resources or a word is refused.
fn group(
    path: &Path,
    words: Vec<FileWord>,
    context: LookupContext<'_>,
    findings: &mut Findings,
) -> Option<WrittenGroup> {
    let mut words = words.into_iter();
    let node = words.next()?;
    let name = node.text.to_ascii_lowercase();
    let known = check_node(path, &node, &name, context.nodes, findings);
    let words: Vec<FileWord> = words.collect();
    let Some(key) = words.first().map(|word| word.text.clone()) else {
        let message = format!("node `{name}` is named without resources: the line means nothing");
        findings.warning(&node, message, "write the resources behind the node, or remove the line");
        return None;
    };
    let mut resources = Vec::new();
    for word in &words {
        // `logical_lines` has reported it.
        if word.text.starts_with('#') || word.text == "\\" {
            continue;
        }
        match resource_kind(&word.text, &context) {
            Ok(kind) => {
                if let ResourceKind::Address(address) = &kind {
                    check_prefix(word, address, findings);
                }
                resources.push(Resource { word: word.text.clone(), kind });
            }
            Err(refused) => findings.error(word, refused.why, refused.help),
        }
    }
    let complete = resources.len() == words.len();
    (known && complete)
        .then_some(WrittenGroup { group: Group { node: name, key, resources, line: node.location.line }, words })
}

/// Whether the first word of a line is a normal node; reports it if not.
fn check_node(path: &Path, node: &FileWord, name: &str, nodes: &[FileWord], findings: &mut Findings) -> bool {
    if nodes.is_empty() || nodes.iter().any(|known| known.text == name) {
        return true;
    }
    let names: Vec<&str> = nodes.iter().map(|known| known.text.as_str()).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if looks_like_address(name) => format!("begin the line with the preferred node: {}", names.join(" or ")),
        None => format!("the nodes of ha.cf are {}", names.join(", ")),
    };
    findings.error(node, format!("Bad nodename in {} [{name}]", path.display()), help);
    false
}

fn check_prefix(word: &FileWord, address: &Address, findings: &mut Findings) {
    let Some(prefix) = address.prefix.filter(|prefix| *prefix < 31) else { return };
    let IpAddr::V4(own) = address.address else { return };
    let host_bits = u32::MAX >> prefix;
    let computed = Ipv4Addr::from(u32::from(own) | host_bits);
    if u32::from(own) & host_bits == 0 || own == computed {
        let message =
            format!("{}/{prefix} is the address of the network or of broadcasts, not of a host", address.address);
        findings.warning(word, message, "check the prefix length");
    }
    if let Some(broadcast) = address.broadcast.filter(|broadcast| *broadcast != computed) {
        let message = format!("the broadcast address of {}/{prefix} is {computed}, not {broadcast}", address.address);
        findings.warning(word, message, "leave the broadcast address out: it follows from the prefix");
    }
}

/// Reports names that are used twice, in one group or in several.
fn check_names(found: &[WrittenGroup], findings: &mut Findings) {
    let mut keys: BTreeMap<&str, &FileWord> = BTreeMap::new();
    for one in found {
        if let Some(word) = one.words.first() {
            keys.entry(&word.text).or_insert(word);
        }
    }
    let mut addresses: BTreeMap<IpAddr, &FileWord> = BTreeMap::new();
    let mut units: BTreeMap<&str, &FileWord> = BTreeMap::new();
    for one in found {
        let mut own = BTreeSet::new();
        for (word, resource) in one.words.iter().zip(&one.group.resources) {
            if !own.insert(&word.text) {
                let message = format!("`{}` stands twice in one group", word.text);
                findings.warning(word, message, "name it once");
                continue;
            }
            if let Some(key) = keys.get(word.text.as_str()).filter(|key| !std::ptr::eq(**key, word)) {
                report_shared_key(word, key, findings);
                continue;
            }
            let first = match &resource.kind {
                ResourceKind::Address(address) => *addresses.entry(address.address).or_insert(word),
                ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => {
                    *units.entry(unit).or_insert(word)
                }
            };
            if !std::ptr::eq(first, word) {
                report_shared_resource(word, first, &resource.kind, findings);
            }
        }
        warn_of_regular_expression(one, findings);
    }
}

/// The first resource of a line is the name of its group, so it must be unique in the file (03 §2.2).
fn report_shared_key(word: &FileWord, key: &FileWord, findings: &mut Findings) {
    findings.error(
        word,
        format!(
            "`{}` names the group in {}: a group's first resource must not stand in any other line",
            word.text,
            key.file_and_line()
        ),
        "give each group a first resource of its own, or make one group of both lines",
    );
}

fn report_shared_resource(word: &FileWord, first: &FileWord, kind: &ResourceKind, findings: &mut Findings) {
    let (message, help) = match kind {
        ResourceKind::Address(address) => (
            format!("the address {} is already in {}", address.address, first.file_and_line()),
            "put each address into one group only: two nodes may hold these groups at the same time",
        ),
        ResourceKind::Unit(unit) | ResourceKind::Transient(Transient { unit, .. }) => (
            format!(
                "{unit} is already in {}: each group starts and stops it on its own account",
                first.file_and_line()
            ),
            "put each unit into one group only",
        ),
    };
    findings.warning(word, message, help);
}

/// Heartbeat's scripts use the name of a group as a regular expression (03 §2.2).
fn warn_of_regular_expression(found: &WrittenGroup, findings: &mut Findings) {
    if let Some(word) =
        found.words.first().filter(|word| word.text.contains(['+', '*', '?', '(', '[', '$', '^', '|']))
    {
        let message =
            format!("`{}` is a regular expression to Heartbeat's scripts and may not match itself", word.text);
        findings.warning(word, message, "begin the group with its address");
    }
}
