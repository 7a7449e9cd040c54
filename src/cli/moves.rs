//! `hbctl standby` and `hbctl takeover`: what the words on the command line name.
//!
//! Owns the rule that a word which is no scope is a group's name. hbd knows which groups there are.

use std::ffi::OsStr;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use zbus::connection::Builder;

use super::error::CliError;
use super::job::{self, Attention};

/// The sets of groups, in Heartbeat's words (03 §1).
const SCOPES: [&str; 4] = ["all", "local", "foreign", "failback"];

/// Reads a scope or the name of a group. Only the scopes can be completed.
#[derive(Debug, Clone)]
pub(super) struct ScopeOrGroup;

impl TypedValueParser for ScopeOrGroup {
    type Value = String;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        NonEmptyStringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(SCOPES.into_iter().map(PossibleValue::new)))
    }
}

/// Asks for the move, with the method of this name or with its counterpart for groups, and waits until it is over.
pub(super) async fn run(
    bus: Builder<'static>,
    method: &str,
    words: &[String],
    attention: Attention,
) -> Result<Result<String, String>, CliError> {
    match words {
        [scope] if is_scope(scope) => job::run(bus, method, &(scope,), attention).await,
        words => match words.iter().find(|word| is_scope(word)) {
            Some(scope) => {
                Ok(Err(format!("'{scope}' is a set of groups: write it alone, or write names of groups without it")))
            }
            None => job::run(bus, &format!("{method}Groups"), &(words,), attention).await,
        },
    }
}

/// Whether the word is one of the sets of groups.
pub(super) fn is_scope(word: &str) -> bool {
    SCOPES.contains(&word)
}
