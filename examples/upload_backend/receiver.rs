//! The other side: a web server in a process of its own, which believes only what is signed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mediaflow::notifiers::webhook::standard::Verifier;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::bars::Bars;
use crate::{Anyhow, SECRET};

/// Receives until it is killed. Prints its port, and then a line for each webhook that it has verified.
pub(crate) async fn serve(port: u16) -> Anyhow<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("port {}", listener.local_addr()?.port());
    let routes = axum::Router::new().route("/hooks/media", post(receive));
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn receive(headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = SystemTime::now().into();
    let verified = Verifier::new(SECRET).and_then(|verifier| verifier.verify(header, &body, now));
    match verified {
        Ok(id) => {
            let event: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            println!(
                "verified {id} {} ({} bytes)",
                event["type"].as_str().unwrap_or("?"),
                body.len()
            );
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            println!("refused: {error}");
            StatusCode::UNAUTHORIZED
        }
    }
}

/// The receiver as its parent sees it.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    verified: BTreeSet<String>,
    bars: Bars,
}

impl Process {
    pub(crate) async fn start(port: u16, bars: Bars) -> Anyhow<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["receive", &port.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("the receiver has no output")?;
        let mut lines = BufReader::new(out).lines();
        let first = lines.next_line().await?.ok_or("the receiver ended at once")?;
        let port = first.trim_start_matches("port ").parse()?;
        Ok(Self { child, lines, port, verified: BTreeSet::new(), bars })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many different webhooks it has verified.
    pub(crate) fn distinct(&self) -> usize {
        self.verified.len()
    }

    /// Prints what it receives until it has verified this many different webhooks.
    pub(crate) async fn verified(&mut self, count: usize) -> Anyhow<()> {
        let waiting = async {
            while self.verified.len() < count {
                let line = self.lines.next_line().await?.ok_or("the receiver has ended")?;
                self.bars.say(&format!("receiver: {line}"));
                if let Some(id) =
                    line.strip_prefix("verified ").and_then(|rest| rest.split(' ').next())
                {
                    self.verified.insert(id.to_owned());
                }
            }
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(300), waiting)
            .await
            .map_err(|_| "webhooks are missing")?
    }

    /// Kills it, without a chance to say goodbye. What it had verified by then counts.
    pub(crate) async fn kill(&mut self) -> Anyhow<()> {
        self.child.kill().await?;
        while let Some(line) = self.lines.next_line().await? {
            if let Some(id) = line.strip_prefix("verified ").and_then(|rest| rest.split(' ').next())
            {
                self.bars.say(&format!("receiver: {line}"));
                self.verified.insert(id.to_owned());
            }
        }
        Ok(())
    }

    /// Starts it again on the same port.
    pub(crate) async fn restart(&mut self) -> Anyhow<()> {
        let again = Self::start(self.port, self.bars.clone()).await?;
        (self.child, self.lines) = (again.child, again.lines);
        Ok(())
    }
}
