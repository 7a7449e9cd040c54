//! `hbd --check`: the same reading of the files as at the start, what each word of haresources became, and systemd's
//! opinion of the units.
//!
//! Changes nothing. What would only fail at a takeover is an error here: a unit that does not exist. The daemon itself
//! starts all the same and says so, because its other groups, and the peer, need it.

use std::process::ExitCode;
use std::time::Duration;

use crate::config::{self, Address, Config, Files, Host, Recipe, ResourceKind, Transient};
use crate::units::{Systemd, UnitError, own::Unfit};

use super::{EXIT_CONFIGURATION, StartError, runtime};

/// How long systemd may take to answer all questions.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `hbd --check` does; its exit status.
pub(super) fn check(files: &Files) -> Result<ExitCode, StartError> {
    let host = Host::of_this_machine().map_err(StartError::Name)?;
    let loaded = config::load(files, &host);
    for diagnostic in &loaded.diagnostics {
        eprintln!("{}", diagnostic.render(false));
    }
    let Some(config) = loaded.config else { return Ok(ExitCode::from(EXIT_CONFIGURATION)) };
    for group in &config.groups {
        println!("resource group {} of {}:", group.key, group.node);
        for resource in &group.resources {
            println!("  {}  {}", resource.word, meaning(&resource.kind));
        }
    }
    let unfit = match runtime()?.block_on(async { tokio::time::timeout(PATIENCE, survey(&config)).await }) {
        Ok(Ok(unfit)) => unfit,
        Ok(Err(error)) => return Ok(unasked(&error.to_string())),
        Err(_) => return Ok(unasked("it does not answer")),
    };
    let mut status = ExitCode::SUCCESS;
    for one in unfit {
        let severity = match one {
            Unfit::Missing(_) => {
                status = ExitCode::from(EXIT_CONFIGURATION);
                "error"
            }
            Unfit::Enabled { .. } => "warning",
        };
        eprintln!("{severity}: {one}");
    }
    Ok(status)
}

fn unasked(why: &str) -> ExitCode {
    eprintln!("note: cannot ask systemd about the units, so they are not checked: {why}");
    ExitCode::SUCCESS
}

/// What a word became.
fn meaning(kind: &ResourceKind) -> String {
    match kind {
        ResourceKind::Address(Address { address, .. }) => format!("address {address}"),
        ResourceKind::Unit(unit) => format!("unit {unit}"),
        ResourceKind::Transient(Transient { unit, recipe: Recipe::Mount(mount) }) => {
            format!("unit {unit}, made by hbd: mounts {} on {}", mount.device, mount.directory)
        }
        ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) }) => {
            format!("unit {unit}, made by hbd: runs {}", script.command.join(" "))
        }
    }
}

/// What is wrong with the units that somebody else has to write.
async fn survey(config: &Config) -> Result<Vec<Unfit>, UnitError> {
    let kinds = config.groups.iter().flat_map(|group| &group.resources).map(|resource| &resource.kind);
    let units = kinds.filter_map(|kind| match kind {
        ResourceKind::Unit(unit) => Some(unit),
        _ => None,
    });
    let units: Vec<&String> = units.collect();
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let systemd = Systemd::new(zbus::Connection::system().await?).await?;
    let mut found = Vec::new();
    for unit in units {
        found.extend(systemd.unfit(unit).await?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dialect, Mount, Script};

    #[test]
    fn every_kind_is_told_with_what_it_does() {
        let mount = Mount { device: "/dev/sdb1".into(), directory: "/srv/x".into(), fstype: None, options: None };
        let command = vec!["/etc/ha.d/resource.d/drbddisk".into(), "r0".into()];
        let script = Script { command, dialect: Dialect::Text, environment: Vec::new() };
        let made = |unit: &str, recipe| ResourceKind::Transient(Transient { unit: unit.into(), recipe });
        let table = [
            (ResourceKind::Unit("nginx.service".into()), "unit nginx.service"),
            (made("srv-x.mount", Recipe::Mount(mount)), "unit srv-x.mount, made by hbd: mounts /dev/sdb1 on /srv/x"),
            (
                made("hbd-drbddisk::r0.service", Recipe::Script(script)),
                "unit hbd-drbddisk::r0.service, made by hbd: runs /etc/ha.d/resource.d/drbddisk r0",
            ),
        ];
        for (kind, text) in table {
            assert_eq!(meaning(&kind), text);
        }
    }
}
