//! The threads that watch all the while: who has the address, who answers for it on the wire, whether the client is
//! served.
//!
//! Only samples and compares with what the world excuses. What hbctl says is watched in `status`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use hbd_lab::arp::Answer;
use hbd_lab::example::VIP;
use hbd_lab::lab::NODES;
use hbd_lab::process::now;

use crate::field::{Shared, locked};
use crate::finding::{Finding, Kind};

/// The time between two samples.
const PAUSE: Duration = Duration::from_millis(150);
/// An answer is looked at for so many seconds.
const RECENT: f64 = 0.9;
/// A client that has had no answer for so many seconds is noted in the story.
const SILENT: f64 = 0.7;

/// What was seen last, for the story.
#[derive(Debug, Default, PartialEq, Clone)]
struct Seen {
    owners: Vec<&'static str>,
    server: Option<String>,
}

/// Watches until the field is left.
pub fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = shared.clone();
    std::thread::spawn(move || {
        let mut seen = Seen::default();
        while !shared.has_ended() {
            let begun = *locked(&shared.begun);
            if let Some(begun) = begun {
                look(&shared, begun, &mut seen);
            }
            sleep(PAUSE);
        }
    })
}

fn look(shared: &Shared, begun: f64, seen: &mut Seen) {
    let owners = owners(shared);
    let time = now();
    let last = shared.answers.last();
    let server = last.clone().filter(|(ended, _)| time - ended < SILENT).map(|(_, server)| server);
    let now_seen = Seen { owners, server };
    if now_seen != *seen {
        let server = now_seen.server.as_deref().unwrap_or("nobody");
        shared.note(format!("  has the address: {:?}; serves the client: {server}", now_seen.owners));
        seen.clone_from(&now_seen);
    }
    let two_excused = locked(&shared.world).excuses_two_owners(time);
    if !two_excused {
        if now_seen.owners.len() > 1 {
            shared.find(Finding { kind: Kind::TwoOwners, text: format!("both nodes have {VIP}") });
        }
        if let Some(text) = answered_by_both(&locked(&shared.claims), time) {
            shared.find(Finding { kind: Kind::TwoOwners, text });
        }
    }
    let (since, bound) = {
        let world = locked(&shared.world);
        (world.serves_since(time), world.bound(time))
    };
    let Some(since) = since else { return };
    let silence = time - last.map_or(begun, |(ended, _)| ended).max(since).max(begun);
    if silence > bound {
        let text =
            format!("no answer for {silence:.1} s; {bound:.0} s are documented; owners: {:?}", now_seen.owners);
        shared.find(Finding { kind: Kind::NobodyServes, text });
    }
}

/// The nodes that have the address at one moment.
pub fn owners(shared: &Shared) -> Vec<&'static str> {
    let holds = |node: &usize| shared.shell(*node).is_some_and(|shell| shell.holds(VIP).unwrap_or(false));
    let mut owners: Vec<usize> = [0, 1].into_iter().filter(holds).collect();
    // They are asked one after the other: the first may have given it away by the time the second was asked.
    if owners.len() > 1 && !holds(&owners[0]) {
        owners.remove(0);
    }
    owners.into_iter().map(|node| NODES[node].name).collect()
}

/// Whether both nodes have answered one question for the address, of late.
fn answered_by_both(claims: &VecDeque<Answer>, time: f64) -> Option<String> {
    let by = |answer: &&Answer, node: usize| answer.mac == NODES[node].public_mac() && time - answer.time < RECENT;
    let mut first = claims.iter().filter(|answer| by(answer, 0));
    let both = first.find(|one| claims.iter().any(|other| other.question == one.question && by(&other, 1)))?;
    Some(format!("both nodes answered the question who has {VIP}, at {:.3}", both.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(answers: &[(u64, usize)]) -> VecDeque<Answer> {
        let answer = |(question, node): &(u64, usize)| Answer {
            time: 10.0 + *question as f64 / 10.0,
            mac: NODES[*node].public_mac(),
            question: *question,
        };
        answers.iter().map(answer).collect()
    }

    #[test]
    fn moves_are_not_two_owners_and_two_answers_to_one_question_are() {
        assert_eq!(answered_by_both(&claims(&[(1, 0), (2, 1), (3, 0), (4, 1)]), 10.5), None, "three moves");
        let both = claims(&[(1, 0), (2, 0), (2, 1), (3, 1)]);
        assert!(answered_by_both(&both, 10.5).is_some());
        assert_eq!(answered_by_both(&both, 20.0), None, "that was long ago");
    }
}
