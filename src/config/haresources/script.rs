//! Resource scripts and OCF agents: which file a word means, and how it is called (03 §2.3, §2.4, §12.3).
//!
//! Owns the search in Heartbeat's order, the environment of a script, and which words hbd does without their script.
//! Runs nothing.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::context::LookupContext;
use super::unit_name;
use crate::config::groups::{Dialect, Recipe, ResourceKind, Script, Transient};
use crate::config::programs::{is_executable, program};
use crate::config::refused::{Refused, refuse};

/// Words whose script in resource.d only passes its arguments to the OCF agent of the same name, and the names of the
/// agent's parameters in the order of the arguments. Where only the agent is installed, hbd calls it directly.
const AGENTS: &[(&str, &[&str])] = &[
    ("AudibleAlarm", &["nodelist"]),
    ("Delay", &["startdelay", "stopdelay"]),
    ("ICP", &["driveid", "device"]),
    ("LVM", &["volgrpname"]),
    ("LinuxSCSI", &["scsi"]),
    ("MailTo", &["email", "subject"]),
    ("Raid1", &["raidconf", "raiddev"]),
    ("ServeRAID", &["serveraid", "mergegroup"]),
    ("WinPopup", &["hostfile"]),
    ("Xinetd", &["service"]),
    ("apache", &["configfile"]),
    ("db2", &["instance"]),
    ("ldirectord", &["configfile"]),
    ("portblock", &["protocol", "portno", "action"]),
];

/// Scripts that other packages install, and the package.
const PACKAGES: &[(&str, &str)] =
    &[("drbddisk", "drbd-utils"), ("drbdupper", "drbd-utils"), ("ldirectord", "ldirectord")];

/// Words whose arguments have no names that hbd knows.
const OTHER_SCRIPTS: [&str; 2] = ["SendArp", "WAS"];

/// All scripts that are known by name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let agents = AGENTS.iter().map(|(name, _)| *name);
    agents.chain(PACKAGES.iter().map(|(name, _)| *name)).chain(OTHER_SCRIPTS)
}

/// The package that has the script of that name; `None` if none is known.
fn package(script: &str) -> Option<&'static str> {
    let other = PACKAGES.iter().find(|(name, _)| *name == script).map(|(_, package)| *package);
    other.or_else(|| names().any(|name| name == script).then_some("resource-agents"))
}

/// Whether the word without arguments can be the name of a service: not if there is only an agent of that name.
pub(super) fn may_be_service(script: &str) -> bool {
    package(script) != Some("resource-agents") || matches!(script, "apache" | "db2")
}

/// Whether there is a script of that name.
pub(super) fn exists(script: &str, context: &LookupContext<'_>) -> bool {
    is_plain(script) && is_executable(&context.resource_d.join(script))
}

/// Whether a word can be the name of a file in a directory of scripts.
fn is_plain(script: &str) -> bool {
    !script.is_empty() && !script.contains('/') && !script.starts_with('.')
}

/// Why [`find`] found nothing that takes arguments, and how to mend it.
pub(super) fn why_missing(script: &str, context: &LookupContext<'_>) -> Refused {
    let places = [context.resource_d.join(script), context.init_d.join(script)];
    let named = is_plain(script);
    if let Some(file) = places.iter().find(|path| named && path.is_file()) {
        let why = format!("{} is not executable", file.display());
        return Refused { why, help: format!("`chmod +x {}` on both nodes", file.display()) };
    }
    let (scripts, init) = (context.resource_d.display(), context.init_d.display());
    let nowhere = format!("there is no script {script} in {scripts} or {init}");
    if script == "SendArp" {
        return Refused { why: nowhere, help: "leave the word out, hbd announces its addresses itself".to_owned() };
    }
    let known = AGENTS.iter().find(|(name, _)| *name == script);
    match (known, agent(script, context).filter(|_| named)) {
        (Some((_, names)), Some(agent)) => Refused {
            why: format!("{nowhere}, and the OCF agent {} takes at most {} here", agent.display(), arguments(names)),
            help: format!("write {script}{}", names.iter().map(|name| format!("::{name}")).collect::<String>()),
        },
        (None, Some(agent)) => Refused {
            why: format!("{nowhere}; the OCF agent {} wants its parameters by name", agent.display()),
            help: format!(
                "write OCF::{script}::INSTANCE, and one NAME=VALUE a line in {}",
                context.resource_d.with_file_name("conf").join("OCF").join(script).join("INSTANCE").display()
            ),
        },
        (_, None) => Refused {
            why: format!("{nowhere}, and no OCF agent of that name"),
            help: match package(script) {
                Some(package) => format!("install the package {package} on both nodes"),
                None => "install the script on both nodes".to_owned(),
            },
        },
    }
}

