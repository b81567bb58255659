//! What a pipeline promises of its graph: inputs are counted, media fit, a failure takes along what hangs on it and nothing
//! else, and what is described is what a step gets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

#[path = "graph/operations.rs"]
mod operations;

use std::time::Duration;

use mediaflow::prelude::*;
use mediaflow::report::{JobState, OutputState, Report};
use mediaflow::{Color, ops};
use operations::{AsDescribed, Brightness, Copies, Plain, Scan};

async fn host(folder: &tempfile::TempDir) -> Mediaflow {
    let uploads = folder.path().join("uploads");
    std::fs::create_dir_all(&uploads).unwrap();
    for name in ["coffee.png", "logo.png", "spaniels.jpg"] {
        let photo =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media").join(name);
        std::fs::copy(photo, uploads.join(name)).unwrap();
    }
    std::fs::write(uploads.join("damaged.png"), b"\x89PNG\r\n\x1a\nand no more").unwrap();
    Mediaflow::builder()
        .storage("uploads", &format!("file:{}", uploads.display()))
        .storage("public", &format!("file:{}", folder.path().join("public").display()))
        .with(image::operations)
        .with(|registry| {
            registry.operation::<AsDescribed>().operation::<Scan>().operation::<Plain>();
            registry.operation::<Brightness>().operation::<Copies>();
        })
        .start()
        .await
        .unwrap()
}

async fn ended(media: &Mediaflow, pipeline: Pipeline) -> Report {
    let status = media.submit(pipeline).await.unwrap().ended().await.unwrap();
    *status.report.unwrap()
}

