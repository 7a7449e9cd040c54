//! `hbd --check`: the same reading of the files as at the start, what each word of haresources became, and systemd's
//! opinion of the units.
//!
//! Changes nothing. What would only fail at a takeover is an error here: a unit that does not exist. The daemon
//! itself starts all the same and says so, because its other groups, and the peer, need it.

use std::process::ExitCode;

use zbus::connection::Builder;

use super::error::{EXIT_CONFIGURATION, StartError};
use super::runtime::runtime;
use crate::config::{self, Files, Host};
use crate::units::survey::survey;

/// What `hbd --check` does; its exit status.
pub(super) fn check(files: &Files) -> Result<ExitCode, StartError> {
    let host = Host::of_this_machine().map_err(StartError::Name)?;
    let loaded = config::load(files, &host);
    for diagnostic in &loaded.diagnostics {
        eprintln!("{}", diagnostic.render(false));
    }
    let Some(config) = loaded.config else { return Ok(ExitCode::from(EXIT_CONFIGURATION)) };
    for (group, name) in config.groups.iter().zip(&config.group_names) {
        let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        println!("resource group {}{name} of {}:", group.key, group.node);
        for resource in &group.resources {
            println!("  {}  {}", resource.word, resource.kind);
        }
    }
    let findings = match runtime()?.block_on(survey(Builder::system(), &config)) {
        Ok(findings) => findings,
        Err(error) => {
            eprintln!("note: cannot ask systemd about the units, so they are not checked: {error}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    for finding in &findings {
        eprintln!("{}: {finding}", finding.severity());
    }
    let unusable = findings.iter().any(|finding| finding.severity() == "error");
    Ok(if unusable { ExitCode::from(EXIT_CONFIGURATION) } else { ExitCode::SUCCESS })
}
