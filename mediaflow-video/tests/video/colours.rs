//! Colours that few screens show become those that all show.

use std::path::PathBuf;
use std::process::Command;

use mediaflow_core::geometry::Fit;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Position, Poster, Resize};

use crate::clips::{input, mp4};
use crate::common::{Bench, path_of, step};
use crate::measure::Measured;

/// Red of BT.709 in the colours of BT.2020.
fn wide(bench: &Bench) -> PathBuf {
    let path = bench.folder.path().join("wide.mp4");
    let filter = "format=rgb24,scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,\
                  colorspace=all=bt2020:iall=bt709:irange=tv:range=tv:format=yuv420p10";
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "color=0xc83232:s=192x108:r=25:d=0.4"])
        .args(["-vf", filter, "-c:v", "libx264", "-crf", "8", "-color_primaries", "bt2020"])
        .args(["-color_trc", "bt2020-10", "-colorspace", "bt2020nc"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    path
}

fn centre(image: &Image) -> [u8; 3] {
    let at = (image.height() / 2 * image.width() + image.width() / 2) as usize * 3;
    image.pixels()[at..at + 3].try_into().unwrap()
}

fn is_near(found: [u8; 3], right: [u8; 3], within: u8) -> bool {
    found.iter().zip(right).all(|(found, right)| found.abs_diff(right) <= within)
}

#[tokio::test]
async fn a_wide_gamut_is_not_taken_for_a_usual_one() {
    let bench = Bench::new();
    let steps = vec![
        step("mp4", mp4(8), "source"),
        step("poster", Poster::at(Position::Seconds(0.0)), "source"),
    ];
    let (results, _) = bench.run(&wide(&bench), steps, &["mp4", "poster"]).await.unwrap();
    let poster = centre(&results["poster"].clone().into_image().unwrap());
    assert!(is_near(poster, [200, 50, 50], 8), "{poster:?}");
    let film = Measured::of(path_of(&results["mp4"])).pixel(96, 54);
    assert!(is_near(film, [200, 50, 50], 10), "{film:?}");
}

/// Light is mapped after the picture was made smaller.
#[tokio::test]
async fn a_small_picture_of_a_bright_film_is_as_a_large_one() {
    let bench = Bench::new();
    let steps = vec![
        step("large", Poster::at(Position::Seconds(0.0)), "source"),
        step("resize", Resize::new(96, 54, Fit::Fill), "source"),
        step("small", Poster::at(Position::Seconds(0.0)), "resize"),
        step("mp4", mp4(12), "resize"),
    ];
    let exits = ["large", "small", "mp4"];
    let (results, _) = bench.run(&input("hdr-pq.mp4"), steps, &exits).await.unwrap();
    let image = |name: &str| results[name].clone().into_image().unwrap();
    let (large, small) = (image("large"), image("small"));
    let film = Measured::of(path_of(&results["mp4"]));
    for bar in 0..4 {
        let x = 24 + bar * 48;
        let of = |image: &Image, x: usize, y: usize| -> [u8; 3] {
            let at = (y * image.width() as usize + x) * 3;
            image.pixels()[at..at + 3].try_into().unwrap()
        };
        let right = of(&large, x, 54);
        assert!(
            is_near(of(&small, x / 2, 27), right, 10),
            "{bar}: {:?}, not {right:?}",
            of(&small, x / 2, 27)
        );
        assert!(
            is_near(film.pixel(x / 2, 27), right, 16),
            "{bar}: {:?}, not {right:?}",
            film.pixel(x / 2, 27)
        );
    }
}
