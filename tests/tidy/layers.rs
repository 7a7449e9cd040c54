//! Which folder of src/ may use which. Bytes and decisions know no effect, effects do not know each other, and only
//! the daemon knows them all (src/lib.rs).

use std::collections::BTreeSet;

use crate::code::Crate;
use crate::finding::{Finding, expect_none};
use crate::source::{self, Source};

/// What every folder may use. Uses nothing itself.
const COMMON: &str = "util";

/// A folder, and what it may use besides.
const ALLOWED: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("wire", &["config"]),
    ("cluster", &["config", "wire"]),
    ("media", &["config"]),
    ("vip", &["config"]),
    ("units", &["config"]),
    // Every program that resets a node runs as a transient unit, and only `units` talks to systemd.
    ("fencing", &["config", "units"]),
    // So does every program that checks a service.
    ("checks", &["config", "units"]),
    ("connections", &["config"]),
    ("journal", &[]),
    // A request of an operator goes to the core, and its answer back, in the core's own words.
    ("bus", &["cluster"]),
    // So do orders to the witness, and its answers.
    ("witness", &["cluster", "config"]),
    (
        "daemon",
        &[
            "bus",
            "checks",
            "cluster",
            "config",
            "connections",
            "fencing",
            "journal",
            "media",
            "units",
            "vip",
            "wire",
            "witness",
        ],
    ),
    // hbctl reads what hbd shows on the bus. `check`, `doctor`, `dump` and `generate` need no running hbd: they do
    // what hbd does at its start, with its own code.
    ("cli", &["bus", "config", "daemon", "fencing", "units", "vip", "wire"]),
];

/// The folder of src/, or the file directly in it, without `.rs`.
fn folder(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in Crate::new(sources).uses() {
        let (from, to) = (folder(&one.from), folder(&one.to));
        if from == to || from == "lib" || (to == COMMON && known(from)) {
            continue;
        }
        let place = format!("{}:{}", one.from, one.line);
        if !known(from) {
            let remedy = "Enter it into ALLOWED of tests/tidy/layers.rs";
            found.push(Finding::new(place, format!("src/{from} is in no layer"), remedy));
        } else if !ALLOWED.iter().any(|(name, uses)| *name == from && uses.contains(&to)) {
            let remedy = "Give what is needed as an argument, or move it to a folder that both may use";
            found.push(Finding::new(place, format!("{from} uses {to} ({})", one.to), remedy));
        }
    }
    found.dedup();
    found
}

fn known(folder: &str) -> bool {
    ALLOWED.iter().any(|(name, _)| *name == folder)
}

#[test]
fn folders_use_only_what_their_layer_allows() {
    expect_none(&check(&source::rust(&["src"])));
}

#[test]
fn the_layers_have_an_order() {
    let mut below = BTreeSet::from([COMMON]);
    for (folder, uses) in ALLOWED {
        assert!(uses.iter().all(|used| below.contains(used)), "{folder} uses a folder that is listed after it");
        below.insert(folder);
    }
}

fn sample(cluster: &str, util: &str) -> Vec<Source> {
    vec![
        Source::new("src/lib.rs", "pub mod cluster; pub mod daemon; pub mod media; pub mod util;"),
        Source::new("src/cluster/mod.rs", cluster),
        Source::new("src/daemon/mod.rs", "use crate::cluster::Core; use crate::media::Link;"),
        Source::new("src/media/mod.rs", "pub struct Link; pub use crate::util::printable;"),
        Source::new("src/util.rs", util),
    ]
}

#[test]
fn a_use_against_the_layers_is_found_where_it_is() {
    let util = "pub fn printable() {}";
    expect_none(&check(&sample("pub struct Core; use crate::util::printable;", util)));
    let found = check(&sample("pub struct Core;\nfn f(link: &crate::media::Link) {}", util));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, "src/cluster/mod.rs:2");
    assert_eq!(found[0].what, "cluster uses media (src/media/mod.rs)");
    let found = check(&sample("pub struct Core;", "use crate::cluster::Core; pub fn printable() {}"));
    assert_eq!(found[0].what, "src/util is in no layer");
}
