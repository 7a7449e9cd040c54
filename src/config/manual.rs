//! hbd-ha.cf(5): every directive and what hbd does about it, from the table in `directives`.
//!
//! Owns the sentence that explains each honoured directive. Lists only directives that the parser knows.

use std::fmt::Write as _;

use super::directives::{DIRECTIVES, Directive, Treatment};

/// The date of the pages that are made from the code: that of the release (`packaging/deb/changelog`).
pub const DATE: &str = "2026-11-22";

/// What each honoured directive is for.
const EXPLANATIONS: &[(&str, &str)] = &[
    (
        "udpport",
        "UDP port of ucast, ucast6 and bcast; without the line that of ha-cluster in /etc/services, if it is there. Before \
         the first medium; behind it the line has no effect.",
    ),
    ("baud", "Speed of serial lines: 9600, 19200, 38400, 57600, 115200, 230400 or 460800. Before serial."),
    (
        "serial",
        "Heartbeats over a null-modem cable on this device. It is slow: while a node says there what it holds of many groups \
             no heartbeat passes; hbctl check warns where that takes too long.",
    ),
    ("bcast", "Heartbeats by broadcast on this interface."),
    ("udp", "The old name of bcast."),
    ("ucast", "Heartbeats to PEER through the interface DEV. A line that names this node itself does no harm."),
    ("ucast6", "The same to an IPv6 address."),
    ("mcast", "Heartbeats to a multicast group, with a port of its own."),
    ("mcast6", "The same to an IPv6 group."),
    ("ping", "Hosts that are pinged, each a ping node: it shows whether this machine is still connected."),
    ("ping6", "The same with IPv6 addresses."),
    ("ping_group", "Hosts that together are one ping node: one answer is enough."),
    ("hopfudge", "Added to the number of nodes in the field ttl."),
    ("msgfmt", "Whether messages carry the inner digest, too."),
    (
        "compression",
        "How what is too long for one message is compressed. Compressed messages of both kinds are always understood.",
    ),
    ("compression_threshold", "Above how many KiB, with traditional_compression."),
    (
        "traditional_compression",
        "Whether every message above compression_threshold is compressed, on UDP media; on a serial line none is.",
    ),
    ("max_rexmit_delay", "Upper bound of the first, and period of further retransmission requests."),
    (
        "log_badpack",
        "Whether packets that cannot be read or have a wrong digest are logged, once a minute for each sender. They are counted in any case: see hbctl status with --json.",
    ),
    ("node", "The nodes, by `uname -n` or /etc/ha.d/nodeinfo; once each. haresources wants exactly two."),
    ("cluster", "A label, which hbctl status shows. It is not in any message and separates nothing."),
    ("keepalive", "Interval of heartbeats."),
    ("deadtime", "Silence after which the other node is dead; more than twice keepalive."),
    ("warntime", "Silence that is logged as a late heartbeat. Half of deadtime if absent."),
    (
        "initdead",
        "deadtime while this node starts; at least deadtime, better twice that and 10 s. If absent: 12 s with a deadtime up \
         to 6 s, twice deadtime up to 10 s, deadtime above.",
    ),
    ("deadping", "Silence after which a ping node is dead. As deadtime if absent."),
    ("hbgenmethod", "Where the generation number comes from: /var/lib/heartbeat/hb_generation, or the clock."),
    ("uuidfrom", "Where this node's uuid comes from: /var/lib/heartbeat/hb_uuid, or its name."),
    ("autojoin", "Whether unknown nodes may join: they may not."),
    ("auto_failback", "Whether resources return to their preferred node."),
    (
        "stonith",
        "A device that resets the other node; its parameters are in the first line of FILE that is no comment. Nothing \
             of a dead node is taken before it was reset. TYPE is one of cluster-glue's (stonith -L), meatware, or \
             rhcs/NAME for the fence agent fence_NAME. A device that fails is tried again after 5, 10 and 20 s, and \
             then every 30 s. [fence] in hbd.toml(5) replaces these lines for its node.",
    ),
    (
        "stonith_host",
        "The same for the node FROM, or * for every node, with the parameters on the line. Several are tried in turn.",
    ),
    (
        "respawn",
        "A program that runs while this node is active, as USER, in the unit hbd-respawn-N-NAME.service: started again \
             whatever it exits with but 100, given up after 11 lives in 330 s, stopped in reverse order after the resources. \
             With /ipfail at its end nothing is started: the better connected node serves. Programs of Heartbeat's own that \
             need its client socket (pingd, dopd, apphbd, mgmtd, hbagent) are not started, with a warning; those of Pacemaker \
             are refused.",
    ),
    (
        "failfast",
        "The same, and the machine reboots at once when the program exits with anything but 0, or is killed; by TERM, INT, \
             HUP or PIPE it is only started again.",
    ),
    (
        "env",
        "HA_NAME=VALUE in the environment of resource scripts, respawn programs and fencing programs, not of units that \
             exist: write Environment= into those. The directives with one value are there as well, HA_keepalive for example.",
    ),
    ("crm", "Whether Pacemaker manages resources: it may not."),
    ("pacemaker", "Whether Pacemaker manages resources: it may not."),
    (
        "logfile",
        "A file to which everything but debug messages is appended, in Heartbeat's form, besides the journal. Without its \
             directory it is not written.",
    ),
    ("debugfile", "The same with debug messages."),
    ("logfacility", "SYSLOG_FACILITY of what is written to the journal; none for none."),
    ("syslogmsgfmt", "The form of the lines in these files."),
    ("debug", "How much is logged: more than 0 for debug messages. SIGUSR1 raises it by one, SIGUSR2 lowers it."),
    (
        "watchdog",
        "The machine's watchdog: systemd is told to feed it (RuntimeWatchdogSec=20 unless it does already), and guards \
             hbd itself (WatchdogSec=). A stop of hbd does not reset the machine. [watchdog] in hbd.toml(5) lets hbd feed \
             it, as Heartbeat does.",
    ),
    ("realtime", "Whether the heartbeat thread runs in a realtime class with its memory locked."),
    ("rtprio", "Its priority."),
];

