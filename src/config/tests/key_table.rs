//! The table of all keys under KEYS in hbd.toml(5): type, unit, range and default of each, made from the code and
//! compared with the page. `UPDATE_MAN=1 cargo test --lib key_table` renews it.
//!
//! What the reader of the files has as a table of its own is taken from there; what it reads by hand is written here
//! and tried: the ends of each range are accepted, and what is beyond is refused. A key that the reader knows and no
//! row has, or the other way round, fails a test.

use std::fmt::Write as _;

use super::documents::{GROUPS, errors, listed, read, root};
use super::*;
use crate::config::hbd_toml::{keys, notify, record, services, units, watchdog, witness};
use crate::config::value::ValueKind;

/// What a key takes, and what comes of it where it is absent.
#[derive(Debug, Clone)]
struct KeyRow {
    key: &'static str,
    /// In words, with unit and range.
    takes: String,
    /// A value of TOML behind `=`, which changes nothing where it is written; else words.
    default: &'static str,
    /// Values at the ends of the range.
    accepted: &'static [&'static str],
    /// Values beyond it.
    refused: &'static [&'static str],
}

/// A row that is written by hand.
fn row(key: &'static str, takes: &str, default: &'static str) -> KeyRow {
    KeyRow { key, takes: takes.to_owned(), default, accepted: &[], refused: &[] }
}

impl KeyRow {
    fn tried(self, accepted: &'static [&'static str], refused: &'static [&'static str]) -> KeyRow {
        KeyRow { accepted, refused, ..self }
    }
}

/// What a value of that kind is, with its unit and its range.
fn takes(kind: ValueKind) -> String {
    match kind {
        ValueKind::Time { zero: true } => "time in seconds, 0 to a year".to_owned(),
        ValueKind::Time { zero: false } => "time in seconds, more than 0, to a year".to_owned(),
        ValueKind::Bool => "true or false".to_owned(),
        ValueKind::Integer { min, max, unit } => format!("number of {unit}, {min} to {max}"),
        ValueKind::Choice(words) => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            words.join(", ")
        }
        ValueKind::Failback => "true, false or \"legacy\"".to_owned(),
        ValueKind::Path | ValueKind::OptionalPath => "absolute path".to_owned(),
        ValueKind::Text => "text".to_owned(),
    }
}

/// The rows of a table of the reader's own. Each key has its default here.
fn rows(keys: &[(&'static str, ValueKind)], defaults: &[(&str, &'static str)]) -> Vec<KeyRow> {
    let default = |key: &str| {
        let found = defaults.iter().find(|(known, _)| *known == key);
        found.unwrap_or_else(|| panic!("{key} has no default here")).1
    };
    assert_eq!(keys.len(), defaults.len(), "{defaults:?}");
    keys.iter().map(|(key, kind)| row(key, &takes(*kind), default(key))).collect()
}

const SPAN: &str = "time in seconds, or as 5m or 1h 30m, 0 to a year";

fn at_the_top() -> Vec<KeyRow> {
    let lists = "list of lists of groups";
    vec![
        row("failback_after", SPAN, "=0").tried(&["0", "\"8760h\"", "\"1h 30m\""], &["-1", "\"8761h\"", "\"x\""]),
        row("failback_window", "\"HH:MM-HH:MM\", local time, or \"any\"", "=\"any\"")
            .tried(&["\"23:59-00:00\""], &["\"24:00-01:00\"", "\"02:00-02:00\""]),
        row("start_delay", "time in seconds, or as 5m, 0 to 24h", "=0").tried(&["\"24h\""], &["\"25h\"", "-1"]),
        row("together", lists, "no group"),
        row("apart", lists, "no group"),
        row("parallel_starts", "number of groups, 1 or more", "all groups").tried(&["1"], &["0", "-1"]),
    ]
}

