//! Which module of a crate imports which: read from the text, without a compiler.
//!
//! A module is a file. What a test imports does not count, nor does a re-export: whoever imports a re-exported name
//! imports from the file that defines it. Two forms are beyond this reader, and not used here: globs other than
//! `super::*` in tests, and `super` inside an inline module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path from the root of its crate; empty for `lib.rs`.
type Module = Vec<String>;

/// One crate's library.
pub(crate) struct Library {
    modules: BTreeMap<Module, Text>,
}

/// What is in a file.
struct Text {
    folder: bool,
    /// What its line `//! Uses:` names, if it has one.
    uses: Option<BTreeSet<String>>,
    /// Paths that it imports or mentions, as they are written.
    mentions: BTreeSet<Vec<String>>,
    /// Names that it imports, and from where.
    names: BTreeMap<String, Vec<String>>,
}

impl Library {
    pub(crate) fn read(source: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for file in super::files(source, ".rs") {
            let mut path: Module = file
                .strip_prefix(source)
                .unwrap()
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            let folder = path.last().is_some_and(|name| name == "mod");
            if folder || path == ["lib"] {
                path.pop();
            }
            if !path.iter().any(|part| part == "tests" || part == "testing") {
                modules.insert(path, Text::read(&fs::read_to_string(&file).unwrap(), folder));
            }
        }
        Self { modules }
    }

    /// For each module below `folder` by name, those beside it that it imports. The folder's own `mod.rs` is `mod`.
    /// For the root these are the floors of the crate, where `lib.rs` does not count.
    pub(crate) fn imports(&self, folder: &[String]) -> BTreeMap<String, BTreeSet<String>> {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for from in self.modules.keys().filter(|from| from.starts_with(folder)) {
            let Some(here) = below(folder, from) else { continue };
            let there = self.imported_by(from);
            let there = there.iter().filter(|to| to.starts_with(folder));
            let there = there
                .filter_map(|to| below(folder, to))
                .filter(|to| *to != here)
                .collect::<Vec<_>>();
            graph.entry(here).or_default().extend(there);
        }
        graph
    }

    /// The modules with others inside them, and the root.
    pub(crate) fn folders(&self) -> BTreeSet<Module> {
        self.modules
            .keys()
            .filter(|path| !path.is_empty())
            .map(|path| path[..path.len() - 1].to_vec())
            .collect()
    }

    /// The modules that are a `mod.rs`, and whether each says what it uses.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = (String, bool)> {
        let folders = self.modules.iter().filter(|(_, text)| text.folder);
        folders.map(|(path, text)| (path.join("::"), text.uses.is_some()))
    }

    /// What modules import although their line `//! Uses:` does not name it.
    pub(crate) fn undeclared(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, text) in &self.modules {
            let (Some(uses), Some(top)) = (&text.uses, path.first()) else { continue };
            let inside = self.modules.keys().filter(|module| module.starts_with(path));
            let imported: BTreeSet<_> = inside
                .flat_map(|module| self.imported_by(module))
                .filter_map(|to| to.first().cloned())
                .collect();
            let names = imported.iter().filter(|name| *name != top && !uses.contains(*name));
            found.extend(names.map(|name| format!("{} imports {name}", path.join("::"))));
            let tops: BTreeSet<_> =
                self.modules.keys().filter_map(|module| module.first()).collect();
            let wrong = uses.iter().filter(|name| !tops.contains(name));
            found.extend(
                wrong.map(|name| format!("{} names {name}, which is no module", path.join("::"))),
            );
        }
        found
    }

    fn imported_by(&self, module: &Module) -> BTreeSet<Module> {
        let text = &self.modules[module];
        let absolute = text.mentions.iter().filter_map(|path| self.absolute(module, path));
        absolute.filter_map(|path| self.defined_in(&path, 0)).collect()
    }

    /// From the root of the crate; `None` for what is not of this crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                Some([&module[..module.len().checked_sub(up)?], &path[up..]].concat())
            }
            first => {
                let child = [module.as_slice(), &[first.to_owned()]].concat();
                self.modules.contains_key(&child).then(|| [module, path].concat())
            }
        }
    }

    /// The module that defines what a path leads to: the longest part of it that is a file, and from there wherever
    /// that file has the name from.
    fn defined_in(&self, path: &[String], depth: usize) -> Option<Module> {
        let module = (0..=path.len())
            .rev()
            .map(|n| path[..n].to_vec())
            .find(|part| self.modules.contains_key(part))?;
        let text = &self.modules[&module];
        let elsewhere = path.get(module.len()).and_then(|name| text.names.get(name));
        if let Some(next) =
            elsewhere.filter(|_| depth < 8).and_then(|from| self.absolute(&module, from))
        {
            return self.defined_in(&next, depth + 1);
        }
        // A name of another crate that passes through `lib.rs` is no import of ours.
        (!module.is_empty()).then_some(module)
    }
}

