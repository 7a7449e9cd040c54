//! What is wrong with the pair at a moment, and what the documentation says must hold all the same.
//!
//! An act of the nemesis puts troubles on a node. Each kind of trouble says what it excuses, for how long after its
//! end, and where that is documented. Never looks at a node: it knows only what the nemesis did.

use hbd_lab::example::DEADTIME;

/// What may be wrong with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No power, or it boots.
    Off,
    /// hbd is stopped by hand.
    Away,
    /// hbd is restarted or killed, and its successor begins at once.
    Succeeds,
    /// hbd, or the whole machine, stands still now and then, or all the time.
    Still,
    /// systemd or the bus does not answer.
    Manager,
    /// The heartbeat link does not carry everything.
    Link,
    /// The machine has no carrier on the LAN, or no interface there.
    LanCut,
    /// The LAN carries a part only, and the machine keeps its carrier.
    LanBad,
    /// The service cannot be started, or fails.
    Fails,
    /// Somebody stopped the service.
    Stopped,
    /// systemd calls the service active, and it does not answer.
    Hangs,
    /// The service takes long to stop.
    StopHangs,
    /// A real Heartbeat runs in place of hbd.
    Heartbeat,
    /// It does not reach the witness.
    Vote,
    /// An operator works on the machine.
    Maintenance,
    /// An operator, or a changed preference, moves the group.
    Moves,
    /// Files, names, the disk, the journal or addresses are not as they were. Nothing may follow from that.
    Changed,
}

/// What a kind of trouble excuses.
struct Excuse {
    trouble: Trouble,
    /// The node that has it need not serve.
    unfit: bool,
    /// The other node need not take over although this one does not serve.
    keeps: bool,
    /// hbctl on this node may be silent, or late in what it says.
    mute: bool,
    /// All that goes on for so many seconds after its end.
    after: f64,
    /// Where that is documented.
    source: &'static str,
}

/// One row: `unfit`, `keeps`, `mute`.
const fn row(trouble: Trouble, flags: [bool; 3], after: f64, source: &'static str) -> Excuse {
    let [unfit, keeps, mute] = flags;
    Excuse { trouble, unfit, keeps, mute, after, source }
}

const EXCUSES: [Excuse; 17] = [
    // It boots, hears its peer or waits for initdead, and may get its group back.
    row(Trouble::Off, [true, false, true], 45.0, "failures: it comes back"),
    row(Trouble::Away, [true, false, true], 30.0, "failures: systemctl stop hbd"),
    // It asks its peer for patience (dt = deadtime + 30 s); nothing moves.
    row(Trouble::Succeeds, [true, false, true], 15.0, "05 §3.2, failures: systemctl restart hbd"),
    row(Trouble::Still, [true, false, true], 20.0, "failures: it hangs; the machine stands still"),
    row(Trouble::Manager, [true, true, true], 15.0, "failures: systemd or the bus hangs; UNITS.md 3.5"),
    row(Trouble::Link, [false, false, false], 15.0, "failures: all links are cut, the LAN is whole"),
    row(Trouble::LanCut, [true, false, false], 15.0, "failures: the interface loses its carrier"),
    // Without a lost carrier only a ping node with takeover_needs_ping, or a check, would tell hbd.
    row(Trouble::LanBad, [true, true, false], 10.0, "PROTECTION.md: leases and questions only"),
    // Two restarts, then the group moves; a node that failed tries again every 30 s.
    row(Trouble::Fails, [true, false, false], 35.0, "failures: a unit fails; it fails on the other node, too"),
    row(Trouble::Stopped, [true, true, false], 10.0, "failures: somebody stops it by hand"),
    row(Trouble::Hangs, [true, true, false], 10.0, "failures: it hangs, and there is no check"),
    // Nothing moves before it is down, and the move may be undone instead.
    row(Trouble::StopHangs, [true, true, false], 10.0, "failures: it does not stop in a planned move"),
    // It keeps what it does not serve, needs ten seconds for each decision, and is told nothing by hbctl.
    row(Trouble::Heartbeat, [true, true, true], 45.0, "PROTECTION.md: with a real Heartbeat as the other node"),
    // A node that does not hear the other one either has no right to serve, and takes nothing.
    row(
        Trouble::Vote,
        [true, false, false],
        15.0,
        "PROTECTION.md: a required witness that one node reaches, or none",
    ),
    row(Trouble::Maintenance, [true, true, false], 10.0, "failures: hbctl maintenance on"),
    row(Trouble::Moves, [false, false, false], 10.0, "failures: hbctl standby, takeover, move"),
    row(Trouble::Changed, [false, false, false], 0.0, "failures: the disk is full; its name changes; a mistake"),
];

