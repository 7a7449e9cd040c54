//! Numbers in documents are those of the code: defaults, limits, times, exit statuses. `claims.txt` has each
//! statement with the line of the code (or of a unit, or of a package) that makes it true; when that changes, or the
//! statement does, this fails. A number with a unit in a document that no claim has fails, too.

use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::roff;
use crate::source::{self, Source};

/// `PAGE` at the beginning of a line, four blanks before what the page says, eight before `FILE: TEXT` of the code.
/// In place of code may stand `- why`: a number that is not ours.
const CLAIMS: &str = include_str!("claims.txt");

/// The pages in which every number with a unit needs a claim.
const PAGES: [&str; 6] =
    ["README.md", "SECURITY.md", "docs/CONCEPTS.md", "docs/PROTECTION.md", "docs/handbook/src", "man"];

/// A statement of a page, and why it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim<'a> {
    line: usize,
    page: &'a str,
    says: &'a str,
    /// File and text; none for a number that is not ours.
    code: Vec<(&'a str, &'a str)>,
}

fn claims(text: &str) -> Vec<Claim<'_>> {
    let (mut page, mut claims) = ("", Vec::<Claim<'_>>::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let trimmed = line.trim_start();
        match line.len() - trimmed.len() {
            0 => page = trimmed,
            4 => claims.push(Claim { line: index + 1, page, says: trimmed, code: Vec::new() }),
            _ => {
                let claim = claims.last_mut().unwrap_or_else(|| panic!("claims.txt:{}: no claim", index + 1));
                claim.code.extend(trimmed.split_once(": ").filter(|_| !trimmed.starts_with("- ")));
            }
        }
    }
    claims
}

