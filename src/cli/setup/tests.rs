//! What an administrator sees of `hbctl init` and `hbctl join`, on machines that are described and with files in a
//! directory of the test.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::carried::CarriedFile;
use super::error::SetupError;
use super::establish::{Establishment, establish};
use super::files::PlannedFile;
use super::fitting::fit;
use super::machine::{Machine, OwnAddress, OwnInterface};
use super::options::SetupOptions;
use super::placing::place;
use super::plan::PairPlan;
use super::proposal::propose;
use super::questions::Dialogue;
use super::starting::heard_text;
use crate::bus::{LinkSnapshot, Snapshot};
use crate::cli::secret_key::SecretKey;
use crate::config::{self, Files, Host};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: SetupOptions,
}

/// What follows `hbctl init`.
fn options(line: &str) -> SetupOptions {
    Line::try_parse_from(["init"].into_iter().chain(line.split_whitespace())).unwrap().options
}

/// A machine with these interfaces, each as `eth1 192.168.1.2/24`.
fn machine(node: &str, interfaces: &[&str]) -> Machine {
    let interface = |text: &&str| {
        let (name, rest) = text.split_once(' ').unwrap();
        let addresses = rest.split(' ').map(|text| {
            let (address, prefix) = text.split_once('/').unwrap();
            OwnAddress { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
        });
        OwnInterface { name: name.to_owned(), addresses: addresses.collect() }
    };
    let host = Host::named(node);
    Machine { node: node.to_owned(), host, interfaces: interfaces.iter().map(interface).collect() }
}

fn nodea() -> Machine {
    machine("nodea", &["eth0 192.168.17.2/24", "eth1 192.168.1.2/24"])
}

/// Its interfaces have other names.
fn nodeb() -> Machine {
    machine("nodeb", &["ens3 192.168.17.3/24", "ens4 192.168.1.3/24"])
}

const USUAL: &str = "--peer nodeb --link eth1=192.168.1.3 --link eth0=192.168.17.3 --address 192.168.17.200/24";

fn plan(line: &str) -> PairPlan {
    propose(&options(line), &nodea(), SecretKey::random().unwrap()).unwrap().plan
}

/// The complaints about these options on nodea.
fn problems(line: &str) -> String {
    propose(&options(line), &nodea(), SecretKey::random().unwrap()).unwrap_err().to_string()
}

/// Runs the part of init that writes, below `root`.
fn run_init(root: &Path, line: &str) -> Result<(String, ExitCode), SetupError> {
    let (options, machine) = (options(line), nodea());
    let proposal = propose(&options, &machine, SecretKey::random().unwrap()).unwrap();
    let establishment = Establishment {
        plan: &proposal.plan,
        node: 0,
        notes: proposal.notes,
        carried: Some(carried(root)),
        force: options.force,
        start: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    establish(&runtime, &machine, &Files::below(root), &establishment, false)
}

/// Where the file for nodeb is.
fn carried(root: &Path) -> PathBuf {
    root.join("hbd-join-nodeb.toml")
}

/// Runs the part of join that writes.
fn run_join(root: &Path, file: &Path) -> Result<(String, ExitCode), SetupError> {
    let machine = nodeb();
    let (carried, mut notes) = CarriedFile::read(file)?;
    let plan = fit(carried, &machine, &mut notes)?;
    let establishment = Establishment { plan: &plan, node: 1, notes, carried: None, force: false, start: false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    establish(&runtime, &machine, &Files::below(root), &establishment, false)
}

fn read(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join("etc/ha.d").join(name)).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_and_join_make_a_pair_whose_files_fit_together() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (here.path(), there.path());
    let (said, code) = run_init(here, USUAL).unwrap();
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(
        said.contains("systemctl enable --now hbd") && said.contains("hbctl join --start hbd-join-nodeb.toml"),
        "{said}"
    );
    let (said, code) = run_join(there, &carried(here)).unwrap();
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(said.contains("note: eth1 of nodea is ens4 here"), "{said}");
    assert!(said.contains("hbctl status"), "{said}");

    for (root, node, lines) in [
        (here, "nodea", ["ucast eth1 192.168.1.3", "ucast eth0 192.168.17.3"]),
        (there, "nodeb", ["ucast ens4 192.168.1.2", "ucast ens3 192.168.17.2"]),
    ] {
        let ha_cf = read(root, "ha.cf");
        assert!(lines.iter().all(|line| ha_cf.lines().any(|own| own == *line)), "{ha_cf}");
        let loaded = config::load(&Files::below(root), &Host::named(node));
        assert_eq!(loaded.config.expect("a configuration").nodes, ["nodea", "nodeb"]);
        assert_eq!(mode(&root.join("etc/ha.d/authkeys")), 0o600);
    }
    assert_eq!(read(here, "authkeys"), read(there, "authkeys"));
    assert_eq!(read(here, "haresources"), read(there, "haresources"));
    assert!(read(here, "haresources").lines().any(|line| line == "nodea 192.168.17.200/24"));
    assert_eq!(mode(&carried(here)), 0o600);
    assert!(fs::read_to_string(carried(here)).unwrap().contains("contains the key"));
}

#[test]
fn each_pair_has_a_key_of_its_own_that_no_message_shows() {
    let (one, other) = (plan(USUAL), plan(USUAL));
    assert_ne!(one.key, other.key);
    assert_eq!(one.key.reveal().len(), 64);
    assert!(!format!("{one:?}").contains(one.key.reveal()));
}

#[test]
fn files_that_are_there_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    run_init(root, USUAL).unwrap();
    let before = read(root, "authkeys");
    let refusal = run_init(root, USUAL).unwrap_err();
    let refusal = refusal.to_string();
    assert!(refusal.contains("etc/ha.d/ha.cf") && refusal.contains("--force"), "{refusal}");
    assert_eq!(read(root, "authkeys"), before);
    let (said, _) = run_init(root, &format!("{USUAL} --force --deadtime 5")).unwrap();
    assert!(said.contains("authkeys.old-1"), "{said}");
    assert_eq!(read(root, "authkeys.old-1"), before);
    assert_eq!(mode(&root.join("etc/ha.d/authkeys.old-1")), 0o600);
    assert_ne!(read(root, "authkeys"), before);
    assert!(read(root, "ha.cf").contains("\nwarntime 2500ms\ndeadtime 5\n"));
}

#[test]
fn a_mistake_beside_the_new_files_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let drop_ins = root.join("etc/hbd/hbd.toml.d");
    fs::create_dir_all(&drop_ins).unwrap();
    fs::write(drop_ins.join("times.toml"), "deadtime = \"soon\"\n").unwrap();
    let (said, code) = run_init(root, USUAL).unwrap();
    assert_eq!(code, ExitCode::from(6), "{said}");
    assert!(said.contains("hbd.toml.d/times.toml:1:") && said.contains("nothing was written"), "{said}");
    assert!(!root.join("etc/ha.d").exists() && !carried(root).exists());
    assert_eq!(fs::read_dir(&drop_ins).unwrap().count(), 1);
}

