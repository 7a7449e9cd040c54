//! A package manager stops a unit that hbd serves: the hooks of apt and rpm bring it back.

use hbd_lab::Result;
use hbd_lab::lab::NODES;
use hbd_lab::node::Node;
use hbd_lab::process::{Output, now, run};
use hbd_lab::repository::repack;
use hbd_lab::software::{package, rpm_package};

use crate::install::{apt, rpm, serve, strip};
use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, expect, expect_status, expect_words, unexpected};

/// A package as many are: its prerm stops the unit, and its postinst would start it only if it were enabled.
const DEB: &str = r#"
rm -rf /root/lab-web && mkdir -p /root/lab-web/DEBIAN
cat >/root/lab-web/DEBIAN/control <<END
Package: lab-web
Version: VERSION
Architecture: all
Maintainer: lab <lab@localhost>
Description: stops nginx when it is upgraded
END
printf '#!/bin/sh\nset -e\nsystemctl stop nginx.service\n' >/root/lab-web/DEBIAN/prerm
printf '#!/bin/sh\nset -e\n! systemctl --quiet is-enabled nginx.service || deb-systemd-invoke start nginx.service\nCONFIGURE\n' >/root/lab-web/DEBIAN/postinst
chmod 755 /root/lab-web/DEBIAN/prerm /root/lab-web/DEBIAN/postinst
dpkg-deb --root-owner-group --build /root/lab-web /root/lab-web.deb
"#;
/// The same for rpm. A package with a unit of its own, as those have that stop one.
const SPEC: &str = r#"
Name: lab-web
Version: VERSION
Release: 1
Summary: stops nginx when it is upgraded
License: MIT
BuildArch: noarch
%description
stops nginx when it is upgraded
%install
mkdir -p %{buildroot}/usr/lib/systemd/system
printf '[Service]\nExecStart=/bin/true\n' >%{buildroot}/usr/lib/systemd/system/lab-web.service
%preun
systemctl stop nginx.service
%files
/usr/lib/systemd/system/lab-web.service
"#;
/// Seconds that a hook may take, with an hbd that does not answer.
const MOMENT: f64 = 30.0;

/// Puts this version of the package on a node, with a last line of its postinst.
fn pack(node: &Node, version: &str, configure: &str) -> Result<()> {
    // So many upgrades in a row are more starts than systemd allows. It refuses that for a unit that never ran.
    node.attempt(&["systemctl", "reset-failed", HTTPD])?;
    node.run(&["sh", "-ec", &DEB.replace("VERSION", version).replace("CONFIGURE", configure)]).map(drop)
}

/// Installs this version with apt-get.
fn install(node: &Node, version: &str) -> Result<Output> {
    pack(node, version, "")?;
    node.attempt(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "install", "/root/lab-web.deb"])
}

/// Whether the unit was stopped since then.
fn was_stopped(node: &Node, since: f64) -> Result<bool> {
    let records = node.journal(Some(HTTPD), since)?;
    Ok(records.iter().any(|record| record.message().starts_with("Stopped ")))
}

/// What the hooks have left of their notes.
fn notes(node: &Node) -> Result<String> {
    Ok(node.attempt(&["ls", "/run/hbd/upgrade"])?.stdout)
}

