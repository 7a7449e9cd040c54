//! What changed files mean for the hbd that runs: nothing, new keys, or a successor in its place.
//!
//! Owns the comparison of the files with what is in force. New keys go to the core's thread. Everything else is put
//! in force as a restart does it, which moves nothing (docs/DECISIONS.md "A reload is a restart in place"): this
//! process hands over to the program that reads the files, without ending. Never puts half of a change in force.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use log::{error, info, warn};
use sd_notify::NotifyState;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::spawn_blocking;

use super::input::Input;
use super::keys;
use super::notify::{Notifier, ServiceNotice};
use super::self_check::SelfCheckOrder;
use super::start_check::{self, Footing};
use crate::bus::{KEYS_CHANGE, NodeSnapshot, Snapshot};
use crate::config::{AuthKeys, AuthMethod, Config, ConfigDifference, Diagnostic, Files, Host, Severity};

/// How long the successor may take until it says WATCHDOG=1: as long as a start, which no watchdog guards.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What a reload works with.
#[derive(Debug)]
pub struct Reloader {
    /// The files to read again.
    pub files: Files,
    /// RuntimeDirectory=.
    pub runtime: PathBuf,
    /// The configuration in force.
    pub config: Config,
    /// The keys in force.
    pub keys: Mutex<AuthKeys>,
    /// The core's thread.
    pub inputs: UnboundedSender<Input>,
    /// What is shown of the other nodes: with what they sign.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// systemd.
    pub notifier: Notifier,
    /// The thread that looks at the files, told when they were read again.
    pub look: Sender<SelfCheckOrder>,
}

/// What is to be done about the files.
#[derive(Debug, Clone, PartialEq)]
enum Plan {
    /// They say what is in force.
    Nothing,
    /// The keys differ, and nothing else.
    Keys(AuthKeys),
    /// This differs, a sentence each.
    Successor(Vec<String>),
}

/// A node that must be given the same keys within its dead time, and a sentence that says so.
type LeftBehind = (String, String);

impl Plan {
    fn changes(&self) -> Vec<String> {
        match self {
            Plan::Nothing => Vec::new(),
            Plan::Keys(_) => vec![KEYS_CHANGE.to_owned()],
            Plan::Successor(changes) => changes.clone(),
        }
    }
}

impl Reloader {
    /// What [`Reloader::reload`] would change now, a sentence each, and which nodes would have to follow in time.
    ///
    /// # Errors
    /// Why it would be refused.
    pub async fn describe(&self) -> Result<Vec<String>, String> {
        let (plan, left_behind) = self.plan().await?;
        let warnings = left_behind.into_iter().map(|(_, warning)| warning);
        Ok(plan.changes().into_iter().chain(warnings).collect())
    }

