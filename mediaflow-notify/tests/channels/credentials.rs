//! Whose credentials a channel sends with, and what follows if they are refused.

use mediaflow_core::NotifyError;
use mediaflow_core::notify::{Credentials, Message};
use mediaflow_core::testing::{Reply, WebhookReceiver};

use crate::common::{all, failed, send};

#[tokio::test]
async fn a_channel_says_whose_credentials_it_sends_with() {
    let receiver = WebhookReceiver::start().await.unwrap();
    for case in all(&receiver) {
        let credentials = match case.name {
            "slack bot" | "telegram" | "pushover" | "courier" | "sns" | "ses" | "apns" => {
                Credentials::Host
            }
            "slack" | "discord" | "teams" | "google-chat" | "mattermost" | "ntfy" => {
                Credentials::Address
            }
            name => unreachable!("{name} has no credentials here"),
        };
        assert_eq!(case.notifier.terms().credentials, Some(credentials), "{}", case.name);
    }
}

/// A topic for which there is no right, and a recipient that is not verified, are no reason to tell nobody else.
#[tokio::test]
async fn an_address_that_is_closed_to_us_says_nothing_of_our_credentials() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for (name, address, answer) in [
        (
            "sns",
            "arn:aws:sns:eu-central-1:123456789012:other",
            "<Error><Code>AuthorizationError</Code></Error>",
        ),
        (
            "ses",
            "Bob <bob@example.com>",
            r#"{"message":"Email address is not verified. The following identities failed: bob@example.com"}"#,
        ),
    ] {
        let case = all(&receiver).into_iter().find(|case| case.name == name).unwrap();
        let reply = || Reply::status(403).body(answer);
        let to = case.notifier.address(address).unwrap();
        let message = Message::of(failed("a.jpg")).to(Some(to));
        let (result, _) = send(&mut receiver, &case, &message, reply()).await;
        let error = result.expect_err(name);
        assert!(matches!(error, NotifyError::Retryable { .. }), "{name}: {error:?}");
        if name == "sns" {
            let own = Message::of(failed("a.jpg"));
            let (result, _) = send(&mut receiver, &case, &own, reply()).await;
            assert!(matches!(result, Err(NotifyError::Auth { .. })), "{name}: its own topic");
        }
    }
}
