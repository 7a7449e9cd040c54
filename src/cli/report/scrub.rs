//! Takes the secrets of the files out of everything else that a report has: a unit is named after its words, a status
//! names the unit, the journal and the recordings name both.
//!
//! Owns the forms in which a text may stand there. Each letter becomes an asterisk, so that lengths stay what they
//! were: a binary field of a journal has its length before it.

use crate::config::escape_unit_name;

/// Takes these out of every content.
pub(super) fn scrub<'a>(contents: impl Iterator<Item = &'a mut Vec<u8>>, secrets: &[String]) {
    let forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).map(String::into_bytes).collect();
    for content in contents {
        for form in &forms {
            blot(content, form);
        }
    }
}

/// As it is, as systemd writes it in the name of a unit (systemd-escape(1)), and both as JSON does.
fn forms(secret: &str) -> Vec<String> {
    // It stands within the name, where a point at its beginning is no other letter.
    let escaped = escape_unit_name(&format!("x{secret}")).split_off(1);
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.trim_matches('"').to_owned()
    };
    let mut forms = vec![secret.to_owned(), json(secret), json(&escaped), escaped];
    forms.sort();
    forms.dedup();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
}

fn blot(content: &mut [u8], secret: &[u8]) {
    let mut at = 0;
    while at + secret.len() <= content.len() {
        if content[at..].starts_with(secret) {
            content[at..at + secret.len()].fill(b'*');
            at += secret.len();
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_every_form_and_lengths_stay() {
        let given = r#"hbd-db::passwd=HID/DEN+1 hbd-db::passwd\x3dHID-DEN\x2b1.service {"word": "HID/DEN+1", "unit": "HID-DEN\\x2b1"}"#;
        let mut content = given.as_bytes().to_vec();
        scrub(std::iter::once(&mut content), &["HID/DEN+1".to_owned()]);
        let text = String::from_utf8(content).unwrap();
        assert!(!text.contains("HID") && !text.contains("DEN"), "{text}");
        assert_eq!(text.len(), given.len());
        assert!(text.starts_with("hbd-db::passwd=*********"), "{text}");
    }
}
