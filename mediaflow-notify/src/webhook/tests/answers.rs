//! What a receiver answers, and what follows from it.

use super::*;

#[tokio::test]
async fn the_answer_decides_what_follows() {
    let mut receiver = receiver().await;
    let seven = Some(Duration::from_secs(7));
    let cases = [
        (301, "Retryable"),
        (302, "Retryable"),
        (307, "Retryable"),
        (400, "Retryable"),
        (401, "Auth"),
        (403, "Auth"),
        (404, "Retryable"),
        (405, "Retryable"),
        (408, "Retryable"),
        (409, "Retryable"),
        (410, "Gone"),
        (413, "Retryable"),
        (422, "Retryable"),
        (425, "Retryable"),
        (429, "Throttled"),
        (500, "Retryable"),
        (502, "Throttled"),
        (503, "Retryable"),
        (504, "Throttled"),
    ];
    for (status, expected) in cases {
        let reply = Reply::status(status)
            .header("retry-after", "7")
            .header("location", "http://169.254.169.254/");
        receiver.answer([reply.body("Cannot POST /hook?token=t0ken")]);
        let error = deliver(hook(&receiver), &completed()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
        assert!(error.reason().starts_with(&format!("the receiver answered {status}")));
        assert!(!error.reason().contains("POST"), "{error}");
        if matches!(expected, "Retryable" | "Throttled") {
            assert_eq!(error.after(), seven, "{status}");
        }
        receiver.next().await.unwrap();
    }
    assert!(receiver.try_next().is_none(), "one request each, and no redirect was followed");
}

#[tokio::test]
async fn a_receiver_can_end_one_message() {
    let receiver = receiver().await;
    for status in [404, 410, 500] {
        receiver.answer([Reply::status(status).header("webhook-delivery", "abort-message")]);
        let error = deliver(hook(&receiver), &completed()).await.unwrap_err();
        assert!(matches!(error, NotifyError::Rejected { .. }), "{status}: {error:?}");
    }
    receiver.answer([Reply::status(204).header("webhook-delivery", "abort-message")]);
    assert_eq!(deliver(hook(&receiver), &completed()).await.unwrap().status, Some(204));
}

#[tokio::test]
async fn the_answer_is_noted_for_the_log() {
    let mut receiver = receiver().await;
    let (message, hook) = (Message::of(completed()), hook(&receiver).build().unwrap());
    for (status, body, kept) in [
        (200, "thanks".to_owned(), 6),
        (200, "y".repeat(30_000), 20_000),
        (500, "y".repeat(30_000), 20_000),
    ] {
        receiver.answer([Reply::status(status).body(body)]);
        let cx = DeliveryContext::first(NOW);
        assert_eq!(hook.notify(&message, &cx).await.is_ok(), status == 200);
        let answer = cx.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, kept));
        receiver.next().await.unwrap();
    }
    receiver.stop().await;
    let cx = DeliveryContext::first(NOW);
    hook.notify(&message, &cx).await.unwrap_err();
    assert_eq!(cx.answer(), None);
}
