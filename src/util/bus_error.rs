//! What another program's refusal on D-Bus says.
//!
//! Owns that zbus has two forms of it: an error that D-Bus itself defines, and any other.

use zbus::DBusError;

/// The D-Bus name of an error *reply*; `None` for errors that arose on our side.
pub fn error_name(error: &zbus::Error) -> Option<String> {
    match error {
        zbus::Error::MethodError(name, _, _) => Some(name.to_string()),
        zbus::Error::FDO(error) => Some(error.name().to_string()),
        _ => None,
    }
}

/// What the error says to people.
pub fn error_text(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, text, _) => text.clone().unwrap_or_default(),
        zbus::Error::FDO(error) => error.description().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use zbus::fdo;

    use super::*;

    #[test]
    fn a_refusal_in_words_of_dbus_has_its_name_and_text() {
        let refusal = zbus::Error::from(fdo::Error::AccessDenied("only root may".to_owned()));
        assert_eq!(error_name(&refusal).as_deref(), Some("org.freedesktop.DBus.Error.AccessDenied"));
        assert_eq!(error_text(&refusal), "only root may");
        assert_eq!(error_name(&zbus::Error::InvalidReply), None);
    }
}
