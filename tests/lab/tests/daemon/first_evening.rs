//! A first evening with hbd: from two plain machines, or from a keepalived.conf, to a pair whose failover was tried,
//! with `hbctl init` (or `import`) and `hbctl join` and without a word of Heartbeat. docs/FIRST-EVENING.md quotes
//! what the first way writes to `HBD_LAB_TRANSCRIPT` with `.evening` at its end; the other one ends in `.keepalived`.

use hbd_lab::lab::NODES;
use hbd_lab::process::wait_until;
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HTTPD, Pair, START, TAKEOVER, expect, expect_status, expect_words};
use crate::terminal::Terminal;

/// The file that `hbctl init` makes for the other node.
const CARRIED: &str = "hbd-join-nodeb.toml";
/// Fewer command lines than this lead from two machines to a tried failover.
const FEW: usize = 10;

/// The whole evening.
pub fn from_two_machines_to_a_failover(pair: &mut Pair) -> Result<String> {
    // As Debian's package leaves it.
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "enable", "--now", HTTPD])?;
    }
    let mut terminal = Terminal::with_package(pair)?;
    let outcome = evening(&mut terminal);
    terminal.keep(".evening")?;
    outcome?;
    refuses_when_all_is_done(&terminal)?;
    one_file_means_the_same(&terminal)?;
    Ok(format!("{} command lines", terminal.typed()))
}

fn evening(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.types_on_both("apt-get install -y ./hbd_*.deb", &["Setting up hbd"])?;
    let [public, link] = [NODES[B].public, NODES[B].link];
    let init = format!(
        "hbctl init --peer nodeb --link eth1={link} --link eth0={public} --address 192.168.17.200/24 --service nginx \
         --start"
    );
    let said = ["wrote /etc/ha.d/ha.cf", "systemctl disable nginx.service", CARRIED, "remove it on both nodes"];
    terminal.types(A, &init, &said)?;
    carry(terminal)?;
    terminal.types(B, &format!("hbctl join --start {CARRIED}"), &["eth0: nodea is heard", "eth1: nodea is heard"])?;
    terminal.served_by(A, START)?;
    let healthy = || {
        let status = terminal.pair.node(B).attempt(&["hbctl", "status"]).ok()?;
        (status.status == Some(0)).then_some(())
    };
    wait_until("all to be well", START, healthy)?;
    terminal.types(B, "hbctl status", &["nodea", "192.168.17.200/24", "eth0", "eth1", "nginx.service"])?;
    terminal.remarks("Pull the plug of nodea");
    terminal.pair.lab.nodes[A].power_failure()?;
    terminal.served_by(B, TAKEOVER + TAKEOVER)?;
    terminal.types(B, "hbctl why", &["on this node for", "because nodea was silent for"])?;
    terminal.remarks("Switch it on again");
    terminal.pair.lab.nodes[A].boot()?;
    terminal.served_by(A, START)?;
    if terminal.typed() >= FEW {
        return Err(Error::Unexpected(format!("{} command lines are too many", terminal.typed())));
    }
    Ok(())
}

/// What keepalived was told on nodea: nginx runs on both nodes, and the address is where it works.
const KEEPALIVED: &str = "\
vrrp_script chk_nginx {
    script \"/usr/bin/systemctl is-active --quiet nginx\"
    interval 2
    fall 3
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 101
    advert_int 1
    unicast_peer {
        192.168.17.3
    }
    virtual_ipaddress {
        192.168.17.200/24 dev eth0
    }
    track_script {
        chk_nginx
    }
    notify /usr/local/bin/notified
}
";
/// The script of `notify`, which is on both machines.
const NOTIFIED: &str = "#!/bin/sh\necho \"$3\" >>/run/notified\n";

/// From a keepalived.conf to a pair whose failover was tried.
pub fn from_a_keepalived_conf_to_a_failover(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        let node = pair.node(index);
        node.run(&["systemctl", "enable", "--now", HTTPD])?;
        node.write_mode("/usr/local/bin/notified", NOTIFIED, 0o755)?;
    }
    pair.node(A).run(&["mkdir", "-p", "/etc/keepalived"])?;
    pair.node(A).write_mode("/etc/keepalived/keepalived.conf", KEEPALIVED, 0o644)?;
    let mut terminal = Terminal::with_package(pair)?;
    let outcome = import(&mut terminal);
    terminal.keep(".keepalived")?;
    outcome?;
    Ok(format!("{} command lines", terminal.typed()))
}

