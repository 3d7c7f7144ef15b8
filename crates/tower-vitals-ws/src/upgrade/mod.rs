//! From a request to a WebSocket.

#[cfg(feature = "axum08")]
mod extractor;
mod handshake;
mod layer;
mod outcome;

#[cfg(feature = "axum08")]
pub use self::extractor::{MeteredUpgrade, MeteredUpgradeRejection};
pub(crate) use self::handshake::Handshake;
pub use self::{
    layer::{WebSocketFuture, WebSocketLayer, WebSocketService},
    outcome::HandshakeOutcome,
};

/// The template of the route that a request came to, as far as it is known.
fn route(extensions: &http::Extensions) -> Option<&str> {
    #[cfg(feature = "axum08")]
    return extensions
        .get::<axum::extract::MatchedPath>()
        .map(axum::extract::MatchedPath::as_str);
    #[cfg(not(feature = "axum08"))]
    {
        let _ = extensions;
        None
    }
}
