//! What this machine is: its name, its interfaces with their networks, and which cluster manager runs on it.
//!
//! Owns these questions. Changes nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

use if_addrs::IfAddr;

use super::error::SetupError;
use crate::config::{Files, Host, node_name};
use crate::vip::covers;

/// Interfaces on which no other machine is: of containers, of virtual machines, of bridges between them.
const INTERNAL: [&str; 7] = ["docker", "veth", "virbr", "br-", "cni", "cali", "podman"];

/// An address of an interface and the network around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnAddress {
    pub address: IpAddr,
    pub prefix: u8,
}

impl OwnAddress {
    /// Whether another address belongs to the same network.
    pub fn is_network_of(self, other: IpAddr) -> bool {
        covers(self.address, self.prefix, other)
    }
}

/// One interface, loopback excepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnInterface {
    pub name: String,
    pub addresses: Vec<OwnAddress>,
}

impl OwnInterface {
    /// Its IPv4 address in the network of `peer`, or else its first one.
    pub fn ipv4_towards(&self, peer: Ipv4Addr) -> Option<OwnAddress> {
        let all = || self.addresses.iter().copied().filter(|own| own.address.is_ipv4());
        all().find(|own| own.is_network_of(peer.into())).or_else(|| all().next())
    }

    /// Whether the other node may be reached through it.
    pub fn may_be_link(&self) -> bool {
        let internal = INTERNAL.iter().any(|prefix| self.name.starts_with(prefix));
        !internal && self.ipv4_towards(Ipv4Addr::UNSPECIFIED).is_some()
    }
}

/// `eth1 (192.168.1.2/24)`.
impl std::fmt::Display for OwnInterface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses: Vec<String> =
            self.addresses.iter().map(|own| format!("{}/{}", own.address, own.prefix)).collect();
        write!(f, "{} ({})", self.name, addresses.join(", "))
    }
}

/// The machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    /// Its name in the cluster, lower case.
    pub node: String,
    /// What `config` needs of it.
    pub host: Host,
    /// Those that have addresses.
    pub interfaces: Vec<OwnInterface>,
}

impl Machine {
    /// This machine, now.
    ///
    /// # Errors
    /// Where the kernel does not answer.
    pub fn of_this_machine() -> Result<Machine, SetupError> {
        let host = Host::of_this_machine().map_err(SetupError::Machine)?;
        let mut interfaces: Vec<OwnInterface> = Vec::new();
        for found in if_addrs::get_if_addrs().map_err(SetupError::Machine)? {
            if found.is_loopback() || found.is_link_local() {
                continue;
            }
            let prefix = match &found.addr {
                IfAddr::V4(own) => own.prefixlen,
                IfAddr::V6(own) => own.prefixlen,
            };
            let own = OwnAddress { address: found.ip(), prefix };
            match interfaces.iter_mut().find(|known| known.name == found.name) {
                Some(known) => known.addresses.push(own),
                None => interfaces.push(OwnInterface { name: found.name, addresses: vec![own] }),
            }
        }
        interfaces.sort_by(|one, other| one.name.cmp(&other.name));
        let node = node_name(&Files::default(), &host);
        Ok(Machine { node, host, interfaces })
    }

    /// The interface of this name.
    pub fn interface(&self, name: &str) -> Option<&OwnInterface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// The interface that has this address.
    pub fn holder(&self, address: IpAddr) -> Option<&OwnInterface> {
        self.interfaces.iter().find(|interface| interface.addresses.iter().any(|own| own.address == address))
    }

    /// The interfaces in whose network the address is.
    pub fn neighbours(&self, address: IpAddr) -> Vec<(&OwnInterface, OwnAddress)> {
        let of =
            |interface: &'_ OwnInterface| interface.addresses.iter().copied().find(|own| own.is_network_of(address));
        self.interfaces.iter().filter_map(|interface| Some((interface, of(interface)?))).collect()
    }

    /// All interfaces with their addresses, for a message.
    pub fn interfaces_text(&self) -> String {
        match self.interfaces.as_slice() {
            [] => "no interface here has an address".to_owned(),
            some => {
                let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
                format!("{} has {}", self.node, texts.join(", "))
            }
        }
    }
}

/// Whether systemd says that this unit runs.
pub(super) fn runs(unit: &str) -> bool {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["--quiet", "is-active", unit]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    systemctl.status().is_ok_and(|status| status.success())
}

/// Refuses to change the files below a running cluster manager.
///
/// # Errors
/// [`SetupError::Running`].
pub(super) fn refuse_while_running() -> Result<(), SetupError> {
    match ["hbd", "heartbeat"].into_iter().find(|unit| runs(unit)) {
        Some(unit) => Err(SetupError::Running(unit)),
        None => Ok(()),
    }
}
