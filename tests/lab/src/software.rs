//! What runs the cluster on a node: hbd, installed from its package, or Debian's Heartbeat 3.0.6.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::example::Example;
use crate::node::{Base, Node};
use crate::process::{now, wait_or_explain};
use crate::{Error, Result, project_root};

/// Heartbeat's own log, as the example's ha.cf names it.
const HA_LOG: &str = "/var/log/ha-log";

/// The example's resource `httpd` is Apache where the example comes from. In the lab it is nginx.
pub const ALIASES: &str = "[aliases]\nhttpd = \"nginx.service\"\n";

/// The same for Heartbeat, which wants an init script.
const HTTPD_SCRIPT: &str = r#"#!/bin/sh
### BEGIN INIT INFO
# Provides:          httpd
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop:
# Short-Description: the lab's web server
### END INIT INFO
case $1 in
start | stop) exec systemctl "$1" nginx.service ;;
status)
    if systemctl --quiet is-active nginx.service; then
        echo running
    else
        echo stopped
        exit 3
    fi
    ;;
*) exit 2 ;;
esac
"#;

/// A cluster manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// hbd.
    Hbd,
    /// Heartbeat 3.0.6.
    Heartbeat,
}

/// A point in a node's logs, for reading what came after.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    time: f64,
    log_length: usize,
}

impl Software {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Software::Hbd => "hbd",
            Software::Heartbeat => "Heartbeat",
        }
    }

    /// The base that a node with it starts from.
    pub fn base(self) -> Base {
        match self {
            Software::Hbd => Base::Plain,
            Software::Heartbeat => Base::Heartbeat,
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Software::Hbd => "hbd.service",
            Software::Heartbeat => "heartbeat.service",
        }
    }

    /// Installs it on a booted node.
    pub fn install(self, node: &Node) -> Result<()> {
        match self {
            Software::Hbd => {
                node.install(&package()?)?;
                node.write("/etc/hbd/hbd.toml.d/lab.toml", ALIASES)
            }
            Software::Heartbeat => {
                node.write("/etc/systemd/system/heartbeat.service.d/lab.conf", "[Service]\nLimitMEMLOCK=infinity\n")?;
                node.write_mode("/etc/init.d/httpd", HTTPD_SCRIPT, 0o755)?;
                node.run(&["systemctl", "daemon-reload"]).map(drop)
            }
        }
    }

    /// Writes the three files.
    pub fn configure(self, node: &Node, example: &Example) -> Result<()> {
        node.write("/etc/ha.d/ha.cf", &example.ha_cf)?;
        node.write("/etc/ha.d/haresources", &example.haresources)?;
        node.write_mode("/etc/ha.d/authkeys", &example.authkeys, 0o600)
    }

    /// Asks systemd to start it, without waiting.
    pub fn start(self, node: &Node) -> Result<()> {
        // Resets systemd's limit of starts, which a daemon reaches that was killed several times. systemd refuses
        // that for a unit that never ran.
        node.attempt(&["systemctl", "reset-failed", self.unit()])?;
        node.run(&["systemctl", "start", "--no-block", self.unit()]).map(drop)
    }

    /// Waits until systemd calls it active. If it fails, the error holds the end of its journal.
    pub fn wait_started(self, node: &Node, limit: Duration) -> Result<()> {
        wait_or_explain(&format!("{} on {} to start", self.unit(), node.name()), limit, || {
            match node.unit_state(self.unit()).map_err(|error| error.to_string())?.as_str() {
                "active" => Ok(()),
                state => {
                    let log = node.attempt(&["journalctl", "-n", "15", "-o", "cat", "-u", self.unit()]);
                    Err(format!("{state}; {}", log.map(|output| output.stdout).unwrap_or_default()))
                }
            }
        })
    }

    /// Stops it gracefully and waits for that.
    pub fn stop(self, node: &Node) -> Result<()> {
        node.systemctl("stop", self.unit())
    }

    /// The present end of its logs.
    pub fn mark(self, node: &Node) -> Result<Mark> {
        Ok(Mark { time: now(), log_length: node.read(HA_LOG)?.map_or(0, |log| log.len()) })
    }

    /// Its complaints (error and worse) since a mark, without time stamps.
    pub fn complaints(self, node: &Node, since: &Mark) -> Result<Vec<String>> {
        match self {
            Software::Hbd => {
                let records = node.journal(Some(self.unit()), since.time)?;
                let complaints = records.iter().filter(|record| record.priority() <= 3);
                Ok(complaints.map(|record| record.message().to_owned()).collect())
            }
            Software::Heartbeat => {
                let log = node.read(HA_LOG)?.unwrap_or_default();
                Ok(log.get(since.log_length..).unwrap_or(&log).lines().filter_map(complaint).collect())
            }
        }
    }

    /// Waits until it has logged a text since a mark, in its journal or its log file.
    pub fn wait_logged(self, node: &Node, since: &Mark, text: &str, limit: Duration) -> Result<()> {
        wait_or_explain(&format!("{} on {} to log {text:?}", self.name(), node.name()), limit, || {
            let found = match self {
                Software::Hbd => node
                    .journal(Some(self.unit()), since.time)
                    .map_err(|error| error.to_string())?
                    .iter()
                    .any(|record| record.message().contains(text)),
                Software::Heartbeat => {
                    let log = node.read(HA_LOG).map_err(|error| error.to_string())?.unwrap_or_default();
                    log.get(since.log_length..).unwrap_or(&log).contains(text)
                }
            };
            if found { Ok(()) } else { Err(String::new()) }
        })
    }
}

