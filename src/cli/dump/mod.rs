//! `hbctl dump`: heartbeat packets as text, a line each, from an interface or from a file, with whether their digest
//! is right, which tcpdump(1) cannot tell.
//!
//! Everything in a packet may be hostile: the text is made printable, and nothing acts upon it.

mod error;
mod line;
mod live;
mod packet;
mod pcap;
mod printer;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{AuthMethod, Files, load_authkeys};
use crate::daemon::keys::keyring;
use crate::util::error::{error_chain, failed};
use crate::wire::Keyring;
pub(super) use error::DumpError;
use printer::Printer;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct DumpOptions {
    /// Check digests with the keys of this file, for instance /etc/ha.d/authkeys
    #[arg(long, value_name = "FILE")]
    authkeys: Option<PathBuf>,
    /// Listen on this interface until Ctrl-C (needs root)
    #[arg(short, long, value_name = "IFACE", required_unless_present = "pcap", conflicts_with = "pcap")]
    interface: Option<String>,
    /// The UDP port of the heartbeats
    #[arg(long, value_name = "PORT", default_value_t = 694)]
    port: u16,
    /// Read this file of tcpdump -w
    pcap: Option<PathBuf>,
}

/// Prints heartbeats to `out` until the file ends or the reader of `out` has gone.
pub(super) fn run(options: &DumpOptions, out: &mut impl Write) -> Result<(), DumpError> {
    let keys = options.authkeys.as_deref().map(read_keys).transpose()?;
    let printer = Printer::new(keys, options.port, out);
    match (&options.pcap, &options.interface) {
        (Some(path), _) => read_file(path, printer),
        (None, Some(interface)) => live::listen(interface, printer),
        (None, None) => Ok(()),
    }
}

fn read_keys(path: &Path) -> Result<Keyring, DumpError> {
    let refused = |text| DumpError::Keys { path: path.to_owned(), text };
    let files = Files { authkeys: path.to_owned(), ..Files::default() };
    let keys = load_authkeys(&files).map_err(|found| {
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        refused(lines.join("\n"))
    })?;
    keyring(&keys, AuthMethod::Crc).map_err(|error| refused(error_chain(&error)))
}

fn read_file(path: &Path, mut printer: Printer<'_, impl Write>) -> Result<(), DumpError> {
    let bytes = std::fs::read(path).map_err(failed("read", path)).map_err(DumpError::File)?;
    let packets = pcap::packets(&bytes).map_err(|text| DumpError::Format { path: path.to_owned(), text })?;
    for packet in packets {
        if printer.packet(packet.link, packet.usec, packet.bytes).is_err() {
            // The reader has gone.
            break;
        }
    }
    Ok(())
}
