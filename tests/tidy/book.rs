//! The handbook is whole, and what documents name is there: pages and includes, manual pages, installed files, units,
//! tests.

use std::collections::BTreeSet;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag};
use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::links::normal;
use crate::source::{self, Source};

const BOOK: &str = "docs/handbook/src/";

fn finding(source: &Source, offset: usize, what: String, remedy: &str) -> Finding {
    let line = source.text[..offset].matches('\n').count() + 1;
    Finding::new(format!("{}:{line}", source.path), format!("{}: {what}", source.path), remedy)
}

/// Where a path that a page names leads, from the root of the repository.
fn target(page: &str, path: &str) -> String {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    normal(&folder.join(path)).display().to_string()
}

/// The links of a document to files, with their places.
fn links(text: &str) -> Vec<(String, usize)> {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    let found = events.filter_map(|(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some((dest_url.to_string(), range.start)),
        _ => None,
    });
    found.filter(|(link, _)| !link.contains("://") && !link.starts_with(['#', 'm'])).collect()
}

/// Pages that SUMMARY.md does not name, includes of what is not there, and links that lead out of the book.
fn check_book(pages: &[Source], documents: &[Source]) -> Vec<Finding> {
    let include = Regex::new(r"\{\{#include ([^}]+)\}\}").unwrap();
    let mut found = Vec::new();
    let named: BTreeSet<String> = pages
        .iter()
        .filter(|page| page.path.ends_with("SUMMARY.md"))
        .flat_map(|page| links(&page.text).into_iter().map(|(link, _)| target(&page.path, &link)))
        .collect();
    for page in pages.iter().filter(|page| !page.path.ends_with("SUMMARY.md")) {
        if !named.contains(&page.path) {
            found.push(finding(page, 0, "SUMMARY.md does not name it".to_owned(), "Enter it there"));
        }
        for (link, offset) in links(&page.text) {
            let file = target(&page.path, link.split('#').next().unwrap_or_default());
            if !pages.iter().any(|page| page.path == file) {
                found.push(finding(page, offset, format!("{link} is not in the book"), "Name the file in words"));
            }
        }
        for parts in include.captures_iter(&page.text) {
            let (offset, path) = (parts.get(0).unwrap().start(), target(&page.path, &parts[1]));
            let Some(document) = documents.iter().find(|document| document.path == path) else {
                found.push(finding(page, offset, format!("there is no {path}"), "Name the file where it is now"));
                continue;
            };
            // A sample in a block is shown as it is.
            if path.ends_with(".md") && !links(&document.text).is_empty() {
                let what = format!("{path} has links to files, which lead nowhere in the book");
                found.push(finding(page, offset, what, "Name these files in words there"));
            }
        }
    }
    found
}

/// What is there: manual pages as `hbd(8)`, the Makefile, which installs files and units, and the code, which makes
/// units and has tests.
struct There {
    pages: BTreeSet<String>,
    makefile: String,
    code: String,
    files: BTreeSet<String>,
}

impl There {
    fn check(&self, documents: &[Source]) -> Vec<Finding> {
        let page =
            Regex::new(r"\b((?:hbd|hbctl|org\.hbd1|cl_status|hb_standby|hb_takeover)[\w.-]*) ?\((\d)\)").unwrap();
        let file = Regex::new(r"/usr/share/doc/hbd/([\w./@-]*\w)").unwrap();
        let unit = Regex::new(r"\b(hbd[\w@-]*\.(?:service|socket|target))\b").unwrap();
        let instance = Regex::new(r"@[^.]*").unwrap();
        let mut found = Vec::new();
        for source in documents {
            // roff writes a hyphen as `\-`.
            let plain = Source::new(&source.path, &source.text.replace("\\-", "-"));
            for parts in page.captures_iter(&plain.text) {
                let name = format!("{}({})", &parts[1], &parts[2]);
                if !self.pages.contains(&name) {
                    let offset = parts.get(0).unwrap().start();
                    found.push(finding(&plain, offset, format!("there is no page {name}"), "Look the right one up"));
                }
            }
            for parts in file.captures_iter(&plain.text).filter(|parts| !self.is_installed(&parts[1])) {
                let what = format!("no package has {}", &parts[0]);
                found.push(finding(&plain, parts.get(0).unwrap().start(), what, "Look in the Makefile"));
            }
            for parts in unit.captures_iter(&plain.text) {
                let name = instance.replace(&parts[1], "@").into_owned();
                if !self.makefile.contains(&name) && !self.code.contains(&name) {
                    let what = format!("there is no unit {name}");
                    found.push(finding(&plain, parts.get(0).unwrap().start(), what, "Look in units/ and src/units"));
                }
            }
        }
        found
    }

