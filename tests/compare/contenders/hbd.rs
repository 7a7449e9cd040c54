//! hbd, from the package that `make deb` made.

use hbd_lab::Result;
use hbd_lab::lab::Lab;
use hbd_lab::node::Node;

use super::{Contender, File, Profile, START, filled};

const SETTINGS: &str = include_str!("../hbd/hbd.toml");
const CHECK: &str = include_str!("../hbd/check.toml");
const EVERYWHERE: &str = include_str!("../hbd/everywhere.toml");
const KEY: &str = include_str!("../heartbeat/authkeys");

/// hbd.
#[derive(Debug)]
pub struct Hbd;

impl Contender for Hbd {
    fn name(&self) -> &'static str {
        "hbd"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["hbd"]
    }

    fn units(&self) -> &'static [&'static str] {
        &["hbd.service"]
    }

    fn files(&self, _index: usize, profile: Profile) -> Vec<File> {
        let (keepalive, deadtime, more) = match profile {
            Profile::Usual | Profile::Starting => ("1", "5", ""),
            Profile::Everywhere => ("0.25", "1", EVERYWHERE),
        };
        let settings = filled(SETTINGS, &[("KEEPALIVE", keepalive), ("DEADTIME", deadtime)]);
        // A group's check belongs to the group above it, so it goes to the end of this file, not into one of its own.
        vec![
            File::new("/etc/hbd/hbd.toml", settings + CHECK + more).mode(0o600),
            File::new("/etc/ha.d/authkeys", KEY).mode(0o600),
        ]
    }

    fn detection(&self, profile: Profile) -> (f64, String) {
        match profile {
            Profile::Usual | Profile::Starting => (5.0, "keepalive 1, deadtime 5".to_owned()),
            Profile::Everywhere => (1.0, "keepalive 0.25, deadtime 1".to_owned()),
        }
    }

    fn runs_the_service(&self, _profile: Profile) -> bool {
        true
    }

    fn wait_ready(&self, lab: &mut Lab, since: f64) -> Result<()> {
        (0..lab.nodes.len()).try_for_each(|index| lab.wait_stable(index, since, START))
    }

    fn leave(&self, lab: &Lab, index: usize) -> Result<()> {
        lab.nodes[index].run(&["hbctl", "standby"]).map(drop)
    }

    fn come_back(&self, lab: &Lab) -> Result<()> {
        lab.nodes[0].run(&["hbctl", "takeover"]).map(drop)
    }

    fn forgive(&self, node: &Node) -> Result<()> {
        node.run(&["hbctl", "cleanup"]).map(drop)
    }

    fn note(&self) -> &'static str {
        "its addresses have a lease by which the kernel removes them, but not at a dead time of 1 s (they need 3 s); moves by \
         hbctl standby and hbctl takeover"
    }
}
