//! What is due while packets are still being read: a flood, or what a stall has left (docs/DECISIONS.md "After a
//! stall, read before judging").

use super::*;

impl Bench {
    /// Time passes while the last `depth` milliseconds of packets are still to be read.
    fn run_behind(&mut self, milliseconds: u64, depth: u64) {
        let end = self.now + ms(milliseconds);
        while self.now < end {
            self.now += ms(1);
            if self.peer.beat.is_some_and(|beat| beat <= self.now) {
                self.peer_status();
            }
            let read_until = Instant(self.now - ms(depth));
            if self.core.next_unread_deadline(read_until).is_some_and(|due| due.0 <= self.now) {
                self.feed(Event::UnreadDeadline { read_until });
            }
        }
    }
}

#[test]
fn a_status_leaves_on_time_however_much_is_queued() {
    let mut bench = Bench::joined("local");
    bench.peer_beats("active", 4_000);
    bench.done.clear();
    let started = bench.clock();
    bench.run_behind(3_500, 3_000);
    let beats: Vec<_> = bench.sent_at("status").iter().map(|(at, _)| at - started).collect();
    assert_eq!(beats, [1_000, 2_000, 3_000]);
}

#[test]
fn a_peer_whose_status_is_queued_is_not_dead() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.run_behind(4_500, 700);
    assert_eq!(bench.peer_state(), "active", "what came in the last 0.7 s is not read yet");
    bench.peer_status();
    bench.run_behind(1_000, 700);
    assert!(!bench.logged("is dead"));
}

#[test]
fn a_peer_that_is_silent_is_dead_when_the_queue_of_that_moment_is_read() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let last = bench.clock();
    bench.run_behind(6_000, 300);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(last + 4_301));
}

#[test]
fn a_flood_that_never_ends_puts_off_a_death_by_a_second_at_most() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let last = bench.clock();
    bench.run_behind(6_000, 3_000);
    assert_eq!(bench.logged_at("node nodeb: is dead"), Some(last + 5_000));
}

/// The bound counts from the moment when the judgement began to wait, not from the deadline that a stall slept over.
#[test]
fn after_a_stall_a_long_queue_is_read_before_the_judgement() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    bench.now += ms(20_000);
    let before = Instant(bench.now - ms(19_000));
    bench.feed(Event::UnreadDeadline { read_until: before });
    bench.now += ms(500);
    bench.feed(Event::UnreadDeadline { read_until: before });
    bench.peer_status();
    bench.feed(Event::Deadline);
    assert!(!bench.logged("is dead"));
    assert_eq!(bench.peer_state(), "active");
}

#[test]
fn waiting_to_read_costs_no_turns() {
    let mut bench = Bench::joined("local");
    bench.peer_silent();
    let due = loop {
        bench.now = bench.core.next_deadline().unwrap().0;
        let read_until = Instant(bench.now - ms(3_000));
        bench.feed(Event::UnreadDeadline { read_until });
        if bench.core.next_deadline().unwrap().0 <= bench.now {
            break bench.core.next_unread_deadline(read_until).unwrap().0;
        }
    };
    assert!(due > bench.now, "the core is asked again when a status is due or the wait is over");
}
