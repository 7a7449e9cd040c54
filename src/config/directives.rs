//! Every directive of ha.cf in one table: the single source for the parser, the defaults and the hints (04 §1.6–1.10).
//!
//! Owns names, kinds, defaults, legality and what hbd does with each. Never parses a line.

use super::value::{Kind, MAX_TIME_MS, nearest};

/// One directive of ha.cf.
#[derive(Debug)]
pub(super) struct Directive {
    pub name: &'static str,
    pub form: Form,
    pub status: Status,
    /// What an absent directive means, as it would be written.
    pub default: Option<&'static str>,
    /// Heartbeat's own text for a bad value, `{}` standing for the value; empty where it has none.
    pub bad: &'static str,
    /// Heartbeat's own text for a second value, where it refuses one.
    pub again: &'static str,
    /// How it is written.
    pub syntax: &'static str,
}

/// How the words after the name are read. `Setting` and `List` split at blanks and commas, `Line` at blanks only.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// One value; the last one counts.
    Setting(Kind),
    /// Any number of values, each on its own.
    List(List),
    /// The rest of the line belongs together.
    Line(Line),
}

/// Directives whose values add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
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
    /// Values are not looked at.
    Opaque,
}

/// Directives that take the rest of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
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
    /// Values are not looked at.
    Opaque,
}

/// What hbd does with a directive (04 §1.5).
#[derive(Debug, Clone, Copy)]
pub(super) enum Status {
    /// Honoured.
    Honoured,
    /// Accepted without effect; says why.
    NoEffect(&'static str),
    /// Refused; what to do instead.
    Refused { why: &'static str, help: &'static str },
}

const fn row(name: &'static str, form: Form, status: Status, syntax: &'static str) -> Directive {
    Directive { name, form, status, default: None, bad: "", again: "", syntax }
}

const fn setting(name: &'static str, kind: Kind, syntax: &'static str) -> Directive {
    row(name, Form::Setting(kind), Status::Honoured, syntax)
}

const fn idle(name: &'static str, kind: Kind, why: &'static str, syntax: &'static str) -> Directive {
    row(name, Form::Setting(kind), Status::NoEffect(why), syntax)
}

const fn refused(name: &'static str, form: Form, why: &'static str, help: &'static str) -> Directive {
    row(name, form, Status::Refused { why, help }, "")
}

impl Directive {
    const fn default(mut self, text: &'static str) -> Directive {
        self.default = Some(text);
        self
    }

    const fn bad(mut self, text: &'static str) -> Directive {
        self.bad = text;
        self
    }

    const fn again(mut self, text: &'static str) -> Directive {
        self.again = text;
        self
    }

    /// The kind of a scalar directive.
    pub(super) fn kind(&self) -> Option<&Kind> {
        match &self.form {
            Form::Setting(kind) => Some(kind),
            Form::List(_) | Form::Line(_) => None,
        }
    }

    /// How to write it, as a hint.
    pub(super) fn usage(&self) -> String {
        format!("the syntax is `{}`", self.syntax)
    }

    /// Whether hbd.toml and the environment may override it: the scalars that mean something to hbd.
    pub(super) fn overridable(&self) -> bool {
        self.kind().is_some() && matches!(self.status, Status::Honoured)
    }

    /// The message for a bad value: Heartbeat's text where it has one, and the reason.
    pub(super) fn complaint(&self, value: &str, why: &str) -> String {
        if self.bad.is_empty() {
            format!("bad value in `{} {value}`: {why}", self.name)
        } else {
            format!("{}: {why}", self.bad.replace("{}", value))
        }
    }
}

/// The directive of that exact name.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.name == name)
}

