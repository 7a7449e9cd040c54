//! What tests need of the machine that they run on: a program, a right, a feature of the kernel.
//!
//! A test whose need is not met fails, so that nobody takes a test that did not run for one that passed. Where a
//! machine cannot have something, `HBD_TESTS_WITHOUT` names what its tests do without, with commas:
//! `HBD_TESTS_WITHOUT=root`.

/// The variable.
const WITHOUT: &str = "HBD_TESTS_WITHOUT";

/// Fails the test because `need` is not met, unless it is to be done without; `remedy` says what to do about it.
pub(crate) fn missing(need: &str, remedy: &str) {
    let without = std::env::var(WITHOUT).unwrap_or_default();
    assert!(
        is_left_out(&without, need),
        "this test needs {need}: {remedy}. To run without the tests that need it: {WITHOUT}={need}"
    );
    eprintln!("left out, because {WITHOUT} names {need}");
}

fn is_left_out(without: &str, need: &str) -> bool {
    without.split(',').any(|word| word == need)
}

#[test]
fn only_what_is_named_is_left_out() {
    assert!(is_left_out("dbus-daemon,root", "root"));
    assert!(!is_left_out("", "root") && !is_left_out("roots", "root"));
}
