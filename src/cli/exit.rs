//! The exit statuses of hbctl, in one place; hbctl(8) has the same table. Beside them 0: all is well, or it is done;
//! and 1: hbd cannot be asked. `check-health` has those of a plugin of Nagios instead.

/// The command line is wrong. clap ends with it, too.
pub(super) const EXIT_USAGE: u8 = 2;
/// hbd answers, and something is wrong.
pub(super) const EXIT_TROUBLE: u8 = 3;
/// The request was refused or failed.
pub(super) const EXIT_NOT_DONE: u8 = 4;
/// The files have an error: the status with which hbd itself refuses them.
pub(super) const EXIT_CONFIGURATION: u8 = 6;
