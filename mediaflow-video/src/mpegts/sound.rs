//! Frames of sound say how long they are.

use super::clock::PER_SECOND;

/// How long the frames of sound are, in ticks; nothing if they are of a kind that is not known here.
pub(super) fn sound_ticks(kind: u8, mut bytes: &[u8]) -> Option<i64> {
    let mut ticks = 0.0;
    while bytes.len() > 7 {
        let (length, samples, rate) = match kind {
            0x0f => adts(bytes)?,
            0x03 | 0x04 => mpeg(bytes)?,
            0x81 => ac3(bytes)?,
            _ => return None,
        };
        ticks += f64::from(samples) * PER_SECOND / f64::from(rate);
        bytes = bytes.get(length.max(7)..).unwrap_or_default();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a second or so")]
    let ticks = ticks.round() as i64;
    (ticks > 0).then_some(ticks)
}

fn adts(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8000, 7350,
    ];
    let [0xff, second, third, fourth, fifth, sixth, seventh, ..] = *frame else { return None };
    let is_frame = second & 0xf6 == 0xf0;
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let rate = *RATES.get(usize::from(third >> 2 & 15)).filter(|_| is_frame)?;
    Some((length, 1024 * (u32::from(seventh & 3) + 1), rate))
}

fn mpeg(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const SECOND: [u32; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const THIRD: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    let [0xff, second, third, ..] = *frame else { return None };
    let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
    // MPEG-1, layers II and III.
    let table = match second & 0xfe {
        0xfc => SECOND,
        0xfa => THIRD,
        _ => return None,
    };
    let bits = *table.get(usize::from(third >> 4)).filter(|bits| **bits > 0)? * 1000;
    let padding = u32::from(third >> 1 & 1);
    Some((usize::try_from(144 * bits / rate + padding).ok()?, 1152, rate))
}

fn ac3(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const KILOBITS: [u32; 19] =
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
    let [0x0b, 0x77, _, _, code, version, ..] = *frame else { return None };
    let rate = *[48_000, 44_100, 32_000].get(usize::from(code >> 6))?;
    let bits = KILOBITS.get(usize::from(code >> 1 & 31)).filter(|_| version >> 3 <= 10)? * 1000;
    let words = 96 * bits / rate + if rate == 44_100 { u32::from(code & 1) } else { 0 };
    Some((usize::try_from(words * 2).ok()?, 1536, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_sound_say_how_long_they_are() {
        // Two frames of 9 bytes at 48 kHz.
        let aac = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0, 0].repeat(2);
        assert_eq!(sound_ticks(0x0f, &aac), Some(3840));
        let mut layer2 = vec![0xff, 0xfd, 0x84, 0];
        layer2.resize(384, 0);
        assert_eq!(sound_ticks(0x03, &layer2), Some(2160));
        let mut ac3 = vec![0x0b, 0x77, 0, 0, 0x1e, 0x40];
        ac3.resize(896, 0);
        assert_eq!(sound_ticks(0x81, &ac3), Some(2880));
        assert_eq!(sound_ticks(0x0f, &[0; 64]), None);
    }
}
