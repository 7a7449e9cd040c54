//! `drbddisk` and `drbdupper` without their scripts: a DRBD resource is made primary where its group runs, and
//! secondary where it does not (03 §2.4; docs/DECISIONS.md "DRBD without its script").
//!
//! Owns the calls of `drbdadm` and `drbdsetup`. Runs as the main process of a unit (`hbd --script start|stop drbd
//! …`), outside of hbd's sandbox. Never forces: what DRBD refuses stays refused.
//!
//! | module | question |
//! |---|---|
//! | [`state`] | What does DRBD say of a resource? |
//! | `verdict` | May it become primary? |

pub mod state;
mod verdict;

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;

use self::state::DrbdState;
pub use self::verdict::OtherNode;
use self::verdict::{Promotion, verdict};
use super::occupants;

/// How long a resource may take until it can be primary: a short synchronisation, a connection that is made anew, and
/// a dead node of which DRBD has not heard yet (`ping-int`, 10 s).
const PROMOTION_LIMIT: Duration = Duration::from_secs(30);
/// How long a device that is in use may take until it is not: udev looks into each one that was just closed.
const DEMOTION_LIMIT: Duration = Duration::from_secs(5);
/// Is there while the kernel has DRBD.
const MODULE: &str = "/sys/module/drbd";
/// How often is asked again.
const LOOK: Duration = Duration::from_millis(500);

/// Why a resource is not what it should be.
#[derive(Debug, Error)]
pub enum DrbdError {
    /// DRBD's programs are not there.
    #[error("cannot run {program}: {source}; `apt install drbd-utils`, and load the kernel's module drbd")]
    Program {
        /// The program.
        program: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Every state but the right one, for too long.
    #[error("{0}")]
    Unfit(String),
    /// DRBD refuses.
    #[error("DRBD refuses to make {resource} {role}: {text}")]
    Refused {
        /// The resource.
        resource: String,
        /// `primary`, `secondary`, `up` or `down`.
        role: &'static str,
        /// What drbdadm said.
        text: String,
    },
    /// DRBD does not say in which state its resources are.
    #[error("`drbdsetup events2 --now` fails, so the state of DRBD is not known: {text}")]
    Unseen {
        /// What drbdsetup said.
        text: String,
    },
    /// It cannot be secondary because something has its device open.
    #[error("DRBD resource {resource} is held open on this node: {users}")]
    Held {
        /// The resource.
        resource: String,
        /// By whom, in a line.
        users: String,
    },
}

/// A resource, as the words of its unit name it.
#[derive(Debug, Clone, Copy)]
pub struct DrbdResource<'a> {
    name: &'a str,
    stacked: bool,
}

