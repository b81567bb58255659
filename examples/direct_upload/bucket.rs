//! An S3 server in this process, on a loopback port, with its files in a folder that goes with it. It checks signatures.

use std::error::Error;
use std::net::SocketAddr;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::Anyhow;

pub(crate) const NAME: &str = "media";
pub(crate) const KEY_ID: &str = "example-key";
pub(crate) const SECRET: &str = "example-secret";

/// Serves until the process ends.
pub(crate) struct Bucket {
    address: SocketAddr,
    _folder: TempDir,
}

impl Bucket {
    pub(crate) async fn start() -> Anyhow<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(NAME))?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|e| format!("{e:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                // What is refused is read, too: a client that still sends would not hear the answer.
                let answer = service_fn(move |request: Request<Incoming>| {
                    let service = service.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let answer = service.call(Request::from_parts(head, body.into())).await;
                        answer.map_err(|e| -> Box<dyn Error + Send + Sync> {
                            format!("{e:?}").into()
                        })
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
            }
        });
        Ok(Self { address, _folder: folder })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}
