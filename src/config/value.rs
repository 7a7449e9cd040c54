//! Values of scalar directives: times, booleans, integers, words (04 §1.3). One parser for ha.cf, hbd.toml and the
//! environment.
//!
//! Owns the syntax of values. Does not know which directive a value belongs to.

use figment::value::Value;

use super::refused::{Refused, refuse};

/// Longest time accepted, in milliseconds: a year. Heartbeat has no bound; arithmetic on instants needs one.
pub(super) const MAX_TIME_MS: u64 = 365 * 24 * 3600 * 1000;

/// What a scalar directive takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum ValueKind {
    /// A time, kept in milliseconds. `zero`: whether 0 is legal.
    Time { zero: bool },
    /// `true on yes y 1` / `false off no n 0`, any case.
    Bool,
    /// A whole number. `unit` names it in hints.
    Integer { min: u64, max: u64, unit: &'static str },
    /// One of these words: the first of each pair, kept as the second. Case counts.
    Choice(&'static [(&'static str, &'static str)]),
    /// A boolean or `legacy`, any case, kept as the variant name of `AutoFailback`.
    Failback,
    /// An absolute path. Heartbeat refuses any other.
    Path,
    /// An absolute path. Heartbeat takes any other, too, and goes on where there is no such file: hbd does without
    /// it.
    OptionalPath,
    /// Any word.
    Text,
}

/// A legal value.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Milliseconds, boolean, number or word.
    pub value: Value,
    /// How Heartbeat reads the word, if differently.
    pub notice: Option<String>,
    /// Why the word is probably not what was meant, and what to write.
    pub doubt: Option<Refused>,
}

/// Stands for a path that hbd does without.
pub(super) const NO_PATH: &str = "/dev/null";

/// Whether the word means that there is to be no such file.
fn says_none(raw: &str) -> bool {
    raw.eq_ignore_ascii_case("none") || boolean(raw) == Some(false)
}

/// What to write instead of a word that is no path.
pub(super) fn path_help(raw: &str) -> String {
    if says_none(raw) { "leave the line out".to_owned() } else { format!("write /…/{raw}") }
}

fn no_path(raw: &str) -> Refused {
    let bare = raw.trim_matches(['"', '\'']);
    let help = match (bare.starts_with('/'), raw) {
        (true, _) => format!("there are no quotes in ha.cf: write {bare}"),
        (false, raw) if says_none(raw) => "leave the line out".to_owned(),
        (false, _) => format!("write it with its directory: /…/{bare}"),
    };
    Refused { why: "it is not an absolute path, and hbd does without it".to_owned(), help }
}

impl ValueKind {
    /// Reads one word as this kind of value.
    pub(super) fn parse(&self, raw: &str) -> Result<Accepted, Refused> {
        match self {
            ValueKind::Time { zero } => time(raw, *zero),
            ValueKind::Bool => match boolean(raw) {
                Some(value) => Ok(plain(value)),
                None => refuse(format!("`{raw}` is neither true nor false"), "write on or off"),
            },
            ValueKind::Integer { min, max, unit } => integer(raw, *min, *max, unit),
            ValueKind::Choice(words) => choice(raw, words),
            ValueKind::Failback => match boolean(raw) {
                Some(true) => Ok(plain("On")),
                Some(false) => Ok(plain("Off")),
                None if raw.eq_ignore_ascii_case("legacy") => Ok(plain("Legacy")),
                None => refuse(format!("`{raw}` is not on, off or legacy"), "write auto_failback on or off"),
            },
            ValueKind::Path | ValueKind::OptionalPath if raw.starts_with('/') => Ok(plain(raw)),
            ValueKind::OptionalPath => {
                Ok(Accepted { value: NO_PATH.into(), doubt: Some(no_path(raw)), notice: None })
            }
            ValueKind::Path => refuse(format!("`{raw}` is not an absolute path"), path_help(raw)),
            ValueKind::Text => Ok(plain(raw)),
        }
    }
}

fn plain(value: impl Into<Value>) -> Accepted {
    Accepted { value: value.into(), notice: None, doubt: None }
}

