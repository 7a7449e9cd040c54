//! What documents say of the files, compared with the reader of the files: each sample is accepted, each default is
//! told as it is, each key of hbd.toml is in its manual page.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex_lite::Regex;

use super::*;
use crate::config::types::{FENCE_TIMEOUT, Health, NotifyProgram, Recording};

/// The groups that samples of hbd.toml are about, where a page shows none before them.
pub(super) const GROUPS: &str = "nodea 192.168.17.200/24/eth0 nginx\n";

/// A table of each kind with a key that there is not: the hint lists those that there are.
const TABLES: [&str; 17] = [
    "[record]",
    "[addresses]",
    "[groups.\"10.0.0.1\"]",
    "[groups.\"10.0.0.1\".check]\ntcp = 80",
    "[units]",
    "[units.\"x.service\"]",
    "[health]",
    "[ipfail]",
    "[watchdog]",
    "[keys]",
    "[notify]",
    "[witness]",
    "[cluster]",
    "[[link]]",
    "[[group]]\nnode = \"nodea\"\nresources = [\"nginx\"]",
    "[[program]]\nuser = \"root\"\ncommand = \"/bin/true\"",
    "[fence.\"nodeb\"]\nstonith = \"meatware\"",
];

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found)
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path)
        }
    }
}

/// The blocks of a page with their language; where one is included, the file.
fn blocks(page: &Path) -> Vec<(String, String)> {
    let (mut found, mut block) = (Vec::new(), None);
    let include = Regex::new(r"(?m)^\{\{#include (.+)\}\}$").unwrap();
    for event in Parser::new_ext(&fs::read_to_string(page).unwrap(), Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                block = Some((language.to_string(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, block)) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(block.take()),
            _ => {}
        }
    }
    for (_, text) in &mut found {
        if let Some(parts) = include.captures(text) {
            *text = fs::read_to_string(page.parent().unwrap().join(&parts[1])).unwrap();
        }
    }
    found
}

/// The errors of a node with this haresources and hbd.toml. A pair that hbd.toml describes has neither ha.cf nor
/// haresources. Programs of the machine are not looked for.
pub(super) fn errors(groups: &str, toml: &str) -> Vec<Diagnostic> {
    let node = Node::with("").haresources(groups).toml(toml);
    if toml.contains("[cluster]") {
        for name in ["ha.cf", "haresources"] {
            fs::remove_file(node.root.path().join("etc/ha.d").join(name)).unwrap();
        }
    }
    errors_of(&node)
}

/// The same of this node. Samples name a certificate that is not on this machine.
fn errors_of(node: &Node) -> Vec<Diagnostic> {
    let found = load(&Files::of_copy(&node.root.path().join(".")), &node.host).diagnostics;
    let absent = |found: &Diagnostic| found.message.starts_with("cannot read /etc/hbd/witness-ca.pem: No such file");
    found.into_iter().filter(|found| found.severity == Severity::Error && !absent(found)).collect()
}

