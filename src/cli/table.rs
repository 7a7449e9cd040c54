//! The one table of hbctl's commands: parsing, `--help`, the man page and the completions are made from it.
//!
//! Owns the words of the command line and their explanations. Runs nothing.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{CommandFactory, Parser, Subcommand};

use super::consent::Consent;
use super::dump::DumpOptions;
use super::events::EventFilter;
use super::format::ColourChoice;
use super::genkey::GenkeyOptions;
use super::job::Patience;
use super::moves::ScopeOrGroup;
use super::names::NameKind;
use super::setup::{JoinOptions, SetupOptions};

/// Query and control hbd
///
/// Without a command it shows the status.
#[derive(Debug, Parser)]
#[command(name = "hbctl", version)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Option<HbctlCommand>,
    /// Print neither the progress nor that something is done: the exit status tells
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print one JSON object, see JSON below
    #[arg(short, long, global = true)]
    pub json: bool,
    /// Accepted for the fingers' sake: hbctl never starts a pager
    #[arg(long, global = true, hide = true)]
    pub no_pager: bool,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColourChoice,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// hbd leaves the resources of this node alone
    On,
    /// hbd manages them again
    Off,
}

/// When what is to go back goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FailbackChoice {
    /// at once
    Now,
    /// not at all
    Cancel,
}

/// Begin or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum UpgradeStep {
    /// a package manager begins
    Begin,
    /// it is done
    End,
}

/// What `import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ImportKind {
    /// A keepalived.conf
    Keepalived,
}