fn states(report: &Report) -> Vec<OutputState> {
    report.outputs.iter().map(|output| output.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_counted_at_submit() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let photo =
        Pipeline::from("uploads/coffee.png").output("public/a.png", |photo| photo.flip().png());
    let mut many = photo.build().unwrap();
    many.steps.get_mut("flip").unwrap().from = vec!["source".to_owned(); 60];
    let error = media.submit(many).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fact("step"), error.fact("op")),
        ("spec.inputs", Some("flip"), Some("flip"))
    );
    assert!(error.to_string().contains("takes 1 input, and was given 60"), "{error}");
    let alone = Pipeline::from("uploads/coffee.png")
        .output("public/a.png", |photo| photo.then(ops::Watermark::new()).png())
        .build();
    assert_eq!(alone.unwrap_err().code(), "spec.inputs");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_step_that_comes_first_gets_what_was_described() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    // Stored lying, shown upright.
    let described = AsDescribed { width: 2056, height: 3088 };
    let photo = Pipeline::from("uploads/spaniels.jpg")
        .output("public/a.jpg", |photo| {
            photo.then(described).resize((200, 300, Fit::Inside)).jpeg(80)
        })
        .build()
        .unwrap();
    let report = ended(&media, photo).await;
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);
    let source = report.source.unwrap().info;
    assert_eq!((source.width, source.height, source.stored_size()), (2056, 3088, (3088, 2056)));
    assert_eq!((report.outputs[0].width, report.outputs[0].height), (200, 300));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_for_one_step_leave_the_file_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let photo = Pipeline::from("uploads/coffee.png")
        .output("public/kept.png", |photo| photo)
        .output("public/scanned.png", |photo| photo.then(Scan {}))
        .output("public/effect.png", |photo| {
            photo.then(AsDescribed { width: 600, height: 400 }).png()
        })
        .output("public/small.png", |photo| photo.resize((60, 40, Fit::Inside)).png())
        .build()
        .unwrap();
    let report = ended(&media, photo).await;
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);
    assert_eq!(report.decodes, 1, "one decode for all who want pixels");
    let original = std::fs::read(folder.path().join("uploads/coffee.png")).unwrap();
    for copy in ["kept.png", "scanned.png"] {
        assert_eq!(std::fs::read(folder.path().join("public").join(copy)).unwrap(), original);
    }
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_cover_inputs_that_are_missing_or_damaged_and_steps_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    for mark in ["uploads/no-logo.png", "uploads/damaged.png"] {
        let photo = Pipeline::from("uploads/coffee.png")
            .output("public/plain.png", |photo| photo.flip().png())
            .output("public/marked.png", |photo| photo.flip().watermark(mark).or_skip().png())
            .output("public/either.png", |photo| {
                let plain = photo.flip();
                plain.clone().watermark(mark).or_else(plain).png()
            })
            .build()
            .unwrap();
        let report = ended(&media, photo).await;
        assert_eq!(report.state, JobState::Partial, "{mark}: {:?}", report.failure);
        let [either, marked, plain] = &report.outputs[..] else { panic!("{:?}", report.outputs) };
        assert_eq!((either.sha256.as_str(), either.state), (plain.sha256.as_str(), plain.state));
        assert_eq!(marked.state, OutputState::Failed);
        assert!(marked.failure.is_some(), "{mark}: an output that failed says why");
    }
    // A healthy step that only feeds one that can not be done.
    let alone = Pipeline::from("uploads/coffee.png")
        .output("public/marked.png", |photo| {
            let small = photo.resize((60, 40, Fit::Inside));
            small.clone().flip().watermark("uploads/no-logo.png").or_else(small).png()
        })
        .build()
        .unwrap();
    let report = ended(&media, alone).await;
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);

    let photo = Pipeline::from("uploads/coffee.png")
        .output("public/part.png", |photo| photo.flip().crop(500, 0, 500, 10).or_skip().png())
        .output("public/whole.png", |photo| photo.png())
        .build()
        .unwrap();
    let report = ended(&media, photo).await;
    assert_eq!(
        (report.state, states(&report)),
        (JobState::Partial, vec![OutputState::Failed, OutputState::Published])
    );
    assert_eq!(report.outputs[0].failure.as_ref().unwrap().code, "op.crop");

    let strict = Pipeline::from("uploads/coffee.png")
        .output("public/marked.png", |photo| photo.watermark("uploads/no-logo.png").png())
        .build()
        .unwrap();
    let error = media.submit(strict).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_which_nothing_is_left_has_failed_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let photo = Pipeline::from("uploads/coffee.png")
        .output("public/part.png", |photo| photo.flip().crop(500, 0, 500, 10).or_skip().png())
        .build()
        .unwrap();
    let job = media.submit(photo).await.unwrap();
    assert_eq!(job.done().await.unwrap_err().code(), "op.crop");
    let report = job.status().await.unwrap().report.unwrap();
    assert_eq!((report.state, states(&report)), (JobState::Failed, vec![OutputState::Failed]));
    assert_eq!(report.failure.unwrap().code, "op.crop");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_for_one_thing_and_media_fit() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let photo = |make: fn(Chain) -> Chain| {
        Pipeline::from("uploads/coffee.png").output("public/a.png", make).build().unwrap()
    };
    let mut twice = photo(|photo| photo.watermark("uploads/logo.png").png());
    twice.inputs.insert("png".to_owned(), "uploads/logo.png".into());
    assert_eq!(media.submit(twice).await.unwrap_err().code(), "spec.name");

    let onto_itself =
        Pipeline::from("uploads/coffee.png").output("uploads/coffee.png", |photo| photo.png());
    let error = media.submit(onto_itself.build().unwrap()).await.unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("spec.in_place", Some("uploads/coffee.png")));

    let error = media.submit(photo(|photo| photo.trim(0.0, 1.0).png())).await.unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("plan.unclaimed", Some("trim")));
    let error = media.submit(photo(|photo| photo.jpeg(80).trim(0.0, 1.0))).await.unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("plan.medium", Some("trim")));
    assert!(
        error.to_string().contains("`trim` is for video, audio, animation, not for still"),
        "{error}"
    );
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_can_begin_with_what_is_generated() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let card = Pipeline::generate()
        .output("public/card.png", |_| {
            let plain = Chain::generate(Plain { color: Color::rgb(10, 20, 30) });
            plain.resize((16, 12, Fit::Fill)).png()
        })
        .build()
        .unwrap();
    let json = serde_json::to_value(&card).unwrap();
    assert!(
        json.get("source").is_none() && json["steps"]["plain"]["from"] == serde_json::json!([])
    );
    let report = ended(&media, card).await;
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);
    assert_eq!((report.outputs[0].width, report.outputs[0].height), (16, 12));
    let marked = Pipeline::from("uploads/coffee.png")
        .output("public/marked.png", |photo| {
            let mark = Chain::generate(Plain { color: Color::WHITE });
            photo.then_with(ops::Watermark::new(), [mark]).png()
        })
        .build()
        .unwrap();
    assert_eq!(ended(&media, marked).await.state, JobState::Succeeded);
    let nothing = Pipeline::generate().output("public/x.png", |photo| photo).build();
    assert_eq!(nothing.unwrap_err().code(), "spec.reference");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_stand_in_the_report_and_in_the_event_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let plain = |_| Chain::generate(Plain { color: Color::rgb(10, 10, 40) });
    let both = Pipeline::from("uploads/coffee.png")
        .output("public/small.png", |photo| photo.resize((60, 40, Fit::Inside)).png())
        .fact("brightness", |photo| {
            photo.resize((60, 40, Fit::Inside)).then(Brightness { most: 60 })
        })
        .fact("plain", move |_| plain(()).then(Brightness { most: 60 }))
        .build()
        .unwrap();
    let mut events = media.follow(mediaflow::inspect::EventFilter::new(), None);
    let report = ended(&media, both).await;
    assert_eq!((report.state, report.outputs.len(), report.decodes), (JobState::Succeeded, 1, 1));
    assert_eq!(report.facts["plain"], serde_json::json!({ "mean": 20 }));
    assert!((1..255).contains(&report.facts["brightness"]["mean"].as_u64().unwrap()));
    let told = loop {
        let followed = futures_util::StreamExt::next(&mut events).await.unwrap().unwrap();
        if let mediaflow::event::EventData::Job(told) = &followed.event.data {
            break told.facts.clone();
        }
    };
    assert_eq!(told, report.facts);

    let only = Pipeline::from("uploads/coffee.png")
        .fact("small", |photo| photo.then(Brightness { most: 60 }).or_skip())
        .fact("large", |photo| photo.then(Brightness { most: 6000 }))
        .build()
        .unwrap();
    let report = ended(&media, only).await;
    assert_eq!(report.state, JobState::Partial, "{:?}", report.failure);
    assert_eq!(report.facts.keys().collect::<Vec<_>>(), ["large"]);
    assert_eq!(report.facts_failed["small"].code, "test.large");
    let none = Pipeline::from("uploads/coffee.png")
        .fact("small", |photo| photo.then(Brightness { most: 60 }).or_skip())
        .build();
    let error = media.submit(none.unwrap()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "test.large", "of which nothing is left, it has failed");

    let wrong =
        Pipeline::from("uploads/coffee.png").fact("x", |photo| photo.png()).build().unwrap();
    let error = media.submit(wrong).await.unwrap().done().await.unwrap_err();
    assert_eq!((error.code(), error.fact("fact")), ("media.no_facts", Some("x")));
    let kept = Pipeline::from("uploads/coffee.png")
        .output("public/x", |photo| photo.then(Brightness { most: 6000 }))
        .build();
    let error = media.submit(kept.unwrap()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "media.facts");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_kept_by_a_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let copies = |place: &str, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let job = Pipeline::from("uploads/logo.png");
        job.output(place, |logo| logo.then(Copies { names })).build().unwrap()
    };
    let names = ["a/one.png", "two.png", "main.png"];
    let report = ended(&media, copies("public/by-name/{name}", &names)).await;
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);
    let [output] = &report.outputs[..] else { panic!("{:?}", report.outputs) };
    let original = std::fs::read(folder.path().join("uploads/logo.png")).unwrap();
    let places: Vec<_> = output.files.iter().map(|file| file.output.as_str()).collect();
    assert_eq!(
        places,
        ["public/by-name/a/one.png", "public/by-name/two.png", "public/by-name/main.png"],
        "the main one last"
    );
    assert_eq!(
        (output.output.as_str(), output.bytes),
        ("public/by-name/{name}", 3 * original.len() as u64)
    );
    for file in &output.files {
        assert_eq!((file.state, file.sha256.len()), (OutputState::Published, 64));
        assert_eq!(std::fs::read(folder.path().join(&file.output)).unwrap(), original);
    }
    let report = ended(&media, copies("public/p-{page:03}.png", &names)).await;
    let places: Vec<_> = report.outputs[0].files.iter().map(|file| file.output.as_str()).collect();
    assert_eq!(places, ["public/p-001.png", "public/p-002.png", "public/p-003.png"]);

    let fails = async |place: &str, names: &[&str]| {
        let job = media.submit(copies(place, names)).await.unwrap();
        job.done().await.unwrap_err().code().to_owned()
    };
    assert_eq!(fails("public/one.png", &["a.png", "b.png"]).await, "output.pattern");
    assert_eq!(fails("public/x/{name}", &["../../a.png"]).await, "storage.key");
    assert_eq!(fails("public/x/{name}", &[]).await, "verify.empty");
    assert_eq!(fails("public/x/{name}", &["a.png", "a.png"]).await, "bundle.name");
    assert!(!folder.path().join("public/x").exists(), "nothing of what failed is there");
    let meets = Pipeline::from("uploads/logo.png")
        .output("public/y/a.png", |logo| logo)
        .output("public/y/{name}", |logo| logo.then(Copies { names: vec!["a.png".to_owned()] }))
        .build();
    let error = media.submit(meets.unwrap()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "output.pattern", "two files at one place");
    let one = Pipeline::from("uploads/logo.png").output("public/{name}", |logo| logo).build();
    let error = media.submit(one.unwrap()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "output.pattern");
    let typo = Pipeline::from("uploads/logo.png").output("public/{other}", |logo| logo).build();
    assert_eq!(typo.unwrap_err().code(), "output.pattern");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn specs_with_the_words_of_before_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let media = host(&folder).await;
    let words = |prefix: &str, place: &str| {
        let op = |verb: &str| format!("{prefix}{verb}");
        serde_json::from_value::<Pipeline>(serde_json::json!({
            "source": "uploads/spaniels.jpg",
            "inputs": { "logo": "uploads/logo.png" },
            "steps": {
                "upright": { "op": op("auto_orient"), "from": ["source"] },
                "small": { "op": op("resize"), "from": ["upright"], "with": { "width": 300, "height": 300, "fit": "contain", "background": "#204060" } },
                "turned": { "op": op("rotate"), "from": ["small"], "with": { "angle": 12.0, "background": "white" } },
                "cut": { "op": op("crop"), "from": ["turned"], "with": { "left": 5, "top": 5, "width": 250, "height": 250 } },
                "mirrored": { "op": op("flop"), "from": ["cut"] },
                "marked": { "op": op("watermark"), "from": ["mirrored", "logo"], "with": { "scale": 0.25 } },
                "grey": { "op": op("grayscale"), "from": ["marked"] },
                "inverse": { "op": op("invert"), "from": ["grey"] },
                "out": { "op": op("jpeg"), "from": ["inverse"], "with": { "quality": 82 } },
            },
            "outputs": { place: { "from": "out" } },
        }))
        .unwrap()
    };
    let before = ended(&media, words("image.", "public/before.jpg")).await;
    let now = ended(&media, words("", "public/now.jpg")).await;
    assert_eq!(
        (before.state, now.state),
        (JobState::Succeeded, JobState::Succeeded),
        "{:?}",
        before.failure
    );
    assert_eq!(before.outputs[0].sha256, now.outputs[0].sha256);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
