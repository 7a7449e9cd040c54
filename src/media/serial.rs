//! The `serial` medium: classic text over a null-modem cable (01 §1.8.3).
//!
//! A slow line must delay nobody: what the kernel does not take at once waits in a short queue, and what does not fit
//! there is not sent. A line on which nothing moves any more (a cable pulled with flow control on) loses its queue.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rustix::termios::{
    ControlModes, InputModes, OptionalActions, QueueSelector, SpecialCodeIndex, ioctl_tiocexcl, tcflush, tcgetattr,
    tcsetattr,
};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::MediaError;
use super::framing::Framing;

/// Bytes that may wait to be written: about two seconds at the default speed, as much again as the kernel's own
/// queue.
const QUEUE: usize = 4096;
/// A line that takes nothing for this long has lost its reader.
const STUCK: Duration = Duration::from_millis(500);
/// Bytes read at once.
const PIECE: usize = 4096;
/// Messages kept for the caller; more than a line can carry in the time by which the caller may be late.
const INBOX: usize = 256;

/// An open serial device.
#[derive(Debug)]
pub struct Serial {
    reader: pipe::Receiver,
    writer: pipe::Sender,
    /// The device once more, to set it.
    port: File,
    framing: Framing,
    inbox: VecDeque<Vec<u8>>,
    unsent: VecDeque<u8>,
    /// When the kernel last took something, or the queue began.
    moved: Instant,
}

impl Serial {
    /// Opens and sets the device: 8 bits, no parity, hardware flow control, raw. `baud` is in bits per second. Must
    /// be called inside a tokio runtime with I/O. Unlike Heartbeat sends no break, which would take a quarter of a
    /// second; what it would end is skipped as noise by the reader.
    ///
    /// # Errors
    ///
    /// See [`MediaError`]; all of them may pass, so opening is worth another try.
    pub fn open(device: &str, baud: u32) -> Result<Serial, MediaError> {
        let open = || -> io::Result<(pipe::Receiver, pipe::Sender, File)> {
            let port = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC)
                .open(device)?;
            set(&port, baud)?;
            // Nothing in them is about pipes: readiness, read(2) and write(2) of a descriptor that does not block.
            let reader = pipe::Receiver::from_file_unchecked(port.try_clone()?)?;
            let writer = writer(&port)?;
            Ok((reader, writer, port))
        };
        let (reader, writer, port) = open().map_err(|source| MediaError::opening_line(device, source))?;
        Ok(Serial {
            reader,
            writer,
            port,
            framing: Framing::default(),
            inbox: VecDeque::new(),
            unsent: VecDeque::new(),
            moved: Instant::now(),
        })
    }

    /// Sends one message, or as much of it as the line takes now, the rest later. Never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the line is behind and the message was dropped; `TimedOut` when nothing moves any more and
    /// everything queued was dropped with it; else what the kernel says.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.flush()?;
        if !self.unsent.is_empty() && self.moved.elapsed() > STUCK {
            self.unsent.clear();
            tcflush(&self.port, QueueSelector::OFlush)?;
            self.writer = writer(&self.port)?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !self.unsent.is_empty() && self.unsent.len() + message.len() > QUEUE {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.unsent.is_empty() {
            self.moved = Instant::now();
        }
        self.unsent.extend(message);
        self.flush()
    }

    /// Writes what is waiting, as far as the line takes it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let (piece, _) = self.unsent.as_slices();
            match self.writer.try_write(piece) {
                Ok(0) => break,
                Ok(written) => {
                    self.unsent.drain(..written);
                    self.moved = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives one message, cut off at the buffer's length. `WouldBlock` when none is complete.
    ///
    /// # Errors
    ///
    /// What the kernel says; `UnexpectedEof` when the device hung up.
    pub fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = [0; PIECE];
        while self.inbox.is_empty() {
            let read = self.reader.try_read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let inbox = &mut self.inbox;
            self.framing.take(&piece[..read], |message| {
                if inbox.len() < INBOX {
                    inbox.push_back(message);
                }
            });
        }
        let message = self.inbox.pop_front().unwrap_or_default();
        let length = message.len().min(buffer.len());
        buffer[..length].copy_from_slice(&message[..length]);
        Ok(length)
    }

    /// Waits until [`Serial::try_recv`] or [`Serial::flush`] is worth a try. Safe to cancel.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    pub async fn ready(&self) -> io::Result<()> {
        if !self.inbox.is_empty() {
            return Ok(());
        }
        if self.unsent.is_empty() {
            return self.reader.readable().await;
        }
        tokio::select! {
            readable = self.reader.readable() => readable,
            writable = self.writer.writable() => writable,
        }
    }
}

/// The side that is written to, looked at anew: not every driver tells that a queue it dropped has space again (a
/// pseudo-terminal does not), and a sender that waits for that news would never write again.
fn writer(port: &File) -> io::Result<pipe::Sender> {
    pipe::Sender::from_file_unchecked(port.try_clone()?)
}

/// Takes the device for us alone and makes the line what Heartbeat makes it.
fn set(port: &File, baud: u32) -> io::Result<()> {
    let mut line = tcgetattr(port)?;
    ioctl_tiocexcl(port)?;
    line.make_raw();
    line.input_modes = InputModes::INPCK | InputModes::ISTRIP | InputModes::IGNCR | InputModes::BRKINT;
    line.control_modes |= ControlModes::CS8 | ControlModes::CLOCAL | ControlModes::CREAD | ControlModes::CRTSCTS;
    line.control_modes -= ControlModes::PARENB | ControlModes::CSTOPB | ControlModes::HUPCL;
    line.special_codes[SpecialCodeIndex::VMIN] = 1;
    line.special_codes[SpecialCodeIndex::VTIME] = 1;
    line.set_speed(baud)?;
    tcsetattr(port, OptionalActions::Flush, &line)?;
    Ok(())
}
