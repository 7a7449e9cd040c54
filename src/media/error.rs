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
    /// Another program has the port to itself.
    #[error(
        "UDP port {port} on {device} is in use; stop the program that has it, such as a running Heartbeat \
         (`ss -ulpn sport = {port}` shows it)"
    )]
    PortInUse {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel does not let us.
    #[error("not permitted to use UDP port {port} on {device}: ports below 1024 need CAP_NET_BIND_SERVICE")]
    NotPermitted {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot open a socket for UDP port {port} on {device}")]
    Socket {
        /// The interface that ha.cf names.
        device: String,
        /// `udpport`.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
}

impl MediaError {
    /// Gives the kernel's error its meaning for a UDP medium.
    pub(super) fn opening(device: &str, port: u16, source: io::Error) -> MediaError {
        let device = device.to_string();
        match source.raw_os_error() {
            Some(libc::ENODEV) => MediaError::NoSuchInterface { device, source },
            Some(libc::EADDRINUSE) => MediaError::PortInUse { device, port, source },
            Some(libc::EACCES | libc::EPERM) => MediaError::NotPermitted { device, port, source },
            _ => MediaError::Socket { device, port, source },
        }
    }
}
