use std::collections::BTreeMap;

use mediaflow_core::Color;
use mediaflow_core::backend::Backend as _;
use mediaflow_core::geometry::{Fit, Gravity};
use mediaflow_core::ops::{
    AutoOrient, Blur, Blurhash, Border, Brightness, Clahe, Compose, Contrast, Crop, Duotone,
    Entropy, Extend, Flatten, Flip, Flop, FocalPoint, Gamma, Grayscale, Hue, Layer, Lut, Median,
    Negate, Normalize, Palette, PerceptualHash, Pixelate, Posterize, Radius, ReadMetadata, Resize,
    Rotate, Saturation, Sepia, Shadow, Sharpen, Sharpness, Threshold, Thumbhash, Tint, TrimBorders,
    Vibrance, Vignette, Watermark, WhiteBalance,
};
use mediaflow_core::{Inputs, Registry, testing};
use mediaflow_image::{ImageBackend, ImageReader};
use mediaflow_image::{Jpeg, Png, Webp};

use crate::files::gif;
use crate::support::{as_jpeg, as_png, as_webp, file, gradient, photo, probe};

#[tokio::test]
async fn reader_and_backend_pass_their_suites() {
    let picture = gradient(120, 90, 3);
    let samples = [
        as_jpeg(picture.clone(), 85).await,
        as_png(picture.clone()).await,
        as_webp(picture).await,
        file("two.gif", gif(2)),
        photo("fig.jpg"),
        photo("logo.png"),
    ];
    testing::exercise_reader(&ImageReader::new(), &samples).await;
    let mut known = Vec::new();
    for sample in samples {
        let info = probe(&sample).await.unwrap();
        known.push((sample, info));
    }
    testing::exercise_backend(&ImageBackend::new(), &known).await;
}

#[test]
fn the_schema_has_the_parameters_of_every_step() {
    let mut registry = Registry::new();
    mediaflow_image::operations(&mut registry);
    let schemas: BTreeMap<_, _> = registry.schemas().collect();
    for kind in ImageBackend::new().capability().kinds {
        assert!(schemas.contains_key(kind), "`{kind}` has no `Operation::schema`");
    }
}

#[tokio::test]
async fn every_operation_passes_the_suite() {
    let backend = ImageBackend::new();
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_word(AutoOrient::default(), picture(), &backend).await;
    testing::exercise_word(Blur::by(2.0), picture(), &backend).await;
    testing::exercise_word(Brightness::by(1.2), picture(), &backend).await;
    testing::exercise_word(Contrast::by(1.2), picture(), &backend).await;
    testing::exercise_word(Extend::all(3), picture(), &backend).await;
    testing::exercise_word(Gamma::by(2.2), picture(), &backend).await;
    testing::exercise_word(Saturation::by(0.5), picture(), &backend).await;
    testing::exercise_word(Sepia::default(), picture(), &backend).await;
    testing::exercise_word(Sharpen::default(), picture(), &backend).await;
    testing::exercise_word(Vibrance::by(0.4), picture(), &backend).await;
    testing::exercise_word(Tint::with(Color::rgb(32, 64, 192)), picture(), &backend).await;
    testing::exercise_word(Hue::by(120.0), picture(), &backend).await;
    testing::exercise_word(
        Duotone::new(Color::BLACK, Color::rgb(255, 204, 0)),
        picture(),
        &backend,
    )
    .await;
    testing::exercise_word(Posterize::to(4), picture(), &backend).await;
    testing::exercise_word(Threshold::default(), picture(), &backend).await;
    testing::exercise_word(Normalize::default(), picture(), &backend).await;
    testing::exercise_word(Median::of(5), picture(), &backend).await;
    testing::exercise_word(Pixelate::by(7).within(Crop::new(5, 6, 20, 20)), picture(), &backend)
        .await;
    testing::exercise_word(Vignette::default(), picture(), &backend).await;
    testing::exercise_word(WhiteBalance::default(), picture(), &backend).await;
    testing::exercise_word(Clahe::default(), picture(), &backend).await;
    testing::exercise_word(Radius::by(8.0), picture(), &backend).await;
    testing::exercise_word(Border::new(3, Color::BLACK), picture(), &backend).await;
    testing::exercise_word(Shadow::new(2, -3, 2.0), picture(), &backend).await;
    testing::exercise_word(Crop::new(1, 2, 30, 20), picture(), &backend).await;
    testing::exercise_word(Crop::aspect(1.0, 1.0), picture(), &backend).await;
    let found = Crop::percent(0.0, 0.0, 50.0, 50.0);
    testing::exercise_word(found, picture(), &backend).await;
    let cover = Resize::cover(20, 30).gravity(Gravity::Attention);
    testing::exercise_word(cover, picture(), &backend).await;
    let darker =
        "LUT_3D_SIZE 2\n0 0 0\n.5 0 0\n0 .5 0\n.5 .5 0\n0 0 .5\n.5 0 .5\n0 .5 .5\n.5 .5 .5";
    testing::exercise_word(Lut::of(darker.parse().unwrap()), picture(), &backend).await;
    testing::exercise_word(TrimBorders::new(), picture(), &backend).await;
    #[cfg(feature = "text")]
    testing::exercise_word(mediaflow_core::ops::Text::new("ok"), picture(), &backend).await;
    let layers = Compose::of([Layer::new().at(3, 4)]);
    testing::exercise_word(layers, picture().and("layer", gradient(9, 9, 4)), &backend).await;
    testing::exercise_word(Flatten::on(Color::WHITE), picture(), &backend).await;
    testing::exercise_word(Flip::default(), picture(), &backend).await;
    testing::exercise_word(Flop::default(), picture(), &backend).await;
    testing::exercise_word(Grayscale::default(), picture(), &backend).await;
    testing::exercise_word(Jpeg::quality(80), picture(), &backend).await;
    testing::exercise_word(Negate::default(), picture(), &backend).await;
    testing::exercise_word(Png::new(), picture(), &backend).await;
    testing::exercise_word(Resize::new(30, 30, Fit::Contain), picture(), &backend).await;
    testing::exercise_word(Rotate::by(33.0), picture(), &backend).await;
    testing::exercise_word(Watermark::new(), picture().and("logo", gradient(9, 9, 4)), &backend)
        .await;
    testing::exercise_word(Webp::quality(80), picture(), &backend).await;
    testing::exercise_word(Blurhash::default(), picture(), &backend).await;
    testing::exercise_word(Entropy::default(), picture(), &backend).await;
    testing::exercise_word(FocalPoint::default(), picture(), &backend).await;
    testing::exercise_word(Palette::default(), picture(), &backend).await;
    testing::exercise_word(PerceptualHash::default(), picture(), &backend).await;
    testing::exercise_word(ReadMetadata::new(), picture(), &backend).await;
    testing::exercise_word(Sharpness::default(), picture(), &backend).await;
    testing::exercise_word(Thumbhash::default(), picture(), &backend).await;
}
