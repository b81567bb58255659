use mediaflow_core::AnyOperation;
use mediaflow_core::ops::{Negate, Posterize, Resize};

use super::{is_the_same_one_by_one, ramp, recolours};
use crate::support::{image, noise};

#[tokio::test]
async fn each_value_becomes_the_nearest_level() {
    for levels in [2, 3, 4, 7, 256] {
        let all: Vec<f64> =
            (0..levels).map(|level| f64::from(level) * 255.0 / f64::from(levels - 1)).collect();
        let nearest = |value: f64| {
            let distance = |level: &f64| (level - value).abs();
            all.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
        };
        recolours(Posterize::to(levels), |rgb| rgb.map(nearest)).await;
        let made = image(Posterize::to(levels), ramp()).await;
        let mut found = made.pixels().to_vec();
        found.dedup();
        assert_eq!(found.len(), levels as usize);
        for (value, found) in (0..=255).zip(made.pixels()) {
            let off = (nearest(f64::from(value)) - f64::from(*found)).abs();
            assert!(off <= 0.51, "{levels}: {value} gives {found}");
        }
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let few = || AnyOperation::new(Posterize::to(4));
    let small = AnyOperation::new(Resize::width(40));
    let chain = vec![few(), AnyOperation::new(Negate::default()), small, few()];
    is_the_same_one_by_one(noise(97, 71, 4), chain).await;
}
