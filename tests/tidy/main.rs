//! What the sources must look like, beyond what the compiler and clippy check.
//!
//! | module | rule |
//! |---|---|
//! | `layers` | which folder of src/ may use which |
//! | `cycles` | no import cycle between the files of a folder |
//! | `tables` | a module's doc names every module it declares |
//! | `chapters`, `references`, `links` | every reference to a chapter, a heading, a file or a page resolves |
//! | `book` | the handbook is whole; manual pages, installed files, units and tests that documents name are there |
//! | `commands` | every line of a shell in a document has a judge, and names verbs, units and fields that are there |
//! | `interface` | every name of org.hbd1 in a document is in dbus/ |
//! | `paths` | every path of hbd's in a document is installed or used |
//! | `claims` | every number with a unit in a document is that of the code |
//! | `columns` | comment lines have at most 118 columns |
//! | `words` | words for which the project has plainer ones |
//! | `calls` | a module of src/cluster makes no sibling do something but through the table of facts |
//! | `catalog` | every record has its entry in the journal catalog, with fields that the record carries |
//! | `sizes`, `names` | lengths of files and functions, names of types |
//! | `source`, `roff`, `prose`, `syntax`, `code`, `callgraph` | reading: text, comments, syntax, modules, calls |
//! | `finding` | what a rule finds, compared with the exceptions in known.txt |
//!
//! Every rule is a function from sources to findings, so that a test tries each on a bad sample as well.
//!
//! known.txt holds the exceptions that are left. One that is no longer needed fails the test, too: remove its line.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod book;
mod callgraph;
mod calls;
mod catalog;
mod chapters;
mod claims;
mod code;
mod columns;
mod commands;
mod cycles;
mod finding;
mod interface;
mod layers;
mod links;
mod names;
mod paths;
mod prose;
mod references;
mod roff;
mod sizes;
mod source;
mod syntax;
mod tables;
mod words;
