//! A file that is called so that it harms whoever reads of it.

use mediaflow_core::notify::{DeliveryContext, Message};
use mediaflow_core::testing::{Reply, WebhookReceiver};

use crate::common::{CANARY, NOW, all, failed, json_of, send, text_of};
use crate::trace::{Trace, logged};

pub(crate) const HOSTILE: &str =
    "<!channel> @everyone [x](javascript:1) {{ 7*7 }} \r\nBcc: a@b \u{202e}gpj.exe";

#[tokio::test]
async fn a_name_harms_no_channel() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for case in all(&receiver) {
        let message = Message::of(failed(HOSTILE));
        let (result, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
        result.unwrap();
        let (name, text) = (case.name, text_of(&received));
        let read = text.replace('\\', "").replace("%2A", "*");
        assert!(
            name == "ses" || read.contains("7*7"),
            "{name} renders what a file is called: {text}"
        );
        assert!(!text.contains('\u{202e}') && !text.contains("\\u202e"), "{name}: {text}");
        assert!(!text.contains("\\r") && !text.contains("\r"), "{name}: {text}");
        match name {
            "slack" | "slack bot" => {
                let body = json_of(&received);
                assert!(body["text"].as_str().unwrap().contains("&lt;!channel&gt;"));
                assert_eq!(body["blocks"][0]["text"]["type"], "plain_text");
            }
            "discord" => {
                let body = json_of(&received);
                assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
                let title = body["embeds"][0]["title"].as_str().unwrap().to_owned();
                assert!(title.contains("\\[x\\]\\(javascript"), "{title}");
            }
            "teams" => {
                let block = &json_of(&received)["attachments"][0]["content"]["body"][0];
                assert_eq!(block["type"], "RichTextBlock");
            }
            "telegram" | "google-chat" => {
                assert!(!text.replace("<!channel>", "").is_empty());
                let body = json_of(&received);
                let shown = if name == "telegram" {
                    body["text"].clone()
                } else {
                    body["cardsV2"][0]["card"]["sections"].clone()
                };
                assert!(!shown.to_string().contains("<!channel"), "{name}: {shown}");
            }
            "mattermost" => {
                let shown = json_of(&received)["text"].as_str().unwrap().to_owned();
                assert!(!shown.contains("@everyone") && shown.contains("\\[x\\]\\(javascript"));
            }
            // Plain text, in which nothing is markup.
            _ => {}
        }
    }
}

#[tokio::test]
async fn secrets_are_seen_by_the_service_only() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (trace, _guard) = Trace::begin();
    for case in all(&receiver) {
        let shown = format!("{:?} {:?}", case.notifier, case.notifier.own_address());
        assert!(!shown.contains(CANARY), "{}: {shown}", case.name);
        for status in [200, 302, 400, 401, 403, 404, 410, 413, 429, 500, 503] {
            let echo = Reply::status(status)
                .body(format!("{{\"error\":\"no {CANARY}\",\"description\":\"{CANARY}\"}}"));
            receiver.answer([echo]);
            let cx = DeliveryContext::first(NOW);
            let result = case.notifier.notify(&Message::of(failed("cat.jpg")), &cx).await;
            let received = receiver.next().await.unwrap();
            let kept = cx.answer().map(|answer| answer.body).unwrap_or_default();
            let address = case.notifier.own_address().unwrap();
            // A secret that signs is told to nobody, and can not come back.
            let signs = matches!(case.name, "sns" | "ses" | "apns");
            assert!(signs || !address.redact(&kept).contains(CANARY), "{}: {kept}", case.name);
            if let Err(error) = result {
                let shown = format!("{error:?} {error}");
                assert!(!shown.contains(CANARY), "{} on {status}: {shown}", case.name);
            }
            let seen = format!("{} {:?} {}", received.path, received.headers, text_of(&received));
            assert_eq!(seen.contains(CANARY), !signs, "{}: what the service is told", case.name);
        }
    }
    let log = logged();
    assert!(log.contains("starting new connection"), "the client was listened to");
    for said in [trace.text(), log] {
        let line = said.lines().find(|line| line.contains(CANARY));
        assert_eq!(line, None, "what is traced and logged");
    }
}
