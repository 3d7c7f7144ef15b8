//! The messages and errors of the libraries that there are.

#[cfg(feature = "axum08")]
mod axum08;
#[cfg(any(feature = "tungstenite029", feature = "tungstenite030", feature = "tokio-websockets013"))]
mod io;
#[cfg(feature = "tokio-websockets013")]
mod tokio_websockets013;
#[cfg(any(feature = "tungstenite029", feature = "tungstenite030"))]
mod tungstenite;
