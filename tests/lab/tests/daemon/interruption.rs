//! The lab itself: its machines do not share control groups, and after a lab was killed the next one can start and
//! leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use hbd_lab::lab::Lab;
use hbd_lab::process::{attempt, run, wait_until};
use hbd_lab::software::Software;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, Pair, SOON, expect, unexpected};

/// First argument of a process that is the lab to be killed.
const ROLE: &str = "lab-victim";
const PREFIX: &str = "HBD_LAB_PREFIX";

/// The control groups of a machine hold its own processes only. A process of another machine would appear in them
/// with the number 0.
pub fn machines_share_no_control_groups(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        let look = "find /sys/fs/cgroup -path '*.s*/cgroup.procs' -exec grep -lx 0 {} +; true";
        let foreign = pair.node(index).run(&["sh", "-c", look])?;
        expect("the units that have foreign processes", &foreign.as_str(), &"")?;
    }
    Ok(String::new())
}

/// A lab is killed while it boots, the next one when everything runs, and the third one may end by itself.
pub fn a_killed_lab_can_be_started_again(_: &mut Pair) -> Result<String> {
    let prefix = format!("{}x", std::env::var(PREFIX).unwrap_or_else(|_| "hbd".to_owned()));

    let mut booting = start(&prefix)?;
    let begun = wait_until("the lab to boot a node", 3 * SOON, || {
        let pids = run(&["ip", "netns", "pids", &format!("{prefix}-nodea")]).unwrap_or_default();
        (!pids.trim().is_empty()).then_some(())
    });
    kill(&mut booting)?;
    begun?;

    let mut running = start(&prefix)?;
    let begun = wait_booted(&mut running);
    kill(&mut running)?;
    begun?;
    if remains(&prefix)?.is_empty() {
        return unexpected("a lab that is killed leaves nothing, so this test shows nothing");
    }

    let mut last = start(&prefix)?;
    wait_booted(&mut last)?;
    // The lab ends when its standard input ends.
    drop(last.stdin.take());
    let status = last.wait().map_err(|source| Error::File { what: ROLE.to_owned(), source })?;
    expect("the end of the last lab", &status.code(), &Some(0))?;
    expect("what it left", &remains(&prefix)?, &vec![])?;
    Ok(String::new())
}

/// If this process was started as the lab to be killed: boots, says so, waits for the end of its input; never
/// returns.
pub fn enter() {
    if std::env::args().nth(1).as_deref() != Some(ROLE) {
        return;
    }
    let outcome = Lab::boot([Software::Hbd, Software::Hbd]).and_then(|lab| {
        let client = lab.client()?;
        for index in [0, 1] {
            lab.start(index)?;
        }
        println!("booted");
        let mut line = String::new();
        // An error counts as the end of the input, too.
        let _ = std::io::stdin().read_line(&mut line);
        drop(client);
        Ok(())
    });
    if let Err(error) = outcome {
        eprintln!("{ROLE}: {error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

fn start(prefix: &str) -> Result<Child> {
    let failed = |source| Error::File { what: ROLE.to_owned(), source };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg(ROLE).env(PREFIX, prefix).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)
}

fn wait_booted(lab: &mut Child) -> Result<()> {
    let stdout: Option<ChildStdout> = lab.stdout.take();
    let said = stdout.and_then(|stdout| BufReader::new(stdout).lines().next()?.ok()).unwrap_or_default();
    expect("what the lab said", &said.as_str(), &"booted")
}

/// Kills the lab with SIGKILL, so that it cannot clean up.
fn kill(lab: &mut Child) -> Result<()> {
    lab.kill().and_then(|()| lab.wait()).map(drop).map_err(|source| Error::File { what: ROLE.to_owned(), source })
}

/// The namespaces, mounts and control groups of a prefix.
fn remains(prefix: &str) -> Result<Vec<String>> {
    let namespaces = run(&["ip", "netns", "list"])?;
    let mut remains: Vec<String> =
        namespaces.lines().filter(|line| line.starts_with(&format!("{prefix}-"))).map(str::to_owned).collect();
    let mounts = run(&["cat", "/proc/self/mounts"])?;
    remains
        .extend(mounts.lines().filter(|line| line.contains(&format!("/run/hbd-lab/{prefix}/"))).map(str::to_owned));
    // find complains when a control group of another program vanishes meanwhile.
    let groups = attempt(&["find", "/sys/fs/cgroup", "-type", "d", "-name", &format!("hbd-lab-{prefix}-*")])?;
    remains.extend(groups.stdout.lines().map(str::to_owned));
    Ok(remains)
}
