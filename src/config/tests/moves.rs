//! `move` of a group in hbd.toml.

use std::time::Duration;

use super::*;

const GROUPS: &str = "nodea 10.0.0.9/24/eth0 nginx IPv6addr::2001:db8:0:0:0:0:0:c8/64 php\nnodeb mail\n";

fn moved(value: &str) -> Node {
    Node::with("")
        .haresources(GROUPS)
        .toml(&format!("[groups.\"10.0.0.9/24/eth0\"]\nname = \"web\"\nmove = {value}\n"))
}

fn words(config: &Config) -> Vec<&str> {
    config.groups[0].resources.iter().map(|resource| resource.word.as_str()).collect()
}

fn step(config: &Config, place: usize) -> (String, Script) {
    match &config.groups[0].resources[place].kind {
        ResourceKind::Transient(Transient { unit, recipe: Recipe::Script(script) }) => (unit.clone(), script.clone()),
        other => panic!("{other}"),
    }
}

#[test]
fn each_address_has_a_step_behind_the_last_one() {
    let config = moved("[\"/bin/true\", \"mine\"]").config();
    let v6 = "IPv6addr::2001:db8:0:0:0:0:0:c8/64";
    assert_eq!(
        words(&config),
        ["10.0.0.9/24/eth0", "nginx", v6, "move::10.0.0.9", "move::2001:db8::c8", "php"],
        "the key stays the first one"
    );
    let (unit, script) = step(&config, 3);
    assert_eq!((unit.as_str(), script.dialect), ("hbd-move-10.0.0.9.service", Dialect::Move));
    assert_eq!(script.command, ["/bin/true", "mine", "10.0.0.9"]);
    assert_eq!(script.timeout, Some(Duration::from_secs(60)));
    for (name, value) in [
        ("HBD_ADDRESS", "10.0.0.9"),
        ("HBD_INTERFACE", "eth0"),
        ("HBD_GROUP", "web"),
        ("HBD_GROUP_KEY", "10.0.0.9/24/eth0"),
        ("HBD_NODE", "nodea"),
        ("HBD_PEER", "nodeb"),
        ("HA_CURHOST", "nodea"),
    ] {
        assert!(script.environment.contains(&(name.to_owned(), value.to_owned())), "{name}: {script:?}");
    }
    assert_eq!(step(&config, 4).0, "hbd-move-2001:db8::c8.service");
    assert_eq!(config.groups[1].resources.len(), 1);
}

#[test]
fn the_long_form_has_a_limit_and_a_later_file_another_program() {
    let node = moved("{ command = \"/bin/true\", timeout = \"1500ms\" }");
    assert_eq!(step(&node.config(), 3).1.timeout, Some(Duration::from_millis(1500)));
    node.write("etc/hbd/hbd.toml.d/10.toml", b"[groups.\"10.0.0.9/24/eth0\"]\nmove = \"/bin/false\"\n");
    assert_eq!(step(&node.config(), 3).1.command[0], "/bin/false");
    let group = "[[group]]\nnode = \"nodea\"\nresources = [\"10.0.0.9/24/eth0\"]\nmove = \"/bin/true\"\n";
    assert_eq!(words(&form::with(group).config()), ["10.0.0.9/24/eth0", "move::10.0.0.9"]);
}

#[test]
fn a_group_without_an_address_and_a_missing_program_are_told() {
    let error = Node::with("").haresources(GROUPS).toml("[groups.mail]\nmove = \"/bin/true\"\n").error();
    assert_eq!((place(&error).1, place(&error).2), (2, 8));
    assert!(error.message.contains("no address that `move` could move"), "{error}");
    assert!(error.help.contains("as a resource of the group"), "{error}");
    let warning = moved("\"/opt/move-it\"").finding(Severity::Warning, "there is no program `/opt/move-it` here");
    assert!(warning.message.contains("cannot serve the group 10.0.0.9/24/eth0"), "{warning}");
    let hidden = moved("\"/root/move-it\"").load().diagnostics;
    assert!(hidden.iter().all(|found| !found.message.contains("move-it")), "systemd may see it: {hidden:?}");
}

#[test]
fn a_service_that_runs_on_both_nodes_may_follow_a_move() {
    let toml = "[groups.\"10.0.0.9\"]\nmove = \"/bin/true\"\n[units.\"nginx.service\"]\neverywhere = true\n";
    let config = Node::with("").haresources("nodea 10.0.0.9 nginx\n").toml(toml).config();
    assert_eq!(words(&config), ["10.0.0.9", "move::10.0.0.9", "nginx"]);
    assert!(config.units.is_everywhere(&config.groups[0].resources[2].kind));
}

#[test]
fn only_whether_there_is_one_is_compared_with_the_other_node_and_a_reload_tells_every_change() {
    let one = moved("\"/bin/true\"").config();
    let other = moved("\"/bin/false\"").config();
    let none = Node::with("").haresources(GROUPS).toml("[groups.\"10.0.0.9/24/eth0\"]\nname = \"web\"\n").config();
    assert_eq!(Fingerprint::of(&one), Fingerprint::of(&other));
    assert_eq!(Fingerprint::of(&one).differing(&Fingerprint::of(&none)), ["haresources"]);
    let told = |from: &Config, to: &Config| ConfigDifference::between(from, to).changes.join("\n");
    assert!(told(&none, &one).contains("group 10.0.0.9/24/eth0: move::10.0.0.9 new"), "{}", told(&none, &one));
    assert!(told(&one, &other).contains("made by hbd: runs /bin/false 10.0.0.9"), "{}", told(&one, &other));
    let slow = moved("{ command = \"/bin/true\", timeout = 90 }").config();
    assert!(told(&one, &slow).contains("move::10.0.0.9 may take another time"), "{}", told(&one, &slow));
}
