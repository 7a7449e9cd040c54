//! What hbd and the process that asks a witness say to each other: one JSON object a line, over a stream socket
//! (05 §9).
//!
//! hbd connects and sends [`ToWitness::Configure`] first, and then orders; the process answers each order once, in
//! any order. Nothing here is of etcd: another kind of witness speaks the same.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::{WitnessNews, WitnessOrder, WitnessStamp};

/// The version of this protocol.
pub const VERSION: u32 = 1;
/// Where the process listens.
pub const SOCKET: &str = "/run/hbd-witness.socket";
/// The longest first line, which holds files: 1 MiB.
pub const FIRST_LINE_MAX: usize = 1 << 20;
/// The longest other line, in both directions.
pub const LINE_MAX: usize = 4096;
/// The longest text of [`WitnessNews::Failed`], and the longest name of a holder, in characters.
pub const TEXT_MAX: usize = 500;

/// What hbd says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ToWitness {
    /// First: what to ask, and as whom.
    Configure(Box<Configure>),
    /// Do this, and answer with the same number.
    Order {
        /// Larger than that of every order before on this connection.
        number: u64,
        /// What to do.
        order: WitnessOrder,
        /// The witness as hbd saw it last: one that is another, or has gone back behind that, is not changed.
        since: Option<WitnessStamp>,
    },
}

/// What the process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum FromWitness {
    /// Orders are welcome. Says nothing of whether the witness can be reached.
    Ready {
        /// Who speaks: a program and its version.
        program: String,
    },
    /// Whose the key is after an order was carried out.
    Answer {
        /// That of the order.
        number: u64,
        /// Whose it is.
        news: WitnessNews,
    },
    /// What was said makes no sense here, and the process hangs up.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What to ask, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// [`VERSION`].
    pub version: u32,
    /// Where the witness is: URLs, `http` or `https`, with a port. At least one.
    pub endpoints: Vec<String>,
    /// The cluster's key.
    pub key: String,
    /// Our own name.
    pub node: String,
    /// Another for each daemon of this node: only what this one asked for is renewed.
    pub daemon: u64,
    /// The key is ours for so many seconds after each order.
    pub ttl: u64,
    /// An order that takes more milliseconds has failed.
    pub limit: u64,
    /// For `https`.
    pub tls: Option<Tls>,
    /// Who asks, where the witness wants to know.
    pub user: Option<User>,
}

/// Certificates, as PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Who signed the witness's certificate.
    pub ca: String,
    /// Our own, where the witness asks for it.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate, perhaps with those that signed it.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
}

/// A name and its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Configure {
    /// How long an order may take before it has failed.
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.limit)
    }
}

/// Why a line is not understood.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// It is not one of the protocol's.
    #[error("line not understood: {0}")]
    Unknown(#[source] serde_json::Error),
    /// The first line is not. It holds secrets, and the error of the parser might show them.
    #[error("first line not understood, column {0}")]
    First(usize),
    /// The first line is of another version.
    #[error(
        "version {0} of the line protocol is not spoken here, only {VERSION}: hbd and hbd-witness must be of one release"
    )]
    Version(u32),
}

/// A line with its end.
pub fn write(message: &impl Serialize) -> String {
    // Numbers, texts and options of them: nothing that JSON could not say.
    serde_json::to_string(message).unwrap_or_default() + "\n"
}

/// The meaning of a line.
///
/// # Errors
/// If it is not one of the protocol's.
pub fn read<T: DeserializeOwned>(line: &str) -> Result<T, ProtocolError> {
    serde_json::from_str(line).map_err(ProtocolError::Unknown)
}

/// The first line that hbd sends.
///
/// # Errors
/// If it is of another version, which is said even if that version has words that are not known here, or otherwise
/// not understood.
pub fn read_first(line: &str) -> Result<Configure, ProtocolError> {
    #[derive(Deserialize)]
    struct First {
        configure: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let place = |error: serde_json::Error| ProtocolError::First(error.column());
    match serde_json::from_str::<First>(line).map_err(place)?.configure.version {
        VERSION => {}
        other => return Err(ProtocolError::Version(other)),
    }
    match serde_json::from_str(line).map_err(place)? {
        ToWitness::Configure(configure) => Ok(*configure),
        ToWitness::Order { .. } => Err(ProtocolError::First(1)),
    }
}

/// The text as it fits into a line, on one line.
pub fn bounded(text: &str) -> String {
    crate::util::text::printable(&text.chars().take(TEXT_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configure() -> Configure {
        Configure {
            version: VERSION,
            endpoints: vec!["https://192.0.2.1:2379".to_owned()],
            key: "/hbd/linux-ha/owner".to_owned(),
            node: "nodea".to_owned(),
            daemon: u64::MAX,
            ttl: 10,
            limit: 2000,
            tls: Some(Tls {
                ca: "CA".to_owned(),
                client: Some(ClientCertificate { certificate: "OURS".to_owned(), key: Secret("hush".to_owned()) }),
            }),
            user: Some(User { name: "hbd".to_owned(), password: Secret("hush".to_owned()) }),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let said = ToWitness::Configure(Box::new(configure()));
        assert_eq!(read_first(write(&said).trim_end()).unwrap(), configure());
        let since = Some(WitnessStamp { cluster: 5, revision: 8 });
        let order = ToWitness::Order { number: 7, order: WitnessOrder::Ask, since };
        let line = r#"{"order":{"number":7,"order":"Ask","since":{"cluster":5,"revision":8}}}"#;
        assert_eq!(write(&order), format!("{line}\n"));
        assert_eq!(read::<ToWitness>(write(&order).trim_end()).unwrap(), order);
        let stamp = WitnessStamp { cluster: u64::MAX, revision: 1 };
        let news = WitnessNews::Theirs { stamp, holder: "nodeb".to_owned() };
        let answer = FromWitness::Answer { number: 7, news };
        assert_eq!(read::<FromWitness>(write(&answer).trim_end()).unwrap(), answer);
    }

    #[test]
    fn another_version_is_named_even_if_it_has_other_words() {
        let error = read_first(r#"{"configure":{"version":2,"moon":"full"}}"#).unwrap_err();
        assert!(error.to_string().starts_with("version 2 of the line protocol is not spoken here"), "{error}");
        let error = read_first(r#"{"configure":{"version":1,"moon":"full"}}"#).unwrap_err();
        assert!(matches!(error, ProtocolError::First(_)), "{error}");
        assert!(read::<ToWitness>(r#"{"order":{"number":1,"order":"Steal"}}"#).is_err());
        assert!(read::<ToWitness>(r#"{"order":{"number":1,"order":"Ask"},"more":1}"#).is_err());
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", configure());
        assert!(!shown.contains("hush"), "{shown}");
        let spoilt = write(&ToWitness::Configure(Box::new(configure()))).replace("\"ttl\":10", "\"ttl\":\"hush\"");
        let error = read_first(&spoilt).unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
