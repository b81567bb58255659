use mediaflow_core::ops::{Blur, Sharpen};

use crate::support::{image, noise};

#[tokio::test]
async fn what_is_near_to_its_blur_stays() {
    for (channels, threshold) in [(1, 20.0), (3, 60.0), (4, 5.5), (3, 255.0)] {
        let picture = noise(29, 17, channels);
        let n = usize::from(channels);
        let soft = image(Blur::by(1.5), picture.clone()).await;
        let all = image(Sharpen::new(1.5, 0.8), picture.clone()).await;
        let made = image(Sharpen::new(1.5, 0.8).threshold(threshold), picture.clone()).await;
        let mut stayed = 0;
        for (index, value) in picture.pixels().iter().enumerate() {
            let found = made.pixels()[index];
            if picture.has_alpha() && index % n == n - 1 {
                assert_eq!(found, *value);
                continue;
            }
            let away = (f64::from(*value) - f64::from(soft.pixels()[index])).abs();
            // The blur that is seen here is rounded.
            if away < threshold - 0.6 {
                assert_eq!(found, *value, "{threshold}: {away} at {index}");
                stayed += 1;
            } else if away > threshold + 0.6 {
                assert_eq!(found, all.pixels()[index], "{threshold}: {away} at {index}");
            }
        }
        assert!(stayed > 0);
    }
}
