//! Which nodes are alive: statuses every keepalive, late heartbeats, death, links, return (02 §7).

use super::*;

fn beats(bench: &Bench) -> Vec<u64> {
    bench.sent_at("status").iter().map(|(at, _)| *at).collect()
}

#[test]
fn one_status_per_keepalive_without_drift() {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 1_000_000);
    bench.peer_silent();
    bench.run(500);
    bench.done.clear();
    // A busy machine: the core is woken 0 to 90 ms late each time.
    for late in [30, 90, 0, 10, 70] {
        let due = bench.core.next_deadline().unwrap().0;
        bench.now = due + ms(late);
        bench.feed(Event::Deadline);
    }
    assert_eq!(beats(&bench), [13_030, 14_090, 15_000, 16_010, 17_070]);
}

#[test]
fn heartbeats_that_a_stall_prevented_are_not_sent_later() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let started = bench.clock();
    bench.now += ms(3_300);
    bench.feed(Event::Deadline);
    bench.run(700);
    assert_eq!(beats(&bench), [started + 3_300, started + 4_000]);
}

#[test]
fn extra_statuses_do_not_shift_the_rhythm() {
    let mut bench = Bench::joined("local");
    bench.run(500);
    bench.peer_restarts();
    bench.done.clear();
    bench.run(2_000);
    assert_eq!(beats(&bench).iter().map(|at| at % 1_000).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_status_later_than_warntime_is_logged() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let heard = bench.view();
    bench.run(2_000);
    bench.peer_status();
    assert!(!bench.logged("Late heartbeat"), "exactly warntime is not late: {heard:?}");
    bench.peer_silent();
    bench.run(2_001);
    bench.peer_status();
    assert!(bench.logged("Late heartbeat: Node nodeb: interval 2001 ms"));
    assert_eq!(bench.peer_state(), "active", "late is not dead");
}

#[test]
fn death_comes_strictly_after_the_dead_time() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let last = bench.clock();
    bench.run(4_000);
    assert_eq!(bench.peer_state(), "active");
    bench.run(1);
    assert_eq!(bench.peer_state(), "dead");
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(last + 4_001));
}

/// After a stall the daemon hands over the waiting packets first: we were late, not the peer.
#[test]
fn a_status_that_waited_while_we_stalled_counts() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.now += ms(20_000);
    let status = bench.status();
    bench.hears(status);
    bench.feed(Event::Deadline);
    assert_eq!(bench.peer_state(), "active");
    assert!(!bench.logged("is dead"));
}

#[test]
fn the_dead_time_is_the_one_that_the_peer_asked_for() {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 34_000);
    bench.peer_silent();
    bench.run(34_000);
    assert_eq!(bench.peer_state(), "active");
    bench.run(1);
    assert_eq!(bench.peer_state(), "dead");
}

#[test]
fn a_status_without_a_valid_dt_leaves_the_dead_time() {
    let mut bench = Bench::joined("local");
    bench.says("status", &[("st", "active"), ("protocol", "1")]);
    bench.says("status", &[("st", "active"), ("dt", "soon"), ("protocol", "1")]);
    assert_eq!(bench.view().nodes[1].dead_time, ms(4_000));
    bench.says("status", &[("st", "active"), ("dt", "ffffffffffffffff"), ("protocol", "1")]);
    bench.run(60_000);
    assert_eq!(bench.peer_state(), "active", "no bounds are enforced");
}

#[test]
fn a_dead_time_of_zero_kills_at_once() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.says("status", &[("st", "active"), ("dt", "0"), ("protocol", "1")]);
    bench.run(1);
    assert_eq!(bench.peer_state(), "dead");
}

/// 02 §13 trap 15.
#[test]
fn only_a_status_keeps_a_node_alive() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    for _ in 0..4 {
        bench.run(1_000);
        bench.says("hb_unheard_of", &[]);
        bench.says_unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1")]);
    }
    assert_eq!(bench.peer_state(), "active");
    bench.run(1);
    assert_eq!(bench.peer_state(), "dead");
    assert_eq!(bench.links(), [true, false], "other traffic refreshes the link");
}

#[test]
fn an_older_status_does_not_overwrite_a_newer_one() {
    let mut bench = Bench::joined("local");
    let old = bench.status().with("st", "up");
    bench.run(1_000);
    bench.peer_status();
    bench.hears(old.clone());
    assert_eq!(bench.peer_state(), "active", "ts and seq are both lower");
}

/// A real Heartbeat would take the node for `up` again, because it rejects a status only if both `ts` and `seq` are
/// lower (02 §7.2).
#[test]
fn an_overtaken_status_of_the_same_second_changes_nothing() {
    let mut bench = Bench::joined("local");
    let old = bench.status().with("st", "up");
    bench.peer_status();
    bench.hears(old);
    assert_eq!(bench.peer_state(), "active");
}

