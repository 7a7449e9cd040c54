//! `hbctl watch`: the status, live, on a whole terminal.
//!
//! Owns the terminal while it runs, and restores it however it ends. Draws when hbd signals a change, and once a
//! second for the times: the status, the last decisions below it, and a line for the keys, which
//! [`super::watch_keys`] knows. While the bus or hbd does not answer, the screen says so.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use futures_util::StreamExt;
use rustix::termios::{self, OptionalActions, SpecialCodeIndex, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;
use zbus::connection::Builder;
use zbus::{MatchRule, MessageStream};

use super::error::CliError;
use super::fetch::Client;
use super::format::{local_time, paint};
use super::watch_keys::Bottom;
use super::{status, why};
use crate::bus::{NAME, Snapshot};
use crate::util::clock::now_usec;

/// How often the screen is drawn without a signal, because `LAST HEARD` changes without one.
const REDRAW_PERIOD: Duration = Duration::from_secs(1);
/// How long drawing waits after a signal: several changes usually come together.
const SETTLING_TIME: Duration = Duration::from_millis(40);

/// Alternate screen, no cursor, no wrapping of long lines.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const CTRL_C: u8 = 3;

/// The terminal while hbctl draws on it. Dropping this restores the terminal.
struct Screen<I: AsFd, O: Write> {
    input: I,
    output: O,
    before: Termios,
}

impl<I: AsFd, O: Write> Screen<I, O> {
    /// Fails where `input` is no terminal.
    fn enter(input: I, mut output: O) -> io::Result<Self> {
        let before = termios::tcgetattr(&input)?;
        let mut raw = before.clone();
        raw.make_raw();
        // `\n` still begins a line.
        raw.output_modes = before.output_modes;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(&input, OptionalActions::Now, &raw)?;
        output.write_all(ENTER.as_bytes())?;
        output.flush()?;
        Ok(Screen { input, output, before })
    }

    /// Shows as many lines as fit.
    fn draw(&mut self, view: &View, bottom: &str) -> io::Result<()> {
        // A serial console does not know its size.
        let rows = termios::tcgetwinsize(&self.input).map_or(0, |size| usize::from(size.ws_row));
        let lines = arrange(view, bottom, if rows == 0 { 24 } else { rows });
        let mut frame = "\x1b[H".to_owned();
        for (number, line) in lines.iter().enumerate() {
            frame.push_str(if number > 0 { "\r\n" } else { "" });
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        self.output.write_all(frame.as_bytes())?;
        self.output.flush()
    }
}

impl<I: AsFd, O: Write> Drop for Screen<I, O> {
    fn drop(&mut self) {
        // An error means that the terminal has gone.
        let _ = self.output.write_all(LEAVE.as_bytes());
        let _ = self.output.flush();
        let _ = termios::tcsetattr(&self.input, OptionalActions::Now, &self.before);
    }
}

/// What is on the screen beside the line at the bottom.
#[derive(Default)]
struct View {
    /// The status, or why there is none.
    status: String,
    /// The last decisions, a line each, oldest first.
    decisions: Vec<String>,
    /// Whether this node is in maintenance.
    maintenance: bool,
}

/// The lines of the screen, as many as it has rows: the status, cut if need be, the newest decisions in what is left,
/// at least an eighth of the rows, and the bottom line.
fn arrange(view: &View, bottom: &str, rows: usize) -> Vec<String> {
    let status: Vec<&str> = view.status.lines().collect();
    let room = rows.saturating_sub(1);
    let wanted = room.saturating_sub(status.len()).max(rows / 8);
    // A gap and a heading take a row each.
    let pane = if view.decisions.is_empty() { 0 } else { wanted.min(view.decisions.len() + 2).min(room) };
    let body = (room - pane).min(status.len());
    let mut lines: Vec<String> = status.iter().take(body).map(|line| (*line).to_owned()).collect();
    if status.len() > body
        && let Some(last) = lines.last_mut()
    {
        "…".clone_into(last);
    }
    match pane {
        0 => {}
        1 | 2 => lines.extend(view.decisions.iter().rev().take(pane).rev().cloned()),
        pane => {
            lines.extend([String::new(), "LAST DECISIONS".to_owned()]);
            lines.extend(view.decisions.iter().rev().take(pane - 2).rev().cloned());
        }
    }
    lines.resize(room, String::new());
    lines.push(bottom.to_owned());
    lines
}

/// Runs until `q` or Ctrl-C, a signal, or the end of the terminal.
pub(super) async fn watch<I>(
    connect: impl Fn() -> Builder<'static>,
    input: I,
    mut keys: impl Read + Send + 'static,
    output: impl Write,
    colour: bool,
) -> Result<(), CliError>
where
    I: AsFd,
{
    let mut screen = Screen::enter(input, output).map_err(CliError::NoTerminal)?;
    let (pressed, mut keyboard) = mpsc::unbounded_channel();
    // A thread that reads a terminal cannot be stopped; it ends with the process.
    std::thread::spawn(move || {
        let mut key = [0];
        while keys.read(&mut key).is_ok_and(|read| read == 1) && pressed.send(key[0]).is_ok() {}
    });
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
    let mut resized = signal(SignalKind::window_change()).map_err(CliError::Runtime)?;
    let (mut source, mut bottom) = (StatusFeed::default(), Bottom::default());
    loop {
        let view = source.view(&connect, colour).await;
        let line = format!("{}  {}", local_time(now_usec()), bottom.line());
        screen.draw(&view, &line).map_err(CliError::NoTerminal)?;
        tokio::select! {
            key = keyboard.recv() => match key {
                None | Some(b'q' | b'Q' | CTRL_C) => return Ok(()),
                // Any other key draws at once.
                Some(key) => bottom.press(key, view.maintenance, &connect),
            },
            () = bottom.ended() => {}
            _ = terminate.recv() => return Ok(()),
            _ = resized.recv() => {}
            () = source.changed() => sleep(SETTLING_TIME).await,
            () = sleep(REDRAW_PERIOD) => {}
        }
    }
}

/// The source of the status: the connection once there is one, and the signals that something has changed.
#[derive(Default)]
struct StatusFeed {
    client: Option<Client>,
    changes: Option<mpsc::Receiver<()>>,
}

impl StatusFeed {
    /// The status, or why there is none.
    async fn view(&mut self, connect: &impl Fn() -> Builder<'static>, colour: bool) -> View {
        match self.snapshot(connect).await {
            Ok(snapshot) => View {
                status: status::render(&snapshot, now_usec(), colour),
                decisions: snapshot.decisions.iter().map(|decision| why::line(decision, colour)).collect(),
                maintenance: snapshot.maintenance,
            },
            Err(error) => {
                if !matches!(error, CliError::NotRunning) {
                    *self = StatusFeed::default();
                }
                View { status: paint(&error.with_remedy(), "bad", colour), ..View::default() }
            }
        }
    }

    async fn snapshot(&mut self, connect: &impl Fn() -> Builder<'static>) -> Result<Snapshot, CliError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let client = Client::connect(connect()).await?;
                self.changes = Some(listen(&client).await?);
                client
            }
        };
        self.client.insert(client).snapshot().await
    }

    /// Resolves when hbd has signalled a change since the last call.
    async fn changed(&mut self) {
        let told = match &mut self.changes {
            Some(changes) => changes.recv().await,
            None => None,
        };
        if told.is_none() {
            self.changes = None;
            std::future::pending().await
        }
    }
}

