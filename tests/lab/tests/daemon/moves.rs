//! Addresses that announcements do not move: the program of `move`, and an address that a routing daemon would
//! announce. What else belongs to an address: its form, and that it is the source of connections.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_or_explain};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, expect, expect_status, expect_words, unexpected};

/// The unit of the example's address.
const UNIT: &str = "hbd-move-192.168.17.200.service";
const SETTINGS: &str = "/etc/hbd/hbd.toml.d/move.toml";
const PROGRAM: &str = "/usr/local/sbin/lab-move";
const LOG: &str = "/var/log/lab-moved";
/// It notes how it was called, and what was there then.
const SCRIPT: &str = r#"there=$(ip -oneline address show dev "$HBD_INTERFACE" to "$1" | grep -c "$1/")
echo "$2 $1 $HBD_NODE $HBD_PEER address=$there web=$(systemctl is-active nginx.service)" >>/var/log/lab-moved
"#;

/// Installs the program, a shell script, on a node.
fn install(pair: &Pair, index: usize, script: &str) -> Result<()> {
    pair.node(index).write_mode(PROGRAM, &format!("#!/bin/sh\n{script}"), 0o755)
}

/// Both stopped, with this value of `move`.
fn stop_with_move(pair: &mut Pair, value: &str) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        let settings = format!("[groups.\"192.168.17.200/24/eth0\"]\nmove = {value}\n");
        pair.node(index).write(SETTINGS, &settings)?;
        pair.node(index).run(&["rm", "-f", LOG])?;
    }
    Ok(())
}

/// What a stop calls must be there until then.
fn clean(pair: &mut Pair) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", SETTINGS, PROGRAM, LOG])?;
    }
    Ok(())
}

fn called(pair: &Pair, index: usize) -> Result<Vec<String>> {
    let text = pair.node(index).read(LOG)?.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

fn wait_called(pair: &Pair, index: usize, lines: &[&str]) -> Result<()> {
    wait_or_explain(&format!("the program on {} to be called {lines:?}", NODES[index].name), SOON, || {
        let seen = called(pair, index).map_err(|error| error.to_string())?;
        if seen == lines { Ok(()) } else { Err(format!("{seen:?}")) }
    })
}

/// It takes the address when that is on the interface and before the service starts, releases it when the service has
/// stopped and before the address goes, and is not called by a restart of hbd.
pub fn a_program_moves_the_address_of_its_group(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        install(pair, index, SCRIPT)?;
    }
    stop_with_move(pair, &format!("\"{PROGRAM}\""))?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    let took = "take 192.168.17.200 nodea nodeb address=1 web=inactive";
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    // A node that starts first may have served for a moment.
    expect("the last call on nodea", &called(pair, A)?.pop().as_deref(), &Some(took))?;
    pair.wait_unit(A, UNIT, "active", SOON)?;
    let status = pair.node(A).run(&["hbctl", "status"])?;
    expect_words("hbctl status", &status, &[UNIT])?;
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", LOG])?;
    }

    let since = now();
    pair.node(A).systemctl("restart", HBD)?;
    pair.wait_stable(since)?;
    expect("the calls during a restart of hbd", &called(pair, A)?, &Vec::new())?;

    pair.node(A).run(&["hbctl", "standby"])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    wait_called(pair, A, &["release 192.168.17.200 nodea nodeb address=1 web=inactive"])?;
    wait_called(pair, B, &["take 192.168.17.200 nodeb nodea address=1 web=inactive"])?;
    pair.wait_unit(A, UNIT, "inactive", SOON)?;
    clean(pair)?;
    Ok(String::new())
}

/// A program that does not end in time has failed, with all that it started: it is asked to release, and the other
/// node serves.
pub fn a_move_that_hangs_moves_the_group(pair: &mut Pair) -> Result<String> {
    install(pair, A, &format!("{SCRIPT}[ \"$2\" = release ] || {{ sleep 301; true; }}\n"))?;
    install(pair, B, SCRIPT)?;
    stop_with_move(pair, &format!("{{ command = \"{PROGRAM}\", timeout = 5 }}"))?;
    let since = pair.start_with(None)?;
    let failed = pair.wait_record(A, since, "did not start", START)?;
    expect_words("the record", failed.message(), &["move::192.168.17.200"])?;
    pair.lab.wait_owner(B, START)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    let calls = called(pair, A)?;
    let words: Vec<&str> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    if words.first() != Some(&"take") || words.last() != Some(&"release") {
        return unexpected(format!("the program on nodea was called {calls:?}"));
    }
    expect_status("pgrep", &pair.node(A).attempt(&["pgrep", "-f", "sleep 301"])?, 1)?;
    clean(pair)?;
    Ok(String::new())
}

