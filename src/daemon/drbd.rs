//! The main process of the unit of `drbddisk` and `drbdupper`: `hbd --script start|stop drbd [--stacked] RESOURCE`.
//!
//! Owns the question to the running hbd whether the other node lives. What is done to the resource is in
//! [`crate::units::drbd`].

use std::process::ExitCode;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::ObjectManagerProxy;

use super::runtime::runtime;
use crate::bus::{NAME, ROOT};
use crate::units::drbd::{DrbdResource, OtherNode};
use crate::units::script::ScriptOperation;
use crate::util::error::error_chain;

/// How long the running hbd may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Makes the resource primary, or secondary.
pub(super) fn main(operation: ScriptOperation, words: &[String]) -> ExitCode {
    let Some(resource) = DrbdResource::of(words) else {
        eprintln!("hbd --script: `{}` is no DRBD resource", words.join(" "));
        return ExitCode::FAILURE;
    };
    let outcome = match operation {
        ScriptOperation::Start => {
            let asker = Asker::new();
            resource.promote(|| asker.as_ref().map_or(OtherNode::IsUnknown, Asker::other_node))
        }
        ScriptOperation::Stop => resource.demote(),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let text = error_chain(&error);
    eprintln!("hbd --script: {text}");
    // hbd reads it there. Without $NOTIFY_SOCKET somebody runs this by hand.
    let _ = sd_notify::notify(&[NotifyState::Status(&text)]);
    ExitCode::FAILURE
}

/// A connection to the hbd that runs on this machine.
struct Asker {
    runtime: Runtime,
    bus: Connection,
}

impl Asker {
    /// `None` if there is no bus.
    fn new() -> Option<Asker> {
        let runtime = runtime().ok()?;
        let builder = Builder::system().method_timeout(ANSWER_LIMIT);
        let bus = runtime.block_on(async { timeout(ANSWER_LIMIT, builder.build()).await }).ok()?.ok()?;
        Some(Asker { runtime, bus })
    }

    /// What hbd says of the other node.
    fn other_node(&self) -> OtherNode {
        let found = self.runtime.block_on(async {
            let manager = ObjectManagerProxy::builder(&self.bus).destination(NAME).path(ROOT);
            let objects = manager.build().await.ok()?.get_managed_objects().await.ok()?;
            objects.into_values().find_map(|interfaces| {
                let (_, node) = interfaces.into_iter().find(|(name, _)| name.as_str() == "org.hbd1.Node")?;
                let text = |name: &str| node.get(name).and_then(|value| value.downcast_ref::<&str>().ok());
                let other = node.get("Local").and_then(|value| value.downcast_ref::<bool>().ok()) == Some(false);
                let lives = matches!(text("Status"), Some("up" | "active"));
                let name = text("Name").unwrap_or_default().to_owned();
                (other && text("Type") == Some("normal")).then_some(if lives {
                    OtherNode::Lives(name)
                } else {
                    OtherNode::IsSilent
                })
            })
        });
        found.unwrap_or(OtherNode::IsUnknown)
    }
}
