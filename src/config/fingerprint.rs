//! Digests of what must be the same on all nodes; the nodes send them to each other and compare. No key is part of
//! them.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::groups::Group;
use super::types::{AutoFailback, Config};

/// A digest of 16 hexadecimal digits for each file that must be the same on all nodes; empty if unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Nodes, ping nodes, keepalive, deadtime, deadping, auto_failback, ipfail, the names of groups, the groups whose
    /// connections are told, the units that run on both nodes, and how a witness is used, in any order of the lines.
    pub ha_cf: String,
    /// The groups with their nodes and words, in any order of the lines.
    pub haresources: String,
}

impl Fingerprint {
    /// The fingerprint of a configuration.
    pub fn of(config: &Config) -> Fingerprint {
        let group = |group: &Group| {
            let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
            format!("{} {}", group.node, words.join(" "))
        };
        Fingerprint {
            ha_cf: digest(Fingerprint::settings(config)),
            haresources: digest(config.groups.iter().map(group).collect()),
        }
    }

    /// The lines of [`Fingerprint::ha_cf`], in no order.
    pub(super) fn settings(config: &Config) -> Vec<String> {
        let timing = &config.timing;
        let mut ha_cf: Vec<String> = config.nodes.iter().map(|node| format!("node {node}")).collect();
        ha_cf.extend(config.ping_nodes.iter().map(|node| format!("ping {}", node.name)));
        let intervals =
            [("keepalive", timing.keepalive), ("deadtime", timing.deadtime), ("deadping", timing.deadping)];
        ha_cf.extend(intervals.map(|(name, interval)| format!("{name} {}", interval.as_millis())));
        let auto_failback = match config.auto_failback {
            AutoFailback::On => "on",
            AutoFailback::Off => "off",
            AutoFailback::Legacy => "legacy",
        };
        ha_cf.push(format!("auto_failback {auto_failback}"));
        ha_cf.push(format!("ipfail {}", config.connectivity.ipfail));
        let names = config.groups.iter().zip(&config.group_names);
        ha_cf.extend(names.filter_map(|(group, name)| Some(format!("name {} {}", group.key, name.as_ref()?))));
        let tickled = config.groups.iter().zip(&config.address_options).filter(|(_, options)| options.tickle);
        ha_cf.extend(tickled.map(|(group, _)| format!("tickle {}", group.key)));
        ha_cf.extend(config.units.everywhere().map(|unit| format!("everywhere {unit}")));
        // Not its endpoints: two nodes may reach the same witness in different ways.
        ha_cf.extend(config.witness.as_ref().map(|witness| {
            let how = if witness.required { "required" } else { "preferred" };
            format!("witness {},{how},{}s", witness.prefix, witness.ttl.as_secs())
        }));
        ha_cf
    }

    /// Reads what [`Fingerprint::words`] wrote on another node; `None` if `text` is not that.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let (ha_cf, haresources) = text.split_once(' ')?;
        let digest = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (digest(ha_cf) && digest(haresources))
            .then(|| Fingerprint { ha_cf: ha_cf.to_owned(), haresources: haresources.to_owned() })
    }

    /// The text that is sent to another node; `None` if the fingerprint is unknown.
    pub fn words(&self) -> Option<String> {
        (!self.ha_cf.is_empty()).then(|| format!("{} {}", self.ha_cf, self.haresources))
    }

    /// The files in which the two nodes differ. An unknown digest differs from none.
    pub fn differing(&self, other: &Fingerprint) -> Vec<&'static str> {
        let pairs = [("ha.cf", &self.ha_cf, &other.ha_cf), ("haresources", &self.haresources, &other.haresources)];
        let differs = |(name, ours, theirs): (&'static str, &String, &String)| {
            (ours != theirs && !ours.is_empty() && !theirs.is_empty()).then_some(name)
        };
        pairs.into_iter().filter_map(differs).collect()
    }
}

/// 16 hexadecimal digits of these lines, in whatever order they come.
pub(super) fn digest(mut lines: Vec<String>) -> String {
    lines.sort_unstable();
    let hash = Sha1::digest(lines.join("\n").as_bytes());
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Files, Host, load};

    fn example(node: &str, change: impl Fn(&str) -> String) -> Fingerprint {
        Fingerprint::of(&configuration(node, change))
    }

    /// The example of a cluster, changed.
    pub fn configuration(node: &str, change: impl Fn(&str) -> String) -> Config {
        let directory = tempfile::tempdir().unwrap();
        let ha_d = directory.path().join("etc/ha.d");
        std::fs::create_dir_all(&ha_d).unwrap();
        std::fs::create_dir_all(directory.path().join("etc/hbd")).unwrap();
        let files = [
            (
                "ha.cf",
                "udpport 694\nbcast eth1\nkeepalive 1\ndeadtime 10\nauto_failback on\nnode nodea\nnode nodeb\n",
            ),
            ("haresources", "nodea 10.0.0.1 web\nnodeb 10.0.0.2\n"),
            ("../hbd/hbd.toml", "[groups.\"10.0.0.1\"]\nname = \"site\"\n"),
            ("authkeys", "auth 1\n1 crc\n"),
        ];
        for (name, text) in files {
            std::fs::write(ha_d.join(name), change(text)).unwrap();
        }
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(ha_d.join("authkeys"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let loaded = load(&Files::below(directory.path()), &Host::named(node));
        loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    #[test]
    fn both_nodes_of_a_cluster_have_the_same() {
        let ours = example("nodea", str::to_owned);
        let theirs = example("nodeb", |text| text.replace("bcast eth1", "bcast eth2"));
        assert_eq!(ours.differing(&theirs), Vec::<&str>::new());
        assert_eq!(Fingerprint::parse(&ours.words().unwrap()), Some(ours));
    }

    #[test]
    fn what_differs_is_named_by_its_file() {
        let ours = example("nodea", str::to_owned);
        for (from, to, file) in [
            ("deadtime 10", "deadtime 20", "ha.cf"),
            ("auto_failback on", "auto_failback off", "ha.cf"),
            ("name = \"site\"", "name = \"www\"", "ha.cf"),
            ("name = \"site\"", "name = \"site\"\ntickle = true", "ha.cf"),
            ("nodea 10.0.0.1 web", "nodea 10.0.0.1 web db", "haresources"),
            ("nodeb 10.0.0.2", "nodea 10.0.0.2", "haresources"),
        ] {
            assert_eq!(ours.differing(&example("nodea", |text| text.replace(from, to))), [file], "{to}");
        }
        let other_key = example("nodea", |text| text.replace("1 crc", "1 sha1 secret"));
        assert_eq!(
            ours.differing(&other_key),
            Vec::<&str>::new(),
            "keys are compared by the digests of messages only"
        );
        assert_eq!(ours.differing(&Fingerprint::default()), Vec::<&str>::new(), "an older hbd says nothing");
    }

    #[test]
    fn garbage_is_no_fingerprint() {
        for text in ["", "x", "0123456789abcdef", "0123456789abcdef 0123456789abcdeg", "0 1"] {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
    }
}
