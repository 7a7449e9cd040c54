//! Tests of `config` as a whole: files in, configuration and findings out.

mod accepted;
mod arrangement;
mod checks;
mod connectivity;
mod copies;
mod corpus;
mod documents;
mod drop_ins;
mod fencing;
mod foreign;
mod form;
mod forms;
mod fuzz;
mod ha_cf;
mod haresources;
mod hbd_toml;
mod key_table;
mod limits;
mod moves;
mod names;
mod round_trip;
mod rows;
mod seeds;
mod unseen;
mod values;
mod witness;
mod words;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A node's files below a temporary root.
struct Node {
    root: tempfile::TempDir,
    host: Host,
}

/// A ha.cf without a finding of its own, to which a test adds lines.
const PLAIN: &str =
    "auto_failback on\nucast eth0 10.0.0.2\nucast eth1 10.1.0.2\nwatchdog /dev/watchdog\nnode nodea nodeb\n";

impl Node {
    /// A node `nodea` with this ha.cf, one sha1 key and an empty haresources.
    fn new(ha_cf: &str) -> Node {
        let root = tempfile::tempdir().unwrap();
        let mut node = Node { root, host: Host::named("nodea") };
        node.host.users.extend(["root", "hacluster"].map(str::to_owned));
        node.write("bin/true", b"");
        node.write("dev/null", b"");
        node.chmod("bin/true", 0o755);
        node.write("etc/ha.d/ha.cf", ha_cf.as_bytes());
        node.write("etc/ha.d/authkeys", b"auth 1\n1 sha1 a-key-of-the-tests\n");
        node.chmod("etc/ha.d/authkeys", 0o600);
        node.write("etc/ha.d/haresources", b"");
        node
    }

