//! Routes and rules that come and go with the addresses of a group: `routes` and `rules` of hbd.toml, written as for
//! `ip route add` and `ip rule add`.
//!
//! Owns the syntax. What is in force here is put into the kernel by the thread of the addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::refused::{Refused, refuse};
use super::value::nearest;

/// The word that stands for the group's own address.
const VIP: &str = "VIP";
/// The table in which routes are looked up that belong to no other.
const MAIN: u32 = 254;

const ROUTE_KEYS: [&str; 7] = ["via", "dev", "src", "table", "metric", "scope", "onlink"];
const RULE_KEYS: [&str; 4] = ["from", "to", "table", "priority"];
const ROUTE_EXAMPLE: &str = "write \"default via 192.168.17.1 src VIP table 100\", for example";
const RULE_EXAMPLE: &str = "write \"from VIP table 100 priority 100\", for example";

/// What the words of an entry stand for on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteWords<'a> {
    /// The addresses of the group in their order, for `VIP`.
    pub vips: &'a [IpAddr],
    /// The numbers of tables by their names.
    pub tables: &'a BTreeMap<String, u32>,
}

/// The numbers of tables by their names, from texts in the form of `rt_tables`: a number and a name on each line. A
/// later text wins.
pub(super) fn table_names<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, u32> {
    let mut names = BTreeMap::from([("main".to_owned(), MAIN), ("default".to_owned(), 253)]);
    for line in texts.into_iter().flat_map(str::lines) {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        if let (Some(Ok(number)), Some(name)) = (words.next().map(str::parse), words.next()) {
            names.insert(name.to_owned(), number);
        }
    }
    names
}

/// A network: its first address and its prefix length.
type Prefix = (IpAddr, u8);

/// One entry of `routes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRoute {
    /// As it was written.
    pub text: String,
    /// Whether it is a route of IPv4; else of IPv6.
    pub ipv4: bool,
    /// Where it leads to; `None`: everywhere.
    pub destination: Option<(IpAddr, u8)>,
    /// `via`: the next router.
    pub gateway: Option<IpAddr>,
    /// `src`: the source of connections that use it.
    pub source: Option<IpAddr>,
    /// `dev`; `None`: the interface of the group's last address.
    pub device: Option<String>,
    /// `table`.
    pub table: u32,
    /// `metric`.
    pub metric: Option<u32>,
    /// `scope link`, which is meant anyway without a router.
    pub link_scope: bool,
    /// `onlink`: the router is on the interface's link, whatever the addresses say.
    pub onlink: bool,
}

/// One entry of `rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// As it was written.
    pub text: String,
    /// Whether it is a rule of IPv4; else of IPv6.
    pub ipv4: bool,
    /// `from`; `None`: any source.
    pub from: Option<(IpAddr, u8)>,
    /// `to`; `None`: any destination.
    pub to: Option<(IpAddr, u8)>,
    /// `table`: where routes are looked up then.
    pub table: u32,
    /// `priority`: its place among the rules.
    pub priority: u32,
}

/// Reads an entry of `routes`.
///
/// # Errors
/// When it is none that hbd can put into the kernel, with what to write.
pub(super) fn route(text: &str, stand: RouteWords<'_>) -> Result<GroupRoute, Refused> {
    let RouteWords { vips, tables } = stand;
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((&first, rest)) = words.split_first() else { return refuse("it is empty", ROUTE_EXAMPLE) };
    let family = family(&words, vips, ROUTE_EXAMPLE)?;
    let mut route = GroupRoute {
        text: words.join(" "),
        ipv4: family,
        destination: if first == "default" { None } else { Some(prefix(first, family, vips, ROUTE_EXAMPLE)?) },
        gateway: None,
        source: None,
        device: None,
        table: MAIN,
        metric: None,
        link_scope: false,
        onlink: false,
    };
    let mut rest = rest.iter().copied();
    while let Some(key) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| no_value(key, ROUTE_EXAMPLE));
        match key {
            "onlink" => route.onlink = true,
            "via" => route.gateway = Some(address(value()?, family, vips)?),
            "src" => route.source = Some(address(value()?, family, vips)?),
            "dev" => route.device = Some(value()?.to_owned()),
            "table" => route.table = table(value()?, tables)?,
            "metric" => route.metric = Some(number(key, value()?)?),
            "scope" => match value()? {
                "link" => route.link_scope = true,
                "global" => {}
                other => return refuse(format!("`scope {other}`"), "write scope link or scope global"),
            },
            other => return unknown(other, &ROUTE_KEYS, ROUTE_EXAMPLE),
        }
    }
    if route.onlink && route.gateway.is_none() {
        return refuse("`onlink` says how a router is reached, and there is none", "write via ADDRESS as well");
    }
    if route.link_scope && route.gateway.is_some() {
        return refuse("a route with a router has no `scope link`", "leave scope link out");
    }
    Ok(route)
}

