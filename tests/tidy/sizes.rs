//! Files have at most 500 lines, functions at most 60, and nothing is left to be done later.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::finding::{Finding, expect_none, expect_only_known};
use crate::source::{self, Source};
use crate::syntax::parse_whole;

const FILE: usize = 500;
const FUNCTION: usize = 60;

const PLACES: [&str; 5] = ["src", "hbd-witness", "tests", "benches", "fuzz/fuzz_targets"];

fn files(sources: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > FILE {
            let remedy = format!("It has {lines} lines: move one of the things it holds to a module of its own");
            found.push(Finding::new(&source.path, format!("{}: more than {FILE} lines", source.path), remedy));
        }
    }
    found
}

/// Tables that are read as one: a part of them elsewhere would say less.
const TABLES: [(&str, &str); 1] = [("src/cluster/facts.rs", "hear")];

struct Functions<'a> {
    path: &'a str,
    found: Vec<Finding>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, end: usize) {
        let start = signature.span().start().line;
        let lines = end + 1 - start;
        let table = TABLES.iter().any(|(path, name)| self.path == *path && signature.ident == name);
        if lines > FUNCTION && !table {
            let what = format!("{}: {} has more than {FUNCTION} lines", self.path, signature.ident);
            let remedy = format!("It has {lines} lines: give its parts names");
            self.found.push(Finding::new(format!("{}:{start}", self.path), what, remedy));
        }
    }
}

impl Visit<'_> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.add(&item.sig, item.block.span().end().line);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.add(&item.sig, item.block.span().end().line);
        visit::visit_impl_item_fn(self, item);
    }
}

fn functions(sources: &[Source]) -> Vec<Finding> {
    let each = sources.iter().flat_map(|source| {
        let mut functions = Functions { path: &source.path, found: Vec::new() };
        functions.visit_file(&parse_whole(source));
        functions.found
    });
    each.collect()
}

/// Words in comments that promise something. Written so that this file has none of them.
fn promises() -> [String; 3] {
    [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat())
}

fn left_open(sources: &[Source]) -> Vec<Finding> {
    let promises = promises();
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.lines() {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric());
            if words.any(|word| promises.iter().any(|promise| promise == word)) {
                let remedy = "Do it now, or file an issue and remove the line";
                found.push(Finding::new(format!("{}:{number}", source.path), "something is left to be done", remedy));
            }
        }
    }
    found
}

#[test]
fn files_are_short() {
    expect_only_known("files", &files(&source::rust(&PLACES)));
}

#[test]
fn functions_are_short() {
    expect_only_known("functions", &functions(&source::rust(&PLACES)));
}

#[test]
fn nothing_is_left_to_be_done_later() {
    expect_none(&left_open(&source::rust(&PLACES)));
}

#[test]
fn a_file_and_a_function_that_are_too_long_are_found() {
    let body = |lines: usize| format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
    let found = |lines: usize| functions(&[Source::new("src/a.rs", &body(lines))]);
    assert_eq!(found(60), []);
    assert_eq!(found(61)[0].what, "src/a.rs: long has more than 60 lines");
    let method = format!("impl A {{\n{}}}\n", body(61));
    assert_eq!(functions(&[Source::new("src/a.rs", &method)])[0].place, "src/a.rs:2");
    let file = |lines: usize| files(&[Source::new("src/a.rs", &"\n".repeat(lines))]);
    assert_eq!((file(500).len(), file(501).len()), (0, 1));
}

#[test]
fn a_promise_is_found() {
    let promise = &promises()[0];
    let found = left_open(&[Source::new("src/a.rs", &format!("fn f() {{}}\n// {promise}: mend this\n"))]);
    assert_eq!(found[0].place, "src/a.rs:2");
    assert_eq!(left_open(&[Source::new("src/a.rs", &format!("// a{promise}b"))]), []);
}
