//! What a source says of itself is in no result unasked: looked for as bytes, and with `exiftool` where that is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use mediaflow_core::media::MetadataPolicy;
use mediaflow_core::ops::{Fps, Poster, Resize, Trim};
use serde_json::Value;

use crate::clips::{made, mp4};
use crate::common::{Bench, path_of, step};

/// What is planted, by the names that `ffmpeg` has for it.
const SAID: [(&str, &str); 9] = [
    ("title", "Planted title"),
    ("artist", "Planted artist"),
    ("copyright", "Planted copyright"),
    ("comment", "Planted comment"),
    ("description", "Planted description"),
    ("location", "+48.8577+002.2950/"),
    ("make", "Planted maker"),
    ("model", "Planted model"),
    ("handler_name", "Planted handler"),
];

fn planted(bench: &Bench, name: &str, coded: &[&str]) -> PathBuf {
    let said: Vec<String> = SAID.iter().map(|(key, text)| format!("{key}={text}")).collect();
    let mut arguments = vec!["-t", "1"];
    for said in &said {
        arguments.extend(["-metadata", said]);
    }
    arguments.extend([
        "-metadata:s:v",
        "handler_name=Planted stream",
        "-metadata:s:a",
        "title=Planted sound",
    ]);
    arguments.extend(["-metadata", "com.apple.quicktime.location.ISO6709=+48.8577+002.2950/"]);
    arguments.extend(["-metadata", "creation_time=2021-03-04T05:06:07Z"]);
    made(bench, name, &[], &[&arguments[..], coded].concat())
}

/// A clip with a description of its own at its end, as Adobe's programs have it.
fn with_xmp(bench: &Bench, clip: &Path) -> PathBuf {
    const XMP: [u8; 16] = *b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
    let text = packet();
    let size = u32::try_from(text.len() + 24).unwrap().to_be_bytes();
    let mut bytes = std::fs::read(clip).unwrap();
    bytes.extend([&size[..], b"uuid", &XMP, text.as_bytes()].concat());
    let path = bench.folder.path().join("packet.mp4");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn packet() -> String {
    let list = "rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'";
    let said = "tiff:Orientation='6' tiff:Model='Planted packet +48.8577'";
    format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><{list}><rdf:Description rdf:about='' \
         xmlns:tiff='http://ns.adobe.com/tiff/1.0/' {said}/></rdf:RDF></x:xmpmeta>"
    )
}

/// The same in the user data, as QuickTime has it.
fn with_user_xmp(bench: &Bench, clip: &Path) -> PathBuf {
    let mut bytes = std::fs::read(clip).unwrap();
    let find = |bytes: &[u8], kind: &[u8]| bytes.windows(4).rposition(|w| w == kind).unwrap() - 4;
    let text = packet();
    let size = u32::try_from(text.len() + 8).unwrap();
    let said = [&size.to_be_bytes()[..], b"XMP_", text.as_bytes()].concat();
    let (moov, user) = (find(&bytes, b"moov"), find(&bytes, b"udta"));
    for at in [moov, user] {
        let old = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&(old + size).to_be_bytes());
    }
    bytes.splice(user + 8..user + 8, said);
    let path = bench.folder.path().join("packet.mov");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Every layout: user data, the list of iTunes, keys, 3GPP, a packet of XMP, Matroska, Vorbis comments, ID3, and others.
