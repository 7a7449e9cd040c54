//! stonith, stonith_host and `[fence]`: which node is reset by which device.

use std::time::Duration;

use super::*;

/// A node where these programs are installed.
fn with_programs(lines: &str, programs: &[&str]) -> Node {
    let node = Node::with(lines);
    for program in programs {
        node.write(&format!("usr/sbin/{program}"), b"#!/bin/sh\n");
    }
    node
}

fn agents(node: &Node) -> Vec<FenceAgent> {
    let config = node.config();
    assert!(config.fencing.iter().all(|device| device.node == "nodeb"), "never ourselves");
    config.fencing.into_iter().flat_map(|device| device.agents).collect()
}

fn parameters(agent: &FenceAgent) -> String {
    match &agent.protocol {
        FenceProtocol::Agent { path, parameters } => {
            let words: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", path.file_name().unwrap().to_str().unwrap(), words.join(" "))
        }
        FenceProtocol::Stonith { kind, parameters, .. } => format!("stonith {kind} {parameters}"),
        FenceProtocol::Human => "by hand".to_owned(),
    }
}

#[test]
fn hbd_toml_names_a_fence_agent_and_its_parameters() {
    let node = with_programs("", &["fence_ipmilan"])
        .toml("[fence.\"nodeb\"]\nagent = \"fence_ipmilan\"\nip = \"10.0.0.9\"\npassword = \"a b#c\"\nlanplus = true\ntimeout = 20\n");
    let agents = agents(&node);
    assert_eq!(parameters(&agents[0]), "fence_ipmilan ip=10.0.0.9 lanplus=true password=a b#c");
    assert_eq!(agents[0].timeout, Duration::from_secs(20));
    assert!(!node.load().diagnostics.iter().any(|found| found.message.contains("No STONITH device")));
}

#[test]
fn several_agents_are_tried_in_the_order_of_the_file() {
    let node = with_programs("", &["fence_a", "fence_b"])
        .toml("[[fence.NodeB]]\nagent = \"fence_a\"\n[[fence.NodeB]]\nagent = \"fence_b\"\nplug = 3\n");
    let agents: Vec<_> = agents(&node).iter().map(parameters).collect();
    assert_eq!(agents, ["fence_a ", "fence_b plug=3"]);
}

#[test]
fn stonith_host_lines_for_us_are_tried_in_turn() {
    let lines = "stonith_host nodea external/ipmi nodeb 10.0.0.9 admin secret lan\n\
                 stonith_host nodeb external/ipmi nodea 10.0.0.8 admin secret lan\n\
                 stonith_host * apcmaster 10.0.0.7 apc apc\n";
    let node = with_programs(lines, &["stonith"]);
    let found: Vec<_> = agents(&node).iter().map(parameters).collect();
    assert_eq!(
        found,
        ["stonith external/ipmi nodeb 10.0.0.9 admin secret lan", "stonith apcmaster 10.0.0.7 apc apc"]
    );
    let notice = node.finding(Severity::Notice, "several stonith lines for this node");
    assert!(notice.help.contains("the last one only"));
    let node = node.toml("[[fence.nodeb]]\nagent = \"/usr/sbin/fence_x\"\n");
    node.write("fence_x", b"");
    let path = node.root.path().join("fence_x").display().to_string();
    let node = node.toml(&format!("[fence.nodeb]\nagent = \"{path}\"\n"));
    assert_eq!(agents(&node).iter().map(parameters).collect::<Vec<_>>(), ["fence_x "], "hbd.toml alone counts then");
}

#[test]
fn a_stonith_file_holds_the_parameters_in_its_first_line() {
    let node = with_programs("", &["stonith", "fence_apc"]);
    let file = "/stonith.conf";
    node.write("stonith.conf", b"# who, where\n\n  10.0.0.7 apc secret  \nmore\n");
    node.write("etc/ha.d/ha.cf", format!("{PLAIN}stonith apcmaster {file}\n").as_bytes());
    assert_eq!(parameters(&agents(&node)[0]), "stonith apcmaster 10.0.0.7 apc secret");
    node.write("stonith.conf", b"ip=10.0.0.7 plug=3\n");
    for kind in ["rhcs/apc", "fence_apc"] {
        node.write("etc/ha.d/ha.cf", format!("{PLAIN}stonith {kind} {file}\n").as_bytes());
        assert_eq!(parameters(&agents(&node)[0]), "fence_apc ip=10.0.0.7 plug=3");
    }
}

#[test]
fn a_table_replaces_a_line_that_cannot_be_used_here() {
    let lines = "stonith_host * ipmilan nodea nodeb 10.0.0.9\n";
    assert!(Node::with(lines).error().help.contains("[fence.\"OTHER NODE\"] with agent = \"fence_ipmilan\""));
    let node = with_programs(lines, &["fence_ipmilan"])
        .toml("[fence.\"nodeb\"]\nagent = \"fence_ipmilan\"\nip = \"10.0.0.9\"\n");
    assert_eq!(parameters(&agents(&node)[0]), "fence_ipmilan ip=10.0.0.9");
}

#[test]
fn meatware_waits_for_a_human_and_null_is_no_fencing() {
    assert_eq!(parameters(&agents(&Node::with("stonith_host * meatware nodea nodeb\n"))[0]), "by hand");
    for kind in ["null", "ssh", "external/ssh", "suicide"] {
        let node = Node::with(&format!("stonith_host * {kind} nodea nodeb\n"));
        assert_eq!(agents(&node), []);
        node.finding(Severity::Warning, &format!("`{kind}` is not fencing"));
    }
}

