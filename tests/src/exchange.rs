//! One request and as much of its answer as the test wants.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use crate::Result;
use crate::connection::Connection;

type ResponseFuture = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// A request under way.
///
/// Dropping it is [`Exchange::cancel`].
pub struct Exchange {
    state: State,
    connection: Arc<Connection>,
}

enum State {
    Sent(ResponseFuture),
    Answered(Response<Incoming>),
}

/// An answer read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The response's head.
    pub head: Parts,
    /// All the bytes of its body.
    pub body: Bytes,
    /// The trailers, if there were any. HTTP/1.1 has them where the request
    /// said `TE: trailers` and the response announced them in `Trailer`.
    pub trailers: Option<HeaderMap>,
}

// === impl Exchange ===

impl Exchange {
    pub(crate) fn new(response: ResponseFuture, connection: Arc<Connection>) -> Self {
        let state = State::Sent(response);
        Self { state, connection }
    }

    pub(crate) fn response(future: impl Future<Output = hyper::Result<Response<Incoming>>> + Send + 'static) -> ResponseFuture {
        Box::pin(future)
    }

    /// Waits for the response's head; its body is for [`Exchange::frame`].
    ///
    /// # Errors
    ///
    /// When there will be no head.
    pub async fn head(&mut self) -> Result<&Response<Incoming>> {
        Ok(self.answered().await?)
    }

    /// The next frame of the response's body, or `None` after the last.
    ///
    /// # Errors
    ///
    /// When the body, or already the head, fails.
    pub async fn frame(&mut self) -> Result<Option<Frame<Bytes>>> {
        let response = self.answered().await?;
        Ok(response.body_mut().frame().await.transpose()?)
    }

    /// Reads what is left of the answer.
    ///
    /// # Errors
    ///
    /// When the head or the body fails.
    pub async fn finish(mut self) -> Result<Answer> {
        let mut body = BytesMut::new();
        let mut trailers = None;
        while let Some(frame) = self.frame().await? {
            match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let State::Answered(response) = self.state else {
            unreachable!("the body was read");
        };
        Ok(Answer {
            head: response.into_parts().0,
            body: body.freeze(),
            trailers,
        })
    }

    /// Waits for the head, and takes over the connection (HTTP/1.1, after a
    /// 101) or the stream (HTTP/2, after an extended CONNECT).
    ///
    /// # Errors
    ///
    /// When the server did not upgrade.
    pub async fn upgrade(mut self) -> Result<TokioIo<Upgraded>> {
        let response = self.answered().await?;
        let upgraded = hyper::upgrade::on(response).await?;
        Ok(TokioIo::new(upgraded))
    }

    /// Gives up this one exchange: a `RST_STREAM` over HTTP/2; over HTTP/1.1
    /// hyper closes the connection, unless the answer had ended.
    pub fn cancel(self) {}

    /// Closes the whole connection at once, as [`crate::client::Client::vanish`].
    pub async fn vanish(self) {
        self.connection.close().await;
    }

    /// Closes the whole connection with a TCP reset.
    ///
    /// # Errors
    ///
    /// When the connection had already ended.
    pub async fn reset(self) -> Result<()> {
        self.connection.reset().await
    }

    async fn answered(&mut self) -> hyper::Result<&mut Response<Incoming>> {
        if let State::Sent(future) = &mut self.state {
            self.state = State::Answered(future.await?);
        }
        match &mut self.state {
            State::Answered(response) => Ok(response),
            State::Sent(_) => unreachable!("the answer is there"),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = matches!(self.state, State::Answered(_));
        let mut debug = f.debug_struct("Exchange");
        debug.field("answered", &answered).finish_non_exhaustive()
    }
}

// === impl Answer ===

impl Answer {
    /// The response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// A header's first value, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        Ok(std::str::from_utf8(&self.body)?)
    }
}
