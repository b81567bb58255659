use mediaflow_core::Result;
use mediaflow_core::media::Image;

use super::widen;
use crate::Color;

/// The box around a picture that is turned by this angle in degrees.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
pub(crate) fn rotated_size(width: u32, height: u32, degrees: f64) -> (u32, u32) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (w, h) = (f64::from(width), f64::from(height));
    // A hair less, so that a rounding error at a right angle adds no column.
    let side = |length: f64| ((length - 1e-6).ceil() as u32).max(1);
    (side(w * cos.abs() + h * sin.abs()), side(w * sin.abs() + h * cos.abs()))
}

/// Turns clockwise by any angle around the middle; what is laid bare shows the ground. Bilinear.
pub(crate) fn rotate(image: Image, degrees: f64, ground: Color) -> Result<Image> {
    let image = if ground.is_grey() { image } else { widen(image, 3)? };
    let grey = image.channels() <= 2;
    let image = if ground.is_opaque() { image } else { widen(image, if grey { 2 } else { 4 })? };
    let (width, height) = rotated_size(image.width(), image.height(), degrees);
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = |side: u32| f64::from(side) / 2.0;
    let (from_x, from_y) = (middle(image.width()), middle(image.height()));
    let (to_x, to_y) = (middle(width), middle(height));
    let ground = ground.pixel(image.channels());
    let mut pixels = Vec::with_capacity(width as usize * height as usize * ground.len());
    for y in 0..height {
        let dy = f64::from(y) + 0.5 - to_y;
        for x in 0..width {
            let dx = f64::from(x) + 0.5 - to_x;
            let at = (cos * dx + sin * dy + from_x - 0.5, cos * dy - sin * dx + from_y - 0.5);
            sample(&image, at, &ground, &mut pixels);
        }
    }
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
