//! Several messages in one request.

use std::sync::Arc;

use mediaflow_core::notify::{DeliveryContext, Message, Receipt};
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_core::{Notifier, NotifyError};
use serde_json::json;

use crate::common::{NOW, TOPIC, all, failed, text_of};
use crate::pages::form;

fn sns(receiver: &WebhookReceiver) -> Arc<dyn Notifier> {
    all(receiver).into_iter().find(|case| case.name == "sns").unwrap().notifier
}

async fn send(
    notifier: &Arc<dyn Notifier>,
    messages: &[Message],
) -> (Vec<Result<Receipt, NotifyError>>, Vec<DeliveryContext>) {
    let contexts: Vec<_> = messages.iter().map(|_| DeliveryContext::first(NOW)).collect();
    let both: Vec<_> = messages.iter().zip(&contexts).collect();
    (notifier.notify_all(&both).await, contexts)
}

fn answer(members: &str) -> Reply {
    Reply::status(200).body(format!(
        "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>{members}\
         </PublishBatchResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
    ))
}

#[tokio::test]
async fn each_message_of_a_request_has_its_own_end() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let topic = sns(&receiver);
    assert_eq!(topic.terms().batch, 10);
    let names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"];
    let messages = names.map(|name| Message::of(failed(name)));
    receiver.answer([answer(
        "<Successful><member><MessageId>s-4</MessageId><Id>4</Id><SequenceNumber>10</SequenceNumber></member>\
         <member><Id>1</Id><MessageId>s-1</MessageId></member></Successful>\
         <Failed><member><Code>InvalidParameter</Code><Message>Invalid parameter: Message Reason: no</Message><Id>2</Id>\
         <SenderFault>true</SenderFault></member>\
         <member><Id>3</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member></Failed>",
    )]);
    let (results, contexts) = send(&topic, &messages).await;
    let [first, second, third, fourth, fifth] = &results[..] else { panic!("{results:?}") };
    let name = |result: &Result<Receipt, NotifyError>| result.clone().unwrap().provider_id.unwrap();
    assert_eq!((name(first), name(fourth)), ("s-1".into(), "s-4".into()));
    assert!(matches!(second, Err(NotifyError::Rejected { .. })), "{second:?}");
    assert!(matches!(third, Err(NotifyError::Retryable { .. })), "{third:?}");
    assert!(matches!(fifth, Err(NotifyError::Ambiguous { .. })), "{fifth:?}");
    let answered: Vec<_> = contexts.iter().map(|cx| cx.answer().unwrap()).collect();
    assert_eq!([answered[0].status, answered[1].status, answered[2].status], [200, 400, 500]);
    assert!(answered[1].body.contains("Reason: no") && !answered[0].body.contains("Reason"));
    let asked = form(&text_of(&receiver.next().await.unwrap()));
    assert_eq!((&asked["Action"], &asked["TopicArn"]), (&json!("PublishBatch"), &json!(TOPIC)));
    for (number, message) in (1..).zip(&messages) {
        let field =
            |name: &str| &asked[format!("PublishBatchRequestEntries.member.{number}.{name}")];
        assert_eq!(*field("Id"), number.to_string());
        assert_eq!(*field("MessageDeduplicationId"), message.id.to_string());
        assert!(field("Message").as_str().unwrap().contains(names[number - 1]), "{number}");
        assert_eq!(*field("MessageAttributes.entry.1.Value.StringValue"), "job.failed");
        assert!(field("Subject").as_str().unwrap().starts_with(names[number - 1]));
    }
}

#[tokio::test]
async fn a_request_has_no_more_bytes_than_it_may() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let topic = sns(&receiver);
    let large = |bytes: usize| {
        let mut event = failed("cat.jpg");
        event.metadata.insert("notes".to_owned(), json!("x".repeat(bytes)));
        Message::of(event)
    };
    let messages = [large(120_000), large(120_000), large(10_000), large(250_000)];
    let good = "<PublishResponse><PublishResult><MessageId>s</MessageId></PublishResult></PublishResponse>";
    let two = "<Successful><member><Id>1</Id><MessageId>s</MessageId></member><member><Id>2</Id><MessageId>s</MessageId></member>\
               <member><Id>3</Id><MessageId>s</MessageId></member></Successful>";
    receiver.answer([answer(two), Reply::status(200).body(good)]);
    let (results, _) = send(&topic, &messages).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let requests = [receiver.next().await.unwrap(), receiver.next().await.unwrap()];
    let actions = requests.map(|request| {
        let fields = form(&text_of(&request));
        let said = |(name, value): (&String, &serde_json::Value)| {
            name.ends_with("Message").then(|| value.as_str().unwrap().len())
        };
        let bytes = fields.as_object().unwrap().iter().filter_map(said).sum::<usize>();
        assert!(bytes <= 256 << 10, "{bytes}");
        fields["Action"].clone()
    });
    assert_eq!(actions, ["PublishBatch", "Publish"]);
}

#[tokio::test]
async fn what_was_not_sent_is_told_as_that() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let topic = sns(&receiver);
    let large = || {
        let mut event = failed("cat.jpg");
        event.metadata.insert("notes".to_owned(), json!("x".repeat(200_000)));
        Message::of(event)
    };
    receiver.answer([Reply::status(403).body("<Error><Code>InvalidClientTokenId</Code></Error>")]);
    let (results, _) = send(&topic, &[large(), large()]).await;
    assert!(matches!(results[0], Err(NotifyError::Auth { .. })), "{results:?}");
    assert!(matches!(results[1], Err(NotifyError::Retryable { .. })), "{results:?}");
    receiver.next().await.unwrap();
    // As a whole.
    receiver.answer([Reply::status(400).body("<Error><Code>Throttled</Code></Error>")]);
    let messages = [Message::of(failed("a")), Message::of(failed("b"))];
    let (results, _) = send(&topic, &messages).await;
    assert!(
        results.iter().all(|result| matches!(result, Err(NotifyError::Throttled { .. }))),
        "{results:?}"
    );
    // Several addresses are no request.
    let other = topic.address("arn:aws:sns:eu-central-1:123456789012:other").unwrap();
    let messages = [Message::of(failed("a")), Message::of(failed("b")).to(Some(other))];
    let (results, _) = send(&topic, &messages).await;
    assert!(results.iter().all(|result| matches!(result, Err(NotifyError::Rejected { .. }))));
}
