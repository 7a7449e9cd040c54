//! Every reference to a section of the specification resolves: `02 §4.1, §7`, `03 §14.1 rule 12`
//! (docs/protocol/README.md says how a reference is read).

use std::collections::BTreeMap;

use regex_lite::Regex;

use crate::finding::{Finding, expect_none, expect_only_known};
use crate::prose::paragraphs;
use crate::source::{self, Source};

/// Chapter and section, and the section's text with that of its subsections.
type Sections = BTreeMap<(String, String), String>;

/// The chapter that a file in docs/protocol is.
fn chapter(path: &str) -> Option<&str> {
    let number = path.strip_prefix("docs/protocol/")?.split('-').next()?;
    (number.len() == 2 && number.parse::<u8>().is_ok()).then_some(number)
}

fn sections(sources: &[Source]) -> Sections {
    let heading = Regex::new(r"^(#+) (\d+(?:\.\d+)*)[. ]").unwrap();
    let mut found = Sections::new();
    for source in sources {
        let Some(chapter) = chapter(&source.path) else { continue };
        let mut open: Vec<(usize, String)> = Vec::new();
        for (_, line) in source.lines() {
            if let Some(parts) = heading.captures(line) {
                open.retain(|(level, _)| *level < parts[1].len());
                open.push((parts[1].len(), parts[2].to_owned()));
                found.entry((chapter.to_owned(), parts[2].to_owned())).or_default();
            }
            for (_, section) in &open {
                let text = found.entry((chapter.to_owned(), section.clone())).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

/// Whether a section has an item or a row with this number, or so many rows without numbers.
fn has_item(text: &str, kind: &str, number: usize) -> bool {
    let numbered = Regex::new(&format!(r"(?m)^\s*(?:\| *)?(?:\*\*)?{number}(?:\.| *\||\*\*)")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-")).count();
    numbered.is_match(text) || (kind.starts_with("row") && number < rows)
}

fn check(sources: &[Source], sections: &Sections) -> Vec<Finding> {
    let section = Regex::new(r"§ ?(\d+(?:\.\d+)*)(?:[–-](\d+(?:\.\d+)*))?").unwrap();
    let before = Regex::new(r"(0\d|RFC \d+|of systemd),? $").unwrap();
    let item =
        Regex::new(r"^,? (nos?\.|rules?|traps?|steps?|rows?|items?) (\d+)(?:(?: to | and |, |–)(\d+)\b)?").unwrap();
    let mut found = Vec::new();
    for source in sources {
        for paragraph in paragraphs(source) {
            let mut document = chapter(&source.path).map(str::to_owned);
            for parts in section.captures_iter(&paragraph.text) {
                let whole = parts.get(0).unwrap();
                let (head, tail) = (&paragraph.text[..whole.start()], &paragraph.text[whole.end()..]);
                if let Some(named) = before.captures(head) {
                    document = Some(named[1].to_owned());
                }
                let place = format!("{}:{}", source.path, paragraph.line(whole.start()));
                let mut add = |what: String| {
                    let remedy = "Look the right one up in docs/protocol";
                    found.push(Finding::new(&place, format!("{}: {what}", source.path), remedy));
                };
                let Some(document) = document.as_deref() else {
                    add(format!("{} belongs to no chapter", whole.as_str()));
                    continue;
                };
                if document.len() > 2 {
                    continue;
                }
                for number in [parts.get(1), parts.get(2)].into_iter().flatten() {
                    let Some(text) = sections.get(&(document.to_owned(), number.as_str().to_owned())) else {
                        add(format!("there is no {document} §{}", number.as_str()));
                        continue;
                    };
                    let Some(items) = item.captures(tail) else { continue };
                    for number in [items.get(2), items.get(3)].into_iter().flatten() {
                        if !has_item(text, &items[1], number.as_str().parse().unwrap()) {
                            add(format!("{document} {} has no {} {}", whole.as_str(), &items[1], number.as_str()));
                        }
                    }
                }
            }
        }
    }
    found
}

#[test]
fn references_to_the_specification_resolve() {
    let sections = sections(&source::read(&["docs/protocol"]));
    assert!(sections.len() > 200, "docs/protocol has only {} sections", sections.len());
    let mut sources =
        source::read(&["src", "hbd-witness", "tests", "benches", "docs", "README.md", "packaging", "man"]);
    // These explain references by samples.
    sources.retain(|source| source.path != "docs/protocol/README.md" && !source.path.starts_with("tests/tidy/"));
    let found = check(&sources, &sections);
    expect_only_known("chapters", &found);
}

#[test]
fn a_reference_that_leads_nowhere_is_found() {
    let chapter = "## 4. Start\n1. one\n2. two\n### 4.1 First\n| a |\n|---|\n| b |\n## 7. Liveness\n";
    let sections = sections(&[Source::new("docs/protocol/02-membership.md", chapter)]);
    let what = |text: &str| {
        let found = check(&[Source::new("src/a.rs", &format!("// {text}\n"))], &sections).into_iter();
        found.map(|finding| finding.what.strip_prefix("src/a.rs: ").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(what("(02 §4 rule 2, §4.1 row 1; RFC 5227 §2.4)\n// and 02\n// §7"), [""; 0]);
    assert_eq!(what("(02 §4.1, §7.1)"), ["there is no 02 §7.1"]);
    assert_eq!(what("03 §4"), ["there is no 03 §4"]);
    assert_eq!(what("§4"), ["§4 belongs to no chapter"]);
    assert_eq!(what("02 §4 rules 2 and 3"), ["02 §4 has no rules 3"]);
    expect_none(&check(&[Source::new("docs/protocol/02-membership.md", "as §4.1 says")], &sections));
}
