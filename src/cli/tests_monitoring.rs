//! The examples for Prometheus and Grafana, compared with what `hbctl metrics` prints and checked with promtool.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::test_needs::missing;

const RULES: &str = "packaging/examples/prometheus/hbd.rules.yml";
const CASES: &str = "tests/monitoring/hbd.rules.test.yml";
const DASHBOARD: &str = "packaging/examples/prometheus/hbd-dashboard.json";
const PAGE: &str = "docs/handbook/src/howto/monitoring.md";

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(place(path)).unwrap()
}

fn names(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|parts| parts[1].to_owned()).collect()
}

fn promtool(words: &[&str], path: &str) {
    // A path that begins at the root replaces what it is joined to.
    match Command::new("promtool").args(words).arg(place(path)).output() {
        Err(_) => missing("promtool", "install the package prometheus, as `make prepare` does"),
        Ok(output) => assert!(
            output.status.success(),
            "{path}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

fn printed() -> BTreeSet<String> {
    names(r#"\.(?:metric|counter)\(\s*"(hbd_\w+)""#, include_str!("metrics.rs"))
}

#[test]
fn the_handbook_explains_each_metric_that_is_printed_and_no_other() {
    assert_eq!(names(r"(?m)^\| `(hbd_\w+)` \|", &read(PAGE)), printed());
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_are_printed() {
    let printed = printed();
    for path in [RULES, DASHBOARD, CASES] {
        let asked = names(r"\b(hbd_[a-z_]+)", &read(path));
        assert!(asked.len() > 8, "{path}: {asked:?}");
        let unknown: Vec<&String> = asked.difference(&printed).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
    }
}

#[test]
fn promtool_accepts_the_alert_rules() {
    promtool(&["check", "rules"], RULES);
}

#[test]
fn each_alert_fires_in_a_case_of_its_own() {
    let alerts = names(r"alert: (\w+)", &read(RULES));
    assert!(alerts.len() > 15, "{alerts:?}");
    assert_eq!(names(r"- name: (\w+)", &read(CASES)), alerts);
    promtool(&["test", "rules"], CASES);
}

#[test]
fn each_panel_of_the_dashboard_has_a_title_and_a_query() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    for panel in panels {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["expr"].as_str().is_some_and(|query| query.contains("cluster=\"$cluster\"")), "{target}");
        }
    }
}

#[test]
fn promtool_accepts_each_query_of_the_dashboard() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels =
        dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked = panels.chain(dashboard["annotations"]["list"].as_array().unwrap());
    // A length that Grafana fills in.
    let query = |target: &Value| target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
    let rules: Vec<Value> = asked
        .enumerate()
        .map(|(number, target)| json!({ "record": format!("query:{number}"), "expr": query(target) }))
        .collect();
    assert!(rules.len() > 10);
    let file = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    // JSON is YAML.
    fs::write(file.path(), json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()).unwrap();
    promtool(&["check", "rules"], file.path().to_str().unwrap());
}
