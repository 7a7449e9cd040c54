//! A medium of ha.cf over its whole life: closed, open, and open again after its interface or line came back.

use std::io;
use std::net::IpAddr;

use super::mcast::{self, MulticastGroup};
use super::serial::Serial;
use super::udp::Udp;
use super::{MediaError, bcast, device, ucast};
use crate::config::Medium;

/// More messages than the buffer of a terminal holds.
const SERIAL_CAPACITY: usize = 4096;

/// What passed over a link since it was made; datagrams (on a serial line texts), not messages. Reopening does not
/// reset them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Datagrams received.
    pub received: u64,
    /// Datagrams that were not sent, for whatever reason.
    pub send_errors: u64,
}

/// What a message looks like on a medium (01 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageForm {
    /// A datagram, as `msgfmt` says.
    Datagram,
    /// Classic text, whatever `msgfmt` says (01 §1.8.3).
    Text,
}

/// Settings of ha.cf that are not in a medium's own line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// UDP port of ucast and bcast.
    pub udpport: u16,
    /// Speed of serial lines, bits per second.
    pub baud: u32,
}

#[derive(Debug)]
enum Open {
    /// With the index of its interface, asked before: one that is replaced meanwhile is found out at the first error.
    Udp(u32, Udp),
    Serial(Box<Serial>),
}

/// One medium of ha.cf. Begins closed; the caller opens it, and again whenever [`MediaLink::is_open`] says no.
#[derive(Debug)]
pub struct MediaLink {
    medium: Medium,
    defaults: Defaults,
    open: Option<Open>,
    counters: Counters,
}

impl MediaLink {
    /// A closed link.
    pub fn new(medium: Medium, defaults: Defaults) -> MediaLink {
        MediaLink { medium, defaults, open: None, counters: Counters::default() }
    }

    /// The name in logs: the interface, or the path of the serial device (01 §1.8.1).
    pub fn name(&self) -> &str {
        self.medium.link_name()
    }

    /// What it carries.
    pub fn form(&self) -> MessageForm {
        match self.medium {
            Medium::Serial { .. } => MessageForm::Text,
            Medium::Ucast { .. } | Medium::Bcast { .. } | Medium::Mcast { .. } => MessageForm::Datagram,
        }
    }

    /// Whether it can send and receive. A link closes itself when its interface or line is gone.
    pub fn is_open(&self) -> bool {
        self.can_send() && !self.is_deaf()
    }

    /// Whether it can send at least.
    pub fn can_send(&self) -> bool {
        self.open.is_some()
    }

    fn is_deaf(&self) -> bool {
        matches!(&self.open, Some(Open::Udp(_, medium)) if medium.is_deaf())
    }

    /// What passed so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Opens a closed link, or one that cannot receive; an open one stays as it is. A few system calls, no waiting.
    /// Must be called inside a tokio runtime with I/O.
    ///
    /// # Errors
    ///
    /// See [`MediaError`]; the link stays closed and can be tried again. With `PortInUse` it can send meanwhile.
    pub fn try_open(&mut self) -> Result<(), MediaError> {
        if self.is_open() {
            return Ok(());
        }
        let Defaults { udpport, baud } = self.defaults;
        let mut used = udpport;
        self.open = Some(match &self.medium {
            Medium::Ucast { device, peer } => Open::Udp(device::index(device)?, ucast::open(device, *peer, udpport)?),
            Medium::Bcast { device } => Open::Udp(device::index(device)?, bcast::open(device, udpport)?),
            Medium::Mcast { device, group, port, ttl, looped } => {
                used = *port;
                let group = MulticastGroup { address: *group, port: *port, ttl: *ttl, looped: *looped };
                Open::Udp(device::index(device)?, mcast::open(device, group)?)
            }
            Medium::Serial { device } => Open::Serial(Box::new(Serial::open(device, baud)?)),
        });
        if self.is_deaf() {
            return Err(MediaError::opening(self.name(), used, io::Error::from_raw_os_error(libc::EADDRINUSE)));
        }
        Ok(())
    }

