//! Commands and waiting: everything the lab asks of the machine goes through here.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a command left.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a command whatever it returns. The error is that it could not be started.
pub fn attempt(words: &[&str]) -> Result<Output> {
    attempt_with_input(words, "")
}

/// Runs a command with text on its standard input, whatever it returns.
pub fn attempt_with_input(words: &[&str], input: &str) -> Result<Output> {
    let failed = |error: std::io::Error| Error::Command { command: words.join(" "), reason: error.to_string() };
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(Output {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a command that must succeed and returns what it printed.
pub fn run(words: &[&str]) -> Result<String> {
    run_with_input(words, "")
}

/// Runs a command that must succeed, with text on its standard input.
pub fn run_with_input(words: &[&str], input: &str) -> Result<String> {
    let output = attempt_with_input(words, input)?;
    if output.status == Some(0) {
        return Ok(output.stdout);
    }
    let status = output.status.map_or("killed".to_owned(), |status| format!("exit {status}"));
    Err(Error::Command { command: words.join(" "), reason: format!("{status}: {}", output.stderr.trim()) })
}

/// Looks again and again until `probe` has an answer.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    wait_or_explain(what, limit, || probe().ok_or_else(String::new))
}

/// As [`wait_until`]; the error of the last look becomes part of the complaint.
pub fn wait_or_explain<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match probe() {
            Ok(answer) => return Ok(answer),
            Err(seen) if Instant::now() >= deadline => {
                let seen = if seen.is_empty() { seen } else { format!(" ({seen})") };
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
    fn a_condition_that_never_comes_is_named() {
        let error = wait_or_explain::<()>("the moon", Duration::ZERO, || Err("clouds".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns in vain for the moon (clouds)");
    }
}
