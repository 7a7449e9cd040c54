//! The files of one node, made from the plan.
//!
//! Owns their text. Writes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::plan::PairPlan;
use crate::config::Files;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedFile {
    pub path: PathBuf,
    pub text: String,
    pub mode: u32,
}

/// The name of the file in hbd.toml.d.
pub(super) const SETTINGS: &str = "50-pair.toml";

/// The files of the first or second node, in the order in which they come into place: without ha.cf hbd does not
/// start.
pub(super) fn of_node(plan: &PairPlan, node: usize, files: &Files) -> Vec<PlannedFile> {
    let file = |path: &PathBuf, text: String, mode| PlannedFile { path: path.clone(), text, mode };
    let mut all =
        vec![file(&files.authkeys, authkeys(plan), 0o600), file(&files.haresources, haresources(plan), 0o644)];
    if !plan.settings.is_empty() {
        // A fence device's password may be added here one day.
        all.push(file(&files.hbd_toml_dir.join(SETTINGS), plan.settings.clone(), 0o600));
    }
    all.push(file(&files.ha_cf, ha_cf(plan, node), 0o644));
    all
}

fn ha_cf(plan: &PairPlan, node: usize) -> String {
    let deadtime = plan.deadtime;
    let warntime =
        if deadtime.is_multiple_of(2) { (deadtime / 2).to_string() } else { format!("{}ms", deadtime * 500) };
    let failback = if plan.auto_failback { "on" } else { "off" };
    let [first, second] = &plan.nodes;
    let other = &plan.nodes[1 - node];
    let mut text = format!(
        "# The pair {first} and {second}, as `hbctl init` wrote it. Every directive is explained in hbd-ha.cf(5).\n\n\
         # A heartbeat every second. After deadtime without one the other node is dead, and this one takes over.\n\
         keepalive 1\nwarntime {warntime}\ndeadtime {deadtime}\n\n\
         # Whether what runs here returns to the node that it prefers.\nauto_failback {failback}\n\n\
         # {other}'s address on each heartbeat link. The other node's file has this node's.\n"
    );
    for link in &plan.links {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "ucast {} {}", link.interfaces[node], link.addresses[1 - node]);
    }
    let _ = write!(text, "\n# As `uname -n` prints them.\nnode {first} {second}\n");
    text
}

fn authkeys(plan: &PairPlan) -> String {
    format!(
        "# Signs the heartbeats: the same on both nodes, readable by root only.\nauth 1\n1 sha1 {}\n",
        plan.key.reveal()
    )
}

fn haresources(plan: &PairPlan) -> String {
    let mut text =
        "# The same on both nodes. Each line is a group: the node that it prefers, then what runs there, in the \
                    order of its start.\n"
            .to_owned();
    for group in &plan.groups {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {}", group.node, group.resources.join(" "));
    }
    text
}
