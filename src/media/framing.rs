//! Messages out of a stream of bytes from a serial line (01 §1.8.3). Pure; knows the two marks and nothing else of a
//! message.

use super::MESSAGE_MAX;

const START: &[u8] = b">>>";
const END: &[u8] = b"<<<";

/// Collects lines. What is not between two marks is noise and costs nothing.
#[derive(Debug, Default)]
pub(super) struct Framing {
    line: Vec<u8>,
    /// The lines since the start mark, which is the first of them; empty between messages.
    message: Vec<u8>,
    /// The line is longer than any message can be: the rest of it is skipped.
    skipping: bool,
}

impl Framing {
    /// Takes what was read; hands over every message that is complete, from its start mark to its end mark.
    pub(super) fn take(&mut self, bytes: &[u8], mut message: impl FnMut(Vec<u8>)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > MESSAGE_MAX {
                self.line.clear();
                self.skipping = true;
            }
            if !self.skipping {
                self.line.extend_from_slice(piece);
            }
            if !piece.ends_with(b"\n") {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.skipping) {
                self.message.clear();
            } else if let Some(complete) = self.end_of_line(&line) {
                message(complete);
            }
        }
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        // A start mark within a message: the end of the one before was lost.
        if line.starts_with(START) {
            self.message.clear();
        } else if self.message.is_empty() {
            return None;
        }
        if self.message.len() + line.len() > MESSAGE_MAX {
            self.message.clear();
            return None;
        }
        self.message.extend_from_slice(line);
        line.starts_with(END).then(|| std::mem::take(&mut self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(pieces: &[&[u8]]) -> Vec<String> {
        let mut framing = Framing::default();
        let mut messages = Vec::new();
        for piece in pieces {
            framing.take(piece, |message| messages.push(String::from_utf8(message).unwrap()));
        }
        messages
    }

    #[test]
    fn messages_are_found_however_the_bytes_arrive() {
        let text = b">>>\nt=status\n<<<\n>>>\nt=ackmsg\n<<<\n";
        let wanted = [">>>\nt=status\n<<<\n", ">>>\nt=ackmsg\n<<<\n"];
        assert_eq!(messages(&[text]), wanted);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(messages(&single), wanted);
    }

    #[test]
    fn noise_between_messages_is_harmless() {
        let text = b"\xff\x00login: \nt=status\n<<<\n>>>\nt=a\n<<<\n###\n3:abc,%%%\n>>>\nt=b\n<<<\n";
        assert_eq!(messages(&[text]), [">>>\nt=a\n<<<\n", ">>>\nt=b\n<<<\n"]);
    }

    #[test]
    fn a_message_whose_end_was_lost_does_not_take_the_next_with_it() {
        assert_eq!(messages(&[b">>>\nt=status\nsr>>>\n>>>\nt=b\n<<<\n"]), [">>>\nt=b\n<<<\n"]);
    }

    #[test]
    fn endless_lines_and_messages_are_dropped_and_forgotten() {
        let mut framing = Framing::default();
        let mut found = Vec::new();
        framing.take(b">>>\n", |message| found.push(message));
        for _ in 0..300 {
            framing.take(&[b'x'; 1024], |message| found.push(message));
            assert!(framing.line.len() <= MESSAGE_MAX);
        }
        framing.take(b"\n<<<\n>>>\n", |message| found.push(message));
        for _ in 0..300 {
            framing.take(&[&[b'y'; 1023][..], b"\n"].concat(), |message| found.push(message));
            assert!(framing.message.len() <= MESSAGE_MAX);
        }
        framing.take(b"<<<\n>>>\nt=a\n<<<\n", |message| found.push(message));
        assert_eq!(found, [b">>>\nt=a\n<<<\n"]);
    }
}
