//! A medium of ha.cf over its whole life: closed, open, and open again after its interface came back.

use std::io;
use std::net::IpAddr;

use super::{MediaError, Ucast};
use crate::config::Medium;

/// What passed over a link since it was made; datagrams, not messages. Reopening does not reset them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Datagrams received.
    pub received: u64,
    /// Datagrams that were not sent, for whatever reason.
    pub send_errors: u64,
}

/// One medium of ha.cf. Begins closed; the caller opens it, and again whenever [`Link::is_open`] says no.
#[derive(Debug)]
pub struct Link {
    medium: Medium,
    port: u16,
    open: Option<Ucast>,
    counters: Counters,
}

impl Link {
    /// A closed link. `port` is `udpport`.
    pub fn new(medium: Medium, port: u16) -> Link {
        Link { medium, port, open: None, counters: Counters::default() }
    }

    /// The name in logs: the interface (01 §1.8.1).
    pub fn name(&self) -> &str {
        self.medium.link_name()
    }

    /// The line of ha.cf.
    pub fn medium(&self) -> &Medium {
        &self.medium
    }

    /// Whether there are sockets. A link closes itself when its interface is gone.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What passed so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Opens a closed link; an open one stays as it is. A few system calls, no waiting. Must be called inside a tokio
    /// runtime with I/O.
    ///
    /// # Errors
    ///
    /// See [`MediaError`]; the link stays closed and can be tried again.
    pub fn try_open(&mut self) -> Result<(), MediaError> {
        if self.open.is_none() {
            let Medium::Ucast { device, peer } = &self.medium;
            self.open = Some(Ucast::open(device, *peer, self.port)?);
        }
        Ok(())
    }

    /// Sends one datagram. Never waits; counts the outcome.
    ///
    /// # Errors
    ///
    /// `NotConnected` while closed, else as [`Ucast::send`]. On ENODEV the link closes itself.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = match &self.open {
            Some(medium) => medium.send(message),
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

    /// Receives one datagram; waits for ever while closed. Cut off at the buffer's length ([`super::MESSAGE_MAX`]
    /// fits any). Safe to cancel.
    ///
    /// # Errors
    ///
    /// What the kernel says. On ENODEV the link closes itself.
    pub async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = match &self.open {
            Some(medium) => medium.recv(buffer).await,
            None => std::future::pending().await,
        };
        self.count(received)
    }

    /// Like [`Link::recv`], but `WouldBlock` when nothing is queued or the link is closed.
    ///
    /// # Errors
    ///
    /// As [`Link::recv`].
    pub fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        let received = match &self.open {
            Some(medium) => medium.try_recv(buffer),
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.count(received)
    }

    /// Waits until [`Link::try_recv`] is worth a try, for ever while closed. Safe to cancel; many links can be waited
    /// for at once, as it only borrows.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.open {
            Some(medium) => medium.readable().await,
            None => std::future::pending().await,
        }
    }

    fn count<T>(&mut self, received: io::Result<T>) -> io::Result<T> {
        match &received {
            Ok(_) => self.counters.received += 1,
            Err(error) => self.close_if_gone(error),
        }
        received
    }

    /// The sockets are bound to the interface's index: they stay dead when an interface of the same name comes back.
    fn close_if_gone(&mut self, error: &io::Error) {
        if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) {
            self.open = None;
        }
    }
}