/// What a directive is for; empty for a directive without effect.
fn explanation(name: &str) -> &'static str {
    EXPLANATIONS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// Lines that a Heartbeat 3.0.6 accepts and hbd refuses, each with the reason.
pub(super) const STRICTER: &[(&str, &str)] = &[
    (
        "hopfudge 2x",
        "text after a number that is not its unit: Heartbeat ignores it, and what it takes for the number may not be what was meant",
    ),
    ("udpport 70000", "a port above 65535: Heartbeat takes it modulo 65536"),
    (
        "node nodea",
        "a node listed twice: Heartbeat counts two nodes, declares the second dead and takes over from it",
    ),
    ("node ..", "no letter and no digit: no machine has that name"),
    (
        "ucast eth0/x 10.0.0.2",
        "no name of an interface has such characters: Heartbeat ends after it has reported success",
    ),
    ("ucast eth0 224.0.0.9", "not the address of one host: the peer will not be heard"),
    (
        "ping router.example",
        "a name that is not in /etc/hosts: hbd asks no DNS, which may need the services that it starts",
    ),
    ("ping_group g 10.0.0.1 router.example", "the same of a member: Heartbeat leaves it out"),
    ("env COLOUR", "a variable without a value: Heartbeat gives it an undefined one"),
    ("env a-b=c", "a name that no shell takes"),
    ("autojoin any", "a Heartbeat refuses it as well where it manages haresources"),
    ("crm respawn", "it asks for Pacemaker"),
    ("nice_failback on", "it means auto_failback legacy, whatever its value"),
    ("respawn hacluster /usr/lib/heartbeat/ccm", "it belongs to Pacemaker, which is not there"),
    ("deadtime 40000000", "a time above a year"),
    (
        "logfile /var/log/ha\u{a0}log",
        "a character that cannot be seen: Heartbeat takes it as part of the word, which is then another one",
    ),
    ("cluster <%= name %>", "a template that was not filled in"),
    ("debug x", "no number: Heartbeat takes it as 0"),
    ("rds eth0 x", "RDS was a proof of concept; tipc, hbaping and openais are likewise not part of hbd"),
];

