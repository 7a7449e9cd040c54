//! What crossed a bridge: tcpdump writes it into a file, and a reader here parses the few kinds of packet that tests
//! ask about.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::lab::NODES;
use crate::site::Site;
use crate::switch::{Lan, Switch};
use crate::{Error, Result};

/// Heartbeat's port.
pub const HEARTBEAT_PORT: u16 = 694;

/// A capture that is running; it ends when dropped.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
    /// Bytes of records read so far.
    read: usize,
    packets: Vec<Packet>,
}

/// A packet that tests care about; others are skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Wall-clock seconds.
    pub time: f64,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of packet the reader knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// An ARP request or reply for IPv4.
    Arp {
        /// Whether it is a reply and not a request.
        reply: bool,
        /// The sender's MAC address.
        mac: [u8; 6],
        /// The address the sender claims.
        sender: Ipv4Addr,
        /// The address asked for.
        target: Ipv4Addr,
    },
    /// A UDP datagram.
    Udp {
        /// From.
        source: Ipv4Addr,
        /// To.
        destination: Ipv4Addr,
        /// To which port.
        port: u16,
        /// What it carries.
        payload: Vec<u8>,
    },
}

impl Packet {
    /// Whether the packet announces an address: a gratuitous ARP request or reply.
    pub fn announces(&self, address: Ipv4Addr) -> bool {
        matches!(self.kind, Kind::Arp { sender, target, .. } if sender == address && target == address)
    }

    /// The Heartbeat message in it, if it is one.
    pub fn message(&self) -> Option<Message<'_>> {
        match &self.kind {
            Kind::Udp { source, port: HEARTBEAT_PORT, payload, .. } if payload.starts_with(b"###\n") => {
                Some(Message { source: *source, payload })
            }
            _ => None,
        }
    }
}

