//! What a source says of itself is in no result unasked, and what is asked for is there: looked for with `exiftool` and `strings`,
//! in every format that is written, from every format and layout that says something.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

#[path = "metadata/sources.rs"]
mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mediaflow::image::{Jpeg, MetadataPolicy, Png, Webp};
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use mediaflow::video::Mp4;
use serde_json::{Map, Value};

use sources::{ARTIST, COPYRIGHT, clips, photos};

/// What `exiftool` says of a file: group and name, and what is said.
type Said = Map<String, Value>;

/// What of a photo may be published unasked.
const CREDIT: [&str; 2] = [ARTIST, COPYRIGHT];

fn policies() -> [(&'static str, MetadataPolicy); 4] {
    [
        ("private", MetadataPolicy::Private),
        ("copyright", MetadataPolicy::Copyright),
        ("keep", MetadataPolicy::Keep),
        ("strip", MetadataPolicy::Strip),
    ]
}

/// Each format, by each policy; and after steps, because these take other ways.
fn of_photo(name: &str) -> Pipeline {
    let mut pipeline = Pipeline::from(format!("in/{name}"));
    for (policy, how) in policies() {
        let place = |format: &str| format!("out/{policy}_{name}.{format}");
        pipeline = pipeline
            .output(place("jpg"), |photo| photo.jpeg(Jpeg::quality(70).metadata(how)))
            .output(place("png"), |photo| photo.then(Png::new().metadata(how)))
            .output(place("webp"), |photo| photo.webp(Webp::quality(70).metadata(how)));
    }
    pipeline
        .output(format!("out/private_small_{name}.jpg"), |photo| {
            photo.resize((20, 20, Fit::Cover)).jpeg(70)
        })
        .output(format!("out/private_small_{name}.webp"), |photo| {
            photo.resize((20, 20, Fit::Inside)).webp(Webp::lossless())
        })
        .build()
        .unwrap()
}

fn of_clip(name: &str) -> Pipeline {
    let mut pipeline = Pipeline::from(format!("in/{name}"));
    for (policy, how) in policies() {
        pipeline = pipeline.output(format!("out/{policy}_{name}.mp4"), |clip| {
            clip.mp4(Mp4::crf(40).metadata(how))
        });
    }
    let at = Position::Seconds(0.2);
    pipeline
        .output(format!("out/private_{name}.jpg"), |clip| clip.poster(at).jpeg(70))
        .output(format!("out/strip_{name}.png"), |clip| {
            clip.poster(at).then(Png::new().metadata(MetadataPolicy::Keep))
        })
        .output(format!("out/private_{name}.webp"), |clip| clip.poster(at).webp(70))
        .build()
        .unwrap()
}

/// What `exiftool` says of each file of two folders, by the name of the file.
fn said(folders: [&Path; 2]) -> BTreeMap<String, Said> {
    let output = Command::new("exiftool")
        .args(["-j", "-a", "-u", "-ee", "-G1", "-api", "largefilesupport=1"])
        .args(folders)
        .output()
        .expect("exiftool is installed by `make test`");
    let files: Vec<Said> = serde_json::from_slice(&output.stdout).unwrap();
    let named = |said: Said| {
        let path = Path::new(said["SourceFile"].as_str().unwrap());
        (path.file_name().unwrap().to_str().unwrap().to_owned(), said)
    };
    files.into_iter().map(named).collect()
}

/// Lines of text in all files of a folder, in letters of one and of two bytes, each with the file's name before it.
fn strings(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.collect();
    let letters = |width: &str| {
        let output = Command::new("strings").args(["-a", "-f", "-e", width]).args(&files).output();
        String::from_utf8_lossy(&output.expect("binutils are installed").stdout).into_owned()
    };
    ["S", "l", "b"].map(letters).concat()
}

/// A name without its group.
fn name(key: &str) -> &str {
    key.rsplit_once(':').map_or(key, |(_, name)| name)
}

/// Whether this is said of the file and not in it.
fn is_outside(key: &str) -> bool {
    ["SourceFile", "System:", "ExifTool:ExifToolVersion"].iter().any(|of| key.starts_with(of))
}

/// Nothing is said but this.
fn assert_silent(file: &str, said: &Said, but: &[&str]) {
    for (key, value) in said.iter().filter(|(key, _)| !is_outside(key)) {
        let text = value.to_string();
        let is_allowed =
            but.iter().any(|but| value == but) && ["Artist", "Copyright"].contains(&name(key));
        let told = ["Planted", "2021:03", "48.85", "48 deg", "GPS"];
        let told = told.iter().find(|told| text.contains(**told) || key.contains(**told));
        assert!(told.is_none() || is_allowed, "{file} says {key}: {text}");
    }
}

fn find<'a>(said: &'a Said, wanted: &str) -> Option<&'a Value> {
    said.iter().find(|(key, _)| name(key) == wanted).map(|(_, value)| value)
}

