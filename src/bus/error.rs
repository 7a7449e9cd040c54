//! The errors of the methods on the bus, `org.hbd1.Error.…`.

use zbus::DBusError;

use super::call::CallError;

/// The errors of our methods.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hbd1.Error")]
pub enum ManagerError {
    /// The new configuration was refused; the old one is in force.
    ReloadRefused(String),
    /// An argument is not what the method takes.
    InvalidArgument(String),
    /// The caller is neither root nor of the group haclient, and polkit does not allow it.
    NotAllowed(String),
    /// What was asked for cannot be; the text says why.
    Refused(String),
    /// hbd is stopping, or has too much to do.
    Busy(String),
}

impl From<CallError> for ManagerError {
    fn from(error: CallError) -> ManagerError {
        ManagerError::Busy(error.to_string())
    }
}

/// Why nothing was reset.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hbd1.Error")]
pub enum FencingError {
    /// The node was not reset, or nothing waits for that; the text says why.
    NotFenced(String),
    /// The caller is not root.
    NotAllowed(String),
    /// hbd is stopping, or has too much to do.
    Busy(String),
}

impl From<CallError> for FencingError {
    fn from(error: CallError) -> FencingError {
        FencingError::Busy(error.to_string())
    }
}
