//! Names of the interface org.hbd1 in documents and examples are in the descriptions that are installed (dbus/): the
//! interfaces, their methods with their arguments, their properties and signals, and the actions of polkit. The
//! errors are in src/bus.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::source::{self, Source};

/// What dbus/ describes.
#[derive(Debug, Default)]
pub struct Interface {
    /// `INTERFACE.METHOD` with the types of what goes in.
    methods: BTreeMap<String, Vec<String>>,
    /// `INTERFACE.NAME` of properties and signals.
    others: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    actions: BTreeSet<String>,
}

impl Interface {
    /// Of the files in dbus/.
    pub fn of(files: &[Source]) -> Interface {
        let element = Regex::new(r#"<(interface|method|signal|property|arg|action) ([^>]*)>"#).unwrap();
        let mut all = Interface::default();
        for file in files {
            let (mut interface, mut method) = (String::new(), None::<String>);
            for parts in element.captures_iter(&file.text) {
                let attribute = |name: &str| {
                    let pattern = Regex::new(&format!(r#"\b{name}="([^"]*)""#)).unwrap();
                    pattern.captures(&parts[2]).map(|parts| parts[1].to_owned()).unwrap_or_default()
                };
                let name = format!("{interface}.{}", attribute("name"));
                match &parts[1] {
                    "interface" => {
                        interface = attribute("name");
                        all.interfaces.insert(interface.clone());
                    }
                    "method" => {
                        all.methods.insert(name.clone(), Vec::new());
                        method = Some(name);
                    }
                    "arg" if attribute("direction") == "in" => {
                        let types = method.as_ref().and_then(|method| all.methods.get_mut(method));
                        types.into_iter().for_each(|types| types.push(attribute("type")));
                    }
                    "arg" => {}
                    "action" => drop(all.actions.insert(attribute("id"))),
                    _ => {
                        method = None;
                        all.others.insert(name);
                    }
                }
            }
        }
        all
    }

    /// Why a command of busctl(1) cannot be as it is; `words` come behind its name. Where it is only spoken of, words
    /// may be missing.
    pub fn judge(&self, words: &[&str], whole: bool) -> Option<String> {
        let words: Vec<&str> = words.iter().filter(|word| !word.starts_with('-')).copied().collect();
        let (verb, words) = words.split_first()?;
        if words.first().is_some_and(|name| name.starts_with("org.hbd1") && *name != "org.hbd1") {
            return Some(format!("the name on the bus is org.hbd1, not {}", words[0]));
        }
        match (*verb, words) {
            ("call", ["org.hbd1", _, interface, method, rest @ ..]) => self.call(interface, method, rest),
            ("get-property", ["org.hbd1", _, interface, properties @ ..]) => {
                let name = |property: &&&str| !self.others.contains(&format!("{interface}.{property}"));
                properties.iter().find(name).map(|property| format!("{interface} has no property {property}"))
            }
            ("tree" | "monitor" | "introspect", [_, ..]) => None,
            ("call" | "get-property", _) if whole => Some("words are missing".to_owned()),
            ("call" | "get-property" | "tree" | "monitor" | "introspect", _) => None,
            _ => Some(format!("no document uses busctl {verb}")),
        }
    }

    fn call(&self, interface: &str, method: &str, rest: &[&str]) -> Option<String> {
        let Some(types) = self.methods.get(&format!("{interface}.{method}")) else {
            return Some(format!("{interface} has no method {method}"));
        };
        let given = rest.first().copied().unwrap_or_default();
        if given != types.concat() {
            return Some(format!("{method} takes \"{}\", not \"{given}\"", types.concat()));
        }
        let simple = types.iter().all(|kind| kind.len() == 1);
        let values = rest.len().saturating_sub(1);
        (simple && values != types.len()).then(|| format!("{method} takes {} values, not {values}", types.len()))
    }

    /// Whether `name` behind `org.hbd1.` is something: an interface, or one of its members, an error, an action.
    fn has(&self, name: &str, code: &str) -> bool {
        let full = format!("org.hbd1.{name}");
        self.interfaces.contains(&full)
            || self.methods.contains_key(&full)
            || self.others.contains(&full)
            || self.actions.contains(&full)
            || (name.starts_with("Error.") && code.contains(&name["Error.".len()..]))
    }

    fn check(&self, source: &Source, code: &str) -> Vec<Finding> {
        let name = Regex::new(r"\borg\.hbd1\.([A-Za-z][\w.-]*\w)").unwrap();
        let text = source.text.replace("\\-", "-").replace("\\fR", "");
        let unknown = name.captures_iter(&text).filter(|parts| !self.has(&parts[1], code));
        unknown
            .map(|parts| {
                let line = text[..parts.get(0).unwrap().start()].matches('\n').count() + 1;
                let what = format!("{}: there is no {}", source.path, &parts[0]);
                Finding::new(format!("{}:{line}", source.path), what, "Look in dbus/")
            })
            .collect()
    }
}

#[test]
fn every_name_of_the_interface_in_a_document_is_there() {
    let interface = Interface::of(&source::read(&["dbus"]));
    assert!(interface.methods.len() > 15 && interface.actions.len() > 3, "{interface:?}");
    let code: String = source::rust(&["src/bus"]).into_iter().map(|source| source.text).collect();
    let mut documents = source::read(&["README.md", "docs/handbook/src", "docs/CONCEPTS.md", "man"]);
    documents.extend(source::read(&["packaging/hbd.catalog", "packaging/hbd.rules", "packaging/examples"]));
    let found: Vec<Finding> = documents.iter().flat_map(|source| interface.check(source, &code)).collect();
    expect_none(&found);
}

#[test]
fn a_wrong_name_of_the_interface_is_found() {
    let file = "<interface name=\"org.hbd1.Manager\">\n<method name=\"Move\"><arg name=\"g\" type=\"s\" direction=\"in\"/>\
                <arg name=\"n\" type=\"s\" direction=\"in\"/><arg name=\"j\" type=\"o\" direction=\"out\"/></method>\
                <property name=\"State\" type=\"s\" access=\"read\"/></interface><action id=\"org.hbd1.switch\">";
    let interface = Interface::of(&[Source::new("a.xml", file)]);
    let judge = |text: &str| interface.judge(&text.split(' ').collect::<Vec<_>>(), true);
    assert_eq!(judge("call org.hbd1 /org/hbd1 org.hbd1.Manager Move ss web nodeb"), None);
    assert_eq!(judge("get-property org.hbd1 /org/hbd1 org.hbd1.Manager State"), None);
    for wrong in [
        "call org.hbd1 /org/hbd1 org.hbd1.Manager Mvoe ss web nodeb",
        "call org.hbd1 /org/hbd1 org.hbd1.Manager Move s web",
        "call org.hbd1 /org/hbd1 org.hbd1.Manager Move ss web",
        "call org.hbd1",
        "get-property org.hbd1 /org/hbd1 org.hbd1.Manager Stat",
        "tree org.hbd1.Manager",
        "dance org.hbd1",
    ] {
        assert!(judge(wrong).is_some(), "{wrong}");
    }
    let page = Source::new(
        "a",
        "org.hbd1.Manager org.hbd1.Manager.Move org.hbd1.switch org.hbd1.Error.Busy\norg.hbd1.Job x",
    );
    let found = interface.check(&page, "Busy");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].place.as_str(), found[0].what.as_str()), ("a:2", "a: there is no org.hbd1.Job"));
}