/// A Heartbeat message as seen on the wire, whether its digest is right or not. It is not parsed with hbd's own
/// parser: a defect in that would go unnoticed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The sender's address.
    pub source: Ipv4Addr,
    /// The datagram.
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// A text field, such as `t` (type), `src` or `st`; both forms of the wire are understood.
    pub fn field(&self, name: &str) -> Option<String> {
        let netstring = format!(":(0){name}=");
        let classic = format!("\n{name}=");
        let after = |mark: &str, end: u8| {
            let start = find(self.payload, mark.as_bytes())? + mark.len();
            let length = self.payload[start..].iter().position(|byte| *byte == end)?;
            Some(String::from_utf8_lossy(&self.payload[start..start + length]).into_owned())
        };
        after(&netstring, b',').or_else(|| after(&classic, b'\n'))
    }

    /// The message in one line, for the report of a failure.
    pub fn summary(&self) -> String {
        let names = ["t", "src", "st", "rsc_hold", "rtype", "isstable", "info", "dest", "node", "result", "firstseq"];
        let numbers = ["hg", "seq", "dt", "ackseq"];
        let fields = names.iter().chain(&numbers).filter_map(|name| Some(format!("{name}={}", self.field(name)?)));
        fields.collect::<Vec<_>>().join(" ")
    }

    /// Whether its type is this one.
    pub fn is(&self, kind: &str) -> bool {
        self.field("t").as_deref() == Some(kind)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl Capture {
    /// Starts to capture ARP and Heartbeat's datagrams on a LAN, and returns once it does.
    pub fn start(site: &Site, switch: &Switch, lan: Lan) -> Result<Capture> {
        let file = site.directory().join(format!("{}.pcap", lan.bridge()));
        let failed = |reason: String| Error::Command { command: format!("tcpdump on {}", lan.bridge()), reason };
        let mut tcpdump = Command::new("ip")
            .args(["netns", "exec", &switch.namespace(), "tcpdump", "-i", lan.bridge(), "-n", "-s", "0"])
            .args(["-U", "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root", "-B", "16384", "-w"])
            .arg(&file)
            .arg(format!("arp or udp port {HEARTBEAT_PORT}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut said = String::new();
        if let Some(stderr) = tcpdump.stderr.take() {
            let mut lines = BufReader::new(stderr);
            while !said.contains("listening on") {
                if lines.read_line(&mut said).map_err(|error| failed(error.to_string()))? == 0 {
                    return Err(failed(said));
                }
            }
        }
        Ok(Capture { tcpdump, file, read: 0, packets: Vec::new() })
    }

    /// Everything captured so far.
    pub fn packets(&mut self) -> Result<&[Packet]> {
        let bytes = File::open(&self.file).and_then(|file| unread(file, self.read));
        let bytes = bytes.map_err(Error::file(self.file.display().to_string()))?;
        self.read += parse(&bytes, &mut self.packets)?;
        Ok(&self.packets)
    }

    /// The last messages of the nodes, a line each, for the report of a failure: without acknowledgements, and
    /// without statuses that repeat the sender's last one. Reads the file from its beginning.
    pub fn last_messages(&self, count: usize) -> Result<Vec<String>> {
        let bytes = fs::read(&self.file).map_err(Error::file(self.file.display().to_string()))?;
        let mut packets = Vec::new();
        parse(&bytes, &mut packets)?;
        let mut last_status = BTreeMap::new();
        let mut news = |message: &Message| {
            if !NODES.iter().any(|node| node.link == message.source) {
                return false;
            }
            if message.is("status") {
                let status = ["st", "dt", "hg"].map(|name| message.field(name));
                return last_status.insert(message.source, status.clone()) != Some(status);
            }
            !message.is("NS_ackmsg")
        };
        let lines: Vec<String> = packets
            .iter()
            .filter_map(|packet| Some((packet.time, packet.message()?)))
            .filter(|(_, message)| news(message))
            .map(|(time, message)| format!("{time:.3} {}: {}", message.source, message.summary()))
            .collect();
        Ok(lines[lines.len().saturating_sub(count)..].to_vec())
    }

    /// The first packet after a wall-clock time that a test is looking for.
    pub fn first_after(&mut self, time: f64, wanted: impl Fn(&Packet) -> bool) -> Result<Option<Packet>> {
        Ok(self.packets()?.iter().find(|packet| packet.time >= time && wanted(packet)).cloned())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // The process may be gone already: emptying the namespace kills it, too.
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// The file header and the records behind so many bytes of records: a long capture is not read anew at every look.
fn unread(mut capture: impl Read + Seek, read: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    capture.by_ref().take(FILE_HEADER as u64).read_to_end(&mut bytes)?;
    if bytes.len() == FILE_HEADER {
        capture.seek(SeekFrom::Start((FILE_HEADER + read) as u64))?;
        capture.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Reads the complete records behind a file header, and returns how many bytes they have.
fn parse(bytes: &[u8], packets: &mut Vec<Packet>) -> Result<usize> {
    let word = |at: usize| bytes.get(at..at + 4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let fraction = match word(0) {
        None => return Ok(0),
        Some(0xa1b2_3c4d) => 1e-9,
        Some(0xa1b2_c3d4) => 1e-6,
        Some(other) => return Err(Error::Unexpected(format!("not a capture of this machine: magic {other:#x}"))),
    };
    let mut at = FILE_HEADER;
    while let (Some(seconds), Some(part), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let start = at + RECORD_HEADER;
        let Some(frame) = bytes.get(start..start + length as usize) else { break };
        let time = f64::from(seconds) + f64::from(part) * fraction;
        packets.extend(dissect(frame).map(|kind| Packet { time, kind }));
        at = start + length as usize;
    }
    Ok(at - FILE_HEADER)
}

fn ip(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(four.into())
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Ethernet, then ARP or an unfragmented UDP datagram.
fn dissect(frame: &[u8]) -> Option<Kind> {
    let body = frame.get(14..)?;
    match short(frame, 12)? {
        0x0806 => {
            let mac = body.get(8..14)?.try_into().ok()?;
            Some(Kind::Arp { reply: short(body, 6)? == 2, mac, sender: ip(body, 14)?, target: ip(body, 24)? })
        }
        0x0800 if *body.get(9)? == 17 => {
            let header = usize::from(body[0] & 15) * 4;
            let datagram = body.get(header..usize::from(short(body, 2)?))?;
            Some(Kind::Udp {
                source: ip(body, 12)?,
                destination: ip(body, 16)?,
                port: short(datagram, 2)?,
                payload: datagram.get(8..)?.to_vec(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 200);

    fn record(frame: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [7u32, 500_000_000, frame.len() as u32, frame.len() as u32] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(frame);
        bytes
    }

    fn file(frames: &[&[u8]]) -> Vec<u8> {
        let mut bytes = 0xa1b2_3c4d_u32.to_ne_bytes().to_vec();
        bytes.resize(FILE_HEADER, 0);
        bytes.extend(frames.iter().flat_map(|frame| record(frame)));
        bytes
    }

    fn gratuitous() -> Vec<u8> {
        let mut frame = vec![0xff; 12];
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1]);
        frame.extend(VIP.octets());
        frame.extend([0; 6]);
        frame.extend(VIP.octets());
        frame
    }

    #[test]
    fn a_record_still_being_written_is_read_the_next_time() {
        let whole = file(&[&gratuitous(), &gratuitous()]);
        let mut packets = Vec::new();
        let mut read = 0;
        // Nothing yet, then a part of the file header, of the second record, and of nothing.
        for (length, seen) in [(0, 0), (FILE_HEADER - 1, 0), (whole.len() - 3, 1), (whole.len(), 2), (whole.len(), 2)]
        {
            let bytes = unread(io::Cursor::new(&whole[..length]), read).unwrap();
            read += parse(&bytes, &mut packets).unwrap();
            assert_eq!(packets.len(), seen);
        }
        assert_eq!(FILE_HEADER + read, whole.len());
        assert!(packets[1].announces(VIP));
        assert_eq!(packets[1].time, 7.5);
    }

    #[test]
    fn fields_are_found_in_both_forms() {
        for payload in [&b"###\n8:(0)t=ack,12:(0)src=nodeb,%%%\n"[..], b"###\nt=ack\nsrc=nodeb\n%%%\n"] {
            let message = Message { source: VIP, payload };
            assert!(message.is("ack"));
            assert_eq!(message.field("src").as_deref(), Some("nodeb"));
            assert_eq!(message.field("st"), None);
        }
    }
}
