//! A cable that loses, delays, doubles or repeats frames, or carries them in one direction only, between one machine
//! and one LAN. The machine keeps its carrier.
//!
//! Not every kernel has netem. Frames pass through a process in the switch's namespace (`wire.pl`), which stands
//! between the machine's port and the bridge.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::process::{attempt, run, run_with_input};
use crate::switch::{Lan, Switch};
use crate::{Error, Result};

/// What happens to the frames of one direction. Percentages of frames, and milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// So many of a hundred are lost.
    pub loss: u32,
    /// So many of a hundred come twice.
    pub double: u32,
    /// For so many of a hundred an older one comes again.
    pub replay: u32,
    /// Each comes so many milliseconds later.
    pub delay: u32,
    /// And up to so many more, so that one may overtake another.
    pub jitter: u32,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fate { loss, double, replay, delay, jitter } = self;
        write!(f, "loss={loss},double={double},replay={replay},delay={delay},jitter={jitter}")
    }
}

/// A damaged cable. It is whole again when this is dropped.
#[derive(Debug)]
pub struct Wire {
    switch: Rc<Switch>,
    relay: Child,
    port: String,
    lan: Lan,
}

impl Wire {
    /// Damages the cable of a machine that is on: `out` is what happens to what it sends, `into` to what it receives.
    pub fn damage(switch: &Rc<Switch>, machine: &str, lan: Lan, out: Fate, into: Fate) -> Result<Wire> {
        let namespace = switch.namespace();
        let port = lan.port(machine);
        let bridge = lan.bridge();
        let between = format!(
            "link add {port}w type veth peer name {port}x\nlink set {port}x master {bridge} up\n\
             link set {port}w up\nlink set {port} nomaster\n"
        );
        run_with_input(&["ip", "-n", &namespace, "-batch", "-"], &between)?;
        let index = |interface: &str| {
            let shown = run(&["ip", "-n", &namespace, "-oneline", "link", "show", "dev", interface])?;
            Ok::<_, Error>(shown.split(':').next().unwrap_or_default().to_owned())
        };
        let (outside, inside) = (index(&port)?, index(&format!("{port}w"))?);
        let failed = |reason: String| Error::Command { command: "wire.pl".to_owned(), reason };
        let mut relay = Command::new("ip")
            .args(["netns", "exec", &namespace, "perl", "-e", include_str!("wire.pl"), &outside, &inside])
            .args([out.to_string(), into.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let said = relay.stdout.take().map(|stdout| {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let wire = Wire { switch: switch.clone(), relay, port, lan };
        match said {
            Some(Ok(line)) if line == "ready\n" => Ok(wire),
            said => Err(failed(format!("{said:?}"))),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let namespace = self.switch.namespace();
        // A machine that was without power meanwhile has a new cable, which is whole.
        let _ = attempt(&["ip", "-n", &namespace, "link", "set", &self.port, "master", self.lan.bridge()]);
        let _ = self.relay.kill();
        let _ = self.relay.wait();
        let _ = attempt(&["ip", "-n", &namespace, "link", "delete", &format!("{}w", self.port)]);
    }
}

/// For how long a flapping cable is cut, and then whole, in turns: now and then for longer than a keepalive, and
/// never for longer than a dead time.
const FLAPS: [Duration; 6] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
    Duration::from_millis(200),
    Duration::from_millis(2500),
    Duration::from_millis(400),
];

/// A cable that is cut and put back again and again. It is whole again when this is dropped.
#[derive(Debug)]
pub struct Flapping {
    over: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Flapping {
    /// Begins with a cut. The machine loses its carrier each time.
    pub fn start(switch: &Switch, machine: &str, lan: Lan) -> Flapping {
        let (over, ends) = std::sync::mpsc::channel::<()>();
        let (namespace, port) = (switch.namespace(), lan.port(machine));
        let thread = std::thread::spawn(move || {
            // A machine that has no power meanwhile has no cable to be cut.
            let set = |state| drop(attempt(&["ip", "-n", &namespace, "link", "set", &port, state]));
            for (turn, pause) in FLAPS.iter().cycle().enumerate() {
                set(if turn % 2 == 0 { "down" } else { "up" });
                if ends.recv_timeout(*pause) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            set("up");
        });
        Flapping { over, thread: Some(thread) }
    }
}

impl Drop for Flapping {
    fn drop(&mut self) {
        let _ = self.over.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
