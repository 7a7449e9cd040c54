//! What a check of hbd.toml does: `command`, `tcp`, `http` and `https` with what belongs to them.
//!
//! Owns these keys. What a group contributes, its first address, comes in when the group is known.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use hyper::Uri;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{TomlText, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::{Group, ResourceKind};
use crate::config::service_checks::{CheckProbe, HttpProbe};

/// All keys of this module, in the order of hints.
pub(super) const KEYS: [&str; 7] = ["command", "tcp", "http", "https", "status", "text", "verify"];
/// Of which there must be one.
const KINDS: [&str; 4] = ["command", "tcp", "http", "https"];
/// What belongs to `http` and `https` only.
const HTTP_KEYS: [&str; 2] = ["status", "text"];
/// The statuses that pass where `status` says nothing.
const GOOD: RangeInclusive<u16> = 200..=399;
/// All statuses (RFC 9110 §15).
const STATUSES: RangeInclusive<u16> = 100..=599;

/// A probe whose address may still be the group's.
#[derive(Debug, Clone)]
pub(super) enum WrittenProbe {
    Command {
        words: Vec<String>,
        shown: String,
    },
    /// `None`: the group's first address.
    Tcp {
        address: Option<IpAddr>,
        port: u16,
    },
    Http {
        address: Option<IpAddr>,
        port: u16,
        url: String,
        probe: HttpProbe,
    },
}

impl WrittenProbe {
    /// The probe of this group, and what people see of it.
    pub(super) fn at(self, group: &Group) -> (CheckProbe, String) {
        match self {
            WrittenProbe::Command { words, shown } => (CheckProbe::Command(words), format!("command {shown}")),
            WrittenProbe::Tcp { address, port } => {
                let address = SocketAddr::new(address.unwrap_or_else(|| first_address(group)), port);
                (CheckProbe::Tcp(address), format!("tcp {address}"))
            }
            WrittenProbe::Http { address, port, url, probe } => {
                let address = SocketAddr::new(address.unwrap_or_else(|| first_address(group)), port);
                (CheckProbe::Http(HttpProbe { address, ..probe }), url)
            }
        }
    }
}

