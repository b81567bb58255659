//! The rules of the repository that a test can prove. ARCHITECTURE.md tells why they are there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

#[path = "tidy/codes.rs"]
mod codes;
#[path = "tidy/floors.rs"]
mod floors;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file below `folder` with this ending, without build directories.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = ["target", ".git", "node_modules"].iter().any(|skipped| name == *skipped);
        if path.is_dir() && !skipped {
            found.extend(files(&path, ending));
        } else if name.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// The lines of one table of a manifest.
fn table<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| line.trim() != begin).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn files_are_short_and_have_no_loose_ends() {
    // Written in parts, so that this file does not find itself.
    let loose = ["to", "do!("].concat();
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["#[", "ignore"].concat(),
        ["dbg", "!("].concat(),
        loose,
    ];
    for path in files(root(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines < 500, "{}: {lines} lines", path.display());
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{}: has {mark}", path.display());
        }
        let unsafe_block = ["unsafe", " {"].concat();
        assert!(!text.contains(&unsafe_block), "{}: has unsafe code", path.display());
    }
}

#[test]
fn the_facade_is_one_file() {
    let names: Vec<_> = files(&root().join("src"), ".rs");
    assert_eq!(names, [root().join("src/lib.rs")]);
}

#[test]
fn crates_know_only_what_they_may() {
    let satellites = [
        "mediaflow-image",
        "mediaflow-video",
        "mediaflow-notify",
        "mediaflow-queue",
        "mediaflow-remote",
        "mediaflow-storage",
    ];
    // What several of them share, and which knows none of them.
    let shared = ["mediaflow-core", "mediaflow-sign"];
    for name in satellites.iter().chain(&shared) {
        let manifest = read(format!("{name}/Cargo.toml"));
        for line in table(&manifest, "dependencies") {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(!satellites.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
    let jpeg = read("mediaflow-jpeg/Cargo.toml");
    assert!(!table(&jpeg, "dependencies").iter().any(|line| line.starts_with("mediaflow-")));
    let core = read("mediaflow-core/Cargo.toml");
    let dependencies = table(&core, "dependencies").join("\n");
    for foreign in ["image", "gstreamer", "sqlx", "rusqlite", "lettre", "aws", "turbojpeg", "png"] {
        let found = dependencies.lines().any(|line| line.starts_with(foreign));
        assert!(!found, "core must not know {foreign}");
    }
    let http =
        dependencies.lines().find(|line| line.starts_with("reqwest")).expect("the guarded client");
    assert!(http.contains("optional = true"), "core's HTTP client is a choice");
}

#[test]
fn dependencies_stand_once_and_with_a_reason() {
    let manifest = read("Cargo.toml");
    for line in table(&manifest, "workspace.dependencies") {
        let own = line.starts_with("mediaflow-");
        assert!(own || line.contains(" # "), "a reason is missing: {line}");
    }
    for crate_manifest in files(root(), "Cargo.toml") {
        // Outside of the workspace.
        if ["fuzz", "tests"].iter().any(|folder| crate_manifest.starts_with(root().join(folder))) {
            continue;
        }
        let text = fs::read_to_string(&crate_manifest).unwrap();
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for line in table(&text, kind) {
                let inherited = line.contains("workspace = true") || line.starts_with('#');
                assert!(inherited, "{}: {line}", crate_manifest.display());
            }
        }
    }
}

#[test]
fn the_readme_lists_the_features() {
    let manifest = read("Cargo.toml");
    let named: BTreeSet<_> = table(&manifest, "features")
        .into_iter()
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned()))
        .filter(|name| !name.starts_with('#') && name != "default")
        .collect();
    let readme = read("README.md");
    let begin = readme.find("## Features").expect("a section on features");
    let listed: BTreeSet<_> = readme[begin..]
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    assert_eq!(named, listed);
}

#[test]
fn the_map_names_every_folder() {
    let map = read("ARCHITECTURE.md");
    for name in [
        "mediaflow-core",
        "mediaflow-image",
        "mediaflow-video",
        "mediaflow-notify",
        "mediaflow-remote",
    ] {
        for entry in fs::read_dir(root().join(name).join("src")).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                let folder = entry.file_name().to_string_lossy().into_owned();
                let named = map.contains(&format!("{name}/src/{folder}"))
                    || map.contains(&format!("`{folder}`"));
                assert!(named, "ARCHITECTURE.md does not name {name}/src/{folder}");
            }
        }
    }
}

const CRATES: [&str; 9] = [
    "mediaflow-core",
    "mediaflow-image",
    "mediaflow-jpeg",
    "mediaflow-video",
    "mediaflow-notify",
    "mediaflow-queue",
    "mediaflow-remote",
    "mediaflow-sign",
    "mediaflow-storage",
];

#[test]
fn imports_go_one_way() {
    let mut found = Vec::new();
    for name in CRATES {
        let library = floors::Library::read(&root().join(name).join("src"));
        for folder in library.folders() {
            if let Some(circle) = floors::circle(&library.imports(&folder)) {
                found.push(format!("{name}/src/{}: {}", folder.join("/"), circle.join(" -> ")));
            }
        }
    }
    assert!(found.is_empty(), "these import one another in a circle:\n{}", found.join("\n"));
}

#[test]
fn modules_import_what_they_say() {
    let mut found = Vec::new();
    for name in CRATES {
        let library = floors::Library::read(&root().join(name).join("src"));
        found.extend(library.undeclared().into_iter().map(|wrong| format!("{name}: {wrong}")));
        let silent = library.declarations().filter(|(_, says)| !says);
        found.extend(
            silent.map(|(module, _)| format!("{name}: {module} has no line `//! Uses: ...`")),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