/// What [addresses] and a group have in common; `usual` is the default in a group.
fn of_addresses(usual: Option<&'static str>) -> Vec<KeyRow> {
    let or = |default: &'static str| usual.unwrap_or(default);
    vec![
        row("conflict", "\"hold\", \"takeover\"", or("=\"hold\"")).tried(&["\"takeover\""], &["\"fight\""]),
        row("probe", "\"tcp:PORT\", port 1 to 65535, or \"none\"", or("=\"none\""))
            .tried(&["\"tcp:1\"", "\"tcp:65535\""], &["\"tcp:0\"", "\"tcp:65536\"", "\"udp:1\""]),
        row("on_claim", "\"yield\", \"defend\"", or("=\"yield\"")).tried(&["\"defend\""], &["\"fight\""]),
        row("preferred", "true or false", or("=false")),
        row(
            "announce",
            "table: repeat (1 to 100), delay and refresh (times; 0, or 1 s and more), pace (time, 0 to 10s)",
            or("={ repeat = 5, delay = \"10s\", refresh = \"1m\", pace = 0 }"),
        )
        .tried(
            &["{ repeat = 1 }", "{ repeat = 100 }", "{ delay = 1 }", "{ refresh = 0 }", "{ pace = 10 }"],
            &["{ repeat = 0 }", "{ repeat = 101 }", "{ delay = 0.5 }", "{ pace = 11 }"],
        ),
        row("tickle", "true or false", or("=false")),
        row("conntrack", "\"flush\", \"keep\"", or("=\"keep\"")).tried(&["\"flush\""], &["true", "\"drop\""]),
    ]
}

fn of_a_group() -> Vec<KeyRow> {
    let mut rows = of_addresses(Some("as in [addresses]"));
    rows.extend([
        row("name", "letters, digits, - _ and ., at most 56", "the key"),
        row("addresses", "list of texts, as for ip address add", "as ip address add has them"),
        row("routes", "list of texts, as for ip route add", "none"),
        row("rules", "list of texts, as for ip rule add", "none"),
        row("move", "path, list of words, or table: command, timeout (time, more than 0; 60)", "none"),
        row("check", "table, or several", "none"),
        row("ready", "text for the shell, or list of words", "none"),
        row("failback", "\"on\", \"off\"", "auto_failback of ha.cf").tried(&["\"off\""], &["\"legacy\""]),
        row("priority", "number, -1000000 to 1000000", "=0").tried(&["-1000000", "1000000"], &["1000001", "1.5"]),
    ]);
    rows
}

fn of_a_check() -> Vec<KeyRow> {
    let time = takes(ValueKind::Time { zero: false });
    let results = "number of results, 1 to 1000";
    vec![
        row("command", "text for the shell, or list of words", "one of the four"),
        row("tcp", "port, or \"ADDRESS:PORT\"", "one of the four").tried(&["1", "65535"], &["0", "65536"]),
        row("http", "URL, or its path", "one of the four"),
        row("https", "URL, or its path", "one of the four"),
        row("status", "status, or range of statuses, 100 to 599", "200 to 399"),
        row("text", "text in the answer", "any"),
        row("verify", "true or false, with https", "false"),
        row("interval", &time, "10"),
        row("timeout", &time, "5"),
        row("fall", results, "3"),
        row("rise", results, "2"),
        row("restart", "resource of the group", "the last one that is no address"),
    ]
}

