//! `org.freedesktop.LogControl1`: how much this daemon logs, as every service that systemd knows by its bus name
//! says it (`systemctl service-log-level hbd debug`).
//!
//! Owns the words. What is logged is the journal's to decide.

use log::LevelFilter;
use zbus::message::Header;
use zbus::{Connection, interface};

use super::authorise::pass_root;
use super::call::{Call, CallError, Caller};
use super::error::ManagerError;

/// Where the specification wants the object (org.freedesktop.LogControl1(5)).
pub(super) const PATH: &str = "/org/freedesktop/LogControl1";
/// Its interface.
#[cfg(test)]
pub(super) const INTERFACE: &str = "org.freedesktop.LogControl1";
/// The levels of syslog(3), the least first, that leave debug messages out.
const QUIETER: [&str; 7] = ["emerg", "alert", "crit", "err", "warning", "notice", "info"];

/// The interface.
pub struct LogControlObject {
    caller: Caller,
}

impl LogControlObject {
    pub(super) fn new(caller: Caller) -> Self {
        LogControlObject { caller }
    }
}

/// How much hbd logs.
#[interface(name = "org.freedesktop.LogControl1")]
impl LogControlObject {
    /// "info" or "debug". "debug" may be set, and every other level of syslog(3) for no debug messages: hbd logs at
    /// transitions only, and leaves none of them out. Only root may set it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn log_level(&self) -> &'static str {
        if log::max_level() > LevelFilter::Info { "debug" } else { "info" }
    }

    #[zbus(property)]
    async fn set_log_level(
        &mut self,
        level: String,
        #[zbus(header)] header: Option<Header<'_>>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), ManagerError> {
        match header {
            Some(header) => pass_root(bus, &header).await.map_err(ManagerError::NotAllowed)?,
            None => return Err(ManagerError::NotAllowed("access denied: nobody calls".to_owned())),
        }
        let level = match level.as_str() {
            "debug" => 1,
            level if QUIETER.contains(&level) => 0,
            level => {
                return Err(ManagerError::InvalidArgument(format!("'{level}' is no level: write debug or info")));
            }
        };
        let answer = self.caller.send(|reply| Call::Debug { level, reply })?;
        answer.await.map(drop).map_err(|_| CallError::Stopping.into())
    }

    /// "journal", and nothing else can be set: logfile and debugfile of ha.cf get the records beside it.
    #[zbus(property(emits_changed_signal = "false"))]
    fn log_target(&self) -> &'static str {
        "journal"
    }

    #[zbus(property)]
    fn set_log_target(&mut self, target: String) -> Result<(), ManagerError> {
        match target.as_str() {
            "journal" | "auto" => Ok(()),
            other => Err(ManagerError::InvalidArgument(format!("hbd logs to the journal, not to '{other}'"))),
        }
    }

    /// "hbd".
    #[zbus(property(emits_changed_signal = "const"))]
    fn syslog_identifier(&self) -> &'static str {
        "hbd"
    }
}
