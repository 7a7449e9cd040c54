//! How programs are called. Where Debian's fence agents are installed, a real one is called as well; that a unit runs
//! it is tested in the laboratory.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

fn agent(parameters: &[(&str, &str)]) -> FenceAgent {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let protocol = FenceProtocol::Agent { path: "/usr/sbin/fence_dummy".into(), parameters };
    FenceAgent { name: "fence_dummy".into(), protocol, timeout: Duration::from_secs(60) }
}

fn lines(agent: &FenceAgent, operation: FenceOperation) -> String {
    agent_call(agent, "nodeb", operation).unwrap().parameters
}

#[test]
fn a_fence_agent_reads_its_parameters_from_its_input_and_gets_no_argument() {
    let agent = agent(&[("ip", "10.0.0.9"), ("password", "let me in")]);
    let call = agent_call(&agent, "nodeb", FenceOperation::Reset).unwrap();
    assert_eq!(call.words, ["/usr/sbin/fence_dummy"], "with an argument it would not read its input");
    assert!(call.stdin);
    assert_eq!(call.parameters, "ip=10.0.0.9\npassword=let me in\nnodename=nodeb\naction=reboot\n");
}

#[test]
fn what_the_configuration_says_about_action_and_plug_counts() {
    let off = agent(&[("plug", "7"), ("action", "off")]);
    assert_eq!(lines(&off, FenceOperation::Reset), "plug=7\naction=off\n");
    assert_eq!(
        lines(&off, FenceOperation::Test),
        "plug=7\naction=off\naction=status\n",
        "the last one counts: only asked"
    );
}

#[test]
fn cluster_glue_gets_its_parameters_in_a_file() {
    let protocol = FenceProtocol::Stonith {
        program: "/usr/sbin/stonith".into(),
        kind: "external/ipmi".into(),
        parameters: "NodeB 10.0.0.9 admin secret lan".into(),
    };
    let agent = FenceAgent { name: "external/ipmi".into(), protocol, timeout: Duration::from_secs(60) };
    let reset = agent_call(&agent, "NodeB", FenceOperation::Reset).unwrap();
    assert_eq!(
        reset.words,
        ["/usr/sbin/stonith", "-t", "external/ipmi", "-F", FILE_PLACEHOLDER, "-T", "reset", "nodeb"]
    );
    assert_eq!((reset.parameters.as_str(), reset.stdin), ("NodeB 10.0.0.9 admin secret lan\n", false));
    let test = agent_call(&agent, "nodeb", FenceOperation::Test).unwrap();
    assert_eq!(test.words, ["/usr/sbin/stonith", "-t", "external/ipmi", "-F", FILE_PLACEHOLDER, "-S"]);
}

#[test]
fn parameters_are_for_root_only_and_do_not_stay() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hbd-fence-nodeb-1.parameters");
    fs::write(&path, "left by a dead daemon").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let written = ParameterFile::new(path.clone(), "password=x\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "password=x\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(written);
    assert!(!path.exists());
    assert!(!format!("{:?}", agent(&[("password", "secret")])).contains("secret"));
}

#[test]
fn units_have_names_that_systemd_takes() {
    assert_eq!(unit_name("nodeb", 3, 0), "hbd-fence-nodeb-3.service");
    assert_eq!(unit_name("node b/x", 3, 1), "hbd-fence-node_b_x-3-2.service");
}

