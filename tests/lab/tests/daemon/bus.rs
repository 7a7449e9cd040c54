//! What hbd shows on D-Bus, with `hbctl` and in the journal.

use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::records::Record;
use hbd_lab::{Error, Result};
use serde_json::Value;

use crate::pair::{A, B, HBD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};

const NAME: &str = "org.hbd1";
const ROOT: &str = "/org/hbd1";
/// The example's only group, escaped as sd_bus_path_encode(3).
const GROUP: &str = "/org/hbd1/group/_3192_2e168_2e17_2e200_2f24_2feth0";
/// Where `busctl monitor` on nodeb writes.
const MONITOR: &str = "/var/log/lab-monitor.json";
/// local0 of ha.cf's `logfacility` (syslog(3)).
const LOCAL0: &str = "16";

/// What the bus shows, and which user may call what.
pub fn everybody_may_read_and_root_may_reload(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    let node = pair.node(B);
    let seen = node.run(&["busctl", "introspect", NAME, ROOT])?;
    let properties = ["Version", "NodeName", "State", "ResourceState", "AutoFailback", "DeadtimeUSec", "Generation"];
    expect_words("busctl introspect", &seen, &["org.hbd1.Manager", "Reload", "ObjectManager"])?;
    expect_words("busctl introspect", &seen, &properties)?;
    let tree = node.run(&["busctl", "tree", "--list", NAME])?;
    expect_words("busctl tree", &tree, &["/org/hbd1/node/nodea/link/eth1", "/org/hbd1/node/nodeb", GROUP])?;
    let links = node.run(&["busctl", "introspect", NAME, "/org/hbd1/node/nodea"])?;
    expect_words(
        "the object of nodea",
        &links,
        &["org.hbd1.Node", "\"active\"", "Implementation", "LastStatusTimestamp"],
    )?;
    let group = node.run(&["busctl", "introspect", NAME, GROUP])?;
    expect_words("the object of the group", &group, &["org.hbd1.Group", "Owner", "\"nodea\"", "Resources"])?;
    expect("DeadtimeUSec", &property(pair, ROOT, "Manager", "DeadtimeUSec")?, &Value::from(4_000_000))?;

    let nobody = |words: &[&str]| {
        let mut command = vec!["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"];
        command.extend(words);
        node.attempt(&command)
    };
    let read = ["busctl", "get-property", NAME, GROUP, "org.hbd1.Group", "Owner"];
    let read = nobody(&read)?;
    expect_status("reading by nobody", &read, 0)?;
    expect("what nobody reads", &read.stdout.trim(), &"s \"nodea\"")?;
    expect_status("hbctl status by nobody", &nobody(&["hbctl", "status"])?, 0)?;
    let reload = ["busctl", "call", NAME, ROOT, "org.hbd1.Manager", "Reload"];
    let refused = nobody(&reload)?;
    expect_status("Reload by nobody", &refused, 1)?;
    expect_words("Reload by nobody", &refused.stderr, &["denied"])?;
    expect("Reload by root", &node.run(&reload)?.trim(), &"as 0")?;
    Ok(String::new())
}

/// A failover as the survivor's bus, its journal and its hbctl show it.
pub fn a_failover_is_shown_on_the_bus_and_in_the_journal(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    expect_hbctl(pair, A, 0, "nodea")?;
    expect_hbctl(pair, B, 0, "nodea")?;
    let output = format!("--property=StandardOutput=truncate:{MONITOR}");
    let monitor = ["busctl", "--json=short", "monitor", NAME];
    let mut command = vec!["systemd-run", "--quiet", "--unit=lab-monitor", output.as_str()];
    command.extend(monitor);
    pair.node(B).run(&command)?;
    // The monitor is ready when it shows a signal that the test provokes.
    wait_until("busctl to listen", SOON, || {
        pair.node(B).run(&["busctl", "call", NAME, ROOT, "org.hbd1.Manager", "Reload"]).ok()?;
        pair.node(B).read(MONITOR).ok()?.filter(|text| text.contains("Reload"))
    })?;

    let crash = pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, TAKEOVER)?;
    wait_until("the owner to change on the bus", SOON, || {
        (property(pair, GROUP, "Group", "Owner").ok()? == "nodeb").then_some(())
    })?;
    let changes = wait_until("the signal that the owner changed", SOON, || {
        let changes = changes(&pair.node(B).read(MONITOR).ok()??);
        changes
            .iter()
            .any(|change| change == &(GROUP.to_owned(), "Owner".to_owned(), "\"nodeb\"".to_owned()))
            .then_some(changes)
    })?;
    let wanted = [
        ("/org/hbd1/node/nodea", "Status", "\"dead\""),
        ("/org/hbd1/node/nodea/link/eth1", "Status", "\"dead\""),
        (GROUP, "State", "\"active\""),
        (ROOT, "ResourceState", "\"all\""),
    ];
    for (path, name, value) in wanted {
        wait_until(&format!("{name} of {path} to change to {value}"), SOON, || {
            let now = self::changes(&pair.node(B).read(MONITOR).ok()??);
            now.iter().any(|(p, n, v)| (p.as_str(), n.as_str(), v.as_str()) == (path, name, value)).then_some(())
        })?;
    }
    pair.node(B).run(&["systemctl", "stop", "lab-monitor.service"])?;

    expect_hbctl(pair, B, 3, "nodeb")?;
    expect_journal(pair, crash)?;

    let since = now();
    pair.lab.nodes[A].boot()?;
    let stopped = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status without hbd", &stopped, 1)?;
    expect_words("hbctl status without hbd", &stopped.stderr, &["hbd is not running", "systemctl status hbd"])?;
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    expect_hbctl(pair, B, 0, "nodea")?;
    Ok(format!("{} properties changed at the takeover", changes.len()))
}

