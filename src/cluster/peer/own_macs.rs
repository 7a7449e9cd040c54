//! The MAC addresses of a machine as hbd says them (05 §3.14). Judges nothing.

use serde::{Deserialize, Serialize};

/// So many are said at most: a serial link carries a thousand bytes.
pub(in crate::cluster) const MACS_MAX: usize = 16;

/// The field of a status.
pub(super) const FIELD: &str = "hbd_macs";
/// The last word of one whose sender has more.
const MORE: &str = "more";

/// The MAC addresses that a machine says it has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::cluster) struct MacsSaid {
    /// Each as `02:00:c0:a8:11:03`.
    pub(in crate::cluster) macs: Vec<String>,
    /// There are others.
    pub(in crate::cluster) more: bool,
}

impl MacsSaid {
    /// The field's value; `None` for a machine without any.
    pub(in crate::cluster) fn words(&self) -> Option<String> {
        let more = self.more || self.macs.len() > MACS_MAX;
        let macs = self.macs.iter().take(MACS_MAX).map(|mac| mac.replace(':', ""));
        let words: Vec<String> = macs.chain(more.then(|| MORE.to_owned())).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Reads the value. A word that is no MAC address may be one in a form that we do not know: then there are
    /// others.
    pub(super) fn parse(text: &str) -> MacsSaid {
        let mut said = MacsSaid::default();
        for word in text.split_whitespace() {
            match colons(word).filter(|_| said.macs.len() < MACS_MAX) {
                Some(mac) => said.macs.push(mac),
                None => said.more = true,
            }
        }
        said
    }
}

/// `0200c0a81103` as `02:00:c0:a8:11:03`.
fn colons(word: &str) -> Option<String> {
    let digits = word.len() == 12 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let pairs = || (0..6).map(|index| word[2 * index..2 * index + 2].to_ascii_lowercase()).collect::<Vec<_>>();
    digits.then(|| pairs().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let macs = vec!["02:00:c0:a8:11:03".to_owned(), "52:54:00:12:34:56".to_owned()];
        let said = MacsSaid { macs, more: false };
        assert_eq!(said.words().as_deref(), Some("0200c0a81103 525400123456"));
        assert_eq!(MacsSaid::parse("0200c0a81103 525400123456"), said);
        assert_eq!(MacsSaid::default().words(), None);
    }

    #[test]
    fn a_machine_with_more_says_so_and_what_cannot_be_read_counts_as_more() {
        let macs = (0..20).map(|last| format!("02:00:00:00:00:{last:02x}")).collect();
        let words = MacsSaid { macs, more: false }.words().unwrap();
        assert_eq!(words.split(' ').count(), MACS_MAX + 1);
        for text in [&*words, "0200c0a81103 more", "0200c0a81103 0200c0a811033344", "Ä200c0a8110"] {
            assert!(MacsSaid::parse(text).more, "{text}");
        }
    }
}
