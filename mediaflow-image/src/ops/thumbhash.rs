use std::f64::consts::PI;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::Thumbhash;
use mediaflow_core::{Result, RunContext};

use crate::pixels::widen;
use crate::word::{Compile, Finder, View};

impl Compile for Thumbhash {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for Thumbhash {
    fn explain(&self) -> String {
        "a thumbhash".to_owned()
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let image = widen(image, 4, cx)?;
        cx.check()?;
        Facts::new(STANDARD.encode(hash(&image)))
    }
}

/// The bytes, in the order of its inventor's code: sums come out the same to the last bit.
fn hash(image: &Image) -> Vec<u8> {
    let (width, height) = (image.width(), image.height());
    let count = f64::from(width) * f64::from(height);
    let pixels = || {
        let pixels = image.pixels().chunks_exact(4);
        pixels.map(|pixel| [0, 1, 2, 3].map(|at: usize| f64::from(pixel[at])))
    };
    let mut mean = [0.0; 3];
    let mut opacity = 0.0;
    for [r, g, b, a] in pixels() {
        let alpha = a / 255.0;
        mean.iter_mut().zip([r, g, b]).for_each(|(mean, value)| *mean += alpha / 255.0 * value);
        opacity += alpha;
    }
    if opacity > 0.0 {
        mean = mean.map(|mean| mean / opacity);
    }
    let clear = opacity < count;
    let most = if clear { 5.0 } else { 7.0 };
    let longer = f64::from(width.max(height));
    let waves = |side: u32| round(most * f64::from(side) / longer).max(1);
    let (across, down) = (waves(width), waves(height));
    // Light, yellow against blue, red against green, and alpha, over the mean colour.
    let mut planes = [const { Vec::new() }; 4];
    for [r, g, b, a] in pixels() {
        let alpha = a / 255.0;
        let mut over = [r, g, b];
        over.iter_mut()
            .zip(mean)
            .for_each(|(value, mean)| *value = mean * (1.0 - alpha) + alpha / 255.0 * *value);
        let [r, g, b] = over;
        let values = [(r + g + b) / 3.0, (r + g) / 2.0 - b, r - g, alpha];
        planes.iter_mut().zip(values).for_each(|(plane, value)| plane.push(value));
    }
    let [l, p, q, a] = planes;
    let size = (width, height);
    let l = Waves::of(&l, size, (across.max(3), down.max(3)));
    let [p, q] = [p, q].map(|plane| Waves::of(&plane, size, (3, 3)));
    let a = clear.then(|| Waves::of(&a, size, (5, 5)));

    let lies = width > height;
    let head = round(63.0 * l.mean)
        | round(31.5 + 31.5 * p.mean) << 6
        | round(31.5 + 31.5 * q.mean) << 12
        | round(31.0 * l.strongest) << 18
        | u32::from(clear) << 23;
    let shape = (if lies { down } else { across })
        | round(63.0 * p.strongest) << 3
        | round(63.0 * q.strongest) << 9
        | u32::from(lies) << 15;
    let mut hash = head.to_le_bytes()[..3].to_vec();
    hash.extend(&shape.to_le_bytes()[..2]);
    let halves =
        |low: f64, high: f64, of: f64| (round(of * low) | round(of * high) << 4).to_le_bytes()[0];
    hash.extend(a.iter().map(|a| halves(a.mean, a.strongest, 15.0)));
    let levels =
        [Some(l), Some(p), Some(q), a].into_iter().flatten().flat_map(|waves| waves.levels);
    let levels: Vec<f64> = levels.collect();
    hash.extend(
        levels.chunks(2).map(|pair| halves(pair[0], pair.get(1).copied().unwrap_or(0.0), 15.0)),
    );
    hash
}

/// The long waves of a plane.
struct Waves {
    mean: f64,
    /// From 0 to 1, in parts of the strongest.
    levels: Vec<f64>,
    strongest: f64,
}

impl Waves {
    fn of(plane: &[f64], (width, height): (u32, u32), (across, down): (u32, u32)) -> Self {
        let wave = |number: u32, side: u32| -> Vec<f64> {
            let of = f64::from(side);
            (0..side)
                .map(|at| (PI / of * f64::from(number) * (f64::from(at) + 0.5)).cos())
                .collect()
        };
        let (mut mean, mut levels, mut strongest) = (0.0, Vec::new(), 0.0_f64);
        for j in 0..down {
            let column = wave(j, height);
            for i in (0..across).take_while(|i| i * down < across * (down - j)) {
                let row = wave(i, width);
                let mut sum = 0.0;
                for (line, y) in plane.chunks_exact(row.len()).zip(&column) {
                    line.iter().zip(&row).for_each(|(value, x)| sum += value * x * y);
                }
                sum /= f64::from(width) * f64::from(height);
                if (i, j) == (0, 0) {
                    mean = sum;
                } else {
                    levels.push(sum);
                    strongest = strongest.max(sum.abs());
                }
            }
        }
        if strongest > 0.0 {
            levels.iter_mut().for_each(|level| *level = 0.5 + 0.5 / strongest * *level);
        }
        Self { mean, levels, strongest }
    }
}

/// As JavaScript rounds what is not below 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn round(value: f64) -> u32 {
    (value + 0.5).floor() as u32
}
