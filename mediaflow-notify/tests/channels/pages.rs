//! The pages of the channels, and the table of all of them, say what the channels do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mediaflow_core::Notifier;
use mediaflow_core::notify::{
    Credentials, DeliveryContext, IntoNotifier as _, Message, RateLimit, Scope,
};
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_notify::templates::Templates;
use mediaflow_notify::{Email, Fcm, File, WebPush, Webhook, from_url};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::common::{CANARY, NOW, all_in, failed, json_of, text_of};
use crate::configured::Keys;
use crate::push::{VAPID, account, subscription, token};

/// The sections of a page, which are those of `channel` as well.
const SECTIONS: [&str; 6] =
    ["Addresses", "Messages", "Limits", "Answers", "Secrets", "Documentation"];

/// The id of the message that the pages show.
const MESSAGE: &str = "0199c8f0-0000-7000-8000-000000000002";

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rows of the table below this heading, by their cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = read("CHANNELS.md");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|--"));
    let cells = |line: &str| {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    lines.skip(1).map(cells).collect()
}

/// A channel in the table: how it is called there, the file that has its page, and its feature.
struct Channel {
    name: String,
    file: String,
    feature: String,
    lines: Vec<String>,
}

fn channels() -> Vec<Channel> {
    let channel = |cells: Vec<String>| {
        let (name, file) = cells[0].split_once("](").expect("a name with its page");
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Channel {
            name: name.trim_start_matches('[').to_owned(),
            file: file.trim_end_matches(')').to_owned(),
            feature: cells[1].trim_matches('`').to_owned(),
            lines: quoted(&cells[3]),
        }
    };
    rows("Addresses").into_iter().map(channel).collect()
}

