//! Containers and codecs.

use super::super::clip::{Clip, Drawn};
use super::{AS_BT709, Case, DELAY, EDGES, Mark};

const fn sound_alone(ending: &'static str, settings: &'static str) -> Clip {
    let drawn = Drawn::new(ending, settings);
    Clip::Drawn(Drawn { picture: None, ..drawn })
}

pub(super) const CASES: &[Case] = &[
    Case::drawn("MP4, H.264, AAC", "mp4", "-c:v libx264 -c:a aac"),
    Case::drawn(
        "MP4, HEVC, AAC",
        "mp4",
        "-c:v libx265 -x265-params log-level=error -tag:v hvc1 -c:a aac",
    ),
    Case::drawn(
        "MP4 in fragments",
        "mp4",
        "-c:v libx264 -g 25 -c:a aac -movflags frag_keyframe+empty_moov",
    )
    .told("null", "-af aresample=async=1:min_hard_comp=0.01"),
    Case::drawn("MOV, ProRes, PCM of 24 bits", "mov", "-c:v prores_ks -profile:v 2 -c:a pcm_s24le"),
    Case::drawn("MOV, MJPEG, PCM", "mov", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p -c:a pcm_s16be"),
    Case::drawn("MOV, QuickTime Animation, ALAC", "mov", "-c:v qtrle -pix_fmt rgb24 -c:a alac")
        .told(AS_BT709.0, AS_BT709.1),
    Case::drawn(
        "Matroska, HEVC, AC-3",
        "mkv",
        "-c:v libx265 -x265-params log-level=error -c:a ac3 -b:a 256k",
    ),
    Case::drawn("Matroska, FFV1, FLAC", "mkv", "-c:v ffv1 -c:a flac"),
    Case::drawn(
        "Matroska, AV1, Opus",
        "mkv",
        "-c:v libsvtav1 -preset 9 -crf 20 -c:a libopus -b:a 128k",
    )
    .differs(DELAY),
    Case::drawn(
        "WebM, VP8, Vorbis",
        "webm",
        "-c:v libvpx -b:v 2M -deadline realtime -cpu-used 4 -c:a libvorbis -q:a 6",
    )
    .differs(DELAY),
    Case::drawn(
        "WebM, VP9, Opus",
        "webm",
        "-c:v libvpx-vp9 -crf 20 -b:v 0 -deadline realtime -cpu-used 6 -c:a libopus -b:a 128k",
    )
    .differs(DELAY),
    Case::committed("WebM of a browser, without a duration", "webm-live.webm").differs(DELAY),
    Case::drawn("MPEG-TS, H.264, AAC", "ts", "-c:v libx264 -c:a aac").differs(DELAY),
    Case::drawn("MPEG-TS, MPEG-2, MP2", "ts", "-c:v mpeg2video -q:v 2 -c:a mp2 -b:a 256k")
        .differs(DELAY),
    Case::drawn(
        "M2TS, H.264, AC-3",
        "m2ts",
        "-c:v libx264 -c:a ac3 -b:a 256k -f mpegts -mpegts_m2ts_mode 1",
    )
    .differs(DELAY),
    Case::drawn("MPEG-PS, MPEG-1, MP2", "mpg", "-c:v mpeg1video -q:v 2 -c:a mp2 -b:a 256k")
        .differs(DELAY),
    Case::drawn("Ogg, Theora, Vorbis", "ogv", "-c:v libtheora -q:v 10 -c:a libvorbis -q:a 6"),
    Case::drawn("AVI, MPEG-4, MP3", "avi", "-c:v mpeg4 -q:v 2 -c:a libmp3lame -b:a 192k"),
    Case::drawn("FLV, H.264, AAC", "flv", "-c:v libx264 -c:a aac").differs(DELAY),
    Case::drawn("WMV, WMV2, WMA", "wmv", "-c:v wmv2 -q:v 2 -c:a wmav2 -b:a 192k").differs(&[(
        Mark::Heard,
        "both begin together; `ffmpeg` loses the last 43 ms of 3 s of sound, mediaflow 14 ms",
    )]),
    Case::of("M4A, AAC", sound_alone("m4a", "-c:a aac")).copied(),
    Case::of("MP3", sound_alone("mp3", "-c:a libmp3lame -b:a 192k")).copied(),
    Case::of("FLAC", sound_alone("flac", "-c:a flac")).copied(),
    Case::of("Ogg, Opus", sound_alone("ogg", "-c:a libopus")).copied(),
    Case::of("WAV", sound_alone("wav", "-c:a pcm_s16le")).copied(),
    Case::committed("MP4 with a track that is no film (gpmd)", "gpmd.mp4"),
    Case::committed("MP4 with a cover picture", "cover.mp4"),
    Case::committed("MP4 of one frame, AV1", "oneframe-av1.mp4")
        .told(AS_BT709.0, AS_BT709.1)
        .differs(&[(Mark::Colours, EDGES)]),
];
