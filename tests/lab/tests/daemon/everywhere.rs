//! A unit that runs on both nodes (`everywhere` of hbd.toml), with a real systemd and a real client.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

use hbd_lab::example::{DEADTIME, VIP};
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::{Error, Result};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// Merged over hbd.toml on both nodes.
const FILE: &str = "/etc/hbd/hbd.toml.d/everywhere.toml";
const EVERYWHERE: &str = "[units.\"nginx.service\"]\neverywhere = true\n";
/// Makes nginx fail at its next start.
const GARBAGE: &str = "/etc/nginx/conf.d/garbage.conf";
/// A client that has sent half of a request, says so, and sends the rest when it is told to. Its last word is how the
/// reading ended: 124 if nothing came within ten seconds. It has a port that the other clients have not had: where
/// the new owner has such a connection in TIME-WAIT, it takes what belongs to the old owner's for a repetition.
const HALF: &str = "range=/proc/sys/net/ipv4/ip_local_port_range; \
                    read -r was <$range; echo \"$1 $(($1 + 99))\" >$range; exec 3<>/dev/tcp/$0/80; echo \"$was\" >$range; printf 'GET / HTTP/1.0\\r\\n' >&3; echo half; \
                    read -r _; printf '\\r\\n' >&3; timeout 10 cat <&3 >/dev/null 2>&1; echo $?";
/// The ports of such clients: a hundred for each second, the same again after 200 s.
const HALF_PORTS: u64 = 10_000;

/// Both nodes have the file and run, with the group at its preferred node.
fn start(pair: &mut Pair) -> Result<()> {
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).write(FILE, EVERYWHERE)?;
    }
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    [A, B].into_iter().try_for_each(|index| pair.wait_unit(index, HTTPD, "active", SOON))
}

fn tidy(pair: &mut Pair) -> Result<()> {
    for index in [A, B] {
        pair.node(index).run(&["rm", "-f", FILE, GARBAGE])?;
    }
    pair.stop_with(None)?;
    for index in [A, B] {
        pair.node(index).run(&["systemctl", "stop", HTTPD])?;
    }
    pair.start_with(None).map(drop)
}

/// The main process of nginx on both nodes.
fn processes(pair: &Pair) -> Result<Vec<String>> {
    [A, B].into_iter().map(|index| process(pair, index)).collect()
}

fn process(pair: &Pair, index: usize) -> Result<String> {
    let show = ["systemctl", "show", "--property=MainPID", "--value", HTTPD];
    Ok(pair.node(index).run(&show)?.trim().to_owned())
}

