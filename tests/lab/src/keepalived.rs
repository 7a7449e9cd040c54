//! keepalived with the virtual address, in the network of a node: the machine's own program, not one of the node's.

use std::process::{Child, ExitCode, Stdio};

use crate::example::VIP;
use crate::lab::{Lab, NODES, missing};
use crate::process::run;
use crate::{Error, Result};

/// The whole of a program that compares hbd with keepalived, under this name: says what this machine lacks, or what
/// went wrong.
pub fn beside_keepalived(program: &str, compare: fn() -> Result<()>) -> ExitCode {
    crate::enter();
    let mut missing = missing();
    if !Keepalived::is_installed() {
        missing.push("the command keepalived (package keepalived)".to_owned());
    }
    if !missing.is_empty() {
        eprintln!("{program}: this machine cannot compare; missing:\n  {}", missing.join("\n  "));
        return ExitCode::FAILURE;
    }
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Keepalived(Child);

impl Keepalived {
    /// Whether this machine has it.
    fn is_installed() -> bool {
        run(&["keepalived", "--version"]).is_ok()
    }

    /// Starts it on a node, without waiting. The first one that runs gets the address, and keeps it.
    pub fn start(lab: &Lab, index: usize) -> Result<Keepalived> {
        let text = format!(
            "vrrp_instance bench {{\n  state BACKUP\n  nopreempt\n  interface eth0\n  virtual_router_id 98\n  \
             priority 250\n  advert_int 1\n  virtual_ipaddress {{\n    {VIP}/24\n  }}\n}}\n"
        );
        let path = |name: &str| lab.scratch().join(format!("{}-{name}", NODES[index].name)).display().to_string();
        std::fs::write(path("keepalived.conf"), text).map_err(Error::file(path("keepalived.conf")))?;
        let (file, pid, vrrp) = (path("keepalived.conf"), path("keepalived.pid"), path("vrrp.pid"));
        let words = ["keepalived", "--dont-fork", "--vrrp", "--log-facility=7", "-f", &file, "-p", &pid, "-r", &vrrp];
        let mut command = lab.node_command(index, &words);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Keepalived(child.map_err(Error::file("keepalived"))?))
    }

    /// Ends it: a master tells the backup with its last advertisement.
    pub fn stop(mut self) -> Result<()> {
        run(&["kill", "-TERM", &self.0.id().to_string()])?;
        self.0.wait().map(drop).map_err(Error::file("keepalived"))
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        // It has ended already, unless something else went wrong.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
