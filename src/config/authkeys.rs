//! authkeys: which keys sign and verify packets (01 §1.6.1, 04 §2).
//!
//! Owns the grammar and the permissions of the file. Never shows a key, neither in `Debug` nor in a finding: where
//! Heartbeat's text quotes the line, hbd's text leaves out what may be secret.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::auth_method::{self, AuthMethod};
use super::diagnostic::{Diagnostic, FileWord, Findings, Location, Severity};
use super::files::Files;
use super::ownership;
use super::text;

/// What to write for a method.
const METHODS_HELP: &str = "write hmac-sha256 (two hbds only), sha1, md5 or crc, lower case";

/// What to write instead of crc.
const CRC_HELP: &str =
    "use `hmac-sha256 KEY` on two hbds, or `sha1 KEY` beside a Heartbeat; `hbctl genkey` makes one";

/// Highest key number.
const MAX_INDEX: u8 = 15;

/// The keys of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthKeys {
    /// Number of the key that signs, 0–15; always one of `keys`.
    pub signing: u8,
    /// All keys by number, 0–15.
    pub keys: BTreeMap<u8, AuthKey>,
}

/// One key. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey {
    /// How it signs.
    pub method: AuthMethod,
    /// The key's bytes as they stand in the file; empty for crc.
    pub secret: Vec<u8>,
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKey").field("method", &self.method).field("secret", &"…").finish()
    }
}

/// Reads only authkeys, as a reload does. Warnings are not returned; [`super::load()`] reports them.
///
/// # Errors
/// All errors of the file. The caller should then keep the old keys.
pub fn load_authkeys(files: &Files) -> Result<AuthKeys, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let keys = read(files, &mut findings);
    let errors: Vec<_> = findings.into_sorted().into_iter().filter(|d| d.severity == Severity::Error).collect();
    keys.ok_or(errors)
}

/// Reads the file of keys: the systemd credential if there is one, else authkeys. `None` after an error.
pub(super) fn read(files: &Files, findings: &mut Findings) -> Option<AuthKeys> {
    let credential = files.credential.as_deref().filter(|path| path.exists());
    let path = credential.unwrap_or(&files.authkeys);
    let whole = FileWord::file(path);
    let shown = path.display();
    let content = std::fs::metadata(path).and_then(|meta| Ok((meta, std::fs::read(path)?)));
    let (meta, bytes) = match content {
        Ok(content) => content,
        Err(error) => {
            findings.error(
                &whole,
                format!("Cannot open keyfile [{shown}].  Stop. ({error})"),
                "write `auth 1` and `1 sha1 KEY` into it, the same on both nodes, mode 600",
            );
            return None;
        }
    };
    let chmod = format!("chmod 600 {shown}");
    // The mode of a credential is systemd's affair; an ACL may show as permissions of the group.
    let mut legal = true;
    let mode = meta.mode();
    if credential.is_none() {
        if mode & 0o044 != 0 {
            let message =
                format!("Bad permissions on keyfile [{shown}], 600 recommended. (mode is {:03o})", mode & 0o777);
            findings.error(&whole, message, chmod);
            legal = false;
        } else if mode & 0o022 != 0 {
            let message = format!("[{shown}] may be written by others (mode is {:03o})", mode & 0o777);
            findings.warning(&whole, message, chmod);
        }
        ownership::check_owner(path, &meta, findings);
    }
    parse(path, &bytes, findings).filter(|_| legal)
}

/// Reads the bytes of an authkeys file. `None` after an error: one bad line refuses the whole file.
fn parse(path: &Path, bytes: &[u8], findings: &mut Findings) -> Option<AuthKeys> {
    let mut parser = Parser { path, findings, legal: true, signing: None, keys: BTreeMap::new() };
    for (key_number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        parser.line(key_number + 1, line);
    }
    parser.finish()
}

struct Parser<'a> {
    path: &'a Path,
    findings: &'a mut Findings,
    legal: bool,
    /// The latest `auth` line, and whether its key has followed.
    signing: Option<(u8, FileWord, bool)>,
    keys: BTreeMap<u8, AuthKey>,
}

/// A word of authkeys: bytes, because a key need not be UTF-8.
#[derive(Clone, Copy)]
struct Token<'a> {
    bytes: &'a [u8],
    /// In bytes, from 1.
    column: usize,
}

