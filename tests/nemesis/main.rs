//! The nemesis: two real nodes under a random, repeatable stream of faults and acts of administration.
//!
//! A seed makes rounds. In each, one to three acts begin at random moments, also while another one is under way, and
//! are undone; then all must be calm again. All the while threads watch that there are never two owners, that
//! somebody serves whenever a healthy node could, and that `hbctl status` says what is so. Real time makes each run
//! different: the same seed gives the same acts in the same order, not the same interleaving.
//!
//! | module | owns |
//! |---|---|
//! | [`plan`] | from a seed to rounds |
//! | [`acts`] | the table of acts, and how each is done and undone |
//! | [`trouble`] | what acts excuse, and where that is documented |
//! | [`field`] | the pair, and what its threads share |
//! | [`watch`] | owners, answers on the wire, the client |
//! | [`status`] | what hbctl says, and what is so |
//! | [`calm`] | what must be so after each round |
//! | [`finding`] | findings, and their evidence |
//! | [`campaign`] | plays rounds, and sums up |
//!
//! `nemesis [--minutes N] [--seed N] [--first ROUND] [--witness] [WORD …]`: words select acts whose name contains one
//! of them. With a witness nothing excuses two owners but a real Heartbeat.

mod acts;
mod calm;
mod campaign;
mod field;
mod finding;
mod plan;
mod status;
mod trouble;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use acts::{TABLE, VOTE};
use campaign::{Campaign, Wanted};

/// What a campaign may take beyond its minutes: the last round, and evidence.
const MORE: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    hbd_lab::enter();
    let wanted = match parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("nemesis: {error}");
            return ExitCode::from(2);
        }
    };
    let lacks = hbd_lab::missing();
    if !lacks.is_empty() {
        println!("nemesis skipped: this machine cannot boot nodes; missing:\n  {}", lacks.join("\n  "));
        return ExitCode::SUCCESS;
    }
    hbd_lab::process::set_budget(wanted.time + MORE);
    hbd_lab::starvation::watch_for_stalls();
    hbd_lab::starvation::watch_for_load();
    let mut campaign = Campaign::new(wanted);
    if let Err(error) = campaign.play() {
        println!("nemesis: {error}");
        campaign.sum_up();
        return ExitCode::FAILURE;
    }
    if campaign.sum_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let (mut minutes, mut seed, mut first, mut witness, mut words) = (5, 1, 0, false, Vec::new());
    let mut arguments = arguments.filter(|word| !word.is_empty());
    while let Some(word) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value.parse::<u64>().map_err(|_| format!("{word} wants a number, not {value:?}"))
        };
        match word.as_str() {
            "--minutes" => minutes = number()?,
            "--seed" => seed = number()?,
            "--first" => first = number()?,
            "--witness" => witness = true,
            _ if word.starts_with('-') => return Err(format!("{word} is not known")),
            _ => words.push(word),
        }
    }
    let possible = |act: &usize| witness || TABLE[*act].apart & VOTE == 0;
    let chosen = |act: &usize| words.is_empty() || words.iter().any(|word| TABLE[*act].name.contains(word.as_str()));
    let acts: Vec<usize> = (0..TABLE.len()).filter(possible).filter(chosen).collect();
    if acts.is_empty() {
        let names: Vec<&str> = TABLE.iter().map(|act| act.name).collect();
        return Err(format!("no act is called so; there are {}", names.join(" ")));
    }
    Ok(Wanted { time: Duration::from_secs(minutes * 60), seed, first, witness, acts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Wanted, String> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn words_select_acts() {
        let wanted = parsed("--minutes 3 --seed 9 link_ power").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((wanted.time.as_secs(), wanted.seed), (180, 9));
        assert!(
            wanted.acts.iter().all(|act| TABLE[*act].name.contains("link_") || TABLE[*act].name.contains("power"))
        );
        assert!(parsed("--seed x").is_err() && parsed("--sed 1").is_err() && parsed("volcano").is_err());
    }
}
