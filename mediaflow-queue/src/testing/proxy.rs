use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mediaflow_core::{Error, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A network that breaks on demand: a TCP proxy on the loopback, before one address. It ends with the value.
///
/// ```no_run
/// use mediaflow_queue::testing::{PrivatePostgres, Proxy};
///
/// # async fn example() -> mediaflow_core::Result<()> {
/// let server = PrivatePostgres::start().await?;
/// let network = Proxy::start(server.addr()).await?;
/// let url = network.url(&server.database("orders").await?);
/// // Postgres::connect(&url) ...
/// network.cut();
/// network.resume();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    upstream: SocketAddr,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    state: State,
    /// How often it was cut: a connection sees that it was, even if all is well again.
    cuts: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Open,
    Held,
    Cut,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `upstream`.
    ///
    /// # Errors
    /// `testing.proxy`: the loopback can not be listened on.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let failed = |e: io::Error| {
            Error::transient("testing.proxy", "the loopback can not be listened on").because(e)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let (line, watched) = watch::channel(Line::default());
        let accepting = tokio::spawn(accept(listener, upstream, watched));
        Ok(Self { addr, upstream, line, accepting })
    }

    /// Where to connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A URL of the upstream (which names it by its address, not by a name) as it reads through the proxy.
    #[must_use]
    pub fn url(&self, upstream: &str) -> String {
        upstream.replacen(&self.upstream.to_string(), &self.addr.to_string(), 1)
    }

    /// Closes every connection, and from now on each new one as soon as it is made.
    pub fn cut(&self) {
        self.line.send_modify(|line| *line = Line { state: State::Cut, cuts: line.cuts + 1 });
    }

    /// Connections stay and new ones are taken, but no byte passes: what a dead line looks like. Nothing is lost.
    pub fn hold(&self) {
        self.line.send_modify(|line| line.state = State::Held);
    }

    /// All is well again.
    pub fn resume(&self) {
        self.line.send_modify(|line| line.state = State::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, line: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connection(client, upstream, line.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Until one side closes it or the line is cut. Dropping the sockets closes them.
async fn connection(client: TcpStream, upstream: SocketAddr, mut line: watch::Receiver<Line>) {
    let begin = *line.borrow_and_update();
    if begin.state == State::Cut {
        return;
    }
    let passing = pass(client, upstream, line.clone());
    tokio::select! {
        _ = line.wait_for(|now| now.cuts != begin.cuts) => {}
        _ = passing => {}
    }
}

async fn pass(
    mut client: TcpStream,
    upstream: SocketAddr,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    open(&mut line).await?;
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        pump(from_client, to_server, line.clone()),
        pump(from_server, to_client, line.clone()),
    )?;
    Ok(())
}

/// Bytes of one direction, and its end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        open(&mut line).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

async fn open(line: &mut watch::Receiver<Line>) -> io::Result<()> {
    let opened = line.wait_for(|now| now.state == State::Open).await;
    opened.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}
