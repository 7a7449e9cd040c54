//! `heartbeat` with `-s`, `-k`, `-r` or without options (04 §6.1), for scripts that call Heartbeat's daemon by its
//! name. It makes systemd start, stop or reload hbd.

use std::process::Command;

use tokio::runtime::Runtime;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;

use super::output::CommandOutput;
use crate::bus::NAME;
use crate::cli::error::CliError;
use crate::cli::fetch::Client;

const USAGE: &str = "Usage: heartbeat [-skrV]\n\t-s status, -k stop, -r reload; without options: start\n";

pub(super) fn run(runtime: &Runtime, connect: fn() -> Builder<'static>, words: &[String]) -> CommandOutput {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = || runtime.block_on(running(connect())).ok();
    match words.as_slice() {
        [] | ["-f"] => systemctl("start"),
        ["-V"] => CommandOutput::out(concat!(env!("CARGO_PKG_VERSION"), " (hbd)"), 0),
        ["-s"] => status(running()),
        ["-k"] if running().is_none() => CommandOutput::err("INFO: Heartbeat already stopped.", 0),
        ["-k"] => systemctl("stop"),
        ["-r"] if running().is_none() => systemctl("start"),
        ["-r"] => systemctl("reload"),
        _ => CommandOutput { err: USAGE.to_owned(), status: 2, ..CommandOutput::default() },
    }
}

/// The answer to `-s`, from the process number and the node's name; `None` if hbd does not run.
pub(super) fn status(running: Option<(u32, String)>) -> CommandOutput {
    match running {
        Some((process, node)) => {
            CommandOutput::out(format!("heartbeat OK [pid {process} et al] is running on {node} [{node}]..."), 0)
        }
        None => CommandOutput::out("heartbeat is stopped. No process", 3),
    }
}

async fn running(bus: Builder<'static>) -> Result<(u32, String), CliError> {
    let client = Client::connect(bus).await?;
    let node = client.snapshot().await?.node;
    let dbus = DBusProxy::new(client.bus()).await.map_err(CliError::NoAnswer)?;
    let name = NAME.try_into().map_err(CliError::NoAnswer)?;
    let process =
        dbus.get_connection_unix_process_id(name).await.map_err(|error| CliError::NoAnswer(error.into()))?;
    Ok((process, node))
}

fn systemctl(verb: &str) -> CommandOutput {
    match Command::new("systemctl").args([verb, "hbd.service"]).status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            CommandOutput { status: code, ..CommandOutput::default() }
        }
        Err(error) => CommandOutput::err(format!("heartbeat: cannot run systemctl: {error}"), 1),
    }
}
