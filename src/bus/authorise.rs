//! Who may ask hbd for something: root, members of the group haclient, and whom polkit lets.
//!
//! Owns the decision about a caller. The bus policy (`dbus/org.hbd1.conf`) lets everybody's calls of org.hbd1.Manager
//! and org.hbd1.Job through to here; everything else it denies by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::Connection;
use zbus::fdo::{ConnectionCredentials, DBusProxy};
use zbus::message::{Flags, Header};
use zbus::proxy::CacheProperties;
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

use super::error::ManagerError;

/// Heartbeat's group for those who may control it (04 §6.5).
const GROUP: &str = "haclient";
/// Callers that may be asked about at the same time; more of them are told to try again.
const PENDING: usize = 16;
/// How many of those may be the same user's.
const PENDING_OF_ONE: usize = 4;
/// How long polkit may take by itself.
const POLKIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a person may take to give a password.
const PASSWORD: Duration = Duration::from_secs(120);

/// What a caller wants to do: an action of `dbus/org.hbd1.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolkitAction {
    /// Move groups.
    Switch,
    /// Put changed files in force.
    Reload,
    /// Forget failures.
    Cleanup,
    /// Begin and end maintenance.
    Maintenance,
    /// Take what is held back.
    ClearHold,
}

impl PolkitAction {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [PolkitAction; 5] = [
        PolkitAction::Switch,
        PolkitAction::Reload,
        PolkitAction::Cleanup,
        PolkitAction::Maintenance,
        PolkitAction::ClearHold,
    ];

    /// Its name for polkit.
    pub fn id(self) -> &'static str {
        match self {
            PolkitAction::Switch => "org.hbd1.switch",
            PolkitAction::Reload => "org.hbd1.reload",
            PolkitAction::Cleanup => "org.hbd1.cleanup",
            PolkitAction::Maintenance => "org.hbd1.maintenance",
            PolkitAction::ClearHold => "org.hbd1.clear-hold",
        }
    }

    /// Whether the group haclient may do it. To take what somebody else still answers for can make two owners: root
    /// decides that, or whom polkit lets.
    fn is_for_group(self) -> bool {
        self != PolkitAction::ClearHold
    }
}

/// Decides about callers. Whom the bus's own word suffices for waits for nobody; others are asked about, a bounded
/// number at a time, and of each user fewer than that.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<HashMap<u32, usize>>);

/// A caller that is asked about.
#[derive(Debug)]
struct Asking<'a> {
    gate: &'a Gate,
    user: u32,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut pending = self.gate.pending();
        if let Entry::Occupied(mut count) = pending.entry(self.user) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Gate {
    /// Lets the sender of this message do that, or says why not.
    pub async fn pass(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        action: PolkitAction,
    ) -> Result<(), ManagerError> {
        // Who has a connection to us alone was given it.
        if !bus.is_bus() {
            return Ok(());
        }
        let refused = |why: String| ManagerError::NotAllowed(format!("access denied: {why}"));
        let credentials = credentials(bus, header).await.map_err(|error| refused(error.to_string()))?;
        let haclient = || std::fs::read_to_string("/etc/group").ok().and_then(|text| group_id(&text, GROUP));
        if is_trusted(&credentials, if action.is_for_group() { haclient() } else { None }) {
            return Ok(());
        }
        // Callers of whom the bus names no user share the places of one.
        let Some(_place) = self.enter(credentials.unix_user_id().unwrap_or(u32::MAX)) else {
            return Err(ManagerError::Busy("hbd is asking about too many callers; try again".to_owned()));
        };
        let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
        let verdict = tokio::select! {
            verdict = ask_polkit(bus, header, action, interactive) => verdict,
            () = departure(bus, header) => return Err(refused("the caller has left the bus".to_owned())),
        };
        match verdict {
            Ok(Verdict::Yes) => Ok(()),
            Ok(Verdict::Challenge) => Err(ManagerError::PasswordWanted(format!(
                "access denied: polkit wants a password for {}",
                action.id()
            ))),
            Ok(Verdict::No) => {
                let group = if action.is_for_group() { format!(", members of {GROUP},") } else { String::new() };
                Err(refused(format!("only root{group} and users with a rule of polkit ({}) may", action.id())))
            }
            Err(error) => {
                let group = if action.is_for_group() { format!(" and members of {GROUP}") } else { String::new() };
                Err(refused(format!("only root{group} may; polkit cannot be asked ({error})")))
            }
        }
    }
}

/// Refuses every caller but root, by the bus's own word and whatever the bus's policy lets through: a reset moves
/// everything, and cannot be undone.
///
/// # Errors
/// Why not.
pub(super) async fn pass_root(bus: &Connection, header: &Header<'_>) -> Result<(), String> {
    if !bus.is_bus() {
        return Ok(());
    }
    match credentials(bus, header).await {
        Ok(credentials) if is_trusted(&credentials, None) => Ok(()),
        Ok(_) => Err("access denied: only root may".to_owned()),
        Err(error) => Err(format!("access denied: {error}")),
    }
}

