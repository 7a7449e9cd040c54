//! keepalived, Debian's, with VRRP version 3.

use std::time::Duration;

use hbd_lab::Result;
use hbd_lab::lab::Lab;
use hbd_lab::node::Node;

use super::{Contender, File, Profile, filled};

const SETTINGS: &str = include_str!("../keepalived/keepalived.conf");
const NOTIFY: &str = include_str!("../keepalived/notify.conf");
/// The file whose number is added to the priority.
const OPERATOR: &str = "/etc/keepalived/operator";
/// A priority below that of the other node.
const LESS: &str = "-150\n";
/// Times the advertisement's interval: three, and (256 - 100) / 256 of one.
const INTERVALS: f64 = 3.0 + 156.0 / 256.0;

/// keepalived.
#[derive(Debug)]
pub struct Keepalived;

fn interval(profile: Profile) -> f64 {
    // VRRP counts in hundredths of a second.
    (profile.dead_time() / INTERVALS * 100.0).round() / 100.0
}

impl Contender for Keepalived {
    fn name(&self) -> &'static str {
        "keepalived"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["keepalived"]
    }

    fn units(&self) -> &'static [&'static str] {
        &["keepalived.service"]
    }

    fn files(&self, index: usize, profile: Profile) -> Vec<File> {
        let (state, priority) = if index == 0 { ("MASTER", "200") } else { ("BACKUP", "100") };
        let advert = format!("{:.2}", interval(profile));
        let starts = profile == Profile::Starting;
        let values = [
            ("STATE", state),
            ("PRIORITY", priority),
            ("ADVERT", &advert),
            ("NOTIFY", if starts { NOTIFY } else { "" }),
        ];
        let mut text = filled(SETTINGS, &values);
        if starts {
            // The backup's web server does not run, so the check that it does would make every backup a failure.
            text = text.replace("  track_script {\n    nginx\n  }\n", "");
        }
        vec![File::new("/etc/keepalived/keepalived.conf", text), File::new(OPERATOR, "0\n")]
    }

    fn detection(&self, profile: Profile) -> (f64, String) {
        let interval = interval(profile);
        (interval * INTERVALS, format!("advert_int {interval:.2}"))
    }

    fn runs_the_service(&self, profile: Profile) -> bool {
        profile == Profile::Starting
    }

    fn wait_ready(&self, _lab: &mut Lab, _since: f64) -> Result<()> {
        // A backup that has heard one advertisement knows its master. It does not say so anywhere.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    }

    fn leave(&self, lab: &Lab, index: usize) -> Result<()> {
        operate(&lab.nodes[index], LESS)
    }

    fn come_back(&self, lab: &Lab) -> Result<()> {
        lab.nodes.iter().try_for_each(|node| operate(node, "0\n"))
    }

    fn note(&self) -> &'static str {
        "the web server runs on both nodes, as its samples have it, so no start is in its figures except where the row \
         says so; it has no heartbeat cable, VRRP runs on the LAN; after a stall it \
         does not announce its address again, so that clients keep the other node's MAC address (garp_master_refresh, off by \
         default, would do it); moves by track_file"
    }
}

/// From inside: an overlay tells no watcher of a change from outside.
fn operate(node: &Node, priority: &str) -> Result<()> {
    node.run(&["sh", "-c", &format!("echo {} >{OPERATOR}", priority.trim())]).map(drop)
}
