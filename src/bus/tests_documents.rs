//! The interface in writing: the XML in `dbus/` and the man page, made from the code and compared with what is
//! stored.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use zbus::object_server::Interface;

use super::call::Caller;
use super::fencing;
use super::jobs::JobObject;
use super::manager::ManagerObject;
use super::objects::{GroupObject, LinkObject, Mirror, NodeObject, ResourceObject};
use super::{GroupSnapshot, LinkSnapshot, NodeSnapshot, ResourceSnapshot};

/// The XML of one interface as a file.
fn xml_of(object: &impl Interface) -> String {
    let mut xml = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
                   \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\
                   <!-- Generated from src/bus: UPDATE_DBUS_XML=1 cargo test --lib bus -->\n<node>\n"
        .to_owned();
    object.introspect_to_writer(&mut xml, 2);
    xml.push_str("</node>\n");
    xml
}

/// The value of an attribute in a line of XML.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Text for roff(7).
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq")
}

/// org.hbd1(5) from the introspection of all interfaces: their comments are the text.
fn man_page(interfaces: &[(&str, String)]) -> String {
    let mut page = include_str!("../../man/org.hbd1.5.head").to_owned();
    for (_, xml) in interfaces {
        let (mut comment, mut pending) = (String::new(), None);
        for line in xml.lines().skip_while(|line| !line.contains("<interface ")).map(str::trim) {
            match line {
                "<!--" => comment.clear(),
                "-->" | "</node>" | "</interface>" | "</property>" => {}
                _ if line.starts_with("<interface ") => {
                    page.push_str(&format!(".SH {}\n", attribute(line, "name").unwrap_or_default()));
                }
                _ if line.starts_with("<method ") => {
                    pending = Some((attribute(line, "name").unwrap_or_default().to_owned(), Vec::new()));
                }
                _ if line.starts_with("<signal ") => {
                    let name = format!("signal {}", attribute(line, "name").unwrap_or_default());
                    pending = Some((name, Vec::new()));
                }
                _ if line.starts_with("<arg ") => {
                    let (name, kind) = (attribute(line, "name"), attribute(line, "type").unwrap_or_default());
                    let direction = attribute(line, "direction").map(|word| format!("{word} ")).unwrap_or_default();
                    let word = format!("{direction}{kind} {}", name.unwrap_or(""));
                    if let Some((_, arguments)) = &mut pending {
                        arguments.push(word.trim_end().to_owned());
                    }
                }
                "</method>" | "</signal>" => {
                    let (name, arguments) = pending.take().unwrap_or_default();
                    page.push_str(&format!(".TP\n.B {name}({})\n{}\n", arguments.join(", "), roff(comment.trim())));
                }
                _ if line.starts_with("<property ") => {
                    let (name, kind) = (attribute(line, "name"), attribute(line, "type"));
                    let (name, kind) = (name.unwrap_or_default(), kind.unwrap_or_default());
                    page.push_str(&format!(".TP\n.B {name} ({kind})\n{}\n", roff(comment.trim())));
                }
                _ if line.starts_with('<') => {}
                _ => comment = format!("{comment} {line}"),
            }
        }
    }
    page.push_str(".SH SEE ALSO\n.BR hbd (8),\n.BR hbctl (8),\n.BR busctl (1)\n");
    page
}

#[test]
fn the_files_in_dbus_and_the_man_page_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_DBUS_XML").is_some();
    let manager = ManagerObject::new(Arc::default(), Caller::new(mpsc::channel(1).0), Arc::default());
    let files = [
        ("org.hbd1.Manager.xml", xml_of(&manager)),
        ("org.hbd1.Job.xml", xml_of(&JobObject::example())),
        (
            "org.hbd1.Fencing.xml",
            xml_of(&fencing::FencingObject::new(Arc::default(), Caller::new(mpsc::channel(1).0))),
        ),
        ("org.hbd1.Node.xml", xml_of(&NodeObject::new(NodeSnapshot::default()))),
        ("org.hbd1.Link.xml", xml_of(&LinkObject::new(LinkSnapshot::default()))),
        ("org.hbd1.Group.xml", xml_of(&GroupObject::new(GroupSnapshot::default()))),
        ("org.hbd1.Resource.xml", xml_of(&ResourceObject::new((String::new(), ResourceSnapshot::default())))),
    ];
    let page = ("man/org.hbd1.5".to_owned(), man_page(&files));
    let files = files.into_iter().map(|(name, xml)| (format!("dbus/{name}"), xml));
    for (name, text) in files.chain([page]) {
        if update {
            std::fs::write(root.join(&name), &text).unwrap();
        }
        let stored = std::fs::read_to_string(root.join(&name)).unwrap_or_default();
        assert_eq!(stored, text, "{name} is stale: UPDATE_DBUS_XML=1 cargo test --lib bus");
    }
}

/// The properties that an interface announces as changing without a signal.
fn quiet(xml: &str) -> Vec<&str> {
    xml.split("<property ")
        .skip(1)
        .filter(|property| property.contains("EmitsChangedSignal\" value=\"false\""))
        .filter_map(|property| property.split('"').nth(1))
        .collect()
}

#[test]
fn quiet_properties_are_announced_as_quiet() {
    assert_eq!(quiet(&xml_of(&NodeObject::new(NodeSnapshot::default()))), NodeObject::QUIET);
    assert_eq!(quiet(&xml_of(&LinkObject::new(LinkSnapshot::default()))), LinkObject::QUIET);
    assert_eq!(
        quiet(&xml_of(&ManagerObject::new(Arc::default(), Caller::new(mpsc::channel(1).0), Arc::default()))),
        ManagerObject::QUIET
    );
}
