//! Words of comments and documents for which docs/STYLE.md and docs/GLOSSARY.md have plainer ones.

use regex_lite::Regex;

use crate::finding::{Finding, expect_only_known};
use crate::prose::paragraphs;
use crate::source::{self, Source};

/// A word, and what to write.
const INSTEAD: [(&str, &str); 10] = [
    ("room", "a module, a folder, a thread, or space"),
    ("rooms", "modules, folders or threads"),
    ("house", "the project"),
    ("tongue", "the protocol"),
    ("culprit", "the program that did it"),
    ("whoever", "the subject: which node, program or user"),
    ("he", "it, or the subject"),
    ("him", "it, or the subject"),
    ("his", "its, or the subject"),
    ("himself", "itself, or the subject"),
];

fn check(sources: &[Source]) -> Vec<Finding> {
    let word = Regex::new(r"[A-Za-z]+").unwrap();
    let mut found = Vec::new();
    for source in sources {
        for paragraph in paragraphs(source) {
            for part in word.find_iter(&paragraph.text) {
                let small = part.as_str().to_lowercase();
                let Some((word, instead)) = INSTEAD.iter().find(|(word, _)| *word == small) else { continue };
                let place = format!("{}:{}", source.path, paragraph.line(part.start()));
                found.push(Finding::new(place, format!("{}: \"{word}\"", source.path), format!("Name {instead}")));
            }
        }
    }
    found
}

#[test]
fn comments_use_plain_words() {
    let mut sources = source::rust(&["src", "tests", "benches", "fuzz/fuzz_targets"]);
    sources.extend(source::read(&["docs"]));
    // These name the words that they replace.
    sources.retain(|source| !["docs/STYLE.md", "docs/GLOSSARY.md"].contains(&source.path.as_str()));
    expect_only_known("words", &check(&sources));
}

#[test]
fn a_word_that_has_a_plainer_one_is_found() {
    let found = check(&[Source::new("src/a.rs", "// fine\nlet room = 1;\n// The address Room adds it; a chroom.\n")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].place.as_str(), found[0].what.as_str()), ("src/a.rs:3", "src/a.rs: \"room\""));
}
