//! The interop campaign: every exchange between hbd and a real Heartbeat 3.0.6, on real nodes, under every digest.
//!
//! One pair of machines has both cluster managers installed, and every test chooses which one runs where. After each
//! test exactly one live node owns the address, the client reaches it, `cl_status` and `hbctl status` agree, and the
//! logs hold no complaint that a pair of real Heartbeats would not have. Such a pair is played, too, for comparison.
//! The campaign ends with the matrix, and with hbd's outages beside Heartbeat's.
//!
//! | module | owns |
//! |---|---|
//! | [`matrix`] | the nine scenarios of every pairing |
//! | [`rolling`] | a cluster replaced node by node, and back |
//! | [`recovery`] | what hbd does where two real Heartbeats would be stuck (03 §14.3) |
//! | [`forge`] | messages of an intruder who knows the key |
//! | [`table`] | the results as tables |
//!
//! Words on the command line select tests whose name contains one of them; `HBD_LAB_REPEAT=N` plays each N times.

mod forge;
mod matrix;
mod recovery;
mod rolling;
mod table;

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use hbd_lab::example::Digest;
use hbd_lab::round::Round;
use hbd_lab::software::Software;
use hbd_lab::suite::{Suite, Test};
use table::{Cell, Table};

/// How long the whole campaign may take on a busy machine.
const BUDGET: Duration = Duration::from_secs(3 * 3600);

/// The two cluster managers of a pair, the preferred node's first.
type Pairing = (&'static str, [Software; 2]);

const PAIRINGS: [Pairing; 3] = [
    ("hbd_hbd", [Software::Hbd, Software::Hbd]),
    ("hbd_heartbeat", [Software::Hbd, Software::Heartbeat]),
    ("heartbeat_hbd", [Software::Heartbeat, Software::Hbd]),
];

/// Without hbd: what the others are compared with.
const CONTROL: Pairing = ("heartbeat_heartbeat", [Software::Heartbeat, Software::Heartbeat]);

const DIGESTS: [Digest; 3] = [Digest::Sha1, Digest::Md5, Digest::Crc];

fn main() -> ExitCode {
    hbd_lab::enter();
    let results = RefCell::new(Table::default());
    let results = &results;
    let (mut tests, mut cells) = (Vec::new(), Vec::new());
    for (pairing, digests) in
        PAIRINGS.iter().map(|pairing| (pairing, &DIGESTS[..])).chain([(&CONTROL, &DIGESTS[..1])])
    {
        for digest in digests {
            for row in matrix::ROWS.iter().filter(|row| row.is_for(pairing.1)) {
                let cell = Cell { pairing: pairing.0, row: row.name, digest: *digest };
                let play = move |round: &mut Round| {
                    let seconds = row.play(round, pairing.1, *digest)?;
                    results.borrow_mut().record(cell, Some(seconds));
                    Ok(format!("{}: {seconds:.3} s", row.measures))
                };
                let name = format!("interop::{}::{}::{}", pairing.0, digest.word(), row.name);
                cells.push((name.clone(), cell));
                tests.push(Test { name, play: Box::new(play) });
            }
        }
    }
    tests.extend(recovery::tests());
    let mut suite = Suite::begin_with_budget(BUDGET);
    suite.play(true, Round::boot_with_both, tests);
    // The suite decides which attempt counts.
    for (_, cell) in cells.iter().filter(|(name, _)| suite.failed().contains(name)) {
        results.borrow_mut().record(*cell, None);
    }
    println!("{}", results.borrow());
    suite.end()
}
