//! The lines of a shell in documents: each begins with a program that somebody judges. What is for systemctl,
//! journalctl and busctl is judged here: verbs, units, fields and the interface are there. What is for hbctl and hbd
//! is parsed by their own tables (`src/cli/tests_documents.rs`). The pages that a test of the laboratory plays show
//! its very commands.

use std::collections::BTreeSet;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::interface::Interface;
use crate::source::{self, Source};

/// Programs of a line of a shell that hbd does not bring along, beside those that are judged.
const FOREIGN: [&str; 33] = [
    "ansible-playbook",
    "ansible-vault",
    "apt",
    "apt-get",
    "ausearch",
    "cd",
    "checkmodule",
    "chmod",
    "cl_status",
    "cp",
    "curl",
    "dpkg",
    "drbdadm",
    "etcdctl",
    "firewall-cmd",
    "grep",
    "hostnamectl",
    "make",
    "mkfs.ext4",
    "nft",
    "printf",
    "ps",
    "restorecon",
    "rm",
    "scp",
    "sed",
    "semodule",
    "semodule_package",
    "tar",
    "ufw",
    "umask",
    "uname",
    "while",
];

/// Verbs of systemctl(1) that documents use.
const VERBS: [&str; 21] = [
    "cancel",
    "cat",
    "daemon-reload",
    "disable",
    "enable",
    "freeze",
    "is-active",
    "is-enabled",
    "isolate",
    "kill",
    "list-dependencies",
    "mask",
    "reboot",
    "reload",
    "restart",
    "service-log-level",
    "show",
    "start",
    "status",
    "stop",
    "try-restart",
];

/// A command of a document, and whether it is typed as it stands or only spoken of.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    line: usize,
    text: String,
    whole: bool,
}

/// What a line of a block is without prompt, comment and what a shell does with the output.
fn typed(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches('(');
    let line = line.split_once("# ").filter(|(prompt, _)| prompt.starts_with("root@")).map_or(line, |(_, rest)| rest);
    let end = [" #", " | ", " >", " 2>", " && ", "; "].iter().filter_map(|mark| line.find(mark)).min();
    let line = line[..end.unwrap_or(line.len())].trim_end_matches(['…', ' ']);
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

/// The commands of a page in Markdown: blocks of sh, lines with a prompt, and `code` for one of the three programs.
fn in_markdown(source: &Source) -> Vec<Typed> {
    let number = |offset: usize| source.text[..offset].matches('\n').count() + 1;
    let (mut found, mut block) = (Vec::new(), None);
    for (event, range) in Parser::new_ext(&source.text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let shell = matches!(&kind, CodeBlockKind::Fenced(language) if &**language == "sh");
                let indented = matches!(kind, CodeBlockKind::Indented);
                block = (shell || indented).then(|| (shell || source.path == "README.md", String::new()));
            }
            Event::Text(text) => {
                if let Some((_, block)) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                let Some((shell, text)) = block.take() else { continue };
                let text = text.replace("\\\n", " ");
                let lines = text.lines().filter(|line| shell || line.trim_start().starts_with("root@node"));
                let line = number(range.start);
                found.extend(lines.filter_map(typed).map(|text| Typed { line, text: text.to_owned(), whole: true }));
            }
            Event::Code(code) if judged(&code) => {
                found.push(Typed { line: number(range.start), text: code.to_string(), whole: false });
            }
            _ => {}
        }
    }
    found
}

/// Whether a command is for a program that is judged here.
fn judged(text: &str) -> bool {
    ["systemctl ", "journalctl ", "busctl "].iter().any(|program| text.starts_with(program))
}

