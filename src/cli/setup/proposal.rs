//! From the options and the machine to the plan of a pair.
//!
//! Owns what is refused, all of it at once, and what is only noted. Asks nobody and writes nothing.

use std::net::{IpAddr, Ipv6Addr};

use super::error::SetupError;
use super::machine::{Machine, OwnInterface};
use super::options::{AddressOption, DEADTIME, LinkOption, SetupOptions};
use super::plan::{PairPlan, PlannedGroup, PlannedLink};
use crate::cli::secret_key::SecretKey;

/// A plan, and what the administrator should know of it.
#[derive(Debug)]
pub(super) struct Proposal {
    pub plan: PairPlan,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// A group of another cluster manager's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedGroup {
    /// Whether it prefers this node.
    pub here: bool,
    pub resources: Vec<String>,
}

/// A pair of another cluster manager's configuration, beyond what the options say.
#[derive(Debug)]
pub(super) struct ImportedPair {
    pub groups: Vec<ImportedGroup>,
    /// For hbd.toml.d.
    pub settings: toml::Table,
    pub notes: Vec<String>,
    /// What stands in the way.
    pub problems: Vec<String>,
}

/// The plan that these options make on this machine, which is its first node.
///
/// # Errors
/// [`SetupError::Unfit`] with everything that is missing or wrong.
pub(super) fn propose(options: &SetupOptions, machine: &Machine, key: SecretKey) -> Result<Proposal, SetupError> {
    let mut draft = Draft { machine, problems: Vec::new(), notes: Vec::new() };
    let peer = draft.peer(options.peer.as_deref());
    let links = draft.links(options);
    let resources = draft.resources(options);
    let node = draft.preferred(options.prefer.as_deref(), &peer);
    draft.peer_addresses_are_not_shared(&links, options);
    let groups = vec![PlannedGroup { node, resources }];
    draft.finish(options, peer, links, groups, String::new(), key)
}

/// The plan of an imported pair on this machine, which is its first node.
///
/// # Errors
/// [`SetupError::Unfit`] with everything that is missing or wrong.
pub(super) fn propose_imported(
    options: &SetupOptions,
    machine: &Machine,
    key: SecretKey,
    pair: ImportedPair,
) -> Result<Proposal, SetupError> {
    let mut draft = Draft { machine, problems: pair.problems, notes: pair.notes };
    if !options.addresses.is_empty() {
        draft.problem("--address has no place here: the addresses are those of the file");
    }
    let peer = draft.peer(options.peer.as_deref());
    let links = draft.links(options);
    draft.preferred(options.prefer.as_deref(), &peer);
    let groups = pair.groups.into_iter().map(|group| {
        let node = if group.here { &machine.node } else { &peer };
        PlannedGroup { node: node.clone(), resources: group.resources }
    });
    let groups = groups.collect();
    let settings = if pair.settings.is_empty() {
        String::new()
    } else {
        format!(
            "# Made by `hbctl import`; the same on both nodes. See hbd.toml(5).\n\n{}",
            toml::to_string(&pair.settings)?
        )
    };
    draft.finish(options, peer, links, groups, settings, key)
}

