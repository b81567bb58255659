//! Damage in a picture: an error, or, if it is accepted, what is there of it with a warning that says how much is missing.

use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile, OnDamage};
use mediaflow_core::spec::{Pipeline, Source};
use mediaflow_core::{Mediaflow, testing};
use mediaflow_image::{ImageEncoders as _, Jpeg, Webp};

use crate::files::gif;
use crate::support::{
    as_jpeg, as_png, bytes, decode, decode_in, file, gradient, noise, run, sample,
};

/// What is accepted of a file that is an error otherwise, and how much of it is missing by the warning, in percent.
async fn accepted(name: &str, damaged: Vec<u8>) -> (Image, f64) {
    let damaged = file(name, damaged);
    let refused = decode(&damaged).await.unwrap_err();
    let codes = ["image.truncated", "image.corrupt"];
    assert!(codes.contains(&refused.code()), "{name}: {refused:?}");
    let cx = testing::context();
    let damaged = damaged.with_on_damage(OnDamage::Accept);
    let image = decode_in(&damaged, &cx).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let warnings = cx.take_warnings();
    let missing = warnings.iter().find_map(|warning| {
        let said = warning.strip_prefix(&format!("`{name}`: "))?;
        said.strip_prefix("less than ").unwrap_or(said).split_once(" %")?.0.parse().ok()
    });
    (image, missing.unwrap_or_else(|| panic!("{name}: {warnings:?}")))
}

/// How many rows from the top are, nearly, those of the whole picture, in percent of all.
fn rows_alike(found: &Image, whole: &Image, tolerance: u8) -> f64 {
    assert_eq!((found.width(), found.height()), (whole.width(), whole.height()));
    let row = found.width() as usize * usize::from(found.channels());
    let pairs = found.pixels().chunks_exact(row).zip(whole.pixels().chunks_exact(row));
    let alike = pairs
        .take_while(|(a, b)| a.iter().zip(*b).all(|(a, b)| a.abs_diff(*b) <= tolerance))
        .count();
    #[allow(clippy::cast_precision_loss, reason = "a count")]
    let percent = alike as f64 * 100.0 / f64::from(whole.height());
    percent
}

/// What is said to be missing is, within the rows of a unit.
async fn is_cut(name: &str, whole: &MediaFile, damaged: Vec<u8>, unit: f64) -> f64 {
    let wanted = decode(whole).await.unwrap();
    let (image, missing) = accepted(name, damaged).await;
    let alike = rows_alike(&image, &wanted, 2);
    let slack = unit * 100.0 / f64::from(wanted.height()) + 1.0;
    assert!(
        (100.0 - alike - missing).abs() <= slack,
        "{name}: {alike} % alike, {missing} % missing"
    );
    missing
}

#[tokio::test]
async fn of_a_jpeg_that_was_cut_the_rows_before() {
    let colour = sample("interleaved.jpg");
    let grey = as_jpeg(noise(90, 200, 1), 80).await;
    let progressive = run(Jpeg::quality(80).progressive(), noise(200, 160, 3)).await.unwrap();
    for whole in [colour, grey, sample("restarts.jpg")] {
        let all = bytes(&whole);
        let data = all.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        for percent in [20, 50, 90] {
            let end = data + (all.len() - data) * percent / 100;
            let missing = is_cut("cut.jpg", &whole, all[..end].to_vec(), 17.0).await;
            assert!((missing - (100 - percent) as f64).abs() < 20.0, "{missing} % at {percent} %");
            // A cut that somebody has closed is one as well.
            let closed = [&all[..end], &[0xFF, 0xD9]].concat();
            is_cut("closed.jpg", &whole, closed, 17.0).await;
        }
    }
    // Of a progressive one all rows are there soon.
    let whole = progressive.into_file().unwrap();
    let (all, wanted) = (bytes(&whole), decode(&whole).await.unwrap());
    for percent in [60, 95] {
        let cut = all[..all.len() * percent / 100].to_vec();
        let (image, missing) = accepted("progressive.jpg", cut).await;
        assert_eq!(missing, 0.0);
        assert!(crate::support::psnr(&image, &wanted) > 12.0);
    }
}

#[tokio::test]
async fn of_a_jpeg_with_restarts_what_is_behind_the_damage_too() {
    let whole = sample("restarts.jpg");
    let mut all = bytes(&whole);
    let restart = all.windows(2).position(|pair| pair == [0xFF, 0xD1]).unwrap();
    // Ones alone are no code.
    all[restart - 40..restart - 10].copy_from_slice(&[0xFF, 0].repeat(15));
    let (image, missing) = accepted("restarts.jpg", all).await;
    let wanted = decode(&whole).await.unwrap();
    let last = image.pixels().len() - 64 * 3 * 8;
    assert_eq!(image.pixels()[last..], wanted.pixels()[last..]);
    assert!(missing > 0.0 && missing < 50.0, "{missing}");
}

