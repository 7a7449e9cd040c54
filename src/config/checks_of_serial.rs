//! Whether a serial line carries in time what a node says of its groups.
//!
//! Owns the estimate of the longest report, and the warning.

use std::time::Duration;

use super::diagnostic::{FileWord, Findings};
use super::haresources::WrittenGroup;
use super::types::Medium;

/// What a byte takes: a start bit, eight bits and a stop bit (01 §1.8.3).
const BITS_PER_BYTE: u64 = 10;
/// The fields of a report that do not grow with the number of groups, in bytes.
const REST: usize = 400;
/// Behind a key in `hbd_groups` (05 §3.8): a time of eleven digits, and two blanks.
const TIME: usize = 13;
/// Behind a group in `hbd_resources` (05 §3.8): a blank, a semicolon and a blank.
const SEPARATOR: usize = 3;

/// Warns of serial lines on which a report of all groups takes more than half of the dead time. A message is written
/// whole, and what does not fit into the short queue behind it is not sent: the line carries no heartbeat meanwhile.
/// The other half of the dead time is for the heartbeats around it, and for a second report.
pub(super) fn check(
    media: &[(Medium, FileWord)],
    groups: &[WrittenGroup],
    baud: u32,
    deadtime: Duration,
    findings: &mut Findings,
) {
    let bytes = longest_report(groups);
    let time = Duration::from_millis(bytes as u64 * BITS_PER_BYTE * 1000 / u64::from(baud.max(1)));
    if groups.is_empty() || 2 * time <= deadtime {
        return;
    }
    for (_, word) in media.iter().filter(|(medium, _)| matches!(medium, Medium::Serial { .. })) {
        let message = format!(
            "what a node says of {} groups has up to {bytes} bytes, which take {:.1} s on this line at {baud} baud: no \
             heartbeat passes on it meanwhile, and after a deadtime of {} ms without one the link is dead",
            groups.len(),
            time.as_secs_f64(),
            deadtime.as_millis()
        );
        let help = "have another link over a network; a higher baud, a longer deadtime or fewer groups help as well";
        findings.warning(word, message, help);
    }
}

/// The length of a report of a node that holds every group, to one that has read other files, in bytes.
fn longest_report(groups: &[WrittenGroup]) -> usize {
    let of_group = |found: &WrittenGroup| {
        let resources = found.group.resources.iter().map(|resource| 1 + resource.kind.identity().len());
        2 * found.group.key.len() + TIME + resources.sum::<usize>() + SEPARATOR
    };
    REST + groups.iter().map(of_group).sum::<usize>()
}
