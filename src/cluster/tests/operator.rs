//! What an operator is told about the move he asked for.

use super::*;
use crate::cluster::Answer;

/// The answers given since the story was last told.
fn answers(bench: &Bench) -> Vec<Answer> {
    let answer = |(_, action): &(_, Action)| match action {
        Action::Answer { answer, .. } => Some(*answer),
        _ => None,
    };
    bench.done.iter().filter_map(answer).collect()
}

#[test]
fn a_standby_is_answered_when_the_other_node_has_it() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.ask("all", "other");
    assert_eq!(answers(&bench), [], "released, but not yet taken");
    bench.ask("all", "done");
    assert_eq!(answers(&bench), [Answer::Done]);
}

#[test]
fn a_takeover_is_answered_when_everything_runs_here() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::ALL));
    bench.ask("all", "me");
    bench.prompt = false;
    bench.ask("all", "done");
    assert_eq!(answers(&bench), []);
    bench.end_steps();
    assert_eq!(answers(&bench), [Answer::Done]);
}

#[test]
fn a_takeover_that_cannot_start_everything_has_failed() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::ALL));
    bench.ask("all", "me");
    bench.prompt = false;
    bench.ask("all", "done");
    bench.fail_step();
    bench.end_steps();
    assert_eq!(answers(&bench), [Answer::Failed]);
}

#[test]
fn what_is_so_already_is_said_to_be() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Takeover(Set::LOCAL));
    bench.request(Request::Standby(Set::FOREIGN));
    assert_eq!(answers(&bench), [Answer::Already, Answer::Already]);
    assert_eq!(bench.story(), Vec::<String>::new());
}

#[test]
fn a_refusal_says_why() {
    let mut bench = Bench::joined("local");
    bench.request(Request::Standby(Set::ALL));
    bench.request(Request::Takeover(Set::ALL));
    assert_eq!(answers(&bench), [Answer::Busy]);

    let mut bench = Bench::joined("local");
    bench.resource("local", "0", None);
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(answers(&bench), [Answer::InFlux]);

    let mut bench = Bench::joined("none");
    bench.peer_silent();
    bench.run(5_000);
    bench.request(Request::Standby(Set::ALL));
    assert_eq!(answers(&bench), [Answer::PeerGone]);
}

#[test]
fn silence_and_death_of_the_other_node_end_the_wait() {
    for request in [Request::Standby(Set::ALL), Request::Takeover(Set::ALL)] {
        let mut bench = Bench::joined("local");
        bench.request(request);
        bench.run(10_000);
        assert_eq!(answers(&bench), [Answer::NoReply], "{request:?}");

        let mut bench = Bench::joined("local");
        bench.request(request);
        bench.peer_silent();
        bench.run(5_000);
        assert_eq!(answers(&bench), [Answer::Cancelled], "{request:?}");
    }
}
