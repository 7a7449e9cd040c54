//! Heartbeat media and ping lines of ha.cf (01 §1.8, 04 §1.6).
//!
//! Owns what the line alone tells about a medium; of a serial medium also whether its device is a character device.
//! Never opens a device or a socket, and never looks at an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::FileTypeExt;

use super::lines::Statement;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::files::Files;
use crate::config::host::Host;
use crate::config::interface::{self, Place, is_interface_name};
use crate::config::types::{Medium, PingNode};

/// Whether the word is a legal interface name; reports it if not.
fn device(word: &FileWord, findings: &mut Findings) -> bool {
    let legal = is_interface_name(&word.text);
    if !legal {
        findings.error(
            word,
            format!("`{}` cannot be the name of an interface", word.text),
            interface::hint(&word.text, Place::Medium),
        );
    }
    legal
}

/// `ucast DEV PEER`; words after PEER are ignored, as Heartbeat does.
pub(super) fn ucast(statement: &Statement, host: &Host, findings: &mut Findings) -> Option<Medium> {
    let usage = "write `ucast DEV PEER`, for example `ucast eth1 192.168.1.2`";
    let Some(dev) = statement.words.first() else {
        findings.error(&statement.name, "ucast without interface and peer", usage);
        return None;
    };
    let Some(peer) = statement.words.get(1) else {
        let message = format!("ucast: [{}] missing target IP address/hostname", dev.text);
        findings.error(dev, message, usage);
        return None;
    };
    if let Some(extra) = statement.words.get(2) {
        findings.warning(
            extra,
            format!("`{}` is ignored: a ucast line names one peer", extra.text),
            "write one ucast line for each peer",
        );
    }
    let legal = device(dev, findings);
    let address = peer_address(peer, host, findings)?;
    legal.then(|| Medium::Ucast { device: dev.text.clone(), peer: IpAddr::V4(address) })
}

/// The peer's address, as written or from /etc/hosts.
fn peer_address(peer: &FileWord, host: &Host, findings: &mut Findings) -> Option<Ipv4Addr> {
    let address = match peer.text.parse::<Ipv4Addr>() {
        Ok(address) => address,
        Err(_) => {
            let Some(address) = host.hosts.get(&peer.text.to_ascii_lowercase()) else {
                findings.error(
                    peer,
                    format!(
                        "ucast: cannot resolve hostname: `{}` is no IPv4 address and not in /etc/hosts",
                        peer.text
                    ),
                    host.help_for_name(
                        &peer.text,
                        "write the peer's IPv4 address: a cluster node must start without DNS",
                    ),
                );
                return None;
            };
            findings.notice(
                peer,
                format!("the peer `{}` is {address} by /etc/hosts", peer.text),
                format!("write `{address}` to depend on one file less"),
            );
            *address
        }
    };
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        findings.error(
            peer,
            format!("{address} is not the address of one host"),
            "write the address that the peer has on this link",
        );
        return None;
    }
    if address.is_loopback() {
        findings.warning(
            peer,
            format!("{address} is this machine itself: the peer will not be heard"),
            "write the address that the peer has on this link",
        );
    }
    Some(address)
}

/// `ucast6 DEV ADDR`; a scope behind the address must be DEV.
pub(super) fn ucast6(statement: &Statement, findings: &mut Findings) -> Option<Medium> {
    let usage = "write `ucast6 DEV ADDR`";
    let Some(dev) = statement.words.first() else {
        findings.error(&statement.name, "ucast6 statement without device", usage);
        return None;
    };
    let Some(peer) = statement.words.get(1) else {
        findings.error(dev, format!("ucast6 [{}] missing ucast6 address", dev.text), usage);
        return None;
    };
    let (address, scope) = peer.text.split_once('%').unwrap_or((&peer.text, ""));
    let address = address.parse::<Ipv6Addr>().ok();
    let address = address.filter(|a| !a.is_multicast() && !a.is_unspecified() && !a.is_loopback());
    if address.is_none() {
        let message = format!("ucast6 [{}] bad addr [{}]", dev.text, peer.text);
        findings.error(peer, message, "write a literal IPv6 address of the peer, for example fe80::2%eth1");
    }
    // A numeric scope is the index of an interface, which can change with each boot: DEV counts.
    let contradicts = !scope.is_empty() && scope != dev.text && scope.parse::<u32>().is_err();
    if contradicts {
        let message = format!("ucast6 [{}]: the scope `%{scope}` is another interface", dev.text);
        findings.error(peer, message, format!("write `%{}`, or leave it out", dev.text));
    }
    let legal = device(dev, findings) && !contradicts;
    address.filter(|_| legal).map(|address| Medium::Ucast { device: dev.text.clone(), peer: address.into() })
}

