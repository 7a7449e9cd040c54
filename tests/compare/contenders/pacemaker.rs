//! Pacemaker with corosync, Debian's, configured with crmsh.

use hbd_lab::lab::Lab;
use hbd_lab::node::Node;
use hbd_lab::{Error, Result};

use super::{Contender, File, Profile, START, filled, wait_printed};

const COROSYNC: &str = include_str!("../pacemaker/corosync.conf");
const AUTHKEY: &str = include_str!("../pacemaker/authkey");
const STARTING: &str = include_str!("../pacemaker/starting.crm");
const EVERYWHERE: &str = include_str!("../pacemaker/everywhere.crm");
/// Where the cluster's configuration is read from once.
const RESOURCES: &str = "/etc/corosync/compare.crm";

/// What crm_mon prints when both nodes are members.
const BOTH: &str = "Online: [ nodea nodeb ]";

/// Pacemaker.
#[derive(Debug)]
pub struct Pacemaker;

/// Token and consensus, milliseconds, of which the second is 1.2 times the first, and both are the dead time.
fn times(profile: Profile) -> (u32, u32) {
    let all = (profile.dead_time() * 1000.0) as u32;
    let token = all * 10 / 22;
    (token, all - token)
}

/// What moves: the group, or the address alone where the web server is a clone.
fn moved(node: &Node) -> Result<&'static str> {
    let resources = node.run(&["crm_resource", "--list-raw"])?;
    Ok(if resources.contains("everywhere") || !resources.contains("site") { "address" } else { "site" })
}

impl Contender for Pacemaker {
    fn name(&self) -> &'static str {
        "Pacemaker"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["pacemaker", "corosync"]
    }

    fn units(&self) -> &'static [&'static str] {
        &["corosync.service", "pacemaker.service"]
    }

    fn files(&self, _index: usize, profile: Profile) -> Vec<File> {
        let (token, consensus) = times(profile);
        let values = [("TOKEN", &*token.to_string()), ("CONSENSUS", &*consensus.to_string())];
        let resources = if profile == Profile::Everywhere { EVERYWHERE } else { STARTING };
        vec![
            File::new("/etc/corosync/corosync.conf", filled(COROSYNC, &values)),
            File::new("/etc/corosync/authkey", AUTHKEY).mode(0o400),
            File::new(RESOURCES, resources),
        ]
    }

    fn detection(&self, profile: Profile) -> (f64, String) {
        let (token, consensus) = times(profile);
        (profile.dead_time(), format!("token {token}, consensus {consensus}"))
    }

    fn runs_the_service(&self, _profile: Profile) -> bool {
        true
    }

    fn introduce(&self, lab: &Lab, _profile: Profile) -> Result<()> {
        let node = &lab.nodes[0];
        wait_printed(node, &["crm_mon", "-1"], BOTH)?;
        node.run_within(&["crm", "--force", "configure", "load", "replace", RESOURCES], START).map(drop)
    }

    fn wait_ready(&self, lab: &mut Lab, _since: f64) -> Result<()> {
        for node in &lab.nodes {
            wait_printed(node, &["crm_mon", "-1"], BOTH)?;
        }
        lab.nodes[0].run_within(&["crm_resource", "--wait"], START).map(drop)
    }

    fn is_ready(&self, lab: &Lab) -> Result<bool> {
        let online = |node: &Node| Ok::<_, Error>(node.attempt(&["crm_mon", "-1"])?.stdout.contains(BOTH));
        Ok(online(&lab.nodes[0])? && online(&lab.nodes[1])?)
    }

    fn leave(&self, lab: &Lab, index: usize) -> Result<()> {
        // What `crm resource move` and `pcs resource move` call.
        let node = &lab.nodes[index];
        let other = lab.nodes[1 - index].name();
        node.run(&["crm_resource", "--move", "--resource", moved(node)?, "--node", other]).map(drop)
    }

    fn come_back(&self, lab: &Lab) -> Result<()> {
        let node = &lab.nodes[0];
        node.run(&["crm_resource", "--clear", "--resource", moved(node)?]).map(drop)
    }

    fn forgive(&self, node: &Node) -> Result<()> {
        node.run(&["crm_resource", "--cleanup"]).map(drop)
    }

    fn note(&self) -> &'static str {
        "without a fencing device, which it is made for and the laboratory has not; its dead time is corosync's token \
         and consensus together; moves by crm_resource --move, which crm and pcs call"
    }
}
