//! What other people's programs send in our place: `apprise` for the same one-line URLs, and the libraries of Slack and Courier;
//! and whether requests are what Google describes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mediaflow_core::Notifier;
use mediaflow_core::notify::{DeliveryContext, IntoNotifier as _, Message, Thread};
use mediaflow_core::testing::{Received, Reply, WebhookReceiver};
use mediaflow_notify::{
    Courier, Discord, Fcm, GoogleChat, Pushover, Slack, Teams, Telegram, WebPush, from_url,
};
use serde_json::{Value, json};

use crate::common::{NOW, completed, failed, json_of, text_of, words};
use crate::limits::long;
use crate::pages::form;
use crate::push::{VAPID, account, subscription};
use crate::verifiers::ask;

/// Runs a script of the workspace's verifiers: what it says.
async fn run(script: &'static str, input: String) -> String {
    let run = move || {
        let output = ask(script, &input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script} does not take this: {said}\n{input}");
        String::from_utf8(output.stdout).unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn send(notifier: &Arc<dyn Notifier>, message: Message) {
    notifier.notify(&message, &DeliveryContext::first(NOW)).await.unwrap();
}

/// A content type without its parameters, in which JSON is UTF-8 anyway.
fn content_type(text: &str) -> &str {
    text.split(';').next().unwrap_or_default()
}

/// A body by its fields.
fn fields(kind: &str, body: &str) -> Value {
    if kind == "application/json" { serde_json::from_str(body).unwrap() } else { form(body) }
}

/// Path and query of a URL, or of what was asked for: the path, and the pairs in an order of their own.
fn asked(url: &str) -> (String, Vec<String>) {
    let path = url.split_once("://").map_or(url, |(_, rest)| &rest[rest.find('/').unwrap()..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut pairs: Vec<_> =
        query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    pairs.sort();
    (path.to_owned(), pairs)
}

/// One line, and which fields of its request are the same whoever sends it.
struct Line {
    line: String,
    same: &'static [&'static str],
}

fn lines() -> Vec<Line> {
    let teams = &[
        "/type",
        "/attachments/0/contentType",
        "/attachments/0/contentUrl",
        "/attachments/0/content/$schema",
        "/attachments/0/content/type",
        "/attachments/0/content/version",
    ];
    let lines: [(&str, &'static [&'static str]); 11] = [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", &[]),
        ("slack://xoxb-1234-1234-abc124/C0123456789", &[]),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", &[]),
        ("workflows://host.example/643e69f83c8944438d68119179a10a64/KODuebWbDGYFr0z0eu", teams),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", &["/chat_id", "/parse_mode"]),
        ("gchat://space/key/token", &[]),
        ("mmosts://chat.example/3ccdd113474722377935511fc85d3dd4", &[]),
        ("ntfys://ntfy.example/media", &["/topic", "/title"]),
        ("ntfys://tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2@ntfy.example/media", &["/topic", "/title"]),
        ("ntfys://user:password@ntfy.example/media", &["/topic", "/title"]),
        (
            "pover://uQiRzpo4DXghDmr9QzzfQu27cmVRsG@azGDORePK8gMaC0QOYAMyEEuzJnyUi",
            &["/token", "/user", "/title"],
        ),
    ];
    lines.map(|(line, same)| Line { line: line.to_owned(), same }).into()
}

/// The channel of a line, but to the receiver.
fn ours(line: &str, receiver: &WebhookReceiver) -> (Arc<dyn Notifier>, Message) {
    let (host, url) = (receiver.address(), receiver.url(""));
    let message = Message::of(failed("cat.jpg"));
    let (scheme, rest) = line.split_once("://").unwrap();
    let at = |place: char| rest.split_once(place).unwrap();
    let notifier = match scheme {
        "slack" if rest.starts_with("xox") => {
            let (token, channel) = at('/');
            Slack::bot(token, channel).endpoint(url).allow_private(&host).into_notifier()
        }
        "tgram" => {
            let (token, chat) = at('/');
            Telegram::bot(token, chat).endpoint(url).allow_private(&host).into_notifier()
        }
        "pover" => {
            let (user, token) = at('@');
            Pushover::app(token, user).endpoint(url).allow_private(&host).into_notifier()
        }
        // The address itself says where: only its host becomes another.
        _ => {
            let own = from_url(line).unwrap().own_address().unwrap().reveal().to_owned();
            let (scheme, rest) = own.split_once("://").unwrap();
            let (authority, path) = rest.split_once('/').unwrap();
            let credentials = authority.rsplit_once('@').map(|(credentials, _)| credentials);
            let credentials = credentials.map(|both| format!("{both}@")).unwrap_or_default();
            assert_eq!(scheme, "https");
            let here = format!("http://{credentials}{host}/{path}");
            if line.contains("://tk_") {
                let token = at('@').0;
                let topic = mediaflow_notify::Ntfy::topic(here).token(token).allow_private(&host);
                return (topic.into_notifier().unwrap(), message);
            }
            let notifier = from_url(&format!("{line}?allow_private={host}")).unwrap();
            let here = notifier.address(&here).unwrap();
            return (notifier, message.to(Some(here)));
        }
    };
    (notifier.unwrap(), message)
}

#[tokio::test(flavor = "multi_thread")]
async fn apprise_asks_the_same_of_the_same_line() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let lines = lines();
    let input: Vec<_> = lines.iter().map(|line| line.line.as_str()).collect();
    let seen = run("apprise_requests.py", json!(input).to_string()).await;
    let seen: Vec<Value> = serde_json::from_str(&seen).unwrap();
    for Line { line, same } in &lines {
        let theirs = seen.iter().rfind(|request| request["line"] == *line).expect(line);
        let (notifier, message) = ours(line, &receiver);
        let good = r#"{"ok":true,"status":1,"id":"1","result":{"message_id":1}}"#;
        let plain = line.starts_with("mmost") || line.starts_with("slack://T");
        receiver.answer([Reply::status(200).body(if plain { "ok" } else { good })]);
        send(&notifier, message).await;
        let ours = receiver.next().await.unwrap();
        assert_eq!(ours.method, theirs["method"].as_str().unwrap(), "{line}");
        // A version of the API, and what is asked for besides, are our own.
        let ((our_path, our_pairs), (path, pairs)) =
            (asked(&ours.path), asked(theirs["url"].as_str().unwrap()));
        assert_eq!(our_path.replace("/api/v10/", "/api/"), path, "{line}");
        assert!(pairs.iter().all(|pair| our_pairs.contains(pair)), "{line}: {our_pairs:?}");
        let kind = content_type(ours.header("content-type").unwrap());
        assert_eq!(kind, content_type(theirs["headers"]["content-type"].as_str().unwrap()));
        // `requests` has sent the token of Pushover twice: in the form as well.
        if !line.starts_with("pover") {
            let authorization = theirs["headers"]["authorization"].as_str();
            assert_eq!(ours.header("authorization"), authorization, "{line}");
        }
        let theirs = fields(kind, theirs["body"].as_str().unwrap());
        let ours = fields(kind, &text_of(&ours));
        for field in *same {
            let text = |body: &Value| match body.pointer(field) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => panic!("{line} has no {field}: {body}"),
            };
            assert_eq!(text(&ours), text(&theirs), "{line}: {field}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apprise_asks_the_same_of_firebase() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (account, _) = account(&receiver);
    let file = std::env::temp_dir().join(format!("mediaflow-account-{}.json", std::process::id()));
    std::fs::write(&file, &account).unwrap();
    let line = |to: &str| format!("fcm://media-1/{to}?keyfile={}", file.display());
    let lines = [line("device-1"), line("%23news")];
    let seen = run("apprise_requests.py", json!(lines).to_string()).await;
    let named = lines.map(|line| from_url(&line).unwrap().own_address().unwrap());
    std::fs::remove_file(&file).unwrap();
    let seen: Vec<Value> = serde_json::from_str(&seen).unwrap();
    let good = r#"{"access_token":"ya29","expires_in":3600}"#;
    for ((theirs, to), named) in seen.chunks(2).zip(["device-1", "topic:news"]).zip(named) {
        assert_eq!(named.reveal(), to, "the same line");
        let push = Fcm::service_account(&account).to(to).endpoint(receiver.url(""));
        let push = push.allow_private(&receiver.address()).into_notifier().unwrap();
        receiver.answer([Reply::status(200).body(good), Reply::status(200).body("{}")]);
        send(&push, Message::of(failed("cat.jpg"))).await;
        let ours = [receiver.next().await.unwrap(), receiver.next().await.unwrap()];
        let body = |place: usize| theirs[place]["body"].as_str().unwrap();

        let (asks, ask) = (form(&text_of(&ours[0])), form(body(0)));
        assert_eq!(asks["grant_type"], ask["grant_type"]);
        let claims = |asked: &Value, place: usize| -> Value {
            let part = asked["assertion"].as_str().unwrap().split('.').nth(place).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(claims(&asks, 0), claims(&ask, 0), "how it is signed");
        for claim in ["iss", "aud", "scope"] {
            assert_eq!(claims(&asks, 1)[claim], claims(&ask, 1)[claim], "{claim}");
        }

        assert_eq!(asked(&ours[1].path), asked(theirs[1]["url"].as_str().unwrap()));
        let authorization = theirs[1]["headers"]["authorization"].as_str();
        assert_eq!(ours[1].header("authorization"), authorization);
        let (ours, theirs) = (json_of(&ours[1]), serde_json::from_str::<Value>(body(1)).unwrap());
        let target = if to == "device-1" { "token" } else { "topic" };
        for field in [target, "notification"] {
            assert_eq!(ours["message"][field], theirs["message"][field], "{field}");
        }
    }
}

/// What both have sent, which is the same.
fn same(ours: &Received, theirs: &Received) {
    assert_eq!((&ours.method, &ours.path), (&theirs.method, &theirs.path));
    for header in ["authorization", "idempotency-key"] {
        assert_eq!(ours.header(header), theirs.header(header), "{header}");
    }
    let kind =
        |received: &Received| content_type(received.header("content-type").unwrap()).to_owned();
    assert_eq!(kind(ours), kind(theirs));
    assert_eq!(json_of(ours), json_of(theirs));
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_library_takes_our_messages_and_sends_the_same() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let bot = Slack::bot("xoxb-token", "C0123456789").endpoint(receiver.url(""));
    let bot = bot.templates(&words()).allow_private(&receiver.address()).into_notifier().unwrap();
    let good = Reply::status(200).body(r#"{"ok":true,"ts":"1.2"}"#);
    let mut reply = Message::of(failed("cat.jpg"));
    reply.thread = Some(Thread::new("job").after(Some("1.1".to_owned())));
    let many = (0..500).map(|n| failed(&format!("{n}-{}", "y".repeat(300))));
    let digest = Message::digest(failed("a").id.into(), failed("a"), many);
    for message in [reply, long(), digest, Message::of(completed("cat.jpg"))] {
        receiver.answer([good.clone(), good.clone()]);
        send(&bot, message).await;
        let ours = receiver.next().await.unwrap();
        let asked = json!({
            "token": "xoxb-token", "url": receiver.url("/api/"), "message": json_of(&ours),
        });
        run("slack_message.py", asked.to_string()).await;
        same(&ours, &receiver.next().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_description_of_its_services_knows_all_that_is_asked() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (account, _) = account(&receiver);
    let push = Fcm::service_account(&account).to("device-1").endpoint(receiver.url(""));
    let push = push.allow_private(&receiver.address()).into_notifier().unwrap();
    // The token of a webhook is no parameter of the API.
    let chat = GoogleChat::webhook(receiver.url("/v1/spaces/AAA/messages?key=k"));
    let chat = chat.templates(&words()).allow_private(&receiver.address()).into_notifier().unwrap();
    let token = Reply::status(200).body(r#"{"access_token":"ya29","expires_in":3600}"#);
    receiver.answer([token]);

    for (channel, api) in [(&push, "fcm"), (&chat, "chat")] {
        let mut reply = Message::of(failed("cat.jpg"));
        reply.thread = Some(Thread::new("job").after(Some("1.1".to_owned())));
        for message in [reply, long(), Message::of(completed("cat.jpg"))] {
            let answer = if api == "fcm" { "{}" } else { r#"{"name":"spaces/AAA/messages/1"}"# };
            receiver.answer([Reply::status(200).body(answer)]);
            send(channel, message).await;
            let mut sent = receiver.next().await.unwrap();
            if sent.path == "/token" {
                sent = receiver.next().await.unwrap();
            }
            let (path, query) = sent.path.split_once('?').unwrap_or((&sent.path, ""));
            let request = json!({
                "api": api, "version": "v1", "method": sent.method, "path": path, "query": form(query),
                "body": json_of(&sent),
            });
            run("google_schema.py", request.to_string()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn couriers_library_takes_our_messages_and_sends_the_same() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let api = || {
        let api = Courier::api("pk_secret").to("user:ada").endpoint(receiver.url(""));
        api.templates(&words()).allow_private(&receiver.address())
    };
    let (content, template) = (api(), api().template("media-failed"));
    let channels = [content.into_notifier().unwrap(), template.into_notifier().unwrap()];
    let good = Reply::status(202).header("content-type", "application/json");
    let good = good.body(r#"{"requestId":"c1"}"#);
    for to in ["user:ada", "email:ada@example.com", "phone:+4930123", "list:all", "tenant:acme"] {
        for courier in &channels {
            receiver.answer([good.clone(), good.clone()]);
            let message = Message::of(failed("cat.jpg")).to(Some(courier.address(to).unwrap()));
            send(courier, message).await;
            let ours = receiver.next().await.unwrap();
            let asked = json!({
                "token": "pk_secret", "url": receiver.url("").trim_end_matches('/'),
                "key": ours.header("idempotency-key"), "message": json_of(&ours)["message"],
            });
            run("courier_message.py", asked.to_string()).await;
            same(&ours, &receiver.next().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_know_all_of_an_embed_and_of_a_card() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (url, address) = (receiver.url("/api/webhooks/1/x"), receiver.address());
    let discord = Discord::webhook(&url).templates(&words()).allow_private(&address);
    let teams = Teams::workflow(receiver.url("/workflows/1")).templates(&words());
    let teams = teams.allow_private(&address).into_notifier().unwrap();
    let many = (0..500).map(|n| failed(&format!("{n}-{}", "y".repeat(300))));
    let digest = Message::digest(failed("a").id.into(), failed("a"), many);
    let messages =
        [Message::of(failed("cat.jpg")), Message::of(completed("cat.jpg")), long(), digest];
    for (channel, script) in
        [(discord.into_notifier().unwrap(), "discord_message.py"), (teams, "teams_card.py")]
    {
        for message in messages.clone() {
            receiver.answer([Reply::status(200).body(r#"{"id":"1"}"#)]);
            send(&channel, message).await;
            run(script, text_of(&receiver.next().await.unwrap())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_service_knows_who_sends() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let push = WebPush::vapid(VAPID, "mailto:ops@app.example").to(subscription(&receiver));
    let push = push.allow_private(&receiver.address()).into_notifier().unwrap();
    receiver.answer([Reply::status(201)]);
    send(&push, Message::of(failed("cat.jpg"))).await;
    let sent = receiver.next().await.unwrap();
    let claims = run("vapid.py", sent.header("authorization").unwrap().to_owned()).await;
    let claims: Value = serde_json::from_str(&claims).unwrap();
    assert_eq!(claims["aud"], format!("http://{}", receiver.address()));
    assert_eq!(claims["sub"], "mailto:ops@app.example");
    assert!(claims["exp"].as_u64().unwrap() <= NOW.seconds() + 24 * 3600);
}