/// A message for every signal of hbd; several signals may be one message. A task drains the stream, because a full
/// one would block the connection.
async fn listen(client: &Client) -> Result<mpsc::Receiver<()>, CliError> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(NAME)
        .path_namespace(crate::bus::ROOT)
        .build();
    let rule = rule.map_err(CliError::NoAnswer)?;
    let mut signals = MessageStream::for_match_rule(rule, client.bus(), None).await.map_err(CliError::NoAnswer)?;
    let (sender, changes) = mpsc::channel(1);
    tokio::spawn(async move {
        while signals.next().await.is_some() {
            if let Err(mpsc::error::TrySendError::Closed(())) = sender.try_send(()) {
                break;
            }
        }
    });
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(status: usize, decisions: usize) -> View {
        View {
            status: (1..=status).map(|number| format!("s{number}\n")).collect(),
            decisions: (1..=decisions).map(|number| format!("d{number}")).collect(),
            maintenance: false,
        }
    }

    #[test]
    fn the_screen_is_full_and_the_newest_decisions_are_on_it() {
        assert_eq!(arrange(&view(2, 1), "keys", 8), ["s1", "s2", "", "LAST DECISIONS", "d1", "", "", "keys"]);
        assert_eq!(arrange(&view(2, 9), "keys", 8), ["s1", "s2", "", "LAST DECISIONS", "d7", "d8", "d9", "keys"]);
        assert_eq!(arrange(&view(9, 9), "keys", 8), ["s1", "s2", "s3", "s4", "s5", "…", "d9", "keys"]);
        assert_eq!(arrange(&view(9, 0), "keys", 4), ["s1", "s2", "…", "keys"]);
        assert_eq!(arrange(&view(9, 9), "keys", 1), ["keys"]);
    }
}
