//! Commands and waiting. The lab runs every command and waits for every condition with these functions, and each has
//! a limit.
//!
//! A command that reaches its limit is killed with its process group. No wait outlasts the program's budget
//! ([`set_budget`]): a node that hangs makes its test fail and never keeps the run from ending.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The time between two checks of a condition.
const LOOK: Duration = Duration::from_millis(20);

/// The limit of a command where none is given: many times what any of them needs on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// From this moment on no test waits for anything.
static BUDGET_ENDS: OnceLock<Instant> = OnceLock::new();

/// Bounds the time that this program's tests may take together. Afterwards every wait ends at its first check;
/// cleaning up is not bounded. Only the first call counts.
pub fn set_budget(budget: Duration) {
    let _ = BUDGET_ENDS.set(Instant::now() + budget);
}

/// Whether the budget is used up.
pub fn budget_is_over() -> bool {
    BUDGET_ENDS.get().is_some_and(|ends| *ends <= Instant::now())
}

/// The outcome of a command.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed on stderr.
    pub stderr: String,
}

/// Runs a command; any exit status will do. It is an error if the command could not be started, or did not end within
/// [`LIMIT`].
pub fn attempt(words: &[&str]) -> Result<Output> {
    attempt_within(words, LIMIT)
}

/// As [`attempt`] with another limit.
pub fn attempt_within(words: &[&str], limit: Duration) -> Result<Output> {
    execute(words, "", limit)
}

/// Runs a command with text on its standard input in a process group of its own, which is killed when the time is up.
fn execute(words: &[&str], input: &str, limit: Duration) -> Result<Output> {
    let deadline = Instant::now() + limit;
    let failed = |error: std::io::Error| Error::Command { command: words.join(" "), reason: error.to_string() };
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let mut readers = [None, None];
    readers[0] = child.stdout.take().map(read_aside);
    readers[1] = child.stderr.take().map(read_aside);
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input says why on stderr or by its exit status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let read = readers.map(|reader| {
        let left = deadline.saturating_duration_since(Instant::now());
        reader.and_then(|reader| reader.recv_timeout(left).ok())
    });
    if let [Some(stdout), Some(stderr)] = read
        && let Some(status) = wait_child(&mut child, deadline).map_err(failed)?
    {
        return Ok(Output { status: status.code(), stdout, stderr });
    }
    kill_group(&mut child).map_err(failed)?;
    Err(Error::TimeUp { command: words.join(" "), limit })
}

/// Everything that comes out of a pipe until its end.
fn read_aside(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        // At the limit nothing receives this any more.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// Waits for a process's end until a deadline; `None` when it has not ended by then.
fn wait_child(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a process and all that it started in its group.
fn kill_group(child: &mut Child) -> std::io::Result<()> {
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    child.wait().map(drop)
}

/// Waits for the end of a process that was told to end, and kills its group at the limit.
pub(crate) fn reap(child: &mut Child, limit: Duration) -> Result<()> {
    let failed = |error: std::io::Error| Error::Command { command: "wait".to_owned(), reason: error.to_string() };
    match wait_child(child, Instant::now() + limit).map_err(failed)? {
        Some(_) => Ok(()),
        None => kill_group(child).map_err(failed),
    }
}

/// Runs a command that must succeed and returns what it printed.
pub fn run(words: &[&str]) -> Result<String> {
    succeed(words, execute(words, "", LIMIT)?)
}

/// As [`run`] with another limit.
pub fn run_within(words: &[&str], limit: Duration) -> Result<String> {
    succeed(words, execute(words, "", limit)?)
}

/// Runs a command that must succeed, with text on its standard input.
pub fn run_with_input(words: &[&str], input: &str) -> Result<String> {
    succeed(words, execute(words, input, LIMIT)?)
}

fn succeed(words: &[&str], output: Output) -> Result<String> {
    if output.status == Some(0) {
        return Ok(output.stdout);
    }
    let status = output.status.map_or("killed".to_owned(), |status| format!("exit {status}"));
    Err(Error::Command { command: words.join(" "), reason: format!("{status}: {}", output.stderr.trim()) })
}

/// Calls `probe` again and again until it has an answer.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    wait_or_explain(what, limit, || probe().ok_or_else(String::new))
}

/// As [`wait_until`]; the last error of `probe` becomes part of the error.
pub fn wait_or_explain<T>(
    what: &str,
    limit: Duration,
    probe: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    look_until(what, limit, budget_is_over, probe)
}

/// As [`wait_until`], for cleaning up: the budget does not count.
pub(crate) fn wait_regardless<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    look_until(what, limit, || false, || probe().ok_or_else(String::new))
}

fn look_until<T>(
    what: &str,
    limit: Duration,
    time_is_up: impl Fn() -> bool,
    mut probe: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        match probe() {
            Ok(answer) => return Ok(answer),
            Err(seen) if begun.elapsed() >= limit || time_is_up() => {
                let mut seen = if seen.is_empty() { seen } else { format!(" ({seen})") };
                if time_is_up() {
                    seen.push_str("; the time for all tests together is over");
                }
                let limit = begun.elapsed().min(limit);
                return Err(Error::Timeout { what: what.to_owned(), limit, seen });
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

/// Wall-clock seconds since 1970: the clock of captures, journals and the client.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_says_what_it_complained_about() {
        let error = run(&["sh", "-c", "echo no such cable >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.ends_with("exit 3: no such cable"), "{error}");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_with_its_children() {
        let begun = Instant::now();
        // The child keeps the pipe open: killing the shell alone would not end the reading.
        let words = ["sh", "-c", "sleep 1000 & echo begun; wait"];
        let error = attempt_within(&words, Duration::from_millis(200)).unwrap_err().to_string();
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(error.starts_with("sh -c sleep 1000") && error.ends_with("did not end within 200ms"), "{error}");
    }

    #[test]
    fn a_command_may_write_more_than_a_pipe_holds_on_both_outputs() {
        let script = "dd if=/dev/zero bs=1M count=1 2>/dev/null; dd if=/dev/zero bs=1M count=2 >&2 2>/dev/null";
        let output = attempt(&["sh", "-c", script]).unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (1 << 20, 2 << 20));
    }

    #[test]
    fn a_condition_that_never_comes_is_named() {
        let error = wait_or_explain::<()>("the moon", Duration::ZERO, || Err("clouds".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns in vain for the moon (clouds)");
    }
}
