//! Every directive of ha.cf in one table, from which the parser, the defaults, the hints and hbd-ha.cf(5) are made
//! (04 §1.6–1.10).
//!
//! Owns the name, the values, the default and the treatment of each directive. Never parses a line.

use super::value::{MAX_TIME_MS, ValueKind, nearest};

/// One directive of ha.cf.
#[derive(Debug)]
pub(super) struct Directive {
    pub name: &'static str,
    pub form: DirectiveForm,
    pub treatment: Treatment,
    /// What an absent directive means, as it would be written.
    pub default: Option<&'static str>,
    /// Heartbeat's own text for a bad value, with `{}` in place of the value; empty where Heartbeat has none.
    pub complaint_format: &'static str,
    /// Heartbeat's own text for a second value; empty where Heartbeat accepts one.
    pub second_value_complaint: &'static str,
    /// How it is written, for hints and the manual; empty for a refused directive.
    pub syntax: &'static str,
}

/// How the words after the name are read. `Setting` and `List` split at blanks and commas, `Line` at blanks only.
#[derive(Debug, Clone, Copy)]
pub(super) enum DirectiveForm {
    /// One value; the last one counts.
    Setting(ValueKind),
    /// Any number of values, each read by itself.
    List(ListDirective),
    /// The words of the line form one statement.
    Line(LineDirective),
}

/// Directives whose values add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListDirective {
    Node,
    Serial,
    Bcast,
    /// `udp`, the old name of bcast.
    Udp,
    Ping,
    Ping6,
    Env,
    Autojoin,
    /// `crm` and `pacemaker`.
    Crm,
    /// The values are ignored.
    Opaque,
}

/// Directives that take the rest of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineDirective {
    Ucast,
    Ucast6,
    Mcast,
    Mcast6,
    PingGroup,
    Stonith,
    StonithHost,
    /// `respawn` and `failfast`.
    Child,
    Apiauth,
    /// The values are ignored.
    Opaque,
}

/// What hbd does with a directive (04 §1.5).
#[derive(Debug, Clone, Copy)]
pub(super) enum Treatment {
    /// Honoured.
    Honoured,
    /// Accepted without effect, for this reason.
    NoEffect(&'static str),
    /// Refused, for this reason, and what to do instead.
    Refused { why: &'static str, help: &'static str },
}

const fn row(name: &'static str, form: DirectiveForm, treatment: Treatment, syntax: &'static str) -> Directive {
    Directive { name, form, treatment, default: None, complaint_format: "", second_value_complaint: "", syntax }
}

const fn setting(name: &'static str, kind: ValueKind, syntax: &'static str) -> Directive {
    row(name, DirectiveForm::Setting(kind), Treatment::Honoured, syntax)
}

const fn list(name: &'static str, kind: ListDirective, syntax: &'static str) -> Directive {
    row(name, DirectiveForm::List(kind), Treatment::Honoured, syntax)
}

const fn line(name: &'static str, kind: LineDirective, syntax: &'static str) -> Directive {
    row(name, DirectiveForm::Line(kind), Treatment::Honoured, syntax)
}

const fn without_effect(name: &'static str, kind: ValueKind, why: &'static str, syntax: &'static str) -> Directive {
    row(name, DirectiveForm::Setting(kind), Treatment::NoEffect(why), syntax)
}

const fn refused(name: &'static str, form: DirectiveForm, why: &'static str, help: &'static str) -> Directive {
    row(name, form, Treatment::Refused { why, help }, "")
}

impl Directive {
    const fn default(mut self, text: &'static str) -> Directive {
        self.default = Some(text);
        self
    }

    const fn complaint_format(mut self, text: &'static str) -> Directive {
        self.complaint_format = text;
        self
    }

    const fn second_value_complaint(mut self, text: &'static str) -> Directive {
        self.second_value_complaint = text;
        self
    }

