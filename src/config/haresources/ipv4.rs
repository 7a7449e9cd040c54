//! Virtual IPv4 addresses of haresources: `ADDR[/MASK[/NIC[/BCAST]]]` and its short forms (03 §2.4).

use std::net::Ipv4Addr;

use crate::config::groups::Address;
use crate::config::interface::{self, Place, is_interface_name, is_label};
use crate::config::refused::{Refused, refuse};

/// Whether the word begins with four groups of digits separated by points, whatever follows (03 §2.3 no. 1).
pub(in crate::config) fn looks_like_address(word: &str) -> bool {
    let mut rest = word;
    for part in 0..4 {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return false;
        }
        rest = &rest[digits..];
        if part < 3 {
            let Some(after) = rest.strip_prefix('.') else { return false };
            rest = after;
        }
    }
    true
}

/// The address of `ADDR[/MASK[/NIC[/BCAST]]]` or `ADDR/MASK/BCAST` (03 §2.4).
pub(super) fn address(text: &str) -> Result<Address, Refused> {
    const USAGE: &str =
        "write ADDR, ADDR/PREFIX, ADDR/PREFIX/DEV, ADDR/PREFIX/DEV/BROADCAST or ADDR/PREFIX/BROADCAST";
    // Heartbeat's script leaves out empty parts; the others move up.
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    if parts.len() > 4 {
        return refuse(format!("`{text}` has more than four parts"), USAGE);
    }
    let Some(address) = parts.first().and_then(|part| part.parse::<Ipv4Addr>().ok()) else {
        return refuse(format!("`{}` is not an IPv4 address", parts.first().unwrap_or(&"")), USAGE);
    };
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        return refuse(format!("{address} cannot be a virtual address"), "write the address that clients use");
    }
    let prefix = match parts.get(1) {
        Some(part) if text.contains("//") && is_interface_name(part.split(':').next().unwrap_or(part)) => {
            let why = format!("`{text}` has an empty part: Heartbeat leaves it out, and takes `{part}` as the mask");
            match mask(part, USAGE) {
                Ok(prefix) => Some(prefix),
                Err(_) => return refuse(why, format!("write the prefix length: {address}/24/{part}, for example")),
            }
        }
        part => part.map(|part| mask(part, USAGE)).transpose()?,
    };
    let (interface, broadcast) = match parts.get(2..).unwrap_or(&[]) {
        [] => (None, None),
        [one] if one.starts_with(|c: char| c.is_ascii_digit()) => (None, Some(*one)),
        [nic] => (Some(*nic), None),
        [nic, broadcast, ..] => (Some(*nic), Some(*broadcast)),
    };
    let broadcast = match broadcast.map(|text| (text, text.parse::<Ipv4Addr>())) {
        None => None,
        Some((_, Ok(broadcast))) => Some(broadcast),
        Some((text, Err(_))) => return refuse(format!("`{text}` is not a broadcast address"), USAGE),
    };
    let (device, label) = match interface {
        None => (None, None),
        Some(nic) => device_and_label(nic)?,
    };
    Ok(Address { address: address.into(), prefix, device, label, broadcast })
}

/// The prefix length, from a number or a dotted mask.
fn mask(text: &str, usage: &str) -> Result<u8, Refused> {
    if let Ok(prefix) = text.parse::<u8>() {
        if (1..=32).contains(&prefix) {
            return Ok(prefix);
        }
        return refuse(format!("prefix length `{text}` is out of range"), "write a prefix length from 1 to 32");
    }
    let Ok(dotted) = text.parse::<Ipv4Addr>() else {
        return refuse(format!("`{text}` is neither a prefix length nor a netmask"), usage);
    };
    let bits = u32::from(dotted);
    let prefix = bits.leading_ones();
    if prefix == 0 || bits.count_ones() != prefix {
        return refuse(format!("netmask `{text}` is not a row of ones"), "write a prefix length from 1 to 32");
    }
    Ok(u8::try_from(prefix).unwrap_or(32))
}

/// The interface and the label of `eth0` or `eth0:1`.
fn device_and_label(nic: &str) -> Result<(Option<String>, Option<String>), Refused> {
    let device = nic.split(':').next().unwrap_or(nic);
    if !is_interface_name(device) {
        return refuse(format!("`{nic}` cannot be the name of an interface"), interface::hint(device, Place::Word));
    }
    if device == nic {
        return Ok((Some(device.to_owned()), None));
    }
    if !is_label(nic) {
        return refuse(format!("`{nic}` cannot be an interface label"), interface::hint_for_label(nic));
    }
    Ok((Some(device.to_owned()), Some(nic.to_owned())))
}
