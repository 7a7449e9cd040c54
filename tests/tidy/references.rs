//! Every reference to a file of the repository, or to a heading in one, resolves; none leads to what a reader does
//! not have.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use crate::finding::{Finding, expect_only_known};
use crate::prose::{Paragraph, paragraphs};
use crate::source::{self, Source};

/// What only those have who built hbd: a word in small letters that tells quickly where to look, the pattern, and
/// what replaces it.
const ELSEWHERE: [(&str, &str, &str); 7] = [
    ("shared", r"(?i)\bshared decisions?\b", "docs/DECISIONS.md \"Title\""),
    (".md", r"\b(?:crates|peers|design|decisions|reader-report|lab-notes)\.md", "docs/DECISIONS.md \"Title\""),
    ("crates ", r"\bcrates \d", "docs/DECISIONS.md \"Title\""),
    ("peers ", r"\bpeers [A-Z]\.\d", "docs/DECISIONS.md \"Title\""),
    ("issue", r"\bissues? \d", "the reason in words"),
    ("/", r"\.\./shared\b|/work/", "a file of the repository"),
    ("design", r"\bdesign(?: document|,? section|,? §|, .[A-Z])", "docs/ARCHITECTURE.md or docs/DECISIONS.md"),
];

/// What a build or a run makes.
const MADE: [&str; 3] = ["fuzz/artifacts", "man/hbd.8", "man/hbctl.8"];

/// The headings of every document, without the numbers before them.
fn headings(sources: &[Source]) -> BTreeMap<&str, BTreeSet<String>> {
    let heading = Regex::new(r"(?m)^#+ (?:\d+(?:\.\d+)*\.? )?(.+?)$").unwrap();
    let documents = sources.iter().filter(|source| source.path.ends_with(".md"));
    let named = documents.map(|source| {
        let titles = heading.captures_iter(&source.text).map(|parts| parts[1].trim().to_owned());
        (source.path.as_str(), titles.collect())
    });
    named.collect()
}

struct References<'a> {
    headings: BTreeMap<&'a str, BTreeSet<String>>,
    /// Every file and folder.
    paths: BTreeSet<String>,
    document: Regex,
    title: Regex,
    path: Regex,
    /// A name and the file that defines it: `Core::peer_died` (`src/cluster/…`).
    definition: Regex,
    /// The text of every Rust file.
    texts: BTreeMap<&'a str, &'a str>,
    elsewhere: Vec<(&'static str, Regex, &'static str)>,
}

impl<'a> References<'a> {
    fn new(documents: &'a [Source], paths: BTreeSet<String>) -> Self {
        References {
            headings: headings(documents),
            paths,
            document: Regex::new(r#"(docs/[\w/.-]+\.md),?((?:(?:,| and)? "[^"]+")*)"#).unwrap(),
            title: Regex::new(r#""([^"]+)""#).unwrap(),
            path: Regex::new(
                r"(?:^|[^\w/.$}~-])((?:src|tests|benches|docs|packaging|man|units|dbus|fuzz|\.ci)/[\w./-]*\w)([/.]?[*{<…])?",
            )
            .unwrap(),
            definition: Regex::new(r"`(?:[A-Z]\w*::)?([A-Za-z_]\w+)`(?: \(|, | in )`(src/[\w/]+\.rs)`").unwrap(),
            texts: documents.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect(),
            elsewhere: ELSEWHERE.map(|(word, pattern, instead)| (word, Regex::new(pattern).unwrap(), instead)).to_vec(),
        }
    }

    fn check(&self, sources: &[Source]) -> Vec<Finding> {
        let mut found = Vec::new();
        for source in sources {
            for paragraph in paragraphs(source) {
                let mut add = |offset: usize, what: String, remedy: String| {
                    let place = format!("{}:{}", source.path, paragraph.line(offset));
                    found.push(Finding::new(place, format!("{}: {what}", source.path), remedy));
                };
                self.elsewhere(&paragraph, &mut add);
                if paragraph.text.contains('/') {
                    self.titles(&paragraph, &mut add);
                    self.files(&paragraph, &mut add);
                    self.definitions(&paragraph, &mut add);
                }
            }
        }
        found
    }

    fn elsewhere(&self, paragraph: &Paragraph, add: &mut impl FnMut(usize, String, String)) {
        let small = paragraph.text.to_lowercase();
        for (_, pattern, instead) in self.elsewhere.iter().filter(|(word, ..)| small.contains(word)) {
            for part in pattern.find_iter(&paragraph.text) {
                let what = format!("\"{}\" is not in the repository", part.as_str());
                add(part.start(), what, format!("Refer to {instead}"));
            }
        }
    }

    fn titles(&self, paragraph: &Paragraph, add: &mut impl FnMut(usize, String, String)) {
        for parts in self.document.captures_iter(&paragraph.text) {
            let document = &parts[1];
            let Some(headings) = self.headings.get(document) else { continue };
            for title in self.title.captures_iter(&parts[2]) {
                if !headings.contains(&title[1]) {
                    let what = format!("{document} has no heading \"{}\"", &title[1]);
                    add(parts.get(0).unwrap().start(), what, "Look the right one up".to_owned());
                }
            }
        }
    }

    fn definitions(&self, paragraph: &Paragraph, add: &mut impl FnMut(usize, String, String)) {
        for parts in self.definition.captures_iter(&paragraph.text) {
            let Some(text) = self.texts.get(&parts[2]) else { continue };
            let kinds = ["fn", "struct", "enum", "trait", "type", "const", "macro_rules!"];
            let item = kinds.iter().any(|kind| text.contains(&format!("{kind} {}", &parts[1])));
            let variant = |line: &str| {
                let rest = line.trim_start().strip_prefix(&parts[1]);
                rest.is_some_and(|rest| rest.starts_with([',', '(']) || rest.starts_with(" {"))
            };
            if !item && !text.lines().any(variant) {
                let what = format!("{} does not define {}", &parts[2], &parts[1]);
                add(parts.get(0).unwrap().start(), what, "Name the file where it is now".to_owned());
            }
        }
    }

    fn files(&self, paragraph: &Paragraph, add: &mut impl FnMut(usize, String, String)) {
        for parts in self.path.captures_iter(&paragraph.text) {
            let path = parts.get(1).unwrap();
            let foreign = paragraph.text[path.end()..].starts_with(" of systemd");
            let made = MADE.contains(&path.as_str());
            // `tests/lab/…` and `src/NAME.rs` stand for many files.
            let pattern = parts.get(2).is_some() || path.as_str().contains("NAME");
            if !foreign && !pattern && !made && !self.paths.contains(path.as_str()) {
                let what = format!("there is no {}", path.as_str());
                add(path.start(), what, "Name the file where it is now".to_owned());
            }
        }
    }
}

/// Every file with every folder above it.
fn paths<'a>(files: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let mut rest = Some(file);
        while let Some(path) = rest {
            found.insert(path.to_owned());
            rest = path.rsplit_once('/').map(|(folder, _)| folder);
        }
    }
    found
}