impl Trouble {
    fn excuse(self) -> &'static Excuse {
        // Every kind has its row; a test checks that.
        EXCUSES.iter().find(|excuse| excuse.trouble == self).unwrap_or(&EXCUSES[0])
    }

    /// Where it is documented what it excuses.
    pub fn source(self) -> &'static str {
        self.excuse().source
    }
}

/// A trouble of a node, from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
struct Spell {
    act: usize,
    node: usize,
    trouble: Trouble,
    from: f64,
    /// Wall clock; infinite while it lasts.
    until: f64,
}

impl Spell {
    /// Whether what it excuses is excused at a moment.
    fn counts(&self, now: f64) -> bool {
        self.from <= now && now < self.over()
    }

    fn over(&self) -> f64 {
        self.until + self.trouble.excuse().after
    }
}

/// All troubles of a campaign that may still excuse something.
#[derive(Debug, Default)]
pub struct World {
    spells: Vec<Spell>,
    witness: bool,
}

/// Within so many seconds more than the dead time a client is served again: three questions on the LAN, a start of
/// the service, and what a busy machine adds. One that had no processor for longer is no judge: `campaign` plays that
/// round again.
const MARGIN: f64 = 10.0;
/// What an hbd that is about to be started again asks for beside the dead time (05 §3.2).
const PATIENCE: f64 = 30.0;

impl World {
    /// With a witness, or without.
    pub fn new(witness: bool) -> World {
        World { spells: Vec::new(), witness }
    }

    /// An act begins that brings these troubles to these nodes.
    pub fn begin(&mut self, act: usize, troubles: &[(usize, Trouble)], now: f64) {
        let spell = |(node, trouble): &(usize, Trouble)| Spell {
            act,
            node: *node,
            trouble: *trouble,
            from: now,
            until: f64::INFINITY,
        };
        self.spells.extend(troubles.iter().map(spell));
    }

    /// An act has been undone.
    pub fn end(&mut self, act: usize, now: f64) {
        for spell in self.spells.iter_mut().filter(|spell| spell.act == act && spell.until > now) {
            spell.until = now;
        }
    }

    /// Forgets what excuses nothing any more.
    pub fn prune(&mut self, now: f64) {
        self.spells.retain(|spell| spell.over() > now);
    }

    fn any(&self, now: f64, which: impl Fn(&Spell) -> bool) -> bool {
        self.spells.iter().any(|spell| spell.counts(now) && which(spell))
    }

    /// Since when a node is troubled by something without a pause, if it is.
    pub fn since(&self, now: f64, node: usize, trouble: Trouble) -> Option<f64> {
        let mut lasting = self
            .spells
            .iter()
            .filter(|spell| spell.node == node && spell.trouble == trouble && spell.from <= now && now < spell.until);
        lasting.next().map(|spell| spell.from)
    }

