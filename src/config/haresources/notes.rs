//! What is said about a word of haresources that is accepted.
//!
//! Owns these findings. Refuses nothing.

use std::net::{IpAddr, Ipv4Addr};

use super::context::LookupContext;
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::{Address, Dialect, Recipe, Resource, ResourceKind, Transient};
use crate::config::programs::is_executable;

/// Reports what is doubtful about the word.
pub(super) fn report(word: &FileWord, kind: &ResourceKind, context: &LookupContext<'_>, findings: &mut Findings) {
    match kind {
        ResourceKind::Address(address) => {
            report_empty_parts(word, findings);
            check_prefix(word, address, findings);
        }
        ResourceKind::Unit(unit) if !context.aliases.contains_key(&word.text) => {
            report_script_that_is_none(word, unit, context, findings);
        }
        ResourceKind::Unit(_) | ResourceKind::Transient(_) => {}
    }
}

/// An address can be the source of connections where it is on the machine by then.
pub(super) fn check_sources(words: &[FileWord], resources: &[Resource], findings: &mut Findings) {
    let mut addresses = Vec::new();
    for (word, resource) in words.iter().zip(resources) {
        match &resource.kind {
            ResourceKind::Address(address) => addresses.push(address.address),
            ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. })
                if script.dialect == Dialect::Source
                    && !addresses.iter().any(|address| script.command == [address.to_string()]) =>
            {
                let message = format!("`{}` does not follow its address in this group", word.text);
                let help = "write the address before it, or start only where the machine has it anyway";
                findings.warning(word, message, help);
            }
            _ => {}
        }
    }
}

/// Heartbeat leaves out an empty part of an address, and the parts behind it move up (03 §2.4).
fn report_empty_parts(word: &FileWord, findings: &mut Findings) {
    let parts: Vec<&str> = word.text.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        let read = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let message = format!("`{}` has an empty part, which is left out, as Heartbeat does", word.text);
        findings.notice(word, message, format!("write {read}"));
    }
}

/// A file in resource.d that cannot be executed is no script: a Heartbeat does not find the resource, and hbd takes
/// the unit of that name.
fn report_script_that_is_none(word: &FileWord, unit: &str, context: &LookupContext<'_>, findings: &mut Findings) {
    let path = context.resource_d.join(&word.text);
    if !word.text.contains('/') && path.is_file() && !is_executable(&path) {
        let message = format!("{} is not executable: `{}` stands for {unit}", path.display(), word.text);
        let help = format!("`chmod +x {}` if the script is meant; otherwise write {unit}", path.display());
        findings.warning(word, message, help);
    }
}

fn check_prefix(word: &FileWord, address: &Address, findings: &mut Findings) {
    let Some(prefix) = address.prefix.filter(|prefix| *prefix < 31) else { return };
    let IpAddr::V4(own) = address.address else { return };
    let host_bits = u32::MAX >> prefix;
    let computed = Ipv4Addr::from(u32::from(own) | host_bits);
    if u32::from(own) & host_bits == 0 || own == computed {
        let message =
            format!("{}/{prefix} is the address of the network or of broadcasts, not of a host", address.address);
        findings.warning(word, message, "check the prefix length");
    }
    if let Some(broadcast) = address.broadcast.filter(|broadcast| *broadcast != computed) {
        let message = format!("the broadcast address of {}/{prefix} is {computed}, not {broadcast}", address.address);
        findings.warning(word, message, "leave the broadcast address out: it follows from the prefix");
    }
}
