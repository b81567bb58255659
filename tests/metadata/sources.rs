//! Files that say much of themselves: where, when, by whom and with what they were made.

use std::path::Path;
use std::process::Command;

pub(crate) const ARTIST: &str = "Planted artist";
pub(crate) const COPYRIGHT: &str = "Planted copyright";

/// EXIF, with a picture of its own.
const EXIF: &[&str] = &[
    "-EXIF:Artist=Planted artist",
    "-EXIF:Copyright=Planted copyright",
    "-EXIF:ImageDescription=Planted description",
    "-EXIF:Make=Planted maker",
    "-EXIF:Model=Planted model",
    "-EXIF:Software=Planted program",
    "-EXIF:UserComment=Planted remark",
    "-EXIF:SerialNumber=Planted 17",
    "-EXIF:OwnerName=Planted owner",
    "-EXIF:DateTimeOriginal=2021:03:04 05:06:07",
    "-EXIF:XPTitle=Planted title",
    "-EXIF:GPSLatitude=48.8577",
    "-EXIF:GPSLatitudeRef=N",
    "-EXIF:GPSLongitude=2.295",
    "-EXIF:GPSLongitudeRef=E",
    "-EXIF:GPSDateStamp=2021:03:04",
    "-IFD0:Orientation#=6",
];
/// The same without who made it.
const NO_CREDIT: &[&str] = &["-EXIF:Artist=", "-EXIF:Copyright="];
const XMP: &[&str] = &[
    "-XMP-dc:Title=Planted title",
    "-XMP-dc:Creator=Planted artist",
    "-XMP-dc:Rights=Planted copyright",
    "-XMP-dc:Subject=Planted subject",
    "-XMP-xmp:CreateDate=2021:03:04 05:06:07",
    "-XMP-exif:GPSLatitude=48.8577",
    "-XMP-exif:GPSLongitude=2.295",
    "-XMP-aux:SerialNumber=Planted 17",
    "-XMP-tiff:Orientation#=6",
];
const IPTC: &[&str] = &[
    "-IPTC:By-line=Planted artist",
    "-IPTC:CopyrightNotice=Planted copyright",
    "-IPTC:Caption-Abstract=Planted description",
    "-IPTC:City=Planted city",
];
const COMMENT: &[&str] = &["-Comment=Planted comment"];
const TEXT: &[&str] = &[
    "-PNG:Author=Planted artist",
    "-PNG:Copyright=Planted copyright",
    "-PNG:Title=Planted title",
    "-PNG:Comment=Planted comment",
    "-PNG:Source=Planted camera",
];
/// Text is compressed.
const PACKED: &[&str] = &["-z"];

/// Draws photos into a folder, and gives their names.
pub(crate) fn photos(folder: &Path) -> Vec<&'static str> {
    let photos: [(&str, &[&[&str]]); 13] = [
        ("camera.jpg", &[EXIF, XMP, IPTC, COMMENT]),
        ("exif.jpg", &[EXIF]),
        ("xmp.jpg", &[EXIF, NO_CREDIT, XMP]),
        ("press.jpg", &[IPTC, COMMENT]),
        ("camera.png", &[EXIF, XMP, TEXT]),
        ("xmp.png", &[XMP]),
        ("text.png", &[TEXT]),
        ("packed.png", &[TEXT, XMP, PACKED]),
        ("press.png", &[IPTC]),
        ("camera.webp", &[EXIF, XMP]),
        ("xmp.webp", &[XMP]),
        ("words.gif", &[XMP, COMMENT]),
        ("exif.webp", &[EXIF]),
    ];
    let mut draw = Command::new("ffmpeg");
    draw.args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=64x48"]);
    for (name, _) in photos {
        draw.args(["-frames:v", "1"]).arg(folder.join(name));
    }
    assert!(draw.status().expect("ffmpeg is installed by `make test`").success());
    plant(folder, &photos);
    photos.iter().map(|(name, _)| *name).collect()
}

