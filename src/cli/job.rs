//! Jobs of hbd, such as a move: from the call to the signal that the job is over, with the progress in between.

use std::io::{self, Write};
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use zbus::connection::Builder;
use zbus::fdo::{self, DBusProxy};
use zbus::names::{BusName, OwnedUniqueName};
use zbus::proxy::MethodFlags;
use zbus::wire::{DynamicType, Type};
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath};

use super::ask::{connect, manager, refusal_text};
use super::error::CliError;
use crate::bus::{JobResult, NAME, ROOT};
use crate::util::text::printable;

/// How often hbctl checks, while it waits, that hbd still answers.
const PRESENCE_PERIOD: Duration = Duration::from_secs(2);

/// Whether the progress of a job is printed on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Printed,
    Quiet,
}

/// Calls a method of org.hbd1.Manager that returns a job, and waits until the job is over, however long its units
/// take. The inner result is hbd's answer: done, or why not.
pub(super) async fn run<B>(
    builder: Builder<'static>,
    method: &str,
    arguments: &B,
    progress: Progress,
) -> Result<Result<String, String>, CliError>
where
    B: Serialize + DynamicType + Type,
{
    let bus = connect(builder).await?;
    let manager = manager(&bus).await?;
    // Listening begins before the call, so that no signal is missed.
    let owner = owner(&bus).await?;
    let mut signals = listen(&bus, owner.clone()).await?;
    let flags = MethodFlags::ALLOW_INTERACTIVE_AUTH;
    let job = match manager.call_with_flags::<_, _, OwnedObjectPath>(method, flags, arguments).await {
        Ok(job) => job.unwrap_or_default(),
        Err(error) => return refusal_text(error).map(Err),
    };
    let mut presence = interval(PRESENCE_PERIOD);
    loop {
        let message = tokio::select! {
            message = signals.recv() => message.ok_or(CliError::NotRunning)?,
            _ = presence.tick() => {
                check_hbd_is_there(&bus, &owner).await?;
                continue;
            }
        };
        match parse_signal(&message) {
            Some(JobSignal::Removed(over, result, text)) if over == job => {
                let success = JobResult::parse(&result).is_some_and(JobResult::is_success);
                return Ok(if success { Ok(text) } else { Err(text) });
            }
            Some(JobSignal::Progress(text)) if progress == Progress::Printed => print_line(&text),
            _ => {}
        }
    }
}

/// Calls such a method and waits for one second; `None` if the job is not over by then. hbd finishes the job by
/// itself.
pub(super) async fn run_without_waiting<B>(
    builder: Builder<'static>,
    method: &str,
    arguments: &B,
) -> Result<Option<Result<String, String>>, CliError>
where
    B: Serialize + DynamicType + Type,
{
    // hbd looks up who calls (polkit), which fails once the caller has ended.
    const HAND_OVER_TIME: Duration = Duration::from_secs(1);
    timeout(HAND_OVER_TIME, run(builder, method, arguments, Progress::Quiet)).await.ok().transpose()
}

/// Prints the progress until it is dropped. Ends by itself only when the signals of hbd end.
pub(super) async fn print_progress(bus: &Connection) -> CliError {
    let listening = async { listen(bus, owner(bus).await?).await };
    let mut signals = match listening.await {
        Ok(signals) => signals,
        Err(error) => return error,
    };
    while let Some(message) = signals.recv().await {
        if let Some(JobSignal::Progress(text)) = parse_signal(&message) {
            print_line(&text);
        }
    }
    CliError::NotRunning
}

fn print_line(text: &str) {
    // An error means that the reader has gone.
    let _ = writeln!(io::stderr().lock(), "hbctl: {}", printable(text));
}

/// The connection of hbd.
async fn owner(bus: &Connection) -> Result<OwnedUniqueName, CliError> {
    let names = DBusProxy::new(bus).await.map_err(CliError::NoAnswer)?;
    let name = BusName::try_from(NAME).map_err(CliError::NoAnswer)?;
    names.get_name_owner(name).await.map_err(|error| match error {
        fdo::Error::NameHasNoOwner(_) => CliError::NotRunning,
        error => CliError::NoAnswer(error.into()),
    })
}

/// Every signal of the manager on the connection `owner` from now on. A signal that is sent to us alone comes
/// whatever we listen for, and anybody on the bus can send one. A task drains the stream, because a full one would
/// block the connection.
async fn listen(bus: &Connection, owner: OwnedUniqueName) -> Result<mpsc::UnboundedReceiver<Message>, CliError> {
    let rule = MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(NAME).path(ROOT).build();
    let mut signals = match rule {
        Ok(rule) => MessageStream::for_match_rule(rule, bus, None).await.map_err(CliError::NoAnswer)?,
        Err(error) => return Err(CliError::NoAnswer(error)),
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = signals.next().await {
            let believed = message.header().sender().is_some_and(|sender| *sender == *owner.inner());
            if believed && sender.send(message).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Fails if hbd has ended, or is another one by now: no signal would then say how the job ended.
async fn check_hbd_is_there(bus: &Connection, before: &OwnedUniqueName) -> Result<(), CliError> {
    if owner(bus).await? != *before {
        return Err(CliError::Refused(
            "hbd was restarted or reloaded before this was done; see hbctl status, and try again".to_owned(),
        ));
    }
    let peer = Some("org.freedesktop.DBus.Peer");
    match bus.call_method(Some(NAME), ROOT, peer, "Ping", &()).await.map_err(refusal_text) {
        Err(Err(error)) => Err(error),
        _ => Ok(()),
    }
}

/// A signal of the manager.
enum JobSignal {
    /// A job is over: its path, its result and its message.
    Removed(OwnedObjectPath, String, String),
    /// Something happened meanwhile.
    Progress(String),
}

fn parse_signal(message: &Message) -> Option<JobSignal> {
    let header = message.header();
    match header.member()?.as_str() {
        "JobRemoved" => {
            let (_, job, result, text): (u32, OwnedObjectPath, String, String) = message.body().deserialize().ok()?;
            Some(JobSignal::Removed(job, result, text))
        }
        "Transition" => {
            let (_, _, _, text): (String, String, String, String) = message.body().deserialize().ok()?;
            Some(JobSignal::Progress(text))
        }
        "PropertiesChanged" => {
            let body = message.body();
            let (_, changed, _): (&str, std::collections::HashMap<&str, zbus::Variant<'_>>, Vec<&str>) =
                body.deserialize().ok()?;
            let awaited = changed.get("Awaited")?.try_clone().ok()?;
            let awaited: String = awaited.try_into().ok()?;
            (!awaited.is_empty()).then(|| JobSignal::Progress(format!("waiting for {awaited}")))
        }
        _ => None,
    }
}
