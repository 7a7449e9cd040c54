//! `hbctl reload`: changed files are put in force, or shown without that.
//!
//! Owns the wait for the hbd that replaces the one which was asked. What a reload changes is hbd's to say.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::proxy::MethodFlags;

use super::ask::{connect, manager, refusal_text};
use super::error::CliError;
use super::job::print_line;
use crate::bus::{KEYS_CHANGE, NAME};
use crate::util::text::printable;

/// How long hbd may take to be replaced: it waits up to 10 s for an exchange with the other node to end.
const LIMIT: Duration = Duration::from_secs(45);

/// Says what a reload would change now.
pub(super) async fn describe(bus: Builder<'static>) -> Result<Result<String, String>, CliError> {
    let bus = connect(bus).await?;
    let manager = manager(&bus).await?;
    match manager.call_with_flags("DescribeReload", MethodFlags::ALLOW_INTERACTIVE_AUTH, &()).await {
        Ok(changes) => {
            let changes: Vec<String> = changes.unwrap_or_default();
            Ok(Ok(tell("a reload would change", &changes)))
        }
        Err(error) => refusal_text(error).map(Err),
    }
}

/// Has hbd read its files again, and waits until they are in force.
pub(super) async fn reload(bus: Builder<'static>, quiet: bool) -> Result<Result<String, String>, CliError> {
    let bus = connect(bus).await?;
    let manager = manager(&bus).await?;
    let names = DBusProxy::new(&bus).await.map_err(CliError::NoAnswer)?;
    // Listening begins before the call, so that no change is missed.
    let mut owners = names.receive_name_owner_changed_with_args(&[(0, NAME)]).await.map_err(CliError::NoAnswer)?;
    let changes: Vec<String> = match manager.call_with_flags("Reload", MethodFlags::ALLOW_INTERACTIVE_AUTH, &()).await
    {
        Ok(changes) => changes.unwrap_or_default(),
        Err(error) => return refusal_text(error).map(Err),
    };
    if changes.iter().any(|change| change != KEYS_CHANGE) {
        if !quiet {
            print_line("the files are accepted; waiting for the hbd that replaces this one");
        }
        let replaced = async {
            while let Some(change) = owners.next().await {
                if change.args().is_ok_and(|args| args.new_owner().is_some()) {
                    return;
                }
            }
        };
        if timeout(LIMIT, replaced).await.is_err() {
            return Ok(Err(format!(
                "hbd has accepted the files, and has not come back within {} s: systemctl status hbd",
                LIMIT.as_secs()
            )));
        }
    }
    Ok(Ok(tell("in force now", &changes)))
}

fn tell(what: &str, changes: &[String]) -> String {
    match changes {
        [] => format!("{what}: nothing, the files say what is in force"),
        changes => {
            let lines: Vec<_> = changes.iter().map(|change| format!("\n  {}", printable(change))).collect();
            format!("{what}:{}", lines.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_its_line() {
        assert_eq!(tell("in force now", &[]), "in force now: nothing, the files say what is in force");
        let changes = ["deadtime: 20 s instead of 10 s", "authkeys"].map(str::to_owned);
        assert_eq!(tell("in force now", &changes), "in force now:\n  deadtime: 20 s instead of 10 s\n  authkeys");
    }
}
