//! Which callers on the bus may do what.

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::{Connection, OwnedVariant, Proxy};

use super::private_bus::PrivateBus;
use super::tests::{Daemon, LONG, NODEB, read, text};
use super::{Call, NAME, OperatorRequest, ROOT};
use crate::cluster::{Answer, Request};
use crate::test_needs::missing;

const NOBODY: u32 = 65534;

/// A bus with hbd's policy on which root may be polkit, with an hbd and a connection of root; `None` where that
/// cannot be had.
async fn system_bus() -> Option<(PrivateBus, Daemon, Connection)> {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/dbus/org.hbd1.conf");
    let extra = r#"<policy user="root"><allow own="org.freedesktop.PolicyKit1"/>
        <allow send_destination="org.freedesktop.PolicyKit1"/></policy>"#;
    let bus = PrivateBus::like_system_with(policy, extra)?;
    let (daemon, client) = Daemon::start(&bus).await;
    if client.peer_creds().await.unwrap().unix_user_id() != Some(0) {
        missing("root", "only root can call as another user: run the tests as root");
        return None;
    }
    Some((bus, daemon, client))
}

/// Serves this polkit until the connection is dropped.
async fn serve_polkit(bus: &PrivateBus, authority: impl zbus::object_server::Interface) -> Connection {
    let polkit = bus.builder().name("org.freedesktop.PolicyKit1");
    polkit.serve_at("/org/freedesktop/PolicyKit1/Authority", authority).build().await.unwrap()
}

/// A polkit of the test's own: lets those pass whom the test names, if asked about `org.hbd1.switch`.
struct Polkit(Arc<std::sync::Mutex<bool>>);

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Polkit {
    async fn check_authorization(
        &self,
        _subject: (String, HashMap<String, OwnedVariant>),
        action: &str,
        _details: HashMap<String, String>,
        flags: u32,
        _cancellation: &str,
    ) -> (bool, bool, HashMap<String, String>) {
        // With a password everybody may reload.
        let with_password = action == "org.hbd1.reload" && flags & 1 == 1;
        let allowed = action == "org.hbd1.switch" && *self.0.lock().unwrap();
        (allowed || with_password, action == "org.hbd1.reload" && !with_password, HashMap::new())
    }
}

#[tokio::test]
async fn polkit_lets_whom_it_wants() {
    let Some((bus, mut daemon, _client)) = system_bus().await else { return };
    let allowed = Arc::new(std::sync::Mutex::new(false));
    let _polkit = serve_polkit(&bus, Polkit(Arc::clone(&allowed))).await;
    let (told, mut asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(request) = daemon.calls.recv().await {
            match request {
                Call::Operator(OperatorRequest { request: Request::Standby(_), reply, .. }) => {
                    let _ = reply.send(Ok(Answer::Done));
                }
                Call::Reload { reply } => {
                    let _ = reply.send(Ok(Vec::new()));
                }
                other => panic!("nobody asked for {other:?}"),
            }
            told.send(()).unwrap();
        }
    });
    let bus = Arc::new(bus);
    let call = |arguments: &'static [&'static str]| {
        let bus = Arc::clone(&bus);
        async move { tokio::task::spawn_blocking(move || busctl(&bus, NOBODY, arguments)).await.unwrap() }
    };
    const STANDBY: &[&str] = &["call", NAME, ROOT, "org.hbd1.Manager", "Standby", "s", "all"];
    const RELOAD: &[&str] =
        &["--allow-interactive-authorization=no", "call", NAME, ROOT, "org.hbd1.Manager", "Reload"];
    const WITH_PASSWORD: &[&str] =
        &["--allow-interactive-authorization=yes", "call", NAME, ROOT, "org.hbd1.Manager", "Reload"];
    let Some((success, stderr)) = call(STANDBY).await else {
        missing("busctl", "install systemd");
        return;
    };
    // busctl has words of its own for that error, and hbctl shows hbd's.
    assert!(!success && stderr.contains("Access denied"), "{stderr}");
    *allowed.lock().unwrap() = true;
    assert!(call(STANDBY).await.unwrap().0);
    assert!(asked.recv().await.is_some());
    let (success, stderr) = call(RELOAD).await.unwrap();
    assert!(!success && stderr.contains("password"), "{stderr}");
    assert!(call(WITH_PASSWORD).await.unwrap().0);
    assert!(asked.recv().await.is_some());
}

#[tokio::test]
async fn garbage_gets_errors_and_asks_hbd_nothing() {
    let Some(bus) = PrivateBus::start() else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    for number in 0..1000 {
        let result = match number % 3 {
            0 => manager.call::<_, _, String>("Standby", &("\u{1}", number)).await.map(drop),
            1 => manager.call::<_, _, String>("Takeover", &("nowhere",)).await.map(drop),
            _ => manager.call::<_, _, String>("NoSuchMethod", &(vec![number; 100],)).await.map(drop),
        };
        assert!(result.is_err());
    }
    assert!(daemon.calls.try_recv().is_err());
    assert_eq!(text(read(&client, ROOT, "org.hbd1.Manager", "NodeName").await), "nodea");
}