impl Text {
    fn read(text: &str, folder: bool) -> Self {
        let code = without_tests_and_comments(text);
        let (mut mentions, mut names) = (BTreeSet::new(), BTreeMap::new());
        let mut rest = String::new();
        let mut after = code.as_str();
        while let Some(start) = next_use(after) {
            rest.push_str(&after[..start]);
            let end = start + after[start..].find(';').unwrap_or(0);
            let reexported = !line_start(after, start).trim().is_empty();
            for (path, name) in leaves(&after[start + 4..end]) {
                if !reexported {
                    mentions.insert(path.clone());
                }
                names.insert(name, path);
            }
            after = &after[end..];
        }
        rest.push_str(after);
        mentions.extend(paths(&rest));
        Self { folder, uses: uses(text), mentions, names }
    }
}

/// Where the next `use` item begins: at the start of a line, or behind its visibility.
fn next_use(code: &str) -> Option<usize> {
    let mut starts = code.match_indices("use ").map(|(at, _)| at);
    starts.find(|at| {
        let before = line_start(code, *at).trim();
        before.is_empty() || (before.starts_with("pub") && !before.contains(' '))
    })
}

/// What stands before this place on its line.
fn line_start(code: &str, at: usize) -> &str {
    code[..at].rsplit('\n').next().unwrap_or_default()
}

/// The paths of a tree of imports, each with the name under which it is known here.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((stem, inner)) = tree.split_once('{').filter(|(_, inner)| inner.ends_with('}')) {
        let stem = segments(stem);
        let mut depth = 0;
        let parts = inner[..inner.len() - 1].split(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        let found = parts.filter(|part| !part.trim().is_empty()).flat_map(leaves);
        return found
            .map(|(mut path, name)| {
                path.retain(|part| part != "self" || stem.is_empty());
                let name =
                    if path.is_empty() { stem.last().cloned().unwrap_or(name) } else { name };
                ([stem.clone(), path].concat(), name)
            })
            .collect();
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = segments(path);
    let name = if name.is_empty() {
        path.last().cloned().unwrap_or_default()
    } else {
        name.trim().to_owned()
    };
    vec![(path, name)]
}

/// Every path with `::` in the code.
fn paths(code: &str) -> BTreeSet<Vec<String>> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let words = code.split(|c| !word(c)).filter(|word| word.contains("::"));
    words.map(segments).filter(|path| !path.is_empty()).collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// What the documentation of a file says that it uses: `//! Uses: a, b.`, on one line or several.
fn uses(text: &str) -> Option<BTreeSet<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with("//! Uses: "));
    let lines: Vec<_> = lines.map_while(|line| line.strip_prefix("//! ")).collect();
    let said = lines.join(" ");
    let (said, _) = said.strip_prefix("Uses: ")?.split_once('.')?;
    let names = said.split(", ").filter(|name| *name != "nothing");
    Some(names.map(|name| name.trim_matches('`').to_owned()).collect())
}

/// Items behind `#[cfg(test)]` are left out to the end of their block or statement, at the same indentation.
fn without_tests_and_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("#[cfg(test") || code.starts_with("#[cfg(all(test") {
            let indent = &line[..line.len() - code.len()];
            let ends = |line: &&str| {
                let Some(code) = line.strip_prefix(indent).filter(|code| !code.starts_with(' '))
                else {
                    return false;
                };
                code.starts_with('}') || code.ends_with(';')
            };
            lines.by_ref().find(ends);
        } else if !code.starts_with("//") {
            kept.push_str(line.split(" // ").next().unwrap_or_default());
            kept.push('\n');
        }
    }
    kept
}

/// The name directly below a folder that a module is in; `mod` for the folder itself.
fn below(folder: &[String], module: &[String]) -> Option<String> {
    match module.get(folder.len()) {
        Some(name) => Some(name.clone()),
        None if folder.is_empty() => None,
        None => Some("mod".to_owned()),
    }
}

/// Modules that import one another in a circle, one of the circles if there are several.
pub(crate) fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left = graph.clone();
    loop {
        // Whoever imports nobody that is left is on no circle.
        let free: Vec<_> = left
            .iter()
            .filter(|(_, to)| !to.iter().any(|to| left.contains_key(to)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|name, _| !free.contains(name));
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|to| left.contains_key(*to))?.clone();
        if let Some(start) = way.iter().position(|name| *name == next) {
            way.push(next);
            return Some(way.split_off(start));
        }
        way.push(next);
    }
}
