//! The table `[keys]` of hbd.toml: what the digests of packets must be worth.

use toml::de::DeTable;

use super::source::{TomlText, read_values};
use crate::config::auth_method::AuthMethod;
use crate::config::authkeys::AuthKeys;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::value::ValueKind;

pub(in crate::config) const KEYS: &[(&str, ValueKind)] = &[(
    "require",
    ValueKind::Choice(&[("crc", "crc"), ("md5", "md5"), ("sha1", "sha1"), ("hmac-sha256", "hmac-sha256")]),
)];

/// The weakest method that signs and is believed.
#[derive(Debug, Default)]
pub(in crate::config) struct KeysTable {
    required: AuthMethod,
    /// Its place.
    at: Option<FileWord>,
}

impl KeysTable {
    /// Reads the table; its key replaces that of earlier files.
    pub(super) fn read(&mut self, table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) {
        read_values("keys", KEYS, &[], table, source, findings, |_, value| {
            let known = AuthMethod::NAMES.iter().find(|(name, _)| *name == value);
            self.required = known.map(|(_, method)| *method).unwrap_or_default();
        });
        self.at = table.get("require").map(|value| source.word(value.span()));
    }

    /// The weakest method that signs and is believed.
    pub(in crate::config) fn required(&self) -> AuthMethod {
        self.required
    }

    /// Reports keys with which nothing could be signed, or not what `auth` says.
    pub(in crate::config) fn check(&self, keys: Option<&AuthKeys>, findings: &mut Findings) {
        let (Some(at), Some(keys)) = (&self.at, keys) else { return };
        let required = self.required;
        if keys.keys.values().all(|key| key.method < required) {
            let message =
                format!("[keys] requires {required}, and authkeys has no such key: nothing could be signed");
            let help = format!(
                "add a line `N {required} KEY` to authkeys on both nodes first (`hbctl genkey` makes one), or lower \
                 `require`{}",
                if required == AuthMethod::HmacSha256 {
                    "; a Heartbeat knows nothing stronger than sha1"
                } else {
                    ""
                }
            );
            findings.error(at, message, help);
            return;
        }
        let signing = keys.keys.get(&keys.signing).map_or(AuthMethod::Crc, |key| key.method);
        if signing < required && required < AuthMethod::HmacSha256 {
            let message = format!("`auth {}` of authkeys names a {signing} key, which [keys] refuses", keys.signing);
            findings.error(at, message, format!("let `auth` name a {required} key, or lower `require`"));
        }
        if required == AuthMethod::HmacSha256 {
            let message = "packets that are not signed with hmac-sha256 are refused: those of a Heartbeat, and of an \
                           hbd without the key, which would be dead for this node";
            let help = "before a reload look that `hbctl status` shows hmac-sha256 for the other node";
            findings.notice(at, message, help);
        }
    }
}