struct Draft<'a> {
    machine: &'a Machine,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Draft<'_> {
    fn finish(
        mut self,
        options: &SetupOptions,
        peer: String,
        links: Vec<PlannedLink>,
        groups: Vec<PlannedGroup>,
        settings: String,
        key: SecretKey,
    ) -> Result<Proposal, SetupError> {
        self.propose_second_link(&links);
        if !self.problems.is_empty() {
            return Err(SetupError::Unfit(self.problems));
        }
        let plan = PairPlan {
            nodes: [self.machine.node.clone(), peer],
            auto_failback: !options.no_failback,
            deadtime: options.deadtime.unwrap_or(DEADTIME),
            key,
            settings,
            links,
            groups,
        };
        Ok(Proposal { plan, notes: self.notes })
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    fn peer(&mut self, peer: Option<&str>) -> String {
        match peer {
            None => self.problem("--peer NAME is missing: the other node, as `uname -n` names it there"),
            Some(name) if name == self.machine.node => self.problem(format!(
                "--peer {name} is this node itself: write the name of the other one, as `uname -n` prints it there"
            )),
            Some(_) => {}
        }
        peer.unwrap_or_default().to_owned()
    }

    fn links(&mut self, options: &SetupOptions) -> Vec<PlannedLink> {
        if options.links.is_empty() {
            let example = self.machine.interfaces.iter().find(|interface| interface.may_be_link());
            let example = example.map_or("eth1", |interface| interface.name.as_str()).to_owned();
            self.problem(format!(
                "--link IFACE=ADDRESS is missing: an interface here and the other node's address on it, such as \
                 {example}=ADDRESS ({})",
                self.machine.interfaces_text()
            ));
        }
        let mut links: Vec<PlannedLink> = Vec::new();
        for option in &options.links {
            let Some(link) = self.link(option) else { continue };
            if links.iter().any(|known| known.interfaces[0] == link.interfaces[0]) {
                self.problem(format!("{} is named in two links: one for each interface", option.device));
                continue;
            }
            links.push(link);
        }
        links
    }

    fn link(&mut self, option: &LinkOption) -> Option<PlannedLink> {
        let LinkOption { device, peer } = option;
        let machine = self.machine;
        let Some(interface) = machine.interface(device) else {
            self.problem(format!("there is no interface {device} with an address: {}", machine.interfaces_text()));
            return None;
        };
        let Some(own) = interface.ipv4_towards(*peer) else {
            self.problem(format!("{interface} has no IPv4 address, which a heartbeat link needs"));
            return None;
        };
        let IpAddr::V4(address) = own.address else { return None };
        if let Some(holder) = machine.holder((*peer).into()) {
            self.problem(format!(
                "--link {device}={peer}: that address is this node's own, on {}. Write the other node's",
                holder.name
            ));
            return None;
        }
        if !own.is_network_of((*peer).into()) {
            self.notes.push(format!(
                "{peer} is in no network of {interface}: heartbeats reach it only if they are routed there. Is it right?"
            ));
        }
        Some(PlannedLink { interfaces: [device.clone(), device.clone()], addresses: [address, *peer] })
    }

    fn resources(&mut self, options: &SetupOptions) -> Vec<String> {
        if options.addresses.is_empty() && options.services.is_empty() {
            self.problem(
                "--address ADDRESS/PREFIX is missing: what the two nodes share; --service UNIT is what runs there",
            );
        }
        let addresses = options.addresses.iter().filter_map(|option| self.address_word(option));
        let mut words: Vec<String> = addresses.collect();
        words.extend(options.services.iter().cloned());
        let mut seen: Vec<&String> = Vec::new();
        for word in &words {
            if seen.contains(&word) {
                self.problems.push(format!("{word} is named twice"));
            }
            seen.push(word);
        }
        words
    }

    /// The word of haresources. The interface is left out where both nodes find it by the network.
    fn address_word(&mut self, option: &AddressOption) -> Option<String> {
        let AddressOption { address, prefix, device } = option;
        let machine = self.machine;
        if let Some(holder) = machine.holder(*address) {
            self.problem(format!(
                "{address} is this node's own address, on {}: write one that belongs to neither machine",
                holder.name
            ));
            return None;
        }
        let near = machine.neighbours(*address);
        let device = match (device, near.as_slice()) {
            (Some(device), _) if machine.interface(device).is_none() => {
                self.problem(format!(
                    "there is no interface {device} with an address: {}",
                    machine.interfaces_text()
                ));
                return None;
            }
            (Some(device), _) => format!("/{device}"),
            (None, [_]) => String::new(),
            (None, []) => {
                self.problem(format!(
                    "{address} is in no network of this node: write ADDRESS/PREFIX/IFACE ({})",
                    machine.interfaces_text()
                ));
                return None;
            }
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|(interface, _)| interface.name.as_str()).collect();
                self.problem(format!(
                    "{address} is in the networks of {}: write {address}/PREFIX/IFACE with the one that clients use",
                    names.join(" and ")
                ));
                return None;
            }
        };
        let Some(prefix) = prefix.or(near.first().map(|(_, own)| own.prefix)) else {
            self.problem(format!("{address}: write its prefix length, as in {address}/24"));
            return None;
        };
        Some(match address {
            IpAddr::V4(address) => format!("{address}/{prefix}{device}"),
            IpAddr::V6(address) => format!("IPv6addr::{}/{prefix}{device}", in_full(*address)),
        })
    }

    fn preferred(&mut self, wanted: Option<&str>, peer: &str) -> String {
        match wanted {
            None => self.machine.node.clone(),
            Some(node) => {
                if node != self.machine.node && node != peer {
                    self.problem(format!("--prefer {node} is neither {} nor the other node", self.machine.node));
                }
                node.to_owned()
            }
        }
    }

    fn peer_addresses_are_not_shared(&mut self, links: &[PlannedLink], options: &SetupOptions) {
        let shared = options.addresses.iter().map(|option| option.address);
        for address in shared.filter(|address| links.iter().any(|link| IpAddr::V4(link.addresses[1]) == *address)) {
            self.problems.push(format!(
                "{address} is the other node's own address, by --link: write one that belongs to neither machine"
            ));
        }
    }

    /// With a single link, names an interface on another network that could be a second one.
    fn propose_second_link(&mut self, links: &[PlannedLink]) {
        let [only] = links else { return };
        let [device, _] = &only.interfaces;
        let first = only.addresses[0].into();
        let other = |interface: &&OwnInterface| {
            interface.name != *device
                && interface.may_be_link()
                && !interface.addresses.iter().any(|own| own.is_network_of(first))
        };
        if let Some(other) = self.machine.interfaces.iter().find(other) {
            self.notes.push(format!(
                "{device} is the only link. {other} is on another network: add --link {}=ADDRESS with the other node's \
                 address there, so that one cut cable does not make two nodes serve",
                other.name
            ));
        }
    }
}

/// As haresources needs it: with all eight groups.
pub(super) fn in_full(address: Ipv6Addr) -> String {
    address.segments().map(|group| format!("{group:x}")).join(":")
}
