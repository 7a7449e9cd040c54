//! What `--json` prints, and that hbctl(8) explains each key of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::doctor::{Finding, Grade};
use super::tests::healthy;
use super::{Said, json, printed, why, why_not};
use crate::bus::Snapshot;

#[test]
fn json_can_be_read_back_and_says_which_schema_it_is() {
    let text = json::status(&healthy(), 1).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), healthy());
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["schema"], &document["healthy"]), (&json::SCHEMA.into(), &true.into()));
    let mut ill = healthy();
    ill.groups[0].owner.clear();
    let document: Value = serde_json::from_str(&json::status(&ill, 1).unwrap()).unwrap();
    assert_eq!(document["troubles"][0], "Group 10.0.0.100 has no owner.");
}

/// One document of each command that has keys of its own.
fn documents() -> Vec<String> {
    let mut snapshot = healthy();
    snapshot.groups[0].returns = "soon".to_owned();
    snapshot.groups[0].unfit = vec![crate::bus::UnfitSnapshot::default()];
    let findings = [Finding { grade: Grade::Ok, about: "links", text: "two".to_owned() }];
    let explanation = why::explain(&snapshot, None, 1).unwrap();
    let absence = why_not::examine(&snapshot, "10.0.0.100", "nodeb", 1).unwrap();
    vec![
        json::status(&snapshot, 1).unwrap(),
        json::document("why", &explanation).unwrap(),
        json::document("why not", &absence).unwrap(),
        json::doctor(&findings).unwrap(),
        json::outcome("move", true, "done").unwrap(),
        printed(Said::Text("a text\n".to_owned()), "check", true).unwrap(),
    ]
}

#[test]
fn every_document_says_its_schema_and_its_command() {
    for (document, command) in documents().iter().zip(["status", "why", "why not", "doctor", "move", "check"]) {
        let value: Value = serde_json::from_str(document).unwrap();
        assert_eq!((&value["schema"], &value["command"]), (&json::SCHEMA.into(), &command.into()));
    }
    let said = printed(Said::Text("a text\n".to_owned()), "check", true).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["text"], "a text\n");
    assert_eq!(printed(Said::Text(String::new()), "standby", true).unwrap(), "", "what printed as it went");
}

#[test]
fn every_key_of_the_json_is_in_the_man_page() {
    let page = include_str!("../../man/hbctl.8.tail");
    let mut found = BTreeSet::new();
    documents().iter().for_each(|document| keys(&serde_json::from_str(document).unwrap(), &mut found));
    assert!(found.len() > 30);
    for key in found {
        assert!(page.contains(&format!(".B {key}\n")) || page.contains(&format!("\\fB{key}\\fR")), "{key}");
    }
}

/// Every key at any depth.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            keys(value, found);
        }),
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}
