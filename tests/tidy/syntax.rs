//! The syntax of one file: its imports, its paths, and what in it is a test.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};

use crate::source::Source;

/// The paths of a `use`, each with the name that it binds; a glob binds none.
pub fn imports(tree: &syn::UseTree) -> Vec<(Vec<String>, Option<String>)> {
    match tree {
        syn::UseTree::Path(part) => {
            let below = imports(&part.tree).into_iter();
            below.map(|(path, bound)| enter(&part.ident.to_string(), path, bound)).collect()
        }
        syn::UseTree::Group(group) => group.items.iter().flat_map(imports).collect(),
        syn::UseTree::Glob(_) => vec![(Vec::new(), None)],
        syn::UseTree::Name(name) => vec![(vec![name.ident.to_string()], Some(name.ident.to_string()))],
        syn::UseTree::Rename(name) => vec![(vec![name.ident.to_string()], Some(name.rename.to_string()))],
    }
}

fn enter(name: &str, mut path: Vec<String>, bound: Option<String>) -> (Vec<String>, Option<String>) {
    // `name::{self}` is `name`.
    let whole = path == ["self"];
    let bound = if whole && bound.as_deref() == Some("self") { Some(name.to_owned()) } else { bound };
    if whole {
        path.clear();
    }
    path.insert(0, name.to_owned());
    (path, bound)
}

/// Collects paths of two segments or more: those that may lead into another module.
#[derive(Default)]
pub struct Paths {
    pub found: Vec<(Vec<String>, usize)>,
}

impl Visit<'_> for Paths {
    fn visit_path(&mut self, path: &syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.found.push((names, path.span().start().line));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let line = item.span().start().line;
        self.found.extend(imports(&item.tree).into_iter().map(|(path, _)| (path, line)));
    }

    fn visit_macro(&mut self, called: &syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }
}

impl Paths {
    /// What a macro is given is no syntax yet: its paths are words with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(word) if colons == 2 && !path.is_empty() => path.push(word.to_string()),
                TokenTree::Ident(word) => {
                    self.end(&mut path, line);
                    line = word.span().start().line;
                    path.push(word.to_string());
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end(&mut path, line);
                    self.tokens(group.stream());
                }
                _ => self.end(&mut path, line),
            }
            colons = 0;
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            self.found.push((std::mem::take(path), line));
        }
        path.clear();
    }
}

/// The file without its test code.
pub fn parse(source: &Source) -> syn::File {
    let mut file = parse_whole(source);
    WithoutTests.visit_file_mut(&mut file);
    file
}

pub fn parse_whole(source: &Source) -> syn::File {
    syn::parse_file(&source.text)
        .unwrap_or_else(|error| panic!("{}:{}: {error}", source.path, error.span().start().line))
}

struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| !is_test(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, item: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut item.content {
            items.retain(|item| !is_test(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, item);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items.retain(|item| !matches!(item, syn::ImplItem::Fn(item) if is_test(&item.attrs)));
        visit_mut::visit_item_impl_mut(self, item);
    }
}

/// Whether something is compiled for tests only.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        meta => meta.path().is_ident("test"),
    })
}

pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
