//! A module's doc that has a table of modules names each that it declares, and nothing else.
//!
//! A table of modules is one with a column that is called "module". In that column, words in backquotes are modules
//! (`name/` for a folder); a path with `::` in it leads elsewhere.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::finding::{Finding, expect_only_known};
use crate::source::{self, Source};
use crate::syntax::{attributes, is_test, parse_whole};

/// The names in the column of the doc's table of modules; none if it has no such table.
fn table(source: &Source) -> Option<BTreeSet<String>> {
    let name = Regex::new(r"`(?:mod@)?([a-z_0-9]+)/?`").unwrap();
    let mut column = None;
    let mut names = None;
    for (_, line) in source.lines() {
        let Some(row) = line.strip_prefix("//! |") else {
            column = None;
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if let Some(column) = column {
            let names: &mut BTreeSet<String> = names.get_or_insert_default();
            names.extend(
                name.captures_iter(cells.get(column).copied().unwrap_or("")).map(|found| found[1].to_owned()),
            );
        } else {
            column = cells.iter().position(|cell| *cell == "module");
        }
    }
    names
}

/// What the file declares, less its tests.
fn declared(source: &Source) -> BTreeSet<String> {
    let items = parse_whole(source).items.into_iter();
    let modules = items.filter_map(|item| match &item {
        syn::Item::Mod(module) if !is_test(attributes(&item)) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.text.contains("//! |")) {
        if source.lines().any(|(_, line)| line.starts_with("//! |") && line.contains("| room ")) {
            let what = format!("{}: a table calls modules rooms", source.path);
            found.push(Finding::new(&source.path, what, "Call the column \"module\""));
        }
        let Some(named) = table(source) else { continue };
        let declared = declared(source);
        for name in declared.difference(&named) {
            let what = format!("{}: the table of modules lacks {name}", source.path);
            found.push(Finding::new(&source.path, what, "Add a row, or the name to one, that says what it owns"));
        }
        for name in named.difference(&declared) {
            let what = format!("{}: the table of modules names {name}, which is none of its modules", source.path);
            found.push(Finding::new(&source.path, what, "Remove the name, or write the whole path"));
        }
    }
    found
}

#[test]
fn tables_of_modules_are_complete() {
    expect_only_known("tables", &check(&source::rust(&["src", "tests", "benches"])));
}

#[test]
fn what_a_table_lacks_and_what_it_has_too_much_is_found() {
    let head = "//! | module | what it does |\n//! |---|---|\n";
    let text = |rows: &str| format!("{head}{rows}\nmod first;\npub mod second;\n#[cfg(test)]\nmod tests;\n");
    let check = |rows: &str| check(&[Source::new("src/room/mod.rs", &text(rows))]);
    assert_eq!(check("//! | [`first`](self), `second` | like [`third`] |\n"), []);
    assert_eq!(check("//! | [`mod@first`], `second/`, [`crate::vip`] | |\n"), []);
    let what = |rows: &str| check(rows).into_iter().map(|finding| finding.what).collect::<Vec<_>>();
    assert_eq!(what("//! | `first` | |\n"), ["src/room/mod.rs: the table of modules lacks second"]);
    let third = "src/room/mod.rs: the table of modules names third, which is none of its modules";
    assert_eq!(what("//! | `first`, `second`, `third` | |\n"), [third]);
}
