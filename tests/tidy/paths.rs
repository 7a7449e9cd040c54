//! Paths in documents that are hbd's or Heartbeat's are there: the packages install them, or the code reads or writes
//! them.

use regex_lite::Regex;

use crate::finding::{Finding, expect_none};
use crate::source::{self, Source};

/// Folders in which an administrator's own files are.
const OWN: [&str; 4] = ["/etc/hbd/", "/etc/hbd/hbd.toml.d/", "/etc/ha.d/conf/", "/etc/ha.d/resource.d/"];
/// What others make of hbd's.
const MADE: [&str; 4] = [
    // Of `systemctl enable`.
    "/etc/systemd/system/multi-user.target.wants/hbd.service",
    // Of the laboratory.
    "/var/cache/hbd-lab",
    // Where a user has `hbctl metrics --output` write.
    "/var/lib/prometheus/node-exporter/hbd.prom",
    // Stands for what a user removes.
    "/var/lib/hbd/*",
];

/// What installs or uses files, as text, with the variables of the Makefile in full.
fn places(sources: &[Source]) -> String {
    let text: String = sources.iter().map(|source| source.text.as_str()).collect();
    let installed = text.replace("$(UNITDIR)", "/usr/lib/systemd/system");
    installed.replace("$(DOCDIR)", "/usr/share/doc/hbd").replace("$(DESTDIR)", "")
}

/// Whether a path is somewhere in there, as a file or as a folder of one.
fn is_there(path: &str, places: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let folder = &path[..path.len() - name.len()];
    let pattern = name.contains('*') || name.bytes().all(|letter| !letter.is_ascii_lowercase());
    let own = OWN.iter().any(|place| folder.starts_with(place));
    // The code joins the names of files to their folder.
    let joined = places.contains(&format!("\"{}\"", folder.trim_end_matches('/')));
    let joined = joined && ["\"", "/"].iter().any(|quote| places.contains(&format!("{quote}{name}\"")));
    MADE.contains(&path) || own || joined || places.contains(if pattern { folder } else { path })
}

fn check(source: &Source, places: &str) -> Vec<Finding> {
    let path =
        Regex::new(r"(?:^|[^\w.~:/)])(/(?:etc|usr|var|run)/[\w./@*-]*(?:hbd|ha\.d|heartbeat)[\w./@*-]*)").unwrap();
    // Documents of the package are looked for by `book`.
    let text = source.text.replace("\\-", "-").replace("\\fR", " ");
    let found = path.captures_iter(&text).filter_map(|parts| {
        let place = parts.get(1).unwrap();
        let name = place.as_str().trim_end_matches(['.', '/', ',']);
        let missing = !name.starts_with("/usr/share/doc/") && !is_there(name, places);
        missing.then(|| {
            let line = text[..place.start()].matches('\n').count() + 1;
            let what = format!("{}: nothing installs or uses {name}", source.path);
            Finding::new(format!("{}:{line}", source.path), what, "Look in the Makefile, packaging/ and src/")
        })
    });
    found.collect()
}

#[test]
fn paths_in_documents_are_there() {
    let places =
        places(&source::read(&["Makefile", "packaging/deb", "packaging/rpm", "units", "src", "hbd-witness/src"]));
    let others = ["man", "packaging/hbd.toml", "packaging/hbd.catalog"];
    let documents = source::read(&[&source::DOCUMENTS[..], &others].concat());
    let found: Vec<Finding> = documents.iter().flat_map(|source| check(source, &places)).collect();
    expect_none(&found);
}

#[test]
fn a_path_that_nothing_installs_is_found() {
    let makefile = "install $(DESTDIR)/usr/sbin/hbd\ninstall units/x $(UNITDIR)/hbd.service\n";
    let code = "const STATE: &str = \"/var/lib/hbd\"; directory.join(\"events\") \"/etc/ha.d/ha.cf\"";
    let places = places(&[Source::new("Makefile", makefile), Source::new("a.rs", code)]);
    let page = "/usr/sbin/hbd, /usr/lib/systemd/system/hbd.service and `/var/lib/hbd/events`, /etc/ha.d\n\
                /etc/hbd/hbd.toml.d/mine.toml /usr/share/doc/hbd/x\n/usr/bin/hbdctl /var/lib/hbd/evnets\n";
    let what: Vec<String> = check(&Source::new("a", page), &places).into_iter().map(|found| found.what).collect();
    assert_eq!(
        what,
        ["a: nothing installs or uses /usr/bin/hbdctl", "a: nothing installs or uses /var/lib/hbd/evnets"]
    );
}