impl Gate {
    fn pending(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        // A panic in between leaves a count behind, and nothing else.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those who are asked about; `None` if this user, or all together, have too many.
    fn enter(&self, user: u32) -> Option<Asking<'_>> {
        let mut pending = self.pending();
        let (all, own) = (pending.values().sum::<usize>(), pending.get(&user).copied().unwrap_or_default());
        if all >= PENDING || own >= PENDING_OF_ONE {
            return None;
        }
        *pending.entry(user).or_default() += 1;
        Some(Asking { gate: self, user })
    }
}

/// Waits until the caller has left the bus; for ever where the bus does not say so.
async fn departure(bus: &Connection, header: &Header<'_>) {
    let watch = async {
        let sender = header.sender()?;
        let dbus = DBusProxy::builder(bus).cache_properties(CacheProperties::No).build().await.ok()?;
        let mut changes = dbus.receive_name_owner_changed_with_args(&[(0, sender.as_str())]).await.ok()?;
        // It may have left before we listened.
        if dbus.name_has_owner(sender.clone().into()).await.ok()? {
            changes.next().await?;
        }
        Some(())
    };
    if watch.await.is_none() {
        std::future::pending::<()>().await;
    }
}

async fn credentials(bus: &Connection, header: &Header<'_>) -> zbus::Result<ConnectionCredentials> {
    let sender = header.sender().ok_or(zbus::Error::MissingField)?;
    let dbus = DBusProxy::builder(bus).cache_properties(CacheProperties::No).build().await?;
    let ask = dbus.get_connection_credentials(sender.clone().into());
    timeout(POLKIT_LIMIT, ask)
        .await
        .map_err(|_| zbus::Error::Failure("the bus does not answer".to_owned()))?
        .map_err(Into::into)
}

/// By the bus's own word.
fn is_trusted(credentials: &ConnectionCredentials, haclient: Option<u32>) -> bool {
    credentials.unix_user_id() == Some(0)
        || haclient.is_some_and(|id| credentials.unix_group_ids().is_some_and(|groups| groups.contains(&id)))
}

/// The number of a group in group(5).
fn group_id(file: &str, name: &str) -> Option<u32> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

enum Verdict {
    Yes,
    Challenge,
    No,
}

async fn ask_polkit(
    bus: &Connection,
    header: &Header<'_>,
    action: PolkitAction,
    interactive: bool,
) -> zbus::Result<Verdict> {
    let failure = |error: String| zbus::Error::Failure(error);
    let subject = Subject::new_for_message_header(header).map_err(|error| failure(error.to_string()))?;
    // No stream is opened that nobody would read.
    let authority = AuthorityProxy::builder(bus).cache_properties(CacheProperties::No).build().await?;
    let (flags, patience) = if interactive {
        (CheckAuthorizationFlags::ALLOW_USER_INTERACTION, PASSWORD)
    } else {
        (CheckAuthorizationFlags::empty(), POLKIT_LIMIT)
    };
    let details = HashMap::new();
    let ask = authority.check_authorization(&subject, action.id(), &details, flags, "");
    let result = timeout(patience, ask).await.map_err(|_| failure("it does not answer".to_owned()))??;
    Ok(match (result.is_authorized, result.is_challenge) {
        (true, _) => Verdict::Yes,
        (false, true) => Verdict::Challenge,
        (false, false) => Verdict::No,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_takes_all_places() {
        let gate = Gate::default();
        let of_one: Vec<_> = (0..PENDING_OF_ONE).map(|_| gate.enter(1000).unwrap()).collect();
        assert!(gate.enter(1000).is_none());
        let of_others: Vec<_> = (1..).map_while(|user| gate.enter(user)).collect();
        assert_eq!(of_one.len() + of_others.len(), PENDING);
        drop((of_one, of_others));
        assert!(gate.enter(1000).is_some() && gate.pending().is_empty(), "a place is free when its caller is served");
    }

    #[test]
    fn haclient_does_not_clear_a_hold() {
        let refused: Vec<_> = PolkitAction::ALL.into_iter().filter(|action| !action.is_for_group()).collect();
        assert_eq!(refused, [PolkitAction::ClearHold]);
        let rules = include_str!("../../packaging/hbd.rules");
        assert!(rules.contains("action.id != \"org.hbd1.clear-hold\""), "polkit must not let them either");
    }

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let file = "root:x:0:\nhaclient2:x:7:\nhaclient:x:117:web,ops\n";
        assert_eq!(group_id(file, "haclient"), Some(117));
        assert_eq!(group_id(file, "client"), None);
    }

    #[test]
    fn every_action_is_in_the_policy_and_no_other() {
        let policy = include_str!("../../dbus/org.hbd1.policy");
        let named: Vec<&str> =
            policy.split("<action id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named, PolkitAction::ALL.map(PolkitAction::id));
    }
}
