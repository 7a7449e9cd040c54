//! The package from its installation to its complete removal.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::process::{now, wait_until};
use hbd_lab::software::{Software, package};

use crate::pair::{A, B, HBD, Pair, SOON, TAKEOVER, expect, expect_status, expect_words, unexpected};

/// Installed, started, upgraded, removed, purged.
pub fn life_of_the_package(pair: &mut Pair) -> Result<String> {
    pair.settle()?;
    pair.lab.stop(A)?;
    pair.lab.wait_owner(B, SOON)?;
    pair.node(A).run(&["dpkg", "--purge", "hbd"])?;

    Software::Hbd.install(pair.node(A))?;
    expect("ActiveState after installation", &pair.node(A).unit_state(HBD)?, &"inactive".to_owned())?;
    let enabled = pair.node(A).attempt(&["systemctl", "is-enabled", HBD])?;
    expect("is-enabled after installation", &enabled.stdout.trim(), &"disabled")?;
    pair.lab.wait_owner(B, SOON)?;

    let since = now();
    pair.node(A).run(&["systemctl", "enable", "--now", HBD])?;
    pair.wait_settled(since)?;
    let process = pair.shown(A, "MainPID")?;
    let upgrade = now();
    let said = pair.node(A).install(&package()?)?;
    expect_words("dpkg --install over a running hbd", &said, &["systemctl restart hbd"])?;
    expect("MainPID after the upgrade", &pair.shown(A, "MainPID")?, &process)?;
    let enabled = pair.node(A).attempt(&["systemctl", "is-enabled", HBD])?;
    expect("is-enabled after the upgrade", &enabled.stdout.trim(), &"enabled")?;
    pair.expect_undisturbed(A, upgrade)?;

    pair.node(A).run(&["dpkg", "--remove", "hbd"])?;
    expect("nodea's hbd after the removal", &pair.node(A).unit_state(HBD)?, &"inactive".to_owned())?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    expect_kept(pair, "after the removal", &["/etc/hbd/hbd.toml", "/var/lib/heartbeat/hb_generation"], true)?;
    let alias = pair.node(A).attempt(&["systemctl", "cat", "heartbeat.service"])?;
    expect_status("systemctl cat heartbeat.service after the removal", &alias, 1)?;

    pair.node(A).run(&["dpkg", "--purge", "hbd"])?;
    expect_kept(pair, "after the purge", &["/etc/hbd", "/var/lib/hbd", "/usr/sbin/hbd", "/run/hbd"], false)?;
    expect_kept(pair, "after the purge", &["/var/lib/heartbeat/hb_generation", "/etc/ha.d/ha.cf"], true)?;

    let since = now();
    Software::Hbd.install(pair.node(A))?;
    pair.lab.start(A)?;
    pair.wait_settled(since)?;
    Ok(String::new())
}

fn expect_kept(pair: &Pair, when: &str, paths: &[&str], wanted: bool) -> Result<()> {
    for path in paths {
        let there = wait_until("an answer", SOON, || pair.node(A).attempt(&["test", "-e", path]).ok()?.status)? == 0;
        if there != wanted {
            return unexpected(format!("{path} {when}: {}", if there { "still there" } else { "gone" }));
        }
    }
    Ok(())
}
