//! Between the core, which decides that a node is reset, operators who want it, and the devices.

use std::sync::atomic::{AtomicU64, Ordering};

use log::info;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use zbus::connection::Builder;

use super::devices;
use super::input::Input;
use super::links::error_chain;
use crate::cluster::{Answer, Request};
use crate::config::FenceDevice;
use crate::fencing::{self, Deed, FenceError};

/// The devices, and who can be reset.
#[derive(Debug)]
pub struct Fencer {
    /// All normal nodes, in ha.cf order.
    nodes: Vec<String>,
    devices: Vec<FenceDevice>,
    /// What their programs find in their environment: `NAME=VALUE`.
    environment: Vec<String>,
    /// Of the units that were made.
    serial: AtomicU64,
}

impl Fencer {
    /// With these devices.
    pub fn new(nodes: Vec<String>, devices: Vec<FenceDevice>, environment: Vec<String>) -> Fencer {
        Fencer { nodes, devices, environment, serial: AtomicU64::new(1) }
    }

    /// Runs the core's orders, each by itself, and tells how they end. Ends with the core.
    pub async fn serve(&self, mut orders: UnboundedReceiver<String>, inputs: &UnboundedSender<Input>) {
        // One at a time: the core gives none before the last has ended.
        while let Some(node) = orders.recv().await {
            let outcome = self.run(&node, Deed::Reset).await.map_err(|error| error_chain(&error));
            // The core has ended: nobody wants to know.
            let _ = inputs.send(Input::Fenced { node, outcome });
        }
    }

    /// Asks the devices again and again whether they are there.
    pub async fn watch_devices(&self, inputs: &UnboundedSender<Input>) {
        let test = async |device: &FenceDevice| {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            match fencing::run(Builder::system, device, Deed::Test, &self.environment, serial).await {
                // A human is always there.
                Ok(()) | Err(FenceError::ByHand(_)) => Ok(()),
                Err(error) => Err(error_chain(&error)),
            }
        };
        devices::watch(devices::PERIOD, &self.devices, test, inputs).await;
    }

    async fn run(&self, node: &str, deed: Deed) -> Result<(), FenceError> {
        let Some(device) = self.devices.iter().find(|device| device.node == node) else {
            return Err(FenceError::NoDevice(node.to_owned()));
        };
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        fencing::run(Builder::system, device, deed, &self.environment, serial).await
    }

    /// `hbctl fence`; the answer in words.
    pub async fn fence(&self, node: &str, dry_run: bool, inputs: &UnboundedSender<Input>) -> Result<String, String> {
        let node = node.to_ascii_lowercase();
        let index = self.index(&node)?;
        if !self.devices.iter().any(|device| device.node == node) {
            return Err(FenceError::NoDevice(node).to_string());
        }
        if dry_run {
            let outcome = self.run(&node, Deed::Test).await;
            return match outcome {
                Ok(()) => Ok(format!("the fencing device of {node} answers; nothing was switched")),
                Err(error) => Err(error_chain(&error)),
            };
        }
        info!("an operator wants {node} reset");
        match ask(Request::Fence(index), inputs).await? {
            Answer::Done => Ok(format!("{node} was reset; its resources are taken over when its dead time is over")),
            Answer::Busy => Err(format!("{node} is being reset already")),
            _ => Err(format!("{node} was not reset: see `journalctl -u hbd -u 'hbd-fence-*'`")),
        }
    }

    /// `hbctl confirm-fenced`; the answer in words.
    pub async fn confirm(&self, node: &str, inputs: &UnboundedSender<Input>) -> Result<String, String> {
        let node = node.to_ascii_lowercase();
        let index = self.index(&node)?;
        match ask(Request::ConfirmFenced(index), inputs).await? {
            Answer::Done => Ok(format!("taking over what {node} had")),
            _ => Err(format!("nothing waits for a reset of {node}, or its fencing device is still at it")),
        }
    }

    fn index(&self, node: &str) -> Result<usize, String> {
        let found = self.nodes.iter().position(|known| known == node);
        found.ok_or_else(|| format!("'{node}' is no node of ha.cf: its nodes are {}", self.nodes.join(", ")))
    }
}

async fn ask(request: Request, inputs: &UnboundedSender<Input>) -> Result<Answer, String> {
    let stopping = || "hbd is stopping".to_owned();
    let (reply, answer) = oneshot::channel();
    inputs.send(Input::Operator { request, reply }).map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}