#[test]
fn a_change_of_status_is_logged_once() {
    let mut bench = Bench::started();
    bench.peer_beats("init", 0x1770);
    bench.peer_beats("up", 0x1770);
    bench.peer_beats("UP", 0x1770);
    bench.peer_beats("active", 0x1770);
    let said: Vec<_> = bench.log().into_iter().filter(|line| line.starts_with("Status update")).collect();
    let expected = ["up", "active"].map(|status| format!("Status update for node nodeb: status {status}"));
    assert_eq!(said, expected, "init is what we assumed; case does not matter");
}

/// No node reports itself dead. If we accepted that, the node could fall silent and would never be declared dead.
#[test]
fn a_node_cannot_declare_itself_dead() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.says("status", &[("st", "dead"), ("dt", "fa0"), ("protocol", "1")]);
    bench.run(4_100);
    assert!(bench.logged("node nodeb: is dead"));
    assert_eq!(bench.view().hold.word(), "all");
}

#[test]
fn a_link_is_up_while_it_is_heard() {
    let mut bench = Bench::started();
    assert_eq!(bench.links(), [false, false]);
    bench.peer_beats("up", 0xfa0);
    assert!(bench.logged("Link nodeb:eth0 up."));
    let status = bench.status();
    bench.hears_on(1, status);
    assert!(bench.logged("Link nodeb:eth1 up."));
    bench.run(4_100);
    assert_eq!(bench.links(), [true, false]);
    assert!(bench.logged("Link nodeb:eth1 dead."));
    let dead: Vec<_> = bench.log().into_iter().filter(|line| line.starts_with("Link")).collect();
    assert_eq!(dead.len(), 3, "each change is said once: {dead:?}");
}

#[test]
fn the_second_copy_of_a_message_refreshes_its_link() {
    let mut bench = Bench::joined("local");
    for _ in 0..8 {
        bench.run(1_000);
        bench.peer_silent();
        let status = bench.status();
        bench.hears_on(0, status.clone());
        bench.hears_on(1, status);
    }
    assert_eq!(bench.links(), [true, true]);
    assert!(!bench.logged("dead"));
}

#[test]
fn an_old_copy_and_a_message_for_another_refresh_nothing() {
    let mut bench = Bench::joined("local");
    let old = bench.status();
    bench.hears(old.clone());
    bench.peer_status();
    bench.hears_on(1, old);
    let other = bench.message("query-cstatus", &[("dest", "nodec")]);
    bench.hears_on(1, other);
    let ack = bench.unsequenced("NS_ackmsg", &[("dest", "nodec"), ("ackseq", "1")]);
    bench.hears_on(1, ack);
    // One without a number may be a repetition, too.
    let ack = bench.unsequenced("NS_ackmsg", &[("dest", "nodea"), ("ackseq", "1")]);
    bench.hears_on(1, ack);
    assert_eq!(bench.links(), [true, false]);
}

/// A duplicate of a message for another node is a duplicate, too (02 §5 step 14).
#[test]
fn the_second_copy_of_a_message_for_another_refreshes_its_link() {
    let mut bench = Bench::joined("local");
    let other = bench.message("query-cstatus", &[("dest", "nodec")]);
    bench.hears_on(0, other.clone());
    bench.hears_on(1, other);
    assert_eq!(bench.links(), [true, true]);
}

#[test]
fn node_and_link_die_together() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(4_001);
    assert!(bench.logged("node nodeb: is dead") && bench.logged("Link nodeb:eth0 dead."));
}

#[test]
fn a_restart_after_a_death_is_no_partition() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(10_000);
    bench.peer_restarts();
    assert!(bench.logged("Heartbeat restart on node nodeb"));
    assert!(bench.logged("Status update for node nodeb: status init"));
    assert!(!bench.logged("partition"));
    assert_eq!(bench.peer_state(), "up");
}

#[test]
fn a_restart_faster_than_the_dead_time_is_no_death() {
    let mut bench = Bench::joined("local");
    bench.run(1_000);
    bench.peer_restarts();
    bench.run(5_000);
    assert!(bench.logged("Heartbeat restart on node nodeb"));
    assert!(!bench.logged("is dead"));
    assert!(bench.sent("stonith").is_empty());
}

#[test]
fn the_first_contact_is_not_a_restart() {
    let mut bench = Bench::started();
    bench.peer_beats("init", 0x1770);
    assert!(!bench.logged("restart"));
}

/// Any message of a higher generation is a new incarnation: a status that was overtaken must not set numbers back.
#[test]
fn a_new_incarnation_may_be_heard_by_another_message_first() {
    let mut bench = Bench::joined("local");
    bench.peer.generation += 1;
    bench.peer.seq = 1;
    let status = bench.status();
    bench.says("starting", &[]);
    assert!(bench.logged("Heartbeat restart on node nodeb"));
    bench.done.clear();
    bench.hears(status);
    assert!(!bench.logged("restart") && !bench.logged("Replay"));
}