    /// Sends one message in this link's [`MessageForm`]. Never waits; counts the outcome.
    ///
    /// # Errors
    ///
    /// `NotConnected` while closed, else what the medium says: see [`Udp::send`] and [`Serial::send`]. When its
    /// interface or line is gone the link closes itself.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = match &mut self.open {
            Some(Open::Udp(_, medium)) => medium.send(message),
            Some(Open::Serial(line)) => line.send(message),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        match &sent {
            Ok(()) => self.counters.sent += 1,
            Err(error) => {
                self.counters.send_errors += 1;
                self.close_if_gone(error);
            }
        }
        sent
    }

    /// Receives one message, cut off at the buffer's length ([`super::MESSAGE_MAX`] fits any), with the sender's
    /// address where the medium has such a thing. `WouldBlock` when nothing is queued or the link is closed.
    ///
    /// # Errors
    ///
    /// What the kernel says. When its interface or line is gone the link closes itself.
    pub fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Option<IpAddr>)> {
        let received = match &mut self.open {
            Some(Open::Udp(_, medium)) => medium.try_recv(buffer).map(|(length, source)| (length, Some(source))),
            Some(Open::Serial(line)) => {
                line.flush().and_then(|()| line.try_recv(buffer)).map(|length| (length, None))
            }
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        match &received {
            Ok(_) => self.counters.received += 1,
            Err(error) => self.close_if_gone(error),
        }
        received
    }

    /// How many messages may wait to be received at most; 0 while closed.
    pub fn capacity(&self) -> usize {
        match &self.open {
            Some(Open::Udp(_, medium)) => medium.capacity(),
            Some(Open::Serial(_)) => SERIAL_CAPACITY,
            None => 0,
        }
    }

    /// The address of the one peer that the medium is for, if it is for one.
    pub fn peer(&self) -> Option<IpAddr> {
        match &self.medium {
            Medium::Ucast { peer, .. } => Some(*peer),
            Medium::Bcast { .. } | Medium::Mcast { .. } | Medium::Serial { .. } => None,
        }
    }

    /// See [`Udp::shield`]; without effect on a serial line, and over when the link closes.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn shield(&self, known: &[IpAddr], strangers: u32) -> io::Result<()> {
        match &self.open {
            Some(Open::Udp(_, medium)) => medium.shield(known, strangers),
            _ => Ok(()),
        }
    }

    /// See [`Udp::unshield`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn unshield(&self) -> io::Result<()> {
        match &self.open {
            Some(Open::Udp(_, medium)) => medium.unshield(),
            _ => Ok(()),
        }
    }

    /// Waits until [`MediaLink::try_recv`] is worth a try, which also goes on writing what a slow line has not
    /// taken yet; for ever while closed. Safe to cancel; many links can be waited for at once, as it only borrows.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn ready(&self) -> io::Result<()> {
        match &self.open {
            Some(Open::Udp(_, medium)) => medium.readable().await,
            Some(Open::Serial(line)) => line.ready().await,
            None => std::future::pending().await,
        }
    }

    /// Sockets are bound to the interface's index, and a serial device that hung up stays so: both stay dead when
    /// something of the same name comes back. The kernel calls a missing interface ENODEV, or an unreachable network:
    /// then its index tells.
    fn close_if_gone(&mut self, error: &io::Error) {
        let gone = match (&self.open, error.raw_os_error()) {
            (_, Some(libc::ENODEV | libc::ENXIO | libc::EIO)) => true,
            (Some(Open::Udp(index, _)), Some(libc::ENETUNREACH | libc::EADDRNOTAVAIL)) => {
                device::index(self.medium.link_name()).ok() != Some(*index)
            }
            _ => error.kind() == io::ErrorKind::UnexpectedEof,
        };
        if gone {
            self.open = None;
        }
    }
}
