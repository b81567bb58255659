//! A receiver of webhooks that costs little, because it shares the machine with what is measured.
//!
//! One thread reads requests, as many connections as there are. It keeps the id of each with the moment of its arrival, and of
//! some all of it; and answers 200, or never. Nothing is verified meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use mediaflow::{CancellationToken, MessageId};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Result;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Sink {
    /// Where it listens: each is an origin of its own.
    pub(crate) addresses: Vec<SocketAddr>,
    kept: Arc<Kept>,
    stop: CancellationToken,
}

/// What it does with requests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Answers, and keeps one in so many as it came.
    Answers(usize),
    /// Takes them, and never answers.
    Hangs,
}

/// That a request came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: MessageId,
    /// In milliseconds since 1970.
    pub(crate) at: f64,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    manner: Manner,
    arrivals: Mutex<Vec<Arrival>>,
    requests: Mutex<Vec<Request>>,
    /// How many have come so far.
    number: AtomicUsize,
    /// The processor time of the thread, in nanoseconds.
    cpu: AtomicU64,
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// After how many requests it writes down what they have cost.
const ACCOUNT: usize = 32;

impl Sink {
    /// Listens on so many ports of the loopback.
    pub(crate) fn start(origins: usize, manner: Manner) -> Result<Self> {
        let listeners =
            std::iter::repeat_with(listener).take(origins).collect::<Result<Vec<_>>>()?;
        let addresses =
            listeners.iter().map(std::net::TcpListener::local_addr).collect::<Result<_, _>>()?;
        let kept = Arc::new(Kept {
            manner,
            arrivals: Mutex::default(),
            requests: Mutex::default(),
            number: AtomicUsize::new(0),
            cpu: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (of_thread, until) = (Arc::clone(&kept), stop.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                for listener in listeners {
                    tokio::spawn(listen(listener, Arc::clone(&of_thread)));
                }
                until.cancelled().await;
            });
        });
        Ok(Self { addresses, kept, stop })
    }

    /// The URL of a hook at its first address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/media", self.addresses[0])
    }

    /// How many requests have come since it was forgotten what had come before.
    pub(crate) fn number(&self) -> usize {
        self.kept.number.load(Ordering::Relaxed)
    }

    /// What has come since it was asked last.
    pub(crate) fn take(&self) -> (Vec<Arrival>, Vec<Request>) {
        let arrivals = std::mem::take(&mut *lock(&self.kept.arrivals));
        let requests = std::mem::take(&mut *lock(&self.kept.requests));
        self.kept.number.store(0, Ordering::Relaxed);
        (arrivals, requests)
    }

    /// The processor time of its thread so far, in milliseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.kept.cpu.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Request {
    /// Asks the crate of Standard Webhooks itself.
    pub(crate) fn verify(&self, secret: &str) -> Result<()> {
        Ok(standardwebhooks::Webhook::new(secret)?.verify(&self.body, &self.headers)?)
    }

    pub(crate) fn id(&self) -> Result<MessageId> {
        let id = self.headers.get("webhook-id").ok_or("a request has no id")?;
        Ok(id.to_str()?.parse()?)
    }
}

fn listener() -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn listen(listener: std::net::TcpListener, kept: Arc<Kept>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&kept)));
    }
}

/// An error is the end of the connection: whoever sent the request misses its answer.
async fn serve(mut stream: TcpStream, kept: Arc<Kept>) {
    let mut bytes = Vec::with_capacity(16 << 10);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        while let Some(head) = Head::read(&bytes) {
            let end = head.begin + head.length;
            if bytes.len() < end {
                break;
            }
            kept.keep(&head, &bytes);
            bytes.drain(..end);
            if let Manner::Answers(_) = kept.manner
                && stream.write_all(ANSWER).await.is_err()
            {
                return;
            }
        }
    }
}

impl Kept {
    fn keep(&self, head: &Head, bytes: &[u8]) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let at = at.as_secs_f64() * 1e3;
        lock(&self.arrivals).extend(head.id.map(|id| Arrival { id, at }));
        if let Manner::Answers(every) = self.manner
            && number.is_multiple_of(every)
        {
            let body = bytes[head.begin..head.begin + head.length].to_vec();
            lock(&self.requests).push(Request { headers: headers(&bytes[..head.begin]), body });
        }
        if number.is_multiple_of(ACCOUNT) {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            let nanos = time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs();
            self.cpu.store(nanos, Ordering::Relaxed);
        }
    }
}

/// Where a request's body is, and what it is called.
struct Head {
    begin: usize,
    length: usize,
    id: Option<MessageId>,
}

impl Head {
    /// Nothing as long as the head has not come as a whole.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut head = Self { begin: 0, length: 0, id: None };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            head.begin += line.len();
            match line {
                b"\r\n" => return Some(head),
                _ if !line.ends_with(b"\n") => return None,
                _ => {}
            }
            // The first letter decides in most lines.
            if !matches!(line[0], b'c' | b'C' | b'w' | b'W') {
                continue;
            }
            let Some((name, value)) = field(line) else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.parse().ok()?;
            } else if name.eq_ignore_ascii_case("webhook-id") {
                head.id = value.parse().ok();
            }
        }
        None
    }
}

fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

fn headers(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let header = |(name, value): (&str, &str)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
    };
    lines.filter_map(field).filter_map(header).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
