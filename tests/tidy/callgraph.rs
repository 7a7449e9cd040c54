//! Which function of a folder calls which, as far as names and the types of fields and arguments tell.
//!
//! A call on a value of unknown type counts where only one type of the folder has a method of that name, and no type
//! of the standard library is likely to.

use std::collections::BTreeMap;

use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::Source;
use crate::syntax::parse;

/// Methods of the standard library's types: no proof of a call to ours.
const COMMON: [&str; 40] = [
    "all", "any", "as_mut", "as_ref", "clear", "clone", "cmp", "contains", "default", "drain", "entry", "eq",
    "extend", "filter", "find", "first", "fmt", "from", "get", "get_mut", "insert", "into", "is_empty", "iter",
    "iter_mut", "last", "len", "map", "max", "min", "new", "next", "parse", "pop", "position", "push", "remove",
    "retain", "take", "values",
];

/// A function or a method.
#[derive(Debug, Clone)]
pub struct Function {
    pub file: String,
    pub line: usize,
    /// The type of a method; empty for a free function.
    pub owner: String,
    pub name: String,
    /// Is given something to change: it does something, others only tell.
    pub acts: bool,
}

pub struct CallGraph {
    pub functions: Vec<Function>,
    /// Caller and callee, as indices; once for each place.
    pub calls: Vec<(usize, usize)>,
}

/// The types of a struct's fields.
type Fields = BTreeMap<String, BTreeMap<String, syn::Type>>;

struct Body<'a> {
    function: usize,
    arguments: BTreeMap<String, syn::Type>,
    block: &'a syn::Block,
}

impl CallGraph {
    pub fn new(sources: &[Source]) -> Self {
        let files: Vec<(&Source, syn::File)> = sources.iter().map(|source| (source, parse(source))).collect();
        let mut graph = CallGraph { functions: Vec::new(), calls: Vec::new() };
        let mut fields = Fields::new();
        let mut bodies = Vec::new();
        for (source, file) in &files {
            for item in &file.items {
                graph.read(&source.path, item, &mut fields, &mut bodies);
            }
        }
        for body in bodies {
            let mut calls = Calls { graph: &graph, fields: &fields, body: &body, found: Vec::new() };
            calls.visit_block(body.block);
            let found = calls.found.into_iter().map(|callee| (body.function, callee));
            let found: Vec<_> = found.collect();
            graph.calls.extend(found);
        }
        graph
    }

    fn read<'a>(&mut self, file: &str, item: &'a syn::Item, fields: &mut Fields, bodies: &mut Vec<Body<'a>>) {
        match item {
            syn::Item::Struct(item) => {
                let named =
                    item.fields.iter().filter_map(|field| Some((field.ident.as_ref()?.to_string(), &field.ty)));
                let types = named.map(|(name, kind)| (name, kind.clone())).collect();
                fields.insert(item.ident.to_string(), types);
            }
            syn::Item::Fn(item) => self.add(file, "", &item.sig, &item.block, bodies),
            syn::Item::Impl(item) => {
                let Some(owner) = head(&item.self_ty) else { return };
                for part in &item.items {
                    if let syn::ImplItem::Fn(method) = part {
                        self.add(file, &owner, &method.sig, &method.block, bodies);
                    }
                }
            }
            _ => {}
        }
    }

    fn add<'a>(
        &mut self,
        file: &str,
        owner: &str,
        signature: &syn::Signature,
        block: &'a syn::Block,
        bodies: &mut Vec<Body<'a>>,
    ) {
        let mut arguments = BTreeMap::new();
        let mut acts = false;
        for input in &signature.inputs {
            match input {
                syn::FnArg::Receiver(receiver) => {
                    acts |= matches!(receiver.kind, syn::ReceiverKind::Reference(_, _, Some(_)));
                    let itself: syn::Type = syn::parse_str(owner).unwrap();
                    arguments.insert("self".to_owned(), itself);
                }
                syn::FnArg::Typed(argument) => {
                    acts |= matches!(&*argument.ty, syn::Type::Reference(kind) if kind.mutability.is_some());
                    if let syn::Pat::Ident(name) = &*argument.pat {
                        arguments.insert(name.ident.to_string(), (*argument.ty).clone());
                    }
                }
            }
        }
        let (file, owner, name) = (file.to_owned(), owner.to_owned(), signature.ident.to_string());
        bodies.push(Body { function: self.functions.len(), arguments, block });
        self.functions.push(Function { file, line: signature.span().start().line, owner, name, acts });
    }

    fn method(&self, owner: &str, name: &str) -> Option<usize> {
        self.functions.iter().position(|function| function.owner == owner && function.name == name)
    }

    /// The only method of this name.
    fn only(&self, name: &str) -> Option<usize> {
        if COMMON.contains(&name) {
            return None;
        }
        let mut named = (self.functions.iter().enumerate())
            .filter(|(_, function)| function.name == name && !function.owner.is_empty());
        let (index, _) = named.next()?;
        named.next().is_none().then_some(index)
    }

    /// A free function: that of the same file, else the only one of this name.
    fn free(&self, file: &str, name: &str) -> Option<usize> {
        let mut named = (self.functions.iter().enumerate())
            .filter(|(_, function)| function.name == name && function.owner.is_empty());
        let all: Vec<usize> = named.by_ref().map(|(index, _)| index).collect();
        let here = all.iter().find(|index| self.functions[**index].file == file);
        here.or(if let [only] = all.as_slice() { Some(only) } else { None }).copied()
    }
}

