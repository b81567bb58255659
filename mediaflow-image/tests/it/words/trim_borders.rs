use mediaflow_core::geometry::{Fit, Gravity};
use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::ops::{Crop, Layer, Pixelate, Resize, TrimBorders};
use mediaflow_core::report::Report;
use mediaflow_core::spec::{Chain, Pipeline, Source};
use mediaflow_core::{Color, Mediaflow};
use mediaflow_image::ImageEncoders as _;

use crate::support::{as_png, bytes, decode, gradient, image, noise, photo};

/// A part on a ground.
fn framed(
    ground: [u8; 4],
    part: &Image,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
) -> Image {
    let n = usize::from(part.channels());
    let mut pixels = ground[..n].repeat((width * height) as usize);
    let across = part.width() as usize * n;
    for (y, row) in part.pixels().chunks_exact(across).enumerate() {
        let start = ((top as usize + y) * width as usize + left as usize) * n;
        pixels[start..start + across].copy_from_slice(row);
    }
    Image::new(width, height, part.channels(), pixels).unwrap()
}

#[tokio::test]
async fn the_border_goes_and_the_rest_stays_as_it_is() {
    for channels in 1..=4 {
        let n = usize::from(channels);
        let solid = [30, 200, 90, 255];
        let part = Image::new(7, 5, channels, solid[..n].repeat(35)).unwrap();
        for place in [(0, 0), (3, 2), (13, 10), (0, 4), (9, 0)] {
            let whole = framed([250, 251, 252, 253], &part, place, (20, 15));
            for how in [
                TrimBorders::new().background(Color::rgba(250, 251, 252, 253)),
                TrimBorders::new().background(Color::rgba(250, 251, 252, 253)).line_art(),
            ] {
                let made = image(how, whole.clone()).await;
                assert_eq!((made.width(), made.height()), (7, 5), "{channels} {place:?} {how:?}");
                assert_eq!(made.pixels(), part.pixels());
            }
        }
    }
}

#[tokio::test]
async fn nothing_but_border_is_left_alone() {
    for (width, height) in [(1, 1), (2, 9), (30, 20)] {
        let flat = Image::new(width, height, 3, vec![77; (width * height * 3) as usize]).unwrap();
        let made = image(TrimBorders::new(), flat.clone()).await;
        assert_eq!((made.width(), made.pixels()), (width, flat.pixels()));
    }
    let noisy = noise(40, 30, 3);
    let made =
        image(TrimBorders::new().background(Color::rgb(1, 2, 3)).line_art(), noisy.clone()).await;
    assert_eq!(made.pixels(), noisy.pixels());
    let all = image(TrimBorders::new().threshold(255.0), noisy.clone()).await;
    assert_eq!(all.pixels(), noisy.pixels());
}

#[tokio::test]
async fn specks_count_in_line_art_only() {
    let mut pixels = vec![240; 50 * 40];
    pixels[7 * 50 + 5] = 0;
    for y in 20..30 {
        pixels[y * 50 + 20..y * 50 + 35].fill(100);
    }
    let picture = Image::new(50, 40, 1, pixels).unwrap();
    let smooth = image(TrimBorders::new(), picture.clone()).await;
    assert_eq!((smooth.width(), smooth.height()), (15, 10));
    let exact = image(TrimBorders::new().line_art(), picture).await;
    assert_eq!((exact.width(), exact.height()), (30, 23));
}

/// `sharp(logo).trim({ threshold, lineArt })` of sharp 0.35.5: left, top, width and height.
#[tokio::test]
async fn what_is_left_is_what_sharp_leaves() {
    let logo = decode(&photo("logo.png")).await.unwrap();
    for (how, wanted) in [
        (TrimBorders::new(), (471, 120)),
        (TrimBorders::new().threshold(0.0), (478, 128)),
        (TrimBorders::new().threshold(40.0), (464, 112)),
        (TrimBorders::new().line_art(), (471, 120)),
        (TrimBorders::new().threshold(40.0).line_art(), (464, 113)),
    ] {
        let made = image(how, logo.clone()).await;
        assert_eq!((made.width(), made.height()), wanted, "{how:?}");
    }
}

