//! All is calm: both nodes are well, agree on one owner, and the owner serves. Waited for at the beginning and after
//! each round.

use std::thread::sleep;
use std::time::Duration;

use hbd_lab::arp::STRANGER;
use hbd_lab::example::INITDEAD;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;

use crate::field::{Field, HBD};
use crate::status::{Said, ask};
use crate::watch::owners;

/// Within so many seconds after the last act was undone all is calm: a boot, initdead, the 30 s after which a node
/// that failed tries again, and what a busy machine adds.
pub const BOUND: f64 = INITDEAD as f64 + 30.0 + 50.0;
/// Calm must last for so many looks, a second apart.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// How `hbctl status` calls a group that failed on a node and has no spare since.
const NO_SPARE: &str = "is not given back there by itself";

/// Waits for it, and returns after how many seconds it began; or says what was not calm last.
pub fn wait(field: &Field) -> Result<f64, String> {
    let begun = now();
    let mut calm = 0;
    loop {
        let seen = look(field);
        calm = if seen.is_ok() { calm + 1 } else { 0 };
        match seen {
            Ok(()) if calm >= LOOKS => return Ok(now() - begun),
            Err(why) if now() - begun > BOUND => return Err(why),
            _ => sleep(PAUSE),
        }
    }
}

fn look(field: &Field) -> Result<(), String> {
    let said = [said(field, 0)?, said(field, 1)?];
    for (node, said) in said.iter().enumerate() {
        // hbd shows a stranger for three more rounds of its questions, a minute each.
        // What has failed somewhere is no spare until an operator cleans up, as `tidy` does between rounds.
        let known = said.troubles.iter().all(|trouble| trouble.contains(STRANGER) || trouble.contains(NO_SPARE));
        if !said.well && !known {
            return Err(format!("{}: {}", NODES[node].name, said.troubles.join(" | ")));
        }
    }
    let owners = owners(&field.shared);
    let [owner] = owners[..] else { return Err(format!("has the address: {owners:?}")) };
    if said.iter().any(|said| said.owner != owner) {
        return Err(format!("{owner} has the address; owners are called {:?}", said.map(|said| said.owner)));
    }
    match field.shared.answers.last() {
        Some((ended, server)) if server == owner && now() - ended < 1.0 => Ok(()),
        last => Err(format!("{owner} has the address; the client was last answered by {last:?}")),
    }
}

fn said(field: &Field, node: usize) -> Result<Said, String> {
    let name = NODES[node].name;
    let shell = field.shared.shell(node).ok_or_else(|| format!("{name} is off"))?;
    ask(&shell, node).map_err(|error| format!("{name}: {error}"))
}

/// What an administrator does after a day with failures: failed units are reset, what failed is tried again, and
/// maintenance is over.
pub fn tidy(field: &Field) {
    for node in field.lab.nodes.iter().filter(|node| node.is_on()) {
        let script = format!(
            "systemctl is-active --quiet {HBD} || {{ systemctl reset-failed {HBD}; systemctl start --no-block {HBD}; }}; \
             hbctl maintenance off; hbctl cleanup; true"
        );
        // A node whose hbd is just being started is well without it.
        if let Err(error) = node.attempt(&["sh", "-c", &script]) {
            field.shared.tell(format!("{}: {error}", node.name()));
        }
    }
}
