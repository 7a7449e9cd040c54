//! What can go wrong, in words.

use std::error::Error;
use std::io;
use std::time::Duration;

use hbd::witness::lines::LineError;
use hbd::witness::protocol::ProtocolError;
use thiserror::Error;

/// Why an order has no answer.
#[derive(Debug, Error)]
pub enum OrderError {
    /// No member has answered in time.
    #[error("no answer within {} s from {}", .limit.as_secs_f64(), .members.join(", "))]
    Slow {
        /// How long it was waited for.
        limit: Duration,
        /// Those that were asked.
        members: Vec<String>,
    },
    /// Every member has said that it cannot.
    #[error("{}", .0.iter().map(|error| words(error)).collect::<Vec<_>>().join("; "))]
    Everywhere(Vec<MemberError>),
    /// The key was given back while the order was under way.
    #[error("the key was given back meanwhile")]
    GivenBack,
    /// hbd waits for too many answers.
    #[error("{0} orders are under way already")]
    TooMany(usize),
}

/// Why one member has not answered.
#[derive(Debug, Error)]
#[error("{member}: {}", words(.source))]
pub struct MemberError {
    /// Its URL.
    pub member: String,
    /// Why.
    pub source: KeyError,
}

/// Why an order could not be carried out at one member.
#[derive(Debug, Error)]
pub enum KeyError {
    /// What the client library says.
    #[error("{}", etcd_words(.0))]
    Etcd(etcd_client::Error),
    /// An answer does not say of which cluster and revision it is.
    #[error("an answer without a header")]
    NoHeader,
    /// etcd gave less time than it was asked for.
    #[error("a lease of {given} s instead of {asked} s")]
    ShortLease {
        /// What etcd gave.
        given: i64,
        /// What it was asked for.
        asked: u64,
    },
    /// Somebody else changed the key again and again meanwhile.
    #[error("the key changed while it was asked for, {0} times in a row")]
    Contended(u32),
}

impl From<etcd_client::Error> for KeyError {
    fn from(error: etcd_client::Error) -> KeyError {
        KeyError::Etcd(error)
    }
}

/// Why a connection of hbd has ended before hbd hung up.
#[derive(Debug, Error)]
pub enum SessionError {
    /// It can be neither read nor written.
    #[error("the connection to hbd broke")]
    Broken(#[from] io::Error),
    /// A line has no end.
    #[error("hbd is not understood")]
    Line(#[from] LineError),
    /// A line makes no sense.
    #[error("hbd is not understood")]
    Protocol(#[from] ProtocolError),
}

/// The error and what caused it, on one line.
pub fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// What etcd or the way to it says: the library's own texts name its types.
fn etcd_words(error: &etcd_client::Error) -> String {
    match error {
        etcd_client::Error::GRpcStatus(status) => {
            let causes = status.source().map(words).filter(|causes| !causes.is_empty());
            match (status.message(), causes) {
                ("", None) => format!("{:?}", status.code()),
                (message, None) => message.to_owned(),
                (message, Some(causes)) if causes.contains(message) => causes,
                (message, Some(causes)) => format!("{message}: {causes}"),
            }
        }
        etcd_client::Error::TransportError(error) => words(error),
        other => other.to_string(),
    }
}
