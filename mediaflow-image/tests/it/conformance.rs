use mediaflow_core::geometry::Fit;
use mediaflow_core::{Inputs, testing};
use mediaflow_image::ops::{
    AutoOrient, Crop, Flatten, Flip, Flop, Grayscale, Jpeg, Negate, Png, Resize, Rotate, Watermark,
    Webp,
};
use mediaflow_image::{Color, ImageBackend};

use crate::files::gif;
use crate::support::{as_jpeg, as_png, as_webp, file, gradient, photo};

#[tokio::test]
async fn the_backend_passes_the_suite() {
    let picture = gradient(120, 90, 3);
    let samples = [
        as_jpeg(picture.clone(), 85).await,
        as_png(picture.clone()).await,
        as_webp(picture).await,
        file("two.gif", gif(2)),
        photo("fig.jpg"),
        photo("logo.png"),
    ];
    testing::exercise_backend(&ImageBackend::new(), &samples).await;
}

#[tokio::test]
async fn every_operation_passes_the_suite() {
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_operation(AutoOrient::default(), picture()).await;
    testing::exercise_operation(Crop::new(1, 2, 30, 20), picture()).await;
    testing::exercise_operation(Flatten::on(Color::WHITE), picture()).await;
    testing::exercise_operation(Flip::default(), picture()).await;
    testing::exercise_operation(Flop::default(), picture()).await;
    testing::exercise_operation(Grayscale::default(), picture()).await;
    testing::exercise_operation(Jpeg::quality(80), picture()).await;
    testing::exercise_operation(Negate::default(), picture()).await;
    testing::exercise_operation(Png::new(), picture()).await;
    testing::exercise_operation(Resize::new(30, 30, Fit::Contain), picture()).await;
    testing::exercise_operation(Rotate::by(33.0), picture()).await;
    testing::exercise_operation(Watermark::new(), picture().and("logo", gradient(9, 9, 4))).await;
    testing::exercise_operation(Webp::quality(80), picture()).await;
}