#[test]
fn a_file_that_cannot_be_replaced_brings_the_others_back() {
    let root = tempfile::tempdir().unwrap();
    let file =
        |name: &str, text: &str| PlannedFile { path: root.path().join(name), text: text.to_owned(), mode: 0o644 };
    fs::write(root.path().join("old"), "before").unwrap();
    fs::create_dir(root.path().join("taken")).unwrap();
    let error = place(&[file("new", "x"), file("old", "after"), file("taken", "x")]).unwrap_err();
    assert!(matches!(error, SetupError::File(_)), "{error}");
    assert_eq!(fs::read_to_string(root.path().join("old")).unwrap(), "before");
    let mut names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["old", "taken"]);
}

#[test]
fn everything_that_is_wrong_with_the_options_is_said_at_once() {
    let said =
        problems("--peer nodea --link eth7=192.168.1.3 --link eth1=192.168.1.2 --address 10.9.0.1/24 --prefer nodec");
    for wanted in [
        "--peer nodea is this node itself",
        "there is no interface eth7",
        "eth0 (192.168.17.2/24), eth1 (192.168.1.2/24)",
        "192.168.1.2: that address is this node's own",
        "10.9.0.1 is in no network of this node: write ADDRESS/PREFIX/IFACE",
        "--prefer nodec is neither nodea nor the other node",
    ] {
        assert!(said.contains(wanted), "no {wanted:?} in\n{said}");
    }
    let said = problems("");
    for wanted in ["--peer NAME is missing", "--link IFACE=ADDRESS is missing", "--address ADDRESS/PREFIX is missing"]
    {
        assert!(said.contains(wanted), "no {wanted:?} in\n{said}");
    }
    let said = problems("--peer nodeb --link eth0=192.168.17.3 --address 192.168.17.3/24");
    assert!(said.contains("192.168.17.3 is the other node's own address"), "{said}");
    let said = problems("--peer nodeb --link eth0=192.168.17.3 --address 192.168.17.2");
    assert!(said.contains("192.168.17.2 is this node's own address, on eth0"), "{said}");
}