/// Runs the steps as a whole job, and gives the size of each output.
async fn job(source: &MediaFile, outputs: &[fn(Chain) -> Chain]) -> (Report, Vec<(u32, u32)>) {
    let builder = Mediaflow::builder().storage("out", "memory:");
    let media = builder.with(mediaflow_image::operations).start().await.unwrap();
    let source = Source::bytes(bytes(source));
    let pipeline =
        outputs.iter().enumerate().fold(Pipeline::from(source), |pipeline, (at, steps)| {
            pipeline.output(format!("out/{at}.png"), |photo| steps(photo).png())
        });
    let report = media.submit(pipeline.build().unwrap()).await.unwrap().done().await.unwrap();
    let sizes = (0..outputs.len()).map(|at| {
        let place = format!("out/{at}.png");
        let output = report.outputs.iter().find(|output| output.output == place).unwrap();
        (output.width, output.height)
    });
    let sizes = sizes.collect();
    (report, sizes)
}

#[tokio::test]
async fn what_comes_after_it_goes_by_what_is_left() {
    let part = gradient(80, 40, 3);
    let whole = as_png(framed([255; 4], &part, (60, 30), (200, 200))).await;
    let outputs: [fn(Chain) -> Chain; 9] = [
        Chain::trim_borders,
        |photo| photo.trim_borders().resize((20, 20, Fit::Inside)),
        |photo| photo.trim_borders().resize(Resize::width(160)),
        |photo| photo.trim_borders().resize((30, 30, Fit::Cover)).flip(),
        |photo| photo.trim_borders().crop_with(Crop::percent(50.0, 0.0, 50.0, 50.0)).rotate(90.0),
        |photo| photo.trim_borders().crop_with(Crop::aspect(1.0, 1.0).gravity(Gravity::Attention)),
        |photo| photo.trim_borders().extend(3).trim_borders().resize(Resize::height(20)),
        |photo| photo.trim_borders().crop(70, 30, 10, 10).pixelate(Pixelate::by(5)),
        |photo| {
            let mark = photo.clone().trim_borders().resize(Resize::width(20));
            photo.compose([(mark, Layer::new())])
        },
    ];
    let (report, mut sizes) = job(&whole, &outputs[..8]).await;
    sizes.extend(job(&whole, &outputs[8..]).await.1);
    let wanted = [
        (80, 40),
        (20, 10),
        (160, 80),
        (30, 30),
        (20, 40),
        (40, 40),
        (40, 20),
        (10, 10),
        (200, 200),
    ];
    assert_eq!(sizes, wanted);
    assert_eq!(report.decodes, 1, "{:?}", report.plan);
    let nothing = as_png(Image::new(90, 60, 3, vec![9; 90 * 60 * 3]).unwrap()).await;
    let (_, sizes) = job(&nothing, &outputs[..2]).await;
    assert_eq!(sizes, [(90, 60), (20, 13)]);
}

#[tokio::test]
async fn a_crop_that_does_not_fit_what_is_left_fails_what_hangs_on_it() {
    let whole = as_png(framed([255; 4], &gradient(80, 40, 3), (60, 30), (200, 200))).await;
    let builder = Mediaflow::builder().storage("out", "memory:");
    let media = builder.with(mediaflow_image::operations).start().await.unwrap();
    let part = |skip: bool| {
        let pipeline = Pipeline::from(Source::bytes(bytes(&whole)))
            .output("out/fits.png", |photo| photo.trim_borders().crop(0, 0, 80, 40).flip().png())
            .output("out/part.png", move |photo| {
                let part = photo.trim_borders().crop(0, 0, 100, 100);
                if skip { part.or_skip().flip().png() } else { part.flip().png() }
            });
        pipeline.build().unwrap()
    };
    let error = media.submit(part(false)).await.unwrap().done().await.unwrap_err();
    assert_eq!((error.code(), error.fact("size")), ("op.crop", Some("80x40")));
    let report = media.submit(part(true)).await.unwrap().done().await.unwrap();
    let of = |place: &str| report.outputs.iter().find(|output| output.output == place).unwrap();
    assert_eq!((of("out/fits.png").width, of("out/fits.png").height), (80, 40));
    assert_eq!(of("out/part.png").failure.as_ref().unwrap().code, "op.crop");
}