fn sources(bench: &Bench) -> Vec<PathBuf> {
    let x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"];
    let with = |rest: &[&'static str]| [&x264[..], rest].concat();
    let plain = planted(bench, "list.mp4", &with(&[]));
    let packet = with_xmp(bench, &plain);
    let user = with_user_xmp(bench, &planted(bench, "plain.mov", &with(&[])));
    let mut sources = vec![plain, packet, user];
    for (name, coded) in [
        ("keys.mov", with(&["-movflags", "use_metadata_tags"])),
        ("user.mov", with(&[])),
        ("fragments.mp4", with(&["-movflags", "frag_keyframe"])),
        ("phone.3gp", with(&[])),
        ("tags.mkv", with(&[])),
        ("stream.ts", with(&[])),
        ("flash.flv", with(&["-ar", "44100"])),
        ("riff.avi", vec!["-c:v", "mpeg4", "-c:a", "libmp3lame"]),
        ("comments.ogv", vec!["-c:v", "libtheora", "-c:a", "libvorbis"]),
        ("tags.webm", vec!["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"]),
    ] {
        sources.push(planted(bench, name, &coded));
    }
    sources
}

fn is_there(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Nothing that was planted, but these.
fn assert_silent(path: &Path, but: &[&str], what: &str) {
    let bytes = std::fs::read(path).unwrap();
    let exif = Command::new("exiftool").args(["-a", "-u", "-ee", "-G1"]).arg(path).output();
    let exif = exif.map_or(Vec::new(), |output| output.stdout);
    for found in [&bytes, &exif] {
        let texts = SAID.iter().filter(|(key, _)| !but.contains(key)).map(|(_, text)| *text);
        for text in texts.chain([
            "Planted stream",
            "Planted sound",
            "Planted packet",
            "48.85",
            "xmpmeta",
            "2021",
        ]) {
            assert!(!is_there(found, text), "{text} is in {what}");
        }
        assert!(!is_there(found, "Planted") || !but.is_empty(), "{what}");
    }
    // The time at which it was made has a number of its own.
    let made = 1_614_834_367_u32 + 2_082_844_800;
    assert!(!bytes.windows(4).any(|window| window == made.to_be_bytes()), "{what}");
}

fn tags(path: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format_tags", "-of", "json"])
        .arg(path)
        .output();
    let json: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    json["format"]["tags"].clone()
}

#[tokio::test]
async fn nothing_of_what_a_source_says_of_itself_is_in_a_result() {
    let bench = Bench::new();
    let mut results_looked_at = 0;
    for clip in sources(&bench) {
        let what = clip.file_name().unwrap().to_str().unwrap().to_owned();
        let source = std::fs::read(&clip).unwrap();
        assert!(
            is_there(&source, "Planted") || what == "stream.ts",
            "nothing is planted in {what}"
        );
        let steps = vec![
            step("small", Resize::width(160), "source"),
            step("trim", Trim::new(0.2, 0.8), "source"),
            step("fps", Fps::new(10.0), "small"),
            step("plain", mp4(40), "source"),
            step("strip", mp4(40).metadata(MetadataPolicy::Strip), "small"),
            step("silent", mp4(40).silent(), "trim"),
            step("even", mp4(40).metadata(MetadataPolicy::Private), "fps"),
            step("poster", Poster::default(), "small"),
        ];
        let exits = ["plain", "strip", "silent", "even", "poster"];
        let (results, _) = bench.run(&clip, steps, &exits).await.unwrap();
        for exit in &exits[..4] {
            assert_silent(path_of(&results[*exit]), &[], &format!("{exit} of {what}"));
            results_looked_at += 1;
        }
        let poster = results["poster"].clone().into_image().unwrap();
        let said = poster.metadata();
        assert!(said.exif.is_none() && said.xmp.is_none() && said.icc.is_none(), "{what}");
    }
    assert!(results_looked_at >= 40);
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept() {
    let bench = Bench::new();
    let all = ["title", "artist", "copyright", "comment"];
    for clip in sources(&bench) {
        let what = clip.file_name().unwrap().to_str().unwrap().to_owned();
        let steps = vec![
            step("keep", mp4(40).metadata(MetadataPolicy::Keep), "source"),
            step("copyright", mp4(40).metadata(MetadataPolicy::Copyright), "source"),
        ];
        let (results, _) = bench.run(&clip, steps, &["keep", "copyright"]).await.unwrap();
        let (keep, copyright) = (path_of(&results["keep"]), path_of(&results["copyright"]));
        assert_silent(copyright, &["artist", "copyright"], &format!("copyright of {what}"));
        let (kept, source) = (tags(keep), tags(&clip));
        for key in all {
            // What a container has no room for was not planted; of Flash and RIFF not all is read.
            if what.ends_with("flv") || what.ends_with("avi") {
                continue;
            }
            let said = ["", "_"]
                .iter()
                .find_map(|_| source.get(key).or_else(|| source.get(key.to_uppercase()))?.as_str());
            if let Some(said) = said.filter(|said| said.starts_with("Planted")) {
                assert_eq!(kept[key], said, "{what}: {kept} of {source}");
            }
        }
        if ["list.mp4", "keys.mov", "user.mov"].contains(&what.as_str()) {
            assert_eq!(kept["location"], "+48.8577+002.2950/", "{what}: {kept}");
        }
        // A packet is kept as it is, but for how the picture was turned.
        let said = "tiff:Orientation='1' tiff:Model='Planted packet +48.8577'";
        let has_packet = is_there(&std::fs::read(keep).unwrap(), said);
        assert_eq!(has_packet, what.starts_with("packet"), "{what}");
        let right = tags(copyright);
        assert!(right.get("title").is_none() && right.get("location").is_none(), "{right}");
    }
}