/// That hbd has not started the unit since then, and shows it as stopped by hand.
fn expect_left_alone(pair: &Pair, since: f64) -> Result<()> {
    expect("the unit", &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    let started = pair.node(A).journal(Some(HBD), since)?;
    let started = started.iter().any(|record| record.message().contains("starting it again"));
    expect("whether hbd has started it", &started, &false)?;
    let status = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_status("hbctl status", &status, 3)?;
    expect_words("hbctl status", &status.stdout, &["stopped-by-hand"])
}

/// The unit runs again after the upgrade, on the node where it ran; one that an administrator has stopped before
/// stays down. Where hbd does not run, and where it does not answer, apt works as ever.
pub fn an_upgrade_with_apt_leaves_no_unit_down(pair: &mut Pair) -> Result<String> {
    let since = pair.start_with(None)?;
    pair.wait_settled(since)?;
    expect_status("the installation", &install(pair.node(A), "1")?, 0)?;
    let since = now();
    expect_status("the upgrade", &install(pair.node(A), "2")?, 0)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect("whether the upgrade has stopped the unit", &was_stopped(pair.node(A), since)?, &true)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    expect("the notes of the hook", &notes(pair.node(A))?.as_str(), &"")?;

    // What an administrator has stopped before the upgrade, even a moment before, stays down.
    pack(pair.node(A), "3", "")?;
    let since = now();
    pair.node(A).run(&["sh", "-ec", "systemctl stop nginx.service; apt-get -q -y install /root/lab-web.deb"])?;
    pair.wait_record(A, since, "was stopped by somebody else: it is left alone", SOON)?;
    expect_status("an upgrade after a stop by hand", &install(pair.node(A), "4")?, 0)?;
    expect_left_alone(pair, since)?;
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;

    // An upgrade that fails halfway leaves no service down either.
    pack(pair.node(A), "5", "exit 1")?;
    let since = now();
    let failed = pair.node(A).attempt(&["apt-get", "-q", "-y", "install", "/root/lab-web.deb"])?;
    expect_status("an upgrade that fails", &failed, 100)?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect("whether it has stopped the unit", &was_stopped(pair.node(A), since)?, &true)?;
    by_hand(pair)?;
    in_maintenance(pair)?;
    moved_meanwhile(pair)?;
    along_with_hbd(pair)?;
    without_hbd(pair)?;
    for index in [A, B] {
        pair.node(index).run(&["dpkg", "--purge", "lab-web"])?;
    }
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    Ok(String::new())
}

/// An administrator works with dpkg, and runs apt in between.
fn by_hand(pair: &Pair) -> Result<()> {
    let node = pair.node(A);
    node.run(&["hbctl", "upgrade", "begin"])?;
    pack(node, "6", "")?;
    node.run(&["dpkg", "-i", "/root/lab-web.deb"])?;
    expect_status("apt in between", &install(node, "7")?, 0)?;
    expect("the unit before the end", &node.unit_state(HTTPD)?, &"inactive".to_owned())?;
    node.run(&["hbctl", "upgrade", "end"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect_status("hbctl upgrade end without a begin", &node.attempt(&["hbctl", "upgrade", "end"])?, 4)
}

fn in_maintenance(pair: &Pair) -> Result<()> {
    pair.node(A).run(&["hbctl", "maintenance", "on"])?;
    expect_status("an upgrade in maintenance", &install(pair.node(A), "8")?, 0)?;
    expect("the unit in maintenance", &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    pair.node(A).run(&["hbctl", "maintenance", "off"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)
}

/// The other node has the group by the time the package manager is done.
fn moved_meanwhile(pair: &mut Pair) -> Result<()> {
    pair.node(A).run(&["hbctl", "upgrade", "begin"])?;
    pair.node(A).run(&["systemctl", "stop", HTTPD])?;
    pair.node(A).run(&["hbctl", "standby"])?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.node(A).run(&["hbctl", "upgrade", "end"])?;
    expect("the unit on the node that gave it", &pair.node(A).unit_state(HTTPD)?, &"inactive".to_owned())?;
    pair.node(A).run(&["hbctl", "takeover"])?;
    pair.client.wait_served_by(NODES[A].name, SOON).map(drop)
}

/// hbd is upgraded by the same apt.
fn along_with_hbd(pair: &mut Pair) -> Result<()> {
    let newer = repack(&package()?, "0.9", pair.lab.scratch())?;
    pair.node(A).copy_in(&newer, "/root/newer.deb")?;
    pack(pair.node(A), "9", "")?;
    let process = pair.shown(A, "MainPID")?;
    let since = now();
    apt(pair.node(A), &["install", "/root/newer.deb", "/root/lab-web.deb"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect("whether it has stopped the unit", &was_stopped(pair.node(A), since)?, &true)?;
    expect("hbd's process", &pair.shown(A, "MainPID")?, &process)?;
    pair.node(A).copy_in(&package()?, "/root/hbd.deb")?;
    pair.node(A).run(&["dpkg", "--force-confnew", "-i", "/root/hbd.deb"]).map(drop)
}

/// hbd hangs, then it does not run: apt does not wait, does not fail and says nothing.
fn without_hbd(pair: &mut Pair) -> Result<()> {
    for version in ["1", "2"] {
        if version == "1" {
            pair.node(B).signal(HBD, "STOP")?;
        } else {
            pair.lab.stop(B)?;
        }
        let since = now();
        let said = install(pair.node(B), version)?;
        let took = now() - since;
        expect_status("apt where hbd does not answer", &said, 0)?;
        expect("whether apt says something of hbd", &(said.stdout + &said.stderr).contains("hbd"), &false)?;
        if took > MOMENT {
            return unexpected(format!("apt took {took:.1} s"));
        }
    }
    let begin = pair.node(B).attempt(&["hbctl", "upgrade", "begin"])?;
    expect_status("hbctl upgrade begin where hbd does not run", &begin, 1)?;
    pair.lab.start(B)
}

/// The same with the triggers of the RPM.
pub fn an_upgrade_with_rpm_leaves_no_unit_down(pair: &mut Pair) -> Result<String> {
    for index in [A, B] {
        strip(pair.node(index))?;
    }
    apt(pair.node(A), &["install", "--no-install-recommends", "rpm"])?;
    pair.node(A).copy_in(&rpm_package()?, "/root/hbd.rpm")?;
    rpm(pair.node(A), &["-i", "/root/hbd.rpm"])?;
    serve(pair)?;
    for version in ["1", "2", "3"] {
        let package = build_rpm(pair, version)?;
        pair.node(A).copy_in(&package, &format!("/root/lab-web-{version}.rpm"))?;
    }
    rpm(pair.node(A), &["-i", "/root/lab-web-1.rpm"])?;
    let since = now();
    rpm(pair.node(A), &["-U", "/root/lab-web-2.rpm"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect("whether the upgrade has stopped the unit", &was_stopped(pair.node(A), since)?, &true)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    expect("the notes of the triggers", &notes(pair.node(A))?.as_str(), &"")?;

    let since = now();
    pair.node(A).run(&["systemctl", "stop", HTTPD])?;
    rpm(pair.node(A), &["-U", "/root/lab-web-3.rpm"])?;
    pair.wait_record(A, since, "was stopped by somebody else: it is left alone", SOON)?;
    expect_left_alone(pair, since)?;
    pair.node(A).run(&["hbctl", "cleanup"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;

    let since = now();
    rpm(pair.node(A), &["-e", "lab-web"])?;
    pair.wait_unit(A, HTTPD, "active", SOON)?;
    expect("whether the removal has stopped the unit", &was_stopped(pair.node(A), since)?, &true)?;
    rpm(pair.node(A), &["-e", "hbd"])?;
    pair.node(A).run(&["rm", "-r", "/var/lib/hbd", "/etc/hbd"])?;
    Ok(String::new())
}

/// Builds a version of the package outside of the machines.
fn build_rpm(pair: &Pair, version: &str) -> Result<std::path::PathBuf> {
    let directory = pair.lab.scratch().join(format!("lab-web-{version}"));
    let spec = directory.join("lab-web.spec");
    let write = "mkdir -p \"$(dirname \"$1\")\" && printf '%s' \"$2\" >\"$1\"";
    run(&["sh", "-ec", write, "sh", &spec.display().to_string(), &SPEC.replace("VERSION", version)])?;
    let define = |name: &str, part: &str| format!("{name} {}", directory.join(part).display());
    let (top, output) = (define("_topdir", "top"), define("_rpmdir", "out"));
    let name = "_build_name_fmt lab-web.rpm";
    let spec = spec.display().to_string();
    run(&["rpmbuild", "-bb", "--quiet", "--define", &top, "--define", &output, "--define", name, &spec])?;
    Ok(directory.join("out/lab-web.rpm"))
}