fn is_photo(source: &str) -> bool {
    [".jpg", ".png", ".webp", ".gif"].iter().any(|ending| source.ends_with(ending))
}

/// What EXIF and XMP say is as it was, but the picture is upright now.
fn assert_kept(file: &str, source: &Said, result: &Said) {
    let is_kept = |key: &str| {
        let group = key.split(':').next().unwrap_or_default();
        ["IFD0", "ExifIFD", "GPS"].contains(&group) || group.starts_with("XMP-")
    };
    let mut kept = 0;
    for (key, value) in source.iter().filter(|(key, _)| is_kept(key)) {
        let right = match name(key) {
            "Orientation" => &Value::from("Horizontal (normal)"),
            _ => value,
        };
        assert_eq!(result.get(key), Some(right), "{key} of {file}: {result:?}");
        kept += 1;
    }
    assert!(kept > 0 || source.keys().all(|key| !is_kept(key)), "{file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_says_of_itself_is_in_no_result_unasked() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (photos, clips) = (photos(from.path()), clips(from.path()));
    let media = Mediaflow::builder()
        .storage("in", &format!("file:{}", from.path().display()))
        .storage("out", &format!("file:{}", to.path().display()))
        .with(image::operations)
        .with(video::operations)
        .start()
        .await
        .unwrap();
    let jobs =
        photos.iter().map(|name| of_photo(name)).chain(clips.iter().map(|clip| of_clip(clip.name)));
    let mut running = Vec::new();
    for job in jobs {
        running.push(media.submit(job).await.unwrap());
    }
    for job in running {
        let report = job.done().await.unwrap();
        assert_eq!(report.state, JobState::Succeeded, "{report:?}");
    }
    media.shutdown(Duration::from_secs(5)).await.unwrap();

    let said = said([from.path(), to.path()]);
    let (mut silent, mut kept, mut faults) = (0, 0, Vec::new());
    for (file, result) in &said {
        let Some((policy, rest)) = file.split_once('_') else { continue };
        let (source, format) = rest.trim_start_matches("small_").rsplit_once('.').unwrap();
        let wrong = result.iter().find(|(key, _)| ["Warning", "Error"].contains(&name(key)));
        assert_eq!(wrong, None, "{file}");
        let has =
            |wanted: &str, value: &str| find(result, wanted).is_some_and(|found| found == value);
        let is_credited = has("Artist", ARTIST) && has("Copyright", COPYRIGHT);
        match (policy, is_photo(source), format) {
            ("private" | "copyright", true, _) => {
                assert_silent(file, result, &CREDIT);
                assert!(is_credited, "{file}: {result:?}");
                silent += 1;
            }
            ("copyright", false, "mp4") => {
                assert_silent(file, result, &CREDIT);
                let source = clips.iter().find(|clip| clip.name == source).unwrap();
                for (tag, text) in [("Artist", ARTIST), ("Copyright", COPYRIGHT)] {
                    assert!(has(tag, text) || !source.says(tag), "{tag} of {file}: {result:?}");
                }
            }
            ("private" | "strip", ..) => {
                assert_silent(file, result, &[]);
                silent += 1;
            }
            ("keep", true, _) => {
                let is_credited = is_credited || has("Creator", ARTIST) && has("Rights", COPYRIGHT);
                assert!(is_credited, "{file}: {result:?}");
                assert_kept(file, &said[source], result);
                kept += 1;
            }
            _ => {
                let source = clips.iter().find(|clip| clip.name == source).unwrap();
                for (tag, text) in source.said() {
                    // Dates are shown with colons.
                    let found = find(result, tag).map(|found| found.to_string().replace(':', "-"));
                    let is_kept = found.as_ref().is_some_and(|found| found.contains(text));
                    let fault = || format!("{file}: {tag} is {found:?}, not {text}");
                    faults.extend((!is_kept).then(fault));
                }
                kept += 1;
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(
        silent >= 40 && kept >= 20,
        "{silent} results are silent, and {kept} say what they keep"
    );

    for line in strings(to.path()).lines() {
        let (file, text) = line.split_once(": ").unwrap_or_default();
        let file =
            Path::new(file).file_name().map(|file| file.to_string_lossy()).unwrap_or_default();
        let Some((policy, source)) = file.split_once('_') else { continue };
        let mut text = text.to_owned();
        let source = source.rsplit_once('.').map_or(source, |(source, _)| source);
        if policy == "copyright" || policy == "private" && is_photo(source) {
            CREDIT.iter().for_each(|credit| text = text.replace(credit, ""));
        }
        let told = ["Planted", "xmpmeta", "2021:03", "48.857", "Photoshop"];
        let told = told.iter().find(|told| text.contains(**told));
        assert!(policy == "keep" || told.is_none(), "{file} holds {text}");
    }
}
