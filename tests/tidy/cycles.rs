//! The files of one folder of src/ do not use each other in a circle. A folder within it counts as one of them, and
//! so does its mod.rs, where re-exports are no uses.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::code::{Crate, Use};
use crate::finding::{Finding, expect_none, expect_only_known};
use crate::source::{self, Source};

/// Every module of the core has a part of `impl Core`, and so names what it is a part of: that is no use of a
/// sibling. (Which of these parts calls which is the rule of `calls`.)
const WHOLE: [&str; 3] = ["src/cluster/core.rs", "src/cluster/facts.rs", "src/cluster/timers.rs"];

/// Cycles as groups of names, the names of each in order.
pub fn cycles(edges: &BTreeSet<(&str, &str)>) -> Vec<Vec<String>> {
    let graph: DiGraphMap<&str, ()> = edges.iter().copied().collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for mut group in tarjan_scc(&graph) {
        if group.len() > 1 {
            group.sort_unstable();
            found.push(group.into_iter().map(str::to_owned).collect());
        }
    }
    found.sort();
    found
}

/// The child of `folder` that `file` is in, if it is below that folder.
fn member<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let below = file.strip_prefix(folder)?.strip_prefix('/')?;
    Some(below.split('/').next().unwrap_or(below))
}

fn folders(all: &Crate) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in all.files() {
        let mut rest = file;
        while let Some((folder, _)) = rest.rsplit_once('/') {
            found.insert(folder.to_owned());
            rest = folder;
        }
    }
    found
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let all = Crate::new(sources);
    let uses = all.uses();
    let mut found = Vec::new();
    for folder in folders(&all) {
        let mut places: BTreeMap<(&str, &str), &Use> = BTreeMap::new();
        for one in &uses {
            let (Some(from), Some(to)) = (member(&folder, &one.from), member(&folder, &one.to)) else { continue };
            if from != to && !WHOLE.contains(&one.to.as_str()) {
                places.entry((from, to)).or_insert(one);
            }
        }
        let edges = places.keys().copied().collect();
        for cycle in cycles(&edges) {
            let inside = |name: &str| cycle.iter().any(|member| member == name);
            let steps = places.iter().filter(|((from, to), _)| inside(from) && inside(to));
            let steps: Vec<String> =
                steps.map(|((_, to), one)| format!("{}:{} uses {to}", one.from, one.line)).collect();
            let remedy = format!("Move what they share into a file that uses none of them: {}", steps.join(", "));
            found.push(Finding::new(&folder, format!("{folder}: {}", cycle.join(" ")), remedy));
        }
    }
    found
}

#[test]
fn the_files_of_a_folder_do_not_use_each_other_in_a_circle() {
    expect_only_known("cycles", &check(&source::rust(&["src"])));
}

fn sample(first: &str, second: &str) -> Vec<Source> {
    vec![
        Source::new("src/lib.rs", "pub mod room;"),
        Source::new("src/room/mod.rs", "mod first; mod second; pub use first::First; pub use second::Second;"),
        Source::new("src/room/first.rs", first),
        Source::new("src/room/second.rs", second),
    ]
}

#[test]
fn a_cycle_is_found_through_a_re_export_and_in_the_words_given_to_a_macro() {
    let first = "use super::Second; pub struct First(Second);";
    let found = check(&sample(first, "pub struct Second; fn f() { vec![super::First::new(1)]; }"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, "src/room: first.rs second.rs");
    assert!(found[0].remedy.contains("src/room/first.rs:1 uses second.rs"), "{}", found[0].remedy);
    let found = check(&sample(first, "use super::first as other; pub struct Second; fn f(_: other::First) {}"));
    assert_eq!(found.len(), 1);
}

#[test]
fn a_use_in_one_direction_or_by_tests_is_no_cycle() {
    let second = "pub struct Second; #[cfg(test)] mod tests { use crate::room::First; fn f(_: First) {} }";
    expect_none(&check(&sample("use super::*; pub struct First(Second);", second)));
}
