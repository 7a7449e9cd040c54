//! What hbd 0.1.0 shows on the bus under other names and in other forms: hbctl is upgraded before the hbd that runs.
//!
//! Owns the differences. Never changes what a newer hbd shows.

use zbus::Variant;

use super::properties::{Properties, take_list};
use crate::bus::{CheckSnapshot, DecisionSnapshot, ResourceSnapshot};

/// Properties by their names in 0.1.0 and now.
const RENAMED: [(&str, &str); 4] = [
    ("LastStatusUSec", "LastStatusTimestamp"),
    ("LastHeardUSec", "LastHeardTimestamp"),
    ("OwnerSinceUSec", "OwnerSinceTimestamp"),
    ("ReturnsAtUSec", "ReturnsAtTimestamp"),
];

/// Gives each property the name that it has now. What a node holds was called `Resources`.
pub(super) fn rename(properties: &mut Properties) {
    for (old, new) in RENAMED {
        if let Some(value) = properties.remove(old) {
            properties.entry(new.to_owned()).or_insert(value);
        }
    }
    if signature(properties, "Resources") == "s"
        && let Some(held) = properties.remove("Resources")
    {
        properties.insert("Holds".to_owned(), held);
    }
}

/// The decisions of 0.1.0; `None` if these are not of it.
pub(super) fn decisions(properties: &mut Properties) -> Option<Vec<DecisionSnapshot>> {
    type Row = (u64, u8, String, String, String, String);
    (signature(properties, "Decisions") == "a(tyssss)").then_some(())?;
    let decision =
        |(usec, priority, event, node, group, text)| DecisionSnapshot { usec, priority, event, node, group, text };
    Some(take_list::<Row>(properties, "Decisions").into_iter().map(decision).collect())
}

/// The counters of a link of 0.1.0, in the order of today's names; `None` if these are not of it.
pub(super) fn traffic(properties: &mut Properties) -> Option<(u64, u64, u64, u64)> {
    (signature(properties, "Traffic") == "(tttt)").then_some(())?;
    properties.remove("Traffic").and_then(|value| Variant::from(value).try_into().ok())
}

/// The resources of 0.1.0; `None` if these are not of it.
pub(super) fn resources(properties: &mut Properties) -> Option<Vec<ResourceSnapshot>> {
    type Row = (String, String, String, String);
    (signature(properties, "Resources") == "a(ssss)").then_some(())?;
    let failures: Vec<u32> = take_list(properties, "Failures");
    let reasons: Vec<String> = take_list(properties, "Reasons");
    let rows = take_list::<Row>(properties, "Resources").into_iter().enumerate();
    let resource = |(index, (word, kind, target, state)): (usize, Row)| {
        let failures = failures.get(index).copied().unwrap_or_default();
        let why = reasons.get(index).cloned().unwrap_or_default();
        ResourceSnapshot { word, kind, target, state, why, failures }
    };
    Some(rows.map(resource).collect())
}

/// The checks of a version between 0.1.0 and now; `None` if these are not of it.
pub(super) fn checks(properties: &mut Properties) -> Option<Vec<CheckSnapshot>> {
    type Row = (String, String, String, String, u64);
    (signature(properties, "Checks") == "a(sssst)").then_some(())?;
    let check =
        |(name, purpose, state, reason, since_usec)| CheckSnapshot { name, purpose, state, reason, since_usec };
    Some(take_list::<Row>(properties, "Checks").into_iter().map(check).collect())
}

/// The type of a property on the bus; empty without one.
fn signature(properties: &Properties, name: &str) -> String {
    properties.get(name).map(|value| Variant::value_signature(value).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use zbus::OwnedVariant;

    use super::*;

    fn owned(value: Variant<'_>) -> OwnedVariant {
        value.try_into().unwrap()
    }

    #[test]
    fn what_0_1_0_shows_is_read_under_its_old_names() {
        let mut group: Properties = [
            ("OwnerSinceUSec", owned(Variant::from(7_u64))),
            ("Resources", owned(Variant::from(vec![("10.0.0.1", "address", "10.0.0.1/24", "active")]))),
            ("Failures", owned(Variant::from(vec![2_u32]))),
            ("Reasons", owned(Variant::from(vec!["gone"]))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        rename(&mut group);
        assert_eq!(group.get("OwnerSinceTimestamp"), Some(&OwnedVariant::from(7_u64)));
        let read = resources(&mut group).unwrap();
        assert_eq!((read[0].state.as_str(), read[0].why.as_str(), read[0].failures), ("active", "gone", 2));
        let mut node: Properties = [("Resources".to_owned(), owned(Variant::from("local")))].into();
        rename(&mut node);
        assert_eq!(node.get("Holds"), Some(&owned(Variant::from("local"))));
        let rows = vec![(1_u64, 4_u8, "NodeDead", "nodeb", "", "node nodeb: is dead")];
        let mut manager: Properties = [("Decisions".to_owned(), owned(Variant::from(rows)))].into();
        assert_eq!(decisions(&mut manager).unwrap()[0].event, "NodeDead");
    }

    #[test]
    fn what_is_shown_now_is_left_alone() {
        let mut group: Properties = [("OwnerSinceTimestamp".to_owned(), OwnedVariant::from(7_u64))].into();
        rename(&mut group);
        assert_eq!(group.len(), 1);
        assert!(resources(&mut group).is_none() && checks(&mut group).is_none() && decisions(&mut group).is_none());
    }
}