/// The example for Amazon's cloud, with a cloud that is a file: it asks for the address where that is missing, and
/// waits until it is there.
pub fn the_example_moves_an_address_in_a_cloud(pair: &mut Pair) -> Result<String> {
    let example = hbd_lab::project_root().join("packaging/examples/move-aws");
    let text = std::fs::read_to_string(&example).map_err(hbd_lab::Error::file(example.display().to_string()))?;
    let curl = "for url; do :; done\ncase $url in */token) echo secret;; */region) echo eu-lab-1;;\n\
                */interface-id) echo eni-7;; *) exit 22;; esac\n";
    let aws = "case $2 in describe-network-interfaces) cat /var/lib/lab-cloud;;\n\
               *) echo \"$*\" >>/var/log/lab-moved; (sleep 2; echo 192.168.17.200 >/var/lib/lab-cloud) & ;; esac\n";
    for index in [A, B] {
        let node = pair.node(index);
        node.write_mode(PROGRAM, &text, 0o755)?;
        node.write_mode("/usr/local/bin/curl", &format!("#!/bin/sh\n{curl}"), 0o755)?;
        node.write_mode("/usr/local/bin/aws", &format!("#!/bin/sh\n{aws}"), 0o755)?;
        node.write("/var/lib/lab-cloud", "192.168.17.7\t192.168.17.8\n")?;
    }
    stop_with_move(pair, &format!("{{ command = \"{PROGRAM}\", timeout = 30 }}"))?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    let asked = "ec2 assign-private-ip-addresses --region eu-lab-1 --network-interface-id eni-7 \
                 --private-ip-addresses 192.168.17.200 --allow-reassignment";
    expect("what the cloud was asked on nodea", &called(pair, A)?, &vec![asked.to_owned()])?;
    let cloud = pair.node(A).read("/var/lib/lab-cloud")?;
    expect("the cloud when the service is up", &cloud.as_deref(), &Some("192.168.17.200\n"))?;
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    expect("what the cloud was asked on nodea in the end", &called(pair, A)?.len(), &1)?;
    clean(pair)?;
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", "/usr/local/bin/aws", "/usr/local/bin/curl", "/var/lib/lab-cloud"])?;
    }
    Ok(String::new())
}

/// An address on `lo`, as the recipes for routing daemons have it, and a unit that would announce it: both move.
pub fn an_address_on_the_loopback_interface(pair: &mut Pair) -> Result<String> {
    const LINE: &str = "nodea 192.168.17.200/24/eth0 httpd\nnodea 192.0.2.200/32/lo lab-routes\n";
    let unit = "[Service]\nExecStartPre=/bin/sh -c 'ip -oneline address show dev lo to 192.0.2.200 | grep -q /32'\n\
                ExecStart=/bin/sleep infinity\n";
    for index in [A, B] {
        pair.node(index).write("/etc/systemd/system/lab-routes.service", unit)?;
        pair.node(index).run(&["systemctl", "daemon-reload"])?;
    }
    let since = pair.start_with(Some(LINE))?;
    pair.wait_settled(since)?;
    pair.wait_unit(A, "lab-routes.service", "active", SOON)?;
    let warned: Vec<String> = pair
        .records(A, since)?
        .iter()
        .filter(|record| record.priority() <= 4 && record.message().contains("192.0.2.200"))
        .map(|record| record.message().to_owned())
        .collect();
    expect("warnings about the address", &warned, &Vec::new())?;
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.wait_unit(B, "lab-routes.service", "active", SOON)?;
    let left = pair.node(A).run(&["ip", "-oneline", "address", "show", "dev", "lo", "to", "192.0.2.200"])?;
    expect("the address on nodea", &left, &String::new())?;
    Ok(String::new())
}

