//! Channels by one line.

use mediaflow_core::Notifier;
use mediaflow_notify::{ChannelConfig, from_url, templates::Templates};
use std::sync::Arc;

use crate::common::{CANARY, completed, failed};

fn origin(notifier: &Arc<dyn Notifier>) -> String {
    notifier.own_address().unwrap().origin().to_owned()
}

#[test]
fn lines_that_users_know_name_channels() {
    for (line, name, origin_of, address) in [
        (
            "slack://T0/B0/x",
            "slack",
            "https://hooks.slack.com:443",
            "https://hooks.slack.com/services/T0/B0/x",
        ),
        ("slack://xoxb-1/%23C0", "slack", "https://slack.com:443", "C0"),
        (
            "discord://1/x",
            "discord",
            "https://discord.com:443",
            "https://discord.com/api/webhooks/1/x",
        ),
        ("tgram://1:x/-100", "telegram", "https://api.telegram.org:443", "-100"),
        ("ntfy://media", "ntfy", "https://ntfy.sh:443", "https://ntfy.sh/media"),
        (
            "ntfys://tk_x@ntfy.example/media",
            "ntfy",
            "https://ntfy.example:443",
            "https://ntfy.example/media",
        ),
        (
            "mmosts://chat.example/x",
            "mattermost",
            "https://chat.example:443",
            "https://chat.example/hooks/x",
        ),
        (
            "gchat://S/k/t",
            "google-chat",
            "https://chat.googleapis.com:443",
            "https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t",
        ),
        ("pover://u@t", "pushover", "https://api.pushover.net:443", "u"),
        (
            "courier://pk/email:ada@example.com",
            "courier",
            "https://api.courier.com:443",
            "email:ada@example.com",
        ),
        (
            "mailtos://media%40app.example:pw@smtp.example?to=ada@example.com",
            "email",
            "smtps://smtp.example",
            "ada@example.com",
        ),
        (
            "sns://k/s/eu-central-1/arn:aws:sns:eu-central-1:1:media",
            "sns",
            "https://sns.eu-central-1.amazonaws.com:443",
            "arn:aws:sns:eu-central-1:1:media",
        ),
        (
            "ses://media@app.example/k/s/eu-central-1/ada@example.com",
            "ses",
            "https://email.eu-central-1.amazonaws.com:443",
            "ada@example.com",
        ),
    ] {
        let notifier = from_url(line).unwrap_or_else(|e| panic!("{line}: {e:?}"));
        assert_eq!((notifier.name(), origin(&notifier).as_str()), (name, origin_of), "{line}");
        assert_eq!(notifier.own_address().unwrap().reveal(), address, "{line}");
    }
}

#[test]
fn keys_are_those_of_all_channels() {
    let line = "slack://T0/B0/x?name=team&on=job.failed,batch.completed&audience=owner&locale=de&timeout=7";
    let notifier = from_url(line).unwrap();
    assert_eq!(notifier.name(), "team");
    let shown = format!("{notifier:?}");
    assert!(
        shown.contains("JobFailed") && shown.contains("Owner") && shown.contains("7s"),
        "{shown}"
    );
}

#[test]
fn mistakes_name_what_is_near_and_show_no_secret() {
    for (line, near) in [
        (format!("slakc://T0/B0/{CANARY}"), "slack"),
        (format!("slack://T0/B0/{CANARY}?named=x"), "name"),
        (format!("slack://T0/B0/{CANARY}?on=job.fail"), "job.failed"),
        (format!("slack://T0/B0/{CANARY}?audience=ownre"), "owner"),
        (format!("slack://{CANARY}"), "slack://T0/B0/secret"),
        (format!("mailtos://u:{CANARY}@host?form=a@b.example"), "from"),
        (format!("discord://{CANARY}/%zz"), "percent"),
        (format!("mailtos://u:p?{CANARY}@host"), "%3F"),
        (format!("mailtoss://u:p@host?from=a@b.example&to={CANARY}"), "mailtos"),
        (CANARY.to_owned(), "slack://"),
        (format!("tgram://{CANARY}/c?name=a&name=b"), "twice"),
    ] {
        let error = from_url(&line).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!(error.code(), "channel.url", "{shown}");
        assert!(shown.contains(near), "{near}: {shown}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn a_configuration_is_read_by_serde() {
    let read = |text: &str| serde_json::from_str::<ChannelConfig>(text);
    let config = read(&format!(
        r#"{{ "url": "discord://1/{CANARY}", "name": "ops", "on": ["job.failed"], "timeout": 5 }}"#
    ));
    let config = config.unwrap();
    assert!(!format!("{config:?}").contains(CANARY));
    assert_eq!(config.notifier(&Templates::default()).unwrap().name(), "ops");
    let error = read(&format!(r#"{{ "url": "discord://1/x", "named": "{CANARY}" }}"#)).unwrap_err();
    assert!(error.to_string().contains("did you mean `name`?"), "{error}");
    assert!(!error.to_string().contains(CANARY), "{error}");
    assert!(read(r#"{ "name": "x" }"#).unwrap_err().to_string().contains("url"));
}

#[test]
fn a_webhook_stands_in_a_configuration_with_its_secret() {
    let secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let of = |rest: &str| {
        let text = format!(r#"{{ "url": "https://app.example/t0ken", {rest} }}"#);
        let config: ChannelConfig = serde_json::from_str(&text).unwrap();
        assert!(!format!("{config:?}").contains("t0ken"));
        config.notifier(&Templates::default())
    };
    let given =
        format!(r#""secret": "{secret}", "timeout": 5, "on": ["job.failed"], "name": "hook""#);
    let hook = of(&given).unwrap();
    assert_eq!((hook.name(), hook.wants(&failed("a"))), ("hook", true));
    assert!(!hook.wants(&completed("a")) && hook.terms().digests);
    for dialect in ["cloudinary", "zencoder", "tencent"] {
        let hook = of(&format!(r#""secret": "{secret}", "dialect": "{dialect}""#)).unwrap();
        assert!(!hook.terms().digests, "{dialect}");
    }
    for (wrong, says) in [
        (r#""name": "hook""#, "secret"),
        (r#""secret": "short""#, "webhook.secret"),
        (r#""secret": "cl0ud", "dialect": "claudinary""#, "did you mean `cloudinary`?"),
        (r#""secret": "cl0ud", "dialect": "zencoder", "locale": "de""#, "locale"),
    ] {
        let error = format!("{:?}", of(wrong).unwrap_err());
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("t0ken") && !error.contains("cl0ud\""), "{error}");
    }
}
