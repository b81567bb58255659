//! The film that everyone gets: 10 s of 1920 x 1080 at 30 frames a second, H.264 and AAC.
//!
//! A repository has no room for camera files, and what a test generator draws has neither texture nor grain, so that an
//! encoder would have an easy time. This one is cut from the repository's photos, over which a hand-held camera moves, and
//! from its small film; the grain of a sensor is laid over.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::{Result, ffmpeg};

pub(crate) const RATE: u32 = 30;
/// Frames of each of the four shots.
const SHOT: u32 = 75;
pub(crate) const FRAMES: u32 = 4 * SHOT;

/// A photo, the width that it is scaled to, and where the camera looks, by the number of the frame.
const SHOTS: [(&str, u32, &str, &str); 3] = [
    ("dandelions.jpg", 3000, "60+9*n+7*sin(n/4)", "150+2*n+5*sin(n/3)"),
    ("mountains.jpg", 2300, "340-4*n+3*sin(n/5)", "300+n+3*cos(n/4)"),
    ("spaniels.jpg", 2600, "100+5*n+11*sin(n/2.3)", "90+3*n+9*cos(n/3.1)"),
];
const FILM: &str = "bunny.mp4";

/// The path of the film; it is made once per recipe and kept in `cache`.
pub(crate) fn film(media: &Path, cache: &Path) -> Result<PathBuf> {
    let graph = graph();
    let sound = "aevalsrc='0.12*sin(2*PI*(220+20*t)*t)*(0.6+0.4*sin(9*t))\
        |0.1*sin(2*PI*(330-8*t)*t)*(0.6+0.4*cos(7*t))':s=48000:d=10[tones];\
        anoisesrc=c=pink:a=0.08:r=48000:d=10:s=7[noise];[tones][noise]amix=normalize=0[sound]";
    let graph = format!("{graph};{sound}");
    let settings = "-map [picture] -map [sound] -t 10 -c:v libx264 -preset fast -crf 20 -g 60 \
        -pix_fmt yuv420p -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv \
        -c:a aac -b:a 192k -ac 2 -movflags +faststart -f mp4";
    let mut key = DefaultHasher::new();
    (&graph, settings).hash(&mut key);
    let path = cache.join(format!("film-{:016x}.mp4", key.finish()));
    if !path.exists() {
        std::fs::create_dir_all(cache)?;
        let files: Vec<String> = SHOTS
            .iter()
            .map(|(photo, ..)| *photo)
            .chain([FILM])
            .map(|name| media.join(name).to_string_lossy().into_owned())
            .collect();
        let mut arguments: Vec<&str> = files.iter().flat_map(|file| ["-i", file]).collect();
        arguments.extend(["-filter_complex", &graph]);
        arguments.extend(settings.split_whitespace());
        ffmpeg::make(&arguments, &path)?;
    }
    Ok(path)
}

fn graph() -> String {
    let mut graph = String::new();
    let mut joined = String::new();
    let mut shot = |input: usize, filters: &str| {
        // The colours of a JPEG are those of BT.601, and of full range.
        let _ = write!(
            graph,
            "[{input}:v:0]{filters},setsar=1,setpts=N/{RATE}/TB,fps={RATE},format=yuv420p,\
             trim=end_frame={SHOT}[shot{input}];"
        ); // a String takes every write
        let _ = write!(joined, "[shot{input}]");
    };
    for (input, (_, width, x, y)) in SHOTS.iter().enumerate() {
        let still = format!(
            "scale={width}:-2:out_color_matrix=bt709:out_range=tv,format=yuv420p,\
             loop=loop={SHOT}:size=1,crop=1920:1080:'{x}':'{y}'"
        );
        shot(input, &still);
    }
    shot(SHOTS.len(), "trim=start=1,scale=1920:1080:flags=lanczos");
    let parts = SHOTS.len() + 1;
    let _ = write!(
        graph,
        "{joined}concat=n={parts},noise=c0s=7:c0f=t:c1s=3:c1f=t:c2s=3:c2f=t:all_seed=20,\
         format=yuv420p[picture]"
    );
    graph
}
