//! Jobs of hbd, such as a move: from the call to the signal that the job is over, with the progress in between.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
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

/// After how long without a word hbctl says that it still waits.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// For how long hbctl waits until a move is over. hbd goes on with it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(super) struct Patience {
    /// Do not wait until it is over
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
    /// Wait so many seconds at most; then the exit status is 4, and hbd goes on
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// What hbctl does while a job is under way. hbd goes on with the job in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attention {
    /// The progress is printed on standard error.
    printed: bool,
    /// How long hbctl waits; `None` for as long as it takes.
    limit: Option<Duration>,
}

impl Attention {
    /// Waits until the job is over.
    pub(super) fn whole(quiet: bool) -> Attention {
        Attention { printed: !quiet, limit: None }
    }

    /// Waits as the command line says.
    pub(super) fn of(patience: Patience, quiet: bool) -> Attention {
        let limit = patience.timeout.map(Duration::from_secs);
        Attention { printed: !quiet, limit: if patience.no_wait { Some(Duration::ZERO) } else { limit } }
    }
}

/// Calls a method of org.hbd1.Manager that returns a job, and waits until the job is over, however long its units
/// take, or as long as `attention` says. The inner result is hbd's answer: done, or why not.
pub(super) async fn run<B>(
    builder: Builder<'static>,
    method: &str,
    arguments: &B,
    attention: Attention,
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
    let over = follow(&bus, &owner, &mut signals, &job, attention.printed);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
    let interrupted = async move {
        // `None` comes never: the signal is listened for as long as this lives.
        let _ = interrupt.recv().await;
    };
    wait(over, attention.limit, interrupted, &job).await
}

/// Waits until the job is over, the limit is reached or somebody presses Ctrl-C; hbd goes on in any case.
async fn wait(
    over: impl Future<Output = Result<Result<String, String>, CliError>>,
    limit: Option<Duration>,
    interrupted: impl Future<Output = ()>,
    job: &OwnedObjectPath,
) -> Result<Result<String, String>, CliError> {
    let limited = async {
        match limit {
            None => over.await,
            Some(Duration::ZERO) => Ok(Ok("under way: hbctl status shows how it ends".to_owned())),
            Some(limit) => timeout(limit, over).await.unwrap_or_else(|_| {
                let text = format!("not over after {} s; hbd goes on with it: see hbctl status", limit.as_secs());
                Ok(Err(text))
            }),
        }
    };
    tokio::select! {
        ended = limited => ended,
        () = interrupted => Ok(Err(format!(
            "no longer waiting; hbd goes on with it: see hbctl status. As long as it waits to begin this calls it \
             off: busctl call {NAME} {} org.hbd1.Job Cancel",
            job.as_str(),
        ))),
    }
}

/// Waits until the job is over, and prints the progress.
async fn follow(
    bus: &Connection,
    owner: &OwnedUniqueName,
    signals: &mut mpsc::UnboundedReceiver<Message>,
    job: &OwnedObjectPath,
    printed: bool,
) -> Result<Result<String, String>, CliError> {
    let mut presence = interval(PRESENCE_PERIOD);
    let (begun, mut last_word) = (Instant::now(), Instant::now());
    loop {
        let message = tokio::select! {
            message = signals.recv() => message.ok_or(CliError::NotRunning)?,
            _ = presence.tick() => {
                check_hbd_is_there(bus, owner).await?;
                if printed && last_word.elapsed() >= SILENCE_LIMIT {
                    last_word = Instant::now();
                    print_line(&format!("still waiting, for {} s by now", begun.elapsed().as_secs()));
                }
                continue;
            }
        };
        match parse_signal(&message) {
            Some(JobSignal::Removed(over, result, text)) if over == *job => {
                let success = JobResult::parse(&result).is_some_and(JobResult::is_success);
                return Ok(if success { Ok(text) } else { Err(text) });
            }
            Some(JobSignal::Progress(text)) if printed => {
                last_word = Instant::now();
                print_line(&text);
            }
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
    timeout(HAND_OVER_TIME, run(builder, method, arguments, Attention::whole(true))).await.ok().transpose()
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

/// A line of progress.
pub(super) fn print_line(text: &str) {
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
            let body = message.body();
            type Ended = (u32, OwnedObjectPath, String, String, String);
            let (_, job, _, result, text): Ended = body.deserialize().ok().or_else(|| {
                // hbd 0.1.0 says no type.
                let (id, job, result, text): (u32, OwnedObjectPath, String, String) = body.deserialize().ok()?;
                Some((id, job, String::new(), result, text))
            })?;
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use zbus::ObjectPath;

    use super::*;

    #[tokio::test]
    async fn who_waits_no_longer_is_told_that_hbd_goes_on_and_how_to_call_it_off() {
        let job = OwnedObjectPath::from(ObjectPath::try_from("/org/hbd1/job/7").unwrap());
        let said = wait(pending(), None, ready(()), &job).await.unwrap().unwrap_err();
        assert!(said.contains("hbd goes on with it: see hbctl status"), "{said}");
        assert!(said.ends_with("busctl call org.hbd1 /org/hbd1/job/7 org.hbd1.Job Cancel"), "{said}");
        let over = async { Ok(Ok("now on nodeb".to_owned())) };
        assert_eq!(wait(over, None, pending(), &job).await.unwrap().unwrap(), "now on nodeb");
    }
}
