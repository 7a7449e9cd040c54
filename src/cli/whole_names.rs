//! Requests with whole names in place of the beginnings that were typed.
//!
//! Owns which word of a request is a name. Never completes what can do harm, a reset or the end of a hold, nor a word
//! that nobody has typed: a script may name a group that is gone, and another one may begin so.

use std::io::{self, IsTerminal};

use zbus::connection::Builder;

use super::error::CliError;
use super::moves::is_scope;
use super::table::RequestCommand;
use super::{fetch, names};
use crate::bus::Snapshot;

/// The request with whole names. Where hbd cannot be asked for them it stays as it is: what it asks for fails anyway.
pub(super) async fn complete(bus: Builder<'static>, request: &RequestCommand) -> Result<RequestCommand, CliError> {
    let mut request = request.clone();
    if !has_names(&request) || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(request);
    }
    let Ok(seen) = fetch::snapshot(bus).await else { return Ok(request) };
    complete_with(&seen, &mut request)?;
    Ok(request)
}

/// Whether there is a name in it that could be the beginning of one.
fn has_names(request: &RequestCommand) -> bool {
    match request {
        RequestCommand::Standby { groups, .. } | RequestCommand::Takeover { groups, .. } => {
            !groups.iter().all(|word| is_scope(word))
        }
        RequestCommand::Move { .. } => true,
        RequestCommand::Failback { group, .. }
        | RequestCommand::Maintenance { group, .. }
        | RequestCommand::Cleanup { group } => group.is_some(),
        RequestCommand::Reload { .. }
        | RequestCommand::Upgrade { .. }
        | RequestCommand::ClearHold { .. }
        | RequestCommand::Fence { .. }
        | RequestCommand::ConfirmFenced { .. } => false,
    }
}

fn complete_with(seen: &Snapshot, request: &mut RequestCommand) -> Result<(), CliError> {
    match request {
        RequestCommand::Standby { groups, .. } | RequestCommand::Takeover { groups, .. } => {
            for word in groups.iter_mut().filter(|word| !is_scope(word)) {
                *word = names::group(seen, word)?;
            }
        }
        RequestCommand::Move { group: word, node: target, .. } => {
            (*word, *target) = (names::group(seen, word)?, names::node(seen, target)?);
        }
        RequestCommand::Failback { group: word, .. }
        | RequestCommand::Maintenance { group: word, .. }
        | RequestCommand::Cleanup { group: word } => {
            if let Some(word) = word {
                *word = names::group(seen, word)?;
            }
        }
        RequestCommand::Reload { .. }
        | RequestCommand::Upgrade { .. }
        | RequestCommand::ClearHold { .. }
        | RequestCommand::Fence { .. }
        | RequestCommand::ConfirmFenced { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::names::tests::seen;
    use crate::cli::table::{Arguments, HbctlCommand};

    #[test]
    fn every_request_gets_whole_names_but_those_that_can_do_harm() {
        for (typed, whole) in [
            (vec!["move", "wi", "nodeB"], vec!["move", "wiki", "nodeb"]),
            (vec!["standby", "webm", "wi"], vec!["standby", "webmail", "wiki"]),
            (vec!["takeover", "local"], vec!["takeover", "local"]),
            (vec!["failback", "now", "wi"], vec!["failback", "now", "wiki"]),
            (vec!["maintenance", "on", "wi"], vec!["maintenance", "on", "wiki"]),
            (vec!["clear-hold", "wi"], vec!["clear-hold", "wi"]),
            (vec!["cleanup", "wi"], vec!["cleanup", "wiki"]),
            (vec!["cleanup"], vec!["cleanup"]),
            (vec!["fence", "nodeb"], vec!["fence", "nodeb"]),
        ] {
            let request = |words: &[&str]| {
                let arguments = Arguments::try_parse_from(["hbctl"].iter().chain(words)).unwrap();
                let Some(HbctlCommand::Request(request)) = arguments.command else { panic!("no request") };
                request
            };
            let mut completed = request(&typed);
            complete_with(&seen(), &mut completed).unwrap();
            assert_eq!(format!("{completed:?}"), format!("{:?}", request(&whole)));
        }
    }
}
