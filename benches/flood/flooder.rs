//! The flooder: a process of its own in a namespace of its own, without any key.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use crate::Failure;
use crate::site::{FLOODER, NODES, PORT};

/// The first argument of the helper process.
pub const ROLE: &str = "flooder";

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    None,
    Junk,
    Unsigned,
    Forged,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::None, Kind::Junk, Kind::Unsigned, Kind::Forged];

    pub fn words(self) -> &'static str {
        match self {
            Kind::None => "none",
            Kind::Junk => "junk from a stranger",
            Kind::Unsigned => "messages with a wrong digest",
            Kind::Forged => "the same from the peer's address",
        }
    }
}

/// A status as a node would send it, but for the digest.
const MESSAGE: &[u8] = b"###\n11:(0)t=status,12:(0)st=active,10:(0)dt=7530,12:(0)protocol=1,12:(0)src=nodeb,\
14:(1)srcuuid=aaaa,11:(0)seq=1f00,14:(0)hg=6b023388,14:(0)ts=6b02377a,29:(0)ld=0.00 0.00 0.00 1/1 1,5:(0)ttl=3,%%%\n\
42:2 7ce7a6b1fbb967e7a5e0ede4505fa59388599c61,";

/// A flooder that runs.
#[derive(Debug)]
pub struct Flooder(pub Child);

impl Flooder {
    /// Ends it; the packets a second that it has sent.
    pub fn finish(mut self) -> Result<f64, Failure> {
        // The end of its standard input ends it.
        drop(self.0.stdin.take());
        let mut said = String::new();
        self.0.stdout.take().ok_or("the flooder says nothing")?.read_to_string(&mut said)?;
        self.0.wait()?;
        Ok(said.trim().parse()?)
    }
}

/// In the flooder's namespace: sends until standard input ends, and prints the packets a second.
pub fn helper_main(arguments: &[String]) -> Result<(), Failure> {
    let kind = arguments.first().and_then(|word| word.parse().ok()).and_then(|number: usize| Kind::ALL.get(number));
    let kind = *kind.ok_or("which flood?")?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            over.store(true, Ordering::Relaxed);
        });
        let rate = pour(kind, &over)?;
        println!("{rate}");
        std::io::stdout().flush()?;
        Ok(())
    })
}

fn pour(kind: Kind, over: &AtomicBool) -> Result<f64, Failure> {
    let to = SocketAddr::from((NODES[0], PORT));
    let (socket, packet) = match kind {
        Kind::Forged => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
            socket.set_header_included_v4(true)?;
            (socket, datagram(NODES[1], NODES[0], MESSAGE))
        }
        kind => {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&SocketAddr::from((FLOODER, 0)).into())?;
            (socket, if kind == Kind::Junk { vec![b'x'; 100] } else { MESSAGE.to_vec() })
        }
    };
    let (to, started, mut sent) = (to.into(), Instant::now(), 0_u64);
    while !over.load(Ordering::Relaxed) {
        sent += u64::from(socket.send_to(&packet, &to).is_ok());
    }
    Ok(sent as f64 / started.elapsed().as_secs_f64())
}

/// An IPv4 packet (RFC 791) with a UDP datagram (RFC 768) without a checksum in it. The kernel fills in the rest.
fn datagram(from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let udp = 8 + payload.len() as u16;
    let mut packet = vec![0x45, 0x10];
    packet.extend((20 + udp).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(40_000_u16.to_be_bytes());
    packet.extend(PORT.to_be_bytes());
    packet.extend(udp.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// How it is started: with a standard input that is held open.
pub fn pipes(command: &mut std::process::Command) -> &mut std::process::Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped())
}