/// The complaint in a line of Heartbeat's log.
fn complaint(line: &str) -> Option<String> {
    ["ERROR: ", "CRIT: ", "ALERT: ", "EMERG: "]
        .iter()
        .filter_map(|word| Some(line.split_once(word)?.1.trim().to_owned()))
        .next()
}

/// The package that `make deb` built.
pub fn package() -> Result<PathBuf> {
    built("hbd_", "deb")
}

/// The package with the program that asks the witness, from `make deb`.
pub fn witness_package() -> Result<PathBuf> {
    built("hbd-witness_", "deb")
}

/// The package with Heartbeat's own commands, from `make deb`.
pub fn compat_package() -> Result<PathBuf> {
    built("hbd-heartbeat-compat_", "deb")
}

/// The package with the page in Cockpit, from `make deb`.
pub fn cockpit_package() -> Result<PathBuf> {
    built("cockpit-hbd_", "deb")
}

/// The package that `make rpm` built.
pub fn rpm_package() -> Result<PathBuf> {
    // A version begins with a digit, the other package's name goes on with a letter.
    built("hbd-0", "rpm")
}

/// The newest package in `dist` whose name begins so.
fn built(beginning: &str, extension: &str) -> Result<PathBuf> {
    newest(&project_root().join("dist"), beginning, extension)
}

/// The newest package in a directory whose name begins so, such as `hbd_` and `deb`.
pub fn newest(directory: &Path, beginning: &str, extension: &str) -> Result<PathBuf> {
    let missing = || {
        let what = directory.join(beginning).display().to_string();
        Error::Unexpected(format!("there is no {what}*.{extension}: run `make {extension}` first"))
    };
    fs::read_dir(directory)
        .map_err(|_| missing())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning)))
        .max_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_daemon_and_of_its_scripts_are_found() {
        let daemon = "Nov 22 00:14:30 nodea heartbeat: [94]: ERROR: Cannot open watchdog device: /dev/watchdog";
        let script = "2026/11/22_00:14:30  ResourceManager(default)[249]:    CRIT:  Giving up resources";
        assert_eq!(complaint(daemon).as_deref(), Some("Cannot open watchdog device: /dev/watchdog"));
        assert_eq!(complaint(script).as_deref(), Some("Giving up resources"));
        assert_eq!(complaint("Nov 22 00:14:30 nodea heartbeat: [94]: WARN: node nodeb: is dead"), None);
    }
}
