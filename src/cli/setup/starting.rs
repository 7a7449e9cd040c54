//! `--start`: systemd starts hbd and no longer the services; on the node that joins, hbd says on which links it hears
//! the other one.
//!
//! Owns the waiting. Whether a node is heard is hbd's word, not a test of its own.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::sleep;
use zbus::connection::Builder;

use super::error::SetupError;
use super::plan::PairPlan;
use crate::bus::Snapshot;
use crate::cli::exit::{EXIT_NOT_DONE, EXIT_TROUBLE};
use crate::cli::fetch;
use crate::util::error::FileError;

/// How long the other node may take to be heard on every link: it may have started a moment ago.
const HEARING_LIMIT: Duration = Duration::from_secs(30);
/// How often hbd is asked.
const HEARING_PERIOD: Duration = Duration::from_millis(500);

/// Starts hbd. Gives the text, and the exit status: 4 if it does not start, 3 if the node that joins does not hear
/// the other one on every link.
pub(super) fn start(
    runtime: &Runtime,
    plan: &PairPlan,
    node: usize,
    at_boot: &[String],
) -> Result<(String, ExitCode), SetupError> {
    let mut text = "\n".to_owned();
    let mut commands: Vec<Vec<&str>> = at_boot.iter().map(|unit| vec!["disable", unit]).collect();
    commands.push(vec!["enable", "--now", "hbd"]);
    for words in commands {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "systemctl {}", words.join(" "));
        if let Err(said) = systemctl(&words)? {
            let _ = write!(text, "{said}\nIt failed; see: journalctl -u hbd -x\n");
            return Ok((text, ExitCode::from(EXIT_NOT_DONE)));
        }
    }
    let [first, second] = &plan.nodes;
    if node == 0 {
        let _ = writeln!(text, "hbd runs. Until {second} joins, {first} serves alone; that begins after initdead.");
        return Ok((text, ExitCode::SUCCESS));
    }
    // Beside the text; an error means that nobody reads it.
    let limit = HEARING_LIMIT.as_secs();
    let _ = writeln!(io::stderr(), "hbctl: hbd runs; waiting up to {limit} s until it hears {first} on every link");
    let snapshot = runtime.block_on(wait_until_heard(first));
    let (said, heard) = heard_text(snapshot.as_ref(), first);
    text.push_str(&said);
    if !heard {
        return Ok((text, ExitCode::from(EXIT_TROUBLE)));
    }
    text.push_str(&what_to_try(plan));
    Ok((text, ExitCode::SUCCESS))
}

/// The inner error is what systemctl says.
fn systemctl(words: &[&str]) -> Result<Result<(), String>, SetupError> {
    let output = Command::new("systemctl").args(words).output();
    let output = output
        .map_err(|source| FileError { verb: "run", path: "systemctl".into(), source })
        .map_err(SetupError::from)?;
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

/// Asks hbd until the peer is heard on every link, or the time is over. `None`: hbd does not answer.
async fn wait_until_heard(peer: &str) -> Option<Snapshot> {
    let end = Instant::now() + HEARING_LIMIT;
    loop {
        let snapshot = fetch::snapshot(Builder::system()).await.ok();
        let heard = snapshot.as_ref().is_some_and(|snapshot| heard_text(Some(snapshot), peer).1);
        if heard || Instant::now() >= end {
            return snapshot;
        }
        sleep(HEARING_PERIOD).await;
    }
}

/// On which links the peer is heard, and whether on all of them.
pub(super) fn heard_text(snapshot: Option<&Snapshot>, peer: &str) -> (String, bool) {
    let Some(snapshot) = snapshot else {
        return ("hbd does not answer; see: systemctl status hbd\n".to_owned(), false);
    };
    let (mut text, mut heard, mut silent) = (String::new(), 0, 0);
    for link in snapshot.links.iter().filter(|link| link.node == peer) {
        let up = link.status == "up";
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {peer} is {}", link.name, if up { "heard" } else { "not heard" });
        if up { heard += 1 } else { silent += 1 }
    }
    match (heard, silent) {
        (0, _) => text.push_str(&format!(
            "{peer} is not heard. Does hbd run there (systemctl enable --now hbd)? Does a firewall on either node drop UDP \
             port 694 (hbctl doctor)? If {peer} serves and is not heard, both nodes will: mend it, or systemctl stop hbd here\n"
        )),
        (_, 0) => {}
        _ => text.push_str(
            "One link does not work: look at its cable, its addresses, and at the firewall of both nodes (hbctl doctor)\n",
        ),
    }
    (text, heard > 0 && silent == 0)
}

/// The end of every setup.
pub(super) fn what_to_try(plan: &PairPlan) -> String {
    format!(
        "\nThen look, and try a failover before you rely on it:\n    hbctl status\n    hbctl standby           # on the node \
         that serves; hbctl takeover takes back\n    systemctl reboot        # there; or pull its plug: the other node serves {} s later\n",
        plan.deadtime
    )
}