impl<'a> DrbdResource<'a> {
    /// From the words of the recipe: `RES`, or `--stacked RES`. `None` if they are others.
    pub fn of(words: &'a [String]) -> Option<DrbdResource<'a>> {
        match words {
            [name] => Some(DrbdResource { name, stacked: false }),
            [option, name] if option == "--stacked" => Some(DrbdResource { name, stacked: true }),
            _ => None,
        }
    }

    /// Makes it primary: brings it up if it is not, and waits while it may still become possible. `other` tells
    /// what hbd knows of the other node.
    ///
    /// # Errors
    /// All but [`DrbdError::Held`].
    pub fn promote(&self, other: impl Fn() -> OtherNode) -> Result<(), DrbdError> {
        let begun = Instant::now();
        loop {
            let state = match self.state()? {
                Some(state) => state,
                None => {
                    self.adm("up")?;
                    self.state()?.ok_or_else(|| DrbdError::Unfit(self.unknown()))?
                }
            };
            let late = begun.elapsed() >= PROMOTION_LIMIT;
            match verdict(self.name, &state, &other()) {
                Promotion::Is => return Ok(()),
                Promotion::Ask => match self.adm("primary") {
                    Err(DrbdError::Refused { .. }) if !late => {}
                    outcome => return outcome,
                },
                Promotion::Wait(why) if late => return Err(DrbdError::Unfit(why)),
                Promotion::Wait(_) => {}
            }
            sleep(LOOK);
        }
    }

    /// Makes it secondary; a stacked one also goes down, because the one below it cannot be secondary otherwise.
    ///
    /// # Errors
    /// All but [`DrbdError::Unfit`].
    pub fn demote(&self) -> Result<(), DrbdError> {
        let begun = Instant::now();
        loop {
            let Some(state) = self.state()? else { return Ok(()) };
            if !state.is_primary() {
                return if self.stacked { self.adm("down") } else { Ok(()) };
            }
            let late = begun.elapsed() >= DEMOTION_LIMIT;
            match self.adm("secondary") {
                // With auto-promote of DRBD 9 a device that is opened again makes it primary again.
                Ok(()) if !late => {
                    // A primary that has lost the other's data hands over what is old there.
                    warn_of_old_copy(self.name, &state);
                    continue;
                }
                Err(DrbdError::Refused { text, .. }) if is_held(&text) && !late => {}
                Err(DrbdError::Refused { text, .. }) if !is_held(&text) => {
                    return Err(DrbdError::Refused { resource: self.name.to_owned(), role: "secondary", text });
                }
                Ok(()) | Err(DrbdError::Refused { .. }) => {
                    return Err(DrbdError::Held { resource: self.name.to_owned(), users: users(&state) });
                }
                Err(error) => return Err(error),
            }
            sleep(LOOK);
        }
    }

    /// The resource as the kernel has it; `None` if it does not know it.
    ///
    /// # Errors
    /// [`DrbdError::Program`], [`DrbdError::Unseen`].
    pub fn state(&self) -> Result<Option<DrbdState>, DrbdError> {
        let (succeeded, text) = call("drbdsetup", &["events2", "--now"])?;
        // Without the kernel's module nothing is up. Otherwise nothing that is not seen is taken to be down.
        if !succeeded && Path::new(MODULE).exists() {
            return Err(DrbdError::Unseen { text: in_a_line(&text) });
        }
        Ok(state::read(&text, self.name))
    }

    fn adm(&self, role: &'static str) -> Result<(), DrbdError> {
        let stacked: &[&str] = if self.stacked { &["--stacked"] } else { &[] };
        let (succeeded, text) = call("drbdadm", &[stacked, &[role, self.name]].concat())?;
        if succeeded {
            return Ok(());
        }
        Err(DrbdError::Refused { resource: self.name.to_owned(), role, text: in_a_line(&text) })
    }

    fn unknown(&self) -> String {
        format!("DRBD resource {} does not come up; see `drbdadm up {}`", self.name, self.name)
    }
}

/// Runs a program of DRBD; whether it succeeded, and all that it said.
fn call(program: &'static str, arguments: &[&str]) -> Result<(bool, String), DrbdError> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(|source| DrbdError::Program { program, source })?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// What DRBD says about a device that is in use: -12 with 8.4, and with 9 the same text.
fn is_held(text: &str) -> bool {
    text.contains("held open") || text.contains("(-12)")
}

/// The line that says why, else the first one: the last of drbdadm repeats the command.
fn in_a_line(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let refusal = lines().find(|line| line.contains("State change failed"));
    let line = refusal.or_else(|| lines().next()).unwrap_or("no reason given");
    line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ").to_owned()
}

/// Who has a device of the resource open, in a line.
fn users(state: &DrbdState) -> String {
    let mut found = Vec::new();
    for volume in &state.volumes {
        let device = format!("/dev/drbd{}", volume.minor);
        found.extend(occupants::users_of_device(Path::new("/"), Path::new(&device)));
    }
    if found.is_empty() { "by the kernel or by a process that is gone already".to_owned() } else { found.join("; ") }
}

fn warn_of_old_copy(resource: &str, state: &DrbdState) {
    if !state.is_connected() {
        eprintln!(
            "hbd --script: DRBD resource {resource} was primary here and is not connected: the other node's data is older"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_unit_name_the_resource() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let read =
            |given: &[&str]| DrbdResource::of(&words(given)).map(|found| (found.name.to_owned(), found.stacked));
        assert_eq!(read(&["r0"]), Some(("r0".into(), false)));
        assert_eq!(read(&["--stacked", "r0-U"]), Some(("r0-U".into(), true)));
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_refusal_is_told_in_drbds_words() {
        // As drbdadm of drbd-utils 9.22 says it with the kernel's DRBD 8.4.11.
        let held = "0: State change failed: (-12) Device is held open by someone\n\
                    Command 'drbdsetup-84 secondary 0' terminated with exit code 11\n";
        assert!(is_held(held));
        let two = "0: State change failed: (-1) Multiple primaries not allowed by config\n";
        assert!(!is_held(two));
        assert_eq!(in_a_line(two), "State change failed: (-1) Multiple primaries not allowed by config");
        assert_eq!(in_a_line(""), "no reason given");
    }
}