/// The commands of a manual page: lines that are not filled, and bold ones.
fn in_manual_page(source: &Source) -> Vec<Typed> {
    let bold =
        Regex::new(r#"^\.(?:B|BR|RB|BI|RB \() *\(? *"?(systemctl [^"]*|journalctl [^"]*|busctl [^"]*)"#).unwrap();
    let (mut found, mut unfilled) = (Vec::new(), false);
    for (line, text) in source.lines() {
        let text = text.replace("\\-", "-");
        match text.as_str() {
            ".nf" => unfilled = true,
            ".fi" => unfilled = false,
            _ if unfilled => {
                let text =
                    text.split_once("# ").filter(|(node, _)| node.starts_with("node")).map_or(&*text, |(_, it)| it);
                found.extend(typed(text).filter(|text| judged(text)).map(|text| Typed {
                    line,
                    text: text.to_owned(),
                    whole: true,
                }));
            }
            _ => {
                let command = bold.captures(&text).map(|parts| parts[1].trim_end_matches([' ', '.', ',']).to_owned());
                found.extend(
                    command.filter(|text| !text.ends_with("(1)") && !text.ends_with(" (1")).map(|text| Typed {
                        line,
                        text,
                        whole: false,
                    }),
                );
            }
        }
    }
    found
}

/// What commands are judged by.
struct Known {
    /// Files of units/, and what the code makes.
    units: String,
    /// Source text, in which the fields of records stand.
    code: String,
    interface: Interface,
}

impl Known {
    /// Why this command cannot be as it is.
    fn judge(&self, command: &Typed) -> Option<String> {
        let words: Vec<&str> = command.text.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).collect();
        match words[0] {
            "systemctl" => self.systemctl(&words[1..]),
            "journalctl" => self.journalctl(&words[1..]),
            "busctl" => self.interface.judge(&words[1..], command.whole),
            "hbctl" | "hbd" => None,
            program if !command.whole || FOREIGN.contains(&program) || program.contains('=') => None,
            program => Some(format!("nobody judges {program}")),
        }
    }

    fn systemctl(&self, words: &[&str]) -> Option<String> {
        let mut words = words.iter().filter(|word| !word.starts_with('-'));
        let verb = words.next()?;
        if !VERBS.contains(verb) {
            return Some(format!("systemctl has no verb {verb}"));
        }
        let missing = words.find(|unit| unit.starts_with("hbd") && !self.has_unit(unit))?;
        Some(format!("there is no unit {missing}"))
    }

    fn has_unit(&self, unit: &str) -> bool {
        let name = unit.trim_end_matches(".service");
        let name = name.split_once('@').map_or(name, |(name, _)| name).trim_end_matches('*');
        self.units.contains(&format!("units/{name}.")) || self.code.contains(name)
    }

    fn journalctl(&self, words: &[&str]) -> Option<String> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let option = word.starts_with('-') && !word.contains('=');
            let value = match *word {
                "-u" | "--unit" => words.next().filter(|unit| unit.starts_with("hbd") && !self.has_unit(unit)),
                "-F" => words.next().filter(|field| !self.has_field(field)),
                "-p" | "-o" | "-n" => words.next().filter(|_| false),
                "-x" | "-f" | "-b" | "--no-pager" => None,
                _ if option => Some(word),
                _ => word.split_once('=').filter(|(field, _)| !self.has_field(field)).map(|_| word),
            };
            if let Some(value) = value {
                return Some(format!("journalctl finds nothing by {value}"));
            }
        }
        None
    }

    fn has_field(&self, field: &str) -> bool {
        field.starts_with('-') || self.code.contains(&format!("\"{field}\""))
    }

    fn check(&self, source: &Source) -> (usize, Vec<Finding>) {
        let commands = if source.path.ends_with(".md") { in_markdown(source) } else { in_manual_page(source) };
        let judged = commands.iter().filter_map(|command| {
            let why = self.judge(command)?;
            let place = format!("{}:{}", source.path, command.line);
            Some(Finding::new(place, format!("{}: {}: {why}", source.path, command.text), "Write what there is"))
        });
        let found = judged.collect();
        (commands.len(), found)
    }
}

/// What an administrator reads.
fn documents() -> Vec<Source> {
    let all = source::read(&[&source::DOCUMENTS[..], &["docs/UNITS.md", "man"]].concat());
    all.into_iter().filter(|source| source.path.ends_with(".md") || source.path.starts_with("man/")).collect()
}

fn known() -> Known {
    let code = source::read(&["src"]).into_iter().map(|source| source.text).collect();
    let units = source::paths(&["units"]).join("\n");
    Known { units, code, interface: Interface::of(&source::read(&["dbus"])) }
}

#[test]
fn every_command_of_a_document_is_known() {
    let known = known();
    let (mut count, mut found) = (0, Vec::new());
    for source in documents() {
        let (commands, findings) = known.check(&source);
        count += commands;
        found.extend(findings);
    }
    expect_none(&found);
    assert!(count > 150, "only {count} commands were found");
}