/// Reads an entry of `rules`.
///
/// # Errors
/// When it is none that hbd can put into the kernel, with what to write.
pub(super) fn rule(text: &str, stand: RouteWords<'_>) -> Result<GroupRule, Refused> {
    let RouteWords { vips, tables } = stand;
    let words: Vec<&str> = text.split_whitespace().collect();
    let family = family(&words, vips, RULE_EXAMPLE)?;
    let (mut from, mut to, mut routes, mut priority) = (None, None, None, None);
    let mut rest = words.iter().copied();
    while let Some(key) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| no_value(key, RULE_EXAMPLE));
        match key {
            "from" => from = Some(value()?).filter(|word| *word != "all"),
            "to" => to = Some(value()?).filter(|word| *word != "all"),
            "table" | "lookup" => routes = Some(table(value()?, tables)?),
            "priority" | "pref" => priority = Some(number(key, value()?)?),
            other => return unknown(other, &RULE_KEYS, RULE_EXAMPLE),
        }
    }
    let network = |word: Option<&str>| word.map(|word| prefix(word, family, vips, RULE_EXAMPLE)).transpose();
    let (from, to) = (network(from)?, network(to)?);
    match (routes, priority, from.or(to)) {
        (Some(table), Some(priority), Some(_)) if priority > 0 => {
            Ok(GroupRule { text: words.join(" "), ipv4: family, from, to, table, priority })
        }
        (None, ..) => refuse("it names no table", RULE_EXAMPLE),
        (_, _, None) => refuse("it concerns everything: it has neither `from` nor `to`", RULE_EXAMPLE),
        _ => refuse("it has no priority from 1 on, so its place among the rules is not known", RULE_EXAMPLE),
    }
}

/// Whether it is IPv4: by the addresses that are written, else by the group's first address.
fn family(words: &[&str], vips: &[IpAddr], example: &str) -> Result<bool, Refused> {
    let written = words.iter().filter_map(|word| word.split('/').next()?.parse::<IpAddr>().ok());
    match written.chain(vips.iter().copied()).next() {
        Some(address) => Ok(address.is_ipv4()),
        None => refuse("it has no address, and neither has the group", example.to_owned()),
    }
}

/// An address of the family, or the group's first one.
fn address(word: &str, ipv4: bool, vips: &[IpAddr]) -> Result<IpAddr, Refused> {
    let of_family = |address: &IpAddr| address.is_ipv4() == ipv4;
    let name = if ipv4 { "IPv4" } else { "IPv6" };
    if word == VIP {
        let first = vips.iter().copied().find(of_family);
        let missing = || Refused {
            why: format!("the group has no {name} address for `VIP`"),
            help: "write the address itself, or give the group one".to_owned(),
        };
        return first.ok_or_else(missing);
    }
    word.parse().ok().filter(of_family).ok_or_else(|| Refused {
        why: format!("`{word}` is no {name} address"),
        help: format!("write an {name} address, or VIP for the group's first one"),
    })
}

/// A network, or one address.
fn prefix(word: &str, ipv4: bool, vips: &[IpAddr], example: &str) -> Result<Prefix, Refused> {
    let whole = if ipv4 { 32 } else { 128 };
    let (network, length) = match word.split_once('/') {
        Some((network, length)) => (network, length.parse().ok().filter(|length| (1..=whole).contains(length))),
        None => (word, Some(whole)),
    };
    let Some(length) = length else {
        return refuse(format!("`{word}` has no prefix length from 1 to {whole}"), example.to_owned());
    };
    let network = address(network, ipv4, vips)?;
    if has_host_bits(network, length) {
        let why = format!("`{word}` is an address within a network, not the network");
        return refuse(why, format!("write its first address, or {network}/{whole} for this address alone"));
    }
    Ok((network, length))
}

fn has_host_bits(address: IpAddr, length: u8) -> bool {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_shl(length.into()).is_some_and(|host| host != 0),
        IpAddr::V6(address) => u128::from(address).checked_shl(length.into()).is_some_and(|host| host != 0),
    }
}

fn table(word: &str, tables: &BTreeMap<String, u32>) -> Result<u32, Refused> {
    let number = tables.get(word).copied().or_else(|| word.parse().ok());
    match number {
        // 255 is the kernel's own.
        Some(number) if number > 0 && number != 255 => Ok(number),
        _ => refuse(
            format!("`{word}` is no table"),
            "write its number, from 1 to 4294967295 but not 255, main, or a name of /etc/iproute2/rt_tables",
        ),
    }
}

pub(super) fn number(key: &str, word: &str) -> Result<u32, Refused> {
    let none = || Refused {
        why: format!("`{key} {word}` is no number"),
        help: format!("write {key} and a whole number, as in {key} 100"),
    };
    word.parse().map_err(|_| none())
}

pub(super) fn no_value(key: &str, example: &str) -> Refused {
    Refused { why: format!("nothing follows `{key}`"), help: example.to_owned() }
}

