//! A node gets another name, by the very commands of docs/handbook/src/howto/rename.md.

use std::fs;

use hbd_lab::client::longest_silence;
use hbd_lab::example::{DEADTIME, INITDEAD};
use hbd_lab::lab::NODES;
use hbd_lab::process::now;
use hbd_lab::{Error, Result, project_root};

use crate::pair::{A, B, HBD, HTTPD, Pair, SOON, START, TAKEOVER, expect, expect_status, expect_words, unexpected};

const PAGE: &str = "docs/handbook/src/howto/rename.md";
/// Where each block of commands of the page is typed. nodeb keeps its name.
const TYPED_ON: [&[usize]; 7] = [&[A], &[A], &[A, B], &[A, B], &[B], &[A], &[A, B]];
/// Seconds for which the page says that a client may wait, twice. What it waits for is nginx.
const OUTAGE: f64 = 2.0;

/// The blocks of commands of the page.
fn blocks() -> Result<Vec<String>> {
    let page = fs::read_to_string(project_root().join(PAGE)).map_err(Error::file(PAGE))?;
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
    Ok(blocks.collect())
}

/// Does what the page says, for a node with the one name that is to get the other.
fn rename(pair: &mut Pair, blocks: &[String], from: &str, to: &str) -> Result<f64> {
    let begun = now();
    let named = |block: &String| {
        block.replace("nodea", "\u{1}").replace("nodec", "\u{2}").replace('\u{1}', from).replace('\u{2}', to)
    };
    for (block, nodes) in blocks.iter().map(named).zip(TYPED_ON) {
        for index in nodes {
            if block.contains("hbctl status") {
                pair.wait_well()?;
            }
            pair.node(*index).run(&["sh", "-ec", &block])?;
            if pair.lab.owners()?.len() > 1 {
                return unexpected(format!("both nodes have the address after:\n{block}"));
            }
        }
        if block.contains("stop hbd") {
            pair.lab.wait_owner(B, SOON)?;
            pair.client.wait_served_by(NODES[B].name, SOON)?;
        }
    }
    expect("the name", &pair.node(A).run(&["uname", "-n"])?.trim(), &to)?;
    for index in [A, B] {
        let status = pair.node(index).run(&["hbctl", "status"])?;
        expect_words("hbctl status", &status, &[to])?;
        if status.split(|c: char| !c.is_alphanumeric()).any(|word| word == from) {
            return unexpected(format!("hbctl status still speaks of {from}:\n{status}"));
        }
    }
    // The group prefers the renamed node, and goes back to it.
    pair.wait_with_one_owner("the renamed node to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
    let ended = pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.wait_unit(B, HTTPD, "inactive", SOON)?;
    pair.wait_well()?;
    let requests: Vec<_> = pair.client.since(begun).into_iter().filter(|request| request.ended <= ended).collect();
    let silence = longest_silence(&requests);
    if silence > OUTAGE {
        return unexpected(format!("the client was without service for {silence:.1} s"));
    }
    pair.expect_used_in_turn(begun, &[A, B, A])?;
    Ok(silence)
}

/// The preferred node is renamed and its group fails over by the new names when it dies; then it gets back its name.
pub fn a_node_gets_another_name_as_the_handbook_says(pair: &mut Pair) -> Result<String> {
    let blocks = blocks()?;
    expect("the blocks of commands of the page", &blocks.len(), &TYPED_ON.len())?;
    pair.settle()?;
    let mut longest = rename(pair, &blocks, "nodea", "nodec")?;

    let died = pair.lab.nodes[A].power_failure()?;
    pair.wait_record(B, died, "node nodec: is dead", TAKEOVER)?;
    pair.lab.wait_owner(B, TAKEOVER)?;
    pair.client.wait_served_by(NODES[B].name, SOON)?;
    pair.lab.nodes[A].boot()?;
    expect("the name after a boot", &pair.node(A).run(&["uname", "-n"])?.trim(), &"nodec")?;
    pair.lab.start(A)?;
    pair.wait_with_one_owner("nodec to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.wait_well()?;
    longest = longest.max(rename(pair, &blocks, "nodec", "nodea")?);
    expect("hbd on nodea", &pair.node(A).unit_state(HBD)?, &"active".to_owned())?;
    pair.settle()?;
    Ok(format!("the client waited for {longest:.2} s, at most"))
}

/// The steps in the wrong order: hbd starts under the new name while the other node, which serves, does not know that
/// name. The other node goes on, both say what is wrong, and the renamed one serves when the other one dies.
pub fn a_name_that_the_other_node_does_not_know_makes_no_second_owner(pair: &mut Pair) -> Result<String> {
    let blocks = blocks()?;
    pair.settle()?;
    let step = |pair: &Pair, index: usize, number: usize| {
        let block = blocks.get(number - 1).map(String::as_str).unwrap_or_default();
        pair.node(index).run(&["sh", "-ec", block]).map(drop)
    };
    for number in 1..=3 {
        step(pair, A, number)?;
    }
    pair.lab.wait_owner(B, SOON)?;
    let since = pair.client.wait_served_by(NODES[B].name, SOON)?;
    step(pair, A, 6)?;
    let long = f64::from(INITDEAD + 2 * DEADTIME) + 4.0;
    pair.wait_with_one_owner("nodec to have had the time to take everything", START, || now() > since + long)?;
    expect("the owners", &pair.lab.owners()?, &vec![NODES[B].name])?;
    pair.expect_undisturbed(B, since)?;
    pair.expect_used_in_turn(since, &[B])?;
    for index in [A, B] {
        let status = pair.node(index).attempt(&["hbctl", "status"])?;
        expect_status("hbctl status", &status, 3)?;
    }
    let status = pair.node(A).attempt(&["hbctl", "status"])?;
    expect_words("hbctl status on nodec", &status.stdout, &["node nodea is on nodeb only"])?;

    let died = pair.lab.nodes[B].power_failure()?;
    pair.wait_record(A, died, "node nodeb: is dead", TAKEOVER)?;
    pair.lab.wait_owner(A, TAKEOVER)?;
    pair.client.wait_served_by(NODES[A].name, SOON)?;
    pair.lab.nodes[B].boot()?;
    step(pair, B, 3)?;
    step(pair, B, 5)?;
    pair.wait_with_one_owner("nodec to have the address", START, || {
        pair.lab.owners().is_ok_and(|owners| owners == [NODES[A].name])
    })?;
    pair.wait_well()?;
    rename(pair, &blocks, "nodec", "nodea")?;
    pair.settle()?;
    Ok(String::new())
}
