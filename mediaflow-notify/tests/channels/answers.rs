//! What services' answers mean.

use mediaflow_core::NotifyError;
use mediaflow_core::notify::Message;
use mediaflow_core::testing::{Reply, WebhookReceiver};
use std::time::Duration;

use crate::common::{all, failed, send};

fn outcome(error: &NotifyError) -> &'static str {
    match error {
        NotifyError::Retryable { .. } => "again",
        NotifyError::Throttled { .. } => "throttled",
        NotifyError::Gone { .. } => "gone",
        NotifyError::Rejected { .. } => "rejected",
        NotifyError::Auth { .. } => "auth",
        NotifyError::Ambiguous { .. } => "ambiguous",
        NotifyError::TooLarge { .. } => "too large",
        _ => "something else",
    }
}

#[tokio::test]
async fn a_success_with_an_error_inside_is_an_error() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let cases = all(&receiver);
    for (name, status, body, meaning) in [
        ("slack", 404, "no_service", "gone"),
        ("slack", 400, "invalid_payload", "rejected"),
        ("slack", 500, "rollup_error", "again"),
        ("slack", 200, "<html>log in</html>", "again"),
        ("mattermost", 200, "<html>log in</html>", "again"),
        ("slack bot", 200, r#"{"ok":false,"error":"channel_not_found"}"#, "gone"),
        ("slack bot", 200, r#"{"ok":false,"error":"invalid_auth"}"#, "auth"),
        ("slack bot", 200, r#"{"ok":false,"error":"ratelimited"}"#, "throttled"),
        ("slack bot", 200, r#"{"ok":false,"error":"msg_too_long"}"#, "too large"),
        ("slack bot", 200, r#"{"ok":false,"error":"fatal_error"}"#, "again"),
        ("slack bot", 200, "<html>a proxy</html>", "again"),
        ("slack bot", 503, "", "again"),
        ("discord", 404, r#"{"code":10015}"#, "gone"),
        ("discord", 400, r#"{"code":50035}"#, "rejected"),
        ("telegram", 400, r#"{"ok":false,"description":"Bad Request: chat not found"}"#, "gone"),
        (
            "telegram",
            400,
            r#"{"ok":false,"description":"Bad Request: message is too long"}"#,
            "rejected",
        ),
        (
            "telegram",
            403,
            r#"{"ok":false,"description":"Forbidden: bot was blocked by the user"}"#,
            "gone",
        ),
        (
            "telegram",
            400,
            r#"{"ok":false,"description":"Bad Request: not enough rights to send text messages to the chat"}"#,
            "auth",
        ),
        ("telegram", 401, r#"{"ok":false,"description":"Unauthorized"}"#, "auth"),
        ("telegram", 200, r#"{"ok":false}"#, "again"),
        ("pushover", 400, r#"{"user":"invalid","status":0}"#, "gone"),
        ("pushover", 400, r#"{"token":"invalid","status":0}"#, "auth"),
        ("pushover", 400, r#"{"status":0,"errors":["message cannot be blank"]}"#, "rejected"),
        ("pushover", 200, r#"{"status":0}"#, "again"),
        ("pushover", 500, "", "again"),
        ("google-chat", 404, "", "gone"),
        ("mattermost", 404, "", "gone"),
        ("teams", 413, "", "too large"),
        ("teams", 429, "", "throttled"),
        ("ntfy", 413, "", "too large"),
        ("courier", 400, "", "rejected"),
        ("courier", 401, "", "auth"),
        ("courier", 503, "", "again"),
        (
            "sns",
            404,
            "<Error><Code>NotFound</Code><Message>Topic does not exist</Message></Error>",
            "gone",
        ),
        ("sns", 403, "<Error><Code>InvalidClientTokenId</Code></Error>", "auth"),
        ("sns", 400, "<Error><Code>Throttled</Code></Error>", "throttled"),
        (
            "sns",
            400,
            "<Error><Code>InvalidParameter</Code><Message>Message too long</Message></Error>",
            "too large",
        ),
        (
            "sns",
            400,
            "<Error><Code>InvalidParameter</Code><Message>Subject</Message></Error>",
            "rejected",
        ),
        ("sns", 500, "<Error><Code>InternalError</Code></Error>", "again"),
        ("ses", 500, "", "again"),
        ("apns", 410, r#"{"reason":"Unregistered","timestamp":1700000000000}"#, "gone"),
        ("apns", 410, r#"{"reason":"ExpiredToken"}"#, "gone"),
        ("apns", 400, r#"{"reason":"BadDeviceToken"}"#, "gone"),
        ("apns", 400, r#"{"reason":"DeviceTokenNotForTopic"}"#, "gone"),
        ("apns", 400, r#"{"reason":"BadCollapseId"}"#, "rejected"),
        ("apns", 400, r#"{"reason":"TopicDisallowed"}"#, "auth"),
        ("apns", 400, r#"{"reason":"SomethingNew"}"#, "again"),
        ("apns", 403, r#"{"reason":"ExpiredProviderToken"}"#, "auth"),
        ("apns", 403, r#"{"reason":"InvalidProviderToken"}"#, "auth"),
        ("apns", 403, r#"{"reason":"SomethingNew"}"#, "auth"),
        ("apns", 403, "", "auth"),
        ("apns", 413, r#"{"reason":"PayloadTooLarge"}"#, "too large"),
        ("apns", 413, "", "too large"),
        ("apns", 429, r#"{"reason":"TooManyRequests"}"#, "throttled"),
        ("apns", 429, r#"{"reason":"TooManyProviderTokenUpdates"}"#, "throttled"),
        ("apns", 500, r#"{"reason":"InternalServerError"}"#, "again"),
        ("apns", 503, r#"{"reason":"Shutdown"}"#, "again"),
        ("apns", 503, "", "again"),
        ("ses", 400, r#"{"message":"Email address is not verified."}"#, "auth"),
    ] {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let reply = Reply::status(status).body(body);
        let (result, _) = send(&mut receiver, case, &Message::of(failed("a.jpg")), reply).await;
        let error = result.expect_err(name);
        assert_eq!(outcome(&error), meaning, "{name}: {status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_service_that_asks_for_patience_gets_it() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for case in all(&receiver) {
        let reply = match case.name {
            "telegram" => Reply::status(429).body(r#"{"ok":false,"parameters":{"retry_after":7}}"#),
            _ => Reply::status(429).header("retry-after", "7"),
        };
        let (result, _) = send(&mut receiver, &case, &Message::of(failed("a.jpg")), reply).await;
        let error = result.expect_err(case.name);
        assert_eq!(error.after(), Some(Duration::from_secs(7)), "{}: {error:?}", case.name);
        assert_eq!(outcome(&error), "throttled", "{}", case.name);
    }
}

#[tokio::test]
async fn a_service_that_repeats_a_long_message_is_understood() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for (name, before) in [
        ("slack bot", r#"{"ok":true,"channel":"C0","ts":"1.2","message":{"text":""#),
        ("telegram", r#"{"ok":true,"result":{"message_id":7,"text":""#),
    ] {
        let case = all(&receiver).into_iter().find(|case| case.name == name).unwrap();
        let echo = format!("{before}{}\"}}}}", "x".repeat(30_000));
        let reply = Reply::status(200).body(echo);
        let (result, _) = send(&mut receiver, &case, &Message::of(failed("a.jpg")), reply).await;
        assert!(result.unwrap().provider_id.is_some(), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_to_be_read_is_no_failure() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for (name, before, id) in [
        ("slack bot", r#"{"ok":true,"channel":"C0","ts":"1.2","message":{"text":""#, "1.2"),
        ("telegram", r#"{ "ok": true, "result": {"message_id":7,"text":""#, "7"),
    ] {
        let case = all(&receiver).into_iter().find(|case| case.name == name).unwrap();
        let reply = Reply::status(200).body(format!("{before}{}", "x".repeat(100_000)));
        let (result, _) = send(&mut receiver, &case, &Message::of(failed("a.jpg")), reply).await;
        assert_eq!(result.unwrap().provider_id.as_deref(), Some(id), "{name}");
    }
}

#[tokio::test]
async fn discord_says_in_seconds_how_long_to_wait() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let case = all(&receiver).into_iter().find(|case| case.name == "discord").unwrap();
    let reply = Reply::status(429).header("retry-after", "1500");
    let reply = reply.header("x-ratelimit-reset-after", "1.5");
    let (result, _) = send(&mut receiver, &case, &Message::of(failed("a.jpg")), reply).await;
    assert_eq!(result.unwrap_err().after(), Some(Duration::from_millis(1500)));
}

#[tokio::test]
async fn a_picture_that_slack_can_not_load_loses_no_message() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for name in ["slack", "slack bot"] {
        let case = all(&receiver).into_iter().find(|case| case.name == name).unwrap();
        let refusal = match name {
            "slack" => Reply::status(400).body("invalid_blocks"),
            _ => Reply::status(200).body(r#"{"ok":false,"error":"invalid_blocks"}"#),
        };
        receiver.answer([refusal, case.good.clone()]);
        let cx = mediaflow_core::notify::DeliveryContext::first(crate::common::NOW);
        case.notifier.notify(&Message::of(crate::common::completed("a.jpg")), &cx).await.unwrap();
        let with = crate::common::text_of(&receiver.next().await.unwrap());
        let without = crate::common::text_of(&receiver.next().await.unwrap());
        assert!(with.contains("image_url") && !without.contains("image_url"), "{name}");
    }
}

#[tokio::test]
async fn a_token_is_told_to_its_own_server_only() {
    let (mut own, mut other) =
        (WebhookReceiver::start().await.unwrap(), WebhookReceiver::start().await.unwrap());
    let ntfy = mediaflow_notify::Ntfy::topic(own.url("/media")).token("tk_secret");
    let ntfy = ntfy.allow_private(&own.address()).allow_private(&other.address());
    let ntfy = mediaflow_core::notify::IntoNotifier::into_notifier(ntfy).unwrap();
    let cx = mediaflow_core::notify::DeliveryContext::first(crate::common::NOW);
    let elsewhere = ntfy.address(&other.url("/media")).unwrap();
    ntfy.notify(&Message::of(failed("a.jpg")), &cx).await.unwrap();
    ntfy.notify(&Message::of(failed("a.jpg")).to(Some(elsewhere)), &cx).await.unwrap();
    assert!(own.next().await.unwrap().header("authorization").is_some());
    assert_eq!(other.next().await.unwrap().header("authorization"), None);
}
