//! Lines out of a stream of bytes, each no longer than a bound.

use thiserror::Error;

/// Why a stream has no further line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// The line is longer than the bound.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// The line is no text.
    #[error("a line is not UTF-8")]
    NoText,
}

/// What has arrived and is no whole line yet.
#[derive(Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
}

impl LineBuffer {
    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its end; `None` if the rest of it has not arrived.
    ///
    /// # Errors
    /// If it has more than `limit` bytes, whether its end has arrived or not, or is no text. The stream is of no use
    /// from then on.
    pub fn take(&mut self, limit: usize) -> Result<Option<String>, LineError> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(self.bytes.len()) > limit {
            return Err(LineError::TooLong(limit));
        }
        let Some(end) = end else { return Ok(None) };
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        String::from_utf8(line).map(Some).map_err(|_| LineError::NoText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"on");
        assert_eq!(buffer.take(10), Ok(None));
        buffer.push(b"e\ntwo\nthr");
        assert_eq!(buffer.take(10), Ok(Some("one".to_owned())));
        assert_eq!(buffer.take(10), Ok(Some("two".to_owned())));
        assert_eq!(buffer.take(10), Ok(None));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_before_its_end_has_arrived() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"0123");
        assert_eq!(buffer.take(4), Ok(None));
        buffer.push(b"4");
        assert_eq!(buffer.take(4), Err(LineError::TooLong(4)));
        let mut buffer = LineBuffer::default();
        buffer.push(b"\xff\n");
        assert_eq!(buffer.take(4), Err(LineError::NoText));
    }
}
