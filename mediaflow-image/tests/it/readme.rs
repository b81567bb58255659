use std::collections::BTreeMap;

use mediaflow_core::media::Format;
use mediaflow_core::{Reader as _, Registry};
use mediaflow_image::ImageReader;

/// The features of formats that are not part of every build: whether this one has them.
const CHOICES: [(&str, bool); 3] = [
    ("avif", cfg!(feature = "avif")),
    ("bitmaps", cfg!(feature = "bitmaps")),
    ("tiff", cfg!(feature = "tiff")),
];

/// The rows of the list of formats: whether each is read and written.
fn listed() -> BTreeMap<String, (bool, bool)> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme.split("### Pictures\n").nth(1).unwrap().split("\n##").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let choice = cells[3]
            .split_once("with the feature `")
            .map(|(_, rest)| rest.split_once('`').unwrap().0);
        if let Some(choice) = choice {
            let (_, has) = CHOICES.iter().find(|(name, _)| *name == choice).unwrap();
            if !has {
                return None;
            }
        }
        let says = |cell: &str| {
            assert!(matches!(cell, "yes" | ""), "{row}");
            cell == "yes"
        };
        Some((cells[0].trim_end_matches('`').to_owned(), (says(cells[1]), says(cells[2]))))
    };
    rows.filter_map(row).collect()
}

#[test]
fn the_readme_lists_the_formats_that_are_read_and_written() {
    let mut registry = Registry::new();
    mediaflow_image::operations(&mut registry);
    let written = |format: &Format| {
        let encoder = registry.parse(format.name(), 1, &serde_json::Map::new());
        encoder.is_ok_and(|encoder| encoder.writes().as_ref() == Some(format))
    };
    let known = ImageReader::new()
        .formats()
        .into_iter()
        .map(|spec| (spec.format.name().to_owned(), (true, written(&spec.format))));
    assert_eq!(listed(), known.collect());
}