/// Where people read: all that git has but data.
const PLACES: [&str; 15] = [
    "src",
    "hbd-witness",
    "tests",
    "benches",
    "fuzz/fuzz_targets",
    "docs",
    "packaging",
    "man",
    "units",
    "dbus",
    "Makefile",
    ".ci",
    "README.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
];

#[test]
fn references_to_files_and_headings_resolve() {
    let mut sources = source::read(&PLACES);
    let all = source::paths(&[
        "src",
        "hbd-witness",
        "tests",
        "benches",
        "fuzz",
        "docs",
        "packaging",
        "man",
        "units",
        "dbus",
        ".ci",
    ]);
    let paths = paths(all.iter().map(String::as_str));
    let documents = sources.clone();
    sources.retain(|source| source.is_rust() || !source.path.starts_with("tests/"));
    expect_only_known("references", &References::new(&documents, paths).check(&sources));
}

#[test]
fn a_reference_to_a_missing_file_or_heading_is_found() {
    let decisions = "# Decisions\n## 23. Leases\n## 24. One more\n";
    let documents = [
        Source::new("docs/DECISIONS.md", decisions),
        Source::new("src/a/b.rs", "pub fn used() {}\nenum C {\n    D,\n}\n"),
    ];
    let references = References::new(&documents, paths(["docs/DECISIONS.md", "src/a/b.rs"].into_iter()));
    let what = |text: &str| {
        let found = references.check(&[Source::new("src/a.rs", &format!("/// {text}\n"))]).into_iter();
        found.map(|finding| finding.what.strip_prefix("src/a.rs: ").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        what("docs/DECISIONS.md \"Leases\",\n/// \"One more\"; src/a/b.rs, src/a/. /usr/src/x, docs/A.md of systemd"),
        [""; 0]
    );
    assert_eq!(what("docs/DECISIONS.md \"Leases\", \"Two\""), ["docs/DECISIONS.md has no heading \"Two\""]);
    assert_eq!(what("see src/c.rs."), ["there is no src/c.rs"]);
    assert_eq!(what("`A::used` (`src/a/b.rs`), `C::D` in `src/a/b.rs`"), [""; 0]);
    assert_eq!(what("`unused` in `src/a/b.rs`"), ["src/a/b.rs does not define unused"]);
    let shared = ["shared", " decisions"].concat();
    assert_eq!(what(&format!("(hbd.toml, {shared})")), [format!("\"{shared}\" is not in the repository")]);
    let issue = ["issue", " 4"].concat();
    assert_eq!(what(&format!("{issue} says")), [format!("\"{issue}\" is not in the repository")]);
}
