//! Who calls whom in src/cluster. The core's modules report facts, and one table says which module hears which fact:
//! a module that makes a sibling do something beside that table is how the calls became one knot.
//!
//! The limits may only shrink.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::callgraph::{CallGraph, Function};
use crate::finding::Finding;
use crate::source::{self, Source};

/// Functions in the largest cycle of calls.
const LARGEST_CYCLE: usize = 2;

/// The core itself: the table of facts, the table of timers, and what takes in events. They call the decision
/// modules.
const TABLES: [&str; 4] = ["core.rs", "facts.rs", "mod.rs", "timers.rs"];

/// What lies below the decision modules, so that each may call it: it keeps state, sends and logs, and decides
/// nothing.
const BELOW: [&str; 26] = [
    // What a message says of our own.
    "liveness/echo.rs",
    // Switches that keep others from acting, and what is said instead.
    "guards/ready.rs",
    "guards/isolation.rs",
    // Which addresses are asked for, and who has answered.
    "guards/questions.rs",
    // What is known of the resources that run here.
    "guards/condition.rs",
    "guards/maintenance.rs",
    "peer/link.rs",
    // Events, actions, records, views.
    "api/",
    "complaints.rs",
    // Which groups are held, and by whom; starting and stopping them.
    "ownership/attempts.rs",
    "ownership/everywhere.rs",
    "ownership/groups.rs",
    "ownership/sets.rs",
    "ownership/state.rs",
    "peer/claims.rs",
    // Messages: what was received, what is sent, what is kept of both.
    "peer/freshness.rs",
    "peer/history.rs",
    "peer/kind.rs",
    "peer/message.rs",
    "peer/node.rs",
    "peer/retransmit.rs",
    "peer/send.rs",
    "peer/sequence.rs",
    "peer/set_said.rs",
    "life/comparison.rs",
    "liveness/beat.rs",
];

/// Functions of decision modules that any of them may call (src/cluster/facts.rs).
const COMMON: [&str; 2] = ["begin_exchange", "begin_exchange_saying"];

/// A decision module, by its file.
fn decides(file: &str) -> bool {
    let path = file.strip_prefix("src/cluster/").unwrap_or(file);
    !TABLES.contains(&path) && !BELOW.iter().any(|below| path.starts_with(below))
}

/// Whether one decision module makes another do something.
fn is_sideways(from: &Function, to: &Function) -> bool {
    let common = COMMON.contains(&to.name.as_str());
    from.file != to.file && to.acts && decides(&from.file) && decides(&to.file) && !common
}

/// The cycle with the most functions, as their indices.
fn largest_cycle(graph: &CallGraph) -> Vec<usize> {
    let edges: DiGraphMap<usize, ()> = graph.calls.iter().copied().filter(|(from, to)| from != to).collect();
    tarjan_scc(&edges).into_iter().filter(|group| group.len() > 1).max_by_key(Vec::len).unwrap_or_default()
}

/// Every call by which one decision module makes another do something.
fn sideways(graph: &CallGraph) -> impl Iterator<Item = (&Function, &Function)> {
    let calls = graph.calls.iter().map(|(from, to)| (&graph.functions[*from], &graph.functions[*to]));
    calls.filter(|(from, to)| is_sideways(from, to))
}

/// The largest cycle of decision modules that make each other do something.
fn modules_in_a_cycle(graph: &CallGraph) -> Vec<&str> {
    let edges: DiGraphMap<&str, ()> =
        sideways(graph).map(|(from, to)| (from.file.as_str(), to.file.as_str())).collect();
    let cycles = tarjan_scc(&edges).into_iter().filter(|group| group.len() > 1);
    let mut largest = cycles.max_by_key(Vec::len).unwrap_or_default();
    largest.sort_unstable();
    largest
}

fn findings(graph: &CallGraph) -> BTreeSet<Finding> {
    let each = sideways(graph).map(|(from, to)| {
        let what = format!("{} calls {}::{} of {}", from.name, to.owner, to.name, to.file);
        let remedy = "Report a fact, and let the table in src/cluster/facts.rs say who hears it";
        Finding::new(format!("{}:{}", from.file, from.line), what, remedy)
    });
    each.collect()
}

#[test]
fn the_core_has_one_place_that_says_who_hears_what() {
    let mut sources = source::rust(&["src/cluster"]);
    sources.retain(|source| !source.path.contains("/tests/"));
    let graph = CallGraph::new(&sources);
    let largest = largest_cycle(&graph).len();
    let modules = modules_in_a_cycle(&graph);
    let sideways = findings(&graph);
    println!("{} functions, {} calls in src/cluster", graph.functions.len(), graph.calls.len());
    println!("the largest cycle of calls: {largest} functions (limit {LARGEST_CYCLE})");
    println!("the largest cycle of modules: {} (none may be in one)", modules.len());
    println!("calls of a decision module to a sibling: {} (none may be)", sideways.len());
    let list = || sideways.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(sideways.is_empty(), "{} calls go past the table of facts:\n{}", sideways.len(), list());
    assert!(largest <= LARGEST_CYCLE, "{largest} functions call each other in a circle, at most {LARGEST_CYCLE}");
    assert!(modules.is_empty(), "these modules make each other do something, in a circle: {modules:?}");
}

fn sample(first: &str) -> CallGraph {
    let core = "pub struct Core { second: second::Second, nodes: Vec<Node> }
        impl Core { fn handle(&mut self) { self.first(); self.second.act(); } }";
    let second = "pub struct Second; impl Second { pub fn act(&mut self) {} pub fn tells(&self) -> bool { true } }
        impl Core { fn second(&mut self) { matches!(self.first(), true); } }";
    CallGraph::new(&[
        Source::new("src/cluster/mod.rs", core),
        Source::new("src/cluster/first.rs", first),
        Source::new("src/cluster/peer/node.rs", "pub struct Node; impl Node { pub fn forget(&mut self) {} }"),
        Source::new("src/cluster/second.rs", second),
    ])
}

#[test]
fn a_call_sideways_and_a_cycle_are_found() {
    let graph = sample("impl Core { fn first(&mut self) { if self.second.tells() { self.nodes[0].forget(); } } }");
    assert_eq!((findings(&graph).len(), largest_cycle(&graph).len()), (1, 0));
    let graph = sample(
        "impl Core { fn first(&mut self) { self.second.act(); helper(self) } } fn helper(core: &mut Core) { core.second() }",
    );
    let whats: Vec<String> = findings(&graph).into_iter().map(|finding| finding.what).collect();
    let second = "src/cluster/second.rs";
    assert_eq!(whats[0], format!("first calls Second::act of {second}"));
    assert_eq!(whats[1], format!("helper calls Core::second of {second}"));
    assert_eq!(whats[2], "second calls Core::first of src/cluster/first.rs");
    assert_eq!(largest_cycle(&graph).len(), 3);
    assert_eq!(modules_in_a_cycle(&graph), ["src/cluster/first.rs", second]);
}