#[test]
fn a_second_link_is_proposed_where_there_is_an_interface_for_it() {
    let one_link = "--peer nodeb --link eth0=192.168.17.3 --address 192.168.17.200/24";
    let notes = propose(&options(one_link), &nodea(), SecretKey::random().unwrap()).unwrap().notes.join("\n");
    assert!(notes.contains("eth1 (192.168.1.2/24) is on another network: add --link eth1=ADDRESS"), "{notes}");
    let both = propose(&options(USUAL), &nodea(), SecretKey::random().unwrap()).unwrap().notes;
    assert!(both.is_empty(), "{both:?}");
    let lonely = machine("nodea", &["eth0 192.168.17.2/24", "docker0 172.17.0.1/16"]);
    let notes = propose(&options(one_link), &lonely, SecretKey::random().unwrap()).unwrap().notes;
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn an_address_needs_its_interface_only_where_the_network_does_not_say_it() {
    let words =
        |line: &str| plan(&format!("--peer nodeb --link eth1=192.168.1.3 {line}")).groups[0].resources.join(" ");
    assert_eq!(words("--address 192.168.17.200 --service nginx"), "192.168.17.200/24 nginx");
    assert_eq!(words("--address 10.0.0.9/24/eth0"), "10.0.0.9/24/eth0");
    assert_eq!(words("--address 2001:db8::9/64/eth0"), "IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0");
    let twins = machine("nodea", &["eth0 192.168.17.2/24", "eth1 192.168.17.4/24"]);
    let wanted = options("--peer nodeb --link eth0=192.168.17.3 --address 192.168.17.200/24");
    let said = propose(&wanted, &twins, SecretKey::random().unwrap()).unwrap_err().to_string();
    assert!(said.contains("in the networks of eth0 and eth1"), "{said}");
}

/// Why a machine cannot join with the file of this init.
fn refusal(line: &str, machine: &Machine) -> String {
    let root = tempfile::tempdir().unwrap();
    run_init(root.path(), line).unwrap();
    let (carried, mut notes) = CarriedFile::read(&carried(root.path())).unwrap();
    fit(carried, machine, &mut notes).unwrap_err().to_string()
}

#[test]
fn a_machine_that_does_not_fit_is_told_what_to_write_instead() {
    let said = refusal(USUAL, &machine("web2", &[]));
    assert!(
        said.contains("the file is for nodeb, and this machine is web2") && said.contains("hostnamectl"),
        "{said}"
    );
    let said = refusal(USUAL, &nodea());
    assert!(said.contains("this is nodea, where the file was made"), "{said}");
    let said = refusal(USUAL, &machine("nodeb", &["ens3 192.168.17.3/24", "ens4 192.168.1.4/24"]));
    assert!(said.contains("no interface here has 192.168.1.3") && said.contains("--link eth1=192.168.1.4"), "{said}");
    let said = refusal(USUAL, &machine("nodeb", &["ens3 192.168.17.3/24"]));
    assert!(said.contains("connected with eth1 of nodea (192.168.1.2)"), "{said}");
    let fixed = USUAL.replace("/24", "/24/eth0");
    let said = refusal(&fixed, &nodeb());
    assert!(said.contains("needs the interface eth0") && said.contains("ens3 has that network here"), "{said}");
    let shared = machine("nodeb", &["ens3 192.168.17.3/24 192.168.17.200/24", "ens4 192.168.1.3/24"]);
    let said = refusal(USUAL, &shared);
    assert!(said.contains("192.168.17.200 is to be shared, and nodeb has it already, on ens3"), "{said}");
}

#[test]
fn a_carried_file_is_judged_before_it_is_used() {
    let root = tempfile::tempdir().unwrap();
    run_init(root.path(), USUAL).unwrap();
    let path = carried(root.path());
    let text = fs::read_to_string(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, notes) = CarriedFile::read(&path).unwrap();
    assert!(notes.join("\n").contains("mode 644"), "{notes:?}");
    fs::write(&path, text.replace("form = 1", "form = 2").replace(env!("CARGO_PKG_VERSION"), "9.0")).unwrap();
    let said = CarriedFile::read(&path).unwrap_err().to_string();
    assert!(said.contains("hbd 9.0 wrote it") && said.contains("install the same version"), "{said}");
    fs::write(&path, text.replace(env!("CARGO_PKG_VERSION"), "9.0")).unwrap();
    let (_, notes) = CarriedFile::read(&path).unwrap();
    assert!(notes.join("\n").contains("hbd 9.0 runs on nodea"), "{notes:?}");
    fs::write(&path, text.replace("key = ", "kee = ")).unwrap();
    let said = CarriedFile::read(&path).unwrap_err().to_string();
    let secret = text.split_once("key = \"").unwrap().1.split('"').next().unwrap();
    assert!(said.contains("kee") && !said.contains(secret), "{said}");
}

#[test]
fn a_dialogue_asks_what_no_option_says_and_proposes_what_it_knows() {
    let mut machine = nodea();
    machine.host.hosts.insert("nodeb".to_owned(), Ipv4Addr::new(192, 168, 17, 3));
    // The peer, an answer that is no name first; the known address on eth0; eth1; an address; a service; the rest as
    // proposed.
    let answers = "node b\nnodeb\n\n192.168.1.3\n192.168.17.200/24\n\nnginx\n\n\nno\n";
    let mut wanted = options("");
    let mut said = Vec::new();
    Dialogue::new(&machine, answers.as_bytes(), &mut said).complete(&mut wanted).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("write what `uname -n` prints"), "{said}");
    assert!(said.contains("Address of nodeb on eth0 (192.168.17.2/24) [192.168.17.3]: "), "{said}");
    let plan = propose(&wanted, &machine, SecretKey::random().unwrap()).unwrap().plan;
    assert_eq!(plan.links.len(), 2);
    assert_eq!(plan.groups[0].resources, ["192.168.17.200/24", "nginx"]);
    assert!(!wanted.start);
    let mut shown = Vec::new();
    Dialogue::new(&machine, "\n".as_bytes(), &mut shown).confirm(&plan).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("on nodea while it is well: 192.168.17.200/24 nginx"), "{shown}");
    let refused = Dialogue::new(&machine, "no\n".as_bytes(), Vec::new()).confirm(&plan);
    assert!(matches!(refused, Err(SetupError::Cancelled)));
    let ended = Dialogue::new(&machine, "nodeb\n".as_bytes(), Vec::new()).complete(&mut options(""));
    assert!(matches!(ended, Err(SetupError::Cancelled)));
}

#[test]
fn whether_the_nodes_hear_each_other_is_said_link_by_link() {
    let link = |name: &str, status: &str| LinkSnapshot {
        node: "nodea".to_owned(),
        name: name.to_owned(),
        status: status.to_owned(),
        ..LinkSnapshot::default()
    };
    let snapshot = |links: &[(&str, &str)]| Snapshot {
        links: links.iter().map(|(name, status)| link(name, status)).collect(),
        ..Snapshot::default()
    };
    let (said, heard) = heard_text(Some(&snapshot(&[("ens3", "up"), ("ens4", "up")])), "nodea");
    assert!(heard && said == "ens3: nodea is heard\nens4: nodea is heard\n", "{said}");
    let (said, heard) = heard_text(Some(&snapshot(&[("ens3", "up"), ("ens4", "dead")])), "nodea");
    assert!(!heard && said.contains("ens4: nodea is not heard") && said.contains("One link does not work"), "{said}");
    let (said, heard) = heard_text(Some(&snapshot(&[("ens3", "dead")])), "nodea");
    assert!(!heard && said.contains("Does hbd run there") && said.contains("UDP port 694"), "{said}");
    assert!(!heard_text(None, "nodea").1);
}
