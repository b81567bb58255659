use mediaflow_core::Color;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Border, Extend};

use crate::support::{image, noise};

#[tokio::test]
async fn a_line_is_added_on_all_sides() {
    let letters = Image::new(2, 1, 1, b"ab".to_vec()).unwrap();
    let framed = image(Border::new(1, Color::rgb(46, 46, 46)), letters.clone()).await;
    assert_eq!((framed.width(), framed.height(), framed.channels()), (4, 3, 1));
    assert_eq!(std::str::from_utf8(framed.pixels()).unwrap(), ".....ab.....");
    assert_eq!(image(Border::new(0, Color::BLACK), letters.clone()).await.pixels(), b"ab");
    for channels in [1, 2, 3, 4] {
        let picture = noise(20, 10, channels);
        for color in [Color::rgb(1, 2, 3), Color::rgba(9, 9, 9, 9)] {
            let framed = image(Border::new(3, color), picture.clone()).await;
            let extended = image(Extend::all(3).background(color), picture.clone()).await;
            assert_eq!(framed.channels(), extended.channels());
            assert_eq!(framed.pixels(), extended.pixels());
        }
    }
}
