//! What is found out of pictures, against other programs: the Python packages blurhash 1.1.5, `ImageHash` 4.3.2 and Pillow 13, OpenCV
//! 5.0, scikit-image's formula in numpy (all of them after a conversion to sRGB, by `LittleCMS`), the JavaScript package thumbhash 0.1.1, and sharp 0.34.

use mediaflow_core::geometry::{Fit, Gravity};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{
    Blurhash, Entropy, FocalPoint, HashAlgorithm, Palette, PerceptualHash, Resize, Sharpness,
    Thumbhash,
};
use mediaflow_core::{AnyOperation, Color, Operation};
use mediaflow_image::Webp;
use serde_json::Value;

use crate::support::{Branches, as_png, decode, gradient, image, noise, photo, run};

/// What is found out of a picture in memory.
async fn found(word: impl Operation, picture: Image) -> Value {
    run(word, picture).await.unwrap().into_facts().unwrap().into_value()
}

/// What is found out of a photo, as a job does it.
async fn found_of(word: impl Operation, name: &str) -> Value {
    let chain = Branches::of(photo(name)).chain("fact", vec![AnyOperation::new(word)]);
    let mut ran = chain.run().await.unwrap();
    ran.results.remove("fact").unwrap().unwrap().into_facts().unwrap().into_value()
}

#[tokio::test]
async fn a_blurhash_is_that_of_the_python_package() {
    let (colour, grey) = (gradient(60, 40, 3), gradient(37, 80, 1));
    for (picture, how, wanted) in [
        (&colour, (4, 3), "L$HVCg2Y$5Sgl}azjtf7gcfjfQfj"),
        (&colour, (1, 1), "00HVCg"),
        (&colour, (5, 2), "D$HVCg2Y$5Sgo1l}azjtf7fQ"),
        (&grey, (4, 3), "LUG95C00t7WB00xuj[fQt7fQfQfQ"),
        (&noise(50, 70, 3), (4, 3), "L2HewdY%zs?H{eXkSjtdM^vhI_IL"),
        (&noise(90, 31, 1), (5, 2), "D2HC1RofRj-;D%~qofxuIUof"),
        (
            &noise(50, 70, 3),
            (9, 9),
            "|2HewdY%zs?Ha0%$9+*0ve{eXkSjtdT9TuDtX*jeM^vhI_IL:sPSJ#Vc=WM-K|s}Om#+PSinaaV0{*x+o[-Z#vF{TK-UtJ?bn4rW\
             #SBVI+NDP2Or]iP8Nf$]o:;9Nfq_O@yX%ymVn?#H#%G@#HO=cVu-cCzFkTNMR[nAC4",
        ),
    ] {
        let how = Blurhash::new(how.0, how.1);
        assert_eq!(found(how, picture.clone()).await, wanted, "{how:?}");
    }
    // What is transparent is white.
    let clear = Image::new(20, 10, 4, vec![0; 800]).unwrap();
    let white = Image::new(20, 10, 3, vec![255; 600]).unwrap();
    let usual = Blurhash::default();
    assert_eq!(found(usual, clear).await, found(usual, white).await);
}

#[tokio::test]
async fn a_thumbhash_is_that_of_the_javascript_package() {
    for (picture, wanted) in [
        (gradient(60, 40, 3), "3/cJPZqAh4dwiHh4iHiIiIBwCPh4"),
        (gradient(37, 80, 1), "HwgOAwBwcHiIh4iHAAAAAAA="),
        (gradient(100, 20, 4), "nueJKZQrYXdgeIhhYBj2eX+IiIh3iHg="),
        (gradient(50, 50, 4), "nueJLRQrYHdgeIh4h2BgCPZ5j4iHiHh4iA=="),
        (noise(60, 40, 3), "IAgCDYBGtZejZYVwVrdmaT+b8/ip"),
        (noise(37, 80, 1), "HwgCAwD9pbpZeVunAAAAAAA="),
        (noise(100, 20, 4), "IAiCAYAIrsRQaHUEk1LSBoiZiFlwiMg="),
        (noise(50, 50, 4), "HwiCBQAIxoKUiiCYatBZ5O+mm3hYd4UHuA=="),
        (noise(3, 90, 3), "XwgCCQQ4SbW8lezw4ExmxgQ="),
    ] {
        let size = (picture.width(), picture.height(), picture.channels());
        assert_eq!(found(Thumbhash::default(), picture).await, wanted, "{size:?}");
    }
}

