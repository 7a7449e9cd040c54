//! Between the core, which decides that a node is reset, and the fencing devices.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use zbus::connection::Builder;

use super::devices;
use super::input::Input;
use crate::config::FenceDevice;
use crate::fencing::{self, FenceError, FenceOperation};
use crate::util::error::error_chain;

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
            let outcome = self.run(&node, FenceOperation::Reset).await.map_err(|error| error_chain(&error));
            // The core has ended: nobody wants to know.
            let _ = inputs.send(Input::Fenced { node, outcome });
        }
    }

    /// Asks the devices again and again whether they are there.
    pub async fn watch_devices(&self, inputs: &UnboundedSender<Input>) {
        let test = async |device: &FenceDevice| {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            match fencing::run(Builder::system, device, FenceOperation::Test, &self.environment, serial).await {
                // A human is always there.
                Ok(()) | Err(FenceError::ByHand(_)) => Ok(()),
                Err(error) => Err(error_chain(&error)),
            }
        };
        devices::watch(devices::PERIOD, &self.devices, test, inputs).await;
    }

    async fn run(&self, node: &str, operation: FenceOperation) -> Result<(), FenceError> {
        let device = self.device(node)?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        fencing::run(Builder::system, device, operation, &self.environment, serial).await
    }

    /// The name of node number `node`.
    pub fn name(&self, node: usize) -> &str {
        self.nodes.get(node).map(String::as_str).unwrap_or_default()
    }

    /// Whether node number `node` has a device to be reset with.
    ///
    /// # Errors
    /// When it has none, in words.
    pub fn check_device(&self, node: usize) -> Result<(), String> {
        self.device(self.name(node)).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Asks the device of a node whether it is there.
    ///
    /// # Errors
    /// When there is no such device, or it does not answer, in words.
    pub async fn test(&self, node: &str) -> Result<(), String> {
        self.run(node, FenceOperation::Test).await.map_err(|error| error_chain(&error))
    }

    fn device(&self, node: &str) -> Result<&FenceDevice, FenceError> {
        let device = self.devices.iter().find(|device| device.node == node);
        device.ok_or_else(|| FenceError::NoDevice(node.to_owned()))
    }
}
