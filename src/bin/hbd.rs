//! The daemon hbd.

use std::process::ExitCode;

fn main() -> ExitCode {
    hbd::daemon::main()
}
