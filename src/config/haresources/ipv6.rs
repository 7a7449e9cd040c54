//! The word `IPv6addr::ADDR[/PREFIX[/DEV]]` of haresources (03 §2.4).
//!
//! An IPv6 address must be written in full: the other node may be a Heartbeat, whose scripts split words at `::`.

use std::net::Ipv6Addr;

use crate::config::groups::Address;
use crate::config::interface::{self, Place, is_interface_name};
use crate::config::refused::{Refused, refuse};

const USAGE: &str = "write IPv6addr::ADDR, IPv6addr::ADDR/PREFIX or IPv6addr::ADDR/PREFIX/DEV, with ADDR in full";

/// The address of the word `IPv6addr::…`. `arguments` are the parts between `::`, as Heartbeat splits the word.
pub(super) fn address(word: &str, arguments: &[&str]) -> Result<Address, Refused> {
    let text = word.strip_prefix("IPv6addr::").unwrap_or_default();
    // Heartbeat's script leaves out empty parts behind the interface or the prefix length.
    let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let (written, rest) = parts.split_first().map_or((text, &[][..]), |(first, rest)| (*first, rest));
    let Ok(address) = written.parse::<Ipv6Addr>() else {
        return refuse(format!("`{written}` is not an IPv6 address"), USAGE);
    };
    if arguments.len() != 1 {
        let help = format!("write it in full: IPv6addr::{}", in_full(address, rest));
        return refuse(format!("`{word}`: an address with `::` is torn apart by Heartbeat's scripts"), help);
    }
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return refuse(format!("{address} cannot be a virtual address"), "write the address that clients use");
    }
    let prefix = rest.first().map(|prefix| prefix_length(prefix)).transpose()?;
    let device = match rest.get(1..).unwrap_or(&[]) {
        [] => None,
        [device] if is_interface_name(device) => Some((*device).to_owned()),
        [device] => {
            let help = match device.split_once(':') {
                Some((name, _)) => format!("an IPv6 address has no label: write {name}"),
                None => interface::hint(device, Place::Word),
            };
            return refuse(format!("`{device}` cannot be the name of an interface"), help);
        }
        _ => return refuse(format!("`{text}` has more than three parts"), USAGE),
    };
    if device.is_none() && address.is_unicast_link_local() {
        let help = format!("write the interface: IPv6addr::{}/64/eth0", in_full(address, &[]));
        return refuse(
            format!("{address} is a link-local address: there is one network of them on every interface"),
            help,
        );
    }
    Ok(Address { address: address.into(), prefix, device, label: None, broadcast: None })
}

/// Whether the word begins like an IPv6 address.
pub(super) fn looks_like_ipv6(word: &str) -> bool {
    let written = word.split('/').next().unwrap_or_default();
    written.parse::<Ipv6Addr>().is_ok()
        || written.split_once("::").is_some_and(|(head, _)| head.contains(':') && !head.contains('.'))
}

/// Refuses an IPv6 address without the word IPv6addr: Heartbeat would look for a script of that name.
pub(super) fn refuse_bare_address<T>(word: &str) -> Result<T, Refused> {
    let mut parts = word.split('/');
    let written = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let help = match written.parse::<Ipv6Addr>() {
        Ok(address) => format!("write IPv6addr::{}", in_full(address, &rest)),
        Err(_) => USAGE.to_owned(),
    };
    refuse(format!("`{word}`: an IPv6 address needs the word IPv6addr"), help)
}

fn prefix_length(text: &str) -> Result<u8, Refused> {
    match text.parse::<u8>() {
        Ok(prefix @ 1..=128) => Ok(prefix),
        _ => refuse(format!("`{text}` is not a prefix length"), "write a prefix length from 1 to 128"),
    }
}

/// The address with all eight groups, and the parts that followed it.
fn in_full(address: Ipv6Addr, rest: &[&str]) -> String {
    let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:x}")).collect();
    let mut text = groups.join(":");
    for part in rest {
        text.push('/');
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<Address, Refused> {
        let arguments: Vec<&str> = word.split("::").skip(1).collect();
        address(word, &arguments)
    }

    #[test]
    fn every_form() {
        let full = "2001:db8:0:0:0:0:0:64";
        let expected = |prefix, device: Option<&str>| Address {
            address: full.parse().unwrap(),
            prefix,
            device: device.map(str::to_owned),
            label: None,
            broadcast: None,
        };
        assert_eq!(parse(&format!("IPv6addr::{full}")), Ok(expected(None, None)));
        assert_eq!(parse(&format!("IPv6addr::{full}/64")), Ok(expected(Some(64), None)));
        assert_eq!(parse(&format!("IPv6addr::{full}/128/eth0")), Ok(expected(Some(128), Some("eth0"))));
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        let table = [
            ("IPv6addr::2001:db8::1/64/eth0", "torn apart", "IPv6addr::2001:db8:0:0:0:0:0:1/64/eth0"),
            ("IPv6addr::1.2.3.4", "not an IPv6 address", "in full"),
            ("IPv6addr", "not an IPv6 address", "in full"),
            ("IPv6addr::2001:db8:0:0:0:0:0:1/129", "not a prefix length", "1 to 128"),
            ("IPv6addr::2001:db8:0:0:0:0:0:1/64/eth0:1", "cannot be the name", "no label: write eth0"),
            ("IPv6addr::2001:db8:0:0:0:0:0:1/64/eth0/x", "more than three", "PREFIX/DEV"),
            ("IPv6addr::ff02:0:0:0:0:0:0:1", "cannot be a virtual address", "clients"),
            ("IPv6addr::fe80:0:0:0:0:0:0:1/64", "link-local", "fe80:0:0:0:0:0:0:1/64/eth0"),
        ];
        for (word, why, help) in table {
            let refused = parse(word).unwrap_err();
            assert!(refused.why.contains(why) && refused.help.contains(help), "{word}: {refused:?}");
        }
    }
}