#[tokio::test]
async fn of_a_png_that_was_cut_the_rows_before() {
    for channels in [1, 3, 4] {
        let whole = as_png(noise(64, 100, channels)).await;
        let all = bytes(&whole);
        for percent in [30, 70] {
            let cut = all[..all.len() * percent / 100].to_vec();
            is_cut("cut.png", &whole, cut, 3.0).await;
        }
        let mut flipped = all.clone();
        let middle = all.len() / 2;
        flipped[middle] ^= 0x10;
        let (_, missing) = accepted("flipped.png", flipped).await;
        assert!(missing <= 60.0, "{missing}");
    }
}

#[tokio::test]
async fn of_an_interlaced_png_that_was_cut_the_passes_before() {
    let all = bytes(&sample("interlaced.png"));
    decode(&sample("interlaced.png")).await.unwrap();
    let mut least = 0.0;
    for percent in [90, 60, 30] {
        let (_, missing) = accepted("cut.png", all[..all.len() * percent / 100].to_vec()).await;
        assert!(missing > least && missing < 100.0, "{missing} % at {percent} %");
        least = missing;
    }
}

#[tokio::test]
async fn of_a_gif_that_was_cut_the_rows_before() {
    // Numbers of a colour as they are, with a clear code before each two.
    let (width, height) = (8_u16, 40_u16);
    let mut data = Vec::new();
    let (mut held, mut count) = (0_u32, 0);
    let mut put = |code: u32| {
        held |= code << count;
        count += 3;
        while count >= 8 {
            data.push(held.to_le_bytes()[0]);
            held >>= 8;
            count -= 8;
        }
    };
    for pixel in 0..u32::from(width * height) {
        if pixel % 2 == 0 {
            put(4);
        }
        put((pixel / 3) % 4);
    }
    put(5);
    put(0);
    put(0);
    let mut whole = b"GIF89a\x08\0\x28\0\x81\0\0\0\0\0\xFF\0\0\0\xFF\0\0\0\xFF".to_vec();
    whole.extend(b"\x2C\0\0\0\0\x08\0\x28\0\0\x02");
    for block in data.chunks(50) {
        whole.push(u8::try_from(block.len()).unwrap());
        whole.extend_from_slice(block);
    }
    whole.extend(b"\0\x3B");
    for percent in [40, 80] {
        let cut = whole[..whole.len() * percent / 100].to_vec();
        is_cut("cut.gif", &file("whole.gif", whole.clone()), cut, 2.0).await;
    }
    // The first frame is whole, the second is not.
    let two = gif(2);
    let (image, missing) = accepted("two.gif", two[..two.len() - 4].to_vec()).await;
    assert_eq!((image.pixels(), missing), (&[0, 0, 0, 255, 255, 255][..], 0.0));
}

#[tokio::test]
async fn of_what_has_nothing_to_show_nothing_is_accepted() {
    let picture = gradient(60, 40, 3);
    let webp = run(Webp::quality(80), picture.clone()).await.unwrap().into_file().unwrap();
    for (whole, percent) in
        [(as_jpeg(picture.clone(), 80).await, 20), (as_png(picture).await, 10), (webp, 60)]
    {
        let all = bytes(&whole);
        let cut = MediaFile::new(
            "cut",
            whole.format().clone(),
            all[..all.len() * percent / 100].to_vec().into(),
        );
        let error = decode(&cut.with_on_damage(OnDamage::Accept)).await.unwrap_err();
        assert_eq!(error.code(), "image.truncated", "{}", whole.format());
    }
}

#[tokio::test]
async fn a_pipeline_says_what_becomes_of_damage() {
    let builder = Mediaflow::builder().storage("out", "memory:");
    let media = builder.with(mediaflow_image::operations).start().await.unwrap();
    let all = bytes(&as_jpeg(noise(64, 96, 3), 80).await);
    let cut = Source::bytes(all[..all.len() / 2].to_vec());
    let pipeline = |how| {
        Pipeline::from(cut.clone())
            .on_damage(how)
            .output("out/shown.png", |photo| photo.resize((32, 48, Fit::Inside)).png())
            .build()
            .unwrap()
    };
    let plan = media.explain(pipeline(OnDamage::Accept)).await.unwrap();
    assert!(plan.contains("as far as it goes if it is damaged"), "{plan}");
    let error = media.submit(pipeline(OnDamage::Refuse)).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "image.truncated");
    let report = media.submit(pipeline(OnDamage::Accept)).await.unwrap().done().await.unwrap();
    let is_told = |warning: &String| warning.contains("% of the rows are missing");
    assert!(report.warnings.iter().any(is_told), "{:?}", report.warnings);
}