/// The first address of a group; this machine itself if it has none.
fn first_address(group: &Group) -> IpAddr {
    let addresses = group.resources.iter().filter_map(|resource| match &resource.kind {
        ResourceKind::Address(address) => Some(address.address),
        _ => None,
    });
    addresses.take(1).next().unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// Reads the probe of a check: exactly one.
pub(super) fn read(
    table: &DeTable<'_>,
    at: &FileWord,
    group: &str,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Option<WrittenProbe> {
    let present: Vec<&str> = KINDS.into_iter().filter(|name| table.contains_key(*name)).collect();
    let [kind] = present[..] else {
        let message = match present.as_slice() {
            [] => format!("the check of group {group} does not say what to check"),
            several => format!("the check of group {group} has {} at once", several.join(" and ")),
        };
        let help = "write one of command, tcp, http and https; a second check is a table [[groups.\"KEY\".check]] of its \
                    own";
        findings.error(at, message, help);
        return None;
    };
    let value = table.get(kind)?;
    let web = matches!(kind, "http" | "https");
    let foreign = |name: &str| if name == "verify" { kind != "https" } else { !web };
    for name in HTTP_KEYS.into_iter().chain(["verify"]).filter(|name| foreign(name)) {
        if let Some(found) = table.get(name) {
            let owner = if name == "verify" { "https" } else { "http and https" };
            let message = format!("`{name}` has no meaning for a check by {kind}");
            findings.error(&source.word(found.span()), message, format!("it belongs to {owner}: leave it out"));
        }
    }
    match kind {
        "command" => command(kind, value, source, findings),
        "tcp" => tcp(value, source, findings),
        _ => http(kind == "https", value, table, source, findings),
    }
}

/// Reads a command: a list of words, or a text for the shell.
pub(super) fn command(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Option<WrittenProbe> {
    let at = source.word(value.span());
    let help =
        format!("write {name} = [\"/path/to/program\", \"argument\"], or a command line for the shell in quotes");
    let words: Option<Vec<String>> = match value.get_ref() {
        DeValue::String(line) if !line.trim().is_empty() => {
            let words = ["/bin/sh", "-c", line.as_ref()].map(str::to_owned).to_vec();
            return Some(WrittenProbe::Command { words, shown: line.trim().to_owned() });
        }
        DeValue::Array(list) => list.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        findings.error(&at, format!("`{name}` is no command"), help);
        return None;
    };
    if !words[0].starts_with('/') {
        let help = "write the program with its whole path: systemd starts it";
        findings.error(&at, format!("`{}` is not an absolute path", words[0]), help);
        return None;
    }
    if !Path::new(&words[0]).exists() {
        let help = "install it, or write where it is: until then nothing is checked, and a `ready` fails";
        findings.warning(&at, format!("there is no program `{}` on this machine", words[0]), help);
    }
    let shown = words.join(" ");
    Some(WrittenProbe::Command { words, shown })
}

/// A port of the group's first address, or an address with a port.
fn tcp(value: &Spanned<DeValue<'_>>, source: &TomlText<'_>, findings: &mut Findings) -> Option<WrittenProbe> {
    let text = scalar_text(value.get_ref()).unwrap_or_default();
    let port = text.parse().ok().filter(|port| *port > 0).map(|port| (None, port));
    let full = || text.parse::<SocketAddr>().ok().filter(|full| full.port() > 0);
    let found = port.or_else(|| full().map(|full| (Some(full.ip()), full.port())));
    if found.is_none() {
        let help =
            "write tcp = 80, a port of the group's first address, or tcp = \"192.0.2.1:80\" or \"[2001:db8::1]:80\"";
        findings.error(&source.word(value.span()), "`tcp` of a check is no port, and no address with a port", help);
    }
    found.map(|(address, port)| WrittenProbe::Tcp { address, port })
}

fn http(
    tls: bool,
    value: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    source: &TomlText<'_>,
    findings: &mut Findings,
) -> Option<WrittenProbe> {
    let scheme = if tls { "https" } else { "http" };
    let at = source.word(value.span());
    let help =
        format!("write {scheme} = \"{scheme}://HOST/PATH\"; a HOST that is a name is asked at the group's address");
    let text = value.get_ref().as_str().unwrap_or_default();
    let url = text.parse::<Uri>().ok().filter(|url| url.scheme_str() == Some(scheme));
    let authority = url.as_ref().and_then(Uri::authority).filter(|authority| !authority.as_str().contains('@'));
    let (Some(url), Some(authority)) = (&url, authority) else {
        findings.error(&at, format!("`{scheme}` of a check is no URL of that kind"), help);
        return None;
    };
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16().filter(|port| *port > 0).unwrap_or(if tls { 443 } else { 80 });
    let text = match table.get("text").map(|text| (text.get_ref(), text.span())) {
        None => None,
        Some((DeValue::String(text), _)) => Some(text.to_string()),
        Some((_, span)) => {
            findings.error(&source.word(span), "`text` of a check is not a string", "write it in quotes");
            None
        }
    };
    let verify = match table.get("verify").map(|verify| (verify.get_ref(), verify.span())) {
        None => false,
        Some((DeValue::Boolean(verify), _)) => *verify,
        Some((_, span)) => {
            let help = "write verify = true or false";
            findings.error(&source.word(span), "bad value for `verify` of a check", help);
            false
        }
    };
    let address = host.parse().ok();
    let probe = HttpProbe {
        address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        tls,
        verify,
        host,
        authority: authority.to_string(),
        path: url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        status: statuses(table, source, findings),
        text,
    };
    Some(WrittenProbe::Http { address, port, url: url.to_string(), probe })
}

/// `status`: a number, a range, or a list of them.
fn statuses(table: &DeTable<'_>, source: &TomlText<'_>, findings: &mut Findings) -> Vec<RangeInclusive<u16>> {
    let Some(found) = table.get("status") else { return vec![GOOD] };
    let ranges: Option<Vec<_>> = match found.get_ref() {
        DeValue::Array(list) => list.iter().map(|one| status(one.get_ref())).collect(),
        one => status(one).map(|range| vec![range]),
    };
    ranges.filter(|ranges| !ranges.is_empty()).unwrap_or_else(|| {
        let help = "write status = 200, status = \"200-299\", or a list of them";
        findings.error(&source.word(found.span()), "bad value for `status` of a check", help);
        vec![GOOD]
    })
}

fn status(found: &DeValue<'_>) -> Option<RangeInclusive<u16>> {
    let text = scalar_text(found).ok()?;
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
    let legal = STATUSES.contains(range.start()) && STATUSES.contains(range.end()) && range.start() <= range.end();
    legal.then_some(range)
}