/// `IPsrcaddr` makes the address the source of what the node sends, again when somebody has removed the address, and
/// gives the routes back.
pub fn ipsrcaddr_lends_the_routes_a_source(pair: &mut Pair) -> Result<String> {
    const LINE: &str = "nodea 192.168.17.200/24/eth0 IPsrcaddr::192.168.17.200 httpd\n";
    const DEFAULT: [&str; 6] = ["ip", "route", "replace", "default", "via", "192.168.17.1"];
    let shown = |pair: &Pair, index: usize| pair.node(index).run(&["ip", "route", "show"]);
    let wait_source = |pair: &Pair, index: usize| {
        wait_or_explain(&format!("the address to be the source on {}", NODES[index].name), SOON, || {
            let chosen =
                pair.node(index).run(&["ip", "route", "get", "192.0.2.1"]).map_err(|error| error.to_string())?;
            if chosen.contains("src 192.168.17.200") { Ok(()) } else { Err(chosen) }
        })
    };
    pair.stop_with(Some(LINE))?;
    for index in [A, B] {
        pair.node(index).run(&DEFAULT)?;
    }
    let before = shown(pair, A)?;
    let since = pair.start_with(Some(LINE))?;
    pair.wait_settled(since)?;
    wait_source(pair, A)?;
    let unit = "hbd-IPsrcaddr::192.168.17.200.service";
    pair.wait_unit(A, unit, "active", SOON)?;

    pair.node(A).run(&["ip", "address", "del", "192.168.17.200/24", "dev", "eth0"])?;
    wait_source(pair, A)?;

    let since = now();
    pair.node(A).systemctl("restart", HBD)?;
    pair.wait_stable(since)?;
    wait_source(pair, A)?;

    pair.node(A).run(&["hbctl", "standby"])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    wait_source(pair, B)?;
    pair.wait_unit(A, unit, "inactive", SOON)?;
    expect("the routes of nodea", &shown(pair, A)?, &before)?;

    // An hbd that cannot come back: addresses go first then, and the default route with them.
    pair.node(B).run(&["rm", "-r", "/run/hbd/in-force"])?;
    pair.node(B).write("/etc/ha.d/authkeys", "broken")?;
    pair.node(B).signal(HBD, "KILL")?;
    pair.lab.wait_owner(A, START)?;
    wait_or_explain("the default route of nodeb to be back", SOON, || {
        let routes = shown(pair, B).map_err(|error| error.to_string())?;
        let default = routes.lines().find(|line| line.starts_with("default")).unwrap_or_default();
        if default.contains("192.168.17.1") && !default.contains("src") { Ok(()) } else { Err(routes) }
    })?;
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["ip", "route", "del", "default"])?;
    }
    Ok(String::new())
}

/// An address has the form that hbd.toml says: from the start, after a reload that changes it, and when somebody else
/// does.
pub fn an_address_has_the_form_that_is_written(pair: &mut Pair) -> Result<String> {
    let write = |pair: &Pair, form: &str| -> Result<()> {
        let settings = format!("[groups.\"192.168.17.200/24/eth0\"]\naddresses = [\"{form}\"]\n");
        [A, B].into_iter().try_for_each(|index| pair.node(index).write(SETTINGS, &settings))
    };
    let wait_form = |pair: &Pair, words: &[&str]| {
        wait_or_explain(&format!("the address to have {words:?}"), SOON, || {
            let line = ["ip", "-oneline", "address", "show", "dev", "eth0", "to", "192.168.17.200"];
            let shown = pair.node(A).run(&line).map_err(|error| error.to_string())?;
            if words.iter().all(|word| shown.contains(word)) { Ok(()) } else { Err(shown) }
        })
    };
    pair.stop_with(None)?;
    write(pair, "VIP label eth0:web")?;
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    wait_form(pair, &[" eth0:web\\"])?;

    let since = now();
    write(pair, "VIP label eth0:www metric 7")?;
    for index in [A, B] {
        pair.node(index).run(&["hbctl", "reload"])?;
    }
    wait_form(pair, &[" eth0:www\\", "metric 7"])?;
    pair.wait_record(A, since, "it was there with label eth0:web, not as hbd.toml says", SOON)?;
    pair.wait_stable(since)?;
    pair.expect_undisturbed(A, since)?;

    let since = now();
    // hbd may be the first to add it again.
    let changed = "ip address del 192.168.17.200/24 dev eth0; ip address add 192.168.17.200/24 dev eth0 || true";
    pair.node(A).run(&["sh", "-c", changed])?;
    wait_form(pair, &[" eth0:www\\", "metric 7"])?;
    pair.expect_undisturbed(A, since)?;
    clean(pair)?;
    Ok(String::new())
}
