//! The question before something that may do harm.
//!
//! Asks on a terminal only: what scripts call does what it is called for.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::error::CliError;

/// What an operator says to a question that is asked on a terminal, because the answer may do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(super) struct Consent {
    /// Do not ask first. Without a terminal nothing is asked
    #[arg(short, long)]
    pub yes: bool,
}

/// Goes on if nobody has to be asked, or the answer is yes.
///
/// # Errors
/// [`CliError::Refused`] if it is not; [`CliError::NoTerminal`] if the terminal cannot be used.
pub(super) fn obtain(question: &str, consent: Consent) -> Result<(), CliError> {
    if consent.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(());
    }
    ask(question, &mut io::stdin().lock(), &mut io::stderr().lock())
}

fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> Result<(), CliError> {
    write!(output, "{question} [y/N] ").and_then(|()| output.flush()).map_err(CliError::NoTerminal)?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(CliError::NoTerminal)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Refused("nothing was done".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, goes_on) in [("y\n", true), ("YES\n", true), ("\n", false), ("nodeb\n", false), ("", false)] {
            let mut shown = Vec::new();
            let asked = ask("Reset nodeb?", &mut answer.as_bytes(), &mut shown);
            assert_eq!(asked.is_ok(), goes_on, "{answer:?}");
            assert_eq!(String::from_utf8(shown).unwrap(), "Reset nodeb? [y/N] ");
        }
    }
}
