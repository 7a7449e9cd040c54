//! Packed lists, the value of a type 3 field in both formats (01 §1.1): `3:abc,4:defg,`.

use super::error::{EncodeError, Malformed};
use super::item::{append_length, split};

/// The reference refuses to send more.
const MAX_PACKED: usize = 1023;

/// The elements of a packed list.
pub(super) fn unpack(mut packed: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut elements = Vec::new();
    while !packed.is_empty() {
        let (element, rest) = split(packed).map_err(|_| Malformed::List)?;
        if element.is_empty() || element.contains(&0) {
            return Err(Malformed::List);
        }
        elements.push(element.to_vec());
        packed = rest;
    }
    if elements.is_empty() { Err(Malformed::List) } else { Ok(elements) }
}

/// The packed list; `name` is for the error.
pub(super) fn pack(name: &str, elements: &[Vec<u8>]) -> Result<Vec<u8>, EncodeError> {
    if elements.is_empty() || elements.iter().any(Vec::is_empty) {
        return Err(EncodeError::List(name.to_owned()));
    }
    let mut packed = Vec::new();
    for element in elements {
        if element.contains(&0) {
            return Err(EncodeError::Nul(name.to_owned()));
        }
        append_length(&mut packed, element.len());
        packed.push(b':');
        packed.extend_from_slice(element);
        packed.push(b',');
    }
    if packed.len() > MAX_PACKED { Err(EncodeError::ListTooLong(name.to_owned())) } else { Ok(packed) }
}
