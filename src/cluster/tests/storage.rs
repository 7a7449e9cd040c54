//! Groups with a disk: a real Heartbeat as the peer may have mounted it, too (03 §14.1 rule 12, §14.3).

use super::*;

/// The second resource of both groups is a mount.
fn mounts(settings: &mut Settings) {
    for group in &mut settings.groups {
        group.resources[1].kind = ResourceKind::Unit(format!("{}.mount", group.key));
    }
}

/// We hold everything because the peer seemed dead.
fn alone(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut bench = Bench::with(|settings| {
        mounts(settings);
        change(settings);
    });
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    if bench.sent("ip-request").is_empty() {
        bench = bench.decided("local");
    } else {
        bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "no"), ("ok", "OK")]);
    }
    bench.peer_silent();
    bench.run(10_000);
    bench.story();
    bench
}

#[test]
fn after_a_partition_disks_are_released_at_once_and_taken_when_the_heartbeat_has_left() {
    for legacy in [false, true] {
        let mut bench = alone(|settings| {
            if legacy {
                settings.auto_failback = AutoFailback::Legacy;
            }
        });
        bench.prompt = false;
        bench.peer_beats("active", 0xfa0);
        let story = bench.story();
        assert!(story.contains(&"stop a2".into()) && story.contains(&"stop b2".into()), "{story:?}");
        bench.end_steps();
        bench.story();
        bench.prompt = true;
        bench.run(2_000);
        bench.says("shutdone", &[("st", "dead")]);
        assert_eq!(bench.view().groups.iter().map(|group| group.running).collect::<Vec<_>>(), [2, 2]);
    }
}

#[test]
fn the_reason_is_in_the_log() {
    let mut bench = alone(|_| {});
    bench.peer_beats("active", 0xfa0);
    assert!(bench.logged("node nodeb may be using the same disks"));
}

/// Only the class with a disk is released.
#[test]
fn groups_without_a_disk_keep_running() {
    let mut bench = alone(|settings| settings.groups[0].resources[1].kind = ResourceKind::Unit("a2.service".into()));
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.view().hold.word(), "local");
    assert_eq!(bench.view().groups.iter().map(|group| group.running).collect::<Vec<_>>(), [2, 0]);
}

/// 03 §8.3: the Heartbeat claims what we hold while both nodes live.
#[test]
fn disks_are_released_when_a_living_heartbeat_claims_them() {
    let mut bench = Bench::with(mounts);
    bench.feed(Event::Start);
    let mut bench = bench.activated().decided("local");
    bench.prompt = false;
    bench.says("resource", &[("rsc_hold", "foreign"), ("info", "mach_down")]);
    assert_eq!(bench.story()[..2], ["stop a2", "resource none 0 standby"], "nothing sounds as if it were down");
    bench.end_steps();
    let story = bench.story();
    assert!(story[0] == "stop a1" && story.contains(&"resource none 1".into()), "{story:?}");
}

/// The Heartbeat had heard us all the time: it holds its own groups, and neither node holds ours.
#[test]
fn our_own_disks_are_taken_again_if_the_heartbeat_does_not_restart() {
    let mut bench = alone(|settings| settings.auto_failback = AutoFailback::Legacy);
    bench.peer_beats("active", 0xfa0);
    bench.story();
    bench.run(15_000);
    assert_eq!(bench.story(), ["ip-request a1"]);
    bench.says("ip-request-resp", &[("dest", "nodea"), ("ipaddr", "a1"), ("weown", "no"), ("ok", "OK")]);
    assert_eq!(bench.view().hold.word(), "local");

    let mut bench = alone(|_| {});
    bench.peer_beats("active", 0xfa0);
    bench.run(5_000);
    bench.resource("local", "1", None);
    bench.run(60_000);
    assert!(bench.story().contains(&"hb_takeover local".into()), "{:?}", bench.log());
}

#[test]
fn of_two_hbd_nodes_the_winner_keeps_its_disks() {
    let mut bench = Bench::with(mounts);
    bench.feed(Event::Start);
    bench.peer.hbd = Some("1 0.1.0");
    let mut bench = bench.activated().decided("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.peer_beats("active", 0xfa0);
    assert_eq!(bench.view().groups.iter().map(|group| group.running).collect::<Vec<_>>(), [2, 2]);
    assert!(!bench.logged("same disks"));
}