/// What hbd does with a directive, and why.
fn treatment_text(directive: &Directive) -> String {
    match directive.treatment {
        Treatment::Honoured => "honoured".to_owned(),
        Treatment::NoEffect(why) => format!("accepted without effect: {why}"),
        Treatment::Refused { why, help } => format!("refused: {why}; {help}"),
    }
}

/// Text with the characters escaped that roff would interpret: a backslash, a minus, and at the beginning of a line a
/// point or an apostrophe.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// The page as roff(7).
pub fn page() -> String {
    let mut page = format!(
        ".TH HBD\\-HA.CF 5 \"{DATE}\" \"hbd {}\" \"hbd\"\n.SH NAME\nhbd\\-ha.cf \\- Heartbeat's configuration ha.cf, as hbd reads \
         it\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(
        ".SH DESCRIPTION\n/etc/ha.d/ha.cf is Heartbeat's file, and stays readable by a Heartbeat on the other node. One \
         directive on a line; # begins a comment. A TIME is in seconds, with a fraction if need be, or in ms or us; hbd also \
         reads s, sec, secs and min, which a Heartbeat does not. What \
         hbd has settings of its own for is in hbd.toml(5), which also overrides a directive with a single value.\n\
         .SH DIRECTIVES\n",
    );
    for directive in DIRECTIVES {
        // A directive with an old name is explained with the new one's syntax.
        let words = directive.syntax.split_once(' ').map_or("", |(_, words)| words);
        let syntax = [directive.name, words].join(" ");
        // Writing into a String cannot fail.
        let _ = writeln!(page, ".TP\n.B {}", escaped(syntax.trim_end()));
        let explanation = explanation(directive.name);
        if !explanation.is_empty() {
            let _ = writeln!(page, "{}", escaped(explanation));
        }
        if let Some(default) = directive.default {
            let _ = writeln!(page, "Default: {}.", escaped(default));
        }
        let _ = writeln!(page, ".br\nhbd: {}.", escaped(treatment_text(directive).trim_end_matches('.')));
    }
    page.push_str(
        ".SH WHAT HEARTBEAT ACCEPTS AND HBD DOES NOT\nSuch a line stops the start, because what it does is not what it says:\n",
    );
    for (line, reason) in STRICTER {
        let _ = writeln!(page, ".TP\n.B {}\n{}.", escaped(line), escaped(reason));
    }
    page.push_str(
        ".SH SEE ALSO\n.BR hbd (8),\n.BR hbctl (8),\n.BR hbd\\-haresources (5),\n.BR hbd\\-authkeys (5),\n\
         .BR hbd.toml (5),\n.BR hbd\\-migration (7)\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_is_explained_and_has_a_result() {
        let page = page();
        for directive in DIRECTIVES {
            let honoured = matches!(directive.treatment, Treatment::Honoured);
            assert!(!honoured || !explanation(directive.name).is_empty(), "{} is not explained", directive.name);
            assert!(page.contains(&format!("hbd: {}", escaped(treatment_text(directive).trim_end_matches('.')))));
        }
        assert_eq!(page.matches("\n.TP\n").count(), DIRECTIVES.len() + STRICTER.len());
        assert!(page.contains(".B udpport PORT\nUDP port") && page.contains("Default: 694."));
    }

    #[test]
    fn the_watchdog_is_explained_with_the_time_that_systemd_is_told() {
        let told = format!("RuntimeWatchdogSec={} ", crate::config::RUNTIME_WATCHDOG.as_secs());
        assert!(explanation("watchdog").contains(&told), "{}", explanation("watchdog"));
    }

    #[test]
    fn the_page_is_good_roff() {
        assert_eq!(escaped(".x -y \\"), "\\&.x \\-y \\e");
        assert!(page().lines().all(|line| !line.starts_with('\'')));
    }
}
