//! ucarp, Debian's.

use std::time::Duration;

use hbd_lab::lab::Lab;
use hbd_lab::{Error, Result};

use super::{Contender, File, Profile, filled, public};

const UNIT: &str = include_str!("../ucarp/ucarp.service");
const UP: &str = include_str!("../ucarp/up");
const DOWN: &str = include_str!("../ucarp/down");
/// Advertisements that may be missing.
const RATIO: f64 = 3.0;

/// ucarp.
#[derive(Debug)]
pub struct Ucarp;

/// Whole seconds, and 256ths, between advertisements of the backup.
fn interval(profile: Profile) -> (u32, u32) {
    let parts = (profile.dead_time() / RATIO * 256.0).round() as u32;
    (parts / 256, parts % 256)
}

impl Contender for Ucarp {
    fn name(&self) -> &'static str {
        "ucarp"
    }

    fn packages(&self) -> &'static [&'static str] {
        &["ucarp"]
    }

    fn units(&self) -> &'static [&'static str] {
        &["ucarp.service"]
    }

    fn files(&self, index: usize, profile: Profile) -> Vec<File> {
        let (base, skew) = interval(profile);
        // The node that advertises more often is preferred (ucarp(8)).
        let skew = if index == 0 { skew.saturating_sub(60).max(1) } else { skew };
        let values = [
            ("SOURCE", public(index)),
            ("BASE", base.to_string()),
            ("SKEW", skew.to_string()),
            ("PREEMPT", if index == 0 { "-P" } else { "" }.to_owned()),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let service =
            |verb| if profile == Profile::Starting { format!("systemctl {verb} nginx") } else { String::new() };
        vec![
            File::new("/etc/systemd/system/ucarp.service", filled(UNIT, &values)),
            File::new("/usr/share/ucarp/lab-up", filled(UP, &[("SERVICE", &service("start"))])).mode(0o755),
            File::new("/usr/share/ucarp/lab-down", filled(DOWN, &[("SERVICE", &service("stop"))])).mode(0o755),
        ]
    }

    fn detection(&self, profile: Profile) -> (f64, String) {
        let (base, skew) = interval(profile);
        let interval = f64::from(base) + f64::from(skew) / 256.0;
        (RATIO * interval, format!("advbase {base}, advskew {skew}, deadratio 3"))
    }

    fn runs_the_service(&self, profile: Profile) -> bool {
        profile == Profile::Starting
    }

    fn wait_ready(&self, _lab: &mut Lab, _since: f64) -> Result<()> {
        // A backup that has heard one advertisement knows its master. It does not say so anywhere.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    }

    fn leave(&self, lab: &Lab, index: usize) -> Result<()> {
        // ucarp(8): SIGUSR2 makes it a backup.
        lab.nodes[index].signal("ucarp.service", "USR2")
    }

    fn come_back(&self, lab: &Lab) -> Result<()> {
        let [_, other] = &lab.nodes;
        if other.holds(hbd_lab::example::VIP)? {
            return other.signal("ucarp.service", "USR2");
        }
        Err(Error::Unexpected("the other node does not have the address".to_owned()))
    }

    fn note(&self) -> &'static str {
        "knows addresses only: the web server runs on both nodes except where the row says that it starts; it has no \
         heartbeat cable, CARP runs on the LAN; moves by SIGUSR2"
    }
}