impl<'a> Token<'a> {
    /// The number that the word begins with, as Heartbeat reads it: a sign, digits; and what follows them in the
    /// word. `None` without a digit. A number too large for the type is its maximum, a negative one is below zero.
    fn number(&self) -> Option<(i64, Token<'a>)> {
        let (negative, unsigned) = match self.bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, self.bytes),
        };
        let digits = unsigned.iter().position(|b| !b.is_ascii_digit()).unwrap_or(unsigned.len());
        let text = std::str::from_utf8(unsigned.get(..digits)?).ok().filter(|text| !text.is_empty())?;
        let number = text.parse().unwrap_or(i64::MAX);
        let used = self.bytes.len() - unsigned.len() + digits;
        Some((if negative { -number } else { number }, self.after(used)?))
    }

    /// The word without its first bytes.
    fn after(&self, count: usize) -> Option<Token<'a>> {
        Some(Token { bytes: self.bytes.get(count..)?, column: self.column + count })
    }
}

/// The words of a line, separated by the white space of C.
fn tokens(line: &[u8]) -> Vec<Token<'_>> {
    let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let start = at;
        while at < line.len() && blank(line[at]) == blank(line[start]) {
            at += 1;
        }
        if !blank(line[start]) {
            found.push(Token { bytes: &line[start..at], column: start + 1 });
        }
    }
    found
}

