use mediaflow_core::ops::{Duotone, Grayscale, Negate, Resize};
use mediaflow_core::{AnyOperation, Color};

use super::{is_the_same_one_by_one, ramp};
use crate::support::{Branches, as_png, image, noise, psnr, run};

fn print() -> Duotone {
    Duotone::new(Color::rgb(0, 26, 77), Color::rgb(255, 217, 179))
}

/// What `ImageOps.colorize` of Pillow 12 gives for these greys; it cuts fractions off.
const GREYS: [(usize, [u8; 3]); 9] = [
    (0, [0, 26, 77]),
    (1, [1, 26, 77]),
    (32, [32, 49, 89]),
    (64, [64, 73, 102]),
    (100, [100, 100, 117]),
    (128, [128, 121, 128]),
    (180, [180, 160, 149]),
    (220, [220, 190, 165]),
    (255, [255, 217, 179]),
];

#[tokio::test]
async fn a_duotone_is_a_gradient_over_the_luma() {
    let made = image(print(), ramp()).await;
    assert_eq!(made.channels(), 3);
    for (grey, wanted) in GREYS {
        let found = &made.pixels()[grey * 3..][..3];
        let is_near = found.iter().zip(wanted).all(|(a, b)| (b..=b.saturating_add(1)).contains(a));
        assert!(is_near, "{grey} gives {found:?}, not {wanted:?}");
    }
    for channels in [3, 4] {
        let photo = noise(31, 23, channels);
        let grey = image(Grayscale::default(), photo.clone()).await;
        let made = image(print(), photo).await;
        assert_eq!(made.pixels(), image(print(), grey).await.pixels());
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let op = || AnyOperation::new(print());
    for channels in [1, 2, 3, 4] {
        let chain = vec![AnyOperation::new(Negate::default()), op(), op()];
        is_the_same_one_by_one(noise(97, 71, channels), chain).await;
    }
}

/// It is done on the pixels of the result, of which there are fewer, and gives the same but for what is rounded.
#[tokio::test]
async fn it_is_moved_behind_a_resize() {
    let picture = noise(200, 120, 3);
    let small = Resize::width(50);
    let after = image(print(), image(small.clone(), picture.clone()).await).await;
    let before = image(small.clone(), image(print(), picture.clone()).await).await;
    assert!(psnr(&after, &before) > 45.0, "{}", psnr(&after, &before));
    let chain = vec![AnyOperation::new(print()), AnyOperation::new(small)];
    let source = as_png(picture).await;
    let mut ran = Branches::of(source).chain("out", chain).run().await.unwrap();
    assert_eq!(ran.image("out").pixels(), after.pixels());
}

#[tokio::test]
async fn what_shows_through_is_refused() {
    let open = Duotone::new(Color::BLACK, Color::rgba(255, 255, 255, 128));
    let error = mediaflow_core::Operation::validate(&open).unwrap_err();
    assert_eq!((error.code(), error.fact("highlights")), ("op.color", Some("#ffffff80")));
    assert!(run(print(), noise(2, 2, 1)).await.is_ok());
}