/// The commands that a test of the laboratory types, as patterns: what it fills in may be anything.
fn played(test: &Source) -> Vec<Regex> {
    let joined = Regex::new(r"\\\n\s*").unwrap().replace_all(&test.text, "").into_owned();
    let literal = Regex::new(r#""((?:[^"\\\n]|\\.)*)""#).unwrap();
    let hole = Regex::new(r"\\\{\w*\\\}").unwrap();
    let commands = literal.captures_iter(&joined).map(|parts| parts[1].replace("\\\"", "\"").replace("\\\\", "\\"));
    let parts: BTreeSet<String> = commands
        .flat_map(|command| {
            command.split("; ").flat_map(|part| part.split(" || ")).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|command| command.contains(' '))
        .collect();
    let pattern = |command: &String| hole.replace_all(&regex_lite::escape(command), ".*").into_owned();
    parts.iter().map(|command| Regex::new(&format!("^{}", pattern(command))).unwrap()).collect()
}

/// The whole commands of a page that the test does not type. A page may leave options out at the end.
fn not_played(page: &Source, test: &Source) -> Vec<Finding> {
    let played = played(test);
    let commands = in_markdown(page).into_iter().filter(|command| command.whole);
    let missing = commands.filter(|command| {
        let text = command.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let longer = |pattern: &Regex| pattern.as_str()[1..].starts_with(&regex_lite::escape(&text));
        !played.iter().any(|pattern| pattern.is_match(&text) || longer(pattern))
    });
    missing
        .map(|command| {
            let what = format!("{}: {} does not type: {}", page.path, test.path, command.text);
            Finding::new(format!("{}:{}", page.path, command.line), what, "Show what the test types")
        })
        .collect()
}

#[test]
fn what_a_walk_through_shows_is_played() {
    let read = |path: &str| source::read(&[path]).pop().unwrap();
    for (page, test) in [
        ("docs/FIRST-DAY.md", "tests/lab/tests/daemon/first_user.rs"),
        ("docs/FIRST-EVENING.md", "tests/lab/tests/daemon/first_evening.rs"),
    ] {
        expect_none(&not_played(&read(page), &read(test)));
    }
    // The beginning and the tutorial set the same pair up.
    let evening = played(&read("tests/lab/tests/daemon/first_evening.rs"));
    for page in ["README.md", "docs/handbook/src/tutorial.md", "man/hbctl.8.tail"] {
        let page = read(page);
        let text = page.text.replace("\\-", "-").replace("\\e\n", " ").replace("\\\n", " ");
        let lines = text.lines().filter_map(|line| line.find("hbctl ").map(|at| &line[at..]));
        let setup: Vec<String> = lines
            .filter(|line| line.starts_with("hbctl init --peer") || line.starts_with("hbctl join --"))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(setup.len() >= 2, "{}: {setup:?}", page.path);
        for line in setup {
            assert!(evening.iter().any(|pattern| pattern.is_match(&line)), "{}: {line} is not played", page.path);
        }
    }
}

#[test]
fn a_command_that_nobody_knows_is_found() {
    let known = Known {
        units: "units/hbd.service\nunits/hbd-group.target".to_owned(),
        code: "(\"HBD_NODE\", x) hbd-notify-".to_owned(),
        interface: Interface::of(&[]),
    };
    let page = Source::new(
        "a.md",
        "`systemctl reload hbd` `systemctl relaod hbd` `systemctl stop hbd-grupo@x.target httpd`\n\n\
         ```sh\nhbctl x\nfrobnicate -x  # y\njournalctl -u hbd -x -p notice HBD_NODE=a\njournalctl -F HBD_NOD\n\
         systemctl status hbd-group@web.target\n```\n\n    root@nodea:~# journalctl -u 'hbd-notify-*' -u hbd-x\n    […]\n",
    );
    let what: Vec<String> = known.check(&page).1.into_iter().map(|finding| finding.what).collect();
    assert_eq!(
        what,
        [
            "a.md: systemctl relaod hbd: systemctl has no verb relaod",
            "a.md: systemctl stop hbd-grupo@x.target httpd: there is no unit hbd-grupo@x.target",
            "a.md: frobnicate -x: nobody judges frobnicate",
            "a.md: journalctl -F HBD_NOD: journalctl finds nothing by HBD_NOD",
            "a.md: journalctl -u 'hbd-notify-*' -u hbd-x: journalctl finds nothing by hbd-x",
        ]
    );
    let manual =
        Source::new("a.8", ".B systemctl relaod hbd\n.nf\nnodea# systemctl reload hbd\n.fi\n.BR systemctl (1)\n");
    assert_eq!(known.check(&manual).0, 2);
    let test = Source::new(
        "t.rs",
        "format!(\"hbctl init --link \\\n     eth1={link}\") \"journalctl -u hbd --lines=2; x y\"",
    );
    let page = Source::new("p.md", "```sh\nhbctl init --link eth1=1.2.3.4\njournalctl -u hbd\nhbctl stop\n```\n");
    let what: Vec<String> = not_played(&page, &test).into_iter().map(|finding| finding.what).collect();
    assert_eq!(what, ["p.md: t.rs does not type: hbctl stop"]);
}
