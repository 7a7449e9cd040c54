//! The order of a setup: check, write, start, and say what comes next.
//!
//! Owns the text at the end. The check is that of `hbctl check`; nothing is written that it refuses.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::carried;
use super::error::SetupError;
use super::files::{self, PlannedFile, SETTINGS};
use super::machine::Machine;
use super::placing::{self, Kept};
use super::plan::PairPlan;
use super::starting;
use crate::cli::check::{self, FileReport};
use crate::cli::exit::EXIT_CONFIGURATION;
use crate::config::Files;
use crate::units::survey::UnitFinding;
use crate::util::error::failed;

/// What is to be set up here.
#[derive(Debug)]
pub(super) struct Establishment<'a> {
    pub plan: &'a PairPlan,
    /// Which node of the plan this is: 0 or 1.
    pub node: usize,
    /// A sentence each.
    pub notes: Vec<String>,
    /// Where the file for the other node goes; `None` on that node.
    pub carried: Option<PathBuf>,
    pub force: bool,
    pub start: bool,
}

/// Does it. Gives the text, and the exit status: 6 if the check refuses the files, 3 if hbd runs and does not hear
/// the other node.
pub(super) fn establish(
    runtime: &Runtime,
    machine: &Machine,
    files: &Files,
    wanted: &Establishment<'_>,
    colour: bool,
) -> Result<(String, ExitCode), SetupError> {
    let mut planned = Vec::new();
    if let Some(path) = &wanted.carried {
        planned.push(carried::of_plan(wanted.plan, path.clone())?);
    }
    let node_files = node_files(wanted, files);
    planned.extend(node_files.iter().cloned());
    let existing = placing::existing(&planned);
    if !existing.is_empty() && !wanted.force {
        return Err(SetupError::Existing(existing));
    }
    let mut text: String = wanted.notes.iter().map(|note| format!("note: {note}\n\n")).collect();
    let (report, at_boot) = checked(runtime, machine, files, &node_files, wanted.start, colour)?;
    text.push_str(&report.text);
    if report.failed {
        text.push_str("nothing was written: the files would have an error\n");
        return Ok((text, ExitCode::from(EXIT_CONFIGURATION)));
    }
    let kept = placing::place(&planned)?;
    text.push_str(&written_text(&planned, &kept));
    if !wanted.start {
        text.push_str(&next_steps(wanted, &at_boot));
        return Ok((text, ExitCode::SUCCESS));
    }
    let (said, code) = starting::start(runtime, wanted.plan, wanted.node, &at_boot)?;
    text.push_str(&said);
    if let Some(path) = &wanted.carried {
        text.push_str(&carrying(wanted.plan, path));
    }
    Ok((text, code))
}

/// The files of this node. Settings of an earlier pair must not stay in force.
fn node_files(wanted: &Establishment<'_>, files: &Files) -> Vec<PlannedFile> {
    let mut planned = files::of_node(wanted.plan, wanted.node, files);
    let settings = files.hbd_toml_dir.join(SETTINGS);
    if wanted.plan.settings.is_empty() && settings.exists() {
        let text = "# This pair needs no settings beyond ha.cf.\n".to_owned();
        planned.insert(0, PlannedFile { path: settings, text, mode: 0o600 });
    }
    planned
}

/// Checks the files in a directory of their own, with everything else that hbd would read beside them. Gives the
/// report, and the units that systemd starts at boot although hbd is to; `disables`: this is about to change.
fn checked(
    runtime: &Runtime,
    machine: &Machine,
    files: &Files,
    planned: &[PlannedFile],
    disables: bool,
    colour: bool,
) -> Result<(FileReport, Vec<String>), SetupError> {
    let stage = tempfile::tempdir().map_err(failed("make a directory in", &std::env::temp_dir()))?;
    let staged = Files::below(stage.path());
    let staged = Files {
        ha_cf: staged.ha_cf,
        authkeys: staged.authkeys,
        haresources: staged.haresources,
        hbd_toml_dir: staged.hbd_toml_dir,
        ..files.clone()
    };
    copy_drop_ins(&files.hbd_toml_dir, &staged.hbd_toml_dir)?;
    let moved = |file: &PlannedFile| PlannedFile {
        path: stage.path().join(file.path.strip_prefix(&files.root).unwrap_or(&file.path)),
        ..file.clone()
    };
    placing::place(&planned.iter().map(moved).collect::<Vec<_>>())?;
    let (mut report, config) = check::read(&staged, &machine.host, colour);
    let lasting = |found: &UnitFinding| !(disables && matches!(found, UnitFinding::Enabled { .. }));
    let mut at_boot = Vec::new();
    if let Some(config) = &config {
        let findings = runtime.block_on(check::add_unit_findings(config, &mut report, lasting, colour));
        at_boot.extend(findings.into_iter().filter_map(|finding| match finding {
            UnitFinding::Enabled { unit } => Some(unit),
            _ => None,
        }));
    }
    let root = files.root.display().to_string();
    report.text = report.text.replace(&stage.path().display().to_string(), root.trim_end_matches('/'));
    Ok((report, at_boot))
}

/// Copies what is in hbd.toml.d.
fn copy_drop_ins(from: &Path, to: &Path) -> Result<(), SetupError> {
    fs::create_dir_all(to).map_err(failed("make", to))?;
    // A directory that is missing has no files.
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            fs::copy(&path, to.join(entry.file_name())).map_err(failed("read", &path))?;
        }
    }
    Ok(())
}

fn written_text(planned: &[PlannedFile], kept: &[Kept]) -> String {
    let mut text = "\n".to_owned();
    for file in planned {
        // Writing to a String cannot fail.
        let _ = write!(text, "wrote {}", file.path.display());
        if let Some(kept) = kept.iter().find(|kept| kept.path == file.path) {
            let _ = write!(text, "; the old one is {}", kept.kept_as.display());
        }
        text.push('\n');
    }
    text
}

/// What to type where hbd is not started for the administrator.
fn next_steps(wanted: &Establishment<'_>, at_boot: &[String]) -> String {
    let mut text = format!("\nNext, on {}:\n", wanted.plan.nodes[wanted.node]);
    for unit in at_boot {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    systemctl disable {unit}");
    }
    text.push_str("    systemctl enable --now hbd\n");
    match &wanted.carried {
        Some(path) => text.push_str(&carrying(wanted.plan, path)),
        None => text.push_str(&starting::what_to_try(wanted.plan)),
    }
    text
}

/// How the file gets to the other node.
fn carrying(plan: &PairPlan, path: &Path) -> String {
    let [first, second] = &plan.nodes;
    let address = plan.links.first().map_or_else(|| second.clone(), |link| link.addresses[1].to_string());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!(
        "\nThen, to join {second}:\n    on {first}:  scp {} root@{address}:\n    on {second}:  hbctl join --start {name}\n\
         The file contains the key of the pair: remove it on both nodes when {second} has joined.\n",
        path.display()
    )
}
