//! ARP on the public LAN, beside what the kernel does: a question that is repeated all the time, who has the virtual
//! address; and a stranger that claims it. Both are a process in the client's namespace (`arp.pl`).

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::example::{GATEWAY, VIP};
use crate::process::{now, run};
use crate::{Error, Result};

/// The MAC address of the stranger, which no machine has.
pub const STRANGER: &str = "02:00:66:00:66:00";

/// Asks ten times a second who has the virtual address; it stops when dropped.
#[derive(Debug)]
pub struct Asker {
    helper: Child,
}

/// One answer: when it came, wall-clock seconds, and from which MAC address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// When.
    pub time: f64,
    /// From whom.
    pub mac: [u8; 6],
    /// Which question was answered: two machines that answer one have the address at the same time.
    pub question: u64,
}

impl Asker {
    /// Starts to ask from a namespace, and gives each answer to a function that is called in a thread of its own.
    pub fn start(namespace: &str, mut heard: impl FnMut(Answer) + Send + 'static) -> Result<Asker> {
        let own = run(&["ip", "netns", "exec", namespace, "cat", "/sys/class/net/eth0/address"])?;
        let words = [own.trim().replace(':', ""), hexadecimal(&GATEWAY.octets()), hexadecimal(&VIP.octets())];
        let mut helper = start(namespace, "ask", &words)?;
        if let Some(stdout) = helper.stdout.take() {
            std::thread::spawn(move || listen(stdout, &mut heard));
        }
        Ok(Asker { helper })
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        // The process may be gone already: emptying the namespace kills it, too.
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// A machine without a right to it claims the virtual address so often, once a second. It answers no question.
pub fn claim(namespace: &str, times: u32) -> Result<Asker> {
    let words = [STRANGER.replace(':', ""), hexadecimal(&VIP.octets()), times.to_string()];
    Ok(Asker { helper: start(namespace, "claim", &words)? })
}

fn start(namespace: &str, mode: &str, words: &[String]) -> Result<Child> {
    let index = run(&["ip", "-n", namespace, "-oneline", "link", "show", "dev", "eth0"])?;
    let index = index.split(':').next().unwrap_or_default().to_owned();
    Command::new("ip")
        .args(["netns", "exec", namespace, "perl", "-e", include_str!("arp.pl"), mode, &index])
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Error::Command { command: "arp.pl".to_owned(), reason: error.to_string() })
}

fn listen(stdout: ChildStdout, heard: &mut impl FnMut(Answer)) {
    for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
        if let Some((mac, question)) = parse(&line) {
            heard(Answer { time: now(), mac, question });
        }
    }
}

fn parse(line: &str) -> Option<([u8; 6], u64)> {
    let (mac, question) = line.split_once(' ')?;
    let byte = |at: usize| u8::from_str_radix(mac.get(at * 2..at * 2 + 2)?, 16).ok();
    Some(([byte(0)?, byte(1)?, byte(2)?, byte(3)?, byte(4)?, byte(5)?], question.parse().ok()?))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_mac_address_and_a_question() {
        assert_eq!(parse("0200c0a81102 7"), Some(([2, 0, 192, 168, 17, 2], 7)));
        assert_eq!(parse("0200c0 7"), None);
    }
}
