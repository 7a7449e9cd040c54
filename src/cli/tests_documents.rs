//! What documents say of hbctl and hbd, compared with their own tables: each command line parses, each metric is
//! printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex_lite::Regex;

use super::table;

/// What an administrator reads, beside the manual pages.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "SECURITY.md",
    "docs/CONCEPTS.md",
    "docs/PROTECTION.md",
    "docs/FIRST-DAY.md",
    "docs/FIRST-EVENING.md",
    "docs/handbook/src",
];

/// What ends a command within a line of a shell.
const SHELL: [&str; 6] = [" #", " |", " >", " 2>", " &&", ";"];

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| collect(&entry.unwrap().path(), found));
    } else if path.extension().is_none_or(|extension| extension != "png") {
        found.push(path.to_owned());
    }
}

fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    DOCUMENTS.iter().for_each(|place| collect(&root.join(place), &mut paths));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root).unwrap().display().to_string(), text)
    };
    paths.into_iter().map(read).collect()
}

/// The command of hbctl or hbd that a line is, without prompt, comment, and what the shell does with it.
fn command(line: &str) -> Option<String> {
    let line = line.trim();
    let prompt = line.split_once("# ").filter(|(user, _)| user.starts_with("root@") || user.starts_with("node"));
    let typed = prompt.map_or(line, |(_, typed)| typed);
    let end = SHELL.iter().filter_map(|mark| typed.find(mark)).min().unwrap_or(typed.len());
    let typed = typed[..end].trim_end_matches(['…', ' ']);
    (typed.starts_with("hbctl ") || typed.starts_with("hbd --")).then(|| typed.to_owned())
}

/// The commands in a document. A whole one is to be typed as it stands; another one is spoken of in a sentence, and
/// may lack its arguments.
fn commands(text: &str) -> Vec<(String, bool)> {
    let (mut found, mut block) = (Vec::new(), None);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block = Some(String::new()),
            Event::End(TagEnd::CodeBlock) => {
                let lines = block.take().unwrap_or_default().replace("\\\n", " ");
                found.extend(lines.lines().filter_map(command).map(|typed| (typed, true)));
            }
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::Code(code) => found.extend(command(&code).map(|typed| (typed, false))),
            _ => {}
        }
    }
    found
}

/// Why hbctl or hbd would not take the commands of a document.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let refused = |(typed, whole): (String, bool)| {
        let words = typed.split_whitespace().map(|word| word.trim_matches('"'));
        let program = if typed.starts_with("hbd ") { crate::daemon::command() } else { table::command() };
        let error = program.try_get_matches_from(words).err()?;
        let lacks_words =
            error.kind() == ErrorKind::MissingRequiredArgument || error.to_string().contains("a value is required");
        let spoken_of = !whole && lacks_words;
        (!spoken_of).then(|| format!("{path}: {typed}: {error}"))
    };
    commands(text).into_iter().filter_map(refused).collect()
}

#[test]
fn every_command_in_a_document_is_one_of_hbctl() {
    let documents = documents();
    let complaints: Vec<String> = documents.iter().flat_map(|(path, text)| complaints(path, text)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let count = documents.iter().flat_map(|(_, text)| commands(text)).count();
    assert!(count > 100, "only {count} commands were found");
}

/// The commands in a manual page, as Markdown: in bold, spoken of; and in lines that are not filled, to be typed.
fn commands_in_page(text: &str) -> String {
    let bold = Regex::new(r#"(?m)^\.[BR]+(?: \()? "?(hb(?:ctl [a-z]|d --)[^"\n(]*)"#).unwrap();
    let text = text.replace("\\-", "-").replace("\\e\n", " ");
    let spoken_of = bold.captures_iter(&text).map(|parts| format!("`{}`\n", parts[1].trim()));
    let typed = text.split(".nf\n").skip(1).map(|rest| rest.split(".fi").next().unwrap_or_default());
    spoken_of.chain(typed.map(|block| format!("\n```sh\n{block}```\n"))).collect()
}

#[test]
fn every_command_in_a_manual_page_is_one_of_hbctl() {
    let mut paths = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"), &mut paths);
    let mut count = 0;
    for path in paths {
        let text = commands_in_page(&fs::read_to_string(&path).unwrap());
        let found = complaints(&path.display().to_string(), &text);
        assert!(found.is_empty(), "{}", found.join("\n"));
        count += commands(&text).len();
    }
    assert!(count > 50, "only {count} commands were found");
}

/// Messages quote commands, and the journal catalog speaks of them.
#[test]
fn every_command_in_a_message_is_one_of_hbctl() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let quoted = Regex::new(r"[`']hbctl ([a-z][a-z-]*)").unwrap();
    let spoken_of = Regex::new(r"\bhbctl ([a-z][a-z-]*)").unwrap();
    let (command, mut paths, mut count) = (table::command(), Vec::new(), 0);
    let verbs: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    ["src", "packaging", "units"].iter().for_each(|place| collect(&root.join(place), &mut paths));
    for path in paths.iter().filter(|path| !path.ends_with("tests_documents.rs")) {
        let pattern = if path.ends_with("hbd.catalog") { &spoken_of } else { &quoted };
        // A captured packet is no text.
        let text = fs::read(path).unwrap();
        for parts in pattern.captures_iter(&String::from_utf8_lossy(&text)) {
            let verb = &parts[1];
            assert!(verbs.contains(verb) || verb == "and", "{}: hbctl has no {verb}", path.display());
            count += 1;
        }
    }
    assert!(count > 100, "only {count} commands were found");
}

#[test]
fn a_command_that_hbctl_does_not_take_is_found() {
    let text = "Ask `hbctl status --josn`, `hbctl move` or\n\n    hbctl move GROUP\n    hbctl standby GROUP…  # these\n\n\
                ```sh\nroot@nodea:~# hbctl init --peer b \\\n    --link eth1=1.2.3.4 | cat\nhbctl retire\nhbd --chekc\n```\n";
    let names = |text: &str| {
        let found = complaints("A.md", text);
        found.iter().filter_map(|complaint| Some(complaint.split(": ").nth(1)?.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(names(text), ["hbctl status --josn", "hbctl move GROUP", "hbctl retire", "hbd --chekc"]);
    let page = ".BR \"hbctl fence\" .\n.RB ( \"hbd \\-\\-replay\" ,\n.nf\nnodea# hbctl init \\-\\-peer b \\e\n\
                \\-\\-lnik x\n.fi\n.B hbctl dance\n";
    assert_eq!(names(&commands_in_page(page)), ["hbctl dance", "hbctl init --peer b  --lnik x"]);
}

#[test]
fn the_handbook_explains_each_metric() {
    let names = |pattern: &str, text: &str| {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|parts| parts[1].to_owned()).collect::<BTreeSet<String>>()
    };
    let printed = names(r#"\.(?:metric|counter)\(\s*"(hbd_\w+)""#, include_str!("metrics.rs"));
    let page = include_str!("../../docs/handbook/src/howto/monitoring.md");
    assert!(printed.len() > 10, "{printed:?}");
    assert_eq!(names(r"(?m)^\| `(hbd_\w+)` \|", page), printed);
    let asked = names(r"(hbd_\w+)", page);
    assert!(asked.is_subset(&printed), "{asked:?}");
}
