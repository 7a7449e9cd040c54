//! Heartbeat 3.0.6, Debian's, with haresources.

use std::time::Duration;

use hbd_lab::lab::{Lab, NODES};
use hbd_lab::node::Node;
use hbd_lab::{Error, Result};

use super::{Contender, File, Profile, START, filled};

const SETTINGS: &str = include_str!("../heartbeat/ha.cf");
const KEY: &str = include_str!("../heartbeat/authkeys");

/// Heartbeat.
#[derive(Debug)]
pub struct Heartbeat;

/// It takes a request only a second or two after it has said that it is stable.
const CALM: Duration = Duration::from_secs(3);

impl Contender for Heartbeat {
    fn name(&self) -> &'static str {
        "Heartbeat"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["heartbeat"]
    }

    fn units(&self) -> &'static [&'static str] {
        &["heartbeat.service"]
    }

    fn files(&self, _index: usize, profile: Profile) -> Vec<File> {
        let (keepalive, warntime, deadtime, service) = match profile {
            Profile::Usual | Profile::Starting => ("1", "2500ms", "5", " httpd"),
            Profile::Everywhere => ("250ms", "500ms", "1", ""),
        };
        let times = [("KEEPALIVE", keepalive), ("WARNTIME", warntime), ("DEADTIME", deadtime)];
        vec![
            File::new("/etc/ha.d/ha.cf", filled(SETTINGS, &times)),
            File::new("/etc/ha.d/haresources", format!("nodea 192.168.17.200/24/eth0{service}\n")),
            File::new("/etc/ha.d/authkeys", KEY).mode(0o600),
        ]
    }

    fn detection(&self, profile: Profile) -> (f64, String) {
        match profile {
            Profile::Usual | Profile::Starting => (5.0, "keepalive 1, deadtime 5".to_owned()),
            Profile::Everywhere => (1.0, "keepalive 250ms, deadtime 1".to_owned()),
        }
    }

    fn wait_ready(&self, lab: &mut Lab, since: f64) -> Result<()> {
        for index in 0..lab.nodes.len() {
            lab.wait_stable(index, since, START)?;
        }
        std::thread::sleep(CALM);
        Ok(())
    }

    fn is_ready(&self, lab: &Lab) -> Result<bool> {
        // After a partition both restart, one after the other, while their units stay active.
        for node in &lab.nodes {
            for other in NODES {
                let said = node.attempt(&["cl_status", "nodestatus", other.name])?.stdout;
                if said.trim() != "active" {
                    return Ok(false);
                }
            }
        }
        let in_transition = |node: &Node| {
            let said = node.attempt(&["cl_status", "rscstatus"])?.stdout;
            Ok::<_, Error>(said.trim() == "transition")
        };
        Ok(!in_transition(&lab.nodes[0])? && !in_transition(&lab.nodes[1])?)
    }

    fn leave(&self, lab: &Lab, index: usize) -> Result<()> {
        lab.nodes[index].run(&["/usr/share/heartbeat/hb_standby", "all"]).map(drop)
    }

    fn come_back(&self, lab: &Lab) -> Result<()> {
        lab.nodes[0].run(&["/usr/share/heartbeat/hb_takeover", "all"]).map(drop)
    }

    fn note(&self) -> &'static str {
        "does not watch services or addresses; moves by hb_standby and hb_takeover"
    }
}