/// A polkit that waits for a password that nobody types.
struct PatientPolkit(mpsc::UnboundedSender<()>);

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl PatientPolkit {
    async fn check_authorization(
        &self,
        _subject: (String, HashMap<String, OwnedVariant>),
        _action: &str,
        _details: HashMap<String, String>,
        _flags: u32,
        _cancellation: &str,
    ) -> (bool, bool, HashMap<String, String>) {
        self.0.send(()).unwrap();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_user_who_types_no_password_locks_nobody_out() {
    let Some((bus, mut daemon, client)) = system_bus().await else { return };
    let (told, mut asked) = mpsc::unbounded_channel();
    let _polkit = serve_polkit(&bus, PatientPolkit(told)).await;
    tokio::spawn(async move {
        while let Some(Call::Reload { reply }) = daemon.calls.recv().await {
            let _ = reply.send(Ok(Vec::new()));
        }
    });
    let hog = |user| {
        let mut command = tokio::process::Command::new("busctl");
        command.arg(format!("--address={}", bus.address())).arg("--allow-interactive-authorization=yes");
        command.args(["call", NAME, ROOT, "org.hbd1.Manager", "Reload"]).uid(user);
        command.stderr(std::process::Stdio::null()).kill_on_drop(true).spawn()
    };
    let Ok(hogs) = (0..16).map(|_| hog(NOBODY)).collect::<Result<Vec<_>, _>>() else {
        missing("busctl", "install systemd");
        return;
    };
    for _ in 0..4 {
        timeout(LONG, asked.recv()).await.unwrap().unwrap();
    }
    let manager = Proxy::new(&client, NAME, ROOT, "org.hbd1.Manager").await.unwrap();
    timeout(LONG, manager.call::<_, _, Vec<String>>("Reload", &())).await.unwrap().unwrap();
    // Another user is asked about, too.
    let _other = hog(1).unwrap();
    timeout(LONG, asked.recv()).await.unwrap().unwrap();
    // Who has gone is asked about no longer, and others get the place.
    drop(hogs);
    let place = async {
        loop {
            let mut next = hog(NOBODY).unwrap();
            tokio::select! {
                asked = asked.recv() => break asked.unwrap(),
                refused = next.wait() => assert!(!refused.unwrap().success()),
            }
        }
    };
    timeout(LONG, place).await.unwrap();
}

#[tokio::test]
async fn a_bus_that_lets_everything_through_lets_nobody_reset_a_node() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/dbus/org.hbd1.conf");
    let loose = r#"<policy context="mandatory"><allow send_destination="org.hbd1"/></policy>"#;
    let Some(bus) = PrivateBus::like_system_with(policy, loose) else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    if client.peer_creds().await.unwrap().unix_user_id() != Some(0) {
        missing("root", "only root can call as another user: run the tests as root");
        return;
    }
    let bus = Arc::new(bus);
    let attacks: [&[&str]; 3] = [
        &["call", NAME, ROOT, "org.hbd1.Fencing", "Fence", "sb", "nodeb", "false"],
        &["call", NAME, ROOT, "org.hbd1.Fencing", "Fence", "sb", "nodeb", "true"],
        &["call", NAME, ROOT, "org.hbd1.Fencing", "ConfirmFenced", "s", "nodeb"],
    ];
    for arguments in attacks {
        let bus = Arc::clone(&bus);
        let attack = tokio::task::spawn_blocking(move || busctl(&bus, NOBODY, arguments)).await.unwrap();
        let Some((success, stderr)) = attack else {
            missing("busctl", "install systemd");
            return;
        };
        assert!(!success && stderr.contains("Access denied"), "{arguments:?}: {stderr}");
    }
    assert!(daemon.calls.try_recv().is_err(), "hbd was asked nothing");
}

/// Runs busctl on `bus` as `uid`; whether it succeeded, and what it said.
fn busctl(bus: &PrivateBus, uid: u32, arguments: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new("busctl");
    command.arg(format!("--address={}", bus.address())).args(arguments).uid(uid);
    let output = command.output().ok()?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test]
async fn by_the_policy_everybody_reads_and_root_asks() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/dbus/org.hbd1.conf");
    let Some(bus) = PrivateBus::like_system(policy) else { return };
    let (mut daemon, client) = Daemon::start(&bus).await;
    if client.peer_creds().await.unwrap().unix_user_id() != Some(0) {
        missing("root", "only root can call as another user: run the tests as root");
        return;
    }
    tokio::spawn(async move {
        while let Some(Call::Reload { reply }) = daemon.calls.recv().await {
            let _ = reply.send(Ok(Vec::new()));
        }
    });
    let bus = Arc::new(bus);
    let cases: [(u32, bool, &[&str]); 7] = [
        (NOBODY, true, &["get-property", NAME, ROOT, "org.hbd1.Manager", "NodeName"]),
        (NOBODY, true, &["introspect", NAME, NODEB]),
        (NOBODY, true, &["call", NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"]),
        (NOBODY, true, &["call", NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping"]),
        (NOBODY, false, &["call", NAME, ROOT, "org.hbd1.Manager", "Reload"]),
        (NOBODY, false, &["set-property", NAME, ROOT, "org.hbd1.Manager", "State", "s", "x"]),
        (0, true, &["call", NAME, ROOT, "org.hbd1.Manager", "Reload"]),
    ];
    for (uid, allowed, arguments) in cases {
        let bus = Arc::clone(&bus);
        let Some((success, stderr)) =
            tokio::task::spawn_blocking(move || busctl(&bus, uid, arguments)).await.unwrap()
        else {
            missing("busctl", "install systemd");
            return;
        };
        assert_eq!(success, allowed, "uid {uid} {arguments:?}: {stderr}");
        assert!(allowed || stderr.contains("denied"), "{arguments:?}: {stderr}");
    }
}
