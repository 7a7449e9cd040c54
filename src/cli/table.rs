//! The one table of hbctl's commands: parsing, `--help`, the man page and the completions are made from it.
//!
//! Owns the words of the command line and their explanations. Never does anything.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

/// The sets of groups, in Heartbeat's words (03 §1).
const SCOPES: [&str; 4] = ["all", "local", "foreign", "failback"];

/// Ask hbd, the cluster manager, what it does
#[derive(Debug, Parser)]
#[command(name = "hbctl", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show nodes, links and resource groups, and who owns what
    ///
    /// Exit status: 0 all is well, 1 hbd cannot be asked, 3 something is not as it should be (a group without an owner,
    /// something failed, a node or a link dead).
    Status {
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give resource groups to the other node, and wait until they run there
    ///
    /// Exit status: 0 moved or nothing to move, 1 hbd cannot be asked, 4 not moved; the text says why.
    Standby {
        /// Which groups: all, those that prefer this node (local), those that prefer the other (foreign, failback)
        #[arg(default_value = "all", value_parser = SCOPES)]
        scope: String,
    },
    /// Take resource groups from the other node, and wait until they run here
    ///
    /// Exit status: as standby.
    Takeover {
        /// Which groups, as in standby
        #[arg(default_value = "all", value_parser = SCOPES)]
        scope: String,
    },
    /// Forget failures, on this node, after their cause is mended: what could not be started, or failed too often, or was
    /// stopped by hand is tried again.
    ///
    /// Exit status: 0 done, 1 hbd cannot be asked, 4 there is no such group.
    Cleanup {
        /// The group by its first resource, as `hbctl status` shows it; all groups without it.
        #[arg(default_value = "", hide_default_value = true)]
        group: String,
    },
    /// Reset the other node with its fencing device, whatever it is doing; what it had is then taken over
    ///
    /// Exit status: 0 reset, 1 hbd cannot be asked, 4 not reset; the text says why.
    Fence {
        /// The node, as ha.cf names it
        node: String,
        /// Only ask the device whether it is there
        #[arg(long)]
        dry_run: bool,
    },
    /// Say that the other node, whose reset fails and is waited for, is off for certain: what it had is taken over
    ///
    /// Exit status: 0 believed, 1 hbd cannot be asked, 4 nothing waits for that.
    ConfirmFenced {
        /// The node, as ha.cf names it
        node: String,
    },
    /// Write the man pages and the completions into a directory (for packagers)
    #[command(hide = true)]
    Generate {
        /// The directory; made if it is not there
        directory: PathBuf,
    },
}

/// The table, for the generator.
pub(super) fn command() -> clap::Command {
    Arguments::command()
}