/// `mcast DEV GROUP PORT TTL LOOP`, or `mcast6` with HOPS. All five are required.
pub(super) fn multicast(statement: &Statement, findings: &mut Findings) -> Option<Medium> {
    let name = statement.name.text.as_str();
    let six = name == "mcast6";
    let hops = if six { "hops" } else { "ttl" };
    let usage = format!("write `{name} DEV GROUP PORT {} LOOP`", hops.to_uppercase());
    let Some(dev) = statement.words.first() else {
        findings.error(&statement.name, format!("{name} statement without device"), usage);
        return None;
    };
    let mut legal = device(dev, findings);
    let names = [("mcast address", "addr"), ("port", "port"), (hops, hops), ("loop", "loop")];
    let mut texts = [""; 4];
    for (index, (missing, bad)) in names.into_iter().enumerate() {
        let Some(word) = statement.words.get(index + 1) else {
            findings.error(dev, format!("{name} [{}] missing {missing}", dev.text), usage);
            return None;
        };
        texts[index] = &word.text;
        let within = |min: u16, max: u16| word.text.parse::<u16>().is_ok_and(|n| (min..=max).contains(&n));
        let (sound, range) = match (index, six) {
            (0, false) => (group4(&word.text).is_some(), "224.0.0.0 to 239.255.255.255"),
            (0, true) => (group6(&word.text).is_some(), "a group ff02::…, ff04::…, ff05::… or ff08::…"),
            (1, _) => (within(1, 65535), "1 to 65535"),
            (2, _) => (within(0, 4), "0 to 4"),
            _ => (within(0, 1), "0 or 1"),
        };
        if !sound {
            let message = format!("{name} [{}] bad {bad} [{}]", dev.text, word.text);
            findings.error(word, message, format!("legal: {range}"));
            legal = false;
        }
    }
    let [group, port, ttl, looped] = texts;
    let group = if six { group6(group).map(IpAddr::V6) } else { group4(group).map(IpAddr::V4) };
    let (Some(group), Ok(port), Ok(ttl), true) = (group, port.parse(), ttl.parse(), legal) else { return None };
    Some(Medium::Mcast { device: dev.text.clone(), group, port, ttl, looped: looped == "1" })
}

fn group4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok().filter(Ipv4Addr::is_multicast)
}

/// `ffXS::…`: flag bits 0x20–0x80 clear, scope 2, 4, 5 or 8, group part not all zero (01 §1.8.2).
fn group6(text: &str) -> Option<Ipv6Addr> {
    let address: Ipv6Addr = text.parse().ok()?;
    let octets = address.octets();
    let legal = octets[0] == 0xff
        && octets[1] & 0xe0 == 0
        && matches!(octets[1] & 0x0f, 2 | 4 | 5 | 8)
        && octets[2..].iter().any(|octet| *octet != 0);
    legal.then_some(address)
}

/// One word of `serial`: the absolute path of a character device. A missing device is legal, because it may appear
/// later (a USB adapter).
pub(super) fn serial(word: &FileWord, files: &Files, findings: &mut Findings) -> Option<Medium> {
    let path = &word.text;
    if !path.starts_with('/') {
        let message = format!("Serial port not full pathname [{path}] in config file");
        findings.error(word, message, format!("write /dev/{path}"));
        return None;
    }
    match std::fs::metadata(files.on_this_machine(path)).map(|found| found.file_type().is_char_device()) {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("Serial port [{path}] not a char device in config file");
            findings.error(word, message, "write the device of a serial line, such as /dev/ttyS0");
            return None;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message =
                format!("Nonexistent serial port [{path}] in config file: the link is dead until it is there");
            findings.warning(word, message, "see `ls /dev/tty*`; a Heartbeat does not start without it");
        }
        Err(error) => {
            let message = format!("cannot look at the serial port [{path}]: {error}");
            findings.warning(word, message, "it is tried again every second");
        }
    }
    Some(Medium::Serial { device: path.clone() })
}

/// One word of `bcast`: an interface.
pub(super) fn bcast(word: &FileWord, findings: &mut Findings) -> Option<Medium> {
    device(word, findings).then(|| Medium::Bcast { device: word.text.clone() })
}

/// One word of `ping`: an IPv4 address, or a name of /etc/hosts.
pub(super) fn ping(word: &FileWord, host: &Host, findings: &mut Findings) -> Option<PingNode> {
    let address = ping_host(word, host, findings)?;
    Some(PingNode { name: word.text.clone(), hosts: vec![address.into()] })
}

/// One word of `ping6`: a literal IPv6 address.
pub(super) fn ping6(word: &FileWord, findings: &mut Findings) -> Option<PingNode> {
    let Ok(address) = word.text.parse::<Ipv6Addr>() else {
        let message = format!("Illegal ping6 [ping6 membership] in config file [{}]", word.text);
        findings.error(word, message, "write a literal IPv6 address");
        return None;
    };
    Some(PingNode { name: word.text.clone(), hosts: vec![address.into()] })
}

/// `ping_group NAME HOST…`.
pub(super) fn ping_group(statement: &Statement, host: &Host, findings: &mut Findings) -> Option<PingNode> {
    let [name, hosts @ ..] = statement.words.as_slice() else {
        findings.error(&statement.name, "ping_group needs a name and at least one host", PING_GROUP_USAGE);
        return None;
    };
    if hosts.is_empty() {
        findings.error(name, "ping_group needs a name and at least one host", PING_GROUP_USAGE);
        return None;
    }
    let resolved: Vec<IpAddr> =
        hosts.iter().filter_map(|word| ping_host(word, host, findings)).map(IpAddr::V4).collect();
    (resolved.len() == hosts.len()).then(|| PingNode { name: name.text.clone(), hosts: resolved })
}

const PING_GROUP_USAGE: &str = "write `ping_group NAME HOST…`";

/// The address of a host to ping.
fn ping_host(word: &FileWord, host: &Host, findings: &mut Findings) -> Option<Ipv4Addr> {
    let written = word.text.parse::<Ipv4Addr>().ok();
    let address = written.or_else(|| host.hosts.get(&word.text.to_ascii_lowercase()).copied());
    if address.is_none() {
        findings.error(
            word,
            format!("cannot resolve hostname: `{}` is no IPv4 address and not in /etc/hosts", word.text),
            host.help_for_name(&word.text, "write the host's IPv4 address: a cluster node must start without DNS"),
        );
    }
    address
}
