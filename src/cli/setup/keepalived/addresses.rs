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
    /// What an entry of `addresses` in hbd.toml says of it; empty for none.
    pub form: String,
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
    let WrittenOptions { device, label, broadcast, form } = options(line, address, interface, verdicts)?;
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
    let form = if form.is_empty() { String::new() } else { format!("{address} {}", form.join(" ")) };
    Some(VirtualAddress { address, word, device: device.to_owned(), form })
}

/// What follows an address.
struct WrittenOptions<'a> {
    device: &'a str,
    label: Option<&'a str>,
    broadcast: Option<&'a str>,
    /// The words for hbd.toml.
    form: Vec<String>,
}

/// Reads what follows an address; `None` after a refusal.
fn options<'a>(
    line: &'a ConfStatement,
    address: IpAddr,
    interface: &'a str,
    verdicts: &mut Verdicts,
) -> Option<WrittenOptions<'a>> {
    let mut options = WrittenOptions { device: interface, label: None, broadcast: None, form: Vec::new() };
    let mut words = line.words[1..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "dev" => options.device = words.next().unwrap_or(interface),
            "label" => options.label = words.next(),
            "brd" | "broadcast" => match words.next().unwrap_or_default() {
                text if text.parse::<IpAddr>().is_ok() => options.broadcast = Some(text),
                // It follows from the prefix.
                "+" => {}
                text => verdicts.note(&line.place, format!("`{word} {text}` of an address is not had")),
            },
            "noprefixroute" => options.form.push(word.to_owned()),
            "scope" | "metric" | "peer" => {
                let value = words.next().unwrap_or_default();
                options.form.extend(form(word, value, address, line, verdicts)?);
            }
            "preferred_lft" => {
                let value = words.next().unwrap_or_default();
                let text = format!(
                    "`preferred_lft {value}` of an address is not taken over: `preferred` of hbd.toml says it for all \
                     addresses of a group"
                );
                verdicts.note(&line.place, text);
            }
            other if other.split('/').next().is_some_and(|text| text.parse::<IpAddr>().is_ok()) => {
                verdicts.refuse(&line.place, format!("`{other}` behind {address}: write one address on each line"));
            }
            other => verdicts.note(&line.place, format!("`{other}` of an address is not had")),
        }
    }
    options.settle(address, line, verdicts);
    Some(options)
}

impl WrittenOptions<'_> {
    /// Leaves out what hbd has not together, and gives a label of another interface to hbd.toml: in haresources the
    /// label names the interface.
    fn settle(&mut self, address: IpAddr, line: &ConfStatement, verdicts: &mut Verdicts) {
        let of_device = |label: &str| label.split(':').next() == Some(self.device);
        match self.label {
            Some(label) if address.is_ipv6() => {
                verdicts.note(&line.place, format!("`label {label}` is left out: an IPv6 address has no label"));
            }
            Some(label) if !of_device(label) => {
                self.form.push(format!("label {label}"));
                self.label = None;
            }
            _ => {}
        }
        let metric = self.form.iter().position(|words| words.starts_with("metric "));
        if let Some(at) = metric.filter(|_| self.form.iter().any(|word| word == "noprefixroute")) {
            let text =
                format!("`{}` is left out: with noprefixroute there is no route that has it", self.form.remove(at));
            verdicts.note(&line.place, text);
        }
    }
}

/// `scope`, `metric` or `peer` as hbd.toml has it; `Some(None)` where it says nothing there, `None` after a refusal.
fn form(
    word: &str,
    value: &str,
    address: IpAddr,
    line: &ConfStatement,
    verdicts: &mut Verdicts,
) -> Option<Option<String>> {
    let of_family = |peer: &IpAddr| peer.is_ipv4() == address.is_ipv4() && *peer != address;
    let known = match word {
        "scope" if value == "global" => return Some(None),
        "scope" => address.is_ipv4() && matches!(value, "site" | "link" | "host"),
        "metric" => value.parse::<u32>().is_ok(),
        _ if value.parse().ok().filter(of_family).is_some() => true,
        _ => {
            let text =
                format!("hbd has no address with `peer {value}`: write an address without a prefix length behind it");
            verdicts.refuse(&line.place, text);
            return None;
        }
    };
    if !known {
        verdicts.note(&line.place, format!("`{word} {value}` of an address is not had"));
    }
    Some(known.then(|| format!("{word} {value}")))
}
