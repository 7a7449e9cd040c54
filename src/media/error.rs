//! Why a medium could not be opened, in words that say what to do.

use std::io;

/// Why a medium could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The interface of the medium is not there (now).
    #[error("interface {device} does not exist; check the name in ha.cf (`ip -brief link` lists the interfaces)")]
    NoSuchInterface {
        /// The interface that ha.cf names.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interface has no IPv4 address with a broadcast address (now).
    #[error("interface {device} has no IPv4 address to send from; give it one (`ip -brief address show {device}`)")]
    NoAddress {
        /// The interface that ha.cf names.
        device: String,
    },
    /// Another program has the port to itself: what is sent leaves from another port, and nothing is received.
    #[error("UDP port {port} on {device} is in use (`ss -ulpn sport = {port}` shows the program)")]
    PortInUse {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`, or the port of an mcast line.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel does not let us.
    #[error("not permitted to use UDP port {port} on {device}: ports below 1024 need CAP_NET_BIND_SERVICE")]
    NotPermitted {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`, or the port of an mcast line.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else about a socket.
    #[error("cannot open a socket for UDP port {port} on {device}")]
    Socket {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`, or the port of an mcast line.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is no such serial device (now).
    #[error("serial device {device} does not exist; check the name in ha.cf (`setserial -g /dev/ttyS*` lists some)")]
    NoSuchLine {
        /// The path that ha.cf names.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// What the path names is no serial device.
    #[error("{device} is no serial device; write one such as /dev/ttyS0")]
    NotALine {
        /// The path that ha.cf names.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another program has the serial device to itself.
    #[error(
        "serial device {device} is in use; stop the program that has it, such as a getty or a running Heartbeat \
         (`fuser -v {device}` shows it)"
    )]
    LineInUse {
        /// The path that ha.cf names.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else about a serial device.
    #[error("cannot open serial device {device}")]
    Line {
        /// The path that ha.cf names.
        device: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl MediaError {
    /// Gives the kernel's error its meaning for a UDP medium.
    pub(super) fn opening(device: &str, port: u16, source: io::Error) -> MediaError {
        let device = device.to_owned();
        match source.raw_os_error() {
            Some(libc::ENODEV) => MediaError::NoSuchInterface { device, source },
            Some(libc::EADDRINUSE) => MediaError::PortInUse { device, port, source },
            Some(libc::EACCES | libc::EPERM) => MediaError::NotPermitted { device, port, source },
            _ => MediaError::Socket { device, port, source },
        }
    }

    /// Gives the kernel's error its meaning for a serial device.
    pub(super) fn opening_line(device: &str, source: io::Error) -> MediaError {
        let device = device.to_owned();
        match source.raw_os_error() {
            // EIO: a port that the kernel knows and the machine does not have.
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::EIO) => MediaError::NoSuchLine { device, source },
            Some(libc::ENOTTY) => MediaError::NotALine { device, source },
            Some(libc::EBUSY) => MediaError::LineInUse { device, source },
            _ => MediaError::Line { device, source },
        }
    }
}