    /// Puts the files in force. Gives what changed; where a successor has to do that, it is on its way.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn reload(&self) -> Result<Vec<String>, String> {
        self.notifier.send(ServiceNotice::Reloading);
        let outcome = self.carry_out().await;
        if !matches!(outcome, Ok(Plan::Successor(_))) {
            self.notifier.send(ServiceNotice::Ready);
        }
        let reloaded = matches!(outcome, Ok(Plan::Keys(_)));
        // The thread has ended with the core.
        let _ = self.look.send(if reloaded { SelfCheckOrder::KeysReloaded } else { SelfCheckOrder::Again });
        if let Err(found) = &outcome {
            error!("nothing is reloaded, the old files and the old keys stay in force: {found}");
        }
        outcome.map(|plan| plan.changes())
    }

    async fn carry_out(&self) -> Result<Plan, String> {
        let (plan, left_behind) = self.plan().await?;
        let warn = || left_behind.iter().for_each(|(node, warning)| warn!(HBD_NODE = node.as_str(); "{warning}"));
        match &plan {
            Plan::Nothing => info!("Reload: the files say what is in force."),
            Plan::Keys(keys) => {
                self.use_keys(keys).await?;
                warn();
            }
            Plan::Successor(changes) => {
                start_check::ask_successor().await?;
                warn();
                changes.iter().for_each(|change| info!("Reload: {change}"));
                self.inputs.send(Input::Reload).map_err(|_| STOPPING.to_owned())?;
            }
        }
        Ok(plan)
    }

    async fn use_keys(&self, keys: &AuthKeys) -> Result<(), String> {
        let keyring = keys::keyring(keys, self.config.required_method).map_err(|error| error.to_string())?;
        let (done, in_force) = oneshot::channel();
        let sent = self.inputs.send(Input::Keys { keys: Box::new(keyring), done });
        if sent.is_err() || in_force.await.is_err() {
            return Err(STOPPING.to_owned());
        }
        info!("Rereading authentication file.");
        *self.keys.lock().await = keys.clone();
        Ok(())
    }

    /// The plan, and who has to follow it.
    async fn plan(&self) -> Result<(Plan, Vec<LeftBehind>), String> {
        let (files, runtime) = (self.files.clone(), self.runtime.clone());
        let found = spawn_blocking(move || {
            let host =
                Host::of_this_machine().map_err(|error| format!("cannot read this machine's name: {error}"))?;
            let footing = start_check::examine(&files, &host, &runtime);
            footing.map_err(|refusal| mistakes(&refusal.diagnostics))
        });
        // The runtime ends with the core.
        let footing = found.await.map_err(|_| STOPPING.to_owned())??;
        let keys = self.keys.lock().await;
        let left_behind = self.left_behind(&footing, &keys);
        Ok((self.compare(footing, &keys)?, left_behind))
    }

    /// The nodes that are heard and sign with a key that is another one in these files, or not there.
    fn left_behind(&self, footing: &Footing, keys: &AuthKeys) -> Vec<LeftBehind> {
        let own_deadtime = footing.config.timing.deadtime;
        let of = |node: &NodeSnapshot| {
            let index = node.signing_key.filter(|_| is_heard(node))?;
            if footing.keys.keys.get(&index) == keys.keys.get(&index) {
                return None;
            }
            let seconds = own_deadtime.min(Duration::from_micros(node.deadtime_usec)).as_secs_f64();
            let name = node.name.clone();
            let warning = format!(
                "node {name} signs with key {index} of authkeys, which does not count any more with the new file: put \
                 the same file there and reload hbd there within {seconds} s, the dead time, or the nodes lose each \
                 other. Without haste it goes so: add the new key as another line on both nodes, reload both, \
                 change `auth`, reload both, and remove the old line"
            );
            Some((name, warning))
        };
        self.snapshots.borrow().nodes.iter().filter_map(of).collect()
    }

    fn compare(&self, footing: Footing, keys: &AuthKeys) -> Result<Plan, String> {
        if !footing.fresh {
            return Err(mistakes(&footing.diagnostics));
        }
        let ConfigDifference { mut changes, identity } = ConfigDifference::between(&self.config, &footing.config);
        if !identity.is_empty() {
            return Err(format!(
                "{}: a reload cannot change that. `systemctl restart hbd` does, on one node after the other",
                identity.join("; ")
            ));
        }
        let others = &self.snapshots.borrow().nodes;
        if let Some(node) = others.iter().find(|node| !is_believed(node, &footing)) {
            let NodeSnapshot { name, signed_with, .. } = node;
            return Err(format!(
                "node {name} signs with {signed_with}, which would not count any more: it would be dead for this node. \
                 Change the files of {name} first, and wait until hbctl status shows it signing with what is left; if both have to give up \
                 that method, `systemctl restart hbd` on each moves nothing"
            ));
        }
        let new_keys = footing.keys != *keys;
        if changes.is_empty() {
            return Ok(if new_keys { Plan::Keys(footing.keys) } else { Plan::Nothing });
        }
        changes.extend(new_keys.then(|| KEYS_CHANGE.to_owned()));
        Ok(Plan::Successor(changes))
    }
}