/// A connection of a client to the virtual address, in the middle of a request.
struct HalfRequest {
    client: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl HalfRequest {
    fn begin(pair: &Pair) -> Result<HalfRequest> {
        let failed = |error: std::io::Error| Error::Unexpected(format!("the client with half a request: {error}"));
        let port = HALF_PORTS + now() as u64 % 200 * 100;
        let mut command = pair.lab.client_command(&["bash", "-c", HALF, &VIP.to_string(), &port.to_string()]);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let Some(stdout) = client.stdout.take() else { return unexpected("a client without output") };
        let mut said = BufReader::new(stdout);
        let mut word = String::new();
        said.read_line(&mut word).map_err(failed)?;
        expect("what the client says", &word.trim(), &"half")?;
        Ok(HalfRequest { client, said })
    }

    /// Sends the rest. How the reading of the answer ended, and after how many seconds.
    fn end(mut self) -> Result<(String, f64)> {
        let failed = |error: std::io::Error| Error::Unexpected(format!("the client with half a request: {error}"));
        let since = now();
        if let Some(mut stdin) = self.client.stdin.take() {
            stdin.write_all(b"\n").map_err(failed)?;
        }
        let mut word = String::new();
        self.said.read_to_string(&mut word).map_err(failed)?;
        self.client.wait().map_err(failed)?;
        Ok((word.trim().to_owned(), now() - since))
    }
}

/// What the client knows of its neighbours, and the nodes of their connections.
fn connections(pair: &Pair) -> String {
    let neighbours = pair.lab.client_command(&["ip", "neigh"]).output();
    let neighbours = neighbours.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let sockets = [A, B].map(|index| pair.node(index).attempt(&["ss", "-tan"]).map(|output| output.stdout));
    format!("{neighbours:?}\n{sockets:?}")
}

/// Only the address moves; whatever becomes of hbd, nginx runs on; and an open connection is not left in silence.
pub fn only_its_address_moves(pair: &mut Pair) -> Result<String> {
    start(pair)?;
    let before = processes(pair)?;
    let said = pair.node(A).run(&["hbctl", "check"])?;
    expect_words("hbctl check", &said, &["unit nginx.service, on both nodes"])?;
    let begun = now();
    for (owner, other) in [(A, B), (B, A)] {
        let open = HalfRequest::begin(pair)?;
        pair.node(owner).run(&["hbctl", "standby"])?;
        pair.lab.wait_owner(other, TAKEOVER)?;
        pair.client.wait_served_by(NODES[other].name, SOON)?;
        let (status, took) = open.end()?;
        if status == "124" || took > 5.0 {
            let (seen, has) = (connections(pair), NODES[other].name);
            return unexpected(format!(
                "an open connection heard nothing for {took:.1} s; {has} has the address\n{seen}"
            ));
        }
        expect("how an open connection ends (1: it is reset)", &status.as_str(), &"1")?;
    }
    let outages = hbd_lab::client::outages(&pair.client.since(begun));
    if let Some(outage) = outages.iter().find(|outage| outage.length() > 1.0) {
        return unexpected(format!("the client was without service for {:.3} s", outage.length()));
    }
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status on the standby", &status, 0)?;
    let row = status.stdout.lines().find(|line| line.contains(HTTPD)).map(|line| line.split_whitespace().collect());
    expect("nginx on the standby", &row, &Some(vec![HTTPD, "active"]))?;

    // hbd is stopped, killed and restarted: nginx is not hbd's to stop.
    let since = now();
    pair.node(B).run(&["systemctl", "stop", HBD])?;
    pair.lab.start(B)?;
    pair.wait_stable(since)?;
    pair.wait_beat(A)?;
    let since = now();
    pair.node(A).signal(HBD, "KILL")?;
    pair.wait_stable(since)?;
    let since = now();
    pair.node(A).run(&["systemctl", "restart", HBD])?;
    pair.wait_stable(since)?;
    expect("nginx's processes", &processes(pair)?, &before)?;

    // For five seconds a daemon that has just started asks for two seconds more of patience (02 §4.2).
    wait_until("nodea's patience to be the ordinary one", SOON, || (now() > since + 8.0).then_some(()))?;
    let died = pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)? - died;
    expect("nginx's process", &process(pair, B)?, &before[B])?;
    pair.lab.nodes[A].boot()?;
    tidy(pair)?;
    Ok(format!("served {served:.2} s after a power cut, with deadtime {DEADTIME}"))
}

/// nginx does not start on the standby: that is said on both nodes, and nothing is given to it. When the other node
/// is gone it takes the address all the same, and serves as soon as it can.
pub fn a_node_where_it_fails_is_given_nothing(pair: &mut Pair) -> Result<String> {
    start(pair)?;
    let since = now();
    pair.node(B).write(GARBAGE, "nonsense\n")?;
    pair.node(B).run(&["systemctl", "kill", "--kill-whom=all", "--signal=KILL", HTTPD])?;
    pair.wait_record(B, since, "so this node could not serve group 192.168.17.200/24/eth0", SOON)?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status on nodeb", &status, 3)?;
    expect_words("hbctl status on nodeb", &status.stdout, &["Resource httpd of group", "failed"])?;
    let shown = || {
        let status = pair.node(A).attempt(&["hbctl", "status"]).ok()?;
        status.stdout.contains("Node nodeb is not ready to serve 192.168.17.200/24/eth0").then_some(())
    };
    wait_until("nodea says so, too", SOON, shown)?;
    let refused = pair.node(A).attempt(&["hbctl", "standby"])?;
    expect_words("hbctl standby", &format!("{}{}", refused.stdout, refused.stderr), &["is not ready"])?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[A].name])?;
    pair.expect_undisturbed(A, since)?;

    pair.lab.nodes[A].power_failure()?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    let status = pair.node(B).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status on nodeb", &status, 3)?;
    let mended = now();
    pair.node(B).run(&["rm", GARBAGE])?;
    pair.node(B).run(&["hbctl", "cleanup"])?;
    let served = pair.client.wait_served_by(NODES[B].name, SOON)? - mended;
    pair.lab.nodes[A].boot()?;
    tidy(pair)?;
    Ok(format!("served {served:.1} s after it was mended"))
}
