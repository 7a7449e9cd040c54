//! What became true, and who hears it, in which order: the one table of the core.
//!
//! A module that decides never calls another one that decides. It reports a fact; when it has returned, the row of
//! that fact below calls all that are concerned, from left to right, each to its end: the facts that one of them
//! reports are heard before the next one is called. Modules read each other's state and call what lies below them:
//! the messages, the log, the timers, the groups, [`Core::take`] and [`Core::release`], and
//! [`Core::begin_exchange`].

use serde::{Deserialize, Serialize};

use super::api::event::Answer;
use super::api::group_set::GroupSet;
use super::api::step::Step;
use super::api::time::Instant;
use super::api::unit_news::UnitNews;
use super::core::{Core, each};
use super::guards::claimed::RepeatedClaim;
use super::ownership::operator::MoveDirection;
use super::ownership::state::Decision;
use super::peer::message::{Ask, AskWord, Info, MessageSaid, Report, StatusSaid};
use super::peer::receive::{Said, Unjudged};

/// Something became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fact {
    // Messages.
    /// A node was heard, whatever it said.
    NodeHeard,
    /// A node is heard in a new incarnation; we had `known` an older one.
    NewIncarnation { node: usize, known: bool },
    /// A node that we had declared dead is heard again in the same incarnation.
    Returned { node: usize },
    /// A sequenced message of the present incarnation arrived.
    Received(Unjudged),
    /// It was new.
    Said(Said),
    /// The peer is heard, and does not know this daemon, or does not show that it does.
    SenderUnaware,
    /// Somebody speaks under the peer's name to whom we do not listen.
    PeerIgnored,

    // Lives.
    /// A node has been silent for its dead time.
    NodeSilent { node: usize },
    /// A node has been silent on one link for its dead time.
    LinkSilent { node: usize, link: usize },
    /// A ping node has been silent for `deadping`.
    PingNodeSilent { ping_node: usize },
    /// A ping node answers again, or for the first time.
    PingNodeBack,
    /// What we see of links and ping nodes changed.
    ConnectionsChanged,
    /// We are `active`.
    Active,
    /// A status was accepted.
    StatusHeard { from: usize, said: StatusSaid },
    /// The same, of the peer.
    PeerStatus,
    /// The peer is dead.
    PeerDead,
    /// The peer said `shutdone`.
    PeerLeft,
    /// The peer is a new incarnation.
    PeerRestarted,
    /// A peer that we had declared dead is active, or showed that it is an hbd: both of us may have served alone.
    /// `known`: we had heard a status of it before.
    PeerReappeared { known: bool },
    /// The peer held us for dead a moment ago, by its message `seq`.
    DeclaredDead { seq: u64 },
    /// A peer that we took for a Heartbeat of the first protocol is an hbd.
    PeerIsHbd,

    // Resources.
    /// The peer has nothing any more, for certain: what it had may be taken.
    PeerHasNothing,
    /// A dead peer that may have something is to be reset before anything of it is taken.
    ResetNeeded,
    /// A peer whose reset was waited for is heard.
    ResetNotNeeded,
    /// Nobody has this any more, and this node could not serve it.
    Forgone { set: GroupSet },
    /// Nobody has this any more.
    FreeToTake { set: GroupSet },
    /// With a required witness: it is not certain any more that nobody takes these.
    Unassured { set: GroupSet },
    /// The peer has taken in a later status of ours.
    StatusConfirmed,
    /// The peer was reset, or a human says that it is off.
    PeerIsOff,
    /// What our predecessor held is ours; it was certain that nobody takes it until then, or while the peer is off.
    TookUp { assured_until: Option<Instant>, peer_off: bool },
    /// Something of these may run here, left by our predecessor, and nobody has said so yet.
    MayStillRun { set: GroupSet },
    /// Somebody had stopped these by hand under our predecessor, and that still counts.
    StillStopped { stopped: Vec<(Step, Instant)> },
    /// The witness has given us its key.
    KeyOurs,
    /// Nothing is held back any more for what the LAN answers.
    HoldOver,
    /// A report of the peer that no newer one has overtaken.
    ReportCounts(Report),
    /// We reported that we have decided.
    Reported,
    /// A real Heartbeat did not answer us, or did not heed our `other`.
    PeerSilent,
    /// A real Heartbeat may be in an exchange that we know nothing of.
    PeerMayHang,
    /// It answered: it does not hang.
    PeerAnswered,
    /// What frees it from waiting is about to be said.
    PeerReleased,
    /// A real Heartbeat is to be asked at `at` what it holds.
    HoldQuestion { at: Instant },
    /// A set is to run here again that had not gone down whole.
    WantedAgain { set: GroupSet },
    /// A step ended, or a set is wanted otherwise: groups may be where they were wanted.
    GroupsMaySettle,
    /// A resource could not be started here.
    StartFailed { step: Step, reason: String },
    /// A stop that is not ours has ended the start of a resource.
    StartAborted { step: Step, news: UnitNews },
    /// A unit that runs on both nodes could not be started here.
    EverywhereFailed { step: Step, reason: String },
    /// A resource was started, or stopped, as it was meant to.
    ResourceChanged { step: Step },
    /// A resource runs of which its group does not know.
    FoundRunning { step: Step },
    /// A resource does not run of which its group does not know.
    FoundDown { step: Step },
    /// An address of this set that was here and not ours is gone: neighbours may still take us for its owner.
    LeftoverGone { set: GroupSet },
    /// Somebody asked at that moment for the stop of a unit that is to run here.
    UnitStopped { step: Step, at: Instant },
    /// An operator has cleaned up this group, or all.
    CleanedUp { group: Option<usize> },
    /// A resource could not be stopped.
    StopFailed { step: Step, reason: String },
    /// A check of the service itself says that a resource, which runs, does not serve.
    ServiceFailed { step: Step, reason: String },
    /// It does again, without having been restarted.
    ServiceWell { step: Step },
    /// This node could serve something that it could not serve before.
    ReadyAgain,
    /// We are active, and hold what our predecessor held.
    TakenUp,
    /// The same groups are held by both nodes.
    BothHold { set: GroupSet },
    /// A real Heartbeat runs what we run, or may.
    StorageAtStake { set: GroupSet },
    /// This is given up, and the peer is told when it has stopped.
    LetGo { set: GroupSet },
    /// The groups of a loser, or of a cancelled giver, are down.
    LoserStopped { set: GroupSet, asked_in_vain: bool },
    /// A conflict with a real Heartbeat that does nothing about it is ended by us.
    YieldToHeartbeat { set: GroupSet },
    /// Something was done about a conflict or an orphan.
    ConflictActedOn,
    /// Nobody answers for an address any more.
    AddressSilent,
    /// Somebody repeated a claim to an address that we serve.
    ClaimRepeated(RepeatedClaim),
    /// A machine that is not the peer's claims what we serve.
    StrangerClaimed { step: Step, mac: String, device: String },
    /// These machines answer for what the living peer holds, and `others` for what we hold.
    AnsweredForPeer { machines: Vec<String>, others: Vec<String> },
    /// The lease of an address that is to be ours has ended.
    LeaseLost { step: Step },
    /// Nobody is asked any more about the leases that a group has lost; these addresses come back.
    LeaseSettled { group: usize, back: Vec<Step> },
    /// The peer says MAC addresses that we did not know.
    PeerMacsKnown,
    /// It is the peer's claim, or may be, and we yield.
    ClaimYielded(RepeatedClaim),
    /// A failed group, or one that we cannot serve, was offered to the peer.
    OfferedToPeer { set: GroupSet },
    /// Something changed for which a stop or a restart may have waited.
    PerhapsStable,
    /// A stop gives up everything now.
    LeaveBegins,
    /// A stop has released everything, and said so.
    Relinquished,
    /// We have ended: nothing is due any more.
    Ended,
    /// The maintenance of these groups is over on this node.
    MaintenanceOver { set: GroupSet },

    /// An operator wants this to go back to the peer now.
    ReturnWanted { id: u64, set: GroupSet },
    /// The peer, which had given us something because it was worse connected, is not any more.
    ConnectedAlike,

    // The exchange.
    /// A word of the peer that is not void.
    ExchangeWord { seq: u64, set: GroupSet, ask: Ask },
    /// The peer has released what it gives us, and it is taken here.
    PeerGives { set: GroupSet },
    /// We accept what the peer gives.
    ExchangeAccepted { set: GroupSet },
    /// Both began at the same time, and ours is the one to be given up.
    ExchangeYielded { set: GroupSet, seq: u64 },
    /// The peer knows of no exchange any more.
    ExchangeVoid,
    /// The peer's next word is overdue; `unanswered`: it has not reacted at all.
    ExchangeOverdue { unanswered: bool, set: GroupSet },
    /// We have given, and the peer has taken.
    ExchangeGiven,
    /// The peer has given, and we have taken.
    ExchangeAcquired,
    /// Some of what we give has gone down, and the rest still stops.
    PartDown,
    /// We could not give: a resource did not stop.
    ExchangeUndone { step: Step, reason: String },
    /// That exchange is over, and its set is to stay here.
    KeptHere { set: GroupSet, step: Step },
    /// An exchange ended without that.
    ExchangeEnded { answer: Answer, set: GroupSet },

    /// These had failed, waited for an answer, and do not wait any more.
    Retried { set: GroupSet },
    /// An operator's request is answered.
    Answered { id: u64, answer: Answer },
}

