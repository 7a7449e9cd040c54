//! One word of haresources: an address, a unit, or a script (03 §2.3, §2.4, §15).
//!
//! Owns the order in which the meanings of a word are tried.

use super::context::LookupContext;
use super::ipv4::{self, looks_like_address};
use super::unit_name::{self, MAX_UNIT};
use super::{filesystem, ipv6, pacemaker, script};
use crate::config::groups::ResourceKind;
use crate::config::refused::{Refused, refuse};
use crate::config::value::nearest;

/// Words that hbd serves itself.
const OWN_WORDS: [&str; 8] =
    ["IPaddr", "IPaddr2", "IPv6addr", "IPsrcaddr", "Filesystem", "drbddisk", "drbdupper", "OCF"];

/// What a resource word means: the first of these that applies.
///
/// 1. An address.
/// 2. An alias of hbd.toml.
/// 3. A word that hbd serves itself: `IPaddr`, `IPaddr2`, `IPv6addr`, `IPsrcaddr`, `Filesystem`, `OCF`; with DRBD's
///    programs `drbddisk` and `drbdupper`.
/// 4. The name of a unit with its suffix.
/// 5. A script in resource.d, as for Heartbeat (03 §2.3 no. 3).
/// 6. With arguments, a script in /etc/init.d. Without, systemd itself has a service for that script.
/// 7. An OCF agent that Heartbeat has a script for.
/// 8. The service of that name.
pub(super) fn resource_kind(word: &str, context: &LookupContext<'_>) -> Result<ResourceKind, Refused> {
    if looks_like_address(word) {
        return ipv4::address(word).map(ResourceKind::Address);
    }
    if let Some(unit) = context.aliases.get(word) {
        return Ok(ResourceKind::Unit(unit.clone()));
    }
    pacemaker::refuse_notation(word)?;
    let mut parts = word.split("::");
    let name = parts.next().unwrap_or("");
    let mut arguments: Vec<&str> = parts.collect();
    if name != "IPv6addr" && !ipv6::looks_like_ipv6(word) {
        arguments = without_empty(word, name, &arguments)?;
    }
    refuse_single_colon(name, &arguments, context)?;
    if let Some(kind) = script::drbd(word, name, &arguments, context) {
        return kind;
    }
    let kind = match (name, arguments.as_slice()) {
        ("IPaddr" | "IPaddr2", [argument]) => ipv4::address(argument).map(ResourceKind::Address),
        ("IPv6addr", arguments) => ipv6::address(word, arguments).map(ResourceKind::Address),
        _ if ipv6::looks_like_ipv6(word) => ipv6::refuse_bare_address(word),
        ("IPaddr" | "IPaddr2", _) => {
            refuse(format!("`{word}`: {name} takes one argument"), "write IPaddr::ADDR/PREFIX/DEV")
        }
        ("IPsrcaddr", arguments) => script::source(word, arguments),
        ("Filesystem", arguments) => filesystem::resource_kind(word, arguments, context),
        ("OCF", arguments) => script::ocf_kind(word, arguments, context),
        (name, []) if unit_name::has_suffix(name) => unit_name::full(name).map(ResourceKind::Unit),
        (name, arguments) => match script::find(word, name, arguments, context) {
            Some(kind) => Ok(kind),
            None if arguments.is_empty() && script::may_be_service(name) && !is_own_word_in_another_case(name) => {
                unit_name::full(name).map(ResourceKind::Unit)
            }
            None if context.scripts_elsewhere
                && !arguments.is_empty()
                && known_script(name).is_none_or(|known| known == name) =>
            {
                Ok(script::assumed(word, name, arguments, context))
            }
            None => unknown(word, name, context),
        },
    }?;
    match kind.unit() {
        Some(name) if name.len() > MAX_UNIT => refuse(
            format!("`{word}` is too long for the name of a unit"),
            format!(
                "write a unit that does the same and name it in hbd.toml: [aliases] \"{word}\" = \"NAME.service\""
            ),
        ),
        _ => Ok(kind),
    }
}

/// The arguments without the empty ones at the end. An empty one before others is refused: Heartbeat drops it, and
/// the others move up (03 §2.3 no. 2).
fn without_empty<'a>(word: &str, name: &str, arguments: &[&'a str]) -> Result<Vec<&'a str>, Refused> {
    let count = arguments.iter().rposition(|argument| !argument.is_empty()).map_or(0, |last| last + 1);
    let kept = arguments.get(..count).unwrap_or_default();
    let Some(empty) = kept.iter().position(|argument| argument.is_empty()) else { return Ok(kept.to_vec()) };
    let next = kept.iter().skip(empty).find(|argument| !argument.is_empty()).unwrap_or(&"");
    let place = match (name, empty) {
        ("Filesystem", 0) => "the device".to_owned(),
        ("Filesystem", 1) => "the directory".to_owned(),
        ("Filesystem", _) => "the type of the file system".to_owned(),
        _ => format!("argument {}", empty + 1),
    };
    let help = match (name, empty) {
        ("Filesystem", 2) => {
            let given = kept.get(..2).unwrap_or_default().join("::");
            format!("write the type: Filesystem::{given}::ext4::{next}, for example")
        }
        _ => "write every argument, and leave out only the last ones".to_owned(),
    };
    refuse(format!("`{word}` has an empty argument: Heartbeat drops it, and takes `{next}` as {place}"), help)
}