    /// [`PLAIN`] followed by these lines.
    fn with(lines: &str) -> Node {
        Node::new(&format!("{PLAIN}{lines}"))
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn haresources(self, text: &str) -> Node {
        self.write("etc/ha.d/haresources", text.as_bytes());
        self
    }

    fn toml(self, text: &str) -> Node {
        self.write("etc/hbd/hbd.toml", text.as_bytes());
        self
    }

    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn files(&self) -> Files {
        Files::below(self.root.path())
    }

    fn load(&self) -> Loaded {
        load(&self.files(), &self.host)
    }

    /// The configuration, which must load.
    fn config(&self) -> Config {
        let loaded = self.load();
        let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        loaded.config.unwrap_or_else(|| panic!("{}", shown.join("\n")))
    }

    /// The only error, after which there must be no configuration.
    #[track_caller]
    fn error(&self) -> Diagnostic {
        let loaded = self.load();
        assert!(loaded.config.is_none() && loaded.keys.is_none());
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors[0].clone()
    }

    /// The finding of this severity whose message contains a text.
    #[track_caller]
    fn finding(&self, severity: Severity, text: &str) -> Diagnostic {
        let found = self.load().diagnostics;
        let hit = found.iter().find(|d| d.severity == severity && d.message.contains(text));
        hit.unwrap_or_else(|| panic!("no {severity} with {text:?} in {found:#?}")).clone()
    }
}

/// File name, line, column and word of a finding.
fn place(found: &Diagnostic) -> (String, usize, usize, &str) {
    (found.file.file_name().unwrap().display().to_string(), found.line, found.column, found.word.as_str())
}

#[test]
fn a_plain_configuration_has_no_findings() {
    let loaded = Node::with("").load();
    let found: Vec<_> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(found, [""; 0]);
    assert_eq!(loaded.keys.unwrap().signing, 1);
    let config = loaded.config.unwrap();
    assert_eq!(config.node, "nodea");
    assert_eq!(config.nodes, ["nodea", "nodeb"]);
}

#[test]
fn a_finding_prints_place_message_and_hint() {
    let error = Node::with("keepalive 3x\n").error();
    assert_eq!(
        error.to_string(),
        "ha.cf:6:11: bad value in `keepalive 3x`: `3x` is not a time: unit `x` is unknown\n    \
         hint: write seconds (30 or 0.5) or milliseconds (1500ms), without a blank, up to a year"
    );
}

#[test]
fn a_finding_renders_with_a_caret_under_the_word() {
    let rendered = Node::with("deadtime\t99x # dégât\n").error().render(false);
    let lines: Vec<&str> = rendered.lines().collect();
    assert!(lines[0].starts_with("error: bad value in `deadtime 99x`"), "{rendered}");
    assert!(lines[1].contains("ha.cf:6:10"), "{rendered}");
    let source = lines.iter().position(|line| line.contains("dégât")).unwrap();
    assert_eq!(lines[source].find("99x"), lines[source + 1].find("^^^"), "{rendered}");
    assert!(rendered.contains("help: write seconds"), "{rendered}");
}

#[test]
fn control_characters_of_a_file_are_not_printed() {
    let error = Node::with("bad\x1b[31m 1\n").error();
    assert!(!error.to_string().contains('\x1b') && !error.render(false).contains('\x1b'));
}

#[test]
fn all_stages_report_together() {
    let node = Node::new("nonsense 1\nkeepalive x\nucast eth0\nnode nodea nodea\nrtprio 0\n")
        .haresources("nodex 1.2.3.4/99\n");
    node.chmod("etc/ha.d/authkeys", 0o644);
    let node = node.toml("deadtim = 3\nrtprio = 100\n");
    let loaded = node.load();
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(place).collect();
    let expected = [
        ("ha.cf", 1, 1, "nonsense"),
        ("ha.cf", 2, 11, "x"),
        ("ha.cf", 3, 7, "eth0"),
        ("ha.cf", 4, 12, "nodea"),
        ("ha.cf", 5, 8, "0"),
        ("authkeys", 0, 0, ""),
        ("hbd.toml", 1, 1, "deadtim"),
        ("hbd.toml", 2, 10, "100"),
        ("haresources", 1, 7, "1.2.3.4/99"),
    ];
    assert_eq!(errors, expected.map(|(file, line, column, word)| (file.to_owned(), line, column, word)));
}

#[test]
fn mode_of_authkeys() {
    let node = Node::with("");
    for mode in [0o644, 0o640, 0o604] {
        node.chmod("etc/ha.d/authkeys", mode);
        let error = node.error();
        let path = node.files().authkeys;
        let text = format!("Bad permissions on keyfile [{}], 600 recommended.", path.display());
        assert!(error.message.contains(&text), "{}", error.message);
        assert_eq!(error.help, format!("chmod 600 {}", path.display()));
        assert_eq!(load_authkeys(&node.files()).unwrap_err(), [error]);
    }
    node.chmod("etc/ha.d/authkeys", 0o622);
    node.finding(Severity::Warning, "may be written by others");
    assert!(load_authkeys(&node.files()).is_ok());
}

#[test]
fn a_credential_goes_before_authkeys() {
    let node = Node::with("");
    node.write("run/credentials/authkeys", b"auth 3\n3 md5 other\n");
    let directory = node.root.path().join("run/credentials");
    let keys = load_authkeys(&node.files().with_credentials(&directory)).unwrap();
    assert_eq!(keys.signing, 3);
    fs::remove_file(directory.join("authkeys")).unwrap();
    assert_eq!(load_authkeys(&node.files().with_credentials(&directory)).unwrap().signing, 1);
}

#[test]
fn missing_files_are_named() {
    let node = Node::with("");
    fs::remove_file(node.files().authkeys).unwrap();
    assert!(node.error().message.starts_with("Cannot open keyfile ["));
    let node = Node::with("");
    fs::remove_file(node.files().haresources).unwrap();
    assert!(node.error().message.starts_with("Cannot open resources file ["));
    let node = Node::with("");
    fs::remove_file(node.files().ha_cf).unwrap();
    let error = node.error();
    assert!(error.message.starts_with("Cannot open config file ["), "{error}");
    assert!(error.help.contains("`hbctl init`") && error.help.contains("`hbctl import`"), "{error}");
}

#[test]
fn without_ha_cf_nothing_is_said_that_follows_from_it() {
    let said = |node: &Node| node.load().diagnostics.into_iter().map(|found| found.message).collect::<Vec<_>>();
    let node = Node::new("# nothing yet\n\n");
    let found = said(&node);
    assert!(found.len() == 1 && found[0].ends_with("/ha.cf says nothing: it describes no cluster"), "{found:?}");
    // What a line of another file says wrong by itself is told all the same, behind the cause.
    let node = node.haresources("nodea 10.0.0.9/33\n");
    fs::remove_file(node.files().ha_cf).unwrap();
    let found = said(&node);
    assert!(found.len() == 2 && found[0].starts_with("Cannot open config file ["), "{found:?}");
    // A new machine, and a copy of one.
    let mut node = Node::with("");
    for file in [node.files().ha_cf, node.files().haresources, node.files().authkeys] {
        fs::remove_file(file).unwrap();
    }
    assert!(said(&node).len() == 1 && node.error().help.contains("`hbctl init`"), "{:?}", said(&node));
    node.host = Host { elsewhere: true, ..Host::default() };
    assert!(node.error().help.starts_with("copy that machine's ha.cf"), "{}", node.error());
    node.write("etc/ha.d/ha.cf", b"ucast eth0 10.0.0.2\n");
    let error = node.finding(Severity::Error, "no nodes defined");
    assert_eq!(error.help, "add `node NAME` and a node line for the other node");
}

#[test]
fn errors_come_first_and_what_is_missing_behind_the_lines() {
    let node = Node::new("ucast eth0,eth1 10.0.0.2\nauto_failback legacy\nnode nodea nodeb\n");
    let found: Vec<_> = node.load().diagnostics.into_iter().map(|found| (found.severity, found.line)).collect();
    assert_eq!(found, [(Severity::Error, 1), (Severity::Warning, 2), (Severity::Warning, 0)]);
}

#[test]
fn nodeinfo_gives_our_name() {
    let node = Node::with("");
    node.write("etc/ha.d/nodeinfo", b"NodeB\nrest");
    assert_eq!(node.config().node, "nodeb");
    node.write("etc/ha.d/nodeinfo", b"nodeb");
    assert_eq!(node.config().node, "nodea");
    node.finding(Severity::Warning, "does not end in a newline");
    node.write("etc/ha.d/nodeinfo", b"\xef\xbb\xbfnodeb\n");
    let error = node.error();
    assert!(error.message.contains("a byte order mark (U+FEFF)") && error.line == 1, "{error}");
}