#[tokio::test]
async fn perceptual_hashes_are_those_of_imagehash() {
    let dhash = PerceptualHash::by(HashAlgorithm::Dhash);
    for (picture, p, d) in [
        (noise(90, 31, 1), "952caec0c2eb1db5", "a51552d794928b4c"),
        (noise(50, 70, 3), "c0550c7cfb90dcd6", "b6b2909849a5e945"),
    ] {
        // Pillow makes a picture grey before it makes it small, and both round.
        for (how, wanted) in [(PerceptualHash::default(), p), (dhash, d)] {
            let hash = found(how, picture.clone()).await;
            let off = PerceptualHash::distance(hash.as_str().unwrap(), wanted);
            assert!(off.unwrap() <= 4, "{how:?}: {hash}, not {wanted}");
        }
    }
    for (name, p, d) in [
        ("dandelions.jpg", "c3ca9d9d8aa4e86a", "f9d0a1e9c95a7643"),
        ("fig.jpg", "fab4a5f18446934e", "8e1729291999cba3"),
        ("mountains.jpg", "a0e2583d3f4f87e0", "a097c56fbe7edcc6"),
        ("spaniels.jpg", "bcb8cc466c983373", "3434183f0d6d6347"),
    ] {
        for (how, wanted) in [(PerceptualHash::default(), p), (dhash, d)] {
            let hash = found_of(how, name).await;
            let off = PerceptualHash::distance(hash.as_str().unwrap(), wanted);
            assert!(off.unwrap() <= 2, "{name}: {hash}, not {wanted}");
        }
    }
    // Nothing but rounding makes a difference in a picture of one tone.
    let flat = Image::new(77, 33, 3, [9, 120, 201].repeat(77 * 33)).unwrap();
    assert_eq!(found(PerceptualHash::default(), flat).await, "8000000000000000");
    assert_eq!(PerceptualHash::distance("xyz", "8000000000000000"), None);
}

#[tokio::test]
async fn a_photo_that_was_changed_has_nearly_the_same_hash_and_others_have_not() {
    let usual = PerceptualHash::default();
    let hash = found_of(usual, "fig.jpg").await;
    let off = |other: &Value| {
        PerceptualHash::distance(hash.as_str().unwrap(), other.as_str().unwrap()).unwrap()
    };
    let small = vec![AnyOperation::new(Resize::width(160)), AnyOperation::new(Webp::quality(30))];
    let mut ran = Branches::of(photo("fig.jpg")).chain("small", small).run().await.unwrap();
    let small = decode(&ran.file("small")).await.unwrap();
    assert!(off(&found(usual, small).await) <= 6);
    for other in ["mountains.jpg", "spaniels.jpg", "dandelions.jpg", "logo.png"] {
        assert!(off(&found_of(usual, other).await) >= 16, "{other}");
    }
}

#[tokio::test]
#[allow(clippy::float_cmp, reason = "nothing, and not nearly nothing")]
async fn sharpness_and_entropy_are_those_of_opencv_and_scikit_image() {
    let near = |found: &Value, wanted: f64, part: f64| {
        let found = found.as_f64().unwrap();
        assert!((found - wanted).abs() <= wanted * part, "{found}, not {wanted}");
    };
    for (picture, laplacian, entropy) in [
        (gradient(60, 40, 3), 5.284_928_993, 7.596_819_045),
        (gradient(37, 80, 1), 4.606_207_884, 7.732_718_706),
        (noise(50, 70, 3), 47_220.739_997_6, 7.571_943_668),
        (noise(90, 31, 1), 111_432.798_705_7, 7.939_500_932),
    ] {
        near(&found(Sharpness::default(), picture.clone()).await, laplacian, 1e-8);
        near(&found(Entropy::default(), picture).await, entropy, 1e-8);
    }
    for (name, laplacian, entropy) in [
        ("fig.jpg", 936.867, 7.2265),
        ("mountains.jpg", 1340.73, 7.2404),
        ("spaniels.jpg", 132.175, 7.3747),
    ] {
        near(&found_of(Sharpness::default(), name).await, laplacian, 0.2);
        near(&found_of(Entropy::default(), name).await, entropy, 0.01);
    }
    for size in [(1, 1), (1, 5), (5, 1), (2, 2)] {
        let flat = Image::new(size.0, size.1, 1, vec![7; (size.0 * size.1) as usize]).unwrap();
        assert_eq!(found(Sharpness::default(), flat.clone()).await, 0.0, "{size:?}");
        assert_eq!(found(Entropy::default(), flat).await, 0.0, "{size:?}");
    }
}

