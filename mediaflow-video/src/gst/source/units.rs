//! The units of coded pictures of H.264 and HEVC, where each has its length before it (ISO/IEC 14496-15): what no encoder writes.

use gstreamer as gst;

/// Whether a unit of a picture holds what can not be in it: three zero bytes in a row, as where a disk or an upload left a hole.
pub(super) fn are_broken(buffer: &gst::BufferRef, caps: &gst::StructureRef) -> bool {
    let Some(form) = Form::of(caps) else { return false };
    buffer.map_readable().is_ok_and(|map| form.is_broken(map.as_slice()))
}

/// How units are written.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// Bytes of the length before each unit.
    length: usize,
    is_hevc: bool,
}

impl Form {
    fn of(caps: &gst::StructureRef) -> Option<Self> {
        let is_hevc = caps.name() == "video/x-h265";
        let at = if is_hevc { 21 } else { 4 };
        let told = caps.get::<gst::Buffer>("codec_data").ok()?;
        let mut length = [0];
        (told.copy_to_slice(at, &mut length).is_ok())
            .then(|| Self { length: usize::from(length[0] & 3) + 1, is_hevc })
    }

    fn is_picture(self, unit: &[u8]) -> bool {
        unit.first().is_some_and(|head| match self.is_hevc {
            true => head >> 1 & 0x3f < 32,
            false => (1..=5).contains(&(head & 0x1f)),
        })
    }

    fn is_broken(self, mut units: &[u8]) -> bool {
        while let Some((length, rest)) = units.split_at_checked(self.length) {
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let unit = rest.get(..length).unwrap_or(rest);
            if self.is_picture(unit) && has_hole(unit) {
                return true;
            }
            units = rest.get(length..).unwrap_or_default();
        }
        false
    }
}

/// What follows the last byte is filling.
fn has_hole(unit: &[u8]) -> bool {
    const HOLE: usize = 3;
    let end = unit.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let mut at = HOLE - 1;
    while let Some(byte) = unit.get(at).filter(|_| at < end) {
        if *byte != 0 {
            at += HOLE;
        } else if unit[at - 1] != 0 {
            at += HOLE - 1;
        } else if unit[at - 2] != 0 {
            at += 1;
        } else {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_a_picture_is_seen() {
        let form = Form { length: 4, is_hevc: false };
        let units = |kind: u8, body: &[u8]| {
            let length = u8::try_from(body.len() + 1).unwrap();
            [&[0, 0, 0, 2, 9, 16, 0, 0, 0, length, kind][..], body].concat()
        };
        for before in 0..4 {
            let whole = [&vec![7; before][..], &[0, 0, 3, 1, 0, 0, 3, 0, 9, 0, 0, 0]].concat();
            assert!(!form.is_broken(&units(0x65, &whole)), "zeros at the end are filling");
            let hole = [&vec![7; before][..], &[0, 0, 0, 9, 5, 4]].concat();
            assert!(form.is_broken(&units(0x41, &hole)), "{before}");
            assert!(!form.is_broken(&units(6, &hole)), "what a camera says may be anything");
        }
        assert!(!form.is_broken(&[0, 0]) && !form.is_broken(&[0xff, 0xff, 0xff, 0xff, 0x65, 1]));
        assert!(!form.is_broken(&[0, 0, 0, 0, 0, 0, 0, 0]));
    }
}
