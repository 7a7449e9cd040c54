//! Words of the tables that describe the cluster: each is what a word of ha.cf or haresources is.
//!
//! Owns what a word may look like in TOML. Never knows what it means.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::{TomlText, scalar_text};
use crate::config::diagnostic::{FileWord, Findings};
use crate::config::form::ByNode;
use crate::config::text;

/// Reads values of one table.
pub(super) struct WordReader<'a, 'b> {
    /// The table, for messages: `[[link]]`.
    pub table: &'static str,
    pub source: &'a TomlText<'b>,
    pub findings: &'a mut Findings,
}

impl WordReader<'_, '_> {
    /// A text without a blank or an unseen character; reports anything else.
    pub(super) fn word(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<FileWord> {
        let mut at = self.source.word(value.span());
        let Ok(text) = scalar_text(value.get_ref()) else {
            let help = format!("write {key} = \"…\"");
            self.findings.error(&at, format!("bad value for `{key}` in {}", self.table), help);
            return None;
        };
        let column = at.location.column + usize::from(at.text.starts_with(['"', '\'']));
        let inner = FileWord { text, location: at.location.clone() };
        if let Some((mut odd, refused)) = text::unseen(&inner).filter(|(odd, _)| odd.text != " ") {
            odd.location.column += column - at.location.column;
            self.findings.error(&odd, refused.why, refused.help);
            return None;
        }
        if let Some((_, refused)) = text::template(std::slice::from_ref(&inner)) {
            self.findings.error(&at, refused.why, refused.help);
            return None;
        }
        if inner.text.is_empty() || inner.text.contains(char::is_whitespace) {
            let help = "write a text without blanks; several of them are a list: [\"…\", \"…\"]";
            self.findings.error(&at, format!("`{key}` in {} is not one word", self.table), help);
            return None;
        }
        at.text = inner.text;
        at.location.column = column;
        Some(at)
    }

    /// A list of words, or a single one; reports a list without any.
    pub(super) fn list(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<FileWord>> {
        let DeValue::Array(list) = value.get_ref() else { return self.word(key, value).map(|word| vec![word]) };
        if list.is_empty() {
            let at = self.source.word(value.span());
            let help = format!("write {key} = [\"…\", \"…\"]");
            self.findings.error(&at, format!("`{key}` in {} is empty", self.table), help);
            return None;
        }
        self.all(key, list)
    }

    fn all(&mut self, key: &str, list: &DeArray<'_>) -> Option<Vec<FileWord>> {
        let words: Vec<_> = list.iter().filter_map(|one| self.word(key, one)).collect();
        (words.len() == list.len()).then_some(words)
    }

    /// A word, or a table with a word for each node.
    pub(super) fn by_node(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<ByNode> {
        match value.get_ref() {
            DeValue::Table(table) => self.each_node(key, table).map(ByNode::Each),
            _ => self.word(key, value).map(ByNode::Same),
        }
    }

    /// A table with a word for each node.
    pub(super) fn each_node(&mut self, key: &str, table: &DeTable<'_>) -> Option<Vec<(FileWord, FileWord)>> {
        let words: Vec<_> = table
            .iter()
            .filter_map(|(node, value)| {
                let at = FileWord { text: node.get_ref().to_ascii_lowercase(), ..self.source.word(node.span()) };
                Some((at, self.word(key, value)?))
            })
            .collect();
        (words.len() == table.len()).then_some(words)
    }

    /// True or false; `None` where the key is absent or its value is reported.
    pub(super) fn flag(&mut self, key: &str, table: &DeTable<'_>) -> Option<bool> {
        let value = table.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        let at = self.source.word(value.span());
        let help = format!("write {key} = true or false");
        self.findings.error(&at, format!("bad value for `{key}` in {}", self.table), help);
        None
    }
}
