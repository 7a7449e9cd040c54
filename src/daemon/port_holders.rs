//! Which program has a port that hbd needs, asked once for each time that a port is found taken.
//!
//! Owns the threads that ask, because /proc may take long, and what they have found.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use crate::media::port_holders;

/// What systemd runs hbd as.
const UNIT: &str = "hbd.service";

/// Who has the port besides hbd, asked at once.
pub fn others_with(port: u16) -> Vec<String> {
    port_holders(port, Some(UNIT))
}

/// See the module.
#[derive(Debug, Default)]
pub struct PortHolders {
    asked: HashMap<u16, Receiver<String>>,
    known: HashMap<u16, String>,
}

impl PortHolders {
    /// Who has the port, in words; empty if nobody can tell. `None` as long as it is being found out: ask again.
    pub fn of(&mut self, port: u16) -> Option<String> {
        if let Some(known) = self.known.get(&port) {
            return Some(known.clone());
        }
        let Some(asked) = self.asked.get(&port) else {
            let (sender, receiver) = channel();
            // The daemon may have ended meanwhile; where no thread can be made, nobody can tell.
            let ask = move || drop(sender.send(port_holders(port, None).join(", ")));
            let _ = thread::Builder::new().name("port-holder".to_owned()).spawn(ask);
            self.asked.insert(port, receiver);
            return None;
        };
        let found = match asked.try_recv() {
            Err(TryRecvError::Empty) => return None,
            found => found.unwrap_or_default(),
        };
        self.asked.remove(&port);
        self.known.insert(port, found.clone());
        Some(found)
    }

    /// The port is ours now.
    pub fn forget(&mut self, port: u16) {
        self.known.remove(&port);
        self.asked.remove(&port);
    }
}
