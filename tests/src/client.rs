//! HTTP/1.1 and HTTP/2 clients, one connection each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::connection::{Connection, Tasks, connect};
use crate::exchange::{Answer, Exchange};
use crate::until::until_eq;
use crate::{BoxError, Result};

/// How long a server may take to allow extended CONNECT.
const SETTINGS_LIMIT: Duration = Duration::from_secs(5);

/// How often to look whether it does.
const SETTINGS_PAUSE: Duration = Duration::from_millis(5);

type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// A client with one connection, which closes when the client and its
/// exchanges are gone.
#[derive(Debug)]
pub struct Client {
    addr: SocketAddr,
    sender: Sender,
    connection: Arc<Connection>,
    /// Whether the server allows extended CONNECT; HTTP/2 only.
    extended: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

/// A GET of `path`, without a body.
///
/// # Panics
///
/// When `path` is not a URI.
#[must_use]
pub fn get(path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(path).body(Empty::new());
    request.expect("the path is a URI")
}

// === impl Client ===

impl Client {
    /// Connects for HTTP/1.1.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn http1(addr: SocketAddr) -> Result<Self> {
        let (stream, second) = connect(addr).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self {
            addr,
            sender: Sender::Http1(sender),
            connection: Connection::spawn(second, Tasks::default(), driver.with_upgrades()),
            extended: Arc::default(),
        })
    }

    /// Connects for HTTP/2, with prior knowledge.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn http2(addr: SocketAddr) -> Result<Self> {
        let (stream, second) = connect(addr).await?;
        let io = TokioIo::new(stream);
        let tasks = Tasks::default();
        let (sender, mut driver) = http2::handshake(tasks.clone(), io).await?;
        let extended = Arc::new(AtomicBool::new(false));
        let allowed = Arc::clone(&extended);
        let driver = async move {
            // The settings come to a task of hyper's, which tells nobody.
            while !driver.is_extended_connect_protocol_enabled() {
                if let Ok(ended) = timeout(SETTINGS_PAUSE, &mut driver).await {
                    return ended;
                }
            }
            allowed.store(true, Ordering::SeqCst);
            driver.await
        };
        Ok(Self {
            addr,
            sender: Sender::Http2(sender),
            connection: Connection::spawn(second, tasks, driver),
            extended,
        })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    ///
    /// When the connection or a body fails.
    pub async fn send<B>(&mut self, request: Request<B>) -> Result<Answer>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.start(request).await?.finish().await
    }

    /// Sends a request, and leaves it to the test how much of the answer to
    /// read, and how to vanish.
    ///
    /// Over HTTP/2, several exchanges can be under way at once. The request
    /// is on its way when this returns, whether or not the answer is awaited.
    ///
    /// A path is completed with the server's address: in `Host`, unless
    /// there is one, or in the URI over HTTP/2.
    ///
    /// # Errors
    ///
    /// When the connection has ended, or refuses an extended CONNECT.
    pub async fn start<B>(&mut self, request: Request<B>) -> Result<Exchange>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                name_host(&mut request, self.addr)?;
                sender.ready().await?;
                Exchange::response(sender.send_request(request))
            }
            Sender::Http2(sender) => {
                complete_uri(&mut request, self.addr)?;
                if request.extensions().get::<hyper::ext::Protocol>().is_some() {
                    let extended = Arc::clone(&self.extended);
                    let extended = || extended.load(Ordering::SeqCst);
                    until_eq(SETTINGS_LIMIT, true, extended).await?;
                }
                sender.ready().await?;
                Exchange::response(sender.send_request(request))
            }
        };
        Ok(Exchange::new(response, Arc::clone(&self.connection)))
    }

    /// Closes the connection at once, with every exchange on it.
    ///
    /// The socket is closed when this returns. TCP makes a reset of it where
    /// bytes of the server were still unread.
    pub async fn vanish(self) {
        self.connection.close().await;
    }

    /// As [`Client::vanish`], always with a TCP reset.
    ///
    /// # Errors
    ///
    /// When the connection had already ended.
    pub async fn reset(self) -> Result<()> {
        self.connection.reset().await
    }
}

fn name_host<B>(request: &mut Request<B>, addr: SocketAddr) -> Result<()> {
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::try_from(addr.to_string())?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

fn complete_uri<B>(request: &mut Request<B>, addr: SocketAddr) -> Result<()> {
    let uri = request.uri();
    if uri.authority().is_none() {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let builder = Uri::builder().scheme("http").authority(addr.to_string());
        *request.uri_mut() = builder.path_and_query(path).build()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