    /// Whether the package has this file or folder below its documents.
    fn is_installed(&self, path: &str) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let copied = self.files.contains(&format!("tests/{path}"));
        self.makefile.contains(&format!("$(DOCDIR)/{path}"))
            || (copied && self.makefile.contains(&format!("$(DOCDIR)/{folder} ")))
    }

    /// The tests that the last column of a table names.
    fn check_tests(&self, page: &Source) -> Vec<Finding> {
        let name = Regex::new(r"`(\w+)`").unwrap();
        let rows = page.lines().filter(|(_, line)| line.starts_with('|') && line.matches('|').count() == 6);
        let named = rows.flat_map(|(number, line)| {
            let last = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
            name.captures_iter(last).map(|parts| (number, parts[1].to_owned())).collect::<Vec<_>>()
        });
        let missing = named.filter(|(_, name)| !self.code.contains(&format!("fn {name}(")));
        missing
            .map(|(line, name)| {
                let what = format!("{}: there is no test {name}", page.path);
                Finding::new(format!("{}:{line}", page.path), what, "Name the test as it is called now")
            })
            .collect()
    }
}

/// The pages in man/, as `hbd.toml(5)`, and those that are made.
fn manual_pages() -> BTreeSet<String> {
    let names = source::paths(&["man"]).into_iter().filter_map(|path| {
        let name = path.strip_prefix("man/")?.to_owned();
        let name = name.trim_end_matches(".tail").trim_end_matches(".head");
        let (name, section) = name.rsplit_once('.')?;
        Some(format!("{name}({section})"))
    });
    // Made from src/config/manual.rs; a link that the Makefile makes.
    names.chain(["hbd-ha.cf(5)", "hb_takeover(1)"].map(str::to_owned)).collect()
}

fn there() -> There {
    let text = |places: &[&str]| source::read(places).into_iter().map(|source| source.text).collect::<String>();
    There {
        pages: manual_pages(),
        makefile: text(&["Makefile"]),
        code: text(&["src", "tests/lab/tests"]),
        files: source::paths(&["tests/examples"]).into_iter().collect(),
    }
}

fn book() -> Vec<Source> {
    let pages = source::read(&[BOOK]);
    assert!(pages.len() > 20, "{BOOK} has only {} pages", pages.len());
    pages
}

#[test]
fn the_handbook_is_whole() {
    let mut documents = source::read(&["docs", "packaging/examples"]);
    documents.extend(source::in_root("md"));
    expect_none(&check_book(&book(), &documents));
}

#[test]
fn what_documents_name_is_there() {
    let mut documents = source::read(&["docs", "man"]);
    documents.extend(source::in_root("md"));
    expect_none(&there().check(&documents));
}

#[test]
fn the_tests_that_the_handbook_names_are_there() {
    let page = source::read(&["docs/handbook/src/failures.md"]);
    assert!(page[0].text.matches("_the_").count() > 5, "no test is named");
    expect_none(&there().check_tests(&page[0]));
}

#[test]
fn what_is_missing_is_found() {
    let pages = [
        Source::new("docs/handbook/src/SUMMARY.md", "[A](a.md)\n- [B](how/b.md)\n"),
        Source::new("docs/handbook/src/a.md", "# A\n[out](../../C.md#x) [b](how/b.md#b)\n{{#include ../../C.md}}\n"),
        Source::new("docs/handbook/src/how/b.md", "{{#include ../../../D.md}}\n{{#include ../../../../x.toml}}\n"),
        Source::new("docs/handbook/src/how/c.md", "[top](#top) [page](https://x.example/y)\n"),
    ];
    let documents = [Source::new("docs/C.md", "[d](D.md)"), Source::new("x.toml", "# [a](b)\n")];
    let what: Vec<String> = check_book(&pages, &documents).into_iter().map(|finding| finding.what).collect();
    assert_eq!(
        what,
        [
            "docs/handbook/src/a.md: ../../C.md#x is not in the book",
            "docs/handbook/src/a.md: docs/C.md has links to files, which lead nowhere in the book",
            "docs/handbook/src/how/b.md: there is no docs/D.md",
            "docs/handbook/src/how/c.md: SUMMARY.md does not name it",
        ]
    );
    let there = There {
        pages: BTreeSet::from(["hbd(8)".to_owned(), "hbd-ha.cf(5)".to_owned()]),
        makefile: "$(DOCDIR)/examples/pair.toml -t $(DOCDIR)/examples/seed x $(UNITDIR)/hbd-group@.target".to_owned(),
        code: "fn one_two() {} hbd-order.service".to_owned(),
        files: BTreeSet::from(["tests/examples/seed/ha.cf".to_owned()]),
    };
    let text = ".BR hbd\\-ha.cf (5)\nhbd(8), hbd(5)\n/usr/share/doc/hbd/examples/pair.toml /usr/share/doc/hbd/examples/seed/ha.cf\n\
                /usr/share/doc/hbd/x\nhbd-group@web.target hbd-order.service hbd-none.socket\n";
    let what: Vec<String> = there.check(&[Source::new("a", text)]).into_iter().map(|finding| finding.what).collect();
    let none = "a: there is no unit hbd-none.socket";
    assert_eq!(what, ["a: there is no page hbd(5)", "a: no package has /usr/share/doc/hbd/x", none]);
    let page = Source::new("a.md", "| a | b | c | d | `one_two`, `three_four` |\n");
    assert_eq!(there.check_tests(&page)[0].what, "a.md: there is no test three_four");
    assert_eq!(there.check_tests(&page).len(), 1);
}
