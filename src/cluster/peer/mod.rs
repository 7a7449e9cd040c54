//! Messages between the nodes: received, judged new, read, sent, sent again; and what is known of who sends them.
//!
//! Owns the node table, sequence numbers and the messages that were sent. Never decides who is alive or who holds
//! what.
//!
//! | module | question it answers |
//! |---|---|
//! | [`node`] | what do we know of each node? (02 §1.2) |
//! | [`kind`] | is the peer an hbd or a Heartbeat? |
//! | [`link`] | on which links is a node heard? (02 §7.4) |
//! | [`receive`] | is this message for us, and new? (02 §5) |
//! | [`message`] | what does it say? |
//! | [`set_said`] | which groups does it mean? (03 §1, 05 §3.8) |
//! | [`heeded`] | would this message change anything? |
//! | [`claims`] | since when does a node hold its groups? (05 §4.1) |
//! | [`header`] | what tells a message from every other one? (02 §2) |
//! | [`heard`] | what was heard of it, believed or not? |
//! | [`freshness`] | is it of now, or a repetition from before our start? (05 §3.12) |
//! | [`sequence`] | which numbers of a sender were seen, and which are missing? (02 §6.2) |
//! | [`history`] | what did we send? (02 §6.1) |
//! | [`retransmit`] | what is asked for, sent and acknowledged again? (02 §6.3 to §6.5) |
//! | [`connections`] | how are the connections of a machine told? (05 §3.16) |
//! | [`own_macs`] | how are the MAC addresses of a machine said? (05 §3.14) |
//! | [`send`] | how are our messages built and numbered? |
//! | [`ping`] | which ping nodes answer? (02 §7.9) |

pub(in crate::cluster) mod claims;
pub(in crate::cluster) mod connections;
pub(in crate::cluster) mod freshness;
pub(in crate::cluster) mod header;
pub(in crate::cluster) mod heard;
pub(in crate::cluster) mod heeded;
pub(in crate::cluster) mod history;
pub(in crate::cluster) mod kind;
pub(in crate::cluster) mod link;
pub(in crate::cluster) mod message;
pub(in crate::cluster) mod node;
pub(in crate::cluster) mod own_macs;
pub(in crate::cluster) mod ping;
pub(in crate::cluster) mod receive;
pub(in crate::cluster) mod retransmit;
pub(in crate::cluster) mod send;
pub(in crate::cluster) mod sequence;
pub(in crate::cluster) mod set_said;
