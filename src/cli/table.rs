//! The one table of hbctl's commands: parsing, `--help`, the man page and the completions are made from it.
//!
//! Owns the words of the command line and their explanations. Never does anything.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use super::dump::DumpOptions;
use super::events::EventFilter;
use super::format::ColourChoice;

/// The sets of groups, in Heartbeat's words (03 §1).
const SCOPES: [&str; 4] = ["all", "local", "foreign", "failback"];

/// Ask hbd, the cluster manager, what it does
#[derive(Debug, Parser)]
#[command(name = "hbctl", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: HbctlCommand,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColourChoice,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// From now on
    On,
    /// No longer
    Off,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub(super) enum HbctlCommand {
    /// Show nodes, links and resource groups, and who owns what
    ///
    /// Exit status: 0 all is well, 1 hbd cannot be asked, 3 something is not as it should be (a group without an owner,
    /// something failed, a node or a link dead).
    Status {
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the status live on the whole terminal; q or Ctrl-C leaves
    Watch,
    /// Tell in words who has what and which decisions led there
    ///
    /// The last fifty decisions of the running hbd; `hbctl events` shows older ones. Exit status: 0, 1 hbd cannot be asked,
    /// 4 there is no such group.
    Why {
        /// The group by its first resource, as status shows it; all groups without it
        group: Option<String>,
    },
    /// Show what hbd wrote into the journal at each transition
    ///
    /// Filters must all hold. Only root and members of adm or systemd-journal see everything.
    Events(EventFilter),
    /// Check the configuration files: what is wrong with them, what each word became, what differs from what runs
    ///
    /// Runs the code that hbd starts with, and asks fence agents whether they know their parameters. Compares with the
    /// running hbd, and through it with the peer, if there is one.
    /// Exit status: 0 hbd can start with these files, 6 it cannot.
    Check {
        /// Check a copy below this directory (DIR/etc/ha.d/ha.cf and so on), for instance of the other node's files
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// As if this were the node of that name
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Look for what is legal and will hurt one day
    ///
    /// The firewall, the peer's address, units that start at boot, networkd and NetworkManager, the clock, permissions,
    /// links, fencing. As root it sees more. Exit status: 0 nothing worse than notes, 3 something to mend.
    Doctor,
    /// Show heartbeat packets, a line each, and whether their digest is right
    ///
    /// From an interface, or from a file of tcpdump -w.
    Dump(DumpOptions),
    /// Print the status in Prometheus's text format
    ///
    /// An hbd that cannot be asked is `hbd_up 0`, and exit status 1.
    Metrics {
        /// Replace this file in one step instead, for the node exporter's textfile collector
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    #[command(flatten)]
    Request(OperatorRequest),
    /// Write the man pages and the completions into a directory (for packagers)
    #[command(hide = true)]
    Generate {
        /// The directory; made if it is not there
        directory: PathBuf,
    },
}

/// The commands by which an operator asks hbd to act.
#[derive(Debug, Subcommand)]
pub(super) enum OperatorRequest {
    /// Give resource groups to the other node, and wait until they run there
    ///
    /// What happens on the way is told on standard error. Exit status: 0 moved or nothing to move, 1 hbd cannot be asked, 4 not moved; the text says why.
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
    /// Move one resource group to a node, and wait until it runs there
    ///
    /// Heartbeat's protocol moves all groups that prefer a node together: where others would go along, nothing is moved, and
    /// the text says which and how to move all of them. Exit status: as standby.
    Move {
        /// The group by its first resource, as status shows it
        group: String,
        /// The node, as ha.cf names it
        node: String,
    },
    /// Leave the resources of this node alone, or no longer
    ///
    /// While it is on hbd starts, moves, gives up and takes over nothing on this node, whatever fails, and refuses moves; what
    /// the node holds it keeps, with its addresses. It lasts until it is ended, also over a restart of hbd or of the machine.
    /// Two things go on: a stop of hbd releases everything, and of two nodes that serve the same one lets go. When it ends,
    /// what belongs here is started where it does not run, and what a dead node left is taken over. Exit status: 0 done, 1 hbd
    /// cannot be asked, 4 refused.
    Maintenance {
        /// Begin it, or end it
        #[arg(value_enum)]
        state: Switch,
    },
    /// Take over a group that is held back, because somebody still answers for its addresses
    ///
    /// Only when you know who that is. If it is the dead node itself, and it serves them, both serve: switch it off first. If
    /// the other machine goes on claiming an address, on_claim in hbd.toml decides who yields, and the group is held back
    /// again. Exit status: 0 taken over, 1 hbd cannot be asked, 4 nothing holds it back, or something else does.
    ClearHold {
        /// The group by its first resource, as status shows it
        group: String,
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
}

/// The table, for the generator.
pub(super) fn command() -> clap::Command {
    Arguments::command()
}
