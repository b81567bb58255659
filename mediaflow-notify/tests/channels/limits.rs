//! What is too long is cut, and stays what its service takes.

use mediaflow_core::event::EventData;
use mediaflow_core::notify::Message;
use mediaflow_core::testing::WebhookReceiver;
use serde_json::Value;

use crate::common::{all, failed, json_of, send, text_of};

pub(crate) fn long() -> Message {
    let mut event = failed(&"x<&*".repeat(20_000));
    if let EventData::Job(report) = &mut event.data {
        let failure = report.failure.as_mut().unwrap();
        failure.message = "\u{1F4F7}<b>".repeat(20_000);
        failure.facts = (0..300).map(|n| (format!("fact {n}"), "<*>".repeat(2000))).collect();
    }
    Message::of(event)
}

fn count(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

#[tokio::test]
async fn what_is_long_is_cut_to_what_the_service_takes() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let digest = || {
        let events = (0..500).map(|n| failed(&format!("{n}-{}", "y".repeat(300))));
        Message::digest(failed("a").id.into(), failed("a"), events)
    };
    for message in [long(), digest()] {
        for case in all(&receiver) {
            let (result, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
            let name = case.name;
            result.unwrap_or_else(|e| panic!("{name}: {e}"));
            let size = received.body.len();
            match name {
                "slack" | "slack bot" => {
                    let body = json_of(&received);
                    let blocks = body["blocks"].as_array().unwrap();
                    assert!(blocks.len() <= 50 && count(&blocks[0]["text"]["text"]) <= 150);
                    for block in blocks {
                        assert!(count(&block["text"]["text"]) <= 3000);
                        let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
                        assert!(fields.len() <= 10);
                        assert!(fields.iter().all(|field| count(&field["text"]) <= 2000));
                    }
                }
                "discord" => {
                    let embed = &json_of(&received)["embeds"][0];
                    let fields = embed["fields"].as_array().unwrap();
                    assert!(fields.len() <= 25 && count(&embed["title"]) <= 256);
                    let of_fields: usize =
                        fields.iter().map(|f| count(&f["name"]) + count(&f["value"])).sum();
                    let all = count(&embed["title"]) + count(&embed["description"]) + of_fields;
                    assert!(all <= 6000, "{all}");
                }
                "teams" => assert!(size <= 21_000, "{size}"),
                "telegram" => {
                    let text = json_of(&received)["text"].as_str().unwrap().to_owned();
                    let read = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                    let read = read.replace("<b>", "").replace("</b>", "");
                    assert!(read.chars().count() <= 4096, "{}", read.chars().count());
                    assert_eq!(text.matches("<b>").count(), text.matches("</b>").count());
                }
                "google-chat" => assert!(size <= 32_000, "{size}"),
                "mattermost" => assert!(count(&json_of(&received)["text"]) <= 4000),
                "ntfy" => {
                    let body = json_of(&received);
                    assert!(body["message"].as_str().unwrap().len() <= 4096);
                    assert!(count(&body["title"]) <= 200);
                }
                "pushover" => assert!(text_of(&received).len() <= 25_000, "{size}"),
                "courier" => assert!(size <= 256 << 10, "{size}"),
                "apns" => assert!(size <= 4096, "{size}"),
                "sns" => assert!(text_of(&received).contains("Subject="), "{size}"),
                "ses" => assert!(size <= 300_000, "{size}"),
                _ => unreachable!("{name} has no limit here"),
            }
        }
    }
}