/// The name of a type, references and smart pointers taken off.
fn head(kind: &syn::Type) -> Option<String> {
    match kind {
        syn::Type::Reference(reference) => head(&reference.elem),
        syn::Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident == "Box" { inner(kind).and_then(head) } else { Some(last.ident.to_string()) }
        }
        _ => None,
    }
}

/// What a `Vec`, an `Option` and the like hold.
fn inner(kind: &syn::Type) -> Option<&syn::Type> {
    match kind {
        syn::Type::Reference(reference) => inner(&reference.elem),
        syn::Type::Slice(slice) => Some(&slice.elem),
        syn::Type::Array(array) => Some(&array.elem),
        syn::Type::Path(path) => {
            let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
                return None;
            };
            let types = arguments.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(kind) => Some(kind),
                _ => None,
            });
            types.last()
        }
        _ => None,
    }
}

struct Calls<'a> {
    graph: &'a CallGraph,
    fields: &'a Fields,
    body: &'a Body<'a>,
    found: Vec<usize>,
}

impl Calls<'_> {
    fn kind<'b>(&'b self, expression: &syn::Expr) -> Option<&'b syn::Type> {
        match expression {
            syn::Expr::Path(path) => self.body.arguments.get(&path.path.get_ident()?.to_string()),
            syn::Expr::Field(field) => {
                let syn::Member::Named(name) = &field.member else { return None };
                self.fields.get(&head(self.kind(&field.base)?)?)?.get(&name.to_string())
            }
            syn::Expr::Index(index) => inner(self.kind(&index.expr)?),
            syn::Expr::Reference(reference) => self.kind(&reference.expr),
            syn::Expr::Paren(paren) => self.kind(&paren.expr),
            _ => None,
        }
    }

    fn here(&self) -> &Function {
        &self.graph.functions[self.body.function]
    }
}

impl Visit<'_> for Calls<'_> {
    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        let name = call.method.to_string();
        let callee = match self.kind(&call.receiver).and_then(head) {
            Some(owner) => self.graph.method(&owner, &name),
            None => self.graph.only(&name),
        };
        self.found.extend(callee);
        visit::visit_expr_method_call(self, call);
    }

    /// A call, or a function given as an argument.
    fn visit_expr_path(&mut self, path: &syn::ExprPath) {
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let callee = match names.as_slice() {
            [.., owner, name] => {
                let owner = if owner == "Self" { &self.here().owner } else { owner };
                self.graph.method(owner, name).or_else(|| self.graph.free(&self.here().file, name))
            }
            [name] => self.graph.free(&self.here().file, name),
            [] => None,
        };
        self.found.extend(callee);
    }

    fn visit_macro(&mut self, called: &syn::Macro) {
        if let Ok(arguments) = called.parse_body::<Arguments>() {
            for argument in &arguments.0 {
                self.visit_expr(argument);
            }
        }
    }
}

/// The expressions with which a macro's arguments begin.
struct Arguments(Vec<syn::Expr>);

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut found = Vec::new();
        while let Ok(expression) = input.parse() {
            found.push(expression);
            if input.parse::<syn::Token![,]>().is_err() {
                break;
            }
        }
        input.parse::<proc_macro2::TokenStream>()?;
        Ok(Arguments(found))
    }
}
