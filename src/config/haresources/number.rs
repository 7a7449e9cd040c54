//! How many groups there may be.
//!
//! Owns the refusal of more. The core keeps sets of groups with a bit for each, and ends where there is no bit.

use crate::config::diagnostic::{FileWord, Findings};
use crate::config::groups::MAX_GROUPS;

/// Reports the first group that is too many, given the first resource of each.
pub(super) fn check<'a>(keys: impl Iterator<Item = &'a FileWord>, findings: &mut Findings) {
    let mut beyond = keys.skip(MAX_GROUPS);
    let Some(first) = beyond.next() else { return };
    let count = MAX_GROUPS + 1 + beyond.count();
    let message = format!(
        "there are {count} groups, and there may be {MAX_GROUPS}: that of `{}` is the first one too many",
        first.text
    );
    let help = "make one group of several that prefer the same node: write their resources one after the other, they move \
                together then";
    findings.error(first, message, help);
}