/// The booleans of ha.cf, any case.
pub(super) fn boolean(raw: &str) -> Option<bool> {
    match raw.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn integer(raw: &str, min: u64, max: u64, unit: &str) -> Result<Accepted, Refused> {
    let written = unit;
    let unit = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
    let range = format!("write a whole number{unit} from {min} to {max}");
    let (digits, rest) = raw.split_at(raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len()));
    if digits.is_empty() || !is_unit(rest, written) {
        let help = if digits.is_empty() { range } else { format!("{range}: `{digits}` is what Heartbeat reads") };
        return refuse(format!("`{raw}` is not a whole number"), help);
    }
    let notice = (!rest.is_empty()).then(|| format!("`{rest}` is ignored, as Heartbeat does"));
    match digits.parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Accepted { notice, ..plain(number) }),
        _ => refuse(format!("`{raw}` is out of range"), range),
    }
}

/// Whether what follows a number changes nothing: signs, or the unit that the number has anyway.
fn is_unit(rest: &str, unit: &str) -> bool {
    let letters: String = rest.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let same: &[&str] = match unit {
        "KB" => &["k", "kb", "kib", "kbyte", "kbytes"],
        "milliseconds" => &["ms", "msec", "msecs", "milliseconds"],
        _ => &[],
    };
    // A point may begin a fraction, and a minus a second number.
    let harmless = letters.is_empty() && !rest.contains(['.', '-']);
    rest.is_ascii() && (harmless || same.contains(&letters.as_str()))
}

fn choice(raw: &str, words: &[(&str, &'static str)]) -> Result<Accepted, Refused> {
    if let Some((_, name)) = words.iter().find(|(word, _)| *word == raw) {
        return Ok(plain(*name));
    }
    let legal = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let near = words.iter().map(|(word, _)| *word).find(|word| word.eq_ignore_ascii_case(raw));
    let help = match near {
        Some(word) => format!("write {word} (case counts)"),
        None => format!("legal: {legal}"),
    };
    refuse(format!("`{raw}` is not one of {legal}"), help)
}

/// Units with their length in microseconds; whether Heartbeat 3.0.x knows them.
fn unit(text: &str) -> Option<(u128, bool)> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "" => Some((1_000_000, true)),
        "s" | "sec" | "secs" => Some((1_000_000, false)),
        "min" => Some((60_000_000, false)),
        _ if lower.starts_with("ms") => Some((1000, true)),
        _ if lower.starts_with("us") => Some((1, true)),
        _ => None,
    }
}

fn time(raw: &str, zero: bool) -> Result<Accepted, Refused> {
    let refused = |why: &str| {
        refuse(
            format!("`{raw}` is {why}"),
            "write seconds (30 or 0.5) or milliseconds (1500ms), without a blank, up to a year",
        )
    };
    let whole_end = raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len());
    let (whole, rest) = raw.split_at(whole_end);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return refused("not a time");
    }
    let mut notice = None;
    // `1.5.2`: the conversion of Heartbeat stops at the second point.
    let (unit_text, junk) = if rest.starts_with('.') { ("", rest) } else { (rest, "") };
    if !junk.is_empty() {
        notice = Some(format!("`{junk}` is ignored, as Heartbeat does"));
    }
    let Some((micros, known)) = unit(unit_text) else {
        return refused(&format!("not a time: unit `{unit_text}` is unknown"));
    };
    if !known {
        notice = Some(format!(
            "the unit `{unit_text}` is not understood by Heartbeat 3.0.x: if a Heartbeat node shares this file, it will not start"
        ));
    }
    match milliseconds(whole, fraction, micros) {
        None => refused("longer than a year"),
        Some(0) if !zero => refused("less than one millisecond"),
        Some(ms) => Ok(Accepted { value: ms.into(), notice, doubt: None }),
    }
}

/// `whole.fraction` of a unit, rounded half up; `None` beyond [`MAX_TIME_MS`].
fn milliseconds(whole: &str, fraction: &str, unit_micros: u128) -> Option<u64> {
    const DIGITS: usize = 12;
    let whole = whole.trim_start_matches('0');
    if whole.len() > DIGITS + 5 {
        return None;
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(DIGITS).collect();
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let per_ms = 1000 * 10u128.pow(DIGITS as u32);
    let ms = (mantissa * unit_micros + per_ms / 2) / per_ms;
    u64::try_from(ms).ok().filter(|ms| *ms <= MAX_TIME_MS)
}

/// The candidate nearest to a misspelt word, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).clamp(1, 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance. Words beyond 64 characters are not worth a suggestion.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
