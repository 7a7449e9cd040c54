//! The client on the public LAN: asks the virtual address for a page again and again, and notes which node answered.
//!
//! The client is this same program, started again inside the client's namespace (`helper_main`); it writes one JSON
//! line per request. Requests do not wait for each other: a server that does not answer delays only its own request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::process::{now, wait_or_explain};
use crate::{Error, Result};

/// First argument of a process that is the client.
pub(crate) const ROLE: &str = "lab-client";

/// Time between two requests of most clients.
pub const PACE: Duration = Duration::from_millis(10);
/// Time a server has to accept, and again to answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// When it was begun, wall-clock seconds.
    pub begun: f64,
    /// When the answer was complete or the client gave up.
    pub ended: f64,
    /// The node that answered; `None` if none did.
    pub server: Option<String>,
}

/// A time in which no node answered the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outage {
    /// End of the last answer before.
    pub from: f64,
    /// End of the first answer after; infinity when none came.
    pub until: f64,
}

impl Outage {
    /// Seconds.
    pub fn length(&self) -> f64 {
        self.until - self.from
    }
}

/// A time in which one node answered the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The node.
    pub server: String,
    /// End of its first answer.
    pub from: f64,
    /// End of its last answer.
    pub until: f64,
}

/// A client that is asking; it stops when dropped.
#[derive(Debug)]
pub struct Client {
    helper: Child,
    reader: Option<JoinHandle<()>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Client {
    /// Starts asking `http://ADDRESS/` from a namespace, with so much time between two requests.
    pub fn start(namespace: &str, address: Ipv4Addr, pace: Duration) -> Result<Client> {
        let program = std::env::current_exe().map_err(Error::file("this program"))?;
        let mut helper = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(program)
            .args([ROLE, &address.to_string(), &pace.as_micros().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Command { command: ROLE.to_owned(), reason: error.to_string() })?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let reader = helper.stdout.take().map(|stdout| {
            let requests = requests.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                    let request = serde_json::from_str(&line);
                    if let (Ok(request), Ok(mut requests)) = (request, requests.lock()) {
                        requests.push(request);
                    }
                }
            })
        });
        Ok(Client { helper, reader, requests })
    }

    /// The requests since a wall-clock time, in the order in which they ended.
    pub fn since(&self, time: f64) -> Vec<Request> {
        self.answers().since(time)
    }

    /// What it was answered, for another thread.
    pub fn answers(&self) -> Answers {
        Answers(self.requests.clone())
    }

    /// Waits until this node answers a request that begins from now on. Returns when it did.
    pub fn wait_served_by(&self, node: &str, limit: Duration) -> Result<f64> {
        let start = now();
        wait_or_explain(&format!("the client to be served by {node}"), limit, || {
            let seen = self.since(start);
            let answer = seen.iter().find(|request| request.server.as_deref() == Some(node));
            answer.map(|request| request.ended).ok_or_else(|| match seen.last() {
                Some(Request { server: Some(other), .. }) => format!("{other} serves"),
                _ => "nobody answers".to_owned(),
            })
        })
    }
}

/// What a client was answered so far.
#[derive(Debug, Clone)]
pub struct Answers(Arc<Mutex<Vec<Request>>>);

impl Answers {
    /// The requests since a wall-clock time, in the order in which they ended.
    pub fn since(&self, time: f64) -> Vec<Request> {
        let requests =
            self.0.lock().map(|requests| requests.iter().filter(|request| request.begun >= time).cloned().collect());
        requests.unwrap_or_default()
    }

