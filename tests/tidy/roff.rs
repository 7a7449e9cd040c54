//! A manual page as plain text: without macros, fonts and escapes. Blocks that are not filled (samples) are left
//! out, and so is the table of keys, which is made from the code.

/// The words of a macro's line: quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            other => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A line without escapes.
fn unescaped(line: &str) -> String {
    let mut text = line.replace("\\-", "-").replace("\\(dq", "\"").replace("\\(lq", "\"").replace("\\(rq", "\"");
    for font in ["\\fB", "\\fI", "\\fR", "\\fP", "\\&"] {
        text = text.replace(font, "");
    }
    text.replace("\\ ", " ").replace("\\e", "\\")
}

/// The text of the page.
pub fn plain(page: &str) -> String {
    let (mut text, mut unfilled, mut generated) = (String::new(), false, false);
    for line in page.lines() {
        match line {
            ".nf" => unfilled = true,
            ".fi" => unfilled = false,
            _ if line.starts_with(".\\\" The keys, made") => generated = true,
            _ if line.starts_with(".\\\" End of the keys") => generated = false,
            _ => {}
        }
        if unfilled || generated {
            continue;
        }
        let shown = match line.split_once(' ').unwrap_or((line, "")) {
            (".B" | ".I", rest) => words(rest).join(" "),
            (".BR" | ".RB" | ".BI" | ".IB" | ".IR" | ".RI", rest) => words(rest).concat(),
            (macro_name, _) if macro_name.starts_with('.') => String::new(),
            _ => line.to_owned(),
        };
        text.push_str(&unescaped(&shown));
        text.push('\n');
    }
    text
}

#[test]
fn a_page_is_text() {
    let page = ".TH A 8\n.SH NAME\n.BR hbd.toml (5),\n.B 20\nwords \\-x \\fBb\\fR\n.nf\n5 s\n.fi\n.BI N \" at most\"\n.\\\" The keys, made\n7 s\n.\\\" End of the keys.\nx\n";
    let text = plain(page);
    assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), "hbd.toml(5), 20 words -x b N at most x");
}