#[tokio::test]
async fn a_palette_of_few_colours_has_them_and_their_shares() {
    // Half red, three tenths blue, a tenth green, and a tenth of which nothing is seen.
    let mut pixels = Vec::new();
    for (color, count) in [
        ([200, 10, 20, 255], 500),
        ([10, 20, 200, 255], 300),
        ([30, 160, 40, 255], 100),
        ([255, 255, 0, 0], 100),
    ] {
        pixels.extend(color.repeat(count));
    }
    let made = found(Palette::of(5), Image::new(100, 10, 4, pixels).unwrap()).await;
    assert_eq!(made["dominant"], "#c80a14");
    let colors = made["colors"].as_array().unwrap();
    let shares = [("#c80a14", 5.0 / 9.0), ("#0a14c8", 3.0 / 9.0), ("#1ea028", 1.0 / 9.0)];
    assert_eq!(colors.len(), shares.len(), "{made}");
    for (found, (color, share)) in colors.iter().zip(shares) {
        assert_eq!(found["color"], color);
        assert!((found["share"].as_f64().unwrap() - share).abs() < 1e-9, "{made}");
    }
    let clear = Image::new(2, 2, 4, vec![0; 16]).unwrap();
    let made = found(Palette::default(), clear).await;
    assert_eq!(made, serde_json::json!({ "dominant": null, "colors": [] }));
}

