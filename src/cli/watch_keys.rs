//! The keys of `hbctl watch`: which one asks for what, the question before it, and how it ended.
//!
//! Owns the line at the bottom of the screen. Draws nothing; a request goes the same way as that of the command. What
//! may make two owners (fence, clear-hold) has no key.

use std::future::Future;
use std::pin::Pin;

use zbus::connection::Builder;

use super::error::CliError;
use super::job::Patience;
use super::requests::send_request;
use super::table::{FailbackChoice, RequestCommand, Switch};
use crate::util::text::printable;

/// What the bottom line says when nothing else is to be said.
const KEYS: &str = "s standby  t takeover  f failback now  m maintenance  c cleanup  q quit";

/// The request of a key, and what is asked before it is sent; `None` for a key that asks for nothing.
fn request(key: u8, maintenance: bool) -> Option<(RequestCommand, &'static str)> {
    let patience = Patience { no_wait: false, timeout: None };
    let groups = vec!["all".to_owned()];
    let group = None;
    Some(match key {
        b's' => (RequestCommand::Standby { groups, patience }, "Give all groups of this node to the other node?"),
        b't' => (RequestCommand::Takeover { groups, patience }, "Take all groups of the other node?"),
        b'f' => {
            (RequestCommand::Failback { choice: FailbackChoice::Now, group }, "Return what waits to go back now?")
        }
        b'm' if maintenance => (RequestCommand::Maintenance { state: Switch::Off, group }, "End the maintenance?"),
        b'm' => {
            let question = "Begin maintenance: leave the resources of this node alone?";
            (RequestCommand::Maintenance { state: Switch::On, group }, question)
        }
        b'c' => (RequestCommand::Cleanup { group }, "Forget all failures here, and try again?"),
        _ => return None,
    })
}

/// A request on its way, and in the end what became of it.
type UnderWay = Pin<Box<dyn Future<Output = String> + Send>>;

/// What the bottom line is about.
#[derive(Default)]
pub(super) struct Bottom {
    asked: Option<(RequestCommand, &'static str)>,
    under_way: Option<UnderWay>,
    said: String,
}

impl Bottom {
    /// Takes a key that does not end the program. `maintenance` of this node as it is shown.
    pub fn press(&mut self, key: u8, maintenance: bool, connect: &impl Fn() -> Builder<'static>) {
        self.said.clear();
        match (self.asked.take(), key) {
            (Some((request, _)), b'y' | b'Y') => {
                let bus = connect();
                self.under_way = Some(Box::pin(async move { ended(send_request(bus, &request, true).await) }));
            }
            (Some(_), _) => "nothing was done".clone_into(&mut self.said),
            (None, _) if self.under_way.is_some() => {}
            (None, key) => self.asked = request(key, maintenance),
        }
    }

    /// Resolves when a request that is under way has ended.
    pub async fn ended(&mut self) {
        match &mut self.under_way {
            Some(request) => self.said = request.await,
            None => std::future::pending().await,
        }
        self.under_way = None;
    }

    /// The line.
    pub fn line(&self) -> String {
        match (&self.asked, &self.under_way, self.said.as_str()) {
            (Some((_, question)), ..) => format!("{question} [y/N]"),
            (None, Some(_), _) => "under way; q leaves, and hbd goes on with it".to_owned(),
            (None, None, "") => KEYS.to_owned(),
            (None, None, said) => said.to_owned(),
        }
    }
}

/// hbd's answer in one line.
fn ended(answer: Result<Result<String, String>, CliError>) -> String {
    let text = match answer {
        Ok(Ok(text) | Err(text)) => text,
        Err(error) => error.with_remedy(),
    };
    printable(&text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect() -> Builder<'static> {
        Builder::address("unix:path=/none")
    }

    #[tokio::test]
    async fn nothing_is_sent_without_a_yes() {
        let mut bottom = Bottom::default();
        assert_eq!(bottom.line(), KEYS);
        bottom.press(b's', false, &connect);
        assert_eq!(bottom.line(), "Give all groups of this node to the other node? [y/N]");
        bottom.press(b'\r', false, &connect);
        assert_eq!(bottom.line(), "nothing was done");
        bottom.press(b'x', false, &connect);
        assert_eq!(bottom.line(), KEYS);
    }

    #[tokio::test]
    async fn what_was_asked_for_ends_in_words() {
        let mut bottom = Bottom::default();
        bottom.press(b'm', true, &connect);
        assert_eq!(bottom.line(), "End the maintenance? [y/N]");
        bottom.press(b'y', true, &connect);
        assert!(bottom.line().starts_with("under way"));
        bottom.ended().await;
        assert!(bottom.line().starts_with("cannot reach the system bus"), "{}", bottom.line());
    }

    #[test]
    fn every_key_in_the_line_asks_for_something() {
        let keys = KEYS.split("  ").filter_map(|part| part.bytes().next()).filter(|key| *key != b'q');
        assert_eq!(keys.clone().count(), 5);
        keys.for_each(|key| assert!(request(key, false).is_some()));
    }
}
