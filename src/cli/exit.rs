//! The exit statuses of hbctl beside 0, 1 (hbd cannot be asked) and 2 (the command line is wrong).

/// hbd answers, and something is wrong.
pub(super) const EXIT_TROUBLE: u8 = 3;
/// The request was refused or failed.
pub(super) const EXIT_NOT_DONE: u8 = 4;
/// The files have an error: the status with which hbd itself refuses them.
pub(super) const EXIT_CONFIGURATION: u8 = 6;
