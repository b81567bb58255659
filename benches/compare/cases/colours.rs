//! Range, matrix, depth and shape of the picture.

use super::super::clip::{Clip, Drawn, PICTURE, Picture};
use super::{AS_BT709, Case, EDGES, Mark};

const fn coloured(
    matrix: &'static str,
    range: &'static str,
    filters: &'static str,
    settings: &'static str,
) -> Clip {
    let picture = Picture { matrix, range, filters, ..PICTURE };
    let drawn = Drawn::new("mp4", settings);
    Clip::Drawn(Drawn { picture: Some(picture), sound: None, ..drawn })
}

const fn sized(size: (u16, u16), filters: &'static str, settings: &'static str) -> Clip {
    let picture = Picture { size, filters, ..PICTURE };
    let drawn = Drawn::new("mp4", settings);
    Clip::Drawn(Drawn { picture: Some(picture), ..drawn })
}

const fn turned(degrees: u16) -> Clip {
    let drawn = Drawn::new("mp4", "-c:v libx264 -c:a aac");
    Clip::Drawn(Drawn { turned: degrees, ..drawn })
}

/// Two pictures in one, as cameras of old took them.
const fn fields(ending: &'static str, filters: &'static str, settings: &'static str) -> Clip {
    let picture = Picture { size: (720, 576), rate: "50", filters, ..PICTURE };
    let drawn = Drawn::new(ending, settings);
    Clip::Drawn(Drawn { picture: Some(picture), sound: None, ..drawn })
}

const UPPER_FIRST: &str = "tinterlace=interleave_top,setfield=tff,setsar=16/15,format=yuv420p";
const LOWER_FIRST: &str = "tinterlace=interleave_bottom,setfield=bff,setsar=16/15,format=yuv420p";
const MADE_WHOLE: &str = "yadif,scale=768:576:flags=lanczos,setsar=1";

const BT709: &str = "-c:v libx264 -colorspace bt709 -color_primaries bt709 -color_trc bt709";
const BT601: &str =
    "-c:v libx264 -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m";

const LOWER: &str = "of two fields mediaflow keeps the upper one, `ffmpeg` the first, which is the lower one here and 20 ms earlier";
const HALVED: &str = "one column and row are added by stretching: GStreamer halves the size of colour before that, which leaves it up to \
    half a pixel beside the brightness at the right edge";
const TONES: &str = "another curve from high to standard range: white becomes 228 of 255, with `hable` of `ffmpeg` 157";

pub(super) const CASES: &[Case] = &[
    Case::of("BT.601, limited range", coloured("bt601", "tv", "format=yuv420p", BT601)),
    Case::of("BT.709, limited range", coloured("bt709", "tv", "format=yuv420p", BT709)),
    Case::of("BT.601, full range", coloured("bt601", "pc", "format=yuvj420p", BT601)),
    Case::of("BT.709, full range", coloured("bt709", "pc", "format=yuvj420p", BT709)),
    Case::of("10 bits, BT.709", coloured("bt709", "tv", "format=yuv420p10le", BT709)),
    Case::of("4:4:4, BT.709", coloured("bt709", "tv", "format=yuv444p", BT709)),
    Case::of("4:2:2 of 10 bits, BT.709", coloured("bt709", "tv", "format=yuv422p10le", BT709))
        .differs(&[(Mark::Colours, EDGES)]),
    Case::of("RGB, H.264", coloured("bt709", "pc", "format=gbrp", "-c:v libx264rgb"))
        .told(AS_BT709.0, AS_BT709.1),
    Case::committed("Greys of full range", "range-full.mp4"),
    Case::committed("High dynamic range (PQ)", "hdr-pq.mp4")
        .told(
            "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,\
             zscale=t=bt709:m=bt709:r=tv,format=yuv420p",
            "",
        )
        .differs(&[(Mark::Likeness, TONES), (Mark::Colours, TONES)]),
    Case::committed("Transparent VP9", "alpha-vp9.webm")
        .told_before("-c:v libvpx-vp9", "premultiply=inplace=1"),
    Case::of("Turned by 90 degrees", turned(90)),
    Case::of("Turned by 180 degrees", turned(180)),
    Case::of("Turned by 270 degrees", turned(270)),
    Case::of(
        "Pixels that are no squares (PAL)",
        sized((720, 576), "setsar=16/15,format=yuv420p", "-c:v libx264 -crf 16 -c:a aac"),
    )
    .told("scale=768:576:flags=lanczos,setsar=1", ""),
    Case::of("Odd sides", sized((321, 181), "format=yuv444p", "-c:v libx264 -c:a aac"))
        .told("scale=322:182:flags=lanczos,setsar=1", "")
        .differs(&[(Mark::Likeness, HALVED), (Mark::Colours, HALVED)]),
    Case::committed("Fields, H.264", "interlaced-h264.mp4").told("yadif", ""),
    Case::of(
        "Fields, MPEG-2, MPEG-TS",
        fields("ts", UPPER_FIRST, "-c:v mpeg2video -q:v 2 -flags +ilme+ildct -top 1"),
    )
    .told(MADE_WHOLE, ""),
    Case::of(
        "Fields, the lower one first, MPEG-2, Matroska",
        fields("mkv", LOWER_FIRST, "-c:v mpeg2video -q:v 2 -flags +ilme+ildct -top 0"),
    )
    .told(MADE_WHOLE, "")
    .differs(&[(Mark::Likeness, LOWER), (Mark::Colours, LOWER)]),
    Case::of("Fields, the lower one first, DV, AVI", fields("avi", LOWER_FIRST, "-c:v dvvideo"))
        .told(MADE_WHOLE, ""),
];
