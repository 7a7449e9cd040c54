//! The words of `hbctl init` and `hbctl join` on the command line.
//!
//! Owns the form of each value. What the values mean together is judged by [`super::proposal`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// Seconds of silence after which the other node takes over, where nothing else is said.
pub(super) const DEADTIME: u32 = 10;

/// What a new pair is.
#[derive(Debug, Clone, Default, Args)]
pub struct SetupOptions {
    /// The other node: what `uname -n` prints there
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub peer: Option<String>,
    /// A heartbeat link: an interface of this node, and the other node's IPv4 address there. Two independent links
    /// are better than one
    #[arg(long = "link", value_name = "IFACE=ADDRESS")]
    pub links: Vec<LinkOption>,
    /// An address that the two share, as ADDRESS/PREFIX or ADDRESS/PREFIX/IFACE. The interface is needed only where
    /// it does not follow from the network
    #[arg(long = "address", value_name = "ADDRESS/PREFIX")]
    pub addresses: Vec<AddressOption>,
    /// A unit that runs where the address is, such as nginx or postgresql.service; started in the order of the
    /// options
    #[arg(long = "service", value_name = "UNIT", value_parser = service_word)]
    pub services: Vec<String>,
    /// The node on which all of it runs while both are well; without it this node
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub prefer: Option<String>,
    /// Leave everything where it is when the preferred node comes back
    #[arg(long)]
    pub no_failback: bool,
    /// Seconds of silence after which the other node takes over (3 to 600); without it 10
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(3..=600))]
    pub deadtime: Option<u32>,
    /// Where to write the file for the other node; without it ./hbd-join-NAME.toml
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace files that are there, and keep each under another name
    #[arg(long)]
    pub force: bool,
    /// Then have systemd start hbd, now and at every boot, and no longer start the services at boot itself
    #[arg(long)]
    pub start: bool,
}

impl SetupOptions {
    /// Whether something is missing without which there is no pair.
    pub(super) fn is_incomplete(&self) -> bool {
        let nothing = self.addresses.is_empty() && self.services.is_empty();
        self.peer.is_none() || self.links.is_empty() || nothing
    }
}

/// How to join.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct JoinOptions {
    /// Replace files that are there, and keep each under another name
    #[arg(long)]
    pub force: bool,
    /// Then have systemd start hbd, as init does, and wait until the other node is heard on every link
    #[arg(long)]
    pub start: bool,
}

/// `IFACE=ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOption {
    /// The interface of this node.
    pub device: String,
    /// The other node's address.
    pub peer: Ipv4Addr,
}

impl FromStr for LinkOption {
    type Err = String;

    fn from_str(text: &str) -> Result<LinkOption, String> {
        let usage = "write IFACE=ADDRESS with the other node's IPv4 address there, such as eth1=192.168.1.3";
        let (device, address) = text.split_once('=').ok_or(usage)?;
        let peer = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(peer)) => peer,
            Ok(IpAddr::V6(_)) => return Err("a heartbeat link has an IPv4 address".to_owned()),
            Err(_) => return Err(usage.to_owned()),
        };
        let device = device.trim().to_owned();
        if device.is_empty() { Err(usage.to_owned()) } else { Ok(LinkOption { device, peer }) }
    }
}

/// `ADDRESS`, `ADDRESS/PREFIX` or `ADDRESS/PREFIX/IFACE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressOption {
    pub address: IpAddr,
    /// `None`: that of the network.
    pub prefix: Option<u8>,
    /// `None`: the interface of the network.
    pub device: Option<String>,
}

impl FromStr for AddressOption {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressOption, String> {
        let usage = || "write ADDRESS/PREFIX or ADDRESS/PREFIX/IFACE, such as 192.168.1.100/24".to_owned();
        let mut parts = text.split('/');
        let address: IpAddr = parts.next().unwrap_or_default().parse().map_err(|_| usage())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = parts.next().map(|part| part.parse::<u8>().map_err(|_| usage())).transpose()?;
        if prefix.is_some_and(|prefix| prefix == 0 || prefix > longest) {
            return Err(format!("write a prefix length from 1 to {longest}"));
        }
        let device = parts.next().map(str::to_owned);
        match parts.next() {
            None if device.as_deref() != Some("") => Ok(AddressOption { address, prefix, device }),
            _ => Err(usage()),
        }
    }
}

/// A node's name, in lower case as hbd compares it.
pub(super) fn node_name(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fine) {
        return Err("write what `uname -n` prints on that node".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

/// A word of haresources that stands for a unit.
pub(super) fn service_word(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '@' | ':');
    if text.is_empty() || !text.chars().all(fine) {
        return Err("write the name of a unit, such as nginx or nginx.service".to_owned());
    }
    Ok(text.to_owned())
}
