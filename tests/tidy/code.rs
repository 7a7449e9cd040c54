//! The crate in src/ as a tree of modules, and which module each path in it leads to. Test code is left out.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::source::Source;
use crate::syntax::{Paths, imports, parse};

/// One `mod`, in a file of its own or inline.
pub struct Module {
    /// The file it is in.
    pub file: String,
    /// The index of the module around it; the root is its own.
    parent: usize,
    names: BTreeMap<String, Name>,
    globs: Vec<Vec<String>>,
    /// Every path that its code uses, re-exports excepted, with its line.
    uses: Vec<(Vec<String>, usize)>,
}

/// What a name in a module stands for.
#[derive(Clone)]
enum Name {
    /// Something defined here.
    Item,
    Child(usize),
    /// A `use`.
    Alias(Vec<String>),
}

/// A use of one file by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub from: String,
    pub to: String,
    /// In `from`.
    pub line: usize,
}

pub struct Crate {
    modules: Vec<Module>,
}

impl Crate {
    /// Reads src/lib.rs and what it declares. Files without a declaration, such as those of src/bin, are not part of
    /// it.
    pub fn new(sources: &[Source]) -> Self {
        let mut all = Crate { modules: Vec::new() };
        let files: BTreeMap<&str, &Source> = sources.iter().map(|source| (source.path.as_str(), source)).collect();
        let root = files.get("src/lib.rs").expect("src/lib.rs is missing");
        all.add(&files, root, "src", parse(root).items, 0);
        all
    }

    /// The uses of another file of the crate, each place once.
    pub fn uses(&self) -> Vec<Use> {
        let mut found = Vec::new();
        for (index, module) in self.modules.iter().enumerate() {
            for (path, line) in &module.uses {
                let Some(target) = self.resolve(index, path, 0) else { continue };
                let to = &self.modules[target].file;
                if *to != module.file {
                    found.push(Use { from: module.file.clone(), to: to.clone(), line: *line });
                }
            }
        }
        found
    }

    /// Every file of the crate but tests.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| module.file.as_str())
    }

    /// `folder` is where the files of child modules are.
    fn add(
        &mut self,
        files: &BTreeMap<&str, &Source>,
        source: &Source,
        folder: &str,
        items: Vec<syn::Item>,
        parent: usize,
    ) -> usize {
        let index = self.modules.len();
        let module =
            Module { file: source.path.clone(), parent, names: BTreeMap::new(), globs: Vec::new(), uses: Vec::new() };
        self.modules.push(module);
        let mut paths = Paths::default();
        for item in items {
            match item {
                syn::Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let below = format!("{folder}/{name}");
                    let child = if let Some((_, items)) = item.content {
                        self.add(files, source, &below, items, index)
                    } else {
                        let places = [format!("{below}.rs"), format!("{below}/mod.rs")];
                        let file = places.iter().find_map(|place| files.get(place.as_str()));
                        let file = file.unwrap_or_else(|| panic!("{}: mod {name} has no file", source.path));
                        self.add(files, file, &below, parse(file).items, index)
                    };
                    self.modules[index].names.insert(name, Name::Child(child));
                }
                syn::Item::Use(item) => self.add_imports(index, &item),
                item => {
                    if let Some(name) = name_of(&item) {
                        self.modules[index].names.insert(name, Name::Item);
                    }
                    paths.visit_item(&item);
                }
            }
        }
        self.modules[index].uses.append(&mut paths.found);
        index
    }

    /// A re-export binds names and is no use of its own.
    fn add_imports(&mut self, module: usize, item: &syn::ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        let module = &mut self.modules[module];
        for (path, bound) in imports(&item.tree) {
            if !exported {
                module.uses.push((path.clone(), item.span().start().line));
            }
            match bound {
                Some(name) => drop(module.names.entry(name).or_insert(Name::Alias(path))),
                None => module.globs.push(path),
            }
        }
    }

    /// The module in which what `path` names is defined; none if that is outside of the crate.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        // An alias of itself (`use log::log`) is followed for a while only.
        if depth > 16 {
            return None;
        }
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent,
            _ => {
                let module = &self.modules[from];
                rest = path;
                if !module.names.contains_key(first) && self.by_glob(from, path, depth).is_none() {
                    return None;
                }
                from
            }
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at = self.modules[at].parent;
            } else {
                match self.modules[at].names.get(name) {
                    Some(Name::Child(child)) => at = *child,
                    Some(Name::Item) => return Some(at),
                    Some(Name::Alias(alias)) => {
                        let whole: Vec<String> = alias.iter().chain(after).cloned().collect();
                        return self.resolve(at, &whole, depth + 1);
                    }
                    None => return self.by_glob(at, rest, depth).or(Some(at)),
                }
            }
            rest = after;
        }
        Some(at)
    }

    /// Through the first `use …::*` that knows the path's first name.
    fn by_glob(&self, module: usize, path: &[String], depth: usize) -> Option<usize> {
        self.modules[module].globs.iter().find_map(|glob| {
            let target = self.resolve(module, glob, depth + 1)?;
            self.modules[target].names.contains_key(&path[0]).then(|| self.resolve(target, path, depth + 1))?
        })
    }
}

fn name_of(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}
