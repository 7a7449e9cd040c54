//! Comment lines have at most 118 columns, as code has by rustfmt.toml (rustfmt does not break comments).

use crate::finding::{Finding, expect_only_known};
use crate::source::{self, Source};

const COLUMNS: usize = 118;

fn check(sources: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.lines() {
            let columns = line.chars().count();
            if columns > COLUMNS && line.trim_start().starts_with("//") {
                let what = format!("{}: comment lines of more than {COLUMNS} columns", source.path);
                let remedy = format!("This one has {columns}");
                found.push(Finding::new(format!("{}:{number}", source.path), what, remedy));
            }
        }
    }
    found
}

#[test]
fn comment_lines_fit_into_118_columns() {
    expect_only_known("columns", &check(&source::rust(&["src", "tests", "benches", "fuzz/fuzz_targets"])));
}

#[test]
fn a_longer_comment_line_is_found() {
    let line = |prefix: &str, columns: usize| format!("{prefix}{}\n", "x".repeat(columns - prefix.len()));
    let text = [line("// ", 118), line("    /// ", 119), line("let x = ", 130)].concat();
    let found = check(&[Source::new("src/a.rs", &text)]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].place.as_str(), found[0].remedy.as_str()), ("src/a.rs:2", "This one has 119"));
}
