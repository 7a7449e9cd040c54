//! What two configurations of one node differ in, in words: what a reload of the files would change.
//!
//! Owns the wording, and which differences a running hbd cannot take over. Knows no difference that is none to hbd:
//! the line of a group, the order of comments. Prints no key, and no parameter of a fencing device.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use super::auth_method::AuthMethod;
use super::failback::{DailyWindow, FailbackPolicy};
use super::groups::{Group, Recipe, Resource, ResourceKind, Transient};
use super::types::{Config, Medium};

/// What is different in the newer of two configurations, a sentence without its full stop each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigDifference {
    /// What can be put in force while hbd runs.
    pub changes: Vec<String>,
    /// What cannot: another hbd on the same machine would be another node for its peer.
    pub identity: Vec<String>,
}

impl ConfigDifference {
    /// What `new` says otherwise than `old`.
    pub fn between(old: &Config, new: &Config) -> ConfigDifference {
        name_all_fields(new);
        let mut difference = ConfigDifference::default();
        difference.compare_identity(old, new);
        difference.compare_groups(old, new);
        difference.compare_links(old, new);
        difference.compare_timing(old, new);
        difference.compare_decisions(old, new);
        difference.compare_programs(old, new);
        difference.compare_logs(old, new);
        // It has most directives of ha.cf as well, which have been told.
        if difference.is_none() {
            difference.whole("the environment of programs", &old.environment, &new.environment);
        }
        difference
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.changes.is_empty() && self.identity.is_empty()
    }

    fn say(&mut self, change: String) {
        self.changes.push(change);
    }

    /// `name` with its values, if they differ.
    fn value<T: PartialEq>(&mut self, name: &str, old: T, new: T, text: impl Fn(&T) -> String) {
        if old != new {
            self.say(format!("{name}: {} instead of {}", text(&new), text(&old)));
        }
    }

    /// `name` alone, if the values differ: they are too long to print, or nobody's to read.
    fn whole<T: PartialEq + ?Sized>(&mut self, name: &str, old: &T, new: &T) {
        if old != new {
            self.say(format!("{name}: changed"));
        }
    }

    /// What is there no more, and what is new.
    fn members<T: PartialEq>(&mut self, old: &[T], new: &[T], text: impl Fn(&T) -> String) {
        for gone in old.iter().filter(|one| !new.contains(one)) {
            self.say(format!("{}: removed", text(gone)));
        }
        for come in new.iter().filter(|one| !old.contains(one)) {
            self.say(format!("{}: new", text(come)));
        }
    }

    fn compare_identity(&mut self, old: &Config, new: &Config) {
        if old.node != new.node {
            self.identity.push(format!("this node is {} instead of {}", new.node, old.node));
        }
        let sorted = |config: &Config| {
            let mut nodes = config.nodes.clone();
            nodes.sort_unstable();
            nodes.join(" ")
        };
        if sorted(old) != sorted(new) {
            self.identity.push(format!("the nodes are {} instead of {}", sorted(new), sorted(old)));
        } else if old.nodes != new.nodes {
            self.say("the nodes: in another order".to_owned());
        }
        if old.uuid_from != new.uuid_from {
            self.identity.push("the uuid of this node comes from elsewhere (uuidfrom)".to_owned());
        }
    }