/// A heading, and the rows of its table.
type Table = (&'static str, Vec<KeyRow>);

/// Every table with its rows, in the order of the page.
fn tables() -> Vec<Table> {
    let mut tables = vec![("at the top of the file", at_the_top())];
    tables.extend(of_the_pair());
    tables.extend(of_resources());
    tables.extend(of_the_machine());
    tables
}

/// The tables that stand for ha.cf and haresources.
fn of_the_pair() -> Vec<Table> {
    let way = "one of the five";
    let needed = "has to be there";
    let cluster = vec![
        row("name", "text", "cluster of ha.cf"),
        row("nodes", "list of two nodes", needed),
        row("ping", "list of addresses, or of lists of them", "none"),
        row("env", "table of texts", "none"),
    ];
    let link = vec![
        row("interface", "name of an interface, or table of them by node", "none"),
        row("peer", "address, or table of them by node", way),
        row("addresses", "table of addresses by node", way),
        row("broadcast", "true or false", way),
        row("multicast", "group address", way),
        row("serial", "device, or table of them by node", way),
        row("port", "port, 1 to 65535, with multicast", "694"),
        row("ttl", "number, 0 to 255, with multicast", "1"),
        row("loop", "true or false, with multicast", "false"),
    ];
    let mut group = vec![row("node", "node", needed), row("resources", "list of words of haresources", needed)];
    group.extend(of_a_group());
    let program = vec![
        row("user", "user", needed),
        row("command", "path or list of words", needed),
        row("failfast", "true or false", "false"),
    ];
    vec![("[cluster]", cluster), ("[[link]]", link), ("[[group]]", group), ("[[program]]", program)]
}

/// The tables about addresses, groups, units and their health.
fn of_resources() -> Vec<Table> {
    let unit = "300, or the limit of the unit if that is longer";
    let mut addresses = vec![row("lease", "true or false", "=true")];
    addresses.extend(of_addresses(None));
    let defaults = [
        ("start_timeout", unit),
        ("stop_timeout", unit),
        ("stop_failure", "=\"retry\""),
        ("leftovers", "=\"stop\""),
        ("vacate", "true for Filesystem::, else false"),
    ];
    let one = [("vacate", "as in [units]"), ("everywhere", "false")];
    let mut health = rows(
        services::HEALTH_KEYS,
        &[("enabled", "=true"), ("restarts", "=2"), ("within", "=600"), ("stopped", "=\"leave\"")],
    );
    health.push(row("except", "list of groups", "=[]"));
    vec![
        ("[addresses]", addresses),
        ("[groups.\"KEY\"]", of_a_group()),
        ("[groups.\"KEY\".check]", of_a_check()),
        ("[units]", rows(units::KEYS, &defaults)),
        ("[units.\"UNIT\"]", rows(units::UNIT_KEYS, &one)),
        ("[health]", health),
    ]
}

/// The tables about ping nodes, the watchdog, fencing, recordings, keys, mail and the witness.
fn of_the_machine() -> Vec<Table> {
    let ipfail = vec![
        row("enabled", "true or false", "whether a respawn line names ipfail"),
        row("takeover_needs_ping", "true or false", "=false"),
    ];
    let mut watchdog = rows(watchdog::KEYS, &[("feeder", "=\"systemd\""), ("on_hang", "=\"restart\"")]);
    watchdog.push(row("device", "absolute path", "watchdog of ha.cf"));
    let fence = vec![
        row("agent", "name of a fence agent", "agent or stonith"),
        row("stonith", "type of a device of cluster-glue", "agent or stonith"),
        row("parameters", "text, with stonith", "none"),
        row("timeout", &takes(ValueKind::Time { zero: false }), "60"),
    ];
    let mut notify = rows(notify::KEYS, &[("timeout", "30"), ("keepalived", "false")]);
    notify.push(row("command", "path or list of words", "none"));
    let defaults = [
        ("prefix", "\"/hbd/\""),
        ("required", "true"),
        ("ttl", "deadtime, and at least 10; at most 3600"),
        ("ca", "none"),
        ("cert", "none"),
        ("key", "none"),
        ("user", "none"),
        ("password_file", "none"),
    ];
    let mut witness = rows(witness::KEYS, &defaults);
    witness.push(row("endpoints", "list of URLs", "none; has to be there"));
    vec![
        ("[ipfail]", ipfail),
        ("[watchdog]", watchdog),
        ("[fence.\"NODE\"]", fence),
        ("[record]", rows(record::KEYS, &[("enabled", "=true"), ("megabytes", "=16")])),
        ("[keys]", rows(keys::KEYS, &[("require", "=\"crc\"")])),
        ("[notify]", notify),
        ("[witness]", witness),
    ]
}

/// The text of a heading as it stands in a file, with what a table of it needs to be read at all.
fn in_a_file(heading: &str) -> String {
    let heading = heading.replace("KEY", "192.168.17.200/24/eth0").replace("UNIT", "nginx.service");
    match heading.replace("NODE", "nodeb").as_str() {
        "at the top of the file" => String::new(),
        "[groups.\"192.168.17.200/24/eth0\".check]" => format!("{heading}\ninterval = 10\n"),
        "[[group]]" => "[[group]]\nnode = \"nodea\"\nresources = [\"nginx\"]\n".to_owned(),
        "[[program]]" => "[[program]]\nuser = \"root\"\ncommand = \"/bin/true\"\n".to_owned(),
        "[fence.\"nodeb\"]" => "[fence.\"nodeb\"]\nstonith = \"meatware\"\n".to_owned(),
        other => format!("{other}\n"),
    }
}

/// The section of the page.
fn section() -> String {
    let roff = |text: &str| text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    let mut text = String::new();
    for (heading, rows) in tables() {
        let _ = writeln!(text, ".SS {}", roff(heading));
        for KeyRow { key, takes, default, .. } in rows {
            let default = roff(default.trim_start_matches('='));
            let _ = writeln!(text, ".TP\n.B {}\n{}. Default: {default}.", roff(key), roff(&takes));
        }
    }
    text
}

const BEGIN: &str = ".\\\" The keys, made from the code: UPDATE_MAN=1 cargo test --lib key_table\n";
const END: &str = ".\\\" End of the keys.\n";

#[test]
fn the_table_of_keys_in_the_page_is_fresh() {
    let page = read("man/hbd.toml.5");
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (stored, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_MAN").is_some() {
        let renewed = format!("{before}{BEGIN}{}{END}{after}", section());
        fs::write(root().join("man/hbd.toml.5"), renewed).unwrap();
        return;
    }
    assert_eq!(stored, section(), "hbd.toml(5) is stale: UPDATE_MAN=1 cargo test --lib key_table");
}

#[test]
fn no_key_is_forgotten_and_none_is_invented() {
    for (heading, rows) in tables() {
        // At the top any directive of ha.cf with one value may stand, and no hint lists them all.
        if heading == "at the top of the file" {
            let unknown = |row: &&KeyRow| {
                errors(GROUPS, &format!("{} = {{}}\n", row.key)).iter().any(|found| found.message.contains("unknown"))
            };
            assert!(rows.iter().find(unknown).is_none(), "{:?}", rows.iter().find(unknown));
            let [failback, arrangement] = crate::config::hbd_toml::TOP_KEYS;
            assert_eq!(failback.iter().chain(arrangement).count(), rows.len());
            continue;
        }
        let table = match heading {
            "[groups.\"KEY\".check]" => "[groups.\"10.0.0.1\".check]\ntcp = 80\n".to_owned(),
            heading => in_a_file(heading).replace("192.168.17.200/24/eth0", "10.0.0.1"),
        };
        let behind = if rows.len() == 1 { " is " } else { " are " };
        let mut known = listed(&format!("{table}zzzzzz = 1\n"), behind);
        // A table of a device hints at what goes with stonith; with an agent every key is a parameter.
        if heading.starts_with("[fence") {
            known.push("agent".to_owned());
        }
        // The hints of [cluster] and [[group]] name directives and policies, too.
        known.retain(|key| crate::config::directives::find(key).is_none() || rows.iter().any(|row| row.key == key));
        let mut told: Vec<&str> = rows.iter().map(|row| row.key).collect();
        known.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, known, "{heading}");
    }
}

#[test]
fn a_default_changes_nothing_and_a_range_ends_where_the_table_says() {
    let with = |toml: &str| Node::with("").haresources(GROUPS).toml(toml).config();
    let plain = with("");
    let mut tried = 0;
    for (heading, rows) in tables() {
        let table = in_a_file(heading);
        if heading.starts_with("[[") || heading == "[cluster]" {
            continue;
        }
        for KeyRow { key, default, accepted, refused, .. } in rows {
            let line = |value: &str| {
                let check = if heading.ends_with(".check]") && key != "tcp" { "tcp = 80\n" } else { "" };
                format!("{table}{check}{key} = {value}\n")
            };
            if let Some(value) = default.strip_prefix('=') {
                assert_eq!(with(&line(value)), plain, "{heading} {key}");
                tried += 1;
            }
            for value in accepted {
                let found = errors(GROUPS, &line(value));
                assert!(found.is_empty(), "{heading} {key} = {value}: {found:?}");
            }
            for value in refused {
                assert!(!errors(GROUPS, &line(value)).is_empty(), "{heading} {key} = {value} is accepted");
            }
            tried += accepted.len() + refused.len();
        }
    }
    assert!(tried > 60, "{tried}");
}