    /// When the last answer was complete, and which node gave it.
    pub fn last(&self) -> Option<(f64, String)> {
        let requests = self.0.lock().ok()?;
        requests.iter().rev().find_map(|request| Some((request.ended, request.server.clone()?)))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The process may be gone already: emptying the namespace kills it, too.
        let _ = self.helper.kill();
        let _ = self.helper.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The outages in a series of requests that begins with an answer. A failed request counts only if no answer was
/// completed while it was under way, so one lost packet among answers is not an outage.
pub fn outages(requests: &[Request]) -> Vec<Outage> {
    let answers = answers(requests);
    let mut outages = Vec::new();
    for pair in answers.windows(2) {
        let (from, until) = (pair[0].ended, pair[1].ended);
        if requests.iter().any(|request| request.server.is_none() && request.begun >= from && request.ended <= until)
        {
            outages.push(Outage { from, until });
        }
    }
    if let Some(last) = answers.last()
        && requests.iter().any(|request| request.server.is_none() && request.begun >= last.ended)
    {
        outages.push(Outage { from: last.ended, until: f64::INFINITY });
    }
    outages
}

/// How long the longest series of requests without an answer was, seconds: from the beginning of its first one to
/// that of the next one that was answered. As fine as the pace of the client, also for outages that are shorter than
/// a client's patience.
pub fn longest_silence(requests: &[Request]) -> f64 {
    let mut requests: Vec<&Request> = requests.iter().collect();
    requests.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    let (mut longest, mut silent) = (0.0, None);
    for request in requests {
        match (&request.server, silent) {
            (None, None) => silent = Some(request.begun),
            (Some(_), Some(since)) => {
                longest = f64::max(longest, request.begun - since);
                silent = None;
            }
            _ => {}
        }
    }
    if silent.is_some() { f64::INFINITY } else { longest }
}

/// Which node served when, in order. Two nodes that answer in turns appear as many short services.
pub fn services(requests: &[Request]) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for request in answers(requests) {
        let server = request.server.clone().unwrap_or_default();
        match services.last_mut() {
            Some(last) if last.server == server => last.until = request.ended,
            _ => services.push(Service { server, from: request.ended, until: request.ended }),
        }
    }
    services
}

fn answers(requests: &[Request]) -> Vec<&Request> {
    let mut answers: Vec<&Request> = requests.iter().filter(|request| request.server.is_some()).collect();
    answers.sort_by(|a, b| a.ended.total_cmp(&b.ended));
    answers
}

/// The client process: sends requests until it is killed.
pub(crate) fn helper_main(mut arguments: impl Iterator<Item = String>) {
    let Some(Ok(address)) = arguments.next().map(|word| word.parse::<Ipv4Addr>()) else {
        eprintln!("{ROLE}: the address is missing");
        return;
    };
    let server = SocketAddr::V4(SocketAddrV4::new(address, 80));
    let pace = arguments.next().and_then(|word| word.parse().ok()).map_or(PACE, Duration::from_micros);
    let mut next = Instant::now();
    loop {
        std::thread::spawn(move || {
            let begun = now();
            let answered = ask(server);
            let request = Request { begun, ended: now(), server: answered };
            let Ok(line) = serde_json::to_string(&request) else { return };
            if writeln!(std::io::stdout().lock(), "{line}").is_err() {
                std::process::exit(0);
            }
        });
        next += pace;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// One GET; the page is the node's name.
fn ask(server: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {}\r\n\r\n", server.ip()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200").map(|_| body.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(begun: f64, ended: f64, server: &str) -> Request {
        Request { begun, ended, server: Some(server.to_owned()).filter(|server| !server.is_empty()) }
    }

    #[test]
    fn an_outage_lasts_from_the_last_answer_to_the_next() {
        let seen = [
            request(1.0, 1.01, "nodea"),
            request(1.02, 1.12, ""),
            request(1.10, 1.20, ""),
            request(3.00, 3.01, "nodeb"),
        ];
        assert_eq!(outages(&seen), [Outage { from: 1.01, until: 3.01 }]);
        let names: Vec<String> = services(&seen).into_iter().map(|service| service.server).collect();
        assert_eq!(names, ["nodea", "nodeb"]);
    }

    #[test]
    fn a_silence_is_as_long_as_the_requests_in_it() {
        let mut seen = vec![
            request(1.000, 1.001, "nodea"),
            request(1.001, 1.101, ""),
            request(1.003, 1.103, ""),
            request(1.004, 1.006, "nodeb"),
            request(1.005, 1.006, "nodeb"),
        ];
        assert!((longest_silence(&seen) - 0.003).abs() < 1e-9);
        seen.push(request(1.006, 1.106, ""));
        assert_eq!(longest_silence(&seen), f64::INFINITY, "its end was not seen");
    }

    #[test]
    fn one_lost_request_among_answers_is_no_outage() {
        let seen = [request(1.0, 1.01, "nodea"), request(1.005, 1.105, ""), request(1.02, 1.03, "nodea")];
        assert_eq!(outages(&seen), []);
    }

    #[test]
    fn an_outage_that_does_not_end_has_no_end() {
        let seen = [request(1.0, 1.01, "nodea"), request(1.02, 1.12, "")];
        assert_eq!(outages(&seen)[0].until, f64::INFINITY);
    }
}
