//! Who calls whom in src/cluster. The core's modules report facts, and one table says which module hears which fact:
//! a module that makes a sibling do something beside that table is how the calls became one knot.
//!
//! The limits may only shrink.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::callgraph::CallGraph;
use crate::finding::Finding;
use crate::source::{self, Source};

/// Functions in the largest cycle of calls.
const LARGEST_CYCLE: usize = 4;
/// Decision modules in the largest cycle of modules.
const MODULES_IN_A_CYCLE: usize = 20;
/// Calls by which a decision module makes a sibling do something.
const SIDEWAYS: usize = 179;

/// Where the calls to the decision modules are: the core itself, with the table of facts.
const TABLE: [&str; 2] = ["src/cluster/core.rs", "src/cluster/mod.rs"];

/// What decides nothing: data, its bookkeeping, and what every module tells the world by.
const TOOLS: [&str; 12] = [
    "event", "groups", "history", "holding", "node", "record", "request", "send", "time", "timers", "tracking",
    "view",
];

/// A decision module, by its file.
fn decides(file: &str) -> bool {
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
    !TABLE.contains(&file) && !TOOLS.contains(&stem)
}

/// The cycle with the most functions, as their indices.
fn largest_cycle(graph: &CallGraph) -> Vec<usize> {
    let edges: DiGraphMap<usize, ()> = graph.calls.iter().copied().filter(|(from, to)| from != to).collect();
    tarjan_scc(&edges).into_iter().filter(|group| group.len() > 1).max_by_key(Vec::len).unwrap_or_default()
}

/// The largest cycle of decision modules that call each other, be it to do something or to tell something.
fn modules_in_a_cycle(graph: &CallGraph) -> Vec<&str> {
    let file = |index: usize| graph.functions[index].file.as_str();
    let edges = graph.calls.iter().map(|(from, to)| (file(*from), file(*to)));
    let edges: DiGraphMap<&str, ()> = edges.filter(|(from, to)| from != to && decides(from) && decides(to)).collect();
    let mut largest =
        tarjan_scc(&edges).into_iter().filter(|group| group.len() > 1).max_by_key(Vec::len).unwrap_or_default();
    largest.sort_unstable();
    largest
}

/// Every call by which one decision module makes another do something.
fn sideways(graph: &CallGraph) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for (from, to) in &graph.calls {
        let (from, to) = (&graph.functions[*from], &graph.functions[*to]);
        if from.file != to.file && to.acts && decides(&from.file) && decides(&to.file) {
            let what = format!("{} calls {}::{} of {}", from.name, to.owner, to.name, to.file);
            let remedy = "Report a fact, and let the table in src/cluster/core.rs say who hears it";
            found.insert(Finding::new(format!("{}:{}", from.file, from.line), what, remedy));
        }
    }
    found.into_iter().collect()
}

#[test]
fn the_core_has_one_place_that_says_who_hears_what() {
    let mut sources = source::rust(&["src/cluster"]);
    sources.retain(|source| !source.path.contains("/tests/"));
    let graph = CallGraph::new(&sources);
    let largest = largest_cycle(&graph).len();
    let modules = modules_in_a_cycle(&graph);
    let sideways = sideways(&graph);
    println!("{} functions, {} calls in src/cluster", graph.functions.len(), graph.calls.len());
    println!("the largest cycle of calls: {largest} functions (limit {LARGEST_CYCLE})");
    println!("the largest cycle of modules: {} (limit {MODULES_IN_A_CYCLE}) {modules:?}", modules.len());
    println!("calls of a decision module to a sibling: {} (limit {SIDEWAYS})", sideways.len());
    let list = || sideways.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(sideways.len() <= SIDEWAYS, "{} calls sideways, at most {SIDEWAYS}:\n{}", sideways.len(), list());
    assert!(largest <= LARGEST_CYCLE, "{largest} functions call each other in a circle, at most {LARGEST_CYCLE}");
    assert!(modules.len() <= MODULES_IN_A_CYCLE, "{modules:?} call each other, at most {MODULES_IN_A_CYCLE} may");
}

fn sample(first: &str) -> CallGraph {
    let core = "pub struct Core { second: second::Second, nodes: Vec<Node> }
        impl Core { fn handle(&mut self) { self.first(); self.second.act(); } }";
    let second = "pub struct Second; impl Second { pub fn act(&mut self) {} pub fn tells(&self) -> bool { true } }
        impl Core { fn second(&mut self) { matches!(self.first(), true); } }";
    CallGraph::new(&[
        Source::new("src/cluster/mod.rs", core),
        Source::new("src/cluster/first.rs", first),
        Source::new("src/cluster/node.rs", "pub struct Node; impl Node { pub fn forget(&mut self) {} }"),
        Source::new("src/cluster/second.rs", second),
    ])
}

#[test]
fn a_call_sideways_and_a_cycle_are_found() {
    let graph = sample("impl Core { fn first(&mut self) { if self.second.tells() { self.nodes[0].forget(); } } }");
    assert_eq!((sideways(&graph).len(), largest_cycle(&graph).len()), (1, 0));
    let graph = sample(
        "impl Core { fn first(&mut self) { self.second.act(); helper(self) } } fn helper(core: &mut Core) { core.second() }",
    );
    let whats: Vec<String> = sideways(&graph).into_iter().map(|finding| finding.what).collect();
    let second = "src/cluster/second.rs";
    assert_eq!(whats[0], format!("first calls Second::act of {second}"));
    assert_eq!(whats[1], format!("helper calls Core::second of {second}"));
    assert_eq!(whats[2], "second calls Core::first of src/cluster/first.rs");
    assert_eq!(largest_cycle(&graph).len(), 3);
    assert_eq!(modules_in_a_cycle(&graph), ["src/cluster/first.rs", second]);
}