/// The text of a page with one blank where there were several, or a line ended.
fn flat(page: &Source) -> String {
    let text = if page.path.starts_with("man/") { roff::plain(&page.text) } else { page.text.clone() };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Claims that a page does not make, and those that the code does not keep.
fn check(claims: &[Claim<'_>], pages: &[Source], code: impl Fn(&str) -> String) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut complain = |claim: &Claim<'_>, what: String| {
        let place = format!("tests/tidy/claims.txt:{}", claim.line);
        found.push(Finding::new(place, what, "Correct the page, and the claim"));
    };
    for claim in claims {
        if !pages.iter().any(|page| page.path == claim.page && flat(page).contains(claim.says)) {
            complain(claim, format!("{} does not say: {}", claim.page, claim.says));
        }
        for (file, text) in &claim.code {
            if !code(file).contains(text) {
                complain(claim, format!("{} says \"{}\", and {file} has no {text}", claim.page, claim.says));
            }
        }
    }
    found
}

/// Numbers with a unit in a page that no claim has.
fn unclaimed(page: &Source, claims: &[Claim<'_>]) -> Vec<Finding> {
    const NUMBER: &str = r"(?:\d[\d.]*|two|three|four|five|six|eight|ten|eleven|sixteen|twenty|thirty|fifty)";
    const UNIT: &str = r"(?:s|ms|seconds?|minutes?|min|hours?|MB|KiB|megabytes?|bytes|attempts)";
    let quantity = Regex::new(&format!(
        r"(?i)\b(?:{NUMBER} {UNIT}\b|(?:exits? with|exit status|at most|up to|status) \d+\b|\d+ at most\b)"
    ))
    .unwrap();
    let text = flat(page);
    let spans: Vec<_> = claims
        .iter()
        .filter(|claim| claim.page == page.path)
        .flat_map(|claim| text.match_indices(claim.says).map(|(at, says)| at..at + says.len()))
        .collect();
    let bare = quantity
        .find_iter(&text)
        .filter(|number| !spans.iter().any(|span| span.start < number.end() && number.start() < span.end));
    bare.map(|number| {
        let begin = (0..=number.start().saturating_sub(60)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let end = (number.end()..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let what = format!("{}: no claim has …{}", page.path, &text[begin..end]);
        Finding::new(page.path.as_str(), what, "Enter it into tests/tidy/claims.txt with the code that makes it true")
    })
    .collect()
}

/// Pages, and what is made from the code for one: the texts of hbctl's commands and of ha.cf's directives.
fn pages() -> Vec<Source> {
    let mut pages = source::read(&PAGES);
    pages.extend(source::read(&["src/cli/table.rs", "src/config/manual.rs"]));
    pages.retain(|page| !page.path.ends_with(".head"));
    pages
}

fn code(file: &str) -> String {
    source::read(&[file]).pop().map(|source| source.text).unwrap_or_default()
}

#[test]
fn every_claim_is_made_and_true() {
    let claims = claims(CLAIMS);
    assert!(claims.len() > 80, "only {} claims", claims.len());
    expect_none(&check(&claims, &pages(), code));
}

#[test]
fn every_number_with_a_unit_is_claimed() {
    let claims = claims(CLAIMS);
    let pages: Vec<Source> = pages().into_iter().filter(|page| !page.path.starts_with("src/")).collect();
    let found: Vec<Finding> = pages.iter().flat_map(|page| unclaimed(page, &claims)).collect();
    expect_none(&found);
}

/// Quoted words in the first column of the tables by symptom that no text of the code has. `…` and a colon part what
/// different texts say.
fn unsaid(page: &Source, code: &str) -> Vec<Finding> {
    let quoted = Regex::new(r#""([^"]+)""#).unwrap();
    let cells = page.lines().filter_map(|(line, text)| Some((line, text.strip_prefix("| ")?.split(" | ").next()?)));
    let words = cells.flat_map(|(line, cell)| {
        let texts = quoted.captures_iter(cell).map(|parts| parts[1].replace(": ", "…")).collect::<Vec<_>>();
        texts
            .into_iter()
            .flat_map(move |text| text.split('…').map(|word| (line, word.trim().to_owned())).collect::<Vec<_>>())
    });
    let missing = words.filter(|(_, word)| !code.contains(word.as_str()));
    missing
        .map(|(line, word)| {
            let what = format!("{}: nothing says: {word}", page.path);
            Finding::new(format!("{}:{line}", page.path), what, "Quote what is said now")
        })
        .collect()
}

#[test]
fn the_words_by_which_a_symptom_is_known_are_said() {
    let comment = Regex::new(r"(?m)^\s*//.*$").unwrap();
    let read = source::rust(&["src"]).into_iter();
    let mut code: String = read.map(|source| comment.replace_all(&source.text, "").into_owned()).collect();
    code.extend(source::read(&["packaging/hbd.catalog"]).into_iter().map(|catalog| catalog.text));
    let code = Regex::new(r"\\\n\s*").unwrap().replace_all(&code, "").replace("\\\"", "\"");
    let page = source::read(&["docs/handbook/src/troubleshooting.md"]).remove(0);
    assert!(page.text.matches("| \"").count() > 10, "no words are quoted");
    expect_none(&unsaid(&page, &code));
    let page = Source::new("a.md", "| \"is dead: it sleeps …\", \"walks\" | \"x\" |\n");
    let what: Vec<String> = unsaid(&page, "is dead, it sleeps").into_iter().map(|found| found.what).collect();
    assert_eq!(what, ["a.md: nothing says: walks"]);
}

#[test]
fn a_false_claim_and_a_bare_number_are_found() {
    let text = "man/a.8\n    waits 20 seconds\n        src/a.rs: from_secs(20)\n    for two minutes\n        - somebody else's\n";
    let claims = claims(text);
    assert_eq!(claims.len(), 2);
    let page = Source::new("man/a.8", "It waits\n.B 20\nseconds, for two minutes,\nand 5 s more.\n");
    let pages = [page.clone()];
    assert!(check(&claims, &pages, |_| "from_secs(20)".to_owned()).is_empty());
    let what: Vec<String> =
        check(&claims, &pages, |_| "from_secs(30)".to_owned()).into_iter().map(|found| found.what).collect();
    assert_eq!(what, ["man/a.8 says \"waits 20 seconds\", and src/a.rs has no from_secs(20)"]);
    let silent = Source::new("man/a.8", "It waits.\n");
    assert_eq!(check(&claims, &[silent], |_| "from_secs(20)".to_owned()).len(), 2);
    let bare: Vec<String> = unclaimed(&page, &claims).into_iter().map(|found| found.what).collect();
    assert_eq!(bare, ["man/a.8: no claim has …It waits 20 seconds, for two minutes, and 5 s"]);
}
