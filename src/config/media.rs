//! Heartbeat media and ping lines of ha.cf (01 §1.8, 04 §1.6).
//!
//! Owns what can be known about them from the line alone. Never opens a socket, never looks at an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::diagnostic::{Report, Word};
use super::host::Host;
use super::lines::Statement;
use super::types::Medium;

/// Longest interface name of the kernel, in bytes (IFNAMSIZ less its NUL).
pub(super) const MAX_DEVICE: usize = 15;

/// Whether a word can be the name of a network interface.
pub(super) fn is_device(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_DEVICE && name != "." && name != ".." && !name.contains(['/', ':'])
}

/// Checks an interface name; says what is wrong with it.
fn device(word: &Word, report: &mut Report) -> bool {
    let legal = is_device(&word.text);
    if !legal {
        report.error(
            word,
            format!("`{}` cannot be the name of an interface", word.text),
            format!("write a name that `ip link` shows, at most {MAX_DEVICE} bytes"),
        );
    }
    legal
}

/// `ucast DEV PEER`; words after PEER are ignored, as Heartbeat does.
pub(super) fn ucast(statement: &Statement, host: &Host, report: &mut Report) -> Option<Medium> {
    let usage = "write `ucast DEV PEER`, for example `ucast eth1 192.168.1.2`";
    let Some(dev) = statement.words.first() else {
        report.error(&statement.name, "ucast without interface and peer", usage);
        return None;
    };
    let Some(peer) = statement.words.get(1) else {
        let message = format!("ucast: [{}] missing target IP address/hostname", dev.text);
        report.error(dev, message, usage);
        return None;
    };
    if let Some(extra) = statement.words.get(2) {
        report.warning(
            extra,
            format!("`{}` is ignored: a ucast line names one peer", extra.text),
            "write one ucast line for each peer",
        );
    }
    let legal = device(dev, report);
    let address = peer_address(peer, host, report)?;
    legal.then(|| Medium::Ucast { device: dev.text.clone(), peer: IpAddr::V4(address) })
}

/// The peer's address: written, or from /etc/hosts.
fn peer_address(peer: &Word, host: &Host, report: &mut Report) -> Option<Ipv4Addr> {
    let address = match peer.text.parse::<Ipv4Addr>() {
        Ok(address) => address,
        Err(_) => {
            let Some(address) = host.hosts.get(&peer.text.to_ascii_lowercase()) else {
                report.error(
                    peer,
                    format!(
                        "ucast: cannot resolve hostname: `{}` is no IPv4 address and not in /etc/hosts",
                        peer.text
                    ),
                    "write the peer's IPv4 address: a cluster node must start without DNS",
                );
                return None;
            };
            report.notice(
                peer,
                format!("the peer `{}` is {address} by /etc/hosts", peer.text),
                format!("write `{address}` to depend on one file less"),
            );
            *address
        }
    };
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        report.error(
            peer,
            format!("{address} is not the address of one host"),
            "write the address that the peer has on this link",
        );
        return None;
    }
    if address.is_loopback() {
        report.warning(
            peer,
            format!("{address} is this machine itself: the peer will not be heard"),
            "write the address that the peer has on this link",
        );
    }
    Some(address)
}

/// `ucast6 DEV ADDR`: whether the line is legal.
pub(super) fn ucast6(statement: &Statement, report: &mut Report) -> bool {
    let usage = "write `ucast6 DEV ADDR`";
    let Some(dev) = statement.words.first() else {
        report.error(&statement.name, "ucast6 statement without device", usage);
        return false;
    };
    let Some(peer) = statement.words.get(1) else {
        report.error(dev, format!("ucast6 [{}] missing ucast6 address", dev.text), usage);
        return false;
    };
    let address = peer.text.split('%').next().unwrap_or("").parse::<Ipv6Addr>();
    let legal = address.is_ok_and(|a| !a.is_multicast() && !a.is_unspecified() && !a.is_loopback());
    if !legal {
        let message = format!("ucast6 [{}] bad addr [{}]", dev.text, peer.text);
        report.error(peer, message, "write a literal IPv6 address of the peer, for example fe80::2%eth1");
    }
    device(dev, report) && legal
}

