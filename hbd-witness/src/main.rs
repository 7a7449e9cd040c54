//! `hbd-witness`: asks etcd for hbd's third vote (hbd-witness(8)), in a process of its own, so that gRPC and TLS are
//! not in the daemon, which is root and realtime.
//!
//! Its standard input is a listening socket, which systemd made (`hbd-witness.socket`). It needs no file, no right,
//! and no argument: hbd says over the socket what to ask. It ends some seconds after hbd has hung up.
//!
//! | module | question it answers |
//! |---|---|
//! | `session` | what does one hbd ask, and what is it answered? |
//! | `etcd` | which member of etcd is asked, and for how long? |
//! | `member` | how is one member reached? |
//! | `key` | what does an order do to the key? |
//! | `error` | what can go wrong, in words? |

mod error;
mod etcd;
mod key;
mod member;
mod session;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// Without a connection for so long, the process ends; systemd starts it for the next one.
const IDLE_END: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    if let Some(word) = std::env::args().nth(1) {
        if word == "--version" {
            println!("hbd-witness {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        eprintln!("hbd-witness: no argument is known but --version; systemd starts it, see hbd-witness(8)");
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "hbd-witness: standard input is no listening socket ({error}): systemctl start hbd-witness.socket"
            );
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = UnixListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !rustix::net::sockopt::socket_acceptconn(&listener)? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    listener.set_nonblocking(true)?;
    runtime.block_on(serve(&listener))
}

/// Serves every connection, until there is none for a while.
async fn serve(listener: &UnixListener) -> io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener.try_clone()?)?;
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                sessions.spawn(async move {
                    if let Err(error) = session::serve(stream).await {
                        eprintln!("hbd-witness: {}", error::words(&error));
                    }
                });
            }
            Some(_) = sessions.join_next() => {}
            () = sleep(IDLE_END), if sessions.is_empty() => return Ok(()),
        }
    }
}
