//! The errors of the methods on the bus: `org.hbd1.Error.…`, and the bus's own words for what a caller may not do.

use zbus::DBusError;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;

use super::call::CallError;

/// The errors of our methods.
#[derive(Debug)]
pub enum ManagerError {
    /// The new configuration was refused; the old one is in force.
    ReloadRefused(String),
    /// An argument is not what the method takes.
    InvalidArgument(String),
    /// The caller is neither root nor of the group haclient, and polkit does not allow it.
    NotAllowed(String),
    /// polkit would allow it to somebody who gives a password, and the caller did not let itself be asked.
    PasswordWanted(String),
    /// What was asked for cannot be; the text says why.
    Refused(String),
    /// The node was not reset, or nothing waits for that; the text says why.
    NotFenced(String),
    /// hbd is stopping, or has too much to do.
    Busy(String),
}

impl ManagerError {
    /// The name on the bus, and the text.
    fn parts(&self) -> (&'static str, &str) {
        match self {
            ManagerError::ReloadRefused(text) => ("org.hbd1.Error.ReloadRefused", text),
            ManagerError::InvalidArgument(text) => ("org.hbd1.Error.InvalidArgument", text),
            ManagerError::NotAllowed(text) => ("org.freedesktop.DBus.Error.AccessDenied", text),
            ManagerError::PasswordWanted(text) => {
                ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", text)
            }
            ManagerError::Refused(text) => ("org.hbd1.Error.Refused", text),
            ManagerError::NotFenced(text) => ("org.hbd1.Error.NotFenced", text),
            ManagerError::Busy(text) => ("org.hbd1.Error.Busy", text),
        }
    }
}

impl DBusError for ManagerError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&(self.parts().1,))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(self.parts().0)
    }

    fn description(&self) -> Option<&str> {
        Some(self.parts().1)
    }
}

impl From<CallError> for ManagerError {
    fn from(error: CallError) -> ManagerError {
        ManagerError::Busy(error.to_string())
    }
}
