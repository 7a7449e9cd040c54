//! Asking hbd to move groups, and its answer in words.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use zbus::Proxy;
use zbus::connection::Builder;

use super::CliError;
use super::fetch::PATIENCE;
use crate::bus::{NAME, ROOT};

/// How often hbd is asked what it waits for. A move that need not wait is over by then.
const LOOK: Duration = Duration::from_millis(500);

/// Calls a method of org.hbd1.Manager that takes one word and answers in words. The inner result is hbd's own answer:
/// done, or why not.
/// Waits as long as the units take; only the bus itself must answer within [`PATIENCE`].
pub(super) async fn ask(
    builder: Builder<'static>,
    method: &str,
    scope: &str,
) -> Result<Result<String, String>, CliError> {
    let slow = |_| {
        let text = format!("no answer in {} s", PATIENCE.as_secs());
        CliError::NoBus(zbus::fdo::Error::TimedOut(text).into())
    };
    let bus = timeout(PATIENCE, builder.build()).await.map_err(slow)?.map_err(CliError::NoBus)?;
    let manager = Proxy::new(&bus, NAME, ROOT, "org.hbd1.Manager").await.map_err(CliError::NoAnswer)?;
    let arguments = (scope,);
    let outcome = tokio::select! {
        outcome = manager.call::<_, _, String>(method, &arguments) => outcome,
        never = tell_what_is_awaited(&manager) => match never {},
    };
    match outcome {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(zbus::Error::MethodError(name, text, _)) => match name.as_str() {
            "org.hbd1.Error.NotMoved" | "org.hbd1.Error.Busy" | "org.hbd1.Error.InvalidArgument" => {
                Ok(Err(text.unwrap_or_default()))
            }
            "org.freedesktop.DBus.Error.AccessDenied" => Err(CliError::NotAllowed),
            "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                Err(CliError::NotRunning)
            }
            _ => Err(CliError::NoAnswer(zbus::Error::Failure(format!("{name}: {}", text.unwrap_or_default())))),
        },
        Err(error) => Err(CliError::NoAnswer(error)),
    }
}

/// Says on stderr what hbd waits for before it begins, whenever that changes. An hbd that does not say is not asked twice.
async fn tell_what_is_awaited(manager: &Proxy<'_>) -> Infallible {
    let mut told = String::new();
    loop {
        sleep(LOOK).await;
        let awaited: String = match manager.get_property("Awaited").await {
            Ok(awaited) => awaited,
            Err(_) => std::future::pending().await,
        };
        if !awaited.is_empty() && awaited != told {
            // Nobody may be reading.
            let _ = writeln!(io::stderr().lock(), "hbctl: waiting for {awaited}");
        }
        told = awaited;
    }
}