#[test]
fn a_healed_partition_is_logged_and_answered_at_once() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run(10_400);
    bench.done.clear();
    bench.peer_status();
    assert!(bench.logged("Cluster node nodeb returning after partition."));
    assert!(bench.logged("Deadtime value may be too small."));
    assert_eq!(beats(&bench), [bench.clock()], "a status at once");
    assert_eq!(bench.peer_state(), "active");
    bench.run(2_000);
    assert_eq!(bench.log().iter().filter(|line| line.contains("partition")).count(), 1);
}

/// 02 §7.7: a `seq` that is not above the last known one belongs to a message that some queue has delayed.
#[test]
fn an_old_status_does_not_revive_a_dead_node() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let last = bench.status();
    bench.hears(last.clone());
    bench.run(10_000);
    bench.hears(last);
    assert_eq!(bench.peer_state(), "dead");
    assert!(!bench.logged("partition"));
}

#[test]
fn a_lower_generation_is_a_replay_for_ever() {
    let mut bench = Bench::joined("local");
    bench.peer.generation -= 1;
    bench.peer_silent();
    let links = bench.links();
    for _ in 0..8 {
        bench.run(1_000);
        bench.peer.seq += 1_000;
        let status = bench.status();
        bench.hears_on(1, status);
    }
    assert_eq!(bench.links()[1], links[1], "the link is not refreshed");
    assert_eq!(bench.peer_state(), "dead");
    let expected = "should_drop_message: attempted replay attack [nodeb]? [gen = 255, curgen = 256]";
    assert_eq!(bench.log().iter().filter(|line| *line == expected).count(), 1, "one line, not eight");
    bench.peer.generation += 2;
    bench.peer_status();
    assert_eq!(bench.peer_state(), "active", "only a higher generation helps");
}

#[test]
fn a_message_without_generation_counts_as_generation_zero() {
    let mut bench = Bench::joined("local");
    let mut status = bench.status().with("st", "up");
    status.remove("hg");
    bench.hears(status);
    assert_eq!(bench.peer_state(), "active");
    assert!(bench.logged("replay attack [nodeb]? [gen = 0, curgen = 256]"));
}

/// The peer restarted within its dead time and its first statuses were lost. Its other messages show that it lives.
#[test]
fn a_new_incarnation_is_not_dead_because_its_first_statuses_were_lost() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.peer.generation += 1;
    bench.peer.seq = 4;
    let noticed = bench.clock();
    bench.says("reqnodes", &[("dest", "nodea")]);
    bench.run(4_000);
    assert!(!bench.logged("is dead"), "{:?}", bench.log());
    bench.run(1);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(noticed + 4_001), "but its silence counts");
}

/// The giver's `done` waited in our socket while we were stalled. By now the giver has declared us dead and taken
/// everything back.
#[test]
fn groups_given_before_a_stall_of_a_dead_time_are_not_taken() {
    for beats_first in [false, true] {
        let mut bench = Bench::joined_hbd("local");
        bench.ask("all", "me");
        bench.resource("none", "0", Some("standby"));
        let done = bench.message("ask_resources", &[("rsc_hold", "all"), ("info", "done")]);
        bench.peer_silent();
        bench.now += ms(6_000);
        if beats_first {
            bench.peer_status();
            bench.feed(Event::Deadline);
        }
        bench.story();
        bench.hears(done);
        let story = bench.story();
        assert_eq!(story, ["ask_resources all other"], "is it still to be had?");
        bench.peer_status();
        bench.feed(Event::Deadline);
        bench.story();
        bench.ask("all", "done");
        assert!(bench.story().contains(&"start b1".to_owned()), "it is");
    }
}

/// The same exchange, seen by the giver.
#[test]
fn groups_that_were_given_are_still_given_after_the_takers_stall() {
    let mut bench = Bench::joined_hbd("local");
    bench.request(Request::Standby(Set::LOCAL));
    bench.ask("local", "other");
    assert!(bench.story().contains(&"ask_resources local done".to_owned()));
    bench.ask("local", "other");
    assert_eq!(bench.story(), ["ask_resources local done"]);
    bench.ask("local", "done");
    assert_eq!(answers(&bench), [Answer::Done]);
}

/// nodeb was given another name, and its machine is known by its uuid: what it says keeps the link up.
#[test]
fn a_link_that_is_up_was_heard_within_the_dead_time_whatever_its_node_is_called_by_now() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    for _ in 0..6 {
        bench.run(1_000);
        let message = bench.status().with("src", "nodec");
        bench.hears(message);
        let heard = bench.core.last_heard_on("nodeb", "eth0").unwrap();
        assert_eq!((bench.links()[0], heard), (true, Duration::from_secs(WALL) + bench.now));
    }
    assert_eq!(bench.core.last_heard_on("nodeb", "eth1"), None, "never");
    let last = Duration::from_secs(WALL) + bench.now;
    bench.run(5_000);
    assert_eq!((bench.links()[0], bench.core.last_heard_on("nodeb", "eth0")), (false, Some(last)));
}