    /// The kind of a scalar directive.
    pub(super) fn kind(&self) -> Option<&ValueKind> {
        match &self.form {
            DirectiveForm::Setting(kind) => Some(kind),
            DirectiveForm::List(_) | DirectiveForm::Line(_) => None,
        }
    }

    /// How to write it, as a hint.
    pub(super) fn usage(&self) -> String {
        format!("the syntax is `{}`", self.syntax)
    }

    /// Whether hbd.toml and the environment may override it: true for directives with one value that hbd honours.
    pub(super) fn overridable(&self) -> bool {
        self.kind().is_some() && matches!(self.treatment, Treatment::Honoured)
    }

    /// The message for a bad value: Heartbeat's text where it has one, and the reason.
    pub(super) fn complaint(&self, value: &str, why: &str) -> String {
        if self.complaint_format.is_empty() {
            format!("bad value in `{} {value}`: {why}", self.name)
        } else {
            format!("{}: {why}", self.complaint_format.replace("{}", value))
        }
    }
}

/// The directive of that exact name.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.name == name)
}

/// The directive that an unknown name is probably meant to be.
pub(super) fn nearest_to(name: &str) -> Option<&'static Directive> {
    nearest(name, DIRECTIVES.iter().map(|directive| directive.name)).and_then(find)
}

/// What to write instead of an unknown name.
pub(super) fn suggestion(name: &str) -> String {
    match nearest_to(name).map(|directive| directive.name) {
        Some(near) if near.eq_ignore_ascii_case(name) => format!("directive names are lower case: write `{near}`"),
        Some(near) => format!("did you mean `{near}`?"),
        None => "see hbd-ha.cf(5) for the directives; `#` begins a comment".into(),
    }
}

/// Legal syslog facilities (04 §1.9).
const FACILITIES: &[(&str, &str)] = &[
    ("none", "none"),
    ("auth", "auth"),
    ("authpriv", "authpriv"),
    ("cron", "cron"),
    ("daemon", "daemon"),
    ("ftp", "ftp"),
    ("kern", "none"),
    ("lpr", "lpr"),
    ("mail", "mail"),
    ("news", "news"),
    ("syslog", "syslog"),
    ("user", "user"),
    ("uucp", "uucp"),
    ("local0", "local0"),
    ("local1", "local1"),
    ("local2", "local2"),
    ("local3", "local3"),
    ("local4", "local4"),
    ("local5", "local5"),
    ("local6", "local6"),
    ("local7", "local7"),
];

const BAUD: &[(&str, &str)] = &[
    ("9600", "9600"),
    ("19200", "19200"),
    ("38400", "38400"),
    ("57600", "57600"),
    ("115200", "115200"),
    ("230400", "230400"),
    ("460800", "460800"),
];

const NO_PACEMAKER: &str = "it belongs to Pacemaker, which hbd does not run";
const GONE_MEDIUM: &str = "use `ucast DEV PEER`";

const POSITIVE_TIME: ValueKind = ValueKind::Time { zero: false };
const ANY_TIME: ValueKind = ValueKind::Time { zero: true };
const GENERATION: ValueKind = ValueKind::Choice(&[("file", "File"), ("time", "Time")]);
const UUID_FROM: ValueKind = ValueKind::Choice(&[("file", "File"), ("nodename", "NodeName")]);
const FORMAT: ValueKind = ValueKind::Choice(&[("classic", "Classic"), ("netstring", "Netstring")]);
const MODULE: ValueKind = ValueKind::Choice(&[("zlib", "Zlib"), ("bz2", "Bz2")]);

const fn number(min: u64, max: u64, unit: &'static str) -> ValueKind {
    ValueKind::Integer { min, max, unit }
}

