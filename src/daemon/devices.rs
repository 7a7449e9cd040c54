//! Fencing devices are asked at the start and once an hour whether they are there (04 §8.3 no. 5): one that has
//! failed must not be found out by the failure of a node.
//!
//! Owns when they are asked and what is said about it. Resets nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use log::{error, info};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{MissedTickBehavior, interval};

use super::input::Input;
use crate::config::FenceDevice;

/// As Heartbeat.
pub const PERIOD: Duration = Duration::from_secs(3600);

/// Asks every agent of every device, now and again, by `test`, for ever; tells which do not answer, and when that
/// changes.
pub async fn watch(
    period: Duration,
    devices: &[FenceDevice],
    test: impl AsyncFn(&FenceDevice) -> Result<(), String>,
    inputs: &UnboundedSender<Input>,
) {
    let mut broken: BTreeMap<(String, usize), String> = BTreeMap::new();
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if devices.is_empty() {
        return;
    }
    loop {
        tick.tick().await;
        for device in devices {
            for (index, agent) in device.agents.iter().enumerate() {
                let (node, name) = (&device.node, &agent.name);
                let one = FenceDevice { node: node.clone(), agents: vec![agent.clone()] };
                let key = (node.clone(), index);
                match test(&one).await {
                    Ok(()) if broken.remove(&key).is_some() => {
                        info!(HBD_NODE = node; "STONITH device {name} of node {node} answers again.");
                    }
                    Ok(()) => {}
                    Err(why) => {
                        error!(
                            HBD_NODE = node;
                            "STONITH device {name} not operational! STONITH status operation failed: {why}. If node {node} \
                             fails now, it is not reset, and nobody takes what it serves"
                        );
                        broken.insert(key, format!("Fencing device {name} of node {node} does not answer: {why}."));
                    }
                }
            }
        }
        // The core has ended: nobody wants to know.
        let _ = inputs.send(Input::Devices { broken: broken.values().cloned().collect() });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::config::{FenceAgent, FenceProtocol};

    #[tokio::test]
    async fn each_device_is_asked_again_and_again_and_what_fails_is_told_until_it_answers() {
        let agent = |name: &str| FenceAgent {
            name: name.into(),
            protocol: FenceProtocol::Human,
            timeout: Duration::from_secs(1),
        };
        let devices = [FenceDevice { node: "nodeb".into(), agents: vec![agent("first"), agent("second")] }];
        let (sender, mut inputs) = unbounded_channel();
        let asked = Cell::new(0);
        let test = async |device: &FenceDevice| {
            asked.set(asked.get() + 1);
            let fails = device.agents[0].name == "second" && asked.get() < 4;
            if fails { Err("it ended with exit-code".to_owned()) } else { Ok(()) }
        };
        let told = async {
            let mut told = Vec::new();
            for _ in 0..2 {
                let Some(Input::Devices { broken }) = inputs.recv().await else { panic!() };
                told.push(broken);
            }
            told
        };
        let told = tokio::select! {
            () = watch(Duration::from_millis(1), &devices, test, &sender) => panic!("it has ended"),
            told = told => told,
        };
        assert_eq!(
            told,
            [
                vec!["Fencing device second of node nodeb does not answer: it ended with exit-code.".to_owned()],
                vec![]
            ]
        );
        assert!(asked.get() >= 4, "two agents, twice");
    }
}
