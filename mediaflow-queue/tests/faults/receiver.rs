//! A receiver of webhooks that can behave badly in every way that a network allows.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mediaflow_core::{CancellationToken, Timestamp};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// `/hook`: how it is answered depends on it.
    pub(super) path: String,
    /// The header `webhook-id`.
    pub(super) id: String,
    /// In milliseconds since 1970.
    pub(super) at: u64,
    /// Answered with 200.
    pub(super) accepted: bool,
}

/// Runs on a thread of its own, so that the busy test does not slow it. Ends with the value.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    percent: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Receiver {
    pub(super) fn start(seed: u64) -> Self {
        let (heard, percent, stop) = (Arc::default(), Arc::default(), CancellationToken::new());
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self {
            address,
            heard: Arc::clone(&heard),
            percent: Arc::clone(&percent),
            stop: stop.clone(),
        };
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await
                {
                    let talk = Talk {
                        heard: Arc::clone(&heard),
                        percent: Arc::clone(&percent),
                        random: Arc::clone(&random),
                    };
                    tokio::spawn(talk.serve(stream));
                }
            });
        });
        receiver
    }

    /// From now on, so many requests out of 100 go wrong: on `/errors`, `/timeouts`, `/resets` and `/slow` each in its
    /// own way, on `/status/401,404` with these answers by turns, and on other paths none.
    pub(super) fn misbehave(&self, percent: u64) {
        self.percent.store(percent, Ordering::SeqCst);
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Talk {
    heard: Arc<Mutex<Vec<Heard>>>,
    percent: Arc<AtomicU64>,
    random: Arc<Mutex<fastrand::Rng>>,
}

/// The path of a receiver that answers what its path says.
const STATUS: &str = "/status/";

const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

impl Talk {
    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        // An error is the end of the connection, which the other side wanted.
        while let Ok(Some((path, id))) = request(&mut stream).await {
            let fails =
                self.random.lock().unwrap().u64(..100) < self.percent.load(Ordering::SeqCst);
            let way = if fails { path.split('?').next().unwrap_or_default() } else { "" };
            // Where the status decides, a body that never ends does not matter.
            let slow_but_fine = self.random.lock().unwrap().bool();
            let accepted = match way {
                "/errors" | "/timeouts" | "/resets" => false,
                way if way.starts_with(STATUS) => false,
                "/slow" => slow_but_fine,
                _ => true,
            };
            let at = Timestamp::from(SystemTime::now()).millis();
            let number = self.heard.lock().unwrap().len();
            self.heard.lock().unwrap().push(Heard { path: path.clone(), id, at, accepted });
            let told = match way {
                "/errors" => stream.write_all(BROKEN).await,
                "/timeouts" => return tokio::time::sleep(Duration::from_secs(5)).await,
                "/resets" => return drop(stream.get_ref().set_zero_linger()),
                "/slow" => return dribble(stream, accepted).await,
                way if way.starts_with(STATUS) => {
                    let answers: Vec<_> = way.trim_start_matches(STATUS).split(',').collect();
                    let status = answers[number % answers.len()];
                    let head = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(head.as_bytes()).await
                }
                _ => stream.write_all(FINE).await,
            };
            if told.is_err() {
                return;
            }
        }
    }
}

/// A body that never comes to its end.
async fn dribble(mut stream: BufReader<TcpStream>, fine: bool) {
    let status = if fine { "200 OK" } else { "503 Service Unavailable" };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: 100000\r\n\r\n");
    let mut told = stream.write_all(head.as_bytes()).await;
    while told.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        told = stream.write_all(b".").await;
    }
}

/// Path and `webhook-id` of the next request; nothing if there is none.
async fn request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, String)>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.trim().clone_into(&mut id),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((path, id)))
}
