//! The client against servers on the loopback, some of which misbehave.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::media::Scratch;
use crate::{Error, ErrorKind, Retry};

/// Answers every connection with these bytes, then keeps it open (`hold`) or closes it.
async fn server(answer: impl Into<Vec<u8>>, hold: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(respond(stream, answer.clone(), hold));
        }
    });
    address
}

/// False if the client hangs up in the middle.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

async fn respond(mut stream: TcpStream, answer: Vec<u8>, hold: bool) {
    if !read_request(&mut stream).await {
        return;
    }
    // The client may hang up in the middle: that is what some tests are about.
    if stream.write_all(&answer).await.is_ok() && hold {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

fn client(address: SocketAddr) -> GuardedClientBuilder {
    GuardedClient::builder().allow_private(&address.to_string())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn scratch(&self) -> Scratch {
        Scratch::in_folder(self.0.path())
    }

    fn files(&self) -> usize {
        self.0.path().read_dir().unwrap().count()
    }
}

async fn fetch_error(client: GuardedClientBuilder, address: SocketAddr) -> Error {
    let folder = Folder::new();
    let url = format!("http://{address}/cat.jpg?token=s3cret");
    let error = client.build().unwrap().fetch(&url, 1000, &folder.scratch()).await.unwrap_err();
    assert_eq!(folder.files(), 0, "nothing stays behind");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    error
}

#[tokio::test]
async fn a_file_is_fetched_whole_and_goes_with_its_blob() {
    let address = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false).await;
    let folder = Folder::new();
    let client = client(address).build().unwrap();
    let blob = client.fetch(&format!("http://{address}/a"), 5, &folder.scratch()).await.unwrap();
    assert_eq!((blob.len(), blob.read(5).unwrap().as_ref()), (5, b"hello".as_ref()));
    drop(blob);
    assert_eq!(folder.files(), 0);
}

#[tokio::test]
async fn the_size_is_capped_whatever_the_server_announces() {
    let body = "x".repeat(1001);
    for head in
        ["content-length: 1001\r\n", "content-length: 99999999999\r\n", "connection: close\r\n"]
    {
        let address = server(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"), false).await;
        let error = fetch_error(client(address), address).await;
        assert_eq!((error.code(), error.kind()), ("limit.input_bytes", ErrorKind::Limit), "{head}");
    }
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n";
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunks.repeat(11));
    let address = server(endless, true).await;
    assert_eq!(fetch_error(client(address), address).await.code(), "limit.input_bytes");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_file() {
    let address = server("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf", false).await;
    let error = fetch_error(client(address), address).await;
    assert_eq!((error.code(), error.retry()), ("http.broken", Retry::Backoff));
}

/// Sends this many bytes at once, and then single ones for ever.
async fn trickle(at_once: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(read_request(&mut stream).await);
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n";
        stream.write_all(&[head.as_bytes(), &vec![b'x'; at_once]].concat()).await.unwrap();
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        loop {
            pause.tick().await;
            // Until the client hangs up.
            if stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_trickles_is_given_up() {
    for at_once in [0, 500] {
        let address = trickle(at_once).await;
        let impatient =
            client(address).stall_timeout(Duration::from_millis(100)).source_rate(10_000);
        let error = fetch_error(impatient, address).await;
        assert_eq!((error.code(), error.kind()), ("http.slow", ErrorKind::Transient), "{at_once}");
        assert_eq!(error.fact("limit"), Some("source_rate"));
    }
}

#[tokio::test]
async fn a_server_that_is_slow_but_fast_enough_is_waited_for() {
    let address = trickle(700).await;
    let folder = Folder::new();
    let client = client(address).stall_timeout(Duration::from_millis(250)).source_rate(1);
    let url = format!("http://{address}/a");
    let blob = client.build().unwrap().fetch(&url, 1000, &folder.scratch()).await.unwrap();
    assert_eq!(blob.len(), 900);
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf"] {
        let address = server(answer, true).await;
        let start = Instant::now();
        let impatient = client(address).stall_timeout(Duration::from_millis(50));
        assert_eq!(fetch_error(impatient, address).await.code(), "http.stalled");
        let impatient = client(address).fetch_timeout(Duration::from_millis(50));
        assert_eq!(fetch_error(impatient, address).await.code(), "http.timeout");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn the_status_decides_whether_to_try_again() {
    for (status, extra, kind, retry) in [
        ("404 Not Found", "", ErrorKind::Input, Retry::Never),
        ("403 Forbidden", "", ErrorKind::Input, Retry::Never),
        ("206 Partial Content", "", ErrorKind::Input, Retry::Never),
        ("500 Oops", "", ErrorKind::Transient, Retry::Backoff),
        (
            "429 Slow Down",
            "retry-after: 7\r\n",
            ErrorKind::Transient,
            Retry::After(Duration::from_secs(7)),
        ),
        (
            "503 Busy",
            "retry-after: 9\r\n",
            ErrorKind::Transient,
            Retry::After(Duration::from_secs(9)),
        ),
    ] {
        let address =
            server(format!("HTTP/1.1 {status}\r\n{extra}content-length: 0\r\n\r\n"), false).await;
        let error = fetch_error(client(address), address).await;
        assert_eq!(
            (error.code(), error.kind(), error.retry()),
            ("http.status", kind, retry),
            "{status}"
        );
        assert_eq!(error.fact("status"), status.split(' ').next());
    }
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let address =
        server("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", false)
            .await;
    assert_eq!(fetch_error(client(address), address).await.code(), "http.encoding");
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_each_hop_is_checked() {
    let goal = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngoal", false).await;
    let to = |target: &str| {
        format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n")
    };
    let first = server(to(&format!("http://{goal}/cat.jpg?token=s3cret")), false).await;

    let error = fetch_error(client(first), first).await;
    assert_eq!(
        (error.code(), error.fact("to")),
        ("http.redirect", Some(format!("http://{goal}/cat.jpg").as_str()))
    );

    let error = fetch_error(client(first).redirects(1), first).await;
    assert_eq!(error.code(), "http.forbidden_address", "the second hop is not allowed: {error}");

    let folder = Folder::new();
    let both = client(first).allow_private(&goal.to_string()).redirects(1).build().unwrap();
    let blob = both.fetch(&format!("http://{first}/"), 100, &folder.scratch()).await.unwrap();
    assert_eq!(blob.read(100).unwrap().as_ref(), b"goal");

    for (target, code) in [
        ("http://2130706433/", "http.forbidden_address"),
        ("file:///etc/passwd", "http.scheme"),
        ("http://u:s3cret@example.com/", "http.credentials"),
    ] {
        let address = server(to(target), false).await;
        assert_eq!(
            fetch_error(client(address).redirects(5), address).await.code(),
            code,
            "{target}"
        );
    }
    let circle = server(to("/again"), false).await;
    assert_eq!(fetch_error(client(circle).redirects(5), circle).await.code(), "http.redirect");
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused_unless_allowed() {
    let address = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let url = format!("http://localhost:{}/?token=s3cret", address.port());
    let guarded = client(address).build().unwrap();
    let error = guarded.post(&url, &[], "{}").await.unwrap_err();
    assert_eq!(error.code(), "http.forbidden_address", "{error}");
    assert!(!format!("{error:?}").contains("loopback"), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");

    let by_name =
        client(address).allow_private(&format!("localhost:{}", address.port())).build().unwrap();
    assert_eq!(by_name.post(&url, &[], "{}").await.unwrap().status, 200);
    let by_net =
        GuardedClient::builder().allow_private_net("127.0.0.0/8").allow_private_net("::1/128");
    assert_eq!(by_net.build().unwrap().post(&url, &[], "{}").await.unwrap().status, 200);
}

#[tokio::test]
async fn credentials_never_go_to_a_source() {
    let client = GuardedClient::new().unwrap();
    let folder = Folder::new();
    let error =
        client.fetch("https://user:s3cret@example.com/a", 1, &folder.scratch()).await.unwrap_err();
    assert_eq!(error.code(), "http.credentials");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_post_tells_whether_the_server_may_have_been_asked() {
    let silent = server("", true).await;
    let impatient = client(silent).timeout(Duration::from_millis(50)).build().unwrap();
    assert_eq!(
        impatient.post(&format!("http://{silent}/"), &[], "{}").await.unwrap_err().code(),
        "http.timeout"
    );

    let rude = server("", false).await;
    let error = client(rude)
        .build()
        .unwrap()
        .post(&format!("http://{rude}/"), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "http.broken", "{error:?}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(closed)
        .build()
        .unwrap()
        .post(&format!("http://{closed}/"), &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "http.connect", "{error:?}");
}

#[tokio::test]
async fn a_post_keeps_the_beginning_of_the_answer() {
    let body = "y".repeat(80_000);
    let address =
        server(format!("HTTP/1.1 500 Oops\r\nretry-after: 3\r\nx-why: tired\r\ncontent-length: 80000\r\n\r\n{body}"), false)
            .await;
    let client = client(address).build().unwrap();
    let answer = client.post(&format!("http://{address}/"), &[("x-a", "b")], "{}").await.unwrap();
    assert_eq!(
        (answer.status, answer.body.len(), answer.header("X-Why")),
        (500, 65_536, Some("tired"))
    );
    assert_eq!(answer.retry_after, Some(Duration::from_secs(3)));
    assert_eq!(
        client.post(&format!("http://{address}/"), &[("x-a", "b\n")], "").await.unwrap_err().code(),
        "http.header"
    );
}

#[tokio::test]
async fn what_is_small_is_asked_for_as_it_is_posted() {
    let redirect =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nno";
    let address = server(redirect.to_owned(), false).await;
    let client = client(address).build().unwrap();
    let answer = client.get(&format!("http://{address}/x.pem"), &[("x-a", "b")]).await.unwrap();
    // It is not followed.
    assert_eq!((answer.status, &answer.body[..]), (302, &b"no"[..]));
    let error = GuardedClient::new().unwrap().get(&format!("http://{address}/s3cret"), &[]).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "http.forbidden_address");
    assert!(!format!("{error:?}").contains("s3cret"));
}

/// What a client begins TLS with.
#[cfg(feature = "http2")]
async fn hello(change: impl FnOnce(GuardedClientBuilder) -> GuardedClientBuilder) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = change(client(address)).build().unwrap();
    let heard = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut record = vec![0; 5];
        stream.read_exact(&mut record).await.unwrap();
        let length = u16::from_be_bytes([record[3], record[4]]);
        record.resize(5 + usize::from(length), 0);
        stream.read_exact(&mut record[5..]).await.unwrap();
        record
    };
    let url = format!("https://{address}/");
    let (record, answer) = tokio::join!(heard, client.post(&url, &[], "{}"));
    assert_eq!(answer.unwrap_err().code(), "http.connect");
    record
}

#[test]
fn a_client_without_any_time_is_refused() {
    let none = Duration::ZERO;
    for builder in [
        GuardedClient::builder().timeout(none),
        GuardedClient::builder().connect_timeout(none),
        GuardedClient::builder().fetch_timeout(none),
        GuardedClient::builder().stall_timeout(none),
    ] {
        assert_eq!(builder.build().unwrap_err().code(), "http.client");
    }
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn http2_is_spoken_if_it_was_said_and_nothing_else_then() {
    let (one, two) = (hello(|client| client).await, hello(GuardedClientBuilder::http2).await);
    let offers = |hello: &[u8], name: &[u8]| hello.windows(name.len()).any(|part| part == name);
    // The list of what is offered, with its length.
    let (http1, http2) = (b"\x00\x09\x08http/1.1", b"\x00\x03\x02h2");
    assert!(offers(&one, http1) && !offers(&one, http2));
    assert!(offers(&two, http2) && !offers(&two, http1));

    let old = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    let client = client(old).http2().build().unwrap();
    let error = client.post(&format!("http://{old}/"), &[], "{}").await.unwrap_err();
    assert_eq!(error.code(), "http.broken", "{error:?}");
}
