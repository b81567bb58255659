use mediaflow_core::ops::Hue;

use crate::pixels::Tone;
use crate::word::{Compile, View};

/// What a colour has of the brightness, the same for red, green and blue; by the cosine of the angle; and by its sine.
const PARTS: [[[f64; 3]; 3]; 3] = [
    [[0.213, 0.715, 0.072], [0.213, 0.715, 0.072], [0.213, 0.715, 0.072]],
    [[0.787, -0.715, -0.072], [-0.213, 0.285, -0.072], [-0.213, -0.715, 0.928]],
    [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]],
];

impl Compile for Hue {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let cell = |row: usize, column: usize| {
            let [brightness, by_cos, by_sin] = PARTS.map(|part| part[row][column]);
            brightness + cos * by_cos + sin * by_sin
        };
        let matrix = [0, 1, 2].map(|row| [0, 1, 2].map(|column| cell(row, column)));
        vec![View::Tone(Tone::mix("hue", false, matrix))]
    }
}
