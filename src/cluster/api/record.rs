//! What the core has to say to an administrator: one variant per kind of record.
//!
//! Owns the texts (those of 04 §12.2, word for word where runbooks match on them), their priority and their id. Never
//! writes anything: the thread of the journal does.

use serde::{Deserialize, Serialize};

/// Syslog priority (journald's PRIORITY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// 2
    Critical = 2,
    /// 3
    Error = 3,
    /// 4
    Warning = 4,
    /// 6
    Info = 6,
}

/// The fields that a record may carry beside its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// HBD_NODE
    pub node: Option<&'a str>,
    /// HBD_LINK
    pub link: Option<&'a str>,
    /// HBD_GROUP
    pub group: Option<&'a str>,
    /// HBD_RESOURCE
    pub resource: Option<&'a str>,
}

/// Sets the journal field that a record's field is named after. A field of any other name is in the text only.
macro_rules! journal_field {
    ($subject:ident, node, $value:expr) => {
        $subject.node = Some($value)
    };
    ($subject:ident, link, $value:expr) => {
        $subject.link = Some($value)
    };
    ($subject:ident, group, $value:expr) => {
        $subject.group = Some($value)
    };
    ($subject:ident, resource, $value:expr) => {
        $subject.resource = Some($value)
    };
    ($subject:ident, $other:ident, $value:expr) => {
        let _ = $value;
    };
}

/// Declares the kinds: name, fields, priority, MESSAGE_ID, text. The fields `node`, `link`, `group` and `resource`
/// are also journal fields, see [`Subject`].
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } $priority:ident $id:literal $text:literal;)*) => {
        /// One thing worth an entry in the journal.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Record {
            $(
                #[doc = concat!("`", $text, "`")]
                $name {
                    $(
                        #[doc = concat!("The text's `", stringify!($field), "`.")]
                        $field: $type
                    ),*
                },
            )*
        }

        impl Record {
            /// How bad it is.
            pub fn priority(&self) -> Priority {
                match self {
                    $(Record::$name { .. } => Priority::$priority,)*
                }
            }

            /// MESSAGE_ID: 32 lower-case hex digits, one per kind (journal catalog).
            pub fn message_id(&self) -> &'static str {
                match self {
                    $(Record::$name { .. } => $id,)*
                }
            }

            /// HBD_EVENT: the kind by name.
            pub fn event(&self) -> &'static str {
                match self {
                    $(Record::$name { .. } => stringify!($name),)*
                }
            }

            /// MESSAGE.
            // Not every text names every field: some are there for the journal's fields only.
            #[allow(unused_variables)]
            pub fn text(&self) -> String {
                match self {
                    $(Record::$name { $($field),* } => format!($text),)*
                }
            }

            /// What the record is about, as journal fields.
            // A kind without fields sets nothing.
            #[allow(unused_mut)]
            pub fn subject(&self) -> Subject<'_> {
                let mut subject = Subject::default();
                match self {
                    $(Record::$name { $($field),* } => { $(journal_field!(subject, $field, $field);)* })*
                }
                subject
            }

            /// Every MESSAGE_ID with its kind, for the catalog.
            pub const IDS: &'static [(&'static str, &'static str)] = &[$((stringify!($name), $id)),*];
        }
    };
}