impl Core {
    /// Reports a fact. It is heard when the handler that reports it has returned.
    pub(super) fn raise(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Lets everybody hear what the handler that has just returned reported.
    pub(super) fn hear_facts(&mut self) {
        for fact in std::mem::take(&mut self.facts) {
            self.hear(fact);
        }
    }

    /// Who hears what, in which order.
    fn hear(&mut self, fact: Fact) {
        match fact {
            Fact::NodeHeard => each!(self; check_gate(); greeted()),
            Fact::NewIncarnation { node, known } => {
                each!(self; peer_is_on(node); fencing_heard_from(node); new_incarnation(node, known); remember(node); send_status());
            }
            Fact::Returned { node } => {
                each!(self; peer_is_on(node); returning_after_partition(node); fencing_heard_from(node);
                reset_disproved(node); legacy_returned(node))
            }
            Fact::Received(packet) => each!(self; judge_packet(packet)),
            Fact::Said(said) => self.hear_said(said),
            Fact::SenderUnaware => each!(self; introduce()),
            Fact::PeerIgnored => each!(self; resync_ignored()),

            Fact::NodeSilent { node } => each!(self; remember(node); declare_dead(node)),
            Fact::LinkSilent { node, link } => each!(self; declare_link_dead(node, link)),
            Fact::PingNodeSilent { ping_node } => each!(self; declare_ping_dead(ping_node)),
            Fact::PingNodeBack => {
                each!(self; check_gate(); ipfail_ask(); judge_lan());
            }
            Fact::ConnectionsChanged => each!(self; ipfail_ask()),
            Fact::Active => each!(self; acquire_begins(); legacy_begins(); ipfail_joins(); survey_soon()),
            Fact::PeerIsHbd => each!(self; acquire_begins(); legacy_begins()),
            Fact::StatusHeard { from, said } => {
                each!(self; confirm_status(from); end_start_raise(); peer_is_on(from); remember_number(from); macs_heard(from, &said); configuration_heard(from, said.fingerprint.clone());
                maintenance_heard(from, said.maintenance); left_alone_heard(from, &said.left_alone); degraded_heard(from, &said.degraded);
                unready_heard(from, &said.unready); start_delay_heard(from, said.start_delay); preference_agreed();
                restore_lost(); judge_retries(); report_to_new_life(from))
            }
            Fact::PeerStatus => each!(self; legacy_status()),
            Fact::DeclaredDead { seq } => {
                each!(self; exchange_voided(seq); legacy_declared_dead(); peer_went_deaf(); peer_has_started());
            }

            // The peer is gone, in three ways; the row says what each of them ends. Only one that is dead may still
            // have something; only one that left has said that nothing on the LAN is its own; a new incarnation
            // takes over nothing.
            Fact::PeerDead if self.ownership.decision == Decision::Init => each!(self; peer_has_started()),
            Fact::PeerDead => {
                each!(self;
                    cancel_exchange(); stop_repeating(); cancel_release(); forget_offer(); conflict_over();
                    ipfail_forget(); await_wellness(); forget_their_orphans();
                    peer_died());
            }
            Fact::PeerLeft => {
                each!(self; remember_all(); say_shutdown_notice(); fencing_called_off(); hold_over();
                    cancel_exchange(); stop_repeating(); cancel_release(); forget_offer(); conflict_over();
                    await_wellness(); forget_their_orphans(); peer_left());
            }
            Fact::PeerRestarted => {
                each!(self; peer_restarted();
                    restart_exchange(); stop_repeating(); cancel_release(); forget_offer(); conflict_over();
                    ipfail_forget(); await_wellness(); forget_their_orphans(); legacy_over());
            }

            Fact::PeerReappeared { known } => {
                each!(self; await_report());
                if self.ownership.decided() {
                    each!(self; ipfail_ask(); conflict_reappeared(known));
                    if self.peer_kind().is_hbd() {
                        each!(self; schedule_failback(); answer_reappeared(known); report_untold());
                    } else {
                        if known {
                            each!(self; let_go_of_storage(self.groups.all()));
                        }
                        each!(self; ask_reappeared(known); schedule_release());
                    }
                }
            }

            Fact::PeerHasNothing => each!(self; decide_alone(); legacy_alone(); weigh_takeover(); takeover_settled()),
            Fact::ResetNeeded => each!(self; fence_before_takeover()),
            Fact::ResetNotNeeded => each!(self; ask_peer_again()),
            Fact::Forgone { set } => each!(self; start_what_is_needed(set)),
            Fact::FreeToTake { set } => each!(self; take_from_peer(set); takeover_settled()),
            Fact::HoldOver => each!(self; audit_nobody()),
            Fact::TakenUp => each!(self; announce_soon()),
            Fact::ReportCounts(report) => self.hear_report(&report),
            Fact::Reported => each!(self; repeat_report_soon(); report_untold()),
            Fact::PeerSilent => each!(self; peer_is_silent()),
            Fact::PeerMayHang => each!(self; schedule_release()),
            Fact::PeerAnswered => each!(self; cancel_release()),
            Fact::PeerReleased => each!(self; forget_late_other()),
            Fact::HoldQuestion { at } => each!(self; ask_what_it_holds(at)),
            Fact::WantedAgain { set } => each!(self; wanted_again(set); start_what_is_needed(set)),
            Fact::StartFailed { step, reason } => each!(self; group_failed(step, &reason)),
            Fact::StartAborted { step, news } => each!(self; unit_news(step, news)),
            Fact::EverywhereFailed { step, reason } => each!(self; everywhere_failed(step, reason)),
            Fact::ResourceChanged { step } => each!(self; resource_changed(step)),
            Fact::FoundRunning { step } => each!(self; found_running(step)),
            Fact::FoundDown { step } => each!(self; leftover_gone(step); leave_settled()),
            Fact::LeftoverGone { set } => each!(self; note_leftover_gone(set)),
            Fact::UnitStopped { step, at } => each!(self; unit_stopped(step, at)),
            Fact::CleanedUp { group } => each!(self; note_cleanup(group); retry_groups()),
            Fact::StopFailed { step, reason } => each!(self; undo_giving(step, reason)),
            Fact::ServiceFailed { step, reason } => each!(self; service_failed(step, reason)),
            Fact::ServiceWell { step } => each!(self; service_well(step)),
            Fact::ReadyAgain => each!(self; take_what_is_left(); audit_nobody()),
            Fact::GroupsMaySettle => each!(self; exchange_settled(); takeover_settled(); conflict_settled();
                legacy_settled(); restart_check(); leave_check(); leave_settled(); restart_check()),
            Fact::BothHold { set } | Fact::StorageAtStake { set } => each!(self; let_go_of_storage(set)),
            Fact::Unassured { set } => {
                each!(self; note_orphans(set); let_go(set); report_let_go(); hold_unassured(set))
            }
            Fact::StatusConfirmed => each!(self; tell_leases()),
            Fact::PeerIsOff => each!(self; peer_is_off()),
            Fact::TookUp { assured_until, peer_off } => each!(self; inherit_assurance(assured_until, peer_off)),
            Fact::MayStillRun { set } => each!(self; leave_doubts(set)),
            Fact::StillStopped { stopped } => each!(self; take_up_stopped(stopped)),
            Fact::KeyOurs => each!(self; tell_leases(); fencing_due(); judge_lan()),
            Fact::LetGo { set } => each!(self; let_go(set); report_let_go()),
            Fact::LoserStopped { set, asked_in_vain } => {
                if asked_in_vain {
                    each!(self; release_after_wish(set));
                }
                each!(self; report_released(set); conflict_rests(); audit_nobody());
            }
            Fact::YieldToHeartbeat { set } => each!(self; cancel_exchange(); yield_to_heartbeat(set)),
            Fact::ConflictActedOn => each!(self; conflict_again()),
            Fact::AddressSilent => self.judge_lan(),
            Fact::ClaimRepeated(claim) => each!(self; weigh_claim(claim)),
            Fact::ClaimYielded(claim) => each!(self; yield_group(claim.step); hold_yielded(&claim)),
            Fact::StrangerClaimed { step, mac, device } => each!(self; note_stranger(step, &mac, &device)),
            Fact::AnsweredForPeer { machines, others } => {
                each!(self; note_seen(&machines, &others); name_strangers());
            }
            Fact::LeaseLost { step } => each!(self; ask_to_restore(step)),
            Fact::LeaseSettled { group, back } => each!(self; ask_to_restore_no_more(group); add_again(back)),
            Fact::PeerMacsKnown => each!(self; survey_soon()),
            Fact::OfferedToPeer { set } => each!(self; note_offer(set)),
            Fact::PerhapsStable => each!(self; restart_check(); leave_check()),
            Fact::LeaveBegins => {
                each!(self; cancel_exchange(); release_everything(); stop_leftovers(); restart_check(); leave_settled())
            }
            Fact::Relinquished => each!(self; ipfail_leaves(); linger()),
            Fact::Ended => each!(self; remember_all(); end_membership()),
            Fact::MaintenanceOver { set } => {
                each!(self; health_anew(set); stop_leftovers(); start_what_stopped(set); answer_kept_requests();
                take_what_is_left(); retry_groups())
            }

            Fact::ExchangeWord { seq, set, ask } => {
                each!(self; ipfail_gives(set, &ask));
                if ask.word == AskWord::Me {
                    each!(self; heartbeat_asks());
                }
                each!(self; word_received(seq, set, ask.word));
            }
            Fact::PeerGives { set } => each!(self; keep_given(set)),
            Fact::ExchangeAccepted { set } => each!(self; note_given_back(set)),
            Fact::ExchangeYielded { set, seq } => each!(self; cancel_exchange(); accept_instead(set, seq)),
            Fact::ExchangeVoid => {
                each!(self; call_off_exchange(); report_after_exchange(); repeat_report_soon(); audit_both());
            }
            Fact::ExchangeOverdue { unanswered, set } => {
                each!(self; note_offer_unanswered(set));
                if unanswered {
                    each!(self; peer_is_silent());
                }
                each!(self; report_after_exchange(); audit_both(); request_unanswered(); restart_check(); leave_check());
            }
            Fact::ExchangeGiven => each!(self; cancel_release(); answer_request(Answer::Done); repeat_report_soon();
                restart_check(); leave_check()),
            Fact::ExchangeAcquired => {
                each!(self; repeat_report_soon(); audit_both_if_new(); answer_request(Answer::Done);
                restart_check(); leave_check())
            }
            Fact::PartDown => each!(self; parting_check()),
            Fact::ExchangeUndone { step, reason } => {
                let (_, resource) = self.groups.words(step);
                each!(self; tell_what_is_parted_with(); stop_giving(step); schedule_release();
                    answer_request(Answer::NotReleased { resource, reason }); restart_check(); leave_check())
            }
            Fact::KeptHere { set, step } => each!(self; keep_what_was_given(set, step); report_undone()),
            Fact::ExchangeEnded { answer, set } => {
                each!(self; note_offer_unanswered(set); answer_request(answer))
            }

            Fact::ReturnWanted { id, set } => each!(self; move_groups(id, MoveDirection::ToPeer, set)),
            Fact::Retried { set } => each!(self; clear_no_more(set)),
            Fact::ConnectedAlike => each!(self; plan_return()),
            Fact::Answered { id, answer } => each!(self; answer(id, answer)),
        }
    }

    /// Who hears that what is known of the LAN may count otherwise now. Each time that anything is due as well
    /// ([`super::timers::Timer::Lan`]).
    pub(super) fn judge_lan(&mut self) {
        each!(self; weigh_claims(); restore_lost(); judge_answers(); judge_retries());
    }

    /// Who hears which message.
    fn hear_said(&mut self, said: Said) {
        let Said { from, order, body } = said;
        if !matches!(body, MessageSaid::Status(_)) {
            each!(self; spoke(from, &body));
        }
        if self.refuses_nice(from, &body) {
            return;
        }
        match body {
            MessageSaid::Status(said) => each!(self; status_received(from, order, said)),
            MessageSaid::NodesWanted => each!(self; answer_reqnodes(from)),
            MessageSaid::Nodes(list) => each!(self; repnodes_received(from, list)),
            MessageSaid::NodeChange { change, list } => each!(self; node_change_heard(from, change, list)),
            MessageSaid::Configuration(items) => each!(self; items_heard(from, items)),
            MessageSaid::ClientWanted(client) => each!(self; answer_client_query(from, client)),
            MessageSaid::Stonith { node, result } => each!(self; fencing_heard(from, order.seq, node, result)),
            // Resources are between us and the peer.
            _ if Some(from) != self.peer() => {}
            MessageSaid::Shutdone => self.hear(Fact::PeerLeft),
            MessageSaid::Starting(said) => each!(self; starting_received(order.seq, &said)),
            MessageSaid::Resource(_) if self.ownership.decision == Decision::Init => {}
            MessageSaid::Resource(report) => {
                each!(self; conflict_released(&report));
                if report.void {
                    each!(self; exchange_voided(order.seq); peer_hears_us());
                } else if report.info == Info::Shutdown && self.peer_kind().is_hbd() {
                    // Before it gave up everything it ended what was under way.
                    each!(self; exchange_voided(order.seq));
                }
                if report.info == Info::Standby {
                    each!(self; giver_releases(order.seq));
                }
                each!(self; report_received(order.seq, report));
            }
            MessageSaid::Ask(ask) => {
                if ask.set.is_some() {
                    each!(self; end_overdue_exchange());
                }
                each!(self; ask_received(order.seq, ask));
            }
            MessageSaid::Takeover(said) => each!(self; takeover_received(&said)),
            MessageSaid::IpRequest(key) => each!(self; ip_request_received(key)),
            MessageSaid::IpResponse(key) => each!(self; ip_response_received(key)),
            MessageSaid::Ipfail(said) => each!(self; ipfail_heard(order.seq, said)),
            MessageSaid::Other => {}
        }
    }

    /// Who hears a report that counts.
    fn hear_report(&mut self, report: &Report) {
        if report.deaf {
            // What it says of us once, when it declares us dead, may have been lost, and it hears no question.
            each!(self; peer_went_deaf());
        }
        each!(self; health_heard(report); check_adoption(); orphans_heard(report); peer_decides(report.stable));
        if report.stable == Some(true) {
            each!(self; peer_reports_decided(); repeat_report_soon());
        }
        each!(self; audit(report); offer_failed(); check_failback(); restart_check(); leave_check());
        // An address that somebody left here, and the peer has now, goes at once.
        each!(self; stop_leftovers_now());
    }
}