impl Parser<'_> {
    fn line(&mut self, number: usize, line: &[u8]) {
        let tokens = tokens(line);
        let Some(first) = tokens.first() else { return };
        if first.bytes[0] != b'#' && !self.is_seen(number, &tokens) {
            return;
        }
        match first.bytes[0] {
            b'#' => {}
            b'a' => self.auth(number, &tokens),
            _ => self.key(number, &tokens),
        }
    }

    /// A place in the file. `shown` is the word if it cannot be a secret; the line itself is never kept.
    fn at(&self, line: usize, column: usize, shown: &str) -> FileWord {
        let location = Location { file: self.path.into(), line, column, source: None };
        FileWord { text: shown.to_owned(), location }
    }

    fn refuse(&mut self, at: &FileWord, message: String, help: &str) {
        self.legal = false;
        self.findings.error(at, message, help);
    }

    /// Refuses a line whose number or method contains a character that cannot be seen; a key may contain any.
    fn is_seen(&mut self, line: usize, tokens: &[Token<'_>]) -> bool {
        for token in tokens.iter().take(2) {
            let text = String::from_utf8_lossy(token.bytes);
            let word = self.at(line, token.column, &text);
            // The word itself is never shown, it may be a key.
            if let Some((at, refused)) = text::unseen(&word) {
                let at = self.at(line, at.location.column, "");
                self.refuse(&at, refused.why, &refused.help);
                return false;
            }
        }
        true
    }

    /// `auth N`. As in Heartbeat a blank before the number may be missing, and what follows it counts for nothing.
    fn auth(&mut self, line: usize, tokens: &[Token<'_>]) {
        let path = self.path.display();
        let word = tokens.first().filter(|word| word.bytes.starts_with(b"auth")).and_then(|word| word.after(4));
        let (glued, number) = match word {
            Some(rest) if rest.bytes.is_empty() => (false, tokens.get(1).copied()),
            rest => (true, rest),
        };
        let Some((number, key_number, rest)) = number.and_then(|token| {
            let (number, rest) = token.number()?;
            Some((token, number, rest))
        }) else {
            let message = format!("Invalid auth line [auth …] in {path}");
            let at = self.at(line, tokens.first().map_or(1, |t| t.column), "");
            self.refuse(&at, message, "write `auth N`, N being the number of the key that signs");
            return;
        };
        let at = self.at(line, number.column, &key_number.to_string());
        let Some(key_number) = self.key_number(key_number, &at) else { return };
        let usual = !glued && rest.bytes.is_empty() && !number.bytes.starts_with(b"+");
        if !usual {
            let message = format!("the line is read as `auth {key_number}`, as Heartbeat does");
            self.findings.warning(&at, message, format!("write `auth {key_number}`"));
        } else if let Some(extra) = tokens.get(2) {
            let at = self.at(line, extra.column, "");
            let help = "write `auth N` on one line and `N METHOD KEY` on the next";
            self.findings.warning(&at, "what follows `auth N` on its line is ignored", help);
        }
        self.signing = Some((key_number, at, false));
    }

    fn key_number(&mut self, number: i64, at: &FileWord) -> Option<u8> {
        let key_number = u8::try_from(number).ok().filter(|key_number| *key_number <= MAX_INDEX);
        if key_number.is_none() {
            let message = format!("Invalid authnum [{number}] in {}", self.path.display());
            self.refuse(at, message, "write a number from 0 to 15");
        }
        key_number
    }

    /// `N METHOD KEY`. As in Heartbeat the blank between number and method may be missing.
    fn key(&mut self, line: usize, tokens: &[Token<'_>]) {
        let usage = "write `N METHOD KEY`, for example `1 sha1 KEY`: N from 0 to 15, METHOD hmac-sha256, sha1, md5 or \
                     crc";
        let parts = tokens.split_first().and_then(|(first, others)| {
            let (number, rest) = first.number()?;
            let glued = Some(rest).filter(|rest| !rest.bytes.is_empty());
            Some((
                *first,
                number,
                glued.into_iter().chain(others.iter().copied()).collect::<Vec<_>>(),
                glued.is_some(),
            ))
        });
        // A number that goes on as a word, and is none, may be the beginning of a key: it is not shown.
        let sound = |number: i64, glued: bool| !glued || (0..=MAX_INDEX.into()).contains(&number);
        let parts = parts.filter(|(_, number, words, glued)| !words.is_empty() && sound(*number, *glued));
        let Some((number, key_number, words, glued)) = parts else {
            let at = self.at(line, tokens.first().map_or(1, |t| t.column), "");
            return self.refuse(&at, "Auth line […] is invalid.".into(), usage);
        };
        let at = self.at(line, number.column, &key_number.to_string());
        let Some(key_number) = self.key_number(key_number, &at) else { return };
        let Some(method) = words.first() else { return };
        let Some(key) = self.method(line, key_number, *method, words.get(1)) else { return };
        if glued || number.bytes.starts_with(b"+") {
            let message = format!("this is key {key_number}, as Heartbeat reads it");
            self.findings.warning(&at, message, format!("write the line as `{key_number} METHOD KEY`"));
        }
        if words.get(1).is_some_and(|key| text::begins_like_template(key.bytes)) {
            let at = self.at(line, words.get(1).map_or(1, |key| key.column), "");
            let help = "write a key of your own: everybody who has the template knows this one";
            self.findings.warning(&at, "the key looks like a template that was not filled in", help);
        } else if let Some(extra) = words.get(2) {
            let at = self.at(line, extra.column, "");
            let help = "a key is one word without blanks; both nodes must agree on it";
            self.findings.warning(&at, "what follows the key is ignored, it is not part of the key", help);
        }
        if let Some((signing, _, found)) = &mut self.signing {
            *found |= *signing == key_number;
        }
        if self.keys.insert(key_number, key).is_some() {
            let message = format!("key {key_number} is given twice: this line counts");
            self.findings.warning(&at, message, "leave one line for each number");
        }
    }

    /// Method and key of line `N METHOD [KEY]`.
    fn method(&mut self, line: usize, key_number: u8, method: Token<'_>, key: Option<&Token<'_>>) -> Option<AuthKey> {
        let name = String::from_utf8_lossy(method.bytes);
        let known = AuthMethod::NAMES.iter().find(|(name, _)| name.as_bytes() == method.bytes);
        let kind = match known {
            Some((_, kind)) => *kind,
            None => {
                // If the method was left out, this word is the key: only words that look like a method are shown.
                let shown = if auth_method::looks_like_one(&name) { name.as_ref() } else { "" };
                let at = self.at(line, method.column, shown);
                let brackets = if shown.is_empty() { "…" } else { shown };
                self.refuse(&at, format!("Invalid authtype [{brackets}]"), METHODS_HELP);
                return None;
            }
        };
        let at = self.at(line, method.column, &name);
        match (kind, key) {
            (AuthMethod::Crc, Some(key)) if key.bytes.first() != Some(&b'#') => {
                let message = "Auth method [crc] doesn't use a key".to_owned();
                self.refuse(&at, message, "write sha1 instead of crc, or remove the key");
                None
            }
            (AuthMethod::Crc, Some(_)) => {
                let message =
                    "Auth method [crc] doesn't use a key: `#` begins a comment only at the line's start".to_owned();
                self.refuse(&at, message, "put the comment on a line of its own");
                None
            }
            (AuthMethod::Crc, None) => {
                let message = format!("key {key_number} is crc: anybody on the network can forge packets");
                self.findings.warning(&at, message, CRC_HELP);
                Some(AuthKey { method: kind, secret: Vec::new() })
            }
            (_, None) => {
                self.refuse(&at, format!("Auth method [{name}] requires a key"), "write a key of one word behind it");
                None
            }
            (_, Some(key)) => {
                self.weigh(line, key_number, key);
                Some(AuthKey { method: kind, secret: key.bytes.to_vec() })
            }
        }
    }

    /// Warns of a key that can be guessed, or has what cannot be seen. Both nodes may use it, so it is not refused.
    fn weigh(&mut self, line: usize, key_number: u8, key: &Token<'_>) {
        if let Some((offset, odd)) = text::unseen_in_secret(key.bytes) {
            let at = self.at(line, key.column + offset, "");
            let help = "write the key anew by hand on both nodes, unless the other one has the same";
            self.findings.warning(&at, format!("key {key_number} has {odd}"), help);
        }
        let Some(weakness) = auth_method::weakness(key.bytes) else { return };
        let help = "write a key that `hbctl genkey` has made, the same on both nodes; hbd.toml(5), [keys], says how to \
                    change keys while both run";
        let at = self.at(line, key.column, "");
        self.findings.warning(&at, format!("key {key_number} {weakness}"), help);
    }

    fn finish(mut self) -> Option<AuthKeys> {
        let path = self.path.display();
        match self.signing.take() {
            None => {
                // If the file has a bad `auth` line, that has been reported.
                if self.legal {
                    let message = format!("Missing auth directive in keyfile [{path}]");
                    self.refuse(&FileWord::file(self.path), message, "write `auth N` above the key lines");
                }
                None
            }
            Some((key_number, at, false)) => {
                if self.legal {
                    let message = format!("Auth Key [{key_number}] not found in keyfile [{path}]");
                    let help = format!("write `{key_number} sha1 KEY` below this line");
                    self.refuse(&at, message, &help);
                }
                None
            }
            Some((signing, _, true)) => self.legal.then_some(AuthKeys { signing, keys: self.keys }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> (Option<AuthKeys>, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let keys = parse(Path::new("/etc/ha.d/authkeys"), text, &mut findings);
        (keys, findings.into_sorted())
    }

    #[test]
    fn keys_and_comments_of_the_seed() {
        let (keys, found) = parsed(b"auth 2\n#1 crc\n2 sha1 HI!\n#3 md5 Hello!\n");
        let keys = keys.unwrap();
        assert_eq!((keys.signing, keys.keys.len()), (2, 1));
        assert_eq!(keys.keys[&2], AuthKey { method: AuthMethod::Sha1, secret: b"HI!".to_vec() });
        assert_eq!(found.len(), 1, "a sample: {found:?}");
    }

    #[test]
    fn a_key_that_can_be_guessed_is_warned_of_and_never_shown() {
        let warned = |key: &str| {
            let (keys, found) = parsed(format!("auth 1\n1 sha1 {key}\n").as_bytes());
            assert!(keys.is_some(), "it may be in use");
            assert!(found.iter().all(|one| !one.render(false).contains(key)), "{found:?}");
            found.into_iter().map(|one| one.message).collect::<Vec<_>>().join("\n")
        };
        assert!(warned("Hello!").contains("samples"));
        assert!(warned("f00f00f00f00f00").contains("fewer than 16 bytes"));
        assert_eq!(warned("f00f00f00f00f00f"), "");
    }

    #[test]
    fn what_cannot_be_seen_in_a_key_is_told() {
        let ends: [(&[u8], _); 3] =
            [(b"\xef\xb8\x8f", "(U+FE0F)"), (b"\xe2\x81\xa1", "(U+2061)"), (b"\xa0", "the byte 0xA0")];
        for (end, odd) in ends {
            let (keys, found) = parsed(&[b"auth 1\n1 sha1 0123456789abcdef", end].concat());
            assert!(keys.is_some() && found.len() == 1 && found[0].message.contains(odd), "{found:?}");
            assert_eq!((found[0].severity, found[0].line, found[0].column), (Severity::Warning, 2, 24));
        }
    }

    #[test]
    fn hmac_sha256_is_a_method_and_what_looks_like_it_is_told() {
        let (keys, found) = parsed(b"auth 1\n1 sha1 0123456789abcdef\n2 hmac-sha256 0123456789abcdef\n");
        assert_eq!((keys.unwrap().keys[&2].method, found), (AuthMethod::HmacSha256, vec![]));
        let (_, found) = parsed(b"auth 1\n1 hmac-sha512 0123456789abcdef\n");
        assert!(found[0].message.contains("[hmac-sha512]") && found[0].help.contains("hmac-sha256"), "{found:?}");
    }

    #[test]
    fn cr_lf_hash_in_key_and_bytes_beyond_utf8_are_legal() {
        let (keys, _) = parsed(b" auth 0\r\n\t0 md5 a#b\xff\r\n\r\n1 sha1 x ignored\r\n");
        let keys = keys.unwrap();
        assert_eq!(keys.keys[&0].secret, b"a#b\xff");
        assert_eq!(keys.keys[&1].secret, b"x");
    }

    #[test]
    fn later_lines_win() {
        let (keys, found) = parsed(
            b"auth 1\n1 sha1 old-old-old-old-old\n1 sha1 new-new-new-new-new\nauth 2\n2 md5 two-two-two-two\n",
        );
        let keys = keys.unwrap();
        assert_eq!((keys.signing, keys.keys[&1].secret.as_slice()), (2, b"new-new-new-new-new".as_slice()));
        assert_eq!((found[0].severity, found[0].line), (Severity::Warning, 3));
    }

    #[test]
    fn every_bad_line_is_told_with_heartbeats_text_and_its_place() {
        let table: &[(&[u8], &str, usize, usize)] = &[
            (b"1 sha1 k\n", "Missing auth directive in keyfile [/etc/ha.d/authkeys]", 0, 0),
            (b"", "Missing auth directive in keyfile [/etc/ha.d/authkeys]", 0, 0),
            (b"auth 2\n1 sha1 k\n", "Auth Key [2] not found in keyfile [/etc/ha.d/authkeys]", 1, 6),
            (b"1 sha1 k\nauth 1\n", "Auth Key [1] not found in keyfile [/etc/ha.d/authkeys]", 2, 6),
            (b"auth x\n", "Invalid auth line [", 1, 1),
            (b"auth\n", "Invalid auth line [", 1, 1),
            (b"authentic 1\n", "Invalid auth line [", 1, 1),
            (b"auth 16\n", "Invalid authnum [16] in /etc/ha.d/authkeys", 1, 6),
            (b"auth 1\n1 sha1 k\n 99 sha1 k\n", "Invalid authnum [99] in", 3, 2),
            (b"auth 1\n1 sha1\n", "Auth method [sha1] requires a key", 2, 3),
            (b"auth 1\n1 crc key\n", "Auth method [crc] doesn't use a key", 2, 3),
            (b"auth 1\n1 sha256 key\n", "Invalid authtype [sha256]", 2, 3),
            (b"auth 1\n1\n", "Auth line [", 2, 1),
            (b"auth 1\nx sha1 key\n", "Auth line [", 2, 1),
        ];
        for (text, message, line, column) in table {
            let (keys, found) = parsed(text);
            assert_eq!(keys, None, "{}", text.escape_ascii());
            let error = found.iter().find(|d| d.severity == Severity::Error).unwrap();
            assert!(error.message.contains(message), "{}", error.message);
            assert_eq!((error.line, error.column), (*line, *column), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn crc_is_warned_about() {
        let (keys, found) = parsed(b"auth 1\n1 crc\n");
        assert_eq!(keys.unwrap().keys[&1].method, AuthMethod::Crc);
        assert_eq!((found[0].severity, found[0].line, found[0].column), (Severity::Warning, 2, 3));
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let (keys, _) = parsed(b"auth 1\n1 sha1 hunter2\n");
        assert!(!format!("{keys:?}").contains("hunter2"));
        let bad: &[&[u8]] = &[
            b"auth hunter2\n",
            b"auth 1\n1 hunter2\n",
            b"auth 1\n1 hunter2 hunter2\n",
            b"auth 1\nhunter2\n",
            b"auth 1\n1 crc hunter2\n",
            b"auth 1\n1 sha1 a hunter2\n",
            b"auth 1\nahunter2 sha1\n",
            b"auth 1 sha1 hunter2\n",
        ];
        for text in bad {
            let (_, found) = parsed(text);
            assert!(!found.is_empty());
            for one in found {
                let shown = format!("{one} {one:?} {}", one.render(false));
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }
}
