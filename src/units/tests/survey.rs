//! What the survey says of units.

use super::*;
use crate::config::UnitLimits;

/// What is found of the one unit of `plan`, in words, each behind how much it matters.
async fn said(bus: &PrivateBus, unit: &str, plan: Plan) -> Vec<String> {
    let target = Plan { lists: &[("After", &["hbd.service"])], ..Plan::default() };
    let hbd = Plan { state: UP, ..Plan::default() };
    let _mock = Mock::start(bus, &[(unit, plan), ("multi-user.target", target), ("hbd.service", hbd)]).await;
    let systemd = systemd(bus).await;
    let found = systemd.findings(&[unit.to_owned()], "hbd.service", &UnitLimits::default()).await.unwrap();
    found.iter().map(|found| format!("{}: {found}", found.severity())).collect()
}

#[tokio::test]
async fn a_unit_that_hbd_can_manage_is_no_finding() {
    let Some(bus) = PrivateBus::start() else { return };
    assert_eq!(said(&bus, "web.service", Plan::default()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_unit_ordered_after_hbd_is_named_with_its_line_and_file() {
    let Some(bus) = PrivateBus::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("o.conf").display().to_string();
    std::fs::write(&file, "[Unit]\nAfter=network.target hbd.service\n").unwrap();
    let drop_ins = vec!["/nowhere/a.conf".to_owned(), file.clone()];
    let plan = Plan { lists: &[("After", &["hbd.service"])], drop_ins, ..Plan::default() };
    let expected = format!(
        "warning: web.service is ordered after hbd by After=hbd.service ({file}): a shutdown of this machine stops it \
         before hbd, which still wants it to run. Remove that line; hbd starts the unit"
    );
    assert_eq!(said(&bus, "web.service", plan).await, [expected]);
}

#[tokio::test]
async fn each_setting_that_is_against_hbd_is_told_with_a_remedy() {
    let Some(bus) = PrivateBus::start() else { return };
    let web = "web.service";
    let remains = Plan { flags: &["RemainAfterExit"], ..Plan::default() };
    let oneshot = Plan { kind: "oneshot", ..remains.clone() };
    assert_eq!(said(&bus, web, oneshot).await, Vec::<String>::new(), "it has no processes that could end");
    let table = [
        (web, Plan { kind: "forking", ..remains }, "notice", "only a check of the service finds that"),
        (web, Plan { load: "masked", ..Plan::default() }, "error", "systemctl unmask web.service"),
        (web, Plan { file_state: "enabled", ..Plan::default() }, "warning", "systemctl disable web.service"),
        (web, Plan { flags: &["RefuseManualStart"], ..Plan::default() }, "error", "refuse hbd's start"),
        (web, Plan { flags: &["RefuseManualStop"], ..Plan::default() }, "error", "RefuseManualStop=yes"),
        (web, Plan { flags: &["StopWhenUnneeded"], ..Plan::default() }, "warning", "Set it to no"),
        (web, Plan { lists: &[("PartOf", &["hbd.service"])], ..Plan::default() }, "warning", "PartOf=hbd.service"),
        ("srv-data.automount", Plan::default(), "warning", "Name srv-data.mount in haresources"),
        (
            web,
            Plan { lists: &[("After", &["multi-user.target"])], ..Plan::default() },
            "warning",
            "After=multi-user.target, which comes after hbd.service",
        ),
        (
            web,
            Plan { timeouts: (900_000_000, 90_000_000), ..Plan::default() },
            "notice",
            "900 s for its start by its own file, longer than the 300 s of hbd: hbd waits as long as the unit may take",
        ),
        (
            web,
            Plan { timeouts: (90_000_000, u64::MAX), ..Plan::default() },
            "notice",
            "no limit of its own for its stop: hbd kills it after 300 s (stop_timeout under [units]",
        ),
    ];
    for (unit, plan, severity, words) in table {
        let found = said(&bus, unit, plan).await;
        let [found] = found.as_slice() else { panic!("{words}: {found:?}") };
        assert!(found.starts_with(&format!("{severity}: ")) && found.contains(words), "{found}");
    }
}

#[tokio::test]
async fn a_written_limit_is_compared_with_what_a_unit_says_of_itself() {
    let Some(bus) = PrivateBus::start() else { return };
    let usual = Plan::default();
    let patient = Plan { timeouts: (90_000_000, 60_000_000), ..Plan::default() };
    let _mock = Mock::start(&bus, &[("usual.service", usual), ("patient.service", patient)]).await;
    let limit = UnitLimit::written(Duration::from_secs(30));
    let limits = UnitLimits { start: limit, stop: limit, ..UnitLimits::default() };
    let units = ["usual.service".to_owned(), "patient.service".to_owned()];
    let found = systemd(&bus).await.findings(&units, "hbd.service", &limits).await.unwrap();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = "patient.service may take 60 s for its stop by its own file, longer than the 30 s of hbd: hbd kills it \
                    then, as stop_timeout under [units] in /etc/hbd/hbd.toml says; make that longer";
    assert_eq!(found, [expected]);
}