/// Writes what is said, all of it by one run of `exiftool`.
fn plant(folder: &Path, files: &[(&str, &[&[&str]])]) {
    let mut plant = Command::new("exiftool");
    plant.args(["-q", "-q"]);
    for (name, said) in files {
        plant
            .args(said.iter().copied().flatten())
            .arg("-overwrite_original")
            .arg(folder.join(name));
        plant.arg("-execute");
    }
    let output = plant.output().expect("exiftool is installed by `make test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A clip, and what it says where `keep` promises it.
pub(crate) struct Clip {
    pub(crate) name: &'static str,
    /// What its container has no place for, or what nobody reads of it.
    lacks: &'static [&'static str],
    coded: &'static [&'static str],
}

/// By the names of `exiftool` for what is written, and of `ffmpeg` for what is read.
const SAID: [(&str, &str, &str); 10] = [
    ("Title", "title", "Planted title"),
    ("Artist", "artist", ARTIST),
    ("Copyright", "copyright", COPYRIGHT),
    ("Comment", "comment", "Planted comment"),
    ("Description", "description", "Planted description"),
    ("Album", "album", "Planted album"),
    ("Genre", "genre", "Planted genre"),
    ("ContentCreateDate", "date", "2021-03-04"),
    ("Make", "make", "Planted maker"),
    ("Model", "model", "Planted model"),
];

/// How `exiftool` shows the place.
const PLACE: (&str, &str) = ("GPSCoordinates", "48 deg 51");

impl Clip {
    pub(crate) fn says(&self, tag: &str) -> bool {
        !self.lacks.contains(&tag)
    }

    /// What is to be kept.
    pub(crate) fn said(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let said = SAID.iter().map(|(tag, _, text)| (*tag, *text)).chain([PLACE]);
        said.filter(|(tag, _)| self.says(tag))
    }
}

/// What a container lacks that has no place for any of it.
const NOTHING: &[&str] = &[
    "Title",
    "Artist",
    "Copyright",
    "Comment",
    "Description",
    "Album",
    "Genre",
    "ContentCreateDate",
    "Make",
    "Model",
    "GPSCoordinates",
];
const X264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"];

fn clip(
    name: &'static str,
    lacks: &'static [&'static str],
    coded: &'static [&'static str],
) -> Clip {
    Clip { name, lacks, coded }
}

/// Draws clips into a folder.
pub(crate) fn clips(folder: &Path) -> Vec<Clip> {
    let clips = vec![
        clip("list.mp4", &["Make", "Model"], &[]),
        clip("keys.mov", &[], &["-movflags", "use_metadata_tags"]),
        clip("user.mov", &["Description"], &[]),
        clip("phone.3gp", &["Comment", "ContentCreateDate", "Description", "Make", "Model"], &[]),
        clip("tags.mkv", &["GPSCoordinates", "Make", "Model"], &[]),
        clip("stream.ts", NOTHING, &[]),
        clip(
            "tags.webm",
            &["GPSCoordinates", "Make", "Model"],
            &["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"],
        ),
        clip(
            "comments.ogv",
            &["Comment", "GPSCoordinates", "Make", "Model"],
            &["-c:v", "libtheora", "-c:a", "libvorbis"],
        ),
    ];
    for clip in &clips {
        let mut draw = Command::new("ffmpeg");
        draw.args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4"]);
        draw.args(["-f", "lavfi", "-i", "sine=d=0.4", "-map", "0:v", "-map", "1:a"]);
        for (_, key, text) in SAID {
            draw.args(["-metadata", &format!("{key}={text}")]);
        }
        draw.args(["-metadata", "location=+48.8577+002.2950/"]);
        if !clip.name.ends_with("ogv") {
            // Ogg says nothing of the film, but of its streams.
            draw.args(["-metadata:s:v", "title=Planted picture"]);
            draw.args(["-metadata:s:a", "title=Planted sound"]);
        }
        draw.args(["-metadata:s:v", "handler_name=Planted handler"]);
        draw.args(["-metadata", "creation_time=2021-03-04T05:06:07Z"]);
        if clip.coded.contains(&"-c:v") {
            draw.args(clip.coded);
        } else {
            // What cameras write between the pictures.
            let beside = "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+Planted";
            draw.args(X264).args(["-bsf:v", beside]).args(clip.coded);
        }
        let drawn = draw.arg(folder.join(clip.name)).status();
        assert!(drawn.expect("ffmpeg is installed by `make test`").success(), "{}", clip.name);
    }
    plant(folder, &[("list.mp4", &[XMP]), ("user.mov", &[XMP])]);
    clips
}
