//! What the machine contributes to the configuration: its name, its environment, its users, /etc/hosts,
//! /etc/services.
//!
//! Owns reading these. Everything else in `config` is a function of the files and a [`Host`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::haresources::ipv4::looks_like_address;

/// The machine as the configuration sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -n`.
    pub node_name: String,
    /// Environment variables that begin with `HBD_`, as name (without the prefix, any case) and value.
    pub environment: Vec<(String, String)>,
    /// IPv4 names of /etc/hosts, lower case. hbd asks no DNS for the peer's address, because it must start without
    /// DNS.
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// All addresses that /etc/hosts gives to a name, lower case: those of later lines, too, and of IPv6.
    #[serde(default)]
    pub all_addresses: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Port of the service `ha-cluster/udp`, if /etc/services has it: the default of `udpport` (04 §1.6).
    pub service_port: Option<u16>,
    /// The network interfaces; `None` where they are unknown, as for the files of another machine.
    pub interfaces: Option<BTreeSet<String>>,
    /// Users of /etc/passwd.
    pub users: BTreeSet<String>,
    /// Whether this is another machine, of which only copies of some files are here.
    pub elsewhere: bool,
    /// Whether getent(1) is asked for users that /etc/passwd lacks (nsswitch.conf(5)); tests do not.
    pub name_service: bool,
}

impl Host {
    /// A machine with this name and nothing else.
    pub fn named(node_name: &str) -> Host {
        Host { node_name: node_name.to_owned(), ..Host::default() }
    }

    /// This machine.
    ///
    /// # Errors
    /// When the kernel does not tell its name. A missing /etc/hosts or /etc/services is an empty one.
    pub fn of_this_machine() -> io::Result<Host> {
        let read = |path: &str| std::fs::read(path).map(|bytes| super::text::text_of(&bytes)).unwrap_or_default();
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix("HBD_")?.to_owned();
            Some((name, value.to_string_lossy().into_owned()))
        });
        Ok(Host {
            node_name: std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim_end().to_owned(),
            environment: variables.collect(),
            hosts: hosts(&read("/etc/hosts")),
            all_addresses: all_addresses(&read("/etc/hosts")),
            service_port: service_port(&read("/etc/services")),
            elsewhere: false,
            interfaces: interfaces(Path::new("/sys/class/net")),
            users: users(&read("/etc/passwd")),
            name_service: true,
        })
    }

    /// The machine whose files are below `root`, as far as they tell: its name is `node_name`, or that of its
    /// /etc/hostname, or empty.
    pub fn of_another_machine(root: &Path, node_name: Option<&str>) -> Host {
        let read =
            |path: &str| std::fs::read(root.join(path)).map(|bytes| super::text::text_of(&bytes)).unwrap_or_default();
        Host {
            node_name: node_name.map_or_else(|| read("etc/hostname").trim().to_owned(), str::to_owned),
            hosts: hosts(&read("etc/hosts")),
            all_addresses: all_addresses(&read("etc/hosts")),
            service_port: service_port(&read("etc/services")),
            users: users(&read("etc/passwd")),
            elsewhere: true,
            ..Host::default()
        }
    }

    /// What to write instead of a name that is not in /etc/hosts. One that begins like an address was meant as one.
    pub(super) fn help_for_name(&self, name: &str, usual: &str) -> String {
        if looks_like_address(name) {
            let shorter = name.trim_end_matches(|c: char| !c.is_ascii_digit());
            let address = shorter.parse::<Ipv4Addr>().ok();
            return address.map_or_else(|| usual.to_owned(), |address| format!("write {address}"));
        }
        if self.elsewhere && self.hosts.is_empty() {
            return "copy that machine's /etc/hosts to the same place below the directory".to_owned();
        }
        usual.to_owned()
    }

    /// Whether a program can run as this user.
    pub(super) fn knows_user(&self, name: &str) -> bool {
        let asked = || {
            let mut getent = Command::new("getent");
            getent.args(["passwd", "--", name]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            getent.status().is_ok_and(|status| status.success())
        };
        let unknown = self.elsewhere && self.users.is_empty();
        unknown || self.users.contains(name) || self.name_service && asked()
    }
}

/// The names in that directory of links; `None` if it cannot be read.
fn interfaces(directory: &Path) -> Option<BTreeSet<String>> {
    let entries = std::fs::read_dir(directory).ok()?.filter_map(Result::ok);
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let names: BTreeSet<String> = links.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    Some(names).filter(|names| !names.is_empty())
}

/// The lines of hosts(5): names, lower case, each with its address.
fn lines_of_hosts(text: &str) -> impl Iterator<Item = (String, IpAddr)> {
    text.lines().flat_map(|line| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        address
            .into_iter()
            .flat_map(move |address| words.clone().map(move |name| (name.to_ascii_lowercase(), address)))
    })
}

/// IPv4 entries of hosts(5); the first line with a name counts.
fn hosts(text: &str) -> BTreeMap<String, Ipv4Addr> {
    let mut found = BTreeMap::new();
    for (name, address) in lines_of_hosts(text) {
        if let IpAddr::V4(address) = address {
            found.entry(name).or_insert(address);
        }
    }
    found
}

/// All entries of hosts(5).
fn all_addresses(text: &str) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut found: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for (name, address) in lines_of_hosts(text) {
        found.entry(name).or_default().insert(address);
    }
    found
}

/// The names of passwd(5).
fn users(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}

/// `ha-cluster/udp` of services(5).
fn service_port(text: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let (name, port) = (words.next()?, words.next()?);
        let named = name == "ha-cluster" || words.any(|alias| alias == "ha-cluster");
        let port = port.strip_suffix("/udp")?.parse().ok()?;
        named.then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_gives_ipv4_names_first_line_wins() {
        let found = hosts("127.0.0.1 localhost # x\n::1 nodeb\n10.0.0.2 NodeB nodeb.example.com\n10.0.0.3 nodeb\n");
        assert_eq!(found["nodeb"], Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(found["nodeb.example.com"], Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn every_address_of_a_name_is_known() {
        let found = all_addresses("127.0.1.1 nodeb\n10.0.0.2 NodeB # x\n2001:db8::9 nodeb.lan nodeb\nx nodeb\n");
        let wanted = ["127.0.1.1", "10.0.0.2", "2001:db8::9"].map(|text| text.parse().unwrap());
        assert_eq!(found["nodeb"], BTreeSet::from(wanted));
    }

    #[test]
    fn a_word_that_begins_like_an_address_is_no_name() {
        let copy = Host { elsewhere: true, ..Host::default() };
        assert_eq!(copy.help_for_name("10.0.0.254;", "usual"), "write 10.0.0.254");
        assert_eq!(copy.help_for_name("10.0.0.999", "usual"), "usual");
        assert!(copy.help_for_name("gateway", "usual").contains("/etc/hosts"));
    }

    #[test]
    fn service_port_reads_the_udp_line() {
        assert_eq!(service_port("ha-cluster 694/tcp\nha-cluster\t694/udp # Heartbeat\n"), Some(694));
        assert_eq!(service_port("other 694/udp ha-cluster\n"), Some(694));
        assert_eq!(service_port("ha-cluster 694/tcp\n"), None);
    }

    #[test]
    fn this_machine_has_a_name() {
        let host = Host::of_this_machine().unwrap();
        assert!(!host.node_name.is_empty() && !host.node_name.contains('\n'));
        assert!(host.knows_user("root") && !host.knows_user("nobody-of-this-name"));
    }
}
