//! What is asked of a host, and what it makes of it.

use super::*;

#[tokio::test]
async fn what_a_job_requires_is_found_out_and_not_believed() {
    let executor = Host::new().await.executor(MemoryStorage::new());
    let honest = spec("x", 1);
    let mut asked = honest.clone();
    for lie in [vec![], vec!["acme.gpu@9".to_owned(), "storage:elsewhere".into()]] {
        asked.requires = lie;
        assert_eq!(executor.check(asked.clone()).unwrap(), honest);
    }
}

#[test]
fn a_spec_is_shown_without_its_secrets() {
    let json = serde_json::json!({
        "schema": "mediaflow.job/1", "kind": "pipeline", "v": 1,
        "with": {
            "source": "HTTPS://user:s3cret@host.example/a.jpg?X-Amz-Signature=s3cret",
            "inputs": { "logo": "ftp://user:s3cret@host.example/a.jpg", "dot": "data:;base64,s3cret" },
            "outputs": { "out/a.jpg": { "from": "source" } }
        },
        "options": { "notify": [{ "channel": "hook", "to": "https://hooks.example/s3cret" }] }
    });
    let spec = JobSpec::from_json(&json.to_string()).unwrap();
    let pipeline = Pipeline::deserialize(&spec.with).unwrap();
    let shown = format!("{spec:?} {pipeline:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("host.example/a.jpg") && shown.contains("hook"), "{shown}");

    let wrong = [
        r#"{ "schema": "mediaflow.job/1", "kind": "x", "v": "https://user:s3cret@host/?s3cret", "with": {} }"#,
        r#"{ "schema": "mediaflow.job/1", "kind": "x", "v": 1, "with": {}, "options": { "notify": "https://s3cret@h/?s3cret" } }"#,
        r#"{ "schema": "mediaflow.job/1", "kind": "x", "v": 1, "with": {}, "https://s3cret@host/": 1 }"#,
    ];
    for json in wrong {
        let error = JobSpec::from_json(json).unwrap_err();
        assert_eq!(error.code(), "spec.json");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
    let mut place = pipeline;
    place.outputs.insert(
        "ftp://user:s3cret@host/a.jpg".into(),
        crate::spec::OutputSpec::from_step("source"),
    );
    place.inputs.clear();
    let error = place.validate(&Limits::default()).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}
