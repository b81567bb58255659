//! Channels and rates.

use super::super::clip::{Clip, Drawn, SOUND, Sound};
use super::Case;

const fn sounding(
    layout: &'static str,
    rate: u32,
    ending: &'static str,
    settings: &'static str,
) -> Clip {
    let drawn = Drawn::new(ending, settings);
    Clip::Drawn(Drawn { sound: Some(Sound { layout, rate, ..SOUND }), ..drawn })
}

const AAC: &str = "-c:v libx264 -c:a aac";
const PCM: &str = "-c:v libx264 -c:a pcm_s16le";

pub(super) const CASES: &[Case] = &[
    Case::of("Mono of 8 kHz, PCM", sounding("mono", 8000, "mov", PCM)),
    Case::of("Stereo of 11.025 kHz, PCM", sounding("stereo", 11025, "mov", PCM)),
    Case::of("Mono of 22.05 kHz, AAC", sounding("mono", 22050, "mp4", AAC)),
    Case::of("Stereo of 44.1 kHz, AAC", sounding("stereo", 44100, "mp4", AAC)),
    Case::of("Stereo of 96 kHz, PCM", sounding("stereo", 96000, "mov", PCM))
        .told("null", "-ar 48000"),
    Case::of("5.1, AAC", sounding("5.1", 48000, "mp4", AAC)).told("null", "-ac 2"),
    Case::of(
        "5.1 of 96 kHz, PCM of 24 bits",
        sounding("5.1", 96000, "mov", "-c:v libx264 -c:a pcm_s24le"),
    )
    .told("null", "-ac 2 -ar 48000"),
    Case::committed("5.1, AC-3", "51-ac3.mkv").told("null", "-ac 2"),
    Case::committed("Little-endian PCM of 8 kHz", "sowt-8k.mov"),
    Case::committed("A second sound that nobody can decode", "apac-second.mp4"),
];
