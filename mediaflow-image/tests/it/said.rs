//! What a photo says of itself: files that exiftool 12.57 has written (`said-*`), each with what it was told to write.

use mediaflow_core::AnyOperation;
use mediaflow_core::media::MediaFile;
use mediaflow_core::ops::ReadMetadata;
use mediaflow_image::{Jpeg, MetadataPolicy};
use serde_json::{Value, json};

use crate::support::{Branches, photo, sample};

async fn said(file: MediaFile, how: ReadMetadata) -> Value {
    let chain = Branches::of(file).chain("said", vec![AnyOperation::new(how)]);
    let mut ran = chain.run().await.unwrap();
    ran.results.remove("said").unwrap().unwrap().into_facts().unwrap().into_value()
}

#[tokio::test]
async fn what_is_said_in_several_places_is_told_once() {
    let usual = ReadMetadata::new();
    let mut wanted = json!({
        "camera": { "make": "Acme", "model": "Eye 2", "lens": "35mm F1.4", "software": "Lab 1.0" },
        "taken": "2019-07-04T12:33:10.25+02:00",
        "orientation": 6,
        "exposure": { "seconds": 0.008, "f_number": 2.8, "iso": 200.0, "focal_length": 35.0 },
        "title": "A fig",
        "description": "Cut & ripe",
        "creator": ["Jane Doe", "Jörg"],
        "copyright": "© Jane",
        "keywords": ["fig", "fruit", "still life"],
    });
    assert_eq!(said(sample("said-all.jpg"), usual).await, wanted);
    // The place only if it is asked for.
    let mut all = said(sample("said-all.jpg"), usual.place()).await;
    let place = all.as_object_mut().unwrap().remove("place").unwrap();
    assert_eq!(all, wanted);
    let is_near = |field: &str, wanted: f64| {
        let off = (place[field].as_f64().unwrap() - wanted).abs();
        assert!(off < 1e-5, "{place}");
    };
    is_near("latitude", 52.5163);
    is_near("longitude", 13.3777);
    is_near("altitude", 34.5);
    // It is not read from a copy that has lost it, but from the source: a rendition says nothing.
    let silent = Jpeg::quality(80).metadata(MetadataPolicy::Strip);
    let mut ran = Branches::of(sample("said-all.jpg"))
        .chain("silent", vec![AnyOperation::new(silent)])
        .chain("said", vec![AnyOperation::new(usual)])
        .run()
        .await
        .unwrap();
    assert_eq!(ran.decodes, 1);
    let of_source = ran.results.remove("said").unwrap().unwrap().into_facts().unwrap();
    assert_eq!(*of_source.as_value(), wanted);
    wanted = json!({ "orientation": 1 });
    assert_eq!(said(ran.file("silent"), usual.place()).await, wanted);
}

#[tokio::test]
async fn what_only_one_place_says_is_told() {
    for (name, wanted) in [
        (
            "said-press.jpg",
            json!({
                "orientation": 1,
                "title": "Title of the press",
                "description": "What is seen",
                "creator": ["Jane", "Jörg"],
                "copyright": "© Press",
                "keywords": ["one", "zwei ä"],
            }),
        ),
        (
            "said-exif.webp",
            json!({
                "taken": "2001-02-03T04:05:06",
                "orientation": 1,
                "exposure": { "iso": 64.0 },
                "place": { "latitude": -33.8568, "longitude": -70.5, "altitude": -12.0 },
                "description": "In EXIF",
                "creator": ["Only Exif"],
            }),
        ),
        (
            "said-xmp.png",
            json!({
                "taken": "2020-01-02T03:04:05+01:00",
                "orientation": 1,
                "title": "PNG",
                "creator": ["Solo"],
            }),
        ),
    ] {
        let mut found = said(sample(name), ReadMetadata::new().place()).await;
        if let Some(latitude) = found.pointer_mut("/place/latitude") {
            *latitude = json!((latitude.as_f64().unwrap() * 1e5).round() / 1e5);
        }
        assert_eq!(found, wanted, "{name}");
    }
    let of_photo = said(photo("spaniels.jpg"), ReadMetadata::new()).await;
    let wanted = json!({
        "camera": { "make": "Example", "model": "Camera 1" },
        "orientation": 6,
        "copyright": "Aitzol Berasategi, CC BY 4.0",
    });
    assert_eq!(of_photo, wanted);
}
