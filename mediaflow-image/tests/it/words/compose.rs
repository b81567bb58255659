use mediaflow_core::Inputs;
use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Blend, Compose, Layer, Watermark};
use mediaflow_core::{AnyOperation, Operation};
use serde_json::json;

use crate::support::{noise, run_on};

async fn composed(below: &Image, layers: impl IntoIterator<Item = (Layer, Image)>) -> Image {
    let (layers, above): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
    let inputs =
        above.into_iter().enumerate().fold(Inputs::one(below.clone()), |inputs, (index, image)| {
            inputs.and(format!("layer-{index}"), image)
        });
    run_on(Compose::of(layers), inputs).await.unwrap().into_image().unwrap()
}

fn letters(text: &[u8], width: u32) -> Image {
    Image::new(width, u32::try_from(text.len()).unwrap() / width, 1, text.to_vec()).unwrap()
}

#[tokio::test]
async fn layers_lie_where_they_are_put_and_in_their_order() {
    let ground = letters(b"....................", 5);
    let two = letters(b"ab", 2);
    for (layer, wanted) in [
        (Layer::new(), &b"............ab......"[..]),
        (Layer::new().at(0, 0), b"ab.................."),
        (Layer::new().at(-1, 3), b"...............b...."),
        (Layer::new().at(4, 1), b".........a.........."),
        (Layer::new().gravity(Gravity::Southeast), b"..................ab"),
        (Layer::new().gravity(Gravity::Southeast).shifted(-1, -2), b".......ab..........."),
        (Layer::new().gravity(Gravity::focal(0.0, 1.0)), b"...............ab..."),
        (Layer::new().at(-2, 0), b"...................."),
        (Layer::new().at(0, 100_000), b"...................."),
    ] {
        let made = composed(&ground, [(layer, two.clone())]).await;
        assert_eq!(
            String::from_utf8_lossy(made.pixels()),
            String::from_utf8_lossy(wanted),
            "{layer:?}"
        );
    }
    let wide = composed(&two, [(Layer::new(), letters(b"0123", 4))]).await;
    assert_eq!(wide.pixels(), b"12", "as much stands out on both sides");
    let over = [(Layer::new().at(0, 0), two.clone()), (Layer::new().at(1, 0), letters(b"XY", 2))];
    assert_eq!(composed(&ground, over).await.pixels()[..5], *b"aXY..");
}

#[tokio::test]
async fn a_layer_is_blended_as_a_watermark_is() {
    for (below, above) in [(1, 1), (1, 4), (2, 3), (3, 2), (3, 4), (4, 4)] {
        let (base, mark) = (noise(20, 12, below), noise(7, 5, above));
        for blend in [Blend::Normal, Blend::Multiply, Blend::SoftLight] {
            let how =
                Watermark::new().gravity(Gravity::Northwest).offset(2).opacity(0.4).blend(blend);
            let inputs = Inputs::one(base.clone()).and("mark", mark.clone());
            let one = run_on(how, inputs).await.unwrap().into_image().unwrap();
            let layer = Layer::new().at(2, 2).opacity(0.4).blend(blend);
            let made = composed(&base, [(layer, mark.clone())]).await;
            assert_eq!((made.channels(), made.pixels()), (one.channels(), one.pixels()));
            let infos =
                [base.clone(), mark.clone()].map(|image| Inputs::one(image).get(0).unwrap().info());
            assert_eq!(Compose::of([layer]).describe(&infos).unwrap().channels, made.channels());
        }
    }
}

#[tokio::test]
async fn each_layer_has_its_input() {
    let two: Compose =
        serde_json::from_value(json!({"layers": [{}, {"blend": "screen"}]})).unwrap();
    assert_eq!(two, Compose::of([Layer::new(), Layer::new().blend(Blend::Screen)]));
    assert_eq!(AnyOperation::new(two.clone()).arity().check(2).unwrap_err().code(), "spec.inputs");
    for (layer, code) in [
        (json!({"opacity": 2}), "op.range"),
        (json!({"x": 100_001}), "op.range"),
        (json!({"gravity": "entropy"}), "geometry.gravity"),
    ] {
        let how: Compose = serde_json::from_value(json!({"layers": [{}, layer]})).unwrap();
        let error = how.validate().unwrap_err();
        assert_eq!((error.code(), error.fact("layer")), (code, Some("2")));
    }
}