/// Whether a node that is heard would still be believed with these files, as far as the method of its digests tells.
fn is_believed(node: &NodeSnapshot, footing: &Footing) -> bool {
    let required = footing.config.required_method;
    let counts = |method: &AuthMethod| *method >= required && method.to_string() == node.signed_with;
    !is_heard(node) || footing.keys.keys.values().any(|key| counts(&key.method))
}

fn is_heard(node: &NodeSnapshot) -> bool {
    !node.local && node.status != "dead" && !node.signed_with.is_empty()
}

const STOPPING: &str = "hbd is stopping";

fn mistakes(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Becomes the program that systemd would start, in this very process: for systemd the service goes on.
///
/// # Errors
/// When the kernel cannot run it. Then this process has to end, and systemd starts another one.
pub fn become_successor() -> std::io::Result<Infallible> {
    let limit = u32::try_from(START_LIMIT.as_micros()).unwrap_or(u32::MAX);
    // Without systemd there is no socket, and no watchdog.
    let _ = sd_notify::notify(&[NotifyState::WatchdogUsec(limit)]);
    // Not on this thread, which may have a realtime priority: the successor would keep it, whatever its files say.
    let attempt = thread::Builder::new().spawn(|| Command::new(start_check::program()).arg("--reloaded").exec())?;
    Err(attempt.join().unwrap_or_else(|_| std::io::Error::other("the thread panicked")))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::daemon::start_check::tests::Machine;

    /// What a reload on this machine, which is named nodea, would do.
    fn plan(machine: &Machine, before: &Footing) -> Result<Plan, String> {
        plan_beside("", machine, before)
    }

    /// The same beside a node that signs with this method.
    fn plan_beside(signed_with: &str, machine: &Machine, before: &Footing) -> Result<Plan, String> {
        let reloader = reloader(signed_with, None, machine, before);
        let footing = start_check::examine(&machine.files, &machine.host, &machine.runtime());
        let footing = footing.map_err(|refusal| mistakes(&refusal.diagnostics))?;
        reloader.compare(footing, &before.keys)
    }

    /// The reloader of this machine beside nodeb, which signs with this method and the key of this number.
    fn reloader(signed_with: &str, signing_key: Option<u8>, machine: &Machine, before: &Footing) -> Reloader {
        let peer = NodeSnapshot {
            name: "nodeb".to_owned(),
            status: "active".to_owned(),
            signed_with: signed_with.to_owned(),
            signing_key,
            deadtime_usec: 20_000_000,
            ..NodeSnapshot::default()
        };
        let shown = Snapshot { nodes: vec![peer], ..Snapshot::default() };
        let (_, snapshots) = watch::channel(Arc::new(shown));
        let (inputs, _) = unbounded_channel();
        let (look, _) = channel();
        Reloader {
            files: machine.files.clone(),
            runtime: machine.runtime(),
            config: before.config.clone(),
            keys: Mutex::new(before.keys.clone()),
            inputs,
            snapshots,
            notifier: Notifier::spawn(None).unwrap(),
            look,
        }
    }

    #[test]
    fn a_reload_does_no_more_than_the_files_ask_for() {
        let machine = Machine::new();
        let before = machine.start();
        assert_eq!(plan(&machine, &before), Ok(Plan::Nothing));
        machine.write("etc/ha.d/haresources", "# a comment\nnodea 10.0.0.9/24/eth0\n");
        assert_eq!(plan(&machine, &before), Ok(Plan::Nothing));
        machine.write("etc/ha.d/authkeys", "auth 1\n1 sha1 another\n");
        assert!(matches!(plan(&machine, &before), Ok(Plan::Keys(_))));
        machine.write("etc/ha.d/haresources", "nodeb 10.0.0.9/24/eth0\n");
        let changes = ["group 10.0.0.9/24/eth0: prefers nodeb instead of nodea", "authkeys"];
        assert_eq!(plan(&machine, &before), Ok(Plan::Successor(changes.map(str::to_owned).to_vec())));
    }

    #[test]
    fn a_mistake_anywhere_changes_nothing() {
        let spoils = [
            ("etc/ha.d/haresources", "nodec 10.0.0.9/24/eth0\n", "haresources:1:1"),
            ("etc/ha.d/authkeys", "", "authkeys"),
            ("etc/hbd/hbd.toml", "nonsense = 1", "hbd.toml:1:1"),
        ];
        for (path, text, place) in spoils {
            let machine = Machine::new();
            let before = machine.start();
            machine.write("etc/ha.d/ha.cf", "node nodea nodeb\nucast eth0 10.0.0.2\nudpport 694\ndeadtime 20\n");
            machine.write(path, text);
            let refused = plan(&machine, &before).unwrap_err();
            assert!(refused.contains(place), "{refused}");
        }
    }

    #[test]
    fn a_method_with_which_the_other_node_signs_is_not_given_up() {
        let machine = Machine::new();
        let before = machine.start();
        let strong = "auth 2\n1 sha1 secret\n2 hmac-sha256 0123456789abcdef0123456789abcdef\n";
        machine.write("etc/ha.d/authkeys", strong);
        assert!(matches!(plan_beside("sha1", &machine, &before), Ok(Plan::Keys(_))));
        machine.write("etc/hbd/hbd.toml", "[keys]\nrequire = \"hmac-sha256\"\n");
        let refused = plan_beside("sha1", &machine, &before).unwrap_err();
        assert!(refused.contains("nodeb signs with sha1") && refused.contains("hbctl status"), "{refused}");
        assert!(matches!(plan_beside("hmac-sha256", &machine, &before), Ok(Plan::Successor(_))));
        machine.write("etc/hbd/hbd.toml", "");
        machine.write("etc/ha.d/authkeys", "auth 1\n1 md5 secret\n");
        plan_beside("sha1", &machine, &before).unwrap_err();
    }

    #[test]
    fn new_keys_without_the_one_that_the_other_node_signs_with_say_what_to_do_there() {
        let machine = Machine::new();
        let before = machine.start();
        let warnings = |signing_key| {
            let footing = start_check::examine(&machine.files, &machine.host, &machine.runtime()).unwrap();
            let found = reloader("sha1", signing_key, &machine, &before).left_behind(&footing, &before.keys);
            found.into_iter().map(|(node, warning)| format!("{node}: {warning}")).collect::<Vec<_>>()
        };
        let authkeys = |text| machine.write("etc/ha.d/authkeys", text);
        authkeys("auth 2\n1 sha1 secret\n2 sha1 another\n");
        assert_eq!(warnings(Some(1)), [""; 0], "the key is still there");
        let without = ["auth 1\n1 sha1 another\n", "auth 2\n2 sha1 secret\n", "auth 1\n1 md5 secret\n2 sha1 other\n"];
        for text in without {
            authkeys(text);
            let said = warnings(Some(1)).join("\n");
            assert!(
                said.starts_with("nodeb: node nodeb signs with key 1 of authkeys") && said.contains("20 s"),
                "{said}"
            );
            assert!(said.contains("add the new key as another line"), "{said}");
            assert!(matches!(plan_beside("sha1", &machine, &before), Ok(Plan::Keys(_))), "it is no refusal");
            assert_eq!(warnings(None), [""; 0], "nothing was heard of it");
        }
    }

    #[test]
    fn another_node_is_refused_with_what_to_do() {
        let machine = Machine::new();
        let before = machine.start();
        machine.write("etc/ha.d/ha.cf", "node nodea nodec\nucast eth0 10.0.0.2\nudpport 694\n");
        let refused = plan(&machine, &before).unwrap_err();
        assert!(refused.contains("nodea nodec instead of nodea nodeb"), "{refused}");
        assert!(refused.contains("systemctl restart hbd"), "{refused}");
    }
}
