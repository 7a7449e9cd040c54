//! Times, colours and columns: how hbctl's texts look. Does not know what they mean.

use std::io::IsTerminal;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColourChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColourChoice {
    /// Whether standard output is to be coloured.
    pub fn decide(self) -> bool {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match self {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto => wanted && std::io::stdout().is_terminal(),
        }
    }
}

/// The style of a word for a state: green for good, yellow for passing, red for bad.
fn style(word: &str) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match word {
        "active" | "up" | "ping" | "ok" => colour(AnsiColor::Green),
        "dead" | "failed" | "degraded" | "gone" | "unreachable" | "unknown" | "restarting" | "stopped-by-hand"
        | "left-over" | "stopped-with" | "nobody" | "bad" | "error" | "critical" => colour(AnsiColor::Red).bold(),
        "starting" | "stopping" | "init" | "transition" | "warning" | "never" => colour(AnsiColor::Yellow),
        _ => Style::new(),
    }
}

/// `text` in the colours of `word`.
pub(super) fn paint(text: &str, word: &str, colour: bool) -> String {
    let style = style(word);
    if colour && !style.is_plain() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// `text` in bold.
pub(super) fn bold(text: &str, colour: bool) -> String {
    let style = Style::new().bold();
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Rows below a heading, in columns two spaces apart; `(none)` without rows.
pub(super) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    colour: bool,
) -> String {
    let mut lines = vec![heading.map(str::to_owned)];
    lines.extend(rows);
    if lines.len() == 1 {
        lines.push(std::array::from_fn(|column| if column == 0 { "(none)".to_owned() } else { String::new() }));
    }
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default());
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let last = line.iter().rposition(|cell| !cell.is_empty()).unwrap_or_default();
        let cells = line.iter().zip(widths).take(last + 1).enumerate().map(|(column, (cell, width))| {
            let pad = if column == last { 0 } else { width - cell.chars().count() };
            let shown = if number == 0 { bold(cell, colour) } else { paint(cell, cell, colour) };
            format!("{shown}{}", " ".repeat(pad))
        });
        text.push_str(&cells.collect::<Vec<_>>().join("  "));
        text.push('\n');
    }
    text
}

/// Microseconds as ha.cf would write them: `10s`, `500ms`.
pub(super) fn ha_cf_time(usec: u64) -> String {
    if usec.is_multiple_of(1_000_000) { format!("{}s", usec / 1_000_000) } else { format!("{}ms", usec / 1000) }
}

/// How long ago something began: `46 min`, `3 days 2 h`.
pub(super) fn age(usec: u64) -> String {
    let seconds = Duration::from_micros(usec).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} min"),
        () if days < 1 => format!("{hours} h {} min", minutes % 60),
        () if days == 1 => format!("1 day {} h", hours % 24),
        () => format!("{days} days {} h", hours % 24),
    }
}

/// How long it is still to something: `4 min 10 s`, `2 h 5 min`. Begun seconds count.
pub(super) fn rest(usec: u64) -> String {
    let seconds = usec.div_ceil(1_000_000);
    match (seconds / 60, seconds % 60) {
        (0, _) => format!("{seconds} s"),
        (minutes @ ..60, 0) => format!("{minutes} min"),
        (minutes @ ..60, seconds) => format!("{minutes} min {seconds} s"),
        (minutes, _) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// A moment in the local time zone, as the journal writes it: `Nov 22 00:14:30`.
pub(super) fn local_time(usec: u64) -> String {
    let moment = i64::try_from(usec).ok().and_then(|usec| jiff::Timestamp::from_microsecond(usec).ok());
    let zoned = moment.map(|moment| moment.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|| usec.to_string(), |zoned| zoned.strftime("%b %d %H:%M:%S").to_string())
}

/// The time of day in the local time zone, for packets.
pub(super) fn local_time_of_day(usec: u64) -> String {
    let moment = i64::try_from(usec).ok().and_then(|usec| jiff::Timestamp::from_microsecond(usec).ok());
    let zoned = moment.map(|moment| moment.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|| usec.to_string(), |zoned| zoned.strftime("%H:%M:%S%.6f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h 0 min"),
            (90_000, "1 day 1 h"),
            (180_000, "2 days 2 h"),
        ];
        for (seconds, text) in table {
            assert_eq!(age(seconds * 1_000_000), text);
        }
    }

    #[test]
    fn what_is_left_is_told_to_the_second_within_an_hour() {
        let table = [(0, "0 s"), (500_000, "1 s"), (59_000_000, "59 s"), (250_000_000, "4 min 10 s")];
        for (usec, text) in table.into_iter().chain([(300_000_000, "5 min"), (7_500_000_000, "2 h 5 min")]) {
            assert_eq!(rest(usec), text);
        }
    }

    #[test]
    fn colour_does_not_move_the_columns() {
        let rows = || [["dead".to_owned(), "x".to_owned()], ["a longer cell".to_owned(), String::new()]].into_iter();
        let plain = table(["A", "B"], rows(), false);
        assert_eq!(plain, "A              B\ndead           x\na longer cell\n");
        let coloured = table(["A", "B"], rows(), true);
        assert!(coloured.contains("\u{1b}[31m"), "{coloured:?}");
        let mut stripped = String::new();
        let mut escape = false;
        for c in coloured.chars() {
            match c {
                '\u{1b}' => escape = true,
                'm' if escape => escape = false,
                _ if escape => {}
                c => stripped.push(c),
            }
        }
        assert_eq!(stripped, plain);
    }
}