/// The complete list.
pub(super) static DIRECTIVES: &[Directive] = &[
    // Communication, 04 §1.6.
    setting("udpport", number(1, 65535, ""), "udpport PORT")
        .default("694")
        .complaint_format("heartbeat: invalid port [{}] specified."),
    setting("baud", ValueKind::Choice(BAUD), "baud RATE")
        .default("19200")
        .complaint_format("heartbeat: invalid baudrate [{}] specified.")
        .second_value_complaint("heartbeat: Baudrate multiply specified."),
    list("serial", ListDirective::Serial, "serial DEV…"),
    list("bcast", ListDirective::Bcast, "bcast DEV…"),
    list("udp", ListDirective::Udp, "bcast DEV…"),
    line("ucast", LineDirective::Ucast, "ucast DEV PEER"),
    line("ucast6", LineDirective::Ucast6, "ucast6 DEV ADDR"),
    line("mcast", LineDirective::Mcast, "mcast DEV GROUP PORT TTL LOOP"),
    line("mcast6", LineDirective::Mcast6, "mcast6 DEV GROUP PORT HOPS LOOP"),
    list("ping", ListDirective::Ping, "ping HOST…"),
    list("ping6", ListDirective::Ping6, "ping6 ADDR…"),
    line("ping_group", LineDirective::PingGroup, "ping_group NAME HOST…"),
    refused(
        "hbaping",
        DirectiveForm::List(ListDirective::Opaque),
        "fibre-channel ping is not part of hbd",
        "use `ping HOST`",
    ),
    refused(
        "openais",
        DirectiveForm::List(ListDirective::Opaque),
        "openais was removed in Heartbeat 3.0.6",
        GONE_MEDIUM,
    ),
    refused(
        "rds",
        DirectiveForm::Line(LineDirective::Opaque),
        "RDS was a proof of concept its authors called broken",
        GONE_MEDIUM,
    ),
    refused("tipc", DirectiveForm::Line(LineDirective::Opaque), "TIPC is not part of hbd", GONE_MEDIUM),
    setting("hopfudge", number(0, 255, ""), "hopfudge N").default("1"),
    setting("msgfmt", FORMAT, "msgfmt classic|netstring").default("classic"),
    setting("compression", MODULE, "compression zlib|bz2")
        .default("zlib")
        .complaint_format("Compression module({}) not found"),
    setting("compression_threshold", number(1, 1 << 20, "KB"), "compression_threshold KB")
        .default("2")
        .complaint_format("set_compression_threshold: compress_threshhold({}) invalid"),
    setting("traditional_compression", ValueKind::Bool, "traditional_compression on|off")
        .default("no")
        .complaint_format("set_traditional_compression:Invalid directive value {}"),
    setting("max_rexmit_delay", number(1, MAX_TIME_MS, "milliseconds"), "max_rexmit_delay MS")
        .default("250")
        .complaint_format("Invalid max_rexmit_delay time({})"),
    setting("log_badpack", ValueKind::Bool, "log_badpack on|off").default("true"),
    // Nodes, identity, timing, 04 §1.7.
    list("node", ListDirective::Node, "node NAME…"),
    setting("cluster", ValueKind::Text, "cluster NAME").default("linux-ha"),
    setting("keepalive", POSITIVE_TIME, "keepalive TIME").default("1000ms"),
    setting("deadtime", ANY_TIME, "deadtime TIME").default("30000ms"),
    setting("warntime", POSITIVE_TIME, "warntime TIME").complaint_format("Warn time [{}] is invalid."),
    setting("initdead", ANY_TIME, "initdead TIME"),
    setting("deadping", ANY_TIME, "deadping TIME"),
    setting("hbgenmethod", GENERATION, "hbgenmethod file|time")
        .default("file")
        .complaint_format("Illegal hb generation method [{}]"),
    setting("uuidfrom", UUID_FROM, "uuidfrom file|nodename")
        .default("file")
        .complaint_format("Invalid uuidfrom directive [{}]"),
    list("autojoin", ListDirective::Autojoin, "autojoin none"),
    without_effect("quorum_server", ValueKind::Text, "hbd has no quorum plug-in", "quorum_server HOST"),
    // Resource policy, fencing, children, access of clients, 04 §1.8.
    setting("auto_failback", ValueKind::Failback, "auto_failback on|off").default("legacy"),
    refused(
        "nice_failback",
        DirectiveForm::List(ListDirective::Opaque),
        "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead.",
        "write auto_failback on or off",
    ),
    line("stonith", LineDirective::Stonith, "stonith TYPE FILE"),
    line("stonith_host", LineDirective::StonithHost, "stonith_host FROM TYPE PARAMS…"),
    line("respawn", LineDirective::Child, "respawn USER /PATH ARGS…"),
    line("failfast", LineDirective::Child, "failfast USER /PATH ARGS…"),
    row(
        "apiauth",
        DirectiveForm::Line(LineDirective::Apiauth),
        Treatment::NoEffect("clients use D-Bus, where the bus policy and polkit decide"),
        "apiauth CLIENT [uid=LIST] [gid=LIST]",
    ),
    list("env", ListDirective::Env, "env NAME=VALUE…"),
    list("crm", ListDirective::Crm, "crm off"),
    list("pacemaker", ListDirective::Crm, "pacemaker off"),
    without_effect("crm_daemon_dir", ValueKind::Text, NO_PACEMAKER, "crm_daemon_dir DIR"),
    without_effect("crmd_spawns_pengine", ValueKind::Bool, NO_PACEMAKER, "crmd_spawns_pengine on|off"),
    without_effect("record_config_changes", ValueKind::Bool, NO_PACEMAKER, "record_config_changes on|off")
        .complaint_format("ha_config_check_boolean:Invalid directive value {}"),
    without_effect("record_pengine_inputs", ValueKind::Bool, NO_PACEMAKER, "record_pengine_inputs on|off")
        .complaint_format("ha_config_check_boolean:Invalid directive value {}"),
    without_effect("enable_config_writes", ValueKind::Bool, NO_PACEMAKER, "enable_config_writes on|off")
        .complaint_format("ha_config_check_boolean:Invalid directive value {}"),
    // Logging, 04 §1.9.
    setting("logfile", ValueKind::OptionalPath, "logfile PATH"),
    setting("debugfile", ValueKind::OptionalPath, "debugfile PATH"),
    setting("logfacility", ValueKind::Choice(FACILITIES), "logfacility NAME")
        .complaint_format("Log facility({}) not valid"),
    without_effect("use_logd", ValueKind::Bool, "journald is used", "use_logd on|off"),
    without_effect("conn_logd_time", POSITIVE_TIME, "journald is used", "conn_logd_time TIME"),
    setting("syslogmsgfmt", ValueKind::Bool, "syslogmsgfmt on|off").default("true"),
    setting("debug", number(0, 255, ""), "debug N").default("0"),
    // The process, 04 §1.10.
    setting("watchdog", ValueKind::OptionalPath, "watchdog DEV")
        .second_value_complaint("heartbeat: Watchdog device multiply specified."),
    setting("realtime", ValueKind::Bool, "realtime on|off").default("true"),
    setting("rtprio", number(1, 99, ""), "rtprio N").default("1").complaint_format("Illegal realtime priority [{}]"),
    without_effect("memreserve", number(1, 1 << 30, "KB"), "hbd locks what it needs", "memreserve KB"),
    without_effect("coredumps", ValueKind::Bool, "systemd-coredump and LimitCORE= decide", "coredumps on|off"),
    without_effect("coreroot", ValueKind::Path, "systemd-coredump decides", "coreroot DIR")
        .complaint_format("Invalid core directory [{}]"),
    without_effect("use_apphbd", ValueKind::Bool, "systemd's WatchdogSec= does that", "use_apphbd on|off"),
    refused(
        "normalpoll",
        DirectiveForm::List(ListDirective::Opaque),
        "it exists in no known build of Heartbeat",
        "remove the line",
    ),
];
