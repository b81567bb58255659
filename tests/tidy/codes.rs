//! The codes of errors stand once, in one table, and the documentation names no others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{files, read, root};

const TABLE: &str = "mediaflow-core/src/codes.rs";

/// Each code with the name of its constant.
fn codes() -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (name, rest) = line.trim().split_once(" = \"")?;
        let (code, _) = rest.split_once("\", \"")?;
        Some((code.to_owned(), name.to_owned()))
    };
    read(TABLE).lines().filter_map(row).collect()
}

/// The library's own files, without tests in files of their own.
fn sources() -> Vec<(PathBuf, String)> {
    let is_source = |path: &PathBuf| {
        let path = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
        path.starts_with("mediaflow-") && path.contains("/src/") && !path.contains("/test")
    };
    let sources = files(root(), ".rs").into_iter().filter(is_source);
    sources.map(|path| (path.clone(), read(path))).collect()
}

#[test]
fn codes_of_errors_are_constants_of_one_table() {
    let (codes, sources) = (codes(), sources());
    assert!(codes.len() > 100, "the table of {TABLE} is not found");
    for (code, name) in &codes {
        assert_eq!(*name, code.to_uppercase().replace('.', "_"), "the constant of {code}");
        let constant = format!("codes::{name}");
        let is_used = |(_, text): &(PathBuf, String)| text.contains(&constant);
        assert!(sources.iter().any(is_used), "{name} is never used");
    }
    let verbs = ["input", "limit", "unsupported", "transient", "backend", "internal"];
    for (path, text) in sources.iter().filter(|(path, _)| !path.ends_with("error.rs")) {
        let library = text.split("mod tests {").next().unwrap_or_default();
        let lines: Vec<_> = library.lines().filter(|line| !line.trim().starts_with("//")).collect();
        let library = lines.join("\n").replace('(', "( ");
        for verb in verbs {
            for call in library.split(&format!(" Error::{verb}( ")).skip(1) {
                let literal = call.trim_start().starts_with('"');
                let begin = call.trim_start().lines().next().unwrap_or_default();
                assert!(!literal, "{}: Error::{verb}({begin}: use a constant", path.display());
            }
        }
    }
}

/// What stands in backticks, as a code does: words with a dot between them.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|word| {
        let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '.');
        word.split('.').count() == 2 && word.chars().all(plain) && !word.starts_with('.')
    })
}

#[test]
fn the_documentation_names_codes_that_there_are() {
    let codes = codes();
    for (path, text) in sources() {
        let mut errors = false;
        for line in text.lines().map(str::trim) {
            let Some(doc) = line.strip_prefix("///") else {
                errors = false;
                continue;
            };
            errors = (errors && !doc.trim().starts_with("# ")) || doc.trim() == "# Errors";
            for code in named(doc).filter(|_| errors) {
                let path = path.display();
                assert!(codes.contains_key(code), "{path}: `{code}` is no code of an error");
            }
        }
    }
}
