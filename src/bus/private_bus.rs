//! A message bus of a test's own: a `dbus-daemon` on a socket in a temporary directory.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use zbus::connection::Builder;

use crate::test_needs::missing;

/// Everybody may do everything.
const OPEN: &str = r#"<policy context="default">
  <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy>"#;

/// What dbus-daemon's own system.conf says, in short: signals and replies are free, calls and names are not.
const SYSTEM: &str = r#"<policy context="default">
  <allow user="*"/><deny own="*"/><deny send_type="method_call"/>
  <allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
  <allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
  <allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
</policy>"#;

/// The running daemon; killed when dropped.
pub(crate) struct PrivateBus {
    directory: TempDir,
    child: Child,
}

impl PrivateBus {
    /// A bus without rules, or `None` where the tests are to do without a dbus-daemon.
    pub(crate) fn start() -> Option<Self> {
        Self::with_rules(OPEN)
    }

    /// A bus with the rules of a system bus and the policy file at `policy`.
    pub(crate) fn like_system(policy: &str) -> Option<Self> {
        Self::like_system_with(policy, "")
    }

    /// The same with some more rules.
    pub(crate) fn like_system_with(policy: &str, rules: &str) -> Option<Self> {
        Self::with_rules(&format!("{SYSTEM}<include>{policy}</include>{rules}"))
    }

    fn with_rules(rules: &str) -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("hbd-bus-").tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n\
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><listen>unix:path={}/socket</listen><auth>EXTERNAL</auth>{rules}</busconfig>",
            directory.path().display()
        );
        std::fs::write(directory.path().join("bus.conf"), config).unwrap();
        let child = Self::spawn(&directory)?;
        Some(PrivateBus { directory, child })
    }

    fn spawn(directory: &TempDir) -> Option<Child> {
        let spawned = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg("--print-address")
            .arg(format!("--config-file={}/bus.conf", directory.path().display()))
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                missing("dbus-daemon", &format!("install it (apt install dbus-daemon): {error}"));
                return None;
            }
        };
        // The address is printed once the socket listens.
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("unix:"), "dbus-daemon did not start: {address:?}");
        Some(child)
    }

    /// The address for clients.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/socket", self.directory.path().display())
    }

    /// A builder for a connection to this bus.
    pub(crate) fn builder(&self) -> Builder<'static> {
        Builder::address(self.address().as_str())
    }

    /// Ends the daemon, and all connections with it.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the daemon again at the same address after [`PrivateBus::kill`].
    pub(crate) fn revive(&mut self) {
        let _ = std::fs::remove_file(self.directory.path().join("socket"));
        self.child = Self::spawn(&self.directory).unwrap();
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.kill();
    }
}