records! {
    LocalStatus { status: String } Info "ccd2d181470a4d7a89053cb53df998c8"
        "Local status now set to: '{status}'";
    StatusUpdate { node: String, status: String } Info "319409c350d6416e852adc2248a9c91e"
        "Status update for node {node}: status {status}";
    NodeDead { node: String } Warning "4612d260ec2948108792840ce3c75e0c"
        "node {node}: is dead";
    LinkUp { node: String, link: String } Info "63b08c0363f348cf8341796ab51c8d1c"
        "Link {node}:{link} up.";
    LinkDead { node: String, link: String } Warning "6ecb1261c8f84f2483fdbdf584b45133"
        "Link {node}:{link} dead.";
    FewerPingNodes { node: String } Warning "e524ca6af9254ba99acfd847f52fb50f"
        "Giving up because we were told that we have less ping nodes: {node} sees more than we do";
    MorePingNodes { node: String } Info "24bdf469e1074d9f9433e56450792bba"
        "Telling other node that we have more visible ping nodes: {node} is worse connected";
    PingNodesBalanced { node: String } Info "9fcb83d274294371a94a95b2de30d75d"
        "Ping node count is balanced: giving {node} its resources back (auto_failback)";
    GivenUpForPings { node: String } Warning "98fa54a58b27421397690057b2937552"
        "{node} is better connected than we are: giving it all our resources";
    NoPingNode { node: String } Critical "6ffd8fa346354ea8a82afa8c04d5d95a"
        "{node} is dead to us, but no ping node answers either: not taking over, because it is probably we who are cut off (hbd.toml: takeover_needs_ping). Mend this machine's network";
    PingNodeBack { node: String } Info "a7b5175cbdc744fc8e0f7999ce114e7d"
        "a ping node answers again: taking over what {node} had";
    Resetting { node: String } Warning "e04c1cf0fb0c491684f2ae02aefda164"
        "Resetting node {node} with its fencing device: nothing of it is taken before that has succeeded";
    NodeReset { node: String } Info "c18bcbd39dce4054b04d9d0906964e2b"
        "node {node} now reset.";
    NotReset { node: String, reason: String } Error "14bb84ca9cf14e0c89e2cea6b9db1e61"
        "Host {node} not reset! {reason}";
    ResetRetried { node: String, seconds: u64 } Error "c25eb2bd66874cb6b0374ebd7f9740f9"
        "STONITH of {node} failed.  Retrying... in {seconds} s. If {node} is off for certain, say so: hbctl confirm-fenced {node}";
    ResetCalledOff { node: String } Warning "1325a4056afb4f5eb21780e28a7464f8"
        "node {node} is heard again before it was reset: it is let live";
    ResetPutOff { node: String } Warning "e92136acba7c422385dce5255858814f"
        "{node} is silent, and is not reset, because the witness has given it its key: it lives. It is reset if it is still silent when its key has ended. Mend what is between the nodes";
    ResetByHand { node: String } Warning "2845c2bb695349c4aa2a2e0ffde5727e"
        "an operator says that {node} is off: taking over what it had";
    ResetWasNone { node: String } Critical "8b54939dd129444f82d2dd2dacbf0938"
        "node {node} was reset, as its fencing device said, and is heard again without having restarted: the device resets nothing, or another machine";
    LateHeartbeat { node: String, interval_ms: u64 } Warning "238dccedfea645a5813dc8ab2857585f"
        "Late heartbeat: Node {node}: interval {interval_ms} ms";
    NodeRestarted { node: String } Info "ad1b9337a54e48888b9ce267ba5531d7"
        "Heartbeat restart on node {node}";
    ReturningAfterPartition { node: String } Critical "89ca8206de954ddd8af7e8db58542c7a"
        "Cluster node {node} returning after partition.";
    DeadtimeTooSmall {} Warning "f04cd951a22e41a78c257f49c77975f4"
        "Deadtime value may be too small.";
    Replay { node: String, generation: u64, known: u64 } Error "b9fc651986e3476c8153ca6d8ca4824e"
        "should_drop_message: attempted replay attack [{node}]? [gen = {generation}, curgen = {known}]";
    NotBelieved { node: String } Warning "b1481f431cfc63c4e4e33acb945402c4"
        "node {node} is heard, and does not know this daemon: nothing that it says is believed. Either it does not hear this node (look at its links and its firewall), or somebody repeats packets recorded earlier";
    GenerationWentBack { node: String, generation: u64, known: u64 } Warning "9ce81149f2aa5efef7ddc0d7d949a067"
        "node {node} has started with generation {generation}, and had {known} before: its /var/lib/heartbeat/hb_generation was set back. It knows this daemon, so it is believed";
    UnknownNode { node: String } Error "04412cc7079345e38ea503ecdecbe669"
        "process_status_message: bad node [{node}] in message";
    Impostor { node: String } Error "fd3a8183ce0e433c88af4920b7a9fea7"
        "another machine sends under our name '{node}': it is ignored. Give it a name of its own in ha.cf and its own /var/lib/heartbeat/hb_uuid";
    ClonedUuid { node: String } Error "3573def9caad4f2187e0a577dc9d8ed2"
        "node '{node}' sends with our uuid: it is ignored. Remove /var/lib/heartbeat/hb_uuid there (a copied disk image) and restart it";
    NameTwice { node: String } Error "4abe4212e5b4412f8bcbdefe805644e3"
        "two machines send under the name '{node}': the one that came later, with another uuid, is ignored while the other lives. Give it a name of its own in ha.cf (and uname -n)";
    SharedUuid { node: String, other: String } Error "7975efa024c3470ab3a3f168897e9921"
        "the nodes '{node}' and '{other}' send with the same uuid (a copied disk image): they are told apart by name. Remove /var/lib/heartbeat/hb_uuid on one of them and restart it; a Heartbeat confuses them";
    NodeChange { node: String, change: String, list: String } Warning "6d33c38734094d0fbd9cd2cb0775f1a3"
        "{change} '{list}' from node {node} is ignored: hbd takes its nodes from ha.cf only. Change the node lines there, on every node";
    LostPackets { node: String, count: u64, first: u64, last: u64 } Warning "6c159170fa0244fd8fa007ab56f85177"
        "{count} lost packet(s) for [{node}] [{first}:{last}]";
    LostForGood { node: String, seq: u64 } Error "6167db3418874c158cf49220f069ced7"
        "Irretrievably lost packet: node {node} seq {seq}";
    NodeListDiffers { node: String, list: String } Warning "3f966c424e0745a1867603226c2770c3"
        "node {node} knows other nodes than our ha.cf: '{list}'. Make the node lines of both files equal";
    CommNowUp {} Info "a12ac306ec7344e48f4869cd71cc1a40"
        "Comm_now_up(): updating status to active";
    InitialAcquisitionComplete { reason: String } Info "9768c43bee31468d8f2d0c783b7e40fb"
        "Initial resource acquisition complete ({reason})";
    LocalTransitionCompleted {} Info "b99fd81acaa64fec879e680844800954"
        "local resource transition completed.";
    RemoteTransitionCompleted {} Info "7ceeb5c4c25f4fca8a31db84d9005784"
        "remote resource transition completed.";
    AcquiringFrom { node: String } Info "9b57fd259052472788bd6d6cd3e671ae"
        "Resources being acquired from {node}.";
    TakeoverComplete { node: String } Info "493462a5f9704da38f3dbec9ef85c5b8"
        "mach_down takeover complete for node {node}.";
    AcquiringGroup { group: String, preferred: String, resources: String } Info "9f96aeafe8ac4d01838280f072e40478"
        "Acquiring resource group: {preferred} {resources}";
    ReleasingGroup { group: String, preferred: String, resources: String } Info "4e098400ffd64b068f42bb25fa41715e"
        "Releasing resource group: {preferred} {resources}";
    GroupActive { group: String } Info "02326b36c21144858a3196dcfff18be5"
        "resource group {group} is active here";
    GroupStopped { group: String } Info "a35872478bb741218ff61f513b8c3e49"
        "resource group {group} is stopped here";
    StartFailed { group: String, resource: String, reason: String } Error "bbc61c9b591b41cc8d87b65a6b4078e8"
        "{resource} did not start: {reason}";
    GroupGivenUp { group: String, resource: String } Critical "61e7968340b845778804f8cc60b3a790"
        "Giving up resources due to failure of {resource}";
    StopFailed { group: String, resource: String, reason: String, attempt: u32 } Error "a5eb7633b190421681e2c7d01a4584fd"
        "{resource} did not stop (attempt {attempt}): {reason}";
    ShutdownNotice { node: String } Info "12d655c1efe647968d0ff1611f8a5deb"
        "Received shutdown notice from '{node}'.";
    NoFencing {} Warning "412efa60c842484d8435cd2c9d30b0bc"
        "No STONITH device configured.";
    DisksUnprotected {} Warning "424e562e26b04e0e802d83510db8f8d2"
        "Shared disks are not protected.";
    GaveUpResources { node: String } Info "d1b4d99883fb4df582cd24bc9fcdee1a"
        "Dead node {node} gave up resources.";
    BothOwn { whose: String } Error "ef6dceddc2e84cd38870d39b7a8059ce"
        "Both machines own {whose} resources!";
    NoOneOwns { whose: String } Error "42775e4d24f14c06881549ab5b61ae83"
        "No one owns {whose} resources!";
    ConflictLost { node: String } Warning "8a4103a4b3cb48f38bf4e2c7757d1a6d"
        "node {node} holds the same resources and keeps them: releasing ours";
    ConflictWon { node: String } Info "bca1efb4af46431a83dfc0da6ed0d739"
        "the conflict with node {node} is over: announcing our addresses again";
    StorageLetGo { node: String } Critical "9a9e76e7aed54507aefe8ea62b8f15d4"
        "node {node} may be using the same disks: releasing resource groups with storage here until it has released them";
    HeldBack { group: String, resource: String, node: String, mac: String, whose: String } Critical "67fedb0317ba44f4a5bfb64279f45e61"
        "{node} is dead, but its address {resource} is still answered by {mac} ({whose}): not taking over group {group} until nobody answers. If that node must be ignored, switch it off, or write conflict = \"takeover\" into hbd.toml";
    HoldCleared { group: String, node: String } Critical "c1a5b96e5d0f4a6db0f3f0b7e2a94c18"
        "an operator knows who has the addresses of group {group}: taking it over from {node}, whoever answers";
    TakenFromStranger { group: String, resource: String, node: String, mac: String, device: String } Error "f7175268ab2a49a3a5f61323587c0351"
        "{resource} is answered by {mac} on {device}, which is no machine of {node}'s: taking over group {group} all the same. Take the address away from that machine, or switch off proxy ARP there";
    Unassured { node: String, reason: String } Critical "3dd25402e2154136874d1f5405c85688"
        "{node} is not heard, and {reason}: releasing everything here, because {node} may take it. Mend the links to {node} and to the witness; to go on without a witness write required = false under [witness] in hbd.toml";
    KeyTaken { node: String } Info "e7c9867f0a1a41a4addd7a65481c087e"
        "the witness has given this node its key: {node}, which is not heard, takes nothing";
    KeyDenied { node: String } Warning "cd26be53864f4877ba7d9026177d897f"
        "the witness has given its key to {node}: this node takes nothing, and keeps nothing that {node} does not confirm";
    KeyLost { reason: String } Error "9609f286992940748e8145b062ef3b16"
        "the key of the witness is not this node's any more: {reason}";
    WitnessSilent { reason: String } Warning "57e460b5f4114ffc94d9498c90f537a6"
        "the witness does not answer ({reason}): as long as the nodes hear each other nothing depends on it. Look at its endpoints under [witness] in hbd.toml";
    WitnessAnswers {} Info "0fdcc9ee43bc4d969d3f77b27da81f28"
        "the witness answers again";
    WitnessReplaced { reason: String } Warning "0fb1a90ce01d4647a04dea2eecd9c105"
        "the witness is not as it was: {reason}. The nodes hear each other, so it counts from now on as it is";
    NobodyAnswers { node: String } Info "38e33279658a432cb08a682f1ed19793"
        "nobody answers for the addresses of {node} any more: taking them over";
    AddressClaimed { group: String, resource: String, mac: String } Error "6ce01c85340d420083bcbe195087858a"
        "{mac} claims our address {resource}: announcing it again. Which machine has that MAC address, and why does it use an address of group {group}?";
    StrangerClaims { group: String, resource: String, node: String, mac: String, device: String } Error "060e2aa48e1247f28a4b417ae53ea8b3"
        "{mac} on {device} claims our address {resource}, and is no machine of {node}'s: the address stays here and is announced against it. Find that machine, and take the address away from it";
    AnsweredBeside { group: String, resource: String, mac: String, device: String } Warning "20f937fd458e4bdca4917622951dd216"
        "{mac} on {device} answers for {resource} as well, beside its owner: a router with proxy ARP, or a machine that was given the address by mistake. Clients may reach that instead of group {group}";
    AnsweredBesideOver { mac: String } Info "b415239d8a3d40bca2e17f7bc50751a2"
        "{mac} does not answer for addresses of our groups any more";
    GroupYielded { group: String, resource: String, node: String, mac: String, whose: String } Critical "da91ba5bd94f44ffbcc4e3111284ea1a"
        "{mac} ({whose}) goes on claiming our address {resource}, and {node} cannot be heard: releasing group {group}. Mend the heartbeat links; to fight instead write on_claim = \"defend\" into hbd.toml";
    LeaseLost { group: String, resource: String } Critical "d61d0c9957ee46cbbbb867b8af2ace7c"
        "we were silent for so long that the lease of {resource} ended: asking whether somebody else has it before it is added again. What held up this machine, or hbd?";
    AddressRestored { group: String, resource: String } Info "52d8737eef5a41e3842a5da15be5861d"
        "nobody else has {resource}: adding it again";
    InterfaceCut { group: String, resource: String } Error "b441c5b03bd4432fbcb2a3d82aa228fd"
        "the interface of {resource} is gone, down, or has no carrier: nobody can reach group {group} here";
    InterfaceBack { group: String, resource: String } Info "58c0d292eb8b42439bb81dbf3b14a104"
        "the interface of {resource} works";
    GivenUpForCarrier { node: String, set: String } Warning "7e5b7542f08149b48880f704b379fafa"
        "nobody can reach our {set} resources here, and {node} can serve: releasing them";
    StandbyWanted { node: String, set: String } Info "d7e34df0f52a4fb680160be5e8779bba"
        "{node} wants to go standby [{set}]";
    StandbyCanTake { node: String, set: String } Info "d079760b334d4ba5893e3187edc6b009"
        "standby: {node} can take our {set} resources";
    StandbyAcquired { set: String } Info "187a8547f740458b890722992f9ba97f"
        "Standby resource acquisition done [{set}].";
    StandbyFinished { node: String } Info "b11bac882f2449b2898df2e8625d365d"
        "Other node completed standby takeover of {node} resources.";
    StandbyNoReply {} Warning "a1e29b16f6ca4b87840f193f41d9e856"
        "No reply to standby request.  Standby request cancelled.";
    StandbyInProgress { node: String, seconds: u64 } Warning "34a38fe4d1cd483e8aaa3072c32130cb"
        "Standby in progress- new request from {node} ignored [{seconds} seconds left]";
    StandbyInFlux { node: String, whose: String } Warning "0354f367f65b484c875d98044469f139"
        "standby message [me] from {node} ignored.  {whose} in flux.";
    MoveWaits { node: String, awaited: String } Info "97d619d0924c46e39e2fbed4beddce1f"
        "the move that an operator asked for waits for {awaited}";
    StandbyCancelled {} Info "1e699b7d6efd4f758b1d9dcd58806418"
        "Cancelling pending standby operation";
    PeerIsLegacy { node: String } Error "ed3833f99103426a8470a1f2b997fbe7"
        "node {node} speaks the legacy protocol (auto_failback legacy or absent in its ha.cf): write 'auto_failback on' or 'off' in both files; nothing is moved until then";
    Adopting { set: String } Info "d6b2ce6bf78842a5be597998aaa3d7bb"
        "taking up what hbd held here before it ended: [{set}]; nothing is stopped";
    PreferenceChanged { group: String, node: String } Info "a17c332feacd47ebab785320b99210aa"
        "{group} prefers node {node} now, by a changed haresources: it goes there as soon as {node} has read the same file (with auto_failback on)";
    AdoptionLost { node: String, set: String } Warning "8420b3e6de9f4056b288b74edb857a46"
        "node {node} took our {set} resources while hbd was away: releasing ours";
    RestartBegins {} Info "4412091edab34c19bcf7d2bf7bf4b13b"
        "hbd restarts: resources stay, the peers are asked to wait";
    PeerRestarts { node: String, seconds: u64 } Info "b420e6b2ed4d4f42a4f345fa764327db"
        "hbd on node {node} restarts and keeps its resources: it is dead only after {seconds} s of silence";
    UnitFailed { group: String, resource: String, reason: String, count: usize } Error "0c93901c6b444bcda81c1363c4eadb12"
        "{resource} has failed here ({reason}): failure {count} lately";
    UnitFailedUnwatched { group: String, resource: String, reason: String } Error "104a1de5dcd0430283447051f55b544d"
        "{resource} has failed here ({reason}); nothing is done about it, because [health] in hbd.toml is off for its group";
    UnitStopped { group: String, resource: String } Warning "47423676f3f243dca72ef2df368652e2"
        "{resource} was stopped by somebody else: it is left alone, and its group stays here. Start it, or run 'hbctl cleanup'";
    UnitStoppedStarted { group: String, resource: String } Warning "5d2f8a1c94e64b7fb1a3c60e7d9258f4"
        "{resource} was stopped by somebody else: starting it again";
    UnitStoppedWith { group: String, resource: String, cause: String } Error "b83c1e5f07a24d96ae4f92d1c65b703e"
        "{resource} was stopped by systemd, because {cause}: it is started again when that is over. If it is to run without, change its unit";
    UnitFree { group: String, resource: String } Info "2e9b47d3a8f5416c90d7e1b35cfa6482"
        "what {resource} was stopped with is over: starting it again";
    UnitsUnknown {} Error "f6a0d82b3c7e4591b4e8c25f19d7a063"
        "systemd does not answer: whether the services of this node still run is not known. See `systemctl status dbus` and `systemctl is-system-running`";
    UnitsKnown {} Info "91c7e4a60b5d4f28a3d16e7f82b9c504"
        "systemd answers again: what runs here is known";
    LeftoverStops { group: String, resource: String } Critical "7a1e5c9034d84f62b8a97d0e6c25f3b4"
        "{resource} is on this machine, which does not hold its group {group}: stopping it here. Who started it? hbctl takeover takes the group";
    LeftoverFound { group: String, resource: String } Error "d82f4b6e17c04395ae60c3f9b15d7a28"
        "{resource} runs on this machine, which does not hold its group {group}, and is left as it is (hbd.toml: leftovers, or maintenance): stop it";
    LeftoverStays { group: String, resource: String, reason: String } Critical "3c96e0d7f5b24a18925d4e7b8a1f06cd"
        "{resource} is still on this machine, which does not hold its group {group}: it did not stop ({reason})";
    LeftoverGone { group: String, resource: String } Info "e05b7d1a92c64f38b4f7a6c80d3e9512"
        "{resource} of group {group}, which this machine does not hold, is not here any more";
    MoveUndone { group: String, resource: String, node: String } Critical "c40d9e72b16f4a83957cb2e8f0a5d361"
        "{resource} does not stop, so group {group} cannot go to {node}: all of it is started here again. End what keeps {resource} (see the lines above), then move the group again";
    UnitUpAgain { group: String, resource: String } Info "a49f5fb0dc874458810a52cc322ea115"
        "{resource} runs again";
    GroupMoves { group: String, node: String } Critical "d78d65dc238c4cb6b74a0966f7cba2fa"
        "resource group {group} goes to node {node} because it fails here";
    FailedThere { group: String, node: String, cause: String } Warning "5c8f0e6b1d2747a39be04f7a61c2d8e5"
        "resource group {group} has failed on node {node} ({cause}): it is not given back there by itself until that is mended and 'hbctl cleanup' is called there";
    CompanyReunites { groups: String, node: String } Info "5f0c2d8e7b914a36a1d4c9e83b60f27a"
        "{groups} go to node {node}, which has the group that hbd.toml keeps them together with";
    KeepTrying { group: String, resource: String, seconds: u64 } Critical "2e840fe415c548c188663beea75a1eab"
        "{resource} fails here again and again, and the other node cannot serve its group either: trying again here in {seconds} s";
    EverywhereRuns { group: String, resource: String } Info "8d5b0c37e1f24a6995c84f7e20b1d36a"
        "{resource} runs here, as it does on both nodes: it stays when group {group} moves";
    UnfitKeepsTrying { group: String, resource: String, seconds: u64 } Critical "f1c27e80a94d4b53b60e8d5a3f972c14"
        "{resource} fails here again and again, so this node could not serve group {group}: trying again in {seconds} s";
    CheckFailed { group: String, check: String, reason: String } Warning "b85e0e07966840b2a9836d01b36a8bca"
        "the check of group {group} has failed ({check}: {reason})";
    CheckFails { group: String, resource: String, check: String, count: u32, reason: String } Error "d7891fb80ad04523a7871e1a3c38c1a0"
        "the check of group {group} has failed {count} times in a row ({check}: {reason}): {resource} counts as failed";
    CheckPasses { group: String, check: String } Info "76d5cd2e342942bc998fd41fde0a2a7b"
        "the check of group {group} passes again ({check})";
    CheckNotRun { group: String, check: String, reason: String } Warning "f735343076884e66b35064134e0e6d2c"
        "the check of group {group} cannot be run ({check}: {reason}): nothing is concluded from that";
    NotReady { group: String, check: String, reason: String } Error "1898879c2cb94b8ba1d14ef2a8baa5ff"
        "this node could not serve group {group} ({check}: {reason}): it is not taken until the check passes";
    ReadyAgain { group: String, check: String } Info "a9a92e3e8f984d329ad6cb3b6b7153b7"
        "this node could serve group {group} again ({check})";
    NotReadyForgoes { node: String, groups: String } Critical "1e1af565875f43b5b5f4ca85d3c04cd5"
        "not taking what {node} had, because this node could not serve it: {groups}. Nobody serves it until the check passes, or 'hbctl clear-hold'";
    NotReadyRefuses { node: String, groups: String } Warning "9b9a8fc7139d47b4923833591f499413"
        "{node} wants to give resources that this node could not serve, and gets no answer: {groups}";
    CleanedUp {} Info "6f17b1cf1b5143b5b960491cef97caef"
        "failures are forgotten: an operator says that their causes are mended";
    ReturnWaits { groups: String, node: String, when: String } Info "c18302d701bb402485bc703b3cb98b36"
        "{groups}: to return to node {node} {when}; 'hbctl failback now' does it at once, 'hbctl failback cancel' not at all";
    ReturnCancelled { groups: String, node: String } Info "b8eec0c238b14a6286383db5b8ab3548"
        "{groups}: an operator wants it to stay here: it does not return to node {node} until that goes away and comes back once more";
    MaintenanceBegins { node: String } Warning "7d3f0c5a94b14e6d8f21a6c0e5b97d34"
        "node {node} is in maintenance: its resources are left alone";
    MaintenanceEnds { node: String } Info "2b8e61d4f7a0433c9d52e0b19c86fa75"
        "node {node} is no longer in maintenance";
    GroupMaintenanceBegins { groups: String, node: String } Warning "26e432a4d5404f1fbaa1d7285e2c1b4c"
        "{groups}: in maintenance on node {node}, and left alone; 'hbctl maintenance off GROUP' ends that";
    GroupMaintenanceEnds { groups: String, node: String } Info "8b2e707d6d4d4e69b2742ef5bfd18e70"
        "{groups}: no longer in maintenance on node {node}";
    MaintenanceForgoes { node: String } Critical "e94d7a1b30c84f5fa6280d5c3be1f796"
        "this node is in maintenance: not taking what {node} had. Nobody serves it until 'hbctl maintenance off'";
    MaintenanceRefuses { node: String } Warning "5fc2093be8d1476ab7e40f6d81a3c92e"
        "this node is in maintenance: {node} wants resources to move, and gets no answer";
    MaintenanceKeeps { groups: String, node: String } Warning "3ca6ca7f6fa0404b9d7a86e625cabf24"
        "{groups}: in maintenance on this node: {node} wants it to move, and gets no answer";
    MaintenanceIgnores { group: String, resource: String, what: String, whose: String } Info "a06be8f2c7d94135b81f3e7a5d20c64b"
        "{resource} of group {group} {what}: left alone, because {whose} is in maintenance";
    ConfigurationDiffers { node: String, files: String } Warning "8c47e5d01f9b42a3be60d7f2a915c3e8"
        "node {node} uses other cluster settings in {files} than this node: make them equal, hbctl check lists them";
    ConfigurationDetails { node: String, differences: String } Warning "b5f0a1c62d8e4f7396b8d1e07c52a94f"
        "what differs between this node and {node}: {differences}";
    ConfigurationAlike { node: String } Info "f1d20b7ea86c4c95932e5a0c74d8b6f3"
        "node {node} runs with the same ha.cf and haresources as this node again";
    StartProblem { problem: String } Error "f180e7aa534d425caacd4f1fe0e47d82"
        "{problem}";
    StartProblemsOver {} Info "9fb42daf90414d03a5d45ace4df51d02"
        "a start of hbd would find all that it needs again";
    PeerIsNice { node: String } Error "a60e3ef1d7d448fb96c6056a59091037"
        "node {node} speaks the protocol of 'auto_failback on' or 'off', our ha.cf says legacy or nothing: write the same line here and restart hbd; until then neither knows what the other serves";
    StandbyNeedsNice {} Info "de9be7c1c284404e9fa394d4019fb2e1"
        "cannot move groups: auto_failback is legacy or missing. Write auto_failback on or off into ha.cf of both nodes";
    RequestUnanswered { node: String } Error "529dc01576d84c9caa5915684633eb91"
        "node {node} does not answer our requests for our resource groups (ip-request): they stay down here until it does, leaves or dies. Does its ha.cf have the same auto_failback line as ours?";
    HaresourcesDiffer { node: String, group: String } Error "e9ea8c503b45471ab2fe09513545c006"
        "node {node} asks for the resource group '{group}', which is not its own by our haresources: make the files of both nodes equal";
    GivesUnknown { node: String } Error "88030809e72d4d648beed0d7b22402b5"
        "node {node} wants to give groups that our haresources has not: they stay there; make the files of both nodes equal";
    DeclaredDead { node: String, result: String } Warning "ef496e848fa34d6e9ff34a050e97ec3d"
        "node {node} says that it has declared us dead (stonith result {result}) and may be acquiring our resources: were our heartbeats late, or lost?";
    ShutdownBegins {} Info "0e78a065464e4eb584e5ab06a3f46e33"
        "Heartbeat shutdown in progress.";
    ShutdownDelayed {} Warning "75c4da54ad6f413f81e57d8ce614027b"
        "Shutdown delayed until current resource activity finishes.";
    GivingUpAll {} Info "ebb7950687b84015878c5064c0ae5cc0"
        "Giving up all HA resources.";
    AllRelinquished {} Info "a382ca2fa66b43548f8f6d892c0b2bea"
        "All HA resources relinquished.";
    ShutdownComplete { node: String } Info "1207a9dff89b4659810ce168be086707"
        "{node} Heartbeat shutdown complete.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_id_of_its_own() {
        let mut ids: Vec<_> = Record::IDS.iter().map(|(_, id)| *id).collect();
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Record::IDS.len());
    }

    #[test]
    fn texts_are_those_that_runbooks_match() {
        let dead = Record::NodeDead { node: "nodeb".into() };
        assert_eq!((dead.text().as_str(), dead.priority()), ("node nodeb: is dead", Priority::Warning));
        let link = Record::LinkUp { node: "nodeb".into(), link: "eth1".into() };
        assert_eq!(link.text(), "Link nodeb:eth1 up.");
    }

    #[test]
    fn fields_named_after_journal_fields_become_them() {
        let link = Record::LinkUp { node: "nodeb".into(), link: "eth1".into() };
        assert_eq!(link.subject(), Subject { node: Some("nodeb"), link: Some("eth1"), ..Subject::default() });
        let failed = Record::StartFailed { group: "web".into(), resource: "httpd".into(), reason: "none".into() };
        let about = Subject { group: Some("web"), resource: Some("httpd"), ..Subject::default() };
        assert_eq!(failed.subject(), about);
        assert_eq!(Record::CommNowUp {}.subject(), Subject::default());
        let acquiring =
            Record::AcquiringGroup { group: "web".into(), preferred: "nodeb".into(), resources: "httpd".into() };
        assert_eq!(acquiring.subject().node, None, "the node that the group prefers is not where this happens");
    }
}
