//! What happens when everything between the two nodes is cut, the links and the LAN, and both live.
//!
//! Owns the judgement, which follows docs/PROTECTION.md. Asks no device and no witness.

use super::finding::{Finding, Grade, finding};
use crate::config::{Config, FenceProtocol};

/// Whether two nodes that know nothing of each other would both serve; `None` where nothing moves.
pub(super) fn judge(config: &Config) -> Option<Finding> {
    let resources = config.groups.iter().flat_map(|group| &group.resources);
    if !resources.into_iter().any(|resource| resource.kind.is_address()) {
        return None;
    }
    let about = "a total cut";
    Some(if let Some(witness) = &config.witness {
        if witness.required {
            let text = "of two nodes that hear nothing of each other the one with the witness's key serves; nobody \
                        does if neither reaches the witness";
            finding(Grade::Ok, about, text)
        } else {
            let text = "of two nodes that hear nothing of each other the one with the witness's key serves; both do \
                        if neither reaches the witness (required = false)";
            finding(Grade::Note, about, text)
        }
    } else if let Some(text) = fenced(config) {
        finding(Grade::Ok, about, text)
    } else {
        let ping = if config.connectivity.takeover_needs_ping { "that still reaches a ping node " } else { "" };
        let text = format!(
            "if the links and the LAN between the nodes are cut, each node {ping}serves, so there are two owners until the \
             cut is mended; a witness ([witness] in hbd.toml(5)) or a fencing device prevents that"
        );
        finding(Grade::Note, about, text)
    })
}

/// What a device does about it; `None` unless each other node has one.
fn fenced(config: &Config) -> Option<String> {
    let mut others = config.nodes.iter().filter(|node| **node != config.node);
    let device = |node: &String| config.fencing.iter().find(|device| device.node == *node);
    let devices: Vec<_> = others.by_ref().map(device).collect::<Option<_>>()?;
    let by_hand = |protocol: &FenceProtocol| *protocol == FenceProtocol::Human;
    Some(if devices.iter().any(|device| device.agents.iter().all(|agent| by_hand(&agent.protocol))) {
        "nothing is taken over before somebody has entered hbctl confirm-fenced".to_owned()
    } else {
        "the node that resets the other one first serves; nothing is taken over if the device is cut off as well"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HA_CF, HARESOURCES, config_with};
    use super::*;

    fn said(hbd_toml: &str) -> Option<(Grade, String)> {
        judge(&config_with(HA_CF, HARESOURCES, hbd_toml)).map(|finding| (finding.grade, finding.text))
    }

    #[test]
    fn two_owners_are_predicted_where_nothing_prevents_them() {
        let (grade, text) = said("").unwrap();
        assert!(grade == Grade::Note && text.contains("two owners") && text.contains("[witness]"), "{text}");
        let witness = "[witness]\nendpoints = [\"http://10.0.0.9:2379\"]\n";
        let (grade, text) = said(witness).unwrap();
        assert!(grade == Grade::Ok && text.contains("nobody does if neither reaches"), "{text}");
        let (grade, text) = said(&format!("{witness}required = false\n")).unwrap();
        assert!(grade == Grade::Note && text.contains("both do if neither reaches"), "{text}");
        let (grade, text) = said("[fence.\"nodeb\"]\nagent = \"fence_ipmilan\"\nip = \"10.0.0.7\"\n").unwrap();
        assert!(grade == Grade::Ok && text.contains("resets the other one first"), "{text}");
        assert_eq!(judge(&config_with(HA_CF, "nodea httpd\n", "")), None, "no address moves");
    }
}
