//! What was seen during a scenario: the client's answers, and which node held the address when.
//!
//! Owns the sampling of the addresses and the arithmetic of times. Never acts on a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hbd_lab::client::Request;
use hbd_lab::example::VIP;
use hbd_lab::lab::Lab;
use hbd_lab::process::now;

/// Time between two looks at the addresses.
const LOOK: Duration = Duration::from_millis(10);

/// Which nodes held the address at a time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    time: f64,
    holds: [bool; 2],
}

/// Looks at the addresses of both nodes until it is ended. It knows the machines that were on when it was begun: one
/// that is switched off has no address from then on.
#[derive(Debug)]
pub struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Watch {
    /// Begins.
    pub fn begin(lab: &Lab) -> Watch {
        let tables = [0, 1].map(|index| lab.nodes[index].leader().map(|pid| format!("/proc/{pid}/net/fib_trie")));
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            let mark = format!("-- {VIP}\n");
            let holds = |table: &Option<String>| {
                let text = table.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
                text.is_some_and(|text| text.contains(&mark))
            };
            while !end.load(Ordering::Relaxed) {
                samples.push(Sample { time: now(), holds: [holds(&tables[0]), holds(&tables[1])] });
                std::thread::sleep(LOOK);
            }
            samples
        });
        Watch { ended, thread }
    }

    fn end(self) -> Vec<Sample> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    silences: Vec<(f64, f64)>,
    samples: Vec<Sample>,
    /// When the action was begun, wall-clock seconds.
    pub acted: f64,
}

impl Seen {
    /// Ends a watch. The requests are those since before `acted`; the ones that were begun after `until` may not have
    /// been answered yet.
    pub fn new(watch: Watch, requests: Vec<Request>, acted: f64, until: f64) -> Seen {
        Seen { silences: silences(requests, until), samples: watch.end(), acted }
    }

    /// The longest time without an answer, seconds.
    pub fn longest_silence(&self) -> f64 {
        self.silences.iter().map(|(from, until)| until - from).fold(0.0, f64::max)
    }

    /// All times without an answer together, seconds.
    pub fn unserved(&self) -> f64 {
        self.silences.iter().fold(0.0, |sum, (from, until)| sum + until - from)
    }

    /// How long both nodes held the address since a wall-clock time, seconds.
    pub fn two_owners_since(&self, time: f64) -> f64 {
        let both = |pair: &&[Sample]| pair[0].time >= time && pair[0].holds == [true; 2];
        self.samples.windows(2).filter(both).fold(0.0, |sum, pair| sum + pair[1].time - pair[0].time)
    }
}

/// The times without an answer: from the beginning of the first request that was not answered to that of the next one
/// that was, or to `until`.
fn silences(mut requests: Vec<Request>, until: f64) -> Vec<(f64, f64)> {
    requests.retain(|request| request.begun < until);
    requests.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    let (mut found, mut silent) = (Vec::new(), None);
    for request in &requests {
        match (&request.server, silent) {
            (None, None) => silent = Some(request.begun),
            (Some(_), Some(since)) => {
                found.push((since, request.begun));
                silent = None;
            }
            _ => {}
        }
    }
    found.extend(silent.map(|since| (since, until)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silences_last_until_the_next_answer_or_the_end() {
        let request = |begun: f64, server: Option<&str>| Request {
            begun,
            ended: begun + 0.001,
            server: server.map(str::to_owned),
        };
        let requests = vec![
            request(3.0, None),
            request(1.0, None),
            request(0.5, Some("nodea")),
            request(2.0, Some("nodeb")),
            request(9.0, Some("nodeb")),
        ];
        assert_eq!(silences(requests, 5.0), [(1.0, 2.0), (3.0, 5.0)]);
    }
}