pub(super) fn unknown<T>(word: &str, known: &[&str], example: &str) -> Result<T, Refused> {
    let help = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("words are {}: {example}", known.join(", ")),
    };
    refuse(format!("`{word}` is not understood"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn vips() -> [IpAddr; 2] {
        [ip("192.168.17.200"), ip("2001:db8::c8")]
    }

    fn route(text: &str, vips: &[IpAddr]) -> Result<GroupRoute, Refused> {
        super::route(text, RouteWords { vips, tables: &table_names(["7 isp # second line\n"]) })
    }

    fn rule(text: &str, vips: &[IpAddr]) -> Result<GroupRule, Refused> {
        super::rule(text, RouteWords { vips, tables: &table_names(["# none\n"]) })
    }

    #[test]
    fn tables_have_names() {
        let names = table_names(["254 main\n100\tvip\n# 9 none\n\n0x10 hex\n", "101 vip # later\n"]);
        assert_eq!((names.get("vip"), names.get("none"), names.get("main")), (Some(&101), None, Some(&254)));
        assert_eq!(route("default dev eth0 table isp", &vips()).unwrap().table, 7);
    }

    #[test]
    fn a_route_is_read_as_ip_route_reads_it() {
        let text = "default  via 192.168.17.1 src VIP table 100 metric 10 onlink";
        let read = route(text, &vips()).unwrap();
        let wanted = GroupRoute {
            text: "default via 192.168.17.1 src VIP table 100 metric 10 onlink".into(),
            ipv4: true,
            destination: None,
            gateway: Some(ip("192.168.17.1")),
            source: Some(ip("192.168.17.200")),
            device: None,
            table: 100,
            metric: Some(10),
            link_scope: false,
            onlink: true,
        };
        assert_eq!(read, wanted);
        let read = route("2001:db8:1::/48 dev eth1 src VIP scope link", &vips()).unwrap();
        assert_eq!((read.destination, read.source), (Some((ip("2001:db8:1::"), 48)), Some(ip("2001:db8::c8"))));
        assert_eq!((read.device.as_deref(), read.table, read.link_scope), (Some("eth1"), 254, true));
        assert_eq!(route("10.9.9.9 via 10.0.0.1", &[]).unwrap().destination, Some((ip("10.9.9.9"), 32)));
    }

    #[test]
    fn a_rule_is_read_as_ip_rule_reads_it() {
        let read = rule("from VIP lookup 100 pref 100", &vips()).unwrap();
        assert_eq!((read.from, read.to), (Some((ip("192.168.17.200"), 32)), None));
        assert_eq!((read.table, read.priority), (100, 100));
        let read = rule("from all to 10.1.0.0/16 table main priority 7", &[]).unwrap();
        assert_eq!((read.from, read.to, read.table), (None, Some((ip("10.1.0.0"), 16)), 254));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, why, help) in [
            ("", "it is empty", "default via"),
            ("default via", "nothing follows `via`", "default via"),
            ("default via 192.168.17.x", "`192.168.17.x` is no IPv4 address", "or VIP"),
            ("default via 192.168.17.1 src 2001:db8::c8", "no IPv4 address", "write an IPv4 address"),
            ("default via 192.168.17.1 metrics 10", "`metrics` is not understood", "did you mean `metric`?"),
            ("default via 192.168.17.1 nexthop x", "`nexthop` is not understood", "words are via"),
            ("default via 192.168.17.1 table vips", "`vips` is no table", "its number"),
            ("default via 192.168.17.1 table 255", "`255` is no table", "its number"),
            ("default via 192.168.17.1 metric x", "`metric x` is no number", "metric 100"),
            ("default via 192.168.17.1 scope link", "has no `scope link`", "leave"),
            ("default dev eth0 onlink", "there is none", "via ADDRESS"),
            ("10.1.2.3/16 via 192.168.17.1", "an address within a network", "10.1.2.3/32"),
            ("10.0.0.0/33 via 192.168.17.1", "no prefix length from 1 to 32", "default via"),
        ] {
            let refused = route(text, &vips()).unwrap_err();
            assert!(refused.why.contains(why) && refused.help.contains(help), "{text}: {refused:?}");
        }
        let refused = route("default dev eth0", &[]).unwrap_err();
        assert!(refused.why.contains("neither has the group"), "{refused:?}");
        for (text, why) in [
            ("from VIP priority 100", "it names no table"),
            ("from VIP table 100", "it has no priority"),
            ("from VIP table 100 priority 0", "it has no priority"),
            ("table 100 priority 100", "it concerns everything"),
            ("from all table 100 priority 100", "it concerns everything"),
            ("from VIP fwmark 1 table 100 priority 100", "`fwmark` is not understood"),
        ] {
            let refused = rule(text, &vips()).unwrap_err();
            assert!(refused.why.contains(why), "{text}: {refused:?}");
        }
    }
}
