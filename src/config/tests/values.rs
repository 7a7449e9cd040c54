//! The value tables of 04 §1.3.

use crate::config::value::{ValueKind, nearest};
use figment::value::Value;

const TIME: ValueKind = ValueKind::Time { zero: true };

fn ms(raw: &str) -> Option<u128> {
    TIME.parse(raw).ok().and_then(|accepted| Value::to_u128(&accepted.value))
}

#[test]
fn times_in_milliseconds() {
    let table = [
        ("2", 2000),
        ("0.5", 500),
        (".5", 500),
        ("1.", 1000),
        ("1500ms", 1500),
        ("1500MS", 1500),
        ("1500msec", 1500),
        ("500us", 1),
        ("501us", 1),
        ("499us", 0),
        ("1.5.2", 1500),
        ("0", 0),
        ("0ms", 0),
        ("0.0004", 0),
        ("0.0005", 1),
        ("0.00049999999999999999", 0),
        ("007", 7000),
        ("31536000", 31_536_000_000),
    ];
    for (raw, expected) in table {
        assert_eq!(ms(raw), Some(expected), "{raw}");
    }
}

#[test]
fn units_heartbeat_does_not_know_are_taken_with_a_notice() {
    for (raw, expected) in [("30s", 30_000), ("30S", 30_000), ("2sec", 2000), ("1min", 60_000), ("0.5min", 30_000)] {
        assert_eq!(ms(raw), Some(expected), "{raw}");
        let notice = TIME.parse(raw).unwrap().notice.unwrap();
        assert!(notice.contains("not understood by Heartbeat 3.0.x"), "{notice}");
    }
    assert!(TIME.parse("30").unwrap().notice.is_none());
    assert!(TIME.parse("1500msec").unwrap().notice.is_none());
}

#[test]
fn no_times() {
    for raw in [
        "",
        ".",
        "-1",
        "+1",
        "abc",
        "2m",
        "1h",
        "1 ms",
        "1ss",
        "ms",
        "1e3",
        "0x10",
        "31536001",
        "99999999999999999999999999999",
        "1٣",
    ] {
        assert_eq!(ms(raw), None, "{raw}");
    }
    let positive = ValueKind::Time { zero: false };
    for raw in ["0", "0ms", "499us"] {
        assert!(positive.parse(raw).is_err(), "{raw}");
    }
}

#[test]
fn booleans_in_any_case() {
    for raw in ["true", "on", "yes", "y", "1", "TRUE", "On"] {
        assert_eq!(ValueKind::Bool.parse(raw).unwrap().value.to_bool(), Some(true), "{raw}");
    }
    for raw in ["false", "off", "no", "n", "0", "OFF", "No"] {
        assert_eq!(ValueKind::Bool.parse(raw).unwrap().value.to_bool(), Some(false), "{raw}");
    }
    for raw in ["", "t", "2", "enabled"] {
        assert!(ValueKind::Bool.parse(raw).is_err(), "{raw}");
    }
}

#[test]
fn integers_have_no_trailing_text() {
    let kind = ValueKind::Integer { min: 1, max: 99, unit: "" };
    assert_eq!(kind.parse("99").unwrap().value.to_u128(), Some(99));
    let refused = kind.parse("25ms").unwrap_err();
    assert_eq!(refused.help, "write a whole number from 1 to 99: `25` is what Heartbeat reads");
    for raw in ["0", "100", "-1", "+1", "", "x", "99999999999999999999"] {
        assert!(kind.parse(raw).is_err(), "{raw}");
    }
}

#[test]
fn words_hint_at_their_case() {
    let kind = ValueKind::Choice(&[("file", "File"), ("time", "Time")]);
    assert_eq!(kind.parse("time").unwrap().value.as_str(), Some("Time"));
    assert_eq!(kind.parse("TIME").unwrap_err().help, "write time (case counts)");
    assert_eq!(kind.parse("x").unwrap_err().help, "legal: file, time");
}

#[test]
fn misspelt_words_find_their_neighbour() {
    let words = ["keepalive", "deadtime", "node", "deadping"];
    assert_eq!(nearest("keepalvie", words), Some("keepalive"));
    assert_eq!(nearest("DEADTIME", words), Some("deadtime"));
    assert_eq!(nearest("nodes", words), Some("node"));
    assert_eq!(nearest("pacemaker", words), None);
}
