//! `serial` over a pseudo-terminal: its other end is the test's.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::*;
use crate::config::Medium;

const DEFAULTS: Defaults = Defaults { udpport: 694, baud: 19_200 };
const MESSAGE: &[u8] = b">>>\nt=status\nst=active\n<<<\n";

/// The far end of a line, and the path of ours.
fn line() -> (File, String) {
    let far: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&far).unwrap();
    unlockpt(&far).unwrap();
    let path = ptsname(&far, Vec::new()).unwrap().into_string().unwrap();
    (File::from(far), path)
}

fn link(path: &str) -> MediaLink {
    MediaLink::new(Medium::Serial { device: path.to_owned() }, DEFAULTS)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// The next message on a link, when it comes.
async fn heard(link: &mut MediaLink) -> Vec<u8> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let hearing = async {
        loop {
            link.ready().await.unwrap();
            if let Ok((length, from)) = link.try_recv(&mut buffer) {
                assert_eq!(from, None, "a line has no addresses");
                break length;
            }
        }
    };
    let length = tokio::time::timeout(Duration::from_secs(10), hearing).await.expect("in time");
    buffer.truncate(length);
    buffer
}

/// One turn of the daemon's loop: the runtime looks at the line, and what waits is written.
async fn turn(link: &mut MediaLink) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let _ = link.try_recv(&mut [0; 64]);
}

#[test]
fn text_passes_both_ways_as_it_is() {
    let (mut far, path) = line();
    run(async {
        let mut link = link(&path);
        assert_eq!((link.name(), link.form()), (path.as_str(), MessageForm::Text));
        link.try_open().unwrap();
        link.send(MESSAGE).unwrap();
        turn(&mut link).await;
        let mut seen = vec![0; MESSAGE.len()];
        far.read_exact(&mut seen).unwrap();
        assert_eq!(seen, MESSAGE, "no CR before LF, no echo, no NUL");
        // Our own input is not echoed to the far end, and a CR or a parity bit on the way costs nothing.
        far.write_all(b"boot noise\r\n>>>\r\nt=st\xe1tus\n<<<\n").unwrap();
        assert_eq!(heard(&mut link).await, b">>>\nt=status\n<<<\n");
        far.write_all(b">>>\nt=a\n<<<\n>>>\nt=b\n<<<\n").unwrap();
        assert_eq!(heard(&mut link).await, b">>>\nt=a\n<<<\n");
        assert_eq!(heard(&mut link).await, b">>>\nt=b\n<<<\n");
        assert_eq!(link.counters(), Counters { sent: 1, received: 3, send_errors: 0 });
    });
}

#[test]
fn a_line_that_nobody_reads_delays_nobody_and_recovers() {
    let (mut far, path) = line();
    run(async {
        // The line's own clock: however late the machine is, nothing is stuck before the test says so.
        tokio::time::pause();
        let mut link = link(&path);
        link.try_open().unwrap();
        link.send(MESSAGE).unwrap();
        turn(&mut link).await;
        // Would any of these wait for the reader, the test would not come to its end.
        let dropped = (0..2000).filter(|_| link.send(MESSAGE).is_err()).count();
        assert!(dropped > 1000, "the queues are short: {dropped}");
        let stuck = loop {
            tokio::time::advance(Duration::from_millis(600)).await;
            match link.send(MESSAGE) {
                // The kernel had passed on some of it meanwhile: the line did move. It has space for some 16 KiB.
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => break error,
            }
        };
        assert_eq!(stuck.kind(), std::io::ErrorKind::TimedOut);
        // What was queued in the kernel went with it. A terminal tells nobody that it has space again.
        turn(&mut link).await;
        let taken = (0..2000).filter(|_| link.send(MESSAGE).is_ok()).count();
        assert!(taken * MESSAGE.len() > 2 * 4096, "only our own queue takes something: {taken} messages");
        tokio::time::resume();
        // The reader comes back, finds whole messages after at most one broken one, and new ones pass.
        let reading = std::thread::spawn(move || {
            let mut framing = framing::Framing::default();
            let mut piece = [0; 4096];
            loop {
                let read = far.read(&mut piece).unwrap();
                let mut last = false;
                framing.take(&piece[..read], |message| last |= message == b">>>\nt=last\n<<<\n");
                if last {
                    return far;
                }
            }
        });
        while !reading.is_finished() {
            let _ = link.send(b">>>\nt=last\n<<<\n");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reading.join().unwrap();
    });
}

#[test]
fn a_slow_reader_gets_everything_in_the_end() {
    let (mut far, path) = line();
    run(async {
        let mut link = link(&path);
        link.try_open().unwrap();
        let long = [b">>>\nt=status\nld=", vec![b'x'; 12_000].as_slice(), b"\n<<<\n"].concat();
        link.send(&long).unwrap();
        let wanted = long.len();
        let reading = std::thread::spawn(move || {
            let mut seen = vec![0; wanted];
            far.read_exact(&mut seen).unwrap();
            (seen, far)
        });
        while !reading.is_finished() {
            let _ = tokio::time::timeout(Duration::from_millis(50), link.ready()).await;
            assert!(link.try_recv(&mut [0; 64]).is_err());
        }
        assert!(reading.join().unwrap().0 == long);
    });
}

#[test]
fn what_is_no_line_is_told_apart() {
    run(async {
        let missing = link("/dev/ttyNONE").try_open().unwrap_err();
        assert!(matches!(missing, MediaError::NoSuchLine { .. }), "{missing}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let wrong = link(file.path().to_str().unwrap()).try_open().unwrap_err();
        assert!(matches!(wrong, MediaError::NotALine { .. }), "{wrong}");
    });
}

#[test]
fn a_line_that_hangs_up_is_opened_again() {
    // By a name of our own: the kernel gives the number of one that is gone to the next program that asks.
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join("line");
    let (far, path) = line();
    std::os::unix::fs::symlink(path, &name).unwrap();
    run(async {
        let mut link = link(name.to_str().unwrap());
        link.try_open().unwrap();
        drop(far);
        link.ready().await.unwrap();
        assert!(link.try_recv(&mut [0; 64]).is_err());
        assert!(!link.is_open());
        std::fs::remove_file(&name).unwrap();
        assert!(matches!(link.try_open(), Err(MediaError::NoSuchLine { .. })));
        let (mut far, path) = line();
        std::os::unix::fs::symlink(path, &name).unwrap();
        link.try_open().unwrap();
        far.write_all(MESSAGE).unwrap();
        assert_eq!(heard(&mut link).await, MESSAGE);
    });
}
