use mediaflow_core::AnyOperation;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::MediaFile;
use mediaflow_core::ops::{Crop, Flip, Flop, Grayscale, Negate, Resize, Rotate};
use mediaflow_image::{Jpeg, Png, Webp};

use crate::support::{Branches, as_png, decode, gradient, image, photo, psnr, run_any};

fn inside(side: u32) -> AnyOperation {
    AnyOperation::new(Resize::new(side, side, Fit::Inside))
}

#[tokio::test]
async fn two_outputs_of_one_photo_decode_it_once() {
    let ran = Branches::of(photo("spaniels.jpg"))
        .chain("large", vec![inside(1200), AnyOperation::new(Webp::quality(70))])
        .chain("small", vec![inside(300), AnyOperation::new(Jpeg::quality(70))])
        .run()
        .await;
    let mut ran = ran.unwrap();
    assert_eq!((ran.decodes, ran.explanation.decodes), (1, 1));
    let small = decode(&ran.file("small")).await.unwrap();
    assert_eq!((small.width(), small.height()), (200, 300)); // stored lying, shown upright
    let large = decode(&ran.file("large")).await.unwrap();
    assert_eq!((large.width(), large.height()), (799, 1200));
}

#[tokio::test]
async fn the_plan_tells_the_scale_and_the_pyramid() {
    let ran = Branches::of(photo("spaniels.jpg"))
        .chain("a", vec![inside(1200)])
        .chain("b", vec![inside(600)])
        .chain("c", vec![inside(150)])
        .run()
        .await
        .unwrap();
    let text = ran.explanation.to_string();
    assert!(text.contains("jpeg of 3088x2056, at 1/2 -> 1544x1028"), "{text}");
    assert!(text.contains("lanczos3, from `source` -> 1200x799  [a]"), "{text}");
    assert!(text.contains("lanczos3, from `a` -> 600x399  [b]"), "{text}");
    assert!(text.contains("lanczos3, from `b` -> 150x100  [c]"), "{text}");
}

#[tokio::test]
async fn a_rendition_from_the_pyramid_is_as_good_as_a_direct_one() {
    for name in ["spaniels.jpg", "fig.jpg"] {
        let source = photo(name);
        let full = decode(&source).await.unwrap();
        let mut ran = Branches::of(source)
            .chain("large", vec![inside(900)])
            .chain("small", vec![inside(400)])
            .chain("tiny", vec![AnyOperation::new(Resize::new(100, 100, Fit::Cover))])
            .run()
            .await
            .unwrap();
        for (branch, resize) in [
            ("small", Resize::new(400, 400, Fit::Inside)),
            ("tiny", Resize::new(100, 100, Fit::Cover)),
        ] {
            let direct = image(resize, full.clone()).await;
            let quality = psnr(&ran.image(branch), &direct);
            assert!(quality > 38.0, "{name} {branch}: {quality:.1} dB");
        }
    }
}

#[tokio::test]
async fn equal_steps_are_computed_once() {
    let ran = Branches::of(photo("fig.jpg"))
        .chain("webp", vec![inside(300), AnyOperation::new(Webp::quality(70))])
        .chain("jpeg", vec![inside(300), AnyOperation::new(Jpeg::quality(70))])
        .run()
        .await
        .unwrap();
    let resizes = ran.explanation.stages.iter().filter(|stage| stage.action == "resize").count();
    assert_eq!(resizes, 1, "{}", ran.explanation);
}

/// A plan folds and reorders; the steps one by one do not. Both must show the same picture.
#[tokio::test]
async fn a_plan_gives_what_its_steps_give_one_by_one() {
    let original = gradient(211, 144, 3);
    let source = as_png(original.clone()).await;
    let turned =
        || vec![AnyOperation::new(Rotate::by(90.0)), AnyOperation::new(Crop::new(20, 30, 100, 90))];
    let with = |mut steps: Vec<AnyOperation>, more: Vec<AnyOperation>| {
        steps.extend(more);
        steps
    };
    let cover = || AnyOperation::new(Resize::new(50, 40, Fit::Cover));
    let chains = [
        turned(),
        with(turned(), vec![cover()]),
        with(
            vec![AnyOperation::new(Flip::default()), AnyOperation::new(Negate::default())],
            turned(),
        ),
        with(
            turned(),
            vec![AnyOperation::new(Flop::default()), cover(), AnyOperation::new(Negate::default())],
        ),
        with(
            turned(),
            vec![
                AnyOperation::new(Resize::new(60, 60, Fit::Contain)),
                AnyOperation::new(Negate::default()),
            ],
        ),
        vec![
            AnyOperation::new(Grayscale::default()),
            AnyOperation::new(Negate::default()),
            cover(),
        ],
        vec![AnyOperation::new(Rotate::by(30.0)), AnyOperation::new(Resize::width(80))],
        vec![inside(120), inside(60)],
        vec![AnyOperation::new(Negate::default()), AnyOperation::new(Resize::width(50).linear())],
    ];
    for (index, chain) in chains.into_iter().enumerate() {
        let mut one_by_one = original.clone();
        for step in &chain {
            let inputs = mediaflow_core::Inputs::one(one_by_one);
            one_by_one = run_any(step.clone(), inputs).await.unwrap().into_image().unwrap();
        }
        let mut ran = Branches::of(source.clone()).chain("out", chain).run().await.unwrap();
        let quality = psnr(&ran.image("out"), &one_by_one);
        assert!(quality > 45.0, "chain {index}: {quality:.1} dB\n{}", ran.explanation);
    }
}

#[tokio::test]
async fn one_branch_that_fails_does_not_take_the_other_along() {
    let ran = Branches::of(photo("fig.jpg"))
        .chain("good", vec![inside(200), AnyOperation::new(Jpeg::quality(80))])
        .chain("bad", vec![inside(200), AnyOperation::new(Jpeg::quality(80).max_bytes(10))])
        .run()
        .await;
    let mut ran = ran.unwrap();
    let error = ran.results.remove("bad").unwrap().unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("image.max_bytes", Some("bad")));
    assert_eq!(probe_size(&ran.file("good")).await, (200, 135));
}

#[tokio::test]
async fn a_step_behind_an_encoder_is_refused() {
    let ran = Branches::of(photo("fig.jpg"))
        .chain("out", vec![AnyOperation::new(Png::new()), inside(200)])
        .run()
        .await;
    let error = ran.err().unwrap();
    assert_eq!((error.code(), error.fact("step")), ("plan.encoded", Some("out")));
}

async fn probe_size(file: &MediaFile) -> (u32, u32) {
    let info = crate::support::probe(file).await.unwrap();
    (info.width, info.height)
}