    fn compare_groups(&mut self, old: &Config, new: &Config) {
        for group in old.groups.iter().filter(|group| !new.groups.iter().any(|other| group.shares(other))) {
            self.say(format!("group {}: removed, and released where it runs", group.key));
        }
        for (index, group) in new.groups.iter().enumerate() {
            match old.groups.iter().position(|other| other.shares(group)) {
                None => {
                    let words: Vec<_> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
                    self.say(format!("group {}: new, for {}: {}", group.key, group.node, words.join(" ")));
                }
                Some(before) => {
                    self.compare_group(&old.groups[before], group);
                    let policy = |config: &Config, index| {
                        let options = config.address_options.get(index).cloned();
                        let returns = config.failback.groups.get(index).copied().flatten();
                        let priority = config.arrangement.priority.get(index).copied();
                        (config.policies.get(index).copied(), options, returns, priority)
                    };
                    let name = |config: &Config, index: usize| config.group_names.get(index).cloned().flatten();
                    let shown = |name: &Option<String>| name.as_deref().unwrap_or("none").to_owned();
                    let what = format!("group {}: name", group.key);
                    self.value(&what, name(old, before), name(new, index), shown);
                    let name = format!("group {}: [addresses], [groups]", group.key);
                    self.whole(&name, &policy(old, before), &policy(new, index));
                }
            }
        }
        let keys = |config: &Config| config.groups.iter().map(|group| group.key.clone()).collect::<Vec<_>>();
        let (mut before, mut after) = (keys(old), keys(new));
        if before != after {
            before.sort_unstable();
            after.sort_unstable();
            if before == after {
                self.say("the groups: in another order".to_owned());
            }
        }
        // Checks know their group by its place.
        let checks = |config: &Config| {
            let named = |check: &super::ServiceCheck| {
                let mut rule = check.rule.clone();
                let group = config.groups.get(std::mem::take(&mut rule.group)).map(|group| group.key.clone());
                (group, rule, check.probe.clone(), check.interval, check.timeout)
            };
            config.checks.iter().map(named).collect::<Vec<_>>()
        };
        self.members(&checks(old), &checks(new), |(group, rule, ..)| {
            format!("group {}: check {}", group.as_deref().unwrap_or("-"), rule.name)
        });
    }

    fn compare_group(&mut self, old: &Group, new: &Group) {
        let key = &new.key;
        if old.key != *key {
            self.say(format!("group {key}: was group {}", old.key));
        }
        if old.node != new.node {
            self.say(format!("group {key}: prefers {} instead of {}", new.node, old.node));
        }
        for gone in old.resources.iter().filter(|resource| !new.names(resource)) {
            self.say(format!("group {key}: {} removed, and released where it runs", gone.word));
        }
        for resource in &new.resources {
            match old.resources.iter().find(|before| before.kind.is_same(&resource.kind)) {
                None => self.say(format!("group {key}: {} new", resource.word)),
                Some(before) if before.word != resource.word => {
                    self.say(format!("group {key}: {} instead of {}", resource.word, before.word));
                }
                Some(before) if !before.kind.does_the_same(&resource.kind) => {
                    self.say(format!("group {key}: {} is now {}", resource.word, resource.kind));
                }
                Some(before) if timeout(before) != timeout(resource) => {
                    self.say(format!("group {key}: {} may take another time", resource.word));
                }
                Some(_) => {}
            }
        }
        let kept = |group: &Group, other: &Group| -> Vec<Resource> {
            group.resources.iter().filter(|resource| other.names(resource)).cloned().collect()
        };
        let same = |(one, other): (&Resource, &Resource)| one.kind.is_same(&other.kind);
        if !kept(old, new).iter().zip(&kept(new, old)).all(same) {
            self.say(format!("group {key}: its resources in another order"));
        }
    }

    fn compare_links(&mut self, old: &Config, new: &Config) {
        self.members(&old.media, &new.media, medium);
        self.value("udpport", old.udpport, new.udpport, u16::to_string);
        self.value("baud", old.baud, new.baud, u32::to_string);
        self.members(&old.ping_nodes, &new.ping_nodes, |node| format!("ping node {}", node.name));
        self.value("hopfudge", old.hopfudge, new.hopfudge, u8::to_string);
        self.value("the form of messages", old.message_format, new.message_format, lower);
        self.value("[keys] require", old.required_method, new.required_method, AuthMethod::to_string);
        self.whole("compression", &old.compression, &new.compression);
        self.value("cluster", old.cluster.as_str(), new.cluster.as_str(), |name| format!("\"{name}\""));
    }

