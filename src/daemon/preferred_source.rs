//! The main process of the unit of `IPsrcaddr`: `hbd --script start|stop source ADDRESS`.
//!
//! Owns where the note of the routes is. What is done to them is in [`crate::vip`].

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use super::runtime::runtime;
use crate::units::script::ScriptOperation;
use crate::util::error::error_chain;
use crate::vip;

/// RuntimeDirectory= of hbd.service, which systemd does not tell this process.
const RUNTIME: &str = "/run/hbd";

/// Makes the address the source of connections, or gives back what that changed.
pub(super) fn main(operation: ScriptOperation, words: &[String]) -> ExitCode {
    let Some(address) = words.first().and_then(|word| word.parse::<IpAddr>().ok()) else {
        eprintln!("hbd --script: `{}` is no address", words.join(" "));
        return ExitCode::FAILURE;
    };
    let note = Path::new(RUNTIME).join(format!("source-{address}"));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("hbd --script: {}", error_chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match operation {
            ScriptOperation::Start => vip::prefer_source(address, &note).await,
            ScriptOperation::Stop => vip::forget_source(address, &note).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hbd --script: {}", error_chain(&error));
            ExitCode::FAILURE
        }
    }
}
