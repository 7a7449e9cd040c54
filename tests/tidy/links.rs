//! Every link in a document leads to a file of the repository and, behind `#`, to one of its headings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::finding::{Finding, expect_only_known};
use crate::source::{self, Source};

/// The names that GitHub gives to a document's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                let count = times.entry(name.clone()).or_default();
                anchors.insert(if *count == 0 { name } else { format!("{name}-{count}") });
                *count += 1;
            }
            _ => {}
        }
    }
    anchors
}

/// Lower case, blanks as hyphens, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The path without `.` and `..`.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn check(documents: &[Source], exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let all: BTreeMap<&str, BTreeSet<String>> =
        documents.iter().map(|source| (source.path.as_str(), anchors(&source.text))).collect();
    let mut found = Vec::new();
    for source in documents {
        let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
        for (event, range) in Parser::new_ext(&source.text, Options::ENABLE_TABLES).into_offset_iter() {
            let Event::Start(Tag::Link { dest_url: target, .. }) = event else { continue };
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { PathBuf::from(&source.path) } else { normal(&folder.join(file)) };
            let line = source.text[..range.start].matches('\n').count() + 1;
            let anchors = path.to_str().and_then(|path| all.get(path));
            let missing = if !file.is_empty() && !exists(&path) {
                format!("the link {target} leads to no file")
            } else if !anchor.is_empty() && anchors.is_some_and(|anchors| !anchors.contains(anchor)) {
                format!("the link {target} leads to no heading")
            } else {
                continue;
            };
            let place = format!("{}:{line}", source.path);
            found.push(Finding::new(place, format!("{}: {missing}", source.path), "Look the right one up"));
        }
    }
    found
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = source::read(&["docs", "tests/captures"]);
    documents.extend(source::in_root("md"));
    documents.retain(|source| source.path.ends_with(".md"));
    expect_only_known("links", &check(&documents, |path| source::root().join(path).exists()));
}

#[test]
fn a_link_to_a_missing_file_or_heading_is_found() {
    let other = Source::new("docs/B.md", "# What `hbd` is: all\n# Twice\n# Twice\n");
    let check = |text: &str| {
        let exists = |path: &Path| path == Path::new("docs/B.md");
        check(&[Source::new("docs/protocol/A.md", text), other.clone()], exists)
    };
    assert_eq!(
        check("# Top\n[a](../B.md#what-hbd-is-all) [b](#top) [c](https://x.example/y) [d](../B.md#twice-1)"),
        []
    );
    assert_eq!(check("x\n\n[a](B.md)")[0].what, "docs/protocol/A.md: the link B.md leads to no file");
    assert_eq!(check("x\n\n[a](../B.md#what)")[0].place, "docs/protocol/A.md:3");
    assert_eq!(check("[b](#bottom)")[0].what, "docs/protocol/A.md: the link #bottom leads to no heading");
}
