//! Packets that pass an interface, as they come.

use std::fs;
use std::io::{self, Read, Write};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::error::DumpError;
use super::packet::LinkLayer;
use super::printer::Printer;
use crate::util::clock::now_usec;

/// Size of the buffer in bytes: larger than any packet, also with offloading.
const LARGEST: usize = 128 * 1024;

/// Prints heartbeats until the reader of the output or the interface has gone.
pub(super) fn listen(interface: &str, mut printer: Printer<'_, impl Write>) -> Result<(), DumpError> {
    let failed = |error| DumpError::Listen { interface: interface.to_owned(), error };
    let mut listener = InterfaceListener::open(index(interface)?).map_err(failed)?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = listener.receive(&mut buffer).map_err(failed)?;
        if printer.packet(LinkLayer::Ip, now_usec(), &buffer[..length]).is_err() {
            // The reader has gone.
            return Ok(());
        }
    }
}

pub(super) fn index(interface: &str) -> Result<u32, DumpError> {
    let unknown = || DumpError::Interface(interface.to_owned());
    // The name becomes a part of a path, so it must not leave the directory.
    if interface.is_empty() || interface.contains('/') || interface.starts_with('.') {
        return Err(unknown());
    }
    let text = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).map_err(|_| unknown())?;
    text.trim().parse().map_err(|_| unknown())
}

/// Receives every packet of one interface, in both directions, from its IP header on (packet(7), SOCK_DGRAM).
pub(super) struct InterfaceListener(Socket);

impl InterfaceListener {
    pub(super) fn open(index: u32) -> io::Result<InterfaceListener> {
        let protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(protocol)))?;
        socket.attach_filter(&interface_filter(index))?;
        // Packets of other interfaces may have come before the filter was attached: they are dropped.
        socket.set_nonblocking(true)?;
        let mut listener = InterfaceListener(socket);
        let mut buffer = [0; 1];
        while listener.0.read(&mut buffer).is_ok() {}
        listener.0.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for the next packet; gives its length.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return received,
            }
        }
    }
}

/// A classic BPF program that lets only packets of the interface with this index through. Binding the socket to the
/// interface would need an address for which socket2 has no safe constructor.
fn interface_filter(index: u32) -> [SockFilter; 4] {
    let filter = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    // The kernel takes a load from this offset for the packet's interface.
    let interface = (libc::SKF_AD_OFF + libc::SKF_AD_IFINDEX) as u32;
    [
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, interface),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, index),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, LARGEST as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ]
}