    /// Whether two owners are what the documentation says of such a moment: nothing passes between the nodes, neither
    /// on the link nor on the LAN (README, PROTECTION.md: without a witness both serve until they hear each other);
    /// or the link is cut and one of them is a real Heartbeat, which asks nobody, not even a witness.
    pub fn excuses_two_owners(&self, now: f64) -> bool {
        let link = self.any(now, |spell| spell.trouble == Trouble::Link);
        let lan = self.any(now, |spell| matches!(spell.trouble, Trouble::LanCut | Trouble::LanBad));
        let heartbeat = self.any(now, |spell| spell.trouble == Trouble::Heartbeat);
        link && (heartbeat || (lan && !self.witness))
    }

    /// Whether hbctl of a node may be silent or late.
    pub fn mutes(&self, now: f64, node: usize) -> bool {
        self.any(now, |spell| spell.node == node && spell.trouble.excuse().mute)
    }

    /// Since when somebody must serve: one node at least is fit, and no node keeps what it does not serve. `None`
    /// when nobody must. Zero means: since long.
    pub fn serves_since(&self, now: f64) -> Option<f64> {
        let keeps = self.clear_since(now, |spell| spell.trouble.excuse().keeps)?;
        let fit = |node| self.clear_since(now, |spell: &Spell| spell.node == node && spell.trouble.excuse().unfit);
        let fit = [0, 1].into_iter().filter_map(fit).fold(f64::INFINITY, f64::min);
        fit.is_finite().then(|| fit.max(keeps))
    }

    /// Since when there is no such spell; `None` while there is one.
    fn clear_since(&self, now: f64, which: impl Fn(&Spell) -> bool) -> Option<f64> {
        if self.any(now, &which) {
            return None;
        }
        Some(self.spells.iter().filter(|spell| which(spell)).map(Spell::over).fold(0.0, f64::max))
    }

    /// How long a client may be without an answer at most, while somebody must serve.
    pub fn bound(&self, now: f64) -> f64 {
        let asked = |spell: &Spell| {
            matches!(spell.trouble, Trouble::Succeeds | Trouble::Off | Trouble::Still)
                && spell.from <= now
                && now < spell.until.max(spell.from) + PATIENCE + MARGIN
        };
        let patience = if self.spells.iter().any(asked) { PATIENCE } else { 0.0 };
        f64::from(DEADTIME) + MARGIN + patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_says_what_it_excuses_and_where_that_is_written() {
        for excuse in &EXCUSES {
            assert_eq!(excuse.trouble.excuse().trouble, excuse.trouble);
            assert!(!excuse.source.is_empty());
        }
    }

    #[test]
    fn one_cut_is_no_total_cut() {
        let mut world = World::default();
        world.begin(1, &[(0, Trouble::Link)], 10.0);
        assert!(!world.excuses_two_owners(11.0));
        world.begin(2, &[(1, Trouble::LanCut)], 12.0);
        assert!(world.excuses_two_owners(13.0));
        world.end(2, 14.0);
        assert!(world.excuses_two_owners(15.0), "they have not heard each other yet");
        assert!(!world.excuses_two_owners(60.0));
    }

    #[test]
    fn with_a_witness_no_cut_makes_two_owners() {
        let mut world = World::new(true);
        world.begin(1, &[(0, Trouble::Link), (0, Trouble::LanBad)], 10.0);
        assert!(!world.excuses_two_owners(11.0));
        world.begin(2, &[(1, Trouble::Heartbeat)], 12.0);
        assert!(world.excuses_two_owners(13.0));
    }

    #[test]
    fn a_healthy_node_must_serve_unless_the_other_one_keeps() {
        let mut world = World::default();
        assert_eq!(world.serves_since(5.0), Some(0.0));
        world.begin(1, &[(0, Trouble::Off)], 10.0);
        assert_eq!(world.serves_since(11.0), Some(0.0), "the other node is fit since long");
        world.begin(2, &[(1, Trouble::Hangs)], 12.0);
        assert_eq!(world.serves_since(13.0), None);
        world.end(1, 20.0);
        world.end(2, 20.0);
        assert_eq!(world.serves_since(40.0), Some(30.0), "nodea boots");
        assert_eq!(world.serves_since(100.0), Some(30.0));
    }
}