    fn compare_timing(&mut self, old: &Config, new: &Config) {
        let (old, new) = (&old.timing, &new.timing);
        let intervals = [
            ("keepalive", old.keepalive, new.keepalive),
            ("deadtime", old.deadtime, new.deadtime),
            ("warntime", old.warntime, new.warntime),
            ("initdead", old.initdead, new.initdead),
            ("deadping", old.deadping, new.deadping),
            ("max_rexmit_delay", old.max_rexmit_delay, new.max_rexmit_delay),
        ];
        for (name, old, new) in intervals {
            self.value(name, old, new, |interval| seconds(*interval));
        }
    }

    fn compare_decisions(&mut self, old: &Config, new: &Config) {
        self.value("auto_failback", old.auto_failback, new.auto_failback, lower);
        self.compare_return(&old.failback, &new.failback);
        self.compare_arrangement(old, new);
        self.value("ipfail", old.connectivity.ipfail, new.connectivity.ipfail, on_off);
        let needs_ping = |config: &Config| config.connectivity.takeover_needs_ping;
        self.value("takeover_needs_ping", needs_ping(old), needs_ping(new), on_off);
        self.value("[addresses] lease", old.lease, new.lease, bool::to_string);
        self.whole("[units]", &(&old.limits, &old.units), &(&new.limits, &new.units));
        self.whole("[health]", &old.health, &new.health);
        self.members_by_node(old, new);
        self.whole("[witness]", &old.witness, &new.witness);
        let watchdog = |config: &Config| (config.watchdog.clone(), config.watchdog_policy);
        self.whole("watchdog", &watchdog(old), &watchdog(new));
        self.value("generation", old.generation_method, new.generation_method, lower);
    }

    /// When groups go back to the node that they prefer. What a group says of itself is told with the group.
    fn compare_return(&mut self, old: &FailbackPolicy, new: &FailbackPolicy) {
        let window = |window: &Option<DailyWindow>| window.map_or("any".to_owned(), |window| window.to_string());
        self.value("failback_after", old.after, new.after, |after| seconds(*after));
        self.value("failback_window", old.window, new.window, window);
        self.value("start_delay", old.start_delay, new.start_delay, |delay| seconds(*delay));
    }

    /// What stays together or apart. The priority of a group is told with the group.
    fn compare_arrangement(&mut self, old: &Config, new: &Config) {
        let named = |config: &Config, lists: &[Vec<usize>]| -> Vec<Vec<String>> {
            let keys = |list: &Vec<usize>| list.iter().map(|group| config.groups[*group].key.clone()).collect();
            lists.iter().map(keys).collect()
        };
        let together = |config: &Config| named(config, &config.arrangement.together);
        let apart = |config: &Config| named(config, &config.arrangement.apart);
        self.whole("together", &together(old), &together(new));
        self.whole("apart", &apart(old), &apart(new));
        self.whole("parallel_starts", &old.arrangement.parallel_starts, &new.arrangement.parallel_starts);
    }

    /// The devices, without their parameters.
    fn members_by_node(&mut self, old: &Config, new: &Config) {
        let of = |config: &Config, node: &str| {
            config.fencing.iter().find(|device| device.node == node).map(|device| device.agents.clone())
        };
        for node in &new.nodes {
            match (of(old, node), of(new, node)) {
                (None, Some(_)) => self.say(format!("fencing of {node}: new")),
                (Some(_), None) => self.say(format!("fencing of {node}: removed")),
                (before, after) => self.whole(&format!("fencing of {node}"), &before, &after),
            }
        }
    }

    fn compare_programs(&mut self, old: &Config, new: &Config) {
        self.members(&old.children, &new.children, |child| format!("program {}", child.command));
        self.whole("[notify]", &old.notify, &new.notify);
    }

