//! ipfail (03 §10) beside a real one, and between two hbd nodes; the tie-break after a partition.

use super::*;

const CLIENT: [(&str, &str); 3] = [("from_id", "ipfail"), ("to_id", "ipfail"), ("client_gen", "0")];

/// We joined a real Heartbeat that holds its own groups and runs ipfail. Our one ping node answers.
struct Connected {
    bench: Bench,
    answers: bool,
}

impl std::ops::Deref for Connected {
    type Target = Bench;
    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl std::ops::DerefMut for Connected {
    fn deref_mut(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

impl Connected {
    fn with(failback: AutoFailback, hold: &str, change: impl FnOnce(&mut Settings)) -> Connected {
        let mut bench = Bench::with(|settings| {
            settings.ping_nodes = vec!["10.0.0.254".into()];
            settings.connectivity.ipfail = true;
            settings.auto_failback = failback;
            change(settings);
        });
        bench.feed(Event::Start);
        bench.feed(Event::PingAnswered { node: 0 });
        let mut connected = Connected { bench: bench.activated(), answers: true };
        connected.bench.says("starting", &[]);
        connected.bench.resource(hold, "1", None);
        connected.passes(12_000);
        connected.done.clear();
        connected
    }

    fn new(hold: &str) -> Connected {
        Connected::with(AutoFailback::On, hold, |_| {})
    }

    /// Time passes, and the ping node answers every second while it is reachable.
    fn passes(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds / 500 {
            if self.answers {
                self.bench.feed(Event::PingAnswered { node: 0 });
            }
            self.bench.run(500);
        }
    }

    /// The ping node no longer answers and is declared dead.
    fn loses_the_lan(&mut self) {
        self.answers = false;
        self.passes(5_000);
    }

    fn finds_the_lan(&mut self) {
        self.answers = true;
        self.passes(500);
    }

    fn ipfail_says(&mut self, kind: &str, fields: &[(&str, &str)]) {
        let fields: Vec<_> = [("dest", "nodea")].iter().chain(fields).chain(&CLIENT).copied().collect();
        self.says(kind, &fields);
    }

    fn counts(&mut self, number: &str) {
        self.ipfail_says("num_ping_nodes", &[("num_ping", number)]);
    }

    /// The messages of our ipfail, each with its count.
    fn said(&mut self) -> Vec<String> {
        let ours = ["hbapi-clstat", "num_ping_nodes", "abort_giveup", "you_are_dead", "ask_resources"];
        let fields = ["st", "num_ping", "rsc_hold", "info"];
        let words = |message: &Message| {
            let kind = message.kind().filter(|kind| ours.contains(kind))?.to_owned();
            let values = fields.iter().filter_map(|name| message.text(name)).map(str::to_owned);
            Some([kind].into_iter().chain(values).collect::<Vec<_>>().join(" "))
        };
        let sent = self.done.iter().filter_map(|(_, action)| match action {
            Action::Send(message) => words(message),
            _ => None,
        });
        let said = sent.collect();
        self.done.clear();
        said
    }
}

/// The fields of a message before the control fields, in the notation of 03 §10.1.
fn body(message: &Message) -> String {
    let names: Vec<_> = message.fields().iter().map(|field| field.name.as_str()).collect();
    names.join(" ")
}

#[test]
fn messages_have_the_fields_of_a_real_ipfail() {
    let mut bench = Bench::with(|settings| settings.connectivity.ipfail = true);
    bench.feed(Event::Start);
    let mut bench = bench.activated();
    for count in ["0", "1"] {
        let fields: Vec<_> = [("dest", "nodea"), ("num_ping", count)].iter().chain(&CLIENT).copied().collect();
        bench.says("num_ping_nodes", &fields);
    }
    let rest = "seq hg ts ld ttl";
    let first = |kind: &str| body(&bench.sent(kind)[0]);
    assert_eq!(first("hbapi-clstat"), format!("t st from_id to_id src info client_gen srcuuid {rest}"));
    let counted = "t src num_ping dest from_id to_id client_gen destuuid srcuuid";
    assert_eq!(first("num_ping_nodes"), format!("{counted} {rest}"));
    let aborted = "t src dest from_id to_id client_gen destuuid srcuuid";
    assert_eq!(first("abort_giveup"), format!("{aborted} {rest}"));
    let mut connected = Connected::new("local");
    connected.counts("0");
    let dead = "t dest from_id to_id client_gen destuuid src srcuuid";
    assert_eq!(body(&connected.sent("you_are_dead")[0]), format!("{dead} {rest}"));
    connected.counts("2");
    connected.passes(2_500);
    let asked = "t rsc_hold src info from_id to_id client_gen srcuuid";
    assert_eq!(body(&connected.sent("ask_resources")[0]), format!("{asked} {rest}"));
}

#[test]
fn without_ipfail_ping_nodes_are_only_reported() {
    let mut connected = Connected::with(AutoFailback::On, "local", |settings| settings.connectivity.ipfail = false);
    connected.loses_the_lan();
    connected.counts("1");
    connected.ipfail_says("you_are_dead", &[]);
    connected.passes(5_000);
    assert_eq!(connected.said(), Vec::<String>::new());
    assert_eq!(connected.view().ping_nodes[0].status(), "dead");
}

#[test]
fn ipfail_joins_when_we_become_active_and_sends_its_count() {
    let mut bench = Bench::with(|settings| {
        settings.ping_nodes = vec!["10.0.0.254".into()];
        settings.connectivity.ipfail = true;
    });
    bench.feed(Event::Start);
    bench.feed(Event::PingAnswered { node: 0 });
    let mut connected = Connected { bench: bench.activated(), answers: true };
    assert_eq!(connected.said(), ["hbapi-clstat join signon", "num_ping_nodes 1"]);
    connected.says("hbapi-clstat", &[("st", "join"), ("from_id", "ipfail"), ("to_id", "ipfail"), ("info", "signon")]);
    assert_eq!(connected.said(), ["num_ping_nodes 1"], "a real ipfail asks whoever joins");
    connected.says("query-cstatus", &[("dest", "nodea"), ("cn", "ipfail"), ("from_id", "99")]);
    assert_eq!(connected.field("respond-cstatus", "cs"), ["online"]);
}

/// What tests/captures/ipfail.pcap shows, from nodea's side.
#[test]
fn the_node_that_sees_less_gives_everything_up_after_two_keepalives() {
    let mut connected = Connected::new("local");
    connected.loses_the_lan();
    assert_eq!(connected.said(), ["num_ping_nodes 0"]);
    connected.ipfail_says("you_are_dead", &[]);
    connected.passes(1_500);
    assert_eq!(connected.said(), Vec::<String>::new(), "the other may lose it too");
    connected.passes(1_000);
    assert_eq!(connected.said(), ["ask_resources all me"]);
    connected.ask("all", "other");
    connected.ask("all", "done");
    connected.resource("all", "1", None);
    assert_eq!(connected.view().resource_state, "none");
    connected.done.clear();
    connected.passes(5_000);
    connected.finds_the_lan();
    assert_eq!(connected.said(), ["num_ping_nodes 1"]);
    connected.ipfail_says("abort_giveup", &[]);
    connected.ask("foreign", "me");
    connected.ask("foreign", "done");
    connected.resource("local", "1", None);
    assert_eq!(connected.view().resource_state, "local", "the other node gives back by its own auto_failback");
}

#[test]
fn if_both_lose_the_ping_node_nothing_moves() {
    let mut connected = Connected::new("local");
    connected.loses_the_lan();
    connected.ipfail_says("you_are_dead", &[]);
    connected.passes(1_000);
    connected.done.clear();
    connected.counts("0");
    assert_eq!(connected.said(), ["abort_giveup"]);
    connected.passes(5_000);
    assert_eq!(connected.said(), Vec::<String>::new());
    assert_eq!(connected.view().resource_state, "local");
}

#[test]
fn a_give_up_is_called_off_by_the_other_node_and_by_its_return() {
    for call_off in [("abort_giveup", None), ("num_ping_nodes", Some("0"))] {
        let mut connected = Connected::new("local");
        connected.loses_the_lan();
        connected.counts("1");
        connected.passes(1_000);
        let fields: Vec<_> = call_off.1.map(|number| ("num_ping", number)).into_iter().collect();
        connected.ipfail_says(call_off.0, &fields);
        connected.done.clear();
        connected.passes(5_000);
        assert_eq!(connected.said(), Vec::<String>::new(), "{call_off:?}");
    }
}

#[test]
fn groups_that_moved_for_a_ping_node_go_back_when_the_counts_are_equal() {
    for (failback, back) in [(AutoFailback::On, true), (AutoFailback::Off, false)] {
        let mut connected = Connected::with(failback, "local", |_| {});
        connected.counts("0");
        assert_eq!(connected.said(), ["you_are_dead"]);
        connected.ask("all", "me");
        connected.ask("all", "done");
        connected.resource("none", "1", None);
        connected.done.clear();
        connected.counts("1");
        assert_eq!(connected.said(), ["abort_giveup"]);
        connected.passes(2_500);
        let expected: &[&str] = if back { &["ask_resources foreign me"] } else { &[] };
        assert_eq!(connected.said(), expected, "{failback:?}");
    }
}

#[test]
fn groups_that_a_real_ipfail_gave_go_back_without_its_count() {
    let mut connected = Connected::new("local");
    connected.finds_the_lan();
    connected
        .says("ask_resources", &[("rsc_hold", "all"), ("info", "me"), ("from_id", "ipfail"), ("to_id", "ipfail")]);
    connected.ask("all", "done");
    connected.resource("none", "1", None);
    connected.done.clear();
    connected.ipfail_says("abort_giveup", &[]);
    connected.passes(2_500);
    assert_eq!(connected.said(), ["ask_resources foreign me"]);
}

/// The peer's count, equal again, overtook the request of its ipfail: there was nothing here yet that could go back.
#[test]
fn groups_that_come_after_the_counts_were_equal_go_back_too() {
    let mut connected = Connected::new("local");
    connected.counts("0");
    connected.counts("1");
    connected.passes(2_500);
    connected.done.clear();
    connected
        .says("ask_resources", &[("rsc_hold", "all"), ("info", "me"), ("from_id", "ipfail"), ("to_id", "ipfail")]);
    assert_eq!(connected.said(), ["num_ping_nodes 1", "ask_resources all other"]);
    connected.ipfail_says("abort_giveup", &[]);
    connected.ask("all", "done");
    connected.resource("none", "1", None);
    connected.done.clear();
    connected.passes(2_500);
    assert_eq!(connected.said(), ["ask_resources foreign me"]);
}

#[test]
fn groups_that_an_operator_moved_stay() {
    let mut connected = Connected::new("local");
    connected.ask("all", "me");
    connected.ask("all", "done");
    connected.resource("none", "1", None);
    connected.done.clear();
    connected.counts("1");
    connected.passes(5_000);
    assert_eq!(connected.said(), ["abort_giveup"]);
}

#[test]
fn a_node_that_is_back_without_the_lan_gets_nothing_back() {
    let mut connected = Connected::new("local");
    connected.peer_silent();
    connected.passes(5_000);
    assert_eq!(connected.view().resource_state, "all");
    connected.peer_restarts();
    connected.peer_beats("active", 0xfa0);
    connected.counts("0");
    connected.says("starting", &[]);
    connected.done.clear();
    connected.resource("none", "1", None);
    connected.passes(10_000);
    assert_eq!(connected.said(), Vec::<String>::new());
    connected.counts("1");
    connected.passes(3_500);
    assert_eq!(connected.said(), ["abort_giveup", "ask_resources foreign me"]);
}

#[test]
fn an_overtaken_count_is_ignored() {
    let mut connected = Connected::new("local");
    let fields: Vec<_> = [("dest", "nodea"), ("num_ping", "2")].iter().chain(&CLIENT).copied().collect();
    let late = connected.bench.message("num_ping_nodes", &fields);
    connected.counts("1");
    connected.done.clear();
    connected.hears(late);
    connected.passes(5_000);
    assert_eq!(connected.said(), Vec::<String>::new());
}

#[test]
fn counts_are_compared_again_when_the_peer_is_heard_again() {
    let mut connected = Connected::new("local");
    connected.peer_silent();
    connected.passes(5_000);
    connected.done.clear();
    connected.peer_status();
    assert_eq!(connected.said(), ["num_ping_nodes 1"]);
}

#[test]
fn a_give_up_that_cannot_begin_is_decided_again_after_ten_seconds() {
    let mut connected = Connected::new("local");
    connected.loses_the_lan();
    connected.resource("local", "0", None);
    connected.counts("1");
    connected.done.clear();
    connected.passes(11_000);
    assert_eq!(connected.said(), Vec::<String>::new(), "the peer is in flux");
    connected.resource("local", "1", None);
    connected.passes(2_000);
    assert_eq!(connected.said(), ["num_ping_nodes 0"]);
}

#[test]
fn a_dead_link_to_the_peer_makes_us_compare() {
    let mut connected = Connected::new("local");
    let status = connected.bench.status();
    connected.hears_on(1, status);
    connected.done.clear();
    connected.passes(4_500);
    assert!(connected.logged("Link nodeb:eth1 dead."));
    assert_eq!(connected.said(), ["num_ping_nodes 1"]);
}

#[test]
fn ipfail_leaves_when_we_stop() {
    let mut connected = Connected::new("local");
    connected.request(Request::Shutdown);
    connected.passes(1_000);
    assert_eq!(connected.said(), ["hbapi-clstat leave signoff"]);
}

/// Each node loses the other, and only the one that reaches a ping node takes over.
#[test]
fn without_a_ping_node_nothing_is_taken_until_one_answers() {
    let needs = |settings: &mut Settings| settings.connectivity.takeover_needs_ping = true;
    let mut connected = Connected::with(AutoFailback::On, "local", needs);
    connected.peer_silent();
    connected.passes(5_000);
    assert_eq!(connected.view().hold, Set::ALL, "connected: it is the other that is gone");

    let mut connected = Connected::with(AutoFailback::On, "local", needs);
    // The peer and the ping node fall silent at the same moment, and the ping node is not declared dead yet.
    connected.answers = false;
    connected.peer_silent();
    connected.passes(4_500);
    assert!(connected.logged("not taking over, because it is probably we who are cut off"));
    assert_eq!(connected.view().hold, Set::LOCAL);
    assert_eq!(connected.view().groups[1].held_back.as_deref(), Some("no ping node answers"));
    connected.passes(60_000);
    assert_eq!(connected.view().hold, Set::LOCAL, "patience changes nothing");
    connected.done.clear();
    connected.finds_the_lan();
    assert_eq!(connected.view().hold, Set::ALL);
    assert!(connected.logged("a ping node answers again: taking over what nodeb had"));
    assert!(!connected.logged("nobody answers for the addresses"));
}

#[test]
fn a_peer_that_stops_is_taken_over_without_any_ping_node() {
    let needs = |settings: &mut Settings| settings.connectivity.takeover_needs_ping = true;
    let mut connected = Connected::with(AutoFailback::On, "local", needs);
    connected.answers = false;
    connected.passes(5_000);
    connected.resource("none", "0", Some("shutdown"));
    connected.says("shutdone", &[("st", "dead")]);
    assert_eq!(connected.view().hold, Set::ALL);
}
