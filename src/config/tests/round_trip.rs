//! What `hbctl config export` writes means the same as what it has read, in both directions, for every set of files
//! of tests/ that loads.

use std::collections::BTreeSet;

use super::seeds::seed;
use super::*;
use crate::config::directives::DIRECTIVES;

/// Everything that a configuration means, without what only says where it was written.
fn meaning(config: &Config) -> String {
    let mut config = config.clone();
    let kept: BTreeSet<String> = DIRECTIVES
        .iter()
        .filter(|directive| directive.overridable())
        .map(|directive| format!("HA_{}", directive.name))
        .collect();
    let path_or_none = |value: &str| value.starts_with('/');
    // The scripts of haresources see no directive that hbd does nothing with, and no path that is none.
    let seen = |(name, value): &(String, String)| {
        let directive = DIRECTIVES.iter().any(|directive| format!("HA_{}", directive.name) == *name);
        let path = ["HA_logfile", "HA_debugfile", "HA_watchdog"].contains(&name.as_str());
        (!directive || kept.contains(name)) && (!path || path_or_none(value))
    };
    let tidy = |environment: &mut Vec<(String, String)>| {
        environment.retain(seen);
        environment.sort();
    };
    tidy(&mut config.environment);
    for group in &mut config.groups {
        group.line = 0;
        for resource in &mut group.resources {
            if let ResourceKind::Transient(Transient { recipe: Recipe::Script(script), .. }) = &mut resource.kind {
                tidy(&mut script.environment);
            }
        }
    }
    // The number of a program counts ipfail, which is a table of its own in hbd.toml.
    for (index, child) in config.children.iter_mut().enumerate() {
        child.unit = index.to_string();
    }
    let passwords: Vec<_> = config.fencing.iter().map(|device| (&device.node, parameters(device))).collect();
    format!("{config:#?}\n{passwords:#?}\n{:?}", Fingerprint::of(&config))
}

/// What the Debug form of a device leaves out.
fn parameters(device: &FenceDevice) -> Vec<String> {
    let shown = |agent: &FenceAgent| match &agent.protocol {
        FenceProtocol::Agent { path, parameters } => format!("{path:?} {parameters:?}"),
        FenceProtocol::Stonith { program, kind, parameters } => format!("{program:?} {kind} {parameters}"),
        FenceProtocol::Human => "human".to_owned(),
    };
    device.agents.iter().map(shown).collect()
}

/// Translates the node's files in place.
fn translate(node: &Node) -> Result<(), Vec<Diagnostic>> {
    let exported = export(&node.files(), &node.host)?;
    exported.obsolete.iter().for_each(|path| fs::remove_file(path).unwrap());
    for file in exported.files {
        fs::create_dir_all(file.path.parent().unwrap()).unwrap();
        fs::write(&file.path, &file.content).unwrap();
    }
    Ok(())
}

/// Translates there and back, if the files load at all.
pub(super) fn check(node: &Node, case: &str) {
    let host = Host { environment: Vec::new(), ..node.host.clone() };
    let Some(before) = load(&node.files(), &host).config.map(|config| meaning(&config)) else {
        assert!(export(&node.files(), &node.host).is_err(), "{case}: files with an error are translated");
        return;
    };
    for direction in ["there", "back"] {
        translate(node).unwrap_or_else(|found| panic!("{case}: {direction}: {found:?}"));
        let text = fs::read_to_string(node.files().hbd_toml).unwrap();
        let loaded = load(&node.files(), &host);
        let after = loaded.config.unwrap_or_else(|| panic!("{case}: {direction}: {:?}\n{text}", loaded.diagnostics));
        for (after, before) in meaning(&after).lines().zip(before.lines()) {
            assert_eq!(after, before, "{case}: {direction}\n{text}");
        }
    }
}

#[test]
fn the_examples_go_there_and_back() {
    for (example, nodes) in [("seed-centos65", ["nodea", "nodeb"]), ("seed-fedora8", ["f801", "f802"])] {
        nodes.iter().for_each(|name| check(&seed(example, name), example));
    }
}

#[test]
fn hbd_toml_keeps_its_comments_and_its_other_tables() {
    let toml =
        "# mine\ndeadtime = 20 # slow\ncluster = \"web\"\n\n# of ours\n[aliases]\nhttpd = \"apache2.service\"\n";
    let node = Node::with("respawn hacluster /usr/lib/heartbeat/ipfail\nping 10.0.0.254\nenv A=1\n")
        .haresources("nodea 10.0.0.9/24/eth0 httpd\n")
        .toml(toml);
    translate(&node).unwrap();
    let text = fs::read_to_string(node.files().hbd_toml).unwrap();
    for kept in ["# mine\ndeadtime = 20 # slow\n", "\n# of ours\n[aliases]\nhttpd = \"apache2.service\"\n"] {
        assert!(text.contains(kept), "{text}");
    }
    for new in [
        "[cluster]\nname = \"web\"\nnodes = [\"nodea\", \"nodeb\"]\n",
        "\n[cluster.env]\nA = \"1\"\n",
        "\n[[link]]\ninterface = \"eth0\"\npeer = \"10.0.0.2\"\n",
        "\n[[group]]\nnode = \"nodea\"\nresources = [\"10.0.0.9/24/eth0\", \"httpd\"]\n",
        "\n[ipfail]\nenabled = true\n",
    ] {
        assert!(text.contains(new), "no {new:?} in\n{text}");
    }
    translate(&node).unwrap();
    let text = fs::read_to_string(node.files().hbd_toml).unwrap();
    assert!(text.starts_with("# mine\ndeadtime = 20 # slow\n") && !text.contains("[[link]]"), "{text}");
    assert_eq!(
        fs::read_to_string(node.files().haresources).unwrap().lines().last(),
        Some("nodea 10.0.0.9/24/eth0 httpd")
    );
}

#[test]
fn what_a_group_says_of_itself_and_drop_ins_go_along() {
    let node = Node::with("");
    translate(&node).unwrap();
    let group =
        b"[[group]]\nnode = \"nodeb\"\nresources = [\"10.0.0.8\", \"nginx\"]\nprobe = \"tcp:80\"\nname = \"web\"\n\
                  [group.check]\ntcp = 80\n[health]\nrestarts = 1\n";
    node.write("etc/hbd/hbd.toml.d/web.toml", group);
    check(&node, "a group in a drop-in");
    let text = fs::read_to_string(node.files().hbd_toml_dir.join("web.toml")).unwrap();
    assert!(text.contains("restarts = 1"), "{text}");
    let node = Node::with("").haresources("nodea 10.0.0.9/24/eth0 httpd\n");
    let node = node.toml("[groups.\"10.0.0.9/24/eth0\"]\nname = \"mine\" # kept\n");
    check(&node, "a name");
    let text = fs::read_to_string(node.files().hbd_toml).unwrap();
    assert!(text.contains("name = \"mine\" # kept"), "{text}");
}

#[test]
fn what_ha_cf_has_no_word_for_is_named_with_its_place() {
    let node = Node::with("");
    translate(&node).unwrap();
    let text = fs::read_to_string(node.files().hbd_toml).unwrap();
    let node = node.toml(&format!("{text}\n[cluster.env]\nGREETING = \"a, b\"\n"));
    let found = export(&node.files(), &node.host).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "`a, b` cannot be a word of ha.cf: it has `,`");
    assert!(found[0].line > 0, "{found:?}");
}
