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

/// The `mix-matrix` of `audioconvert` for speakers in this order: a row for each of two, a column for each of many.
pub(super) fn matrix(positions: &[Position]) -> gst::Array {
    let mut gains: Vec<_> = positions.iter().map(|position| gains(*position)).collect();
    if gains.iter().all(|gain| *gain == (0.0, 0.0)) {
        // Nobody says where they stand: the first two are left and right.
        for (gain, side) in gains.iter_mut().zip([(1.0, 0.0), (0.0, 1.0)]) {
            *gain = side;
        }
    }
    let row = |of: fn(&(f32, f32)) -> f32| {
        gst::Array::new(gains.iter().map(|gain| of(gain).to_send_value()))
    };
    gst::Array::new([row(|gain| gain.0).to_send_value(), row(|gain| gain.1).to_send_value()])
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
        let rows = matrix(&five);
        let left = rows.as_slice()[0].get::<gst::Array>().unwrap();
        let left: Vec<f32> = left.as_slice().iter().map(|gain| gain.get().unwrap()).collect();
        let right = [1.0, 0.0, 0.707, 0.0, 0.707, 0.0];
        assert!(left.iter().zip(right).all(|(a, b)| (a - b).abs() < 0.001), "{left:?}");
    }
}
