//! In which form an address is put on its interface: an entry of `addresses` of a group in hbd.toml, written as for
//! `ip address add`.
//!
//! Owns the syntax, and the values. What haresources says of an address is in [`super::groups`].

use std::fmt;
use std::net::IpAddr;

use super::interface::{MAX_INTERFACE_NAME, is_label};
use super::refused::{Refused, refuse};
use super::routes::{no_value, number, unknown};

/// The word that stands for the group's first address.
const VIP: &str = "VIP";
const KEYS: [&str; 5] = ["label", "scope", "metric", "peer", "noprefixroute"];
const EXAMPLE: &str = "write \"VIP label eth0:web metric 100\", for example";

/// What is written of one address; what is not is as haresources and the network have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressForm {
    /// IFA_LABEL, at most 15 bytes; none with IPv6.
    pub label: Option<String>,
    /// Its scope; none with IPv6, where the kernel derives it from the address.
    pub scope: Option<IpScope>,
    /// IFA_RT_PRIORITY: the metric of the route of its network.
    pub metric: Option<u32>,
    /// The other end of a point-to-point link: the prefix length is that of this address.
    pub peer: Option<IpAddr>,
    /// IFA_F_NOPREFIXROUTE: there is no route of its network.
    pub no_prefix_route: bool,
}

/// How far an IPv4 address is known (rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum IpScope {
    /// Everywhere.
    Global = 0,
    /// Within the site.
    Site = 200,
    /// On the interface's link.
    Link = 253,
    /// On this machine.
    Host = 254,
}

/// By their words.
const SCOPES: [(&str, IpScope); 4] =
    [("global", IpScope::Global), ("site", IpScope::Site), ("link", IpScope::Link), ("host", IpScope::Host)];

impl IpScope {
    fn of_word(word: &str) -> Option<IpScope> {
        SCOPES.iter().find(|(known, _)| *known == word).map(|(_, scope)| *scope)
    }
}

impl fmt::Display for IpScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCOPES.iter().find(|(_, scope)| scope == self).map_or("global", |(word, _)| word))
    }
}

/// Reads an entry of `addresses`; `vips` are the addresses of the group in their order.
///
/// # Errors
/// When it is none that hbd can put into the kernel, with what to write.
pub(super) fn read(text: &str, vips: &[IpAddr]) -> Result<(IpAddr, AddressForm), Refused> {
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return refuse("it is empty", EXAMPLE) };
    let address = if first == VIP { vips.first().copied() } else { first.parse().ok() };
    let Some(address) = address.filter(|address| vips.contains(address)) else {
        let known: Vec<String> = vips.iter().map(IpAddr::to_string).collect();
        let why = format!("`{first}` is no address of the group");
        if vips.is_empty() {
            return refuse(why, "give the group an address, or leave `addresses` out");
        }
        return refuse(why, format!("begin with VIP, which is its first one, or with one of {}", known.join(", ")));
    };
    let mut form = AddressForm::default();
    while let Some(key) = words.next() {
        let mut value = || words.next().ok_or_else(|| no_value(key, EXAMPLE));
        match key {
            "noprefixroute" => form.no_prefix_route = true,
            "label" => form.label = Some(label(value()?, address)?),
            "scope" => form.scope = Some(scope(value()?, address)?),
            "metric" => form.metric = Some(number(key, value()?)?),
            "peer" => form.peer = Some(peer(value()?, address)?),
            other => return unknown(other, &KEYS, EXAMPLE),
        }
    }
    if form == AddressForm::default() {
        return refuse("it says nothing of the address", EXAMPLE);
    }
    if form.no_prefix_route && form.metric.is_some() {
        return refuse("with noprefixroute there is no route that could have the metric", "leave one of them out");
    }
    Ok((address, form))
}