#[test]
fn every_sample_in_the_handbook_is_accepted() {
    let mut paths = Vec::new();
    pages(&root().join("docs/handbook/src"), &mut paths);
    let mut count = 0;
    for path in paths {
        let mut groups = GROUPS.to_owned();
        for (language, text) in blocks(&path) {
            let found = match language.as_str() {
                "haresources" => {
                    groups = text;
                    errors(&groups, "")
                }
                "toml" => errors(&groups, &text),
                _ => continue,
            };
            assert!(found.is_empty(), "{}: {found:#?}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "only {count} samples were found");
    assert!(!errors(GROUPS, "[health]\nrestart = 2\n").is_empty() && !errors("nodec 10.0.0.1\n", "").is_empty());
}

/// The blocks of a manual page that are not filled, without its escapes.
fn unfilled(page: &str) -> Vec<String> {
    let text = read(page).replace("\\-", "-").replace("\\e\n", "\\\n").replace("\\&", "");
    text.split("\n.nf\n").skip(1).map(|rest| rest.split(".fi").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_sample_in_a_manual_page_is_accepted() {
    // The groups of which the page speaks; each sample is about some of them.
    let groups = "nodea 192.168.17.200/24/eth0 nginx\nnodea 10.0.0.100\nnodea 10.0.0.101\nnodeb 10.0.0.200\n\
                  nodea 10.0.1.200/24/ens5 httpd LVSSyncDaemonSwap::master\n";
    let is_toml = |text: &&String| {
        text.parse::<toml::Table>().is_ok() && ["\n[", " = "].iter().any(|sign| format!("\n{text}").contains(sign))
    };
    let units = |text: &&String| !["[Unit]", "[Service]"].iter().any(|section| text.contains(section));
    let page = unfilled("man/hbd.toml.5");
    let samples: Vec<&String> = page.iter().filter(is_toml).filter(units).collect();
    assert!(samples.len() > 8, "only {} samples were found", samples.len());
    for sample in samples {
        let found = errors(if sample.contains("[cluster]") { "" } else { groups }, sample);
        assert!(found.is_empty(), "hbd.toml(5): {sample}\n{found:#?}");
    }
    let page = unfilled("man/hbd-haresources.5");
    let found = errors(&page[0], "");
    assert!(found.is_empty(), "{found:#?}");
    let page = unfilled("man/hbd-authkeys.5");
    let node = Node::with("");
    node.write("etc/ha.d/authkeys", page[0].as_bytes());
    let read = load(&Files::of_copy(&node.root.path().join(".")), &node.host);
    assert_eq!(read.keys.map(|keys| keys.keys.len()), Some(2), "{:#?}", read.diagnostics);
}

#[test]
fn the_lines_of_the_installed_hbd_toml_are_accepted() {
    let text = read("packaging/hbd.toml");
    assert!(
        text.lines().all(|line| line.is_empty() || line.starts_with('#')),
        "it says something as it is installed"
    );
    // What is commented out without a blank is an example; prose has one.
    let lines = text.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with([' ', '#']));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    let groups = "nodea 192.168.17.200/24/eth0 nginx\n\
                  nodea 192.168.17.201/24/eth0 httpd LVSSyncDaemonSwap::master srv-data.mount\n";
    // A table stands in several places, which TOML does not take: each part is a file of its own.
    let mut parts: Vec<String> = Vec::new();
    for line in lines.lines() {
        if line.starts_with('[') {
            parts.push(String::new());
        }
        let Some(part) = parts.last_mut() else { panic!("{line} is in no table") };
        part.push_str(&format!("{line}\n"));
    }
    assert!(parts.len() > 10, "{parts:#?}");
    for part in parts {
        let node = Node::with("").haresources(groups).toml(&part);
        node.write("etc/ha.d/authkeys", b"auth 1\n1 hmac-sha256 a-key-of-the-tests\n");
        let found = errors_of(&node);
        assert!(found.is_empty(), "packaging/hbd.toml: {part}\n{found:#?}");
    }
}

#[test]
fn defaults_are_told_as_they_are() {
    let page = read("man/hbd.toml.5");
    let (health, within) = (Health::default(), Health::default().within.as_secs());
    let told = [
        format!("{} restarts within {within} s.", health.restarts),
        format!("counts as failed, {}.", FENCE_TIMEOUT.as_secs()),
        format!("by default {}.", Recording::default().megabytes),
        format!("after which it is ended, {}.", NotifyProgram::default().timeout.as_secs()),
    ];
    for sentence in &told {
        assert!(page.contains(sentence), "hbd.toml(5) does not say: {sentence}");
    }
    let node = Node::with("").haresources(GROUPS).toml("[groups.\"192.168.17.200/24/eth0\".check]\ntcp = 80\n");
    let checks = node.config().checks;
    let (check, rule) = (&checks[0], &checks[0].rule);
    let times = format!("interval {}, timeout {}", check.interval.as_secs(), check.timeout.as_secs());
    let commented = [
        format!("# a check: {times}, fall {}, rise {}\n", rule.fall, rule.rise),
        format!("# [fence.\"NODE\"]: timeout {}\n", FENCE_TIMEOUT.as_secs()),
        format!("# [notify]: timeout {}, keepalived false\n", NotifyProgram::default().timeout.as_secs()),
    ];
    for line in &commented {
        assert!(defaults().contains(line), "hbd.toml(5) does not say: {line}");
    }
    let page = read("docs/handbook/src/failures.md");
    let told = [
        format!("`restarts` times ({}) within `within` ({within} s)", health.restarts),
        format!("`fall` failures ({}), `interval` ({} s) apart", checks[0].rule.fall, checks[0].interval.as_secs()),
    ];
    for sentence in &told {
        assert!(page.contains(sentence), "failures.md does not say: {sentence}");
    }
    assert!(page.contains("after three seconds (WatchdogSec=)"));
    assert!(read("units/hbd.service").contains("\nWatchdogSec=3s\n"));
}

/// The lines under DEFAULTS in hbd.toml(5).
fn defaults() -> String {
    let page = read("man/hbd.toml.5");
    let (_, section) = page.split_once(".SH DEFAULTS\n").unwrap();
    let (_, lines) = section.split_once(".nf\n").unwrap();
    lines.split_once("\n.fi").unwrap().0.to_owned()
}

#[test]
fn the_defaults_of_hbd_toml_change_nothing() {
    let with = |toml: &str| Node::with("").haresources(GROUPS).toml(toml).config();
    let (lines, plain) = (defaults(), with(""));
    assert_eq!(with(&lines), plain);
    for (key, other) in [("restarts = 2", "restarts = 3"), ("pace = 0", "pace = 1"), ("\"yield\"", "\"defend\"")] {
        assert!(lines.contains(key) && with(&lines.replace(key, other)) != plain, "{key} has no effect");
    }
    // Every key of the tables stands there, if only in a comment.
    for table in ["[addresses]", "[units]", "[health]", "[ipfail]", "[watchdog]", "[record]", "[keys]"] {
        let (_, section) = lines.split_once(&format!("\n{table}\n")).unwrap();
        let section = section.split("\n\n").next().unwrap_or_default();
        let keys = listed(&format!("{table}\nzzzzzz = 1\n"), if table == "[keys]" { " is " } else { " are " });
        let missing: Vec<&String> = keys.iter().filter(|key| !section.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{table} lacks {missing:?}");
    }
}

/// The words that the only hint about an unknown key lists, behind the first of these words.
pub(super) fn listed(toml: &str, behind: &str) -> Vec<String> {
    let found = errors(GROUPS, toml);
    let hint = found.iter().find(|found| found.message.contains("zzzzzz")).map_or("", |found| found.help.as_str());
    let Some((_, words)) = hint.split_once(behind) else { panic!("{toml}: {hint:?} in {found:#?}") };
    words.replace(" and ", ", ").split(", ").map(|word| word.trim().to_owned()).collect()
}

#[test]
fn every_key_of_hbd_toml_is_in_its_manual_page() {
    // Keys that are directives of ha.cf are explained there.
    let page = (read("man/hbd.toml.5") + &crate::config::manual::page()).replace("\\-", "-");
    let missing = |key: &String| !Regex::new(&format!(r"(?:^|[^\w-]){key}(?:$|[^\w-])")).unwrap().is_match(&page);
    for table in TABLES {
        let keys = listed(&format!("{table}\nzzzzzz = 1\n"), if table == "[keys]" { " is " } else { " are " });
        let missing: Vec<&String> = keys.iter().filter(|key| missing(key)).collect();
        assert!(missing.is_empty(), "hbd.toml(5) lacks keys of {table}: {missing:?}");
    }
    // A new table is asked for, too. In [aliases] any key may stand.
    for table in listed("zzzzzz = 1\n", "the tables ") {
        let name = table.trim_matches(['[', ']']);
        let asked = TABLES.iter().any(|asked| asked.trim_start_matches('[').starts_with(name)) || name == "aliases";
        assert!(asked, "{name} is not asked for its keys");
    }
}
