//! What users upload, and what is made of it.

use std::fs;
use std::path::Path;

use mediaflow::ops::Watermark;
use mediaflow::prelude::*;

use crate::Anyhow;

const PHOTOS: [&str; 5] =
    ["mountains.jpg", "spaniels.jpg", "fig.jpg", "dandelions.jpg", "coffee.png"];
const CLIP: &str = "bunny.mp4";
const BROKEN: &str = "holiday.mp4";

/// Puts the uploads into `folder`, one of them cut off in the middle, and removes what an earlier run left there.
pub(crate) fn prepare(folder: &Path) -> Anyhow<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let uploads = folder.join("uploads");
    fs::create_dir_all(&uploads)?;
    fs::create_dir_all(folder.join("scratch"))?; // here, what a killed worker leaves is found and removed
    for name in PHOTOS.iter().chain(&[CLIP, "logo.png"]) {
        fs::copy(Path::new("examples/media").join(name), uploads.join(name))?;
    }
    let clip = fs::read(uploads.join(CLIP))?;
    fs::write(uploads.join(BROKEN), &clip[..clip.len() * 6 / 10])?;
    Ok(())
}

/// The uploads in the order of their jobs.
pub(crate) fn names() -> Vec<String> {
    PHOTOS.iter().chain(&[CLIP, BROKEN]).map(|name| (*name).to_owned()).collect()
}

/// Four renditions of each photo, from one decode.
pub(crate) fn photos() -> Anyhow<Vec<Pipeline>> {
    PHOTOS.iter().map(|name| photo(name).map_err(Into::into)).collect()
}

fn photo(name: &str) -> mediaflow::Result<Pipeline> {
    let stem = name.split('.').next().unwrap_or(name);
    Pipeline::from(format!("uploads/{name}"))
        .output(format!("public/{stem}-large.webp"), |photo| {
            photo.resize((1200, 1200, Fit::Inside)).webp(82)
        })
        .output(format!("public/{stem}-card.jpg"), |photo| {
            let mark = Watermark::new().gravity(Gravity::Southeast).scale(0.3).offset(12);
            photo.resize((600, 400, Fit::Cover)).watermark_with("uploads/logo.png", mark).jpeg(80)
        })
        .output(format!("public/{stem}-thumb.jpg"), |photo| {
            photo.resize((200, 200, Fit::Cover)).jpeg(78)
        })
        .output(format!("public/{stem}-negative.jpg"), |photo| {
            photo.resize((400, 400, Fit::Inside)).negate().jpeg(78)
        })
        .build()
}

/// Two renditions and a poster of the clip.
pub(crate) fn clip() -> mediaflow::Result<Pipeline> {
    Pipeline::from(format!("uploads/{CLIP}"))
        .output("public/bunny-480.mp4", |clip| clip.resize((854, 480, Fit::Inside)).mp4(23))
        .output("public/bunny-240-teaser.mp4", |clip| {
            clip.trim(1.0, 3.0).resize((426, 240, Fit::Inside)).mp4(26)
        })
        .output("public/bunny-poster.jpg", |clip| {
            clip.poster(Position::Percent(50.0)).resize((600, 400, Fit::Inside)).jpeg(82)
        })
        .build()
}

/// The same wish for a clip whose upload was cut off.
pub(crate) fn broken_clip() -> mediaflow::Result<Pipeline> {
    Pipeline::from(format!("uploads/{BROKEN}"))
        .output("public/holiday-480.mp4", |clip| clip.resize((854, 480, Fit::Inside)).mp4(23))
        .build()
}
