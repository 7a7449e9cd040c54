//! The client.

use std::process::ExitCode;

fn main() -> ExitCode {
    hbd::cli::main()
}