/// The page in a file: the documentation of the module, or of the type that has the sections.
fn page(file: &str) -> String {
    let text = read(file);
    let of_module: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let lines = if of_module.is_empty() {
        let lines: Vec<_> = text.lines().collect();
        let blocks = lines.split(|line| !line.starts_with("///"));
        let block = blocks.into_iter().find(|block| block.contains(&"/// # Addresses"));
        let block = block.unwrap_or_else(|| panic!("{file} has no page"));
        block.iter().filter_map(|line| line.strip_prefix("///")).collect()
    } else {
        of_module
    };
    lines.iter().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// The sections of a page with their text, the beginning without a name first.
fn sections(page: &str) -> Vec<(String, String)> {
    let (mut sections, mut fenced) = (vec![(String::new(), String::new())], false);
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        match line.strip_prefix("# ").filter(|_| !fenced) {
            Some(name) => sections.push((name.to_owned(), String::new())),
            None => {
                let text = &mut sections.last_mut().unwrap().1;
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    sections
}

/// The first example of this language in a section of a page.
fn example(file: &str, language: &str) -> Option<String> {
    let (_, messages) = sections(&page(file)).into_iter().find(|(name, _)| name == "Messages")?;
    let (_, rest) = messages.split_once(&format!("```{language}\n"))?;
    Some(rest.split_once("```")?.0.to_owned())
}

#[test]
fn the_table_has_every_channel_in_every_part() {
    let manifest = read("Cargo.toml");
    let (_, features) = manifest.split_once("[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap();
    let named = features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    // What these are for is no channel.
    let named: BTreeSet<_> = named.filter(|name| !["channel", "url"].contains(name)).collect();
    let channels = channels();
    let listed: BTreeSet<_> = channels.iter().map(|channel| channel.feature.as_str()).collect();
    assert_eq!(named, listed, "the features of Cargo.toml are the rows of CHANNELS.md");
    let names: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
    for heading in ["Limits", "What the provider promises", "How it is tested"] {
        let rows = rows(heading);
        let told: Vec<_> = rows.iter().map(|cells| cells[0].as_str()).collect();
        assert_eq!(told, names, "{heading}");
    }
}

#[test]
fn the_table_names_the_programs_that_tests_run() {
    let tested: String = rows("How it is tested").concat().concat();
    let python = read("tests/channels/smtp.py");
    assert!(python.contains("aiosmtpd") && tested.contains("`aiosmtpd`"));
    // They are in the workspace, and not in the crate by itself.
    let requirements =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/verifiers/requirements.txt");
    for line in fs::read_to_string(requirements).unwrap_or_default().lines() {
        let name = line.split(['=', '[']).next().unwrap_or_default();
        assert!(tested.contains(&format!("`{name}`")), "what does `{name}` show of a channel?");
    }
}

#[test]
fn every_page_has_the_same_sections() {
    let shared = sections(&page("src/channel/mod.rs"));
    let shared: Vec<_> = shared.iter().skip(1).map(|(name, _)| name.as_str()).collect();
    assert_eq!(shared, &SECTIONS[..5], "what all have in common");
    for Channel { file, .. } in channels() {
        let sections = sections(&page(&file));
        let names: Vec<_> = sections.iter().skip(1).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, SECTIONS, "{file}");
        assert!(sections[0].1.contains("```\nuse "), "{file}: an example that is run");
        let text: BTreeMap<_, _> = sections.into_iter().collect();
        for tabular in ["Limits", "Answers"] {
            assert!(text[tabular].contains("\n|---|---|\n"), "{file}: {tabular} is a table");
        }
        assert!(text["Messages"].contains("```"), "{file}: an example of a message");
        assert!(text["Documentation"].contains("](https://"), "{file}: whose documentation");
    }
}

#[tokio::test]
async fn every_line_of_the_table_is_a_channel() {
    let keys = Keys::new(&WebhookReceiver::start().await.unwrap());
    for Channel { feature, lines, file, .. } in channels() {
        assert_eq!(lines.is_empty(), feature == "webhook", "{file}");
        for line in lines {
            let line = line.replace("/etc/media", keys.folder());
            let notifier = from_url(&line).unwrap_or_else(|e| panic!("{line}: {e:?}"));
            assert_eq!(notifier.name(), feature, "{line}");
            let scheme = line.split_once("://").unwrap().0;
            assert!(page(&file).contains(&format!("`{scheme}://")), "{file} has no {scheme}://");
        }
    }
}

/// A channel to the receiver, with what its service answers when all is well.
fn told(receiver: &WebhookReceiver) -> BTreeMap<String, (Arc<dyn Notifier>, Vec<Reply>)> {
    let words = Templates::builder().link("https://app.example/media/7").build().unwrap();
    let host = receiver.address();
    let mut told: BTreeMap<_, _> = all_in(&words, receiver)
        .into_iter()
        .map(|case| (case.name.to_owned(), (case.notifier, vec![case.good])))
        .collect();
    let push = Fcm::service_account(account(receiver).0).to("device").endpoint(receiver.url(""));
    let push = push.templates(&words).allow_private(&host).into_notifier().unwrap();
    told.insert("fcm".to_owned(), (push, vec![token(), Reply::status(200).body("{}")]));
    let push = WebPush::vapid(VAPID, "mailto:ops@app.example").to(subscription(receiver));
    let push = push.templates(&words).allow_private(&host).into_notifier().unwrap();
    told.insert("web-push".to_owned(), (push, vec![Reply::status(201)]));
    let hook = Webhook::to(receiver.url("/hook")).sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let hook = hook.allow_private(&host).into_notifier().unwrap();
    told.insert("webhook".to_owned(), (hook, vec![Reply::status(200)]));
    let mail = Email::relay("smtps://smtp.example", "media@app.example").to("ada@example.com");
    told.insert("email".to_owned(), (mail.into_notifier().unwrap(), Vec::new()));
    let file = File::lines("told.jsonl").all_to(lines()).templates(&words).into_notifier().unwrap();
    told.insert("file".to_owned(), (file, Vec::new()));
    told
}

/// What is told to a file.
fn lines() -> PathBuf {
    std::env::temp_dir().join(format!("mediaflow-told-{}.jsonl", std::process::id()))
}

#[tokio::test]
async fn the_table_has_the_terms_of_every_channel() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let told = told(&receiver);
    for (channel, cells) in channels().iter().zip(rows("Limits")) {
        let terms = told[&channel.feature].0.terms();
        let rate = |rate: RateLimit| format!("{} in {} s", rate.attempts, rate.per.as_secs());
        let scope = if terms.scope == Scope::Address { "address" } else { "origin" };
        let hours = terms.time_to_live.map(|time| format!("{} h", time.as_secs() / 3600));
        let threads = if terms.threads { "yes" } else { "no" };
        // A webhook of Slack has none, and a bot has.
        let bot = told.get(&format!("{} bot", channel.feature));
        let threads =
            bot.map_or(threads, |bot| if bot.0.terms().threads { "by bot" } else { "no" });
        let whose = |notifier: &Arc<dyn Notifier>| match notifier.terms().credentials {
            Some(Credentials::Host) => "host",
            Some(Credentials::Address) => "address",
            _ => "",
        };
        let of_bot = bot.map(|bot| format!(", by bot {}", whose(&bot.0)));
        let credentials =
            format!("{}{}", whose(&told[&channel.feature].0), of_bot.unwrap_or_default());
        let expected = [
            terms.rate.map_or("none".to_owned(), rate),
            scope.to_owned(),
            terms.places.map(|places| places.to_string()).unwrap_or_default(),
            hours.unwrap_or_default(),
            threads.to_owned(),
            credentials,
        ];
        assert_eq!(cells[2..], expected, "{}", channel.name);
    }
}

#[tokio::test]
async fn messages_are_as_the_pages_show_them() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let told = told(&receiver);
    let mut wrong = Vec::new();
    for Channel { feature, file, .. } in channels() {
        let (notifier, replies) = &told[&feature];
        let mut event = failed("cat.jpg");
        event.id = MESSAGE.parse().unwrap();
        if feature == "email" {
            continue;
        }
        receiver.answer(replies.clone());
        notifier.notify(&Message::of(event), &DeliveryContext::first(NOW)).await.unwrap();
        let mut received = None;
        for _ in replies {
            received = Some(receiver.next().await.unwrap());
        }
        let mut body = match (feature.as_str(), received) {
            ("pushover" | "sns", Some(received)) => form(&text_of(&received)),
            ("web-push", Some(received)) => decrypted(&received.body),
            (_, Some(received)) => json_of(&received),
            (_, None) => {
                let line = fs::read_to_string(lines()).unwrap();
                fs::remove_file(lines()).unwrap();
                serde_json::from_str(&line).unwrap()
            }
        };
        for long in ["Message", "events"] {
            if let Some(whole) = body.get_mut(long) {
                *whole = "...".into();
            }
        }
        if let Some(whole) = body.pointer_mut("/Content/Raw/Data") {
            let mail = STANDARD.decode(whole.as_str().unwrap()).unwrap();
            has_lines(&String::from_utf8(mail).unwrap(), "src/email/mod.rs");
            *whole = "...".into();
        }
        let body: Value =
            serde_json::from_str(&body.to_string().replace(CANARY, "secret")).unwrap();
        let shown = example(&file, "json").unwrap_or_else(|| panic!("{file}: an example"));
        let shown: Value =
            serde_json::from_str(&shown).unwrap_or_else(|e| panic!("{file}: {e}: {shown}"));
        if body != shown {
            wrong.push(format!("{file} shows another message than this:\n{body:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A mail has the lines that the page shows, in their order.
fn has_lines(mail: &str, file: &str) {
    let mut lines = mail.lines().map(str::trim_end);
    for line in example(file, "text").unwrap().lines() {
        assert!(lines.any(|said| said == line), "{file}: `{line}` is not in its place in\n{mail}");
    }
}

/// The fields of a form.
pub(crate) fn form(body: &str) -> Value {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), json!(decoded(value)))).collect()
}

/// What the browser reads whose keys are those of appendix A of RFC 8291.
pub(crate) fn decrypted(body: &[u8]) -> Value {
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let mac = |key: &[u8], text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    };
    let private = decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");
    let private = PrivateKey::from_private_key(&ECDH_P256, &private).unwrap();
    let own = private.compute_public_key().unwrap();
    let (salt, sender, record) = (&body[..16], &body[21..86], &body[86..]);
    let sender_key = UnparsedPublicKey::new(&ECDH_P256, sender);
    let secret = agree(&private, sender_key, (), |secret| Ok(secret.to_vec())).unwrap();
    let info = [b"WebPush: info\0", own.as_ref(), sender, &[1]].concat();
    let input = mac(&mac(&decoded("BTBZMqHH6r4Tts7J_aSIgg"), &secret), &info);
    let pseudo_random = mac(salt, &input);
    let key = mac(&pseudo_random, b"Content-Encoding: aes128gcm\0\x01");
    let nonce = mac(&pseudo_random, b"Content-Encoding: nonce\0\x01");
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
    let mut record = record.to_vec();
    let text = key.open_in_place(nonce, Aad::empty(), &mut record).unwrap();
    serde_json::from_slice(text.strip_suffix(&[2]).unwrap()).unwrap()
}
