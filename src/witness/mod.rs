//! The witness: a third vote outside of the two nodes, asked through a process of its own (05 §9).
//!
//! Owns the conversation with that process: its line protocol, and the thread that hands orders over and answers
//! back. Never decides anything: when the witness is asked, and what its answer means, is the core's; how a kind of
//! witness is asked is the process's (`hbd-witness` for etcd).
//!
//! | module | question it answers |
//! |---|---|
//! | [`protocol`] | what do hbd and the process say to each other? |
//! | [`lines`] | where does a line end, and is it too long? |
//! | `credentials` | what is in the files that hbd.toml names? |
//! | `connection` | how is the process reached, and what does it say? |
//! | `orders` | what is the thread started with, what is it told, and what does it tell? |
//! | `client` | which orders have no answer yet, and what is told when there is none? |

mod client;
mod connection;
mod credentials;
pub mod lines;
mod orders;
pub mod protocol;
#[cfg(test)]
mod tests;

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use log::error;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub use orders::{WitnessCommand, WitnessReport, WitnessThread};

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct WitnessHandle {
    commands: UnboundedSender<WitnessCommand>,
    ended: Receiver<()>,
}

impl WitnessHandle {
    /// Starts the thread, which connects by itself and again. `report` is called on the thread, once for each order,
    /// and must not block.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn spawn(
        thread: WitnessThread,
        report: impl Fn(WitnessReport) + 'static + Send,
    ) -> std::io::Result<WitnessHandle> {
        let (commands, orders) = unbounded_channel();
        let (ends, ended) = channel();
        thread::Builder::new().name("witness".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(client::run(thread, orders, report)),
                Err(error) => error!("the thread of the witness has no runtime, so nobody asks it: {error}"),
            }
            drop(ends);
        })?;
        Ok(WitnessHandle { commands, ended })
    }

    /// Hands an order over. False if the thread has ended, and there will be no answer.
    pub fn send(&self, command: WitnessCommand) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Waits, but not longer than this, until the process has got what was ordered.
    pub fn finish(self, limit: Duration) {
        drop(self.commands);
        // Nothing is ever sent: the end of the thread ends the wait, and so does the limit.
        let _ = self.ended.recv_timeout(limit);
    }
}