/// Checks that `hbctl status` ends with this exit status and names the owner, as text and as JSON.
fn expect_hbctl(pair: &Pair, index: usize, status: i32, owner: &str) -> Result<()> {
    let (here, name) = (if NODES[index].name == owner { "active" } else { "stopped" }, NODES[index].name);
    let what = format!("hbctl status on {name}");
    let text = pair.node(index).attempt(&["hbctl", "status"])?;
    expect_status(&what, &text, status)?;
    let row = |line: &&str| line.starts_with("192.168.17.200/24/eth0 ");
    let row: Vec<&str> = text.stdout.lines().find(row).unwrap_or_default().split_whitespace().collect();
    // The time since when the owner has the group stands between the owner and the preferred node.
    expect(&what, &row.get(..3), &Some(&["192.168.17.200/24/eth0", here, owner][..]))?;
    expect(&what, &row.last(), &Some(&"nodea"))?;

    if text.stdout.contains("never") {
        return unexpected(format!("{what} says of a node that it hears that it was never heard:\n{}", text.stdout));
    }

    let json = pair.node(index).attempt(&["hbctl", "status", "--json"])?;
    expect_status(&format!("{what} --json"), &json, status)?;
    let json: Value = serde_json::from_str(&json.stdout)
        .map_err(|error| Error::Unexpected(format!("{what} --json printed {}: {error}", json.stdout)))?;
    expect("its node", &json["node"], &Value::from(name))?;
    expect("its owner", &json["groups"][0]["owner"], &Value::from(owner))
}

/// Checks the record of the death, and the order of all records since then.
fn expect_journal(pair: &Pair, since: f64) -> Result<()> {
    let dead = pair.wait_record(B, since, "node nodea: is dead", SOON)?;
    let wanted = [
        ("MESSAGE_ID", "4612d260ec2948108792840ce3c75e0c"),
        ("PRIORITY", "4"),
        ("HBD_NODE", "nodea"),
        ("HBD_EVENT", "NodeDead"),
        ("SYSLOG_FACILITY", LOCAL0),
        ("SYSLOG_IDENTIFIER", "hbd"),
        ("_SYSTEMD_UNIT", HBD),
    ];
    for (field, value) in wanted {
        expect(&format!("{field} of {:?}", dead.message()), &dead.field(field), &Some(value))?;
    }
    let records = pair.records(B, since)?;
    // Each thread notes the time and then queues the record, so only those of one thread are in order. The core's
    // have an event and name no line of the code.
    let of_core = |record: &Record| record.field("HBD_EVENT").is_some() && record.field("CODE_FILE").is_none();
    for (field, all) in [("__MONOTONIC_TIMESTAMP", true), ("HBD_REALTIME_USEC", false)] {
        let records = records.iter().filter(|record| all || of_core(record));
        let times: Vec<u64> = records.filter_map(|record| record.field(field)?.parse().ok()).collect();
        if times.is_empty() || !times.is_sorted() {
            return unexpected(format!("{field} goes back: {times:?}"));
        }
    }
    let said = dead.field("HBD_REALTIME_USEC").and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0) / 1e6;
    if !(since..=dead.time() + 0.001).contains(&said) {
        return unexpected(format!("said at {said}, written at {}, crash at {since}", dead.time()));
    }
    let text = format!("address {VIP}");
    let complaints: Vec<&str> =
        records.iter().filter(|record| record.priority() <= 3).map(|record| record.message()).collect();
    expect(&format!("complaints after the takeover of {text}"), &complaints, &vec![])
}

fn property(pair: &Pair, path: &str, interface: &str, name: &str) -> Result<Value> {
    pair.node(B).property(NAME, path, &format!("{NAME}.{interface}"), name)
}

/// Object, property and new value of all `PropertiesChanged` that `busctl --json=short monitor` printed.
fn changes(text: &str) -> Vec<(String, String, String)> {
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let signals = messages.filter(|message| message["member"] == "PropertiesChanged");
    signals
        .flat_map(|signal| {
            let path = signal["path"].as_str().unwrap_or_default().to_owned();
            let changed = signal["payload"]["data"][1].as_object().cloned().unwrap_or_default();
            changed.into_iter().map(move |(name, value)| (path.clone(), name, value["data"].to_string()))
        })
        .collect()
}
