//! Names in object paths, escaped as sd_bus_path_encode(3), and the paths of our objects.

use zbus::{ObjectPath, OwnedObjectPath};

use super::names::ROOT;

/// `name` as one element of an object path: everything but ASCII letters and digits becomes `_xx`, a leading digit
/// too; the empty name is `_`.
pub fn encode(name: &str) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    let mut element = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit()) {
            element.push(char::from(byte));
        } else {
            element.push_str(&format!("_{byte:02x}"));
        }
    }
    element
}

/// The object of a node.
pub(super) fn of_node(name: &str) -> OwnedObjectPath {
    path(format!("{ROOT}/node/{}", encode(name)))
}

/// The object of the first link of that name to a node.
pub(super) fn of_link(node: &str, name: &str) -> OwnedObjectPath {
    path(format!("{ROOT}/node/{}/link/{}", encode(node), encode(name)))
}

/// The object of a group.
pub(super) fn of_group(name: &str) -> OwnedObjectPath {
    path(format!("{ROOT}/group/{}", encode(name)))
}

/// What was encoded is a path.
fn path(text: String) -> OwnedObjectPath {
    ObjectPath::from_string_unchecked(text).into()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn as_sd_bus_path_encode() {
        let cases = [
            ("", "_"),
            ("nodea", "nodea"),
            ("node-a.example", "node_2da_2eexample"),
            ("10.0.0.1", "_310_2e0_2e0_2e1"),
            ("IPaddr::10.0.0.1/24/eth0:1", "IPaddr_3a_3a10_2e0_2e0_2e1_2f24_2feth0_3a1"),
            ("ä_", "_c3_a4_5f"),
        ];
        for (name, element) in cases {
            assert_eq!(encode(name), element);
        }
    }
}
