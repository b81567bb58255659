use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use mediaflow_core::{Clock, Error, Mediaflow, Result, SystemClock, Timestamp, codes};

use crate::call::Call;
use crate::receiver::{Receiver, Verified, answer, status_of};

/// Routes for call-backs, which tell the jobs of an engine. Merge them into your own router:
///
/// ```
/// use axum::Router;
/// use mediaflow_core::Mediaflow;
/// # #[cfg(all(feature = "aws", feature = "zencoder"))]
/// use mediaflow_remote::{Sns, Zencoder, routes};
///
/// # #[cfg(all(feature = "aws", feature = "zencoder"))]
/// fn app(media: &Mediaflow) -> mediaflow_core::Result<Router> {
///     let hooks = routes(media)
///         .on("/hooks/zencoder", Zencoder::new("koro")?)
///         .on("/hooks/sns", Sns::topic("arn:aws:sns:eu-central-1:123456789012:media")?);
///     Ok(Router::new().merge(hooks))
/// }
/// ```
///
/// Senders get a status and nothing else; what was wrong is in the log.
pub fn routes(media: &Mediaflow) -> Routes {
    Routes { media: media.clone(), router: Router::new(), clock: Arc::new(SystemClock::default()) }
}

/// See [`routes`].
#[must_use]
pub struct Routes {
    media: Mediaflow,
    router: Router,
    clock: Arc<dyn Clock>,
}

impl Routes {
    /// Goes by this clock, from the next route on. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes what is posted to this path.
    ///
    /// # Panics
    /// As axum's own `route` does: if the path is none, or there twice.
    pub fn on<R: Receiver>(mut self, path: &str, receiver: R) -> Self {
        let here = Arc::new((receiver, self.media.clone(), Arc::clone(&self.clock)));
        let handler = move |request: Request| {
            let here = Arc::clone(&here);
            async move {
                let (receiver, media, clock) = &*here;
                handle(receiver, media, clock.now(), request).await
            }
        };
        self.router = self.router.route(path, post(handler));
        self
    }
}

impl<S: Clone + Send + Sync + 'static> From<Routes> for Router<S> {
    fn from(routes: Routes) -> Self {
        routes.router.with_state(())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").field("router", &self.router).finish_non_exhaustive()
    }
}

async fn handle<R: Receiver>(
    receiver: &R,
    media: &Mediaflow,
    now: Timestamp,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let (head, body) = match whole::<R>(request).await {
        Ok(whole) => whole,
        Err(error) => return Refused(error).into_response(),
    };
    let answer = answer(receiver, media, &call(&head, &body, now)).await;
    if let Some(error) = &answer.error {
        told(&path, answer.status, error);
    }
    status(answer.status)
}

/// The request with its body, of which no more is read than the receiver takes.
async fn whole<R: Receiver>(request: Request) -> Result<(Parts, Bytes)> {
    let (head, body) = request.into_parts();
    // A connection that breaks fails as well, and nobody is there to read the answer.
    let body = to_bytes(body, R::MAX_BODY).await.map_err(|e| {
        Error::limit(codes::LIMIT_CALL_BYTES, "the body of a call-back is too long")
            .with("allowed", R::MAX_BODY)
            .because(e)
    })?;
    Ok((head, body))
}

fn call<'a>(head: &'a Parts, body: &'a [u8], now: Timestamp) -> Call<'a> {
    let headers = head.headers.iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    Call::new(headers, body, now)
}

fn told(path: &str, status: u16, error: &Error) {
    tracing::warn!(path, status, code = error.code(), %error, "a call-back was refused");
}

fn status(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Why a call-back is refused: as an answer it is the [status](status_of), and nothing else.
#[derive(Debug)]
pub struct Refused(Error);

impl Refused {
    /// What is wrong, for the log.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        status(status_of(&self.0))
    }
}

/// The last argument of a handler: it takes the body. The receiver is a part of the state, in an [`Arc`].
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use axum::extract::{FromRef, State};
/// use axum::http::StatusCode;
/// use axum::routing::post;
/// use mediaflow_core::Mediaflow;
/// # #[cfg(feature = "zencoder")]
/// use mediaflow_remote::{Verified, Zencoder};
///
/// # #[cfg(feature = "zencoder")] fn example(media: Mediaflow) -> mediaflow_core::Result<Router> {
/// #[derive(Clone)]
/// struct App {
///     media: Mediaflow,
///     zencoder: Arc<Zencoder>,
/// }
/// impl FromRef<App> for Arc<Zencoder> {
///     fn from_ref(app: &App) -> Self {
///         Arc::clone(&app.zencoder)
///     }
/// }
///
/// async fn encoded(State(app): State<App>, encoded: Verified<Zencoder>) -> StatusCode {
///     println!("{:?}", encoded.message.update);
///     match encoded.tell(&app.media).await {
///         Ok(_) => StatusCode::OK,
///         Err(_) => StatusCode::SERVICE_UNAVAILABLE,
///     }
/// }
///
/// let app = App { media, zencoder: Arc::new(Zencoder::new("koro")?) };
/// Ok(Router::new().route("/hooks/zencoder", post(encoded)).with_state(app))
/// # }
/// ```
impl<S, R> FromRequest<S> for Verified<R>
where
    S: Send + Sync,
    R: Receiver,
    Arc<R>: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let receiver = Arc::<R>::from_ref(state);
        let path = request.uri().path().to_owned();
        let refused = |error: Error| {
            told(&path, status_of(&error), &error);
            Refused(error)
        };
        let (head, body) = whole::<R>(request).await.map_err(&refused)?;
        let call = call(&head, &body, SystemTime::now().into());
        receiver.receive(&call).await.map_err(&refused)
    }
}