/// Refuses `SCRIPT:ARGUMENT`, which a unit could be named, too.
fn refuse_single_colon(name: &str, arguments: &[&str], context: &LookupContext<'_>) -> Result<(), Refused> {
    let Some((script, rest)) = name.split_once(':').filter(|(script, _)| !script.is_empty()) else { return Ok(()) };
    let known = known_script(script).or_else(|| script::exists(script, context).then_some(script));
    let Some(known) = known.filter(|_| !unit_name::has_suffix(name)) else { return Ok(()) };
    let all = std::iter::once(rest.trim_start_matches(':')).chain(arguments.iter().copied());
    let help = format!("write {known}::{}", all.collect::<Vec<_>>().join("::"));
    refuse(format!("`{name}`: two colons separate {known} from its argument, not one"), help)
}

/// The script or agent that is meant with a name in another case; a word that hbd serves itself is one of them.
fn known_script(name: &str) -> Option<&'static str> {
    OWN_WORDS.into_iter().chain(script::names()).find(|known| known.eq_ignore_ascii_case(name))
}

/// Whether hbd serves the word itself when it is written in the right case.
fn is_own_word_in_another_case(name: &str) -> bool {
    OWN_WORDS.iter().any(|own| own.eq_ignore_ascii_case(name) && *own != name)
}

