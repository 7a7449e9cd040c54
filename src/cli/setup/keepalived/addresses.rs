//! A line of virtual_ipaddress: `ADDRESS[/PREFIX] [brd BROADCAST] [dev IFACE] [scope SCOPE] [label LABEL] …`.

use std::net::IpAddr;

use super::lines::ConfStatement;
use super::verdicts::Verdicts;
use crate::cli::setup::proposal::in_full;

/// An address of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VirtualAddress {
    pub address: IpAddr,
    /// As haresources writes it.
    pub word: String,
    pub device: String,
}

/// The address of one line; `interface` is that of its instance.
pub(super) fn address(line: &ConfStatement, interface: &str, verdicts: &mut Verdicts) -> Option<VirtualAddress> {
    let (written, prefix) = match line.keyword().split_once('/') {
        Some((written, prefix)) => (written, Some(prefix)),
        None => (line.keyword(), None),
    };
    let Ok(address) = written.parse::<IpAddr>() else {
        verdicts.refuse(&line.place, format!("`{written}` is no address"));
        return None;
    };
    // Without a prefix keepalived adds the address alone.
    let alone = if address.is_ipv4() { "32" } else { "128" };
    let prefix = prefix.unwrap_or(alone);
    let (mut device, mut label, mut broadcast) = (interface, None, None);
    let mut words = line.words[1..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "dev" => device = words.next().unwrap_or(interface),
            "label" => label = words.next(),
            "brd" | "broadcast" => broadcast = words.next().filter(|text| text.parse::<IpAddr>().is_ok()),
            // hbd adds its addresses with a lifetime, and as the kernel does without more words.
            "scope" | "preferred_lft" | "metric" => drop(words.next()),
            "home" | "mngtmpaddr" | "nodad" | "noprefixroute" | "autojoin" | "no_track" | "-nodad" => {}
            "peer" => {
                verdicts.refuse(&line.place, "hbd has no addresses with `peer`: let a unit of yours add it");
                return None;
            }
            other => verdicts.note(&line.place, format!("`{other}` of an address is not had")),
        }
    }
    if device.is_empty() {
        verdicts.refuse(&line.place, format!("{address} has no interface: write `interface` into its instance"));
        return None;
    }
    let word = match address {
        IpAddr::V4(address) => {
            let broadcast = broadcast.map_or_else(String::new, |text| format!("/{text}"));
            format!("{address}/{prefix}/{}{broadcast}", label.unwrap_or(device))
        }
        IpAddr::V6(address) => format!("IPv6addr::{}/{prefix}/{device}", in_full(address)),
    };
    Some(VirtualAddress { address, word, device: device.to_owned() })
}
