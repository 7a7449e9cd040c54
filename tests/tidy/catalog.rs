//! Every record of the core has its entry in packaging/hbd.catalog, and an entry names only fields that its record
//! carries. (src/journal/kinds.rs holds ids and entries one to one, those of other records included.)

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::source::{self, Source};
use crate::syntax::parse;

/// The fields of a record that are fields of the journal, too (`Subject` in src/cluster/api/record.rs).
const JOURNAL: [(&str, &str); 4] =
    [("node", "HBD_NODE"), ("link", "HBD_LINK"), ("group", "HBD_GROUP"), ("resource", "HBD_RESOURCE")];

/// What is in every record.
const ALWAYS: [&str; 2] = ["HBD_EVENT", "MESSAGE"];

/// A line of `records!`.
struct Record {
    name: String,
    line: usize,
    id: String,
    /// Journal fields.
    fields: BTreeSet<&'static str>,
}

/// The records of the one file that calls `records!`, and that file.
fn records(sources: &[Source]) -> (String, Vec<Record>) {
    for source in sources.iter().filter(|source| source.text.contains("\nrecords! {")) {
        let calls = parse(source).items.into_iter().filter_map(|item| match item {
            syn::Item::Macro(item) if item.mac.path.is_ident("records") => Some(item.mac.tokens),
            _ => None,
        });
        let found: Vec<Record> = calls.flat_map(lines).collect();
        if !found.is_empty() {
            return (source.path.clone(), found);
        }
    }
    panic!("no file of src/cluster calls records!");
}

/// `Name { field: Type, … } Priority "id" "text";` again and again.
fn lines(tokens: TokenStream) -> Vec<Record> {
    let mut found: Vec<Record> = Vec::new();
    let mut name: Option<(String, usize)> = None;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                name.get_or_insert((word.to_string(), word.span().start().line));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                if let Some((name, line)) = &name {
                    let fields = fields(group.stream());
                    found.push(Record { name: name.clone(), line: *line, id: String::new(), fields });
                }
            }
            TokenTree::Literal(literal) => {
                if let Some(record) = found.last_mut().filter(|record| record.id.is_empty()) {
                    record.id = literal.to_string().trim_matches('"').to_owned();
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => name = None,
            _ => {}
        }
    }
    found
}

fn fields(tokens: TokenStream) -> BTreeSet<&'static str> {
    let names: BTreeSet<String> = tokens.into_iter().map(|token| token.to_string()).collect();
    JOURNAL.iter().filter(|(field, _)| names.contains(*field)).map(|(_, journal)| *journal).collect()
}

/// Each entry's text by its id.
fn entries(catalog: &str) -> BTreeMap<&str, &str> {
    catalog.split("\n-- ").skip(1).filter_map(|entry| entry.split_once('\n')).collect()
}

fn check(sources: &[Source], catalog: &str) -> Vec<Finding> {
    let field = Regex::new("@([A-Z_]+)@").unwrap();
    let entries = entries(catalog);
    let (file, records) = records(sources);
    let mut found = Vec::new();
    for record in records {
        let place = format!("{file}:{}", record.line);
        let Some(entry) = entries.get(record.id.as_str()) else {
            let what = format!("{} ({}) has no entry in the catalog", record.name, record.id);
            found.push(Finding::new(place, what, "Write into packaging/hbd.catalog what it means and what to do"));
            continue;
        };
        for name in field.captures_iter(entry) {
            if !record.fields.contains(&name[1]) && !ALWAYS.contains(&&name[1]) {
                let what = format!("the catalog shows @{}@, which {} does not carry", &name[1], record.name);
                let remedy = "Give the record that field, or say it otherwise in packaging/hbd.catalog";
                found.push(Finding::new(&place, what, remedy));
            }
        }
    }
    found
}

#[test]
fn every_record_has_an_entry_with_fields_that_it_carries() {
    let catalog = &source::read(&["packaging/hbd.catalog"])[0];
    let sources = source::rust(&["src/cluster"]);
    assert!(records(&sources).1.len() > 80, "too few records were read");
    expect_none(&check(&sources, &catalog.text));
}

#[test]
fn a_missing_entry_and_a_missing_field_are_found() {
    let text = "\nrecords! {\n    NodeDead { node: String } Warning \"ab\" \"{node}\";\n    CommNowUp {} Info \"cd\" \"up\";\n}\n";
    let what = |catalog: &str| {
        let found = check(&[Source::new("src/cluster/api/record.rs", text)], catalog).into_iter();
        found.map(|finding| finding.what).collect::<Vec<_>>()
    };
    assert_eq!(what("# x\n\n-- ab\nSubject: @HBD_NODE@\n\n-- cd\nSubject: up\n"), [""; 0]);
    assert_eq!(what("\n-- ab\nSubject: up\n"), ["CommNowUp (cd) has no entry in the catalog"]);
    let link = "the catalog shows @HBD_LINK@, which NodeDead does not carry";
    assert_eq!(what("\n-- ab\nSubject: @HBD_LINK@\n\n-- cd\n\n"), [link]);
}