    fn compare_logs(&mut self, old: &Config, new: &Config) {
        let path = |path: &Option<PathBuf>| path.as_ref().map_or("none".into(), |path| path.display().to_string());
        self.value("logfile", old.log_file.clone(), new.log_file.clone(), path);
        self.value("debugfile", old.debug_file.clone(), new.debug_file.clone(), path);
        let facility = |facility: &Option<String>| facility.clone().unwrap_or_else(|| "none".into());
        self.value("logfacility", old.log_facility.clone(), new.log_facility.clone(), facility);
        self.value("syslogmsgfmt", old.syslog_format, new.syslog_format, on_off);
        self.value("debug", old.debug, new.debug, u8::to_string);
        self.value("log_badpack", old.log_badpack, new.log_badpack, on_off);
        self.whole("[record]", &old.recording, &new.recording);
        self.value("realtime", old.realtime, new.realtime, on_off);
        self.value("rtprio", old.rtprio, new.rtprio, u8::to_string);
    }
}

/// A field that is added here is compared by [`ConfigDifference::between`].
fn name_all_fields(config: &Config) {
    let Config {
        node: _,
        nodes: _,
        ping_nodes: _,
        timing: _,
        media: _,
        udpport: _,
        baud: _,
        auto_failback: _,
        failback: _,
        arrangement: _,
        hopfudge: _,
        message_format: _,
        compression: _,
        cluster: _,
        log_badpack: _,
        generation_method: _,
        uuid_from: _,
        groups: _,
        group_names: _,
        children: _,
        environment: _,
        log_facility: _,
        log_file: _,
        debug_file: _,
        syslog_format: _,
        debug: _,
        watchdog: _,
        watchdog_policy: _,
        realtime: _,
        rtprio: _,
        fencing: _,
        connectivity: _,
        recording: _,
        required_method: _,
        lease: _,
        policies: _,
        address_options: _,
        limits: _,
        units: _,
        health: _,
        checks: _,
        notify: _,
        witness: _,
    } = config;
}

/// How long a program that hbd runs for this may take, where that is written.
fn timeout(resource: &Resource) -> Option<Duration> {
    match &resource.kind {
        ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) => script.timeout,
        _ => None,
    }
}

fn medium(medium: &Medium) -> String {
    match medium {
        Medium::Ucast { device, peer } => format!("link ucast {device} {peer}"),
        Medium::Bcast { device } => format!("link bcast {device}"),
        Medium::Mcast { device, group, port, .. } => format!("link mcast {device} {group} port {port}"),
        Medium::Serial { device } => format!("link serial {device}"),
    }
}

fn on_off(on: &bool) -> String {
    if *on { "on" } else { "off" }.to_owned()
}

fn lower<T: Debug>(value: &T) -> String {
    format!("{value:?}").to_lowercase()
}

