//! The one HTTP client of mediaflow: sources by URL are fetched with it, webhooks are posted with it.
//!
//! URLs come from users, and a service that follows them blindly can be sent to its own metadata endpoint, its database
//! or its neighbours. So this client goes to public addresses only. It looks at the host of the URL after
//! normalisation (`http://2130706433/` is `127.0.0.1`), because an HTTP client does not ask its resolver about an
//! address that is written as such; and at every address that a name resolves to, in the resolver that the connection
//! uses, because what was looked up before may have changed meanwhile. One bad address refuses the whole answer. It
//! reads no proxy variables, follows no redirect unasked, decompresses nothing, and shows neither query strings nor
//! credentials in its errors. The path of a source says which file was meant, and is shown; that of an address to post to
//! is most often a secret itself, so that [`post`](GuardedClient::post) and [`origin`](GuardedClient::origin) show nothing
//! but `scheme://host:port`.
//!
//! What is private and yet meant is allowed one by one:
//!
//! ```
//! use mediaflow_core::http::GuardedClient;
//!
//! let client = GuardedClient::builder().allow_private("127.0.0.1:9000").build()?;
//! assert_eq!(client.origin("http://127.0.0.1:9000/hook")?, "http://127.0.0.1:9000");
//! assert_eq!(client.origin("http://127.0.0.1:9001/").unwrap_err().code(), "http.forbidden_address");
//! assert_eq!(client.origin("http://2130706433/").unwrap_err().code(), "http.forbidden_address");
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! Uses: codes, error, limits, media, spec.

mod address;
mod client;
mod fetch;
mod guard;
mod post;
mod shown;
#[cfg(test)]
mod tests;

pub use client::{GuardedClient, GuardedClientBuilder};
pub use post::Response;
