//! A type that other modules see has a name that no other such type in src/ has.

use std::collections::BTreeMap;

use crate::finding::{Finding, expect_only_known};
use crate::source::{self, Source};
use crate::syntax::parse;

/// The type's name, if another module can see it.
fn type_name(item: &syn::Item) -> Option<&syn::Ident> {
    let (visibility, name) = match item {
        syn::Item::Enum(item) => (&item.vis, &item.ident),
        syn::Item::Struct(item) => (&item.vis, &item.ident),
        syn::Item::Trait(item) => (&item.vis, &item.ident),
        syn::Item::Type(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!matches!(visibility, syn::Visibility::Inherited)).then_some(name)
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for item in parse(source).items {
            let Some(name) = type_name(&item) else { continue };
            let place = format!("{}:{}", source.path, name.span().start().line);
            places.entry(name.to_string()).or_default().push(place);
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    let findings = twice.map(|(name, places)| {
        let remedy = format!("Say in each name what it is for: {}", places.join(", "));
        Finding::new(&places[0], format!("{} types are called {name}", places.len()), remedy)
    });
    findings.collect()
}

/// Less the files that hold tests only.
fn sources() -> Vec<Source> {
    let mut sources = source::rust(&["src"]);
    sources.retain(|source| !source.path.contains("test"));
    sources
}

#[test]
fn types_have_names_of_their_own() {
    expect_only_known("names", &check(&sources()));
}

#[test]
fn a_name_of_two_types_is_found_unless_one_is_private() {
    let both = |second: &str| check(&[Source::new("src/a.rs", "pub struct Link;"), Source::new("src/b.rs", second)]);
    assert_eq!(both("pub(super) enum Link {}")[0].what, "2 types are called Link");
    assert_eq!(both("enum Link {} pub struct Line;"), []);
}