/// Runs a real agent of Debian's package fence-agents as the unit would; `None` where it is not installed.
fn real(call: &AgentCall) -> Option<std::process::ExitStatus> {
    let mut child = Command::new(&call.words[0])
        .args(&call.words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(call.parameters.as_bytes()).unwrap();
    Some(child.wait().unwrap())
}

/// fence_dummy keeps the "power" of its node in a file.
#[test]
fn a_real_debian_fence_agent_understands_us() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("power").display().to_string();
    let dummy = agent(&[("type", "file"), ("status_file", &file)]);
    let Some(status) = real(&agent_call(&dummy, "nodeb", FenceOperation::Reset).unwrap()) else {
        eprintln!("skipped: no fence_dummy here (package fence-agents)");
        return;
    };
    assert!(status.success());
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "on", "off, and on again");
    let off = agent(&[("type", "file"), ("status_file", &file), ("action", "off")]);
    assert!(real(&agent_call(&off, "nodeb", FenceOperation::Reset).unwrap()).unwrap().success());
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "off");
    let asked = agent_call(&off, "nodeb", FenceOperation::Test).unwrap();
    assert_eq!(real(&asked).unwrap().code(), Some(NODE_IS_OFF), "reachable, and off");
    assert_eq!(asked.accepted, [NODE_IS_OFF]);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "off", "only asked");
    let failing = agent(&[("type", "fail"), ("status_file", &file)]);
    assert!(!real(&agent_call(&failing, "nodeb", FenceOperation::Reset).unwrap()).unwrap().success());
}

/// fence_ipmilan's own words, shortened.
const IPMILAN: &str = r#"<?xml version="1.0" ?>
<resource-agent name="fence_ipmilan" shortdesc="Fence agent for IPMI" ><parameters>
	<parameter name="action" unique="0" required="1"><content type="string" default="reboot" /></parameter>
	<parameter name="ip" unique="0" required="1" obsoletes="ipaddr"></parameter>
	<parameter name="ipaddr" unique="0" required="1" deprecated="1"></parameter>
	<parameter name="password" unique="0" required="0" obsoletes="passwd"></parameter>
	<parameter name="plug" unique="0" required="1" obsoletes="port"></parameter>
	<parameter name="power_wait" unique="0" required="0"></parameter>
</parameters><actions><action name="reboot" /></actions></resource-agent>"#;

fn complaints(parameters: &[(&str, &str)]) -> Vec<String> {
    let given: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Metadata::parse(IPMILAN).unwrap().complaints("fence_ipmilan", &given)
}

#[test]
fn what_an_agent_would_ignore_or_miss_is_found_before_it_is_needed() {
    let ignored = "fence_ipmilan has no parameter `pasword` and would ignore it: did you mean `password`?";
    assert_eq!(complaints(&[("ip", "10.0.0.9"), ("plug", "3"), ("pasword", "secret")]), [ignored]);
    let needed = "fence_ipmilan needs `ip`, which is not given: it would reset nothing";
    let which = "fence_ipmilan must be told which outlet or guest the node is: write `plug = ...`";
    assert_eq!(complaints(&[("action", "off")]), [needed, which]);
    let none: [String; 0] = [];
    assert_eq!(complaints(&[("ipaddr", "10.0.0.9"), ("port", "3"), ("passwd", "x"), ("power-wait", "2")]), none);
}

#[test]
fn what_is_no_description_is_not_taken_for_one() {
    for text in ["", "<", "<resource-agent/>", "usage: fence_x [options]"] {
        Metadata::parse(text).unwrap_err();
    }
}

#[tokio::test]
async fn a_real_debian_fence_agent_describes_itself() {
    let Ok(dummy) = Metadata::of(Path::new("/usr/sbin/fence_dummy")).await else {
        eprintln!("skipped: no fence_dummy here (package fence-agents)");
        return;
    };
    let given = [("status_file", "/tmp/x"), ("statusfile", "/tmp/x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let ignored = "fence_dummy has no parameter `statusfile` and would ignore it: did you mean `status_file`?";
    assert_eq!(dummy.complaints("fence_dummy", &given), [ignored]);
}

#[tokio::test]
async fn an_agent_that_does_not_describe_itself_is_said_so() {
    let missing = Metadata::of(Path::new("/nonexistent/fence_x")).await.unwrap_err();
    assert!(matches!(missing, MetadataError::Run(_)), "{missing}");
    let refused = Metadata::of(Path::new("/bin/false")).await.unwrap_err();
    assert_eq!(refused.to_string(), "it ended with exit status: 1");
    let silent = Metadata::of(Path::new("/bin/true")).await.unwrap_err();
    assert!(matches!(silent, MetadataError::NotXml(_)), "{silent}");
}
