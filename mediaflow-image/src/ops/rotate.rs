use mediaflow_core::media::Image;
use mediaflow_core::ops::Rotate;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Turn, bands, pixel, widen};
use crate::word::{Compile, View, Whole, one};

impl Compile for Rotate {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        match self.quarters() {
            Some(quarters) => vec![View::Turn(Turn::quarters(quarters))],
            None => vec![View::whole(*self)],
        }
    }
}

impl Whole for Rotate {
    fn explain(&self) -> (&'static str, String) {
        ("rotate", format!("by {} degrees", self.angle))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        rotate(one(inputs)?, self, cx)
    }
}

/// Turns clockwise by any angle around the middle; what is laid bare shows the ground. Bilinear.
fn rotate(image: Image, how: &Rotate, cx: &RunContext) -> Result<Image> {
    let ground = how.background;
    let image = if ground.is_grey() { image } else { widen(image, 3, cx)? };
    let grey = image.channels() <= 2;
    let image =
        if ground.is_opaque() { image } else { widen(image, if grey { 2 } else { 4 }, cx)? };
    let (width, height) = how.size((image.width(), image.height()));
    let (sin, cos) = how.angle.to_radians().sin_cos();
    let middle = |side: u32| f64::from(side) / 2.0;
    let (from_x, from_y) = (middle(image.width()), middle(image.height()));
    let (to_x, to_y) = (middle(width), middle(height));
    let ground = pixel(ground, image.channels());
    let mut pixels = Vec::with_capacity(width as usize * height as usize * ground.len());
    // A pixel takes about as long as sixteen that are only copied.
    let row = 16 * width as usize * ground.len();
    bands(height as usize, row, cx, |rows| {
        for y in rows {
            #[expect(clippy::cast_precision_loss, reason = "a row of a picture")]
            let dy = y as f64 + 0.5 - to_y;
            for x in 0..width {
                let dx = f64::from(x) + 0.5 - to_x;
                let at = (cos * dx + sin * dy + from_x - 0.5, cos * dy - sin * dx + from_y - 0.5);
                sample(&image, at, &ground, &mut pixels);
            }
        }
    })?;
    Ok(Image::new(width, height, image.channels(), pixels)?.with_metadata(image.metadata().clone()))
}

/// The four neighbours, weighted; those outside are ground. Colours count by their alpha.
fn sample(image: &Image, (x, y): (f64, f64), ground: &[u8], to: &mut Vec<u8>) {
    let (left, top) = (x.floor(), y.floor());
    let (right_weight, bottom_weight) = (x - left, y - top);
    let alpha = if image.has_alpha() { ground.len() - 1 } else { ground.len() };
    let mut sum = [0.0; 4];
    let mut opacity = 0.0;
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let weight = (if dx == 0.0 { 1.0 - right_weight } else { right_weight })
            * (if dy == 0.0 { 1.0 - bottom_weight } else { bottom_weight });
        let pixel = neighbour(image, left + dx, top + dy).unwrap_or(ground);
        let share = weight * pixel.get(alpha).map_or(1.0, |a| f64::from(*a) / 255.0);
        opacity += share;
        for (sum, value) in sum.iter_mut().zip(&pixel[..alpha]) {
            *sum += share * f64::from(*value);
        }
    }
    to.extend(sum.iter().take(alpha).map(|sum| byte(sum / opacity.max(1e-9))));
    if image.has_alpha() {
        to.push(byte(opacity * 255.0));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against the size"
)]
fn neighbour(image: &Image, x: f64, y: f64) -> Option<&[u8]> {
    if x < 0.0 || y < 0.0 || x >= f64::from(image.width()) || y >= f64::from(image.height()) {
        return None;
    }
    let channels = usize::from(image.channels());
    let at = (y as usize * image.width() as usize + x as usize) * channels;
    image.pixels().get(at..at + channels)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn byte(value: f64) -> u8 {
    value.round() as u8
}
