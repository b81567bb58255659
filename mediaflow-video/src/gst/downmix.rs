//! From many speakers to two, as ITU-R BS.775 mixes them: the centre and the surrounds at 0.707, the low frequencies left out.
//! The front keeps its loudness. Samples are floating-point numbers, so that nothing is cut off before the encoder.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio::AudioChannelPosition as Position;

/// Left and right of one speaker.
fn gains(position: Position) -> (f32, f32) {
    const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;
    match position {
        Position::FrontLeft | Position::WideLeft => (1.0, 0.0),
        Position::FrontRight | Position::WideRight => (0.0, 1.0),
        Position::FrontCenter | Position::Mono | Position::TopFrontCenter => {
            (HALF_POWER, HALF_POWER)
        }
        Position::RearLeft
        | Position::SideLeft
        | Position::SurroundLeft
        | Position::FrontLeftOfCenter
        | Position::TopFrontLeft
        | Position::TopRearLeft
        | Position::TopSideLeft => (HALF_POWER, 0.0),
        Position::RearRight
        | Position::SideRight
        | Position::SurroundRight
        | Position::FrontRightOfCenter
        | Position::TopFrontRight
        | Position::TopRearRight
        | Position::TopSideRight => (0.0, HALF_POWER),
        Position::RearCenter | Position::TopRearCenter | Position::TopCenter => (0.5, 0.5),
        _ => (0.0, 0.0),
    }
}

/// Has `audioconvert` mix down to so many channels, one or two, whatever comes, now and when it changes on the way.
pub(super) fn mix_down(convert: &gst::Element, channels: i32) {
    let Some(pad) = convert.static_pad("sink") else { return };
    let convert = convert.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let told = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(event) => Some((event.caps_owned(), event.seqnum())),
            _ => None,
        });
        if let (Some((mut caps, number)), Some(convert)) = (told, convert.upgrade()) {
            convert.set_property("mix-matrix", matrix(&speakers(&mut caps), channels));
            let event = gst::event::Caps::builder(&caps).seqnum(number).build();
            info.data = Some(gst::PadProbeData::Event(event));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Where the speakers of more than two channels stand; none of fewer. Some demuxers leave that open, and then nothing can be
/// mixed: they are taken for the usual ones, and the caps say so.
fn speakers(caps: &mut gst::Caps) -> Vec<Position> {
    let Some(fields) = caps.make_mut().structure_mut(0) else { return Vec::new() };
    let channels = fields.get::<i32>("channels").unwrap_or(0);
    if channels <= 2 {
        return Vec::new();
    }
    let mask = fields.get::<gst::Bitmask>("channel-mask").map_or(0, |mask| mask.0);
    let mask = if mask == 0 { Position::fallback_mask(channels.unsigned_abs()) } else { mask };
    fields.set("channel-mask", gst::Bitmask::new(mask));
    let mut positions = vec![Position::Invalid; usize::try_from(channels).unwrap_or(0)];
    match Position::positions_from_mask(mask, &mut positions) {
        Ok(()) => positions,
        Err(_) => Vec::new(),
    }
}

/// The `mix-matrix` of `audioconvert` for speakers in this order: a row for each channel of the result, a column for each of many.
/// Without speakers there is none, and what comes is mixed as usual.
fn matrix(positions: &[Position], channels: i32) -> gst::Array {
    let mut gains: Vec<_> = positions.iter().map(|position| gains(*position)).collect();
    if gains.is_empty() {
        return gst::Array::new(Vec::<gst::Array>::new());
    }
    if gains.iter().all(|gain| *gain == (0.0, 0.0)) {
        // Nobody says where they stand: the first two are left and right.
        for (gain, side) in gains.iter_mut().zip([(1.0, 0.0), (0.0, 1.0)]) {
            *gain = side;
        }
    }
    let row = |of: fn(&(f32, f32)) -> f32| {
        gst::Array::new(gains.iter().map(|gain| of(gain).to_send_value())).to_send_value()
    };
    match channels {
        1 => gst::Array::new([row(|gain| f32::midpoint(gain.0, gain.1))]),
        _ => gst::Array::new([row(|gain| gain.0), row(|gain| gain.1)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_and_one_become_two() {
        gst::init().unwrap();
        let five = [
            Position::FrontLeft,
            Position::FrontRight,
            Position::FrontCenter,
            Position::Lfe1,
            Position::RearLeft,
            Position::RearRight,
        ];
        let rows = matrix(&five, 2);
        let left = rows.as_slice()[0].get::<gst::Array>().unwrap();
        let left: Vec<f32> = left.as_slice().iter().map(|gain| gain.get().unwrap()).collect();
        let right = [1.0, 0.0, 0.707, 0.0, 0.707, 0.0];
        assert!(left.iter().zip(right).all(|(a, b)| (a - b).abs() < 0.001), "{left:?}");
    }
}
