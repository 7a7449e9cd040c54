//! Why a service cannot even be connected to.

use std::io;

/// Why there is no connection, without numbers.
pub(super) fn connect_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there".to_owned(),
        _ => format!("cannot connect: {error}"),
    }
}
