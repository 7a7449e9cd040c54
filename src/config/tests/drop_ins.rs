//! Which files of hbd.toml.d are read.

use super::*;

#[test]
fn a_file_that_is_not_read_is_told() {
    let node = Node::with("");
    for name in ["groups.conf", "groups.TOML", ".hidden.toml"] {
        let path = format!("etc/hbd/hbd.toml.d/{name}");
        node.write(&path, b"deadtime = 99\n");
        let severity = if name == ".hidden.toml" { Severity::Warning } else { Severity::Notice };
        let notice = node.finding(severity, &format!("{name} is not read"));
        assert!(
            notice.help == "name it groups.toml if it is meant" || notice.help.contains("hidden.toml"),
            "{notice}"
        );
        assert_ne!(node.config().timing.deadtime.as_secs(), 99, "{name}");
        fs::remove_file(node.root.path().join(path)).unwrap();
    }
    for name in ["x.toml~", "x.toml.bak", "x.toml.dpkg-old", "README"] {
        node.write(&format!("etc/hbd/hbd.toml.d/{name}"), b"deadtime = 99\n");
    }
    assert_eq!(node.load().diagnostics, []);
}