fn import(terminal: &mut Terminal<'_>) -> Result<()> {
    terminal.types_on_both("apt-get install -y ./hbd_*.deb", &["Setting up hbd"])?;
    let [public, link] = [NODES[B].public, NODES[B].link];
    let import = format!(
        "hbctl import keepalived /etc/keepalived/keepalived.conf --peer nodeb --link eth1={link} --link eth0={public} \
         --service nginx --start"
    );
    terminal.types(A, &import, &["wrote /etc/ha.d/ha.cf", "nginx.service, on both nodes", CARRIED])?;
    carry(terminal)?;
    terminal.types(B, &format!("hbctl join --start {CARRIED}"), &["eth0: nodea is heard", "eth1: nodea is heard"])?;
    terminal.served_by(A, START)?;
    wait_for_notice(terminal, A)?;
    terminal.remarks("Pull the plug of nodea");
    terminal.pair.lab.nodes[A].power_failure()?;
    terminal.served_by(B, TAKEOVER + TAKEOVER)?;
    wait_for_notice(terminal, B)?;
    terminal.remarks("Switch it on again");
    terminal.pair.lab.nodes[A].boot()?;
    terminal.served_by(A, START)?;
    // As keepalived has it: only the address moves.
    for index in [A, B] {
        let active = terminal.pair.node(index).attempt(&["systemctl", "is-active", HTTPD])?;
        expect("nginx on both nodes", &active.stdout.trim(), &"active")?;
    }
    Ok(())
}

/// Waits until the script of `notify` was told that the group runs here.
fn wait_for_notice(terminal: &Terminal<'_>, index: usize) -> Result<()> {
    let told = || {
        let seen = terminal.pair.node(index).attempt(&["tail", "-n", "1", "/run/notified"]).ok()?;
        (seen.stdout.trim() == "MASTER").then_some(())
    };
    wait_until("notify to be told MASTER", START, told)
}

/// What scp does; the machines have none.
fn carry(terminal: &mut Terminal<'_>) -> Result<()> {
    let path = format!("/root/{CARRIED}");
    let mode = terminal.pair.node(A).run(&["stat", "-c", "%a", &path])?;
    expect("the mode of the file with the key", &mode.trim(), &"600")?;
    let text = terminal.pair.node(A).read(&path)?.unwrap_or_default();
    terminal.pair.node(B).write_mode(&path, &text, 0o600)?;
    terminal.shows(A, &format!("scp {CARRIED} root@{}:", NODES[B].link), "");
    Ok(())
}

/// A node whose files became one is a pair with the other one, whose files are as they were.
fn one_file_means_the_same(terminal: &Terminal<'_>) -> Result<()> {
    let node = terminal.pair.node(B);
    let said = node.run(&["hbctl", "config", "export", "/root/one"])?;
    let to_type = said.split_once("To put it in force:\n").map(|(_, lines)| lines).unwrap_or_default();
    expect_words("what to type", to_type, &["/etc/hbd/hbd.toml", "rm /etc/ha.d/ha.cf /etc/ha.d/haresources"])?;
    node.run(&["sh", "-ec", to_type])?;
    for index in [A, B] {
        let healthy = || {
            let status = terminal.pair.node(index).attempt(&["hbctl", "status"]).ok()?;
            (status.status == Some(0)).then_some(())
        };
        wait_until("both forms to be one pair", START, healthy)?;
    }
    let checked = node.run(&["hbctl", "check"])?;
    expect_words("hbctl check", &checked, &["compared with what nodea runs with", "hbd can start"])?;
    expect("a difference between the nodes", &checked.contains("uses other settings"), &false)
}

/// Neither command touches the files of a pair that serves.
fn refuses_when_all_is_done(terminal: &Terminal<'_>) -> Result<()> {
    let node = terminal.pair.node(B);
    let before = node.read("/etc/ha.d/authkeys")?;
    let seen = node.attempt(&["hbctl", "join", "--force", &format!("/root/{CARRIED}")])?;
    expect_status("hbctl join on a node that serves", &seen, 4)?;
    expect_words("its refusal", &seen.stderr, &["nothing was written: hbd runs here", "systemctl stop hbd"])?;
    expect("authkeys", &(node.read("/etc/ha.d/authkeys")? == before), &true)?;
    for index in [A, B] {
        let enabled = terminal.pair.node(index).attempt(&["systemctl", "is-enabled", HTTPD])?;
        expect("nginx at boot", &enabled.stdout.trim(), &"disabled")?;
    }
    Ok(())
}