/// Refuses a word that nothing on this machine stands for. A unit cannot take arguments.
fn unknown<T>(word: &str, name: &str, context: &LookupContext<'_>) -> Result<T, Refused> {
    let rest = word.get(name.len()..).unwrap_or_default();
    if let Some(known) = known_script(name).filter(|known| *known != name) {
        let message = format!("`{word}`: there is no script {name}; case counts in such a name");
        return refuse(message, format!("write {known}{rest}"));
    }
    let near = nearest(name, OWN_WORDS.into_iter().chain(script::names()));
    if let Some(near) = near.filter(|near| *near != name && name.len() > 3) {
        let (scripts, init) = (context.resource_d.display(), context.init_d.display());
        let message = format!("`{word}`: there is no script {name} in {scripts} or {init}");
        return refuse(message, format!("did you mean {near}{rest}?"));
    }
    let shown = if name.is_empty() { "NAME" } else { name };
    let alias = format!("name a unit that does the same in hbd.toml: [aliases] \"{word}\" = \"{shown}.service\"");
    let missing = script::why_missing(shown, context);
    refuse(format!("`{word}`: {}", missing.why), format!("{}, or {alias}", missing.help))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;
    use std::path::Path;

    use super::*;

    /// On a machine without any script.
    fn kind(word: &str) -> Result<ResourceKind, Refused> {
        let none = Path::new("/nonexistent");
        let aliases = BTreeMap::from([("httpd".into(), "apache2.service".into())]);
        let (init_d, agents, fstab, node) = (none, none, none, "nodea");
        resource_kind(
            word,
            &LookupContext {
                nodes: &[],
                aliases: &aliases,
                resource_d: none,
                init_d,
                agents,
                programs: &[none.to_owned()],
                fstab,
                scripts_elsewhere: false,
                node,
            },
        )
    }

    fn addr(word: &str) -> (std::net::IpAddr, Option<u8>, Option<String>, Option<String>, Option<Ipv4Addr>) {
        match kind(word) {
            Ok(ResourceKind::Address(a)) => (a.address, a.prefix, a.device, a.label, a.broadcast),
            other => panic!("{word}: {other:?}"),
        }
    }

    #[test]
    fn every_short_form_of_an_address() {
        let ip = Ipv4Addr::new(1, 2, 3, 4).into();
        let bc = Some(Ipv4Addr::new(1, 2, 3, 255));
        let eth0 = Some("eth0".to_owned());
        for head in ["", "IPaddr::", "IPaddr2::"] {
            assert_eq!(addr(&format!("{head}1.2.3.4")), (ip, None, None, None, None));
            assert_eq!(addr(&format!("{head}1.2.3.4/24")), (ip, Some(24), None, None, None));
            assert_eq!(addr(&format!("{head}1.2.3.4/255.255.255.0")), (ip, Some(24), None, None, None));
            assert_eq!(addr(&format!("{head}1.2.3.4/24/eth0")), (ip, Some(24), eth0.clone(), None, None));
            assert_eq!(addr(&format!("{head}1.2.3.4/24/eth0/1.2.3.255")), (ip, Some(24), eth0.clone(), None, bc));
            assert_eq!(addr(&format!("{head}1.2.3.4/24/1.2.3.255")), (ip, Some(24), None, None, bc));
            assert_eq!(
                addr(&format!("{head}1.2.3.4/32/eth0:0")),
                (ip, Some(32), eth0.clone(), Some("eth0:0".into()), None)
            );
        }
    }

    #[test]
    fn bad_addresses_say_which_part() {
        let table = [
            ("1.2.3.4//eth0", "empty part"),
            ("1.2.3.4/24/eth0,httpd", "cannot be the name of an interface"),
            ("1.2.3.4/24/eth0/1.2.3.255/x", "more than four"),
            ("1.2.3.400", "not an IPv4 address"),
            ("1.2.3.4.5", "not an IPv4 address"),
            ("1.2.3.4/eth0", "neither a prefix length nor a netmask"),
            ("1.2.3.4/0", "out of range"),
            ("1.2.3.4/33", "out of range"),
            ("1.2.3.4/255.0.255.0", "not a row of ones"),
            ("1.2.3.4/24/eth0/x", "not a broadcast"),
            ("1.2.3.4/24/an-interface-too-long", "cannot be the name of an interface"),
            ("1.2.3.4/24/eth0:", "cannot be an interface label"),
            ("1.2.3.4/24/eth0:long-long-lab", "cannot be an interface label"),
            ("1.2.3.4/24/eth0:0,httpd", "cannot be an interface label"),
            ("1.2.3.4/24/eth0:1;x", "cannot be an interface label"),
            ("1.2.3.4/24/eth0::httpd", "cannot be an interface label"),
            ("0.0.0.0/24", "cannot be a virtual address"),
            ("224.0.0.1", "cannot be a virtual address"),
            ("IPaddr::1.2.3.4::x", "takes one argument"),
        ];
        for (word, why) in table {
            let refused = kind(word).unwrap_err();
            assert!(refused.why.contains(why), "{word}: {refused:?}");
        }
    }

    #[test]
    fn words_become_units() {
        let table = [
            ("httpd", "apache2.service"),
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("srv-data.mount", "srv-data.mount"),
            ("web.target", "web.target"),
            ("a.b", "a.b.service"),
            ("getty@tty1", "getty@tty1.service"),
            ("srv-my\\x2ddata.mount", "srv-my\\x2ddata.mount"),
        ];
        for (word, unit) in table {
            assert_eq!(kind(word), Ok(ResourceKind::Unit(unit.into())), "{word}");
        }
    }

    #[test]
    fn what_hbd_cannot_do_says_so_and_what_to_write() {
        let table = [
            ("OCF::x", "takes two arguments", "OCF::TYPE::INSTANCE"),
            ("OCF::x::y", "no agent x", "resource-agents"),
            ("drbddisk::r0", "no script drbddisk", "\"drbddisk::r0\" = \"drbddisk.service\""),
            ("apache::/etc/x.conf", "no script apache", "resource-agents"),
            ("IPv6addr::2001:db8::1/64", "torn apart", "IPv6addr::2001:db8:0:0:0:0:0:1/64"),
            ("2001:db8::1", "IPv6", "IPv6addr::2001:db8:0:0:0:0:0:1"),
            ("2001:db8:0:0:0:0:0:1/64", "IPv6", "IPv6addr::2001:db8:0:0:0:0:0:1/64"),
            ("IPsrcaddr", "takes an address", "write IPsrcaddr::ADDR"),
            ("IPsrcaddr::2001:db8::8", "takes an address", "in full"),
            ("SendArp::1.2.3.4/eth0", "no script SendArp", "leave the word out"),
            ("MailTo", "no script MailTo", "resource-agents"),
            ("../x::y", "no script ../x", "[aliases]"),
            ("::y", "no script NAME", "NAME.service"),
            ("drbddisk::r0", "no script drbddisk", "install the package drbd-utils"),
            ("ldirectord::x.cf", "no script ldirectord", "install the package ldirectord"),
            ("filesystem::/dev/a::/b", "case counts", "write Filesystem::/dev/a::/b"),
            ("IPaddr:10.0.0.6", "two colons", "write IPaddr::10.0.0.6"),
            ("a/b", "cannot be in the name", "systemctl"),
            ("x.slice", "cannot be started", "service"),
            ("foo@", "template", "foo@INSTANCE.service"),
            ("foo@.service", "template", "foo@INSTANCE.service"),
            (".service", "not the name", "systemctl"),
        ];
        for (word, why, help) in table {
            let refused = kind(word).unwrap_err();
            assert!(refused.why.contains(why) && refused.help.contains(help), "{word}: {refused:?}");
        }
    }
}