fn seconds(interval: Duration) -> String {
    format!("{} s", interval.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Files, Host, load};

    const HA_CF: &str = "logfacility local0\nbcast eth1\nkeepalive 1\ndeadtime 10\nauto_failback on\nping 10.0.0.254\n\
                         node nodea nodeb\n";
    const HARESOURCES: &str = "nodea 10.0.0.1 web\nnodeb 10.0.0.2\n";
    const HBD_TOML: &str = "[fence.nodeb]\nagent = \"/bin/true\"\npassword = \"old\"\n";

    fn configured(ha_cf: &str, haresources: &str, hbd_toml: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/ha.d/ha.cf", ha_cf),
            ("etc/ha.d/haresources", haresources),
            ("etc/ha.d/authkeys", "auth 1\n1 crc\n"),
            ("etc/hbd/hbd.toml", hbd_toml),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let loaded = load(&Files::below(directory.path()), &Host::named("nodea"));
        loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    /// What is said when the files of the example become these.
    fn said(ha_cf: &str, haresources: &str, hbd_toml: &str) -> ConfigDifference {
        ConfigDifference::between(&configured(HA_CF, HARESOURCES, ""), &configured(ha_cf, haresources, hbd_toml))
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let files = ("# a comment\n\n".to_owned() + HA_CF, "\n# another\n\n".to_owned() + HARESOURCES);
        assert_eq!(said(&files.0, &files.1, "# nothing\n"), ConfigDifference::default());
    }

    #[test]
    fn each_change_of_ha_cf_is_named_once() {
        for (from, to, change) in [
            ("deadtime 10", "deadtime 20", "deadtime: 20 s instead of 10 s"),
            ("keepalive 1", "keepalive 500ms", "keepalive: 0.5 s instead of 1 s"),
            ("auto_failback on", "auto_failback off", "auto_failback: off instead of on"),
            ("bcast eth1", "bcast eth1\nucast eth0 10.0.0.2", "link ucast eth0 10.0.0.2: new"),
            ("ping 10.0.0.254\n", "", "ping node 10.0.0.254: removed"),
            ("logfacility local0", "logfacility local1", "logfacility: local1 instead of local0"),
            ("keepalive 1", "keepalive 1\nlogfile /var/log/x", "logfile: /var/log/x instead of none"),
        ] {
            let ConfigDifference { changes, identity } = said(&HA_CF.replace(from, to), HARESOURCES, "");
            assert!(changes.contains(&change.to_owned()) && identity.is_empty(), "{to}: {changes:?}");
            // Some intervals follow from others.
            assert!(changes.iter().all(|other| !other.contains("environment")), "{to}: {changes:?}");
        }
    }

    #[test]
    fn each_change_of_haresources_is_named_by_its_group() {
        for (haresources, changes) in [
            ("nodea 10.0.0.1 web\n", vec!["group 10.0.0.2: removed, and released where it runs"]),
            ("nodeb 10.0.0.2\nnodea 10.0.0.1 web\n", vec!["the groups: in another order"]),
            ("nodeb 10.0.0.1 web\nnodeb 10.0.0.2\n", vec!["group 10.0.0.1: prefers nodeb instead of nodea"]),
            ("nodea 10.0.0.1 web db\nnodeb 10.0.0.2\n", vec!["group 10.0.0.1: db new"]),
            ("nodea 10.0.0.1\nnodeb 10.0.0.2\n", vec!["group 10.0.0.1: web removed, and released where it runs"]),
            (
                "nodea 10.0.0.1/24 web\nnodeb 10.0.0.2\n",
                vec!["group 10.0.0.1/24: was group 10.0.0.1", "group 10.0.0.1/24: 10.0.0.1/24 instead of 10.0.0.1"],
            ),
            ("nodea 10.0.0.1 web\nnodeb 10.0.0.2\nnodeb x\n", vec!["group x: new, for nodeb: x"]),
        ] {
            assert_eq!(said(HA_CF, haresources, "").changes, changes, "{haresources}");
        }
    }

    #[test]
    fn the_name_of_a_group_is_told_with_the_one_before() {
        let name = |name: &str| format!("[groups.\"10.0.0.2\"]\nname = \"{name}\"\n");
        assert_eq!(said(HA_CF, HARESOURCES, &name("mail")).changes, ["group 10.0.0.2: name: mail instead of none"]);
        let [before, after] = ["mail", "post"].map(|word| configured(HA_CF, HARESOURCES, &name(word)));
        let changes = ConfigDifference::between(&before, &after).changes;
        assert_eq!(changes, ["group 10.0.0.2: name: post instead of mail"]);
    }

    #[test]
    fn what_makes_another_node_is_no_change() {
        let difference =
            said(&HA_CF.replace("nodea nodeb", "nodea nodec"), "nodea 10.0.0.1 web\nnodec 10.0.0.2\n", "");
        assert_eq!(difference.identity, ["the nodes are nodea nodec instead of nodea nodeb"]);
        assert_eq!(
            said(&HA_CF.replace("nodea nodeb", "nodeb nodea"), HARESOURCES, "").changes,
            ["the nodes: in another order"]
        );
    }

    #[test]
    fn no_password_is_printed() {
        let [before, after] =
            ["old", "new"].map(|word| configured(HA_CF, HARESOURCES, &HBD_TOML.replace("old", word)));
        assert_eq!(ConfigDifference::between(&before, &after).changes, ["fencing of nodeb: changed"]);
        assert_eq!(ConfigDifference::between(&after, &before).changes, ["fencing of nodeb: changed"]);
    }
}