/// What is done with the configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ConfigStep {
    /// Translate them into the other form
    Export,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub(super) enum HbctlCommand {
    /// Show nodes, links and resource groups with their owners
    ///
    /// Exit status: 0 all is well, 1 hbd does not answer, 3 something is wrong (a group has no owner, a unit has
    /// failed, a node or a link is dead).
    Status,
    /// Say in one line whether all is well, as Nagios, Icinga and their like want it from a plugin
    ///
    /// The first line begins with HBD OK, WARNING, CRITICAL or UNKNOWN and ends with numbers for graphs; what is
    /// wrong follows, a line each. Critical is what clients notice or soon will: hbd does not run, a group has no
    /// owner, is held back, failed, does not run whole, or is held by both nodes. All else that status complains of
    /// is a warning. Exit status, unlike that of all other commands: 0 ok, 1 warning, 2 critical, 3 hbd cannot be
    /// asked.
    CheckHealth,
    /// Show the status live on the whole terminal, with the last decisions; q or Ctrl-C leaves
    ///
    /// The line at the bottom names the keys: s gives all groups of this node to the other one, t takes those of the
    /// other one, f returns at once what waits to go back, m begins or ends the maintenance of this node, c forgets
    /// failures. Each asks first; y sends it.
    Watch,
    /// Explain which node owns a group, why, and until when; or why it is not on another node
    ///
    /// Shows the last fifty decisions of the running hbd; `hbctl events` shows older ones. Exit status: 0 shown, 1
    /// hbd does not answer, 4 there is no such group.
    #[command(args_conflicts_with_subcommands = true)]
    Why {
        #[command(subcommand)]
        not: Option<WhyNot>,
        /// The group by its name, as status shows it, or by its first resource; without it all groups
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: Option<String>,
    },
    /// Show what hbd wrote into the journal at each transition
    ///
    /// Shows events that match all filters. Only root and members of adm or systemd-journal see all events.
    Events(EventFilter),
    /// Check the configuration files, and compare them with what runs
    ///
    /// Reads the files as hbd does when it starts, and shows their mistakes and the meaning of each word of
    /// haresources. Asks systemd about the units, and fence agents about their parameters. Shows how the files differ
    /// from what the running hbd and the other node use. Exit status: 0 hbd can start with these files, 6 they have
    /// an error, or name a unit that cannot be started.
    Check {
        /// Check a copy below this directory (DIR/etc/ha.d/ha.cf and so on), for instance of the other node's files
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// Check the files as the node of this name would read them
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Translate ha.cf and haresources into tables of hbd.toml, or these tables into ha.cf and haresources
    ///
    /// Both forms mean the same, and the nodes of a pair may use different ones; see hbd.toml(5). Nothing that hbd
    /// reads is changed: the files are shown, or written into a directory, with what to type to put them in force.
    /// Exit status: 0 done, 1 a file cannot be written, 6 the files have an error, or say what the other form has no
    /// word for.
    Config {
        /// What is done
        #[arg(value_enum)]
        step: ConfigStep,
        /// Write into this directory (DIR/etc/hbd/hbd.toml and so on) what would be shown; no file may be there yet
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
        /// Translate a copy below this directory, as for check
        #[arg(long, value_name = "ROOT")]
        root: Option<PathBuf>,
        /// Translate the files as those of the node of this name
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
    },
    /// Check for valid but risky setup
    ///
    /// Examines the firewall, the peer's address, units that start at boot, networkd and NetworkManager, the clock,
    /// permissions, links and fencing. Root sees more than other users. Exit status: 0 nothing worse than notes, 3
    /// something should be mended.
    Doctor,
    /// Show heartbeat packets, a line each, and whether their digest is right
    ///
    /// From an interface, or from a file of tcpdump -w.
    Dump(DumpOptions),
    /// Print the status in Prometheus's text format
    ///
    /// If hbd does not answer, prints `hbd_up 0` and ends with exit status 1. `systemctl enable --now
    /// hbd-metrics.socket` has Prometheus read the same from port 9694.
    Metrics {
        /// Replace this file in one step instead, for the node exporter's textfile collector
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Answer the HTTP request on standard input instead (for hbd-metrics.socket)
        #[arg(long, conflicts_with = "output")]
        http: bool,
    },
    /// Set up a new pair: write this node's files, and a file that joins the other node
    ///
    /// Asks for what no option says where there is a terminal. Finds the interfaces, makes a key, checks the files as
    /// `hbctl check` does, and only then writes ha.cf, authkeys and haresources. Run it on one node only; the text at
    /// the end says what to type next. Exit status: 0 done, 4 refused, 6 the files would have an error; nothing is
    /// written then.
    Init(SetupOptions),
    /// Join this node to the one on which `hbctl init` made the file
    ///
    /// Checks that the file is for this machine, that its interfaces have the addresses of the links, and that the
    /// files which follow have no error here. Exit status: as init; 3 hbd runs and does not hear the other node on
    /// every link.
    Join {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        options: JoinOptions,
    },
    /// Set up a new pair as init does, from the configuration of another cluster manager
    ///
    /// Run it where that configuration is used. What has no counterpart in hbd is named with its line and with what
    /// to do instead; where the pair would be wrong without it, nothing is written. The options are those of init,
    /// for what the file does not say; `--service` names units that run on both nodes. Exit status: as init.
    Import {
        /// What the file is
        #[arg(value_enum)]
        kind: ImportKind,
        /// The file
        file: PathBuf,
        #[command(flatten)]
        options: SetupOptions,
    },
    /// Collect what a report of a defect needs into one file that only its owner can read
    ///
    /// Writes a tar archive with the configuration without its secrets (keys of authkeys, passwords of fencing
    /// devices and of the witness are blotted out), hbd's records in the journal, status, doctor and check as they
    /// print them, the recordings, the addresses and routes, and the states of the units. Says what is in it and
    /// what could not be had. Names and addresses of the cluster stay in it: look before you send it. Root gets
    /// more than others. Exit status: 0 written, 1 not written.
    Report {
        /// The file; without it hbd-report-NODE-TIME.tar.gz in this directory
        file: Option<PathBuf>,
        /// Records of the journal since this moment, in journalctl's words
        #[arg(long, value_name = "TIME", default_value = "-2d", allow_hyphen_values = true)]
        since: String,
    },
    /// Make a key for authkeys that nobody can guess
    ///
    /// Prints a line for /etc/ha.d/authkeys, and on standard error what to do with it. Exit status: 0 done, 1 the
    /// file exists, or cannot be written.
    Genkey(GenkeyOptions),
    #[command(flatten)]
    Request(RequestCommand),
    /// Print the names of groups or nodes, a line each (for the completions of shells)
    #[command(hide = true)]
    Names {
        /// Of what
        #[arg(value_enum)]
        kind: NameKind,
    },
    /// Write the man pages and the completions into a directory (for packagers)
    #[command(hide = true)]
    Generate {
        /// The directory; made if it is not there
        directory: PathBuf,
    },
}

/// What `why` is asked for beside the owner.
#[derive(Debug, Subcommand)]
pub(super) enum WhyNot {
    /// Say what keeps a group from running on a node now, and what would bring it there
    ///
    /// Lists what would keep a move from happening as far as this node knows: that the node is dead, in maintenance
    /// or not ready, failures, what holds the group back, and groups that hbd.toml keeps apart from it. Exit status:
    /// as why.
    Not {
        /// The group by its name, as status shows it, or by its first resource
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: String,
        /// The node, as ha.cf names it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        node: String,
    },
}

/// The commands by which an operator asks hbd to act.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum RequestCommand {
    /// Give resource groups to the other node, and wait until they run there
    ///
    /// Names one set of groups, or groups one by one. If the other node is a Heartbeat or an older hbd, all groups
    /// that prefer one node move together: if other groups than those named would move as well, nothing is moved, and
    /// the text says which groups and how to move all of them. It is a move, not a state: the groups stay there until
    /// somebody moves them, or, if auto_failback lets them return, until this node goes away and comes back. Prints
    /// the progress on standard error. Exit status: 0 moved, or nothing to move, 1 hbd does not answer, 4 not moved,
    /// with the reason.
    Standby {
        /// Which groups: all, those that prefer this node (local), those that prefer the other (foreign, failback),
        /// or groups by name, as status shows them
        #[arg(default_value = "all", value_parser = ScopeOrGroup, hide_possible_values = true)]
        groups: Vec<String>,
        #[command(flatten)]
        patience: Patience,
    },
    /// Take resource groups from the other node, and wait until they run here
    ///
    /// As standby, in the other direction.
    Takeover {
        /// Which groups, as in standby
        #[arg(default_value = "all", value_parser = ScopeOrGroup, hide_possible_values = true)]
        groups: Vec<String>,
        #[command(flatten)]
        patience: Patience,
    },
    /// Move one resource group to a node, and wait until it runs there
    ///
    /// If the other node is a Heartbeat or an older hbd, and other groups would move as well, nothing is moved, as in
    /// standby. Exit status: as standby.
    Move {
        /// The group by its name, as status shows it, or by its first resource
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: String,
        /// The node, as ha.cf names it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        node: String,
        #[command(flatten)]
        patience: Patience,
    },
    /// Return groups at once that wait to go back to the node which they prefer, or keep them here
    ///
    /// For groups of which `hbctl status` on this node says that they return: this node took them because the other
    /// one was away. now moves them without waiting for failback_after, failback_window or start_delay of hbd.toml.
    /// cancel keeps them until somebody moves them, or the other node goes away and comes back once more. Exit
    /// status: 0 done, 1 hbd does not answer, 4 not done, with the reason: nothing waits to go back for instance.
    Failback {
        /// When
        #[arg(value_enum)]
        choice: FailbackChoice,
        /// The group by its name, as status shows it, or by its first resource; without it all that wait
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: Option<String>,
    },
    /// Switch maintenance mode on or off
    ///
    /// While it is on, hbd starts, moves, releases and takes over nothing on this node, whatever fails, and refuses
    /// moves. The node keeps its groups and their addresses. The mode lasts until it is switched off, also over a
    /// restart of hbd or of the machine. Two things still happen: a stop of hbd releases all groups, and if both
    /// nodes serve the same group, one of them releases it. When the mode is switched off, hbd starts the groups of
    /// this node that do not run, and takes over the groups of a dead node. With a group's name all of this concerns
    /// that group only, and what hbd.toml keeps together with it; the others are served as ever. Exit status: 0 done,
    /// 1 hbd does not answer, 4 refused.
    Maintenance {
        /// The mode
        #[arg(value_enum)]
        state: Switch,
        /// The group by its name, as status shows it, or by its first resource; without it the whole node
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: Option<String>,
    },
    /// Take over a group although another machine still answers for its addresses
    ///
    /// Find out first which machine answers. If it is the dead node itself, switch it off, or both nodes will serve
    /// the group. If the other machine goes on claiming an address, on_claim in hbd.toml decides which of the two
    /// yields, and the group is held back again. Exit status: 0 taken over, 1 hbd does not answer, 4 the group is not
    /// held back, or for another reason.
    ClearHold {
        /// The group by its name, as status shows it, or by its first resource
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Forget the failures of groups on this node, after their cause is mended
    ///
    /// hbd then tries again to start resources that could not be started, failed too often, or were stopped by hand.
    /// Exit status: 0 done, 1 hbd does not answer, 4 there is no such group.
    Cleanup {
        /// The group by its name, as status shows it, or by its first resource; without it all groups
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        group: Option<String>,
    },
    /// Put changed files in force (as systemctl reload hbd), or show what that would change
    ///
    /// Reads ha.cf, authkeys, haresources and hbd.toml again. A mistake in any of them changes nothing, and is
    /// printed. What is removed from haresources is released at once; a group that prefers another node than before
    /// goes there once both nodes have read the same haresources; nothing else moves or stops. Other nodes in ha.cf
    /// need systemctl restart hbd. Do it on one node after the other: until both have the same files, hbctl status
    /// says which differ. Exit status: 0 in force, or nothing to change, 1 hbd does not answer, 4 refused.
    Reload {
        /// Change nothing, and print what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Start again what a package upgrade has stopped (for hooks of package managers)
    ///
    /// begin notes the time; end has hbd start the units of this node's groups that were stopped by hand since then
    /// and still do not run. Units that were stopped before are left alone. An end belongs to the last begin without
    /// one. The packages install hooks for apt and rpm that call both; before and after dpkg -i call them yourself,
    /// or run hbctl cleanup. Exit status: 0 done, or nothing to do, 1 hbd does not answer, 4 refused: without a
    /// begin, or in maintenance, at whose end everything is started.
    Upgrade {
        /// The step
        #[arg(value_enum)]
        step: UpgradeStep,
    },
    /// Reset the other node with its fencing device, whatever it is doing, and take over its groups
    ///
    /// Exit status: 0 reset, 1 hbd does not answer, 4 not reset, with the reason.
    Fence {
        /// The node, as ha.cf names it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        node: String,
        /// Only ask the device whether it answers
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Confirm that a node is powered off, so that its groups can be taken although fencing failed
    ///
    /// Exit status: 0 confirmed, 1 hbd does not answer, 4 no group waits for that.
    ConfirmFenced {
        /// The node, as ha.cf names it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        node: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// The table, for the man page and the completions.
pub(super) fn command() -> clap::Command {
    Arguments::command()
}
