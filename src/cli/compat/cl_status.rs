//! `cl_status` (04 §6.5): the command by which monitoring asks Heartbeat.
//!
//! Unlike Heartbeat's, it answers from the first second and needs no membership in haclient. Clients of Heartbeat's
//! socket are always offline, because hbd has no such socket.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use zbus::connection::Builder;

use super::output::CommandOutput;
use crate::bus::Snapshot;
use crate::cli::fetch;

/// How long the whole command may take (04 §6.5).
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const EXIT_TIMEOUT: u8 = 12;
/// A parameter is missing or wrong.
const EXIT_PARAMETER: u8 = 11;
/// hbd does not know what is asked for.
const EXIT_FAILED: u8 = 13;

const HA_CF: &str = "/etc/ha.d/ha.cf";

const USAGE: &str = "\
usage: cl_status [sub-command] [options] [parameters]
sub-commands:
  hbstatus [-m] [-v]
  listnodes [-m] [-p] [-n] [-v]
  nodestatus [-m] NODE
  nodetype [-m] NODE
  nodeweight [-m] NODE
  nodesite [-m] NODE
  listhblinks [-m] [-v] NODE
  hblinkstatus [-m] NODE LINK
  clientstatus [-m] NODE CLIENT [MILLISECONDS]
  rscstatus [-m]
  hbparameter [-m] -p PARAMETER
";

/// A command line after its first word.
#[derive(Debug, Default)]
struct CommandLine {
    /// `-m`: sentences.
    human: bool,
    ping: bool,
    normal: bool,
    verbose: bool,
    /// `-p NAME` of hbparameter.
    name: Option<String>,
    parameters: Vec<String>,
}

pub(super) fn run(runtime: &Runtime, bus: Builder<'static>, words: &[String]) -> CommandOutput {
    let Some((command, rest)) = words.split_first().filter(|(command, _)| *command != "-h") else {
        return CommandOutput { out: USAGE.to_owned(), ..CommandOutput::default() };
    };
    let asked = runtime.block_on(async { timeout(ANSWER_LIMIT, fetch::snapshot(bus)).await });
    match asked {
        Err(_) => CommandOutput { status: EXIT_TIMEOUT, ..CommandOutput::default() },
        Ok(snapshot) => {
            let file = fs::read_to_string(Path::new(HA_CF)).unwrap_or_default();
            answer(snapshot.ok().as_ref(), command, rest, &file)
        }
    }
}

/// The answer, from what hbd shows (`None` if it does not answer) and the text of ha.cf.
pub(super) fn answer(snapshot: Option<&Snapshot>, command: &str, rest: &[String], ha_cf: &str) -> CommandOutput {
    const COMMANDS: [&str; 12] = [
        "hbstatus",
        "listnodes",
        "nodestatus",
        "nodetype",
        "nodeweight",
        "nodesite",
        "listhblinks",
        "hblinkstatus",
        "clientstatus",
        "rscstatus",
        "hbparameter",
        "test",
    ];
    if !COMMANDS.contains(&command) {
        return CommandOutput::err(format!("{command}: invalid sub-command."), EXIT_PARAMETER);
    }
    let line = match parse(command, rest) {
        Ok(line) => line,
        Err(said) => return said,
    };
    let Some(snapshot) = snapshot else {
        return match command {
            "hbstatus" => CommandOutput::out("Heartbeat is stopped on this machine.", 1),
            _ => CommandOutput::err("Cannot signon with heartbeat", 1),
        };
    };
    match command {
        "hbstatus" if line.verbose => CommandOutput::out(verbose(snapshot), 0),
        "hbstatus" => CommandOutput::out("Heartbeat is running on this machine.", 0),
        "listnodes" => list_nodes(snapshot, &line),
        "rscstatus" => {
            let held = &snapshot.resource_state;
            CommandOutput::out(
                if line.human { format!("This node is holding {held} resources.") } else { held.clone() },
                0,
            )
        }
        "hbparameter" => parameter(&line, ha_cf),
        "test" => {
            let ms = |usec: u64| usec / 1000;
            let (dead, keep) = (ms(snapshot.deadtime_usec), ms(snapshot.keepalive_usec));
            let (node, held) = (&snapshot.node, &snapshot.resource_state);
            CommandOutput::out(
                format!("Dead time: {dead}\n keeplive time: {keep}\n mynodeid: {node}\n rsc: {held}"),
                0,
            )
        }
        _ => about_node(snapshot, command, &line),
    }
}

fn parse(command: &str, rest: &[String]) -> Result<CommandLine, CommandOutput> {
    let mut line = CommandLine::default();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let Some(options) = word.strip_prefix('-').filter(|options| !options.is_empty()) else {
            line.parameters.push(word.clone());
            continue;
        };
        for option in options.chars() {
            match (option, command) {
                ('m', _) => line.human = true,
                ('v', _) => line.verbose = true,
                ('p', "hbparameter") => line.name = words.next().cloned(),
                ('p', "listnodes") => line.ping = true,
                ('n', "listnodes") => line.normal = true,
                _ => {
                    let text =
                        format!("cl_status: invalid option -- '{option}'\nError: getopt returnedcharacter code ?.");
                    return Err(CommandOutput::err(text, EXIT_PARAMETER));
                }
            }
        }
    }
    Ok(line)
}

