use mediaflow_remote::tencent::{Signer, TencentEvent, pulled};
use mediaflow_remote::{RemoteState, Tencent};
use serde_json::{Value, json};

use super::common::{SECONDS, Sent};

const KEY: &str = "Xz4ZgayTr7rMgWQrH";

pub(crate) fn receiver() -> Tencent {
    Tencent::new(KEY).unwrap()
}

pub(crate) fn sent(body: &Value) -> Sent {
    until(body, SECONDS + 600)
}

fn until(body: &Value, t: u64) -> Sent {
    let mut body = body.clone();
    body["Sign"] = Signer::new(KEY).unwrap().sign(t).into();
    body["T"] = t.into();
    Sent::new(&[], body.to_string())
}

pub(crate) fn changed() -> Value {
    json!({
        "EventType": "ProcedureStateChanged",
        "ProcedureStateChangeEvent": {
            "TaskId": "1256768367-Procedure-2e1af2456351812be963e309cc133403t0", "Status": "FINISH", "ErrCode": 0,
            "Message": "", "FileId": "5285890784246869930", "FileName": "cat.mov", "SessionContext": "album-7",
            "MediaProcessResultSet": [
                { "Type": "Transcode", "TranscodeTask": { "Status": "SUCCESS", "ErrCode": 0, "ErrCodeExt": "",
                  "Message": "SUCCESS", "Input": { "Definition": 100_010 },
                  "Output": { "Url": "http://1256768367.vod2.myqcloud.com/a/f100010.mp4", "Size": 372_613, "Container": "mp4",
                              "Width": 640, "Height": 360, "Bitrate": 581_000, "Duration": 5.13,
                              "Md5": "7f106918e02a69466afa0ee014174143", "Definition": 100_010 } } },
                { "Type": "Transcode", "TranscodeTask": { "Status": "FAIL", "ErrCode": 60_000,
                  "ErrCodeExt": "InvalidParameterValue.Definition", "Message": "no such template",
                  "Input": { "Definition": 100_020 } } },
            ],
        },
    })
}

#[tokio::test]
async fn both_events_are_read() {
    let update = sent(&changed()).update(&receiver()).await;
    assert_eq!(update.key(), "tencent/1256768367-Procedure-2e1af2456351812be963e309cc133403t0");
    assert_eq!((update.state, update.hint), (RemoteState::Finished, true));
    assert_eq!(update.pass_through.as_str(), Some("album-7"));
    let [made, failed] = update.outputs.as_slice() else { panic!("two outputs") };
    assert_eq!((made.id.as_deref(), made.duration_ms), (Some("100010"), Some(5130)));
    assert_eq!((made.width, made.bytes), (Some(640), Some(372_613)));
    assert_eq!(failed.error.as_ref().unwrap().code, "InvalidParameterValue.Definition");

    let upload = json!({
        "EventType": "NewFileUpload",
        "FileUploadEvent": { "FileId": "5285890784246869930", "ProcedureTaskId": "", "MediaBasicInfo": {
            "Name": "cat", "Type": "mp4", "MediaUrl": "http://125676836723.vod2.myqcloud.com/cat.mp4",
            "SourceInfo": { "SourceType": "Upload", "SourceContext": "user-7" } } },
    });
    let message = sent(&upload).to(&receiver()).await.unwrap().message;
    let TencentEvent::Upload(upload) = message else { panic!("{message:?}") };
    assert_eq!((upload.file_id.as_str(), upload.task_id), ("5285890784246869930", None));
    assert_eq!(upload.source_context.as_deref(), Some("user-7"));
    let other = json!({ "EventType": "FileDeleted", "FileDeleteEvent": {} });
    let message = sent(&other).to(&receiver()).await.unwrap().message;
    assert!(matches!(message, TencentEvent::Other(kind, _) if kind == "FileDeleted"));
}