fn arguments(names: &[&str]) -> String {
    if names.len() == 1 { "one argument".to_owned() } else { format!("{} arguments", names.len()) }
}

/// The script or agent that Heartbeat would run for this word: `resource.d/SCRIPT`, then `/etc/init.d/SCRIPT` if
/// there are arguments, then the OCF agent. `None` if there is none.
pub(super) fn find(
    word: &str,
    script: &str,
    arguments: &[&str],
    context: &LookupContext<'_>,
) -> Option<ResourceKind> {
    if !is_plain(script) {
        return None;
    }
    let init = (!arguments.is_empty()).then(|| context.init_d.join(script));
    let found = [Some(context.resource_d.join(script)), init].into_iter().flatten().find(|path| is_executable(path));
    if let Some(path) = found {
        return Some(run(word, &path, arguments, context));
    }
    if let ("SendArp", [argument]) = (script, arguments) {
        // Its script splits the argument, and takes all of it for both where there is no slash.
        let (ip, nic) = argument.split_once('/').unwrap_or((argument, argument));
        let parameters = [("ip", ip), ("nic", nic)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        return Some(ocf(word, script, word, &agent(script, context)?, parameters.to_vec(), context));
    }
    let (_, names) = AGENTS.iter().find(|(name, names)| *name == script && arguments.len() <= names.len())?;
    let agent = agent(script, context)?;
    let parameters = names.iter().zip(arguments).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Some(ocf(word, script, word, &agent, parameters.collect(), context))
}

/// The script that this word must mean on a machine whose scripts are not known.
pub(super) fn assumed(word: &str, script: &str, arguments: &[&str], context: &LookupContext<'_>) -> ResourceKind {
    run(word, &context.resource_d.join(script), arguments, context)
}

fn run(word: &str, path: &Path, arguments: &[&str], context: &LookupContext<'_>) -> ResourceKind {
    let mut command = vec![path.display().to_string()];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    transient(word, Script { command, dialect: Dialect::Text, environment: environment(context), timeout: None })
}

/// `IPsrcaddr::ADDR`: hbd itself does what the script of that name does, and its unit has the same name.
pub(super) fn source(word: &str, arguments: &[&str]) -> Result<ResourceKind, Refused> {
    match arguments {
        [argument] if argument.parse::<IpAddr>().is_ok() => {
            let command = vec![(*argument).to_owned()];
            let script = Script { command, dialect: Dialect::Source, environment: Vec::new(), timeout: None };
            Ok(transient(word, script))
        }
        _ => refuse(
            format!("`{word}`: IPsrcaddr takes an address"),
            "write IPsrcaddr::ADDR, an address of IPv6 in full: IPsrcaddr::2001:db8:0:0:0:0:0:c8",
        ),
    }
}

/// `drbddisk::RES` and `drbdupper::RES`: hbd itself makes the resource primary, wherever DRBD's programs are, and
/// their scripts are not called (docs/DECISIONS.md "DRBD without its script"). `None` without the programs.
pub(super) fn drbd(
    word: &str,
    script: &str,
    arguments: &[&str],
    context: &LookupContext<'_>,
) -> Option<Result<ResourceKind, Refused>> {
    program("drbdadm", context.programs).filter(|_| matches!(script, "drbddisk" | "drbdupper"))?;
    let [resource] = arguments else {
        let help = format!("write {script}::RESOURCE, as /etc/drbd.d names it, once for each resource");
        return Some(refuse(format!("`{word}`: {script} takes the name of one DRBD resource"), help));
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if !resource.chars().all(legal) || resource.starts_with('-') {
        let help = "write the name behind `resource` in /etc/drbd.d";
        return Some(refuse(format!("`{resource}` cannot be the name of a DRBD resource"), help));
    }
    let stacked = (script == "drbdupper").then(|| "--stacked".to_owned());
    let command = stacked.into_iter().chain([(*resource).to_owned()]).collect();
    let script = Script { command, dialect: Dialect::Drbd, environment: Vec::new(), timeout: None };
    Some(Ok(transient(word, script)))
}

/// `OCF::TYPE::INSTANCE`: the agent TYPE with the parameters in `conf/OCF/TYPE/INSTANCE`.
pub(super) fn ocf_kind(word: &str, arguments: &[&str], context: &LookupContext<'_>) -> Result<ResourceKind, Refused> {
    let [kind, instance] = arguments else {
        return refuse(format!("`{word}`: OCF takes two arguments"), "write OCF::TYPE::INSTANCE");
    };
    let Some(agent) = agent(kind, context) else {
        let message = format!("`{word}`: no agent {kind} below {}", context.agents.display());
        return refuse(message, "install it (package resource-agents), or write its name as it stands there");
    };
    let path = context.resource_d.with_file_name("conf").join("OCF").join(kind).join(instance);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("`{word}`: cannot read the agent's parameters in {}: {error}", path.display());
            return refuse(message, "write one NAME=VALUE a line; an agent without parameters wants an empty file");
        }
    };
    let assignment = |line: &str| {
        let (name, value) = line.trim().trim_start_matches("export ").split_once('=')?;
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(legal)).then(|| (name.to_owned(), unquoted(value)))
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let Some(parameters) = lines.map(assignment).collect() else {
        let message = format!("`{word}`: {} holds more than assignments", path.display());
        return refuse(message, "write one NAME=VALUE a line");
    };
    Ok(ocf(word, kind, instance, &agent, parameters, context))
}