/// How far the pixels of a photo are from the nearest colour of its palette: the root of the mean square.
async fn off(name: &str, colors: u32) -> f64 {
    let how = Palette::of(colors);
    let mut ran = Branches::of(photo(name))
        .chain("palette", vec![AnyOperation::new(how)])
        .chain("small", vec![AnyOperation::new(how.copy())])
        .run()
        .await
        .unwrap();
    let small = ran.image("small");
    let palette = ran.results.remove("palette").unwrap().unwrap().into_facts().unwrap();
    let palette = palette.as_value()["colors"].as_array().unwrap();
    assert_eq!(palette.len(), colors as usize);
    let share = |color: &Value| color["share"].as_f64().unwrap();
    assert!((palette.iter().map(share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(palette.is_sorted_by(|a, b| share(a) >= share(b)));
    let colors: Vec<[u8; 4]> = palette
        .iter()
        .map(|color| color["color"].as_str().unwrap().parse::<Color>().unwrap().channels())
        .collect();
    let nearest = |pixel: &[u8]| {
        let far = |color: &[u8; 4]| -> f64 {
            pixel.iter().zip(color).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum()
        };
        colors.iter().map(far).fold(f64::INFINITY, f64::min)
    };
    let pixels = small.pixels().chunks_exact(3);
    #[allow(clippy::cast_precision_loss, reason = "a count")]
    let count = pixels.len() as f64;
    (pixels.map(nearest).sum::<f64>() / count).sqrt()
}

#[tokio::test]
async fn a_palette_of_a_photo_is_as_near_to_it_as_that_of_pillow() {
    // `quantize(colors, method)` of Pillow: the better one of median cut and fast octree, which measure in RGB.
    for (name, three, five, eight) in [
        ("dandelions.jpg", 46.09, 43.26, 24.65),
        ("fig.jpg", 54.57, 32.73, 22.65),
        ("mountains.jpg", 50.83, 36.13, 28.25),
        ("spaniels.jpg", 39.03, 27.42, 18.13),
    ] {
        for (colors, pillow) in [(3, three), (5, five), (8, eight)] {
            let ours = off(name, colors).await;
            assert!(ours <= pillow, "{name}, {colors} colours: {ours}, Pillow's {pillow}");
        }
    }
}

#[tokio::test]
async fn the_focal_point_is_where_sharp_finds_attention() {
    // `attentionX` and `attentionY` of a square with `position: 'attention'`, in columns and rows of a thirty-second.
    for (name, wanted) in [
        ("coffee.png", (14.0, 12.0)),
        ("fig.jpg", (17.0, 17.0)),
        ("mountains.jpg", (30.0, 18.0)),
        ("spaniels.jpg", (15.0, 9.0)),
        ("dandelions.jpg", (25.0, 0.0)),
    ] {
        let point = found_of(FocalPoint::default(), name).await;
        let cell = |side: &str| point[side].as_f64().unwrap() * 32.0;
        let off = (cell("x") - wanted.0).hypot(cell("y") - wanted.1);
        assert!(off <= 1.0, "{name}: {point}, not {wanted:?} / 32");
    }
}

#[tokio::test]
async fn a_crop_at_the_focal_point_keeps_what_attention_keeps() {
    // Of a size at which parts of a thirty-second are whole pixels.
    let whole = decode(&photo("coffee.png")).await.unwrap();
    let picture = image(Resize::new(640, 416, Fit::Fill), whole).await;
    let point = found(FocalPoint::default(), picture.clone()).await;
    let [x, y] = ["x", "y"].map(|side| point[side].as_f64().unwrap());
    let square = |gravity| image(Resize::cover(416, 416).gravity(gravity), picture.clone());
    let (focal, attention) = (square(Gravity::focal(x, y)).await, square(Gravity::Attention).await);
    assert_eq!(focal.pixels(), attention.pixels());
}

#[tokio::test]
async fn facts_and_renditions_share_one_decode() {
    let word = |word| vec![word];
    let ran = Branches::of(photo("spaniels.jpg"))
        .chain("blur", word(AnyOperation::new(Blurhash::default())))
        .chain("thumb", word(AnyOperation::new(Thumbhash::default())))
        .chain("colours", word(AnyOperation::new(Palette::default())))
        .chain("hash", word(AnyOperation::new(PerceptualHash::default())))
        .chain("focus", word(AnyOperation::new(FocalPoint::default())))
        .chain("sharp", word(AnyOperation::new(Sharpness::default())))
        .chain(
            "large",
            vec![
                AnyOperation::new(Resize::inside(1200, 1200)),
                AnyOperation::new(Webp::quality(70)),
            ],
        )
        .run()
        .await
        .unwrap();
    let told = ran.explanation.to_string();
    assert_eq!((ran.decodes, ran.explanation.decodes), (1, 1), "{told}");
    assert!(ran.results.values().all(Result::is_ok), "{told}");
    // One copy of 100 pixels for three of them, one of 32 for two, one of 1024, and the rendition.
    let resizes = ran.explanation.stages.iter().filter(|stage| stage.action == "resize");
    assert_eq!(resizes.count(), 4, "{told}");
    assert!(told.contains("a blurhash of 4 x 3 waves"), "{told}");
    // Of a large photo no more is decoded than a fact needs.
    let ran = Branches::of(photo("spaniels.jpg"))
        .chain("blur", word(AnyOperation::new(Blurhash::default())))
        .run()
        .await
        .unwrap();
    assert!(ran.explanation.to_string().contains("at 1/8"), "{}", ran.explanation);
}

#[tokio::test]
async fn facts_of_a_large_picture_are_found_while_its_rows_go_by() {
    let large = as_png(gradient(1600, 1200, 3)).await;
    let ran = Branches::of(large)
        .chain("colours", vec![AnyOperation::new(Palette::of(3))])
        .chain("sharp", vec![AnyOperation::new(Sharpness::at(256))])
        .run()
        .await
        .unwrap();
    assert!(ran.explanation.to_string().contains("by rows"), "{}", ran.explanation);
    assert!(ran.results.values().all(Result::is_ok));
}
