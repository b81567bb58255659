//! Mails, as an SMTP server and a MIME parser that are not ours see them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use mediaflow_core::NotifyError;
use mediaflow_core::event::Audience;
use mediaflow_core::notify::{DeliveryContext, IntoNotifier as _, Message, Receipt, Thread};
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_notify::Email;
use mediaflow_notify::channel::ChannelBuilder;
use serde_json::Value;

use crate::common::{CANARY, JOB, NOW, completed, failed, words};

/// `aiosmtpd`, in a process that ends with this.
pub(crate) struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/smtp.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        let port =
            port.trim().parse().expect("python3-aiosmtpd is installed: scripts/setup.sh test");
        Self { child, lines, port }
    }

    pub(crate) fn mail(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn to(&self, address: &str) -> ChannelBuilder<Email> {
        Email::relay(format!("smtp://127.0.0.1:{}", self.port), "Media <media@app.example>")
            .to(address)
            .templates(&words())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) async fn send(
    mail: ChannelBuilder<Email>,
    message: &Message,
) -> Result<Receipt, NotifyError> {
    mail.into_notifier().unwrap().notify(message, &DeliveryContext::first(NOW)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_two_parts_that_say_the_same_and_what_programs_need() {
    let mut server = Server::start();
    let mut message = Message::of(failed("cat.jpg"));
    message.thread = Some(Thread::new(JOB));
    let receipt = send(server.to("Ada <ada@example.com>"), &message).await.unwrap();
    assert_eq!(receipt.status, Some(250));
    let seen = server.mail();
    assert_eq!(
        (&seen["from"], &seen["to"][0]),
        (&"media@app.example".into(), &"ada@example.com".into())
    );
    assert_eq!(seen["defects"], serde_json::json!([]));
    let mail = &seen["mail"];
    assert_eq!(mail["type"], "multipart/alternative");
    let headers = &mail["headers"];
    assert_eq!(headers["subject"], "cat.jpg could not be processed");
    assert_eq!(headers["message-id"], format!("<{}@app.example>", message.id));
    assert_eq!(headers["references"], format!("<thread.{JOB}@app.example>"));
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(headers["date"], "Thu, 09 Oct 2025 08:53:20 +0000");
    let parts = mail["parts"].as_array().unwrap();
    assert_eq!((&parts[0]["type"], &parts[1]["type"]), (&"text/plain".into(), &"text/html".into()));
    for part in parts {
        let text = part["text"].as_str().unwrap();
        for said in ["could not be processed", "the image ends too early", "image.truncated", JOB] {
            assert!(text.contains(said), "{said} in {text}");
        }
        assert!(text.len() < 100_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_picture_is_inside_if_it_can_be_had() {
    let (mut server, receiver) = (Server::start(), WebhookReceiver::start().await.unwrap());
    let words = mediaflow_notify::templates::Templates::builder()
        .public_url("public", &receiver.url("/cdn"))
        .build()
        .unwrap();
    let to = |server: &Server| {
        server.to("ada@example.com").templates(&words).allow_private(&receiver.address())
    };
    let picture = [&[0xff, 0xd8, 0xff, 0xe0][..], &[7; 3000]].concat();
    receiver.answer([Reply::status(200).body(picture), Reply::status(404)]);
    let message = Message::of(completed("cat.jpg"));
    send(to(&server), &message).await.unwrap();
    let seen = server.mail();
    let related = &seen["mail"]["parts"][1];
    assert_eq!(related["type"], "multipart/related");
    let (html, image) = (&related["parts"][0], &related["parts"][1]);
    assert!(
        html["text"]
            .as_str()
            .unwrap()
            .contains("<img src=\"cid:picture\" alt=\"cat.jpg is ready\"")
    );
    assert_eq!((&image["type"], &image["bytes"]), (&"image/jpeg".into(), &3004.into()));
    assert_eq!(image["headers"]["content-id"], "<picture>");

    // Without it, a mail all the same.
    send(to(&server), &message).await.unwrap();
    let seen = server.mail();
    assert_eq!(seen["mail"]["parts"][1]["type"], "text/html");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_makes_no_header_and_no_markup() {
    let mut server = Server::start();
    let hostile = "<b>x</b>\r\nBcc: a@b.example\r\n\r\n<script>1</script>";
    send(server.to("ada@example.com"), &Message::of(failed(hostile))).await.unwrap();
    let seen = server.mail();
    assert_eq!(seen["to"].as_array().unwrap().len(), 1);
    assert_eq!(seen["mail"]["headers"]["bcc"], Value::Null);
    let html = seen["mail"]["parts"][1]["text"].as_str().unwrap();
    assert!(!html.contains("<script>") && !html.contains("<b>x"), "{html}");
    assert!(html.contains("&lt;b&gt;x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_follow_audience_and_locale() {
    let mut server = Server::start();
    let mail = server.to("ada@example.com").audience(Audience::Owner).locale("de-AT");
    send(mail, &Message::of(failed("k\u{e4}tzchen.jpg"))).await.unwrap();
    let seen = server.mail();
    assert_eq!(
        seen["mail"]["headers"]["subject"],
        "k\u{e4}tzchen.jpg konnte nicht verarbeitet werden"
    );
    let text = seen["mail"]["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("Bitte pr\u{fc}fen") && !text.contains("image.truncated"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_answers_decides_what_follows() {
    let server = Server::start();
    let message = Message::of(failed("cat.jpg"));
    let mut outcomes = Vec::new();
    for who in ["gone", "busy", "full", "never", "policy"] {
        let address = format!("{who}.{CANARY}@example.com").replacen(&format!(".{CANARY}"), "", 1);
        outcomes.push(send(server.to(&address), &message).await.unwrap_err());
    }
    assert!(matches!(outcomes[0], NotifyError::Gone { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], NotifyError::Retryable { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[2], NotifyError::TooLarge { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[3], NotifyError::Rejected { .. }), "{outcomes:?}");
    // The same number, and nothing is wrong with the mailbox.
    assert!(matches!(outcomes[4], NotifyError::Rejected { .. }), "{outcomes:?}");
    // The server repeats whom it was asked for.
    assert!(
        outcomes.iter().all(|error| !error.to_string().contains("example.com")),
        "{outcomes:?}"
    );

    let port = server.port;
    drop(server);
    let gone = Email::relay(format!("smtp://127.0.0.1:{port}"), "media@app.example")
        .to("ada@example.com")
        .timeout(Duration::from_secs(5));
    let error = send(gone, &message).await.unwrap_err();
    assert!(matches!(error, NotifyError::Retryable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_slow_once_mixes_up_no_answers() {
    let mut server = Server::start();
    let mail = |server: &Server| {
        server.to("slow@example.com").timeout(Duration::from_secs(2)).into_notifier().unwrap()
    };
    let (notifier, cx) = (mail(&server), DeliveryContext::first(NOW));
    let error = notifier.notify(&Message::of(failed("1.jpg")), &cx).await.unwrap_err();
    assert!(matches!(error, NotifyError::Ambiguous { .. }), "{error:?}");
    assert_eq!(server.mail()["mail"]["headers"]["subject"], "1.jpg could not be processed");
    // The connection of the first one is not read by the next.
    for (address, arrives) in [("ada@example.com", true), ("never@example.com", false)] {
        let to = notifier.address(address).unwrap();
        let message = Message::of(failed("2.jpg")).to(Some(to));
        let result = notifier.notify(&message, &DeliveryContext::first(NOW)).await;
        assert_eq!(result.map(|receipt| receipt.status).ok(), arrives.then_some(Some(250)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_of_other_letters_is_written_as_relays_know_it() {
    let mut server = Server::start();
    send(server.to("ada@b\u{fc}cher.example"), &Message::of(failed("a.jpg"))).await.unwrap();
    assert_eq!(server.mail()["to"][0], "ada@xn--bcher-kva.example");
}

#[test]
fn mistakes_are_found_when_it_is_built_and_show_no_secret() {
    let code = |mail: ChannelBuilder<Email>| {
        let error = mail.build().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        error.code().to_owned()
    };
    let relay = format!("smtps://user:{CANARY}@smtp.example");
    let to = |relay: &str, from: &str| Email::relay(relay, from).to("ada@example.com");
    assert_eq!(code(to(&relay, CANARY)), "email.from");
    assert_eq!(code(to(&format!("gopher://user:{CANARY}@host"), "a@b.example")), "email.relay");
    assert_eq!(code(Email::relay(&relay, "a@b.example").to(CANARY)), "channel.address");
    assert_eq!(code(to(&relay, "a@b.example").locale("tlh")), "templates.locale");
    let shown = format!("{:?}", to(&relay, "a@b.example").build().unwrap());
    assert!(!shown.contains(CANARY) && shown.contains("smtps://smtp.example"), "{shown}");
}