#[test]
fn mistakes_have_a_remedy() {
    let table = [
        ("stonith_host * external/ipmi nodeb 10.0.0.9\n", "", "there is no program `stonith`", "fence_ipmilan"),
        ("stonith_host * apcsmart nodeb\n", "", "Invalid Stonith type [apcsmart]", "install cluster-glue"),
        ("stonith_host * rhcs/apc 10.0.0.7\n", "", "no fence agent `fence_apc`", "apt install fence-agents"),
        ("stonith apcmaster /no/such/file\n", "", "Invalid Stonith config file [/no/such/file]", "first line"),
        ("", "[fence.nodeb]\nip = \"x\"\n", "[fence.\"nodeb\"] names no agent", "agent = "),
        ("", "[fence.nodeb]\nagent = \"fence_nix\"\n", "no fence agent `fence_nix`", "apt install"),
        (
            "",
            "[fence.nodec]\nagent = \"/bin/sh\"\n",
            "no node of ha.cf is named `nodec`",
            "did you mean [fence.\"node",
        ),
        ("", "[fence.nodeb]\nagent = \"/bin/sh\"\nip = [1]\n", "bad value for `ip`", "one value"),
        ("", "[fence.nodeb]\nagent = \"/bin/sh\"\nip = \"a\\nb\"\n", "is not one line", "one line"),
        ("", "[fence.nodeb]\nagent = \"/bin/sh\"\ntimeout = 0\n", "bad value for `timeout`", "seconds"),
        ("", "[fence]\nnodeb = 3\n", "`nodeb` in [fence] is not a table", "[fence.\"nodeb\"]"),
    ];
    for (lines, toml, why, help) in table {
        let error = Node::with(lines).toml(toml).error();
        assert!(error.message.contains(why) && error.help.contains(help), "{lines}{toml}: {error:?}");
    }
    let node = with_programs("stonith_host * rhcs/apc 10.0.0.7\n", &["fence_apc"]);
    assert!(node.error().help.contains("name=value"));
}

#[test]
fn no_mistake_shows_a_password_of_a_device() {
    let tables = [
        "[fence.nodeb]\nagent = \"fence_x\"\npassword = \"hunter2\n",
        "[fence.nodeb]\nagent = \"fence_x\"\npassword = hunter2\n",
        "[fence.nodeb]\nagent = \"fence_x\"\npassword = [\"hunter2\"]\n",
        "[fence.nodeb]\nagent = \"fence_x\"\nlogin = \"hunter2\\nx\"\n",
        "[fence.nodeb]\nagent = \"fence_x\"\npasswd \"hunter2\"\n",
        "[fence.nodeb]\nlogin = 1\nlogin = \"hunter2\"\n",
        "[fence]\nnodeb = { agent = \"fence_x\", login = hunter2 }\n",
        "[[fence.\"nodeb\"]]\nagent = \"fence_x\"\nplug = hunter2\n",
        "fence.nodeb.login = hunter2\n",
        "[fence.nodec]\nagent = \"fence_x\"\npassword = \"hunter2\"\n",
        "[fence.nodeb]\npassword = \"hunter2\"\n",
    ];
    for table in tables {
        let node = with_programs("", &["fence_x"]).toml(table);
        refused_without_password(&node, table);
    }
    for line in ["stonith_host * rhcs/x hunter2\n", "stonith_host nodea rhcs/x login=a hunter2\n"] {
        refused_without_password(&with_programs(line, &["fence_x", "stonith"]), line);
    }
}

/// What `hbctl check` and the journal show of the mistake.
#[track_caller]
fn refused_without_password(node: &Node, what: &str) {
    let loaded = node.load();
    assert!(loaded.config.is_none(), "{what}");
    for found in loaded.diagnostics {
        let shown = format!("{found}\n{}\n{found:?}", found.render(false));
        assert!(!shown.contains("hunter2"), "{what}: {shown}");
    }
}

#[test]
fn a_file_with_a_password_that_others_may_read_is_warned_of() {
    let node = with_programs("", &["fence_x"]).toml("[fence.nodeb]\nagent = \"fence_x\"\npassword = \"x\"\n");
    node.chmod("etc/hbd/hbd.toml", 0o644);
    let found = node.finding(Severity::Warning, "passwords of fencing devices");
    assert!(found.help.starts_with("chmod 600 "), "{}", found.help);
    node.chmod("etc/hbd/hbd.toml", 0o600);
    assert!(!node.load().diagnostics.iter().any(|found| found.message.contains("passwords")));
    node.chmod("etc/ha.d/haresources", 0o666);
    node.finding(Severity::Warning, "may be written by others");
}

#[test]
fn what_is_required_of_keys_must_be_possible() {
    let node = Node::with("").toml("[keys]\nrequire = \"hmac-sha256\"\n");
    assert!(node.error().message.contains("no such key"), "{:?}", node.error());
    node.write("etc/ha.d/authkeys", b"auth 1\n1 sha1 0123456789abcdef\n2 hmac-sha256 0123456789abcdef\n");
    assert_eq!(node.config().required_method, AuthMethod::HmacSha256);
    assert!(node.finding(Severity::Notice, "a Heartbeat").help.contains("hbctl status"));
    let node = Node::with("").toml("[keys]\nrequire = \"sha1\"\n");
    node.write("etc/ha.d/authkeys", b"auth 1\n1 md5 0123456789abcdef\n2 sha1 0123456789abcdef\n");
    assert!(node.error().message.contains("`auth 1` of authkeys names a md5 key"));
    assert!(Node::with("").toml("[keys]\nrequire = \"sha256\"\n").error().message.contains("require"));
}
