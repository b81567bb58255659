//! What stands where: adding a format or an operation touches its file and the table that it is registered in.

use std::fs;
use std::path::{Path, PathBuf};

use mediaflow_core::Registry;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    found.collect()
}

/// The code of a file, without comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The names in a folder, each of a file or of a folder, but for its table.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(source().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(name).filter(|name| name != "mod").collect()
}

/// Files that name something that is not theirs to name, apart from the list of what the crate gives to others.
fn named_elsewhere(folder: &str, name: &str, names: impl Fn(&str) -> bool) -> Vec<String> {
    let (table, own) = (source().join(folder).join("mod.rs"), source().join(folder).join(name));
    let elsewhere = files(&source()).into_iter().filter(|file| {
        let is_own = file.with_extension("") == own || file.starts_with(&own);
        !is_own && *file != table && *file != source().join("lib.rs")
    });
    let found = elsewhere.filter(|file| names(&code(file)));
    found.map(|file| format!("{name} in {}", file.display())).collect()
}

#[test]
fn a_format_is_one_file_and_its_lines_in_the_table() {
    let formats = names("formats");
    assert!(formats.len() >= 4, "{formats:?}");
    for format in formats {
        let names = |code: &str| match format.as_str() {
            // The blocks of EXIF, which all formats have, are in this one's form, and called so.
            "tiff" => ["TIFF", "TiffCodec", "tiff::"].iter().any(|name| code.contains(name)),
            // These letters are in other words, too.
            "ico" => code
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word.eq_ignore_ascii_case("ico") || word == "IcoCodec"),
            format => code.to_lowercase().contains(format),
        };
        let found = named_elsewhere("formats", &format, names);
        assert!(found.is_empty(), "{found:?}");
        let own = code(&source().join("formats/mod.rs"));
        assert!(own.contains(&format!("mod {format};")), "{format} is not registered");
    }
}

#[test]
fn an_operation_is_one_file_and_its_lines_in_the_table() {
    let operations = names("ops");
    assert!(operations.len() >= 18, "{operations:?}");
    for operation in operations {
        let parts = operation.split('_').map(|part| part[..1].to_uppercase() + &part[1..]);
        let word = parts.collect::<String>();
        // `ColorType::Grayscale` is another library's word, `ExtendMode::Blur` a mode, and `Gravity::Entropy` a place.
        let others = ["ColorType", "ExtendMode", "Gravity"].map(|kind| format!("{kind}::{word}"));
        let names = |code: &str| {
            let own = others.iter().fold(code.to_owned(), |code, other| code.replace(other, ""));
            own.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
        };
        let found = named_elsewhere("ops", &operation, names);
        assert!(found.is_empty(), "{found:?}");
        let table = code(&source().join("ops/mod.rs"));
        assert!(
            table.contains(&format!("Word::of::<ops::{word}>()")),
            "{operation} is not registered"
        );
        // What is read is called metadata, and so its type would be.
        let kind = operation.strip_prefix("read_").unwrap_or(&operation);
        let parsed = Registry::new().parse(kind, 1, &<_>::default());
        let unknown = parsed.is_err_and(|error| error.code() == "spec.unknown_op");
        assert!(!unknown, "{operation} has no line in `registry/words.rs`");
    }
}
