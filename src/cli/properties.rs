//! The properties of an object on the bus, taken out one by one.
//!
//! Owns what an absent property, or one of another type, becomes: its default.

use std::collections::HashMap;

use zbus::{OwnedVariant, Variant};

/// The properties of an object, or the keys of a part of one.
pub(super) type Properties = HashMap<String, OwnedVariant>;

/// A property, or its default if an older hbd does not have it.
pub(super) fn take<T>(properties: &mut Properties, name: &str) -> T
where
    T: TryFrom<OwnedVariant> + Default,
{
    properties.remove(name).and_then(|value| value.try_into().ok()).unwrap_or_default()
}

/// The elements of an array property, or none if an older hbd does not have it.
pub(super) fn take_list<T>(properties: &mut Properties, name: &str) -> Vec<T>
where
    Vec<T>: TryFrom<Variant<'static>>,
{
    properties.remove(name).and_then(|value| Variant::from(value).try_into().ok()).unwrap_or_default()
}
