//! The smallest pieces of messages, which both formats and packed lists are made of: a length, a netstring, a name
//! with its value.

use std::io::Write;

use super::error::Malformed;

/// Appends a decimal number.
pub(super) fn append_length(out: &mut Vec<u8>, length: usize) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{length}");
}

/// The content of the netstring at the front, and what follows its comma.
pub(super) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let digits = bytes.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=10).contains(&digits) || bytes.get(digits) != Some(&b':') {
        return Err(Malformed::Length);
    }
    let length = bytes[..digits].iter().fold(0, |length: u64, digit| length * 10 + u64::from(digit - b'0'));
    let rest = &bytes[digits + 1..];
    let length = usize::try_from(length).ok().filter(|length| *length < rest.len()).ok_or(Malformed::Truncated)?;
    match rest.split_at(length) {
        (content, [b',', rest @ ..]) => Ok((content, rest)),
        _ => Err(Malformed::NoComma),
    }
}

/// Splits at the first `=` (01 §1.2, §1.3.1).
pub(super) fn name_and_value(field: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let equals = field.iter().position(|byte| *byte == b'=').ok_or(Malformed::Name)?;
    let name = std::str::from_utf8(&field[..equals]).map_err(|_| Malformed::Name)?;
    if name.is_empty() || name.contains('\0') {
        return Err(Malformed::Name);
    }
    Ok((name, &field[equals + 1..]))
}