#[tokio::test]
async fn a_task_of_which_nothing_is_left_has_failed() {
    let mut body = changed();
    let event = &mut body["ProcedureStateChangeEvent"];
    event["MediaProcessResultSet"].as_array_mut().unwrap().remove(0);
    let update = sent(&body).update(&receiver()).await;
    assert_eq!(update.state, RemoteState::Failed);
    assert_eq!(update.error.unwrap().message, "no such template");
    let mut body = changed();
    let event = &mut body["ProcedureStateChangeEvent"];
    (event["MediaProcessResultSet"], event["ErrCode"]) = (json!([]), json!(70_000));
    event["Message"] = "download failed".into();
    let error = sent(&body).update(&receiver()).await.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("70000", "download failed"));
    let mut body = changed();
    body["ProcedureStateChangeEvent"]["Status"] = "PROCESSING".into();
    assert_eq!(sent(&body).update(&receiver()).await.state, RemoteState::Processing);
}

#[tokio::test]
async fn what_is_forged_does_not_stand_in_for_what_is_true() {
    let (one, again) = (until(&changed(), SECONDS + 600), until(&changed(), SECONDS + 630));
    let key = one.replay_key(&receiver()).await;
    assert_eq!(key, again.replay_key(&receiver()).await, "sent again, signed anew");
    // `Sign` and `T` of the one fit every body. It is taken, as a hint, and under a name of its own.
    let mut forged = changed();
    let event = &mut forged["ProcedureStateChangeEvent"];
    event["MediaProcessResultSet"][0]["TranscodeTask"]["Output"]["Url"] =
        "https://evil.example/".into();
    let forged = sent(&forged);
    assert!(forged.update(&receiver()).await.hint);
    assert_ne!(key, forged.replay_key(&receiver()).await);
}

#[tokio::test]
async fn what_is_not_signed_or_not_valid_now_is_refused() {
    let vector = Signer::new(KEY).unwrap();
    assert!(vector.fits("a2dabb362a9b811c0e26953a6276a41c", "1588040109"));
    let whole = sent(&changed());
    whole.clone().at(SECONDS + 660).to(&receiver()).await.unwrap();
    whole.clone().at(SECONDS - 60).to(&receiver()).await.unwrap();
    for now in [SECONDS + 661, SECONDS - 61] {
        assert_eq!(whole.clone().at(now).refusal(&receiver()).await, "webhook.timestamp");
    }
    let unsigned = Sent::new(&[], changed().to_string());
    assert_eq!(unsigned.refusal(&receiver()).await, "webhook.signature");
    let other = Tencent::new("other").unwrap();
    assert_eq!(whole.refusal(&other).await, "webhook.signature");
    whole.to(&other.also(KEY).unwrap()).await.unwrap();
    let mut text: Value = serde_json::from_slice(&whole.body).unwrap();
    text["T"] = text["T"].to_string().into();
    whole.clone().with_body(text.to_string()).to(&receiver()).await.unwrap();
    for t in [json!(""), json!(-1), json!("1e9"), json!(1.5), json!("9999999999999999999999")] {
        text["T"] = t.clone();
        let code = whole.clone().with_body(text.to_string()).refusal(&receiver()).await;
        assert!(["webhook.timestamp", "webhook.signature"].contains(&code.as_str()), "{t}: {code}");
    }
}

#[test]
fn what_is_pulled_is_no_hint() {
    let mut event = changed();
    event["EventHandle"] = "handle-1".into();
    event["FileUploadEvent"] = Value::Null;
    let answer = json!({ "Response": { "EventSet": [event], "RequestId": "r" } });
    let events = pulled(answer.to_string().as_bytes()).unwrap();
    let [one] = events.as_slice() else { panic!("one event") };
    assert_eq!(one.handle, "handle-1");
    assert!(matches!(&one.event, TencentEvent::Procedure(update) if !update.hint));
    let none = json!({ "Response": { "EventSet": null, "RequestId": "r" } });
    assert!(pulled(none.to_string().as_bytes()).unwrap().is_empty());
    let failed = json!({ "Response": { "Error": { "Code": "AuthFailure", "Message": "no" }, "RequestId": "r" } });
    let error = pulled(failed.to_string().as_bytes()).unwrap_err();
    assert_eq!((error.code(), error.fact("code")), ("remote.body", Some("AuthFailure")));
    assert_eq!(pulled(b"{}").unwrap_err().code(), "remote.body");
}