/// `mcast DEV GROUP PORT TTL LOOP`, or `mcast6` with HOPS: whether the line is legal. All five are required.
pub(super) fn multicast(statement: &Statement, report: &mut Report) -> bool {
    let name = statement.name.text.as_str();
    let six = name == "mcast6";
    let usage = format!("write `{name} DEV GROUP PORT {} LOOP`", if six { "HOPS" } else { "TTL" });
    let Some(dev) = statement.words.first() else {
        report.error(&statement.name, format!("{name} statement without device"), usage);
        return false;
    };
    let group =
        |text: &str| if six { is_group6(text) } else { text.parse().is_ok_and(|a: Ipv4Addr| a.is_multicast()) };
    let within = |text: &str, min: u16, max: u16| text.parse::<u16>().is_ok_and(|n| (min..=max).contains(&n));
    type Check<'a> = (&'a str, &'a str, &'a dyn Fn(&str) -> bool, &'a str);
    let checks: [Check; 4] = [
        (
            "mcast address",
            "addr",
            &group,
            if six { "a group ff02::…, ff04::…, ff05::… or ff08::…" } else { "224.0.0.0 to 239.255.255.255" },
        ),
        ("port", "port", &|text| within(text, 1, 65535), "1 to 65535"),
        (if six { "hops" } else { "ttl" }, if six { "hops" } else { "ttl" }, &|text| within(text, 0, 4), "0 to 4"),
        ("loop", "loop", &|text| within(text, 0, 1), "0 or 1"),
    ];
    let mut legal = device(dev, report);
    for (index, (missing, bad, check, range)) in checks.iter().enumerate() {
        let Some(word) = statement.words.get(index + 1) else {
            report.error(dev, format!("{name} [{}] missing {missing}", dev.text), usage);
            return false;
        };
        if !check(&word.text) {
            report.error(word, format!("{name} [{}] bad {bad} [{}]", dev.text, word.text), format!("legal: {range}"));
            legal = false;
        }
    }
    legal
}

/// `ffXS::…`: flag bits 0x20–0x80 clear, scope 2, 4, 5 or 8, group part not all zero (01 §1.8.2).
fn is_group6(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv6Addr>() else { return false };
    let octets = address.octets();
    octets[0] == 0xff
        && octets[1] & 0xe0 == 0
        && matches!(octets[1] & 0x0f, 2 | 4 | 5 | 8)
        && octets[2..].iter().any(|octet| *octet != 0)
}

/// One word of `serial`: an absolute path.
pub(super) fn serial(word: &Word, report: &mut Report) -> bool {
    let legal = word.text.starts_with('/');
    if !legal {
        report.error(
            word,
            format!("Serial port not full pathname [{}] in config file", word.text),
            format!("write /dev/{}", word.text),
        );
    }
    legal
}

/// One word of `bcast`: an interface.
pub(super) fn bcast(word: &Word, report: &mut Report) -> bool {
    device(word, report)
}

/// One word of `ping6`: a literal IPv6 address.
pub(super) fn ping6(word: &Word, report: &mut Report) {
    if word.text.parse::<Ipv6Addr>().is_err() {
        let message = format!("Illegal ping6 [ping6 membership] in config file [{}]", word.text);
        report.error(word, message, "write a literal IPv6 address");
    }
}

/// `ping_group NAME HOST…`.
pub(super) fn ping_group(statement: &Statement, report: &mut Report) {
    if statement.words.len() < 2 {
        let at = statement.words.first().unwrap_or(&statement.name);
        report.error(at, "ping_group needs a name and at least one host", "write `ping_group NAME HOST…`");
    }
}
