use mediaflow_core::Color;
use mediaflow_core::media::{Format, Image};
use mediaflow_image::{Chroma, Jpeg, Png, Webp};

use crate::support::{
    as_jpeg, as_png, as_webp, bytes, decode, file, gradient, photo, probe, psnr, run,
};

#[tokio::test]
async fn what_is_encoded_comes_back() {
    for channels in [1, 3, 4] {
        let original = gradient(97, 61, channels);
        let png = as_png(original.clone()).await;
        assert_eq!(decode(&png).await.unwrap().pixels(), original.pixels());
        if channels > 1 {
            assert_eq!(
                decode(&as_webp(original.clone()).await).await.unwrap().pixels(),
                original.pixels()
            );
        }
        if channels < 4 {
            let jpeg = decode(&as_jpeg(original.clone(), 95).await).await.unwrap();
            assert!(psnr(&jpeg, &original) > 38.0, "{}", psnr(&jpeg, &original));
        }
    }
}

#[tokio::test]
async fn the_options_of_the_encoders_are_seen_in_the_file() {
    let picture = gradient(200, 120, 3);
    let progressive =
        run(Jpeg::quality(80).progressive(), picture.clone()).await.unwrap().into_file().unwrap();
    assert!(bytes(&progressive).windows(2).any(|w| w == [0xFF, 0xC2]));
    let full = run(Jpeg::quality(80).chroma(Chroma::Full), picture.clone())
        .await
        .unwrap()
        .into_file()
        .unwrap();
    let quarter = run(Jpeg::quality(80), picture.clone()).await.unwrap().into_file().unwrap();
    assert!(full.blob().len() > quarter.blob().len());
    for back in [&progressive, &full, &quarter] {
        assert!(psnr(&decode(back).await.unwrap(), &picture) > 30.0);
    }
    let fast = run(Png::new().effort(0), picture.clone()).await.unwrap().into_file().unwrap();
    let small = run(Png::new().effort(10), picture.clone()).await.unwrap().into_file().unwrap();
    assert!(small.blob().len() <= fast.blob().len());
    let low = run(Webp::quality(10), picture.clone()).await.unwrap().into_file().unwrap();
    let high = run(Webp::quality(95), picture).await.unwrap().into_file().unwrap();
    assert!(low.blob().len() < high.blob().len());
}

#[tokio::test]
async fn a_jpeg_of_a_transparent_picture_shows_its_background() {
    let clear = Image::new(32, 32, 4, vec![0; 32 * 32 * 4]).unwrap();
    let jpeg = run(Jpeg::default().background(Color::rgb(200, 30, 30)), clear)
        .await
        .unwrap()
        .into_file()
        .unwrap();
    let back = decode(&jpeg).await.unwrap();
    assert!(
        back.pixels()[0].abs_diff(200) < 4 && back.pixels()[1].abs_diff(30) < 4,
        "{:?}",
        &back.pixels()[..3]
    );
}

#[tokio::test]
async fn photos_are_probed_from_their_headers() {
    let info = probe(&photo("dandelions.jpg")).await.unwrap();
    assert_eq!(
        (info.format.clone(), info.width, info.height, info.channels),
        (Format::JPEG, 5312, 2988, 3)
    );
    let logo = probe(&photo("logo.png")).await.unwrap();
    assert_eq!(logo.format, Format::PNG);
    let webp = probe(&as_webp(gradient(33, 21, 4)).await).await.unwrap();
    assert_eq!(
        (webp.format.clone(), webp.width, webp.height, webp.alpha),
        (Format::WEBP, 33, 21, true)
    );
}

/// A palette of black and white, one pixel of each, with as many frames as asked for.
pub(crate) fn gif(frames: usize) -> Vec<u8> {
    let mut gif = b"GIF89a\x02\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec();
    for _ in 0..frames {
        gif.extend(b"\x2C\0\0\0\0\x02\0\x01\0\0\x02\x02\x44\x0A\0");
    }
    gif.push(0x3B);
    gif
}

#[tokio::test]
async fn the_first_frame_of_a_gif_is_decoded_and_all_are_counted() {
    let moving = file("two.gif", gif(2));
    let info = probe(&moving).await.unwrap();
    assert_eq!((info.width, info.height, info.frames), (2, 1, 2));
    let first = decode(&moving).await.unwrap();
    assert_eq!((first.channels(), first.pixels()), (3, &[0, 0, 0, 255, 255, 255][..]));
}

#[tokio::test]
async fn sixteen_bits_become_eight() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0xFF, 0xFF, 0x80, 0x10, 0, 0]).unwrap();
    writer.finish().unwrap();
    assert_eq!(decode(&file("deep.png", bytes)).await.unwrap().pixels(), [255, 128, 0]);
}