fn label(word: &str, address: IpAddr) -> Result<String, Refused> {
    if address.is_ipv6() {
        return refuse("an IPv6 address has no label", "leave label out");
    }
    if word.len() > MAX_INTERFACE_NAME {
        let why = format!("`{word}` is longer than a label can be");
        return refuse(
            why,
            format!("write the interface's name, a colon and a word, at most {MAX_INTERFACE_NAME} bytes in all"),
        );
    }
    if !is_label(word) {
        let help = "write the interface's name, a colon and a word of letters, digits and `-`, `_`, `.`";
        return refuse(format!("`{word}` cannot be an interface label"), help);
    }
    Ok(word.to_owned())
}

fn scope(word: &str, address: IpAddr) -> Result<IpScope, Refused> {
    if address.is_ipv6() {
        return refuse("the kernel derives the scope of an IPv6 address from the address", "leave scope out");
    }
    IpScope::of_word(word).ok_or_else(|| Refused {
        why: format!("`scope {word}` is not understood"),
        help: "write scope global, site, link or host".to_owned(),
    })
}

fn peer(word: &str, address: IpAddr) -> Result<IpAddr, Refused> {
    let fits = |peer: &IpAddr| peer.is_ipv4() == address.is_ipv4() && *peer != address;
    word.parse().ok().filter(fits).ok_or_else(|| Refused {
        why: format!("`{word}` cannot be the other end of a link with {address}"),
        help: "write an address of the same family without a prefix length: that is the one of the group's line"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vips() -> [IpAddr; 2] {
        ["192.168.17.200", "2001:db8::c8"].map(|text| text.parse().unwrap())
    }

    #[test]
    fn an_entry_is_read_as_ip_address_reads_it() {
        let (address, form) = read("VIP label eth0:web scope link peer 10.0.0.1 metric 7", &vips()).unwrap();
        assert_eq!(address, vips()[0]);
        let wanted = AddressForm {
            label: Some("eth0:web".into()),
            scope: Some(IpScope::Link),
            metric: Some(7),
            peer: Some("10.0.0.1".parse().unwrap()),
            no_prefix_route: false,
        };
        assert_eq!(form, wanted);
        let (address, form) = read("2001:db8::c8 noprefixroute", &vips()).unwrap();
        assert_eq!((address, form.no_prefix_route), (vips()[1], true));
        assert_eq!(
            SCOPES.map(|(word, scope)| (scope.to_string() == word, scope as u8)),
            [0, 200, 253, 254].map(|number| (true, number))
        );
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, why, help) in [
            ("", "it is empty", "label eth0:web"),
            ("VIP", "it says nothing", "for example"),
            ("10.0.0.9 label x", "`10.0.0.9` is no address of the group", "192.168.17.200, 2001:db8::c8"),
            ("VIP/24 label x", "`VIP/24` is no address of the group", "begin with VIP"),
            ("VIP label", "nothing follows `label`", "for example"),
            ("VIP metrics 7", "`metrics` is not understood", "did you mean `metric`?"),
            ("VIP dev eth0", "`dev` is not understood", "words are label"),
            ("VIP label eth0:much-too-long", "longer than a label", "15 bytes"),
            ("VIP label eth0:0,httpd", "cannot be an interface label", "letters, digits"),
            ("VIP label eth0::httpd", "cannot be an interface label", "a colon and a word"),
            ("2001:db8::c8 label x", "no label", "leave label out"),
            ("2001:db8::c8 scope link", "derives the scope", "leave scope out"),
            ("VIP scope lan", "`scope lan` is not understood", "global, site, link or host"),
            ("VIP metric x", "`metric x` is no number", "metric 100"),
            ("VIP metric 5 noprefixroute", "no route that could have the metric", "leave one"),
            ("VIP peer 10.0.0.1/24", "cannot be the other end", "without a prefix length"),
            ("VIP peer 2001:db8::1", "cannot be the other end", "same family"),
        ] {
            let refused = read(text, &vips()).unwrap_err();
            assert!(refused.why.contains(why) && refused.help.contains(help), "{text}: {refused:?}");
        }
    }
}