/// The value without the quotes that a shell would remove.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    inner.unwrap_or(value).to_owned()
}

fn ocf(
    word: &str,
    kind: &str,
    instance: &str,
    agent: &Path,
    parameters: Vec<(String, String)>,
    context: &LookupContext<'_>,
) -> ResourceKind {
    let provider = agent.parent().and_then(Path::file_name).map(|name| name.display().to_string());
    let mut environment = environment(context);
    environment.extend(
        [
            ("OCF_RESOURCE_INSTANCE", instance.to_owned()),
            ("OCF_RESOURCE_TYPE", kind.to_owned()),
            ("OCF_RESOURCE_PROVIDER", provider.unwrap_or_default()),
            ("OCF_RA_VERSION_MAJOR", "1".to_owned()),
            ("OCF_RA_VERSION_MINOR", "0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    environment.extend(parameters.into_iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)));
    let command = vec![agent.display().to_string()];
    transient(word, Script { command, dialect: Dialect::Codes, environment, timeout: None })
}

fn transient(word: &str, script: Script) -> ResourceKind {
    ResourceKind::Transient(Transient { unit: unit(word), recipe: Recipe::Script(script) })
}

/// The unit of a script. `hbd-order.service` is hbd's own; no other word gives a name with a second `-` of ours.
fn unit(word: &str) -> String {
    match word {
        "order" => "hbd-script-order.service".to_owned(),
        word => format!("hbd-{}.service", unit_name::escape(word)),
    }
}

/// The agent of that name, of the provider `heartbeat` or else of the first other one by name. `PROVIDER/NAME` names
/// the provider.
fn agent(name: &str, context: &LookupContext<'_>) -> Option<PathBuf> {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    if !name.split('/').all(part) || name.split('/').count() > 2 {
        return None;
    }
    if context.scripts_elsewhere {
        return Some(context.agents.join("heartbeat").join(name));
    }
    if name.contains('/') {
        return Some(context.agents.join(name)).filter(|path| is_executable(path));
    }
    let entries = std::fs::read_dir(context.agents).ok()?;
    let mut providers: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    providers.sort_by_key(|path| (!path.ends_with("heartbeat"), path.clone()));
    providers.into_iter().map(|provider| provider.join(name)).find(|path| is_executable(path))
}

/// The environment of every script (03 §12.3), without the variables that have no counterpart in hbd. HA_LOGFACILITY
/// and HA_LOGFILE are left out so that agents write to standard error, that is into the journal.
fn environment(context: &LookupContext<'_>) -> Vec<(String, String)> {
    let directory = context.resource_d.parent().unwrap_or(Path::new("/"));
    let below = |name: &str| directory.join(name).display().to_string();
    let agents = context.agents.join("heartbeat");
    let root = context.agents.parent().unwrap_or(Path::new("/"));
    [
        ("HA_CURHOST", context.node.to_owned()),
        ("HA_DIR", directory.display().to_string()),
        ("HA_FUNCS", below("shellfuncs")),
        ("HA_RCDIR", below("rc.d")),
        ("HA_RESOURCEDIR", below("resource.d")),
        ("HA_BIN", "/usr/lib/heartbeat".to_owned()),
        ("HA_DATEFMT", "%Y/%m/%d_%T ".to_owned()),
        ("HA_NICEFAILBACK", "yes".to_owned()),
        ("OCF_ROOT", root.display().to_string()),
        ("OCF_AGENTS", format!("{}/", agents.display())),
        ("LC_ALL", "C".to_owned()),
        ("PATH", "/usr/lib/heartbeat:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_script_has_a_unit_of_hbds_own() {
        assert_eq!(unit("order"), "hbd-script-order.service");
        assert_eq!(unit("stop-order"), "hbd-stop\\x2dorder.service");
        assert_eq!(unit("drbddisk::r0"), "hbd-drbddisk::r0.service");
    }
}