/// What to write instead of an unknown name.
pub(super) fn suggestion(name: &str) -> String {
    match nearest(name, DIRECTIVES.iter().map(|directive| directive.name)) {
        Some(near) if near.eq_ignore_ascii_case(name) => format!("directive names are lower case: write `{near}`"),
        Some(near) => format!("did you mean `{near}`?"),
        None => "see ha.cf(5) for the directives; `#` begins a comment".into(),
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

const POSITIVE_TIME: Kind = Kind::Time { zero: false };
const ANY_TIME: Kind = Kind::Time { zero: true };
const GENERATION: Kind = Kind::Choice(&[("file", "File"), ("time", "Time")]);
const UUID_FROM: Kind = Kind::Choice(&[("file", "File"), ("nodename", "NodeName")]);
const FORMAT: Kind = Kind::Choice(&[("classic", "Classic"), ("netstring", "Netstring")]);
const MODULE: Kind = Kind::Choice(&[("zlib", "Zlib"), ("bz2", "Bz2")]);

const fn number(min: u64, max: u64, unit: &'static str) -> Kind {
    Kind::Integer { min, max, unit }
}

/// The complete list.
pub(super) static DIRECTIVES: &[Directive] = &[
    // 04 §1.6 communication
    setting("udpport", number(1, 65535, ""), "udpport PORT")
        .default("694")
        .bad("heartbeat: invalid port [{}] specified."),
    setting("baud", Kind::Choice(BAUD), "baud RATE")
        .default("19200")
        .bad("heartbeat: invalid baudrate [{}] specified.")
        .again("heartbeat: Baudrate multiply specified."),
    row("serial", Form::List(List::Serial), Status::Honoured, "serial DEV…"),
    row("bcast", Form::List(List::Bcast), Status::Honoured, "bcast DEV…"),
    row("udp", Form::List(List::Udp), Status::Honoured, "bcast DEV…"),
    row("ucast", Form::Line(Line::Ucast), Status::Honoured, "ucast DEV PEER"),
    row("ucast6", Form::Line(Line::Ucast6), Status::Honoured, "ucast6 DEV ADDR"),
    row("mcast", Form::Line(Line::Mcast), Status::Honoured, "mcast DEV GROUP PORT TTL LOOP"),
    row("mcast6", Form::Line(Line::Mcast6), Status::Honoured, "mcast6 DEV GROUP PORT HOPS LOOP"),
    row("ping", Form::List(List::Ping), Status::Honoured, "ping HOST…"),
    row("ping6", Form::List(List::Ping6), Status::Honoured, "ping6 ADDR…"),
    row("ping_group", Form::Line(Line::PingGroup), Status::Honoured, "ping_group NAME HOST…"),
    refused("hbaping", Form::List(List::Opaque), "fibre-channel ping is not part of hbd", "use `ping HOST`"),
    refused("openais", Form::List(List::Opaque), "openais was removed in Heartbeat 3.0.6", GONE_MEDIUM),
    refused("rds", Form::Line(Line::Opaque), "RDS was a proof of concept its authors called broken", GONE_MEDIUM),
    refused("tipc", Form::Line(Line::Opaque), "TIPC is not part of hbd", GONE_MEDIUM),
    setting("hopfudge", number(0, 255, ""), "hopfudge N").default("1"),
    setting("msgfmt", FORMAT, "msgfmt classic|netstring").default("classic"),
    setting("compression", MODULE, "compression zlib|bz2").default("zlib").bad("Compression module({}) not found"),
    setting("compression_threshold", number(1, 1 << 20, "KB"), "compression_threshold KB")
        .default("2")
        .bad("set_compression_threshold: compress_threshhold({}) invalid"),
    setting("traditional_compression", Kind::Bool, "traditional_compression on|off")
        .default("no")
        .bad("set_traditional_compression:Invalid directive value {}"),
    setting("max_rexmit_delay", number(1, MAX_TIME_MS, "milliseconds"), "max_rexmit_delay MS")
        .default("250")
        .bad("Invalid max_rexmit_delay time({})"),
    setting("log_badpack", Kind::Bool, "log_badpack on|off").default("true"),
    // 04 §1.7 nodes, identity, timing
    row("node", Form::List(List::Node), Status::Honoured, "node NAME…"),
    setting("cluster", Kind::Text, "cluster NAME").default("linux-ha"),
    setting("keepalive", POSITIVE_TIME, "keepalive TIME").default("1000ms"),
    setting("deadtime", ANY_TIME, "deadtime TIME").default("30000ms"),
    setting("warntime", POSITIVE_TIME, "warntime TIME").bad("Warn time [{}] is invalid."),
    setting("initdead", ANY_TIME, "initdead TIME"),
    setting("deadping", ANY_TIME, "deadping TIME"),
    setting("hbgenmethod", GENERATION, "hbgenmethod file|time")
        .default("file")
        .bad("Illegal hb generation method [{}]"),
    setting("uuidfrom", UUID_FROM, "uuidfrom file|nodename").default("file").bad("Invalid uuidfrom directive [{}]"),
    row("autojoin", Form::List(List::Autojoin), Status::Honoured, "autojoin none"),
    idle("quorum_server", Kind::Text, "hbd has no quorum plug-in", "quorum_server HOST"),
    // 04 §1.8 resource policy, fencing, children, client access
    setting("auto_failback", Kind::Failback, "auto_failback on|off").default("legacy"),
    refused(
        "nice_failback",
        Form::List(List::Opaque),
        "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead.",
        "write auto_failback on or off",
    ),
    row("stonith", Form::Line(Line::Stonith), Status::Honoured, "stonith TYPE FILE"),
    row("stonith_host", Form::Line(Line::StonithHost), Status::Honoured, "stonith_host FROM TYPE PARAMS…"),
    row("respawn", Form::Line(Line::Child), Status::Honoured, "respawn USER /PATH ARGS…"),
    row("failfast", Form::Line(Line::Child), Status::Honoured, "failfast USER /PATH ARGS…"),
    row(
        "apiauth",
        Form::Line(Line::Apiauth),
        Status::NoEffect("clients use D-Bus, where the bus policy and polkit decide"),
        "apiauth CLIENT [uid=LIST] [gid=LIST]",
    ),
    row("env", Form::List(List::Env), Status::Honoured, "env NAME=VALUE…"),
    row("crm", Form::List(List::Crm), Status::Honoured, "crm off"),
    row("pacemaker", Form::List(List::Crm), Status::Honoured, "pacemaker off"),
    idle("crm_daemon_dir", Kind::Text, NO_PACEMAKER, "crm_daemon_dir DIR"),
    idle("crmd_spawns_pengine", Kind::Bool, NO_PACEMAKER, "crmd_spawns_pengine on|off"),
    idle("record_config_changes", Kind::Bool, NO_PACEMAKER, "record_config_changes on|off")
        .bad("ha_config_check_boolean:Invalid directive value {}"),
    idle("record_pengine_inputs", Kind::Bool, NO_PACEMAKER, "record_pengine_inputs on|off")
        .bad("ha_config_check_boolean:Invalid directive value {}"),
    idle("enable_config_writes", Kind::Bool, NO_PACEMAKER, "enable_config_writes on|off")
        .bad("ha_config_check_boolean:Invalid directive value {}"),
    // 04 §1.9 logging
    setting("logfile", Kind::Path, "logfile PATH"),
    setting("debugfile", Kind::Path, "debugfile PATH"),
    setting("logfacility", Kind::Choice(FACILITIES), "logfacility NAME").bad("Log facility({}) not valid"),
    idle("use_logd", Kind::Bool, "journald is used", "use_logd on|off"),
    idle("conn_logd_time", POSITIVE_TIME, "journald is used", "conn_logd_time TIME"),
    setting("syslogmsgfmt", Kind::Bool, "syslogmsgfmt on|off").default("true"),
    setting("debug", number(0, 255, ""), "debug N").default("0"),
    // 04 §1.10 process behaviour
    setting("watchdog", Kind::Path, "watchdog DEV").again("heartbeat: Watchdog device multiply specified."),
    setting("realtime", Kind::Bool, "realtime on|off").default("true"),
    setting("rtprio", number(1, 99, ""), "rtprio N").default("1").bad("Illegal realtime priority [{}]"),
    idle("memreserve", number(1, 1 << 30, "KB"), "hbd locks what it needs", "memreserve KB"),
    idle("coredumps", Kind::Bool, "systemd-coredump and LimitCORE= decide", "coredumps on|off"),
    idle("coreroot", Kind::Path, "systemd-coredump decides", "coreroot DIR").bad("Invalid core directory [{}]"),
    idle("use_apphbd", Kind::Bool, "systemd's WatchdogSec= does that", "use_apphbd on|off"),
    refused("normalpoll", Form::List(List::Opaque), "it exists in no known build of Heartbeat", "remove the line"),
];