/// The nodes in the reverse order of ha.cf, as Heartbeat's list gives them.
fn list_nodes(snapshot: &Snapshot, line: &CommandLine) -> CommandOutput {
    if line.verbose {
        return CommandOutput::out(verbose(snapshot), 0);
    }
    let wanted = |kind: &str| match (line.ping, line.normal) {
        (true, false) => kind == "ping",
        (false, true) => kind == "normal",
        _ => true,
    };
    let mut lines: Vec<&str> = if line.human { vec!["The nodes are as follow:"] } else { Vec::new() };
    lines.extend(names(snapshot, wanted));
    CommandOutput { out: lines.iter().map(|line| format!("{line}\n")).collect(), ..CommandOutput::default() }
}

fn names(snapshot: &Snapshot, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    let nodes = snapshot.nodes.iter().filter(|node| wanted(&node.kind));
    nodes.rev().map(|node| node.name.as_str()).collect()
}

/// The links of a node in reverse order, with their state. Links of the own node are dead, as Heartbeat has it: no
/// node hears itself.
fn links<'a>(snapshot: &'a Snapshot, node: &str) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = if node == snapshot.node {
        let mut own: Vec<(&str, &str)> = snapshot
            .links
            .iter()
            .filter(|link| link.medium != "ping")
            .map(|link| (link.name.as_str(), "dead"))
            .collect();
        own.sort_unstable();
        own.dedup();
        own
    } else {
        let links = snapshot.links.iter().filter(|link| link.node == node);
        links.map(|link| (link.name.as_str(), link.status.as_str())).collect()
    };
    found.reverse();
    found
}

fn about_node(snapshot: &Snapshot, command: &str, line: &CommandLine) -> CommandOutput {
    let needed = match command {
        "hblinkstatus" | "clientstatus" => 2,
        _ => 1,
    };
    if line.parameters.len() < needed {
        return CommandOutput::err("Not enough parameters.", EXIT_PARAMETER);
    }
    let name = &line.parameters[0];
    let node = snapshot.nodes.iter().find(|node| node.name.eq_ignore_ascii_case(name));
    let Some(node) = node else {
        return match command {
            "listhblinks" => CommandOutput::err("Cannot start heartbeat link interface walk.", EXIT_FAILED),
            "hblinkstatus" => CommandOutput::err("Cannot get heartbeat link status", EXIT_FAILED),
            "clientstatus" => CommandOutput::err(
                format!("Cannot get heartbeat client {}'s status", line.parameters[1]),
                EXIT_FAILED,
            ),
            _ => CommandOutput::err("Error. May be due to incorrect node name", EXIT_PARAMETER),
        };
    };
    let say = |plain: &str, sentence: String, status: u8| {
        CommandOutput::out(if line.human { sentence } else { plain.to_owned() }, status)
    };
    let name = &node.name;
    match command {
        "nodestatus" => {
            let well = matches!(node.status.as_str(), "active" | "up" | "ping");
            say(&node.status, format!("The cluster node {name} is {}", node.status), u8::from(!well))
        }
        "nodetype" => say(&node.kind, format!("The node {name}'s type: {}", node.kind), 0),
        "nodeweight" => say("100", format!("The weight of the cluster node {name} is 100"), 0),
        "nodesite" => say("", format!("The site of the cluster node {name} is "), 0),
        "listhblinks" => {
            let head = if line.human { "\tthis node has the following heartbeat links:\n" } else { "" };
            let lines: String = links(snapshot, name).iter().map(|(link, _)| format!("\t{link}\n")).collect();
            CommandOutput { out: format!("{head}{lines}"), ..CommandOutput::default() }
        }
        "hblinkstatus" => {
            let wanted = &line.parameters[1];
            match links(snapshot, name).into_iter().find(|(link, _)| link == wanted) {
                Some((link, status)) => {
                    let sentence = format!("The node {name}'s heartbeat link {link} is {status}");
                    say(status, sentence, u8::from(status != "up"))
                }
                None => CommandOutput::err("Cannot get heartbeat link status", EXIT_FAILED),
            }
        }
        // clientstatus: no client can sign on to hbd.
        _ => CommandOutput::out("offline", 1),
    }
}

/// The value as ha.cf has it.
fn parameter(line: &CommandLine, ha_cf: &str) -> CommandOutput {
    let Some(name) = &line.name else { return CommandOutput::err("parameter name required", EXIT_PARAMETER) };
    let value = ha_cf.lines().rev().find_map(|text| {
        let text = text.split('#').next().unwrap_or_default().trim();
        let (directive, value) = text.split_once(|c: char| c.is_whitespace() || c == ',')?;
        (directive == name).then(|| value.trim())
    });
    match value {
        Some(value) if line.human => CommandOutput::out(format!("Heartbeat parameter {name}'s value: {value}"), 0),
        Some(value) => CommandOutput::out(value, 0),
        None => CommandOutput::err(format!("Cannot get parameter {name}'s value"), 1),
    }
}

/// The output of `-v` in Heartbeat 3.0.6: all nodes with their links.
fn verbose(snapshot: &Snapshot) -> String {
    let mut text = format!("version:\t{} (hbd)\nmanaged by:\t\"haresources\"\n", snapshot.version);
    for name in names(snapshot, |_| true) {
        let Some(node) = snapshot.nodes.iter().find(|node| node.name == name) else { continue };
        text.push_str(&format!("\n{name}\t{}\t(nodetype: {})\n", node.status, node.kind));
        for (link, status) in links(snapshot, name) {
            text.push_str(&format!("\t{link}\t{status}\n"));
        }
    }
    text.pop();
    text
}
