//! A null-modem cable between both nodes: two pseudo-terminals of this machine. What is written at one end is read at
//! the other.
//!
//! The nodes see this machine's /dev/pts as [`OUTSIDE`], and their `/dev/ttyS0` points there. A cable that is laid
//! again has other pseudo-terminals, and the old ones hang up, as an adapter does that is pulled out.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::node::{Node, OUTSIDE};
use crate::{Error, Result};

/// The device in every node.
pub const DEVICE: &str = "/dev/ttyS0";
/// The time between two reads of both ends: less than ten characters take at 19200 bits per second.
const PAUSE: Duration = Duration::from_millis(5);

/// The cable.
#[derive(Debug)]
pub struct SerialLine {
    ends: [String; 2],
    cut: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    relay: Option<JoinHandle<()>>,
}

impl SerialLine {
    /// Lays the cable between two nodes, which must be on.
    pub fn lay(nodes: &[Node; 2]) -> Result<SerialLine> {
        let [(near, first), (far, second)] = [pseudo_terminal()?, pseudo_terminal()?];
        let stop = Arc::new(AtomicBool::new(false));
        let cut = Arc::new(AtomicBool::new(false));
        let (stopped, parted) = (Arc::clone(&stop), Arc::clone(&cut));
        let relay = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let whole = !parted.load(Ordering::Relaxed);
                carry(&near, whole.then_some(&far));
                carry(&far, whole.then_some(&near));
                thread::sleep(PAUSE);
            }
        });
        let line = SerialLine { ends: [first, second], cut, stop, relay: Some(relay) };
        for (node, end) in nodes.iter().zip(&line.ends) {
            node.run(&["ln", "-sfn", end, DEVICE])?;
        }
        Ok(line)
    }

    /// Stops carrying anything. Neither end hangs up.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(relay) = self.relay.take() {
            // Nothing to be read.
            let _ = relay.join();
        }
    }
}

/// Our side, and the path of the other one as a node sees it.
fn pseudo_terminal() -> Result<(File, String)> {
    let wrong = |what: &'static str| move |error: rustix::io::Errno| Error::file(what)(error.into());
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(wrong("openpt"))?;
    grantpt(&ours).map_err(wrong("grantpt"))?;
    unlockpt(&ours).map_err(wrong("unlockpt"))?;
    ioctl_fionbio(&ours, true).map_err(wrong("FIONBIO"))?;
    let path = ptsname(&ours, Vec::new()).map_err(wrong("ptsname"))?.to_string_lossy().into_owned();
    Ok((File::from(ours), path.replace("/dev/pts", OUTSIDE)))
}

/// Carries what one end has written to the other, or drops it. What does not fit is lost, as on a line without flow
/// control.
fn carry(mut from: &File, to: Option<&File>) {
    let mut piece = [0; 4096];
    // There is nothing to read, or the device is not open in the node.
    let Ok(length) = from.read(&mut piece) else { return };
    if let Some(mut to) = to {
        let _ = to.write(&piece[..length]);
    }
}
