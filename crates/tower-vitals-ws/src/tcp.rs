use std::io;

use tokio::net::TcpStream;

/// What to set on the TCP connections below WebSockets, so that what was flushed has mostly left.
///
/// The kernel takes some 4 MB for a client that reads slowly or not at all, and all of it counts as flushed. With a bound for what it holds
/// that was not sent yet, the library has to wait instead, and what waits is in `websocket_buffered_bytes`. What is on its way does
/// not count against the bound, however long that way is.
///
/// For axum, through [`tap_io`] of its listeners. Addresses stay what they are, so `into_make_service_with_connect_info::<SocketAddr>()`
/// works as before:
///
/// ```no_run
/// # #[cfg(feature = "axum08")]
/// # async fn serve(app: axum::Router) -> std::io::Result<()> {
/// use axum::serve::ListenerExt;
/// use tower_vitals_ws::TcpOptions;
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener.tap_io(TcpOptions::new().tap()), app).await
/// # }
/// ```
///
/// [`set`](Self::set) is for streams that are accepted or connected otherwise, and for those below TLS.
///
/// # Cost
/// Two system calls for each connection. Under the bound, a task that sends much is woken more often.
///
/// # Limits
/// The bound is for Linux and Android; elsewhere there is only `TCP_NODELAY`. It is for each connection below, which over HTTP/2
/// many WebSockets share. What was sent and waits in the other side's kernel stays unseen, and no safe interface says how much it is, nor
/// what of ours is not sent.
///
/// [`tap_io`]: https://docs.rs/axum/0.8/axum/serve/trait.ListenerExt.html#method.tap_io
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until they are set"]
pub struct TcpOptions {
    unsent: Option<u32>,
}

/// Some ten small segments: enough to keep a connection busy until the task is woken.
const UNSENT: u32 = 16 * 1024;

impl TcpOptions {
    /// `TCP_NODELAY`, and 16 KiB that may wait in the kernel before they are sent.
    pub const fn new() -> Self {
        Self { unsent: Some(UNSENT) }
    }

    /// How many bytes may wait in the kernel before they are sent (`TCP_NOTSENT_LOWAT`), more or less: a write that begins below the bound
    /// may go beyond it. `None` leaves it to the system, which commonly has no bound but that of the send buffer. 0 is as 1.
    pub const fn unsent_bound(mut self, bytes: Option<u32>) -> Self {
        self.unsent = bytes;
        self
    }

    /// Sets them on a stream.
    ///
    /// # Errors
    /// When the system refuses one. The other one is set all the same, and the stream is as good as before.
    pub fn set(&self, stream: &TcpStream) -> io::Result<()> {
        let no_delay = stream.set_nodelay(true);
        let bound = self.unsent.map_or(Ok(()), |bytes| bound_unsent(stream, bytes));
        no_delay.and(bound)
    }

    /// Sets them on each stream that it is given, for axum's `tap_io`. What cannot be set is passed over: a connection is not lost by it.
    pub fn tap(self) -> impl Fn(&mut TcpStream) + Clone + Send + Sync + 'static {
        move |stream| {
            let _ = self.set(stream);
        }
    }
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn bound_unsent(stream: &TcpStream, bytes: u32) -> io::Result<()> {
    // To the kernel, 0 is no bound.
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes.max(1))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn bound_unsent(_: &TcpStream, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;

    /// An accepted stream, and its client.
    async fn streams() -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        Ok((accepted, client))
    }

    /// What the kernel says: whether there is no delay, and the bound.
    fn said(stream: &TcpStream) -> io::Result<(bool, u32)> {
        Ok((stream.nodelay()?, SockRef::from(stream).tcp_notsent_lowat()?))
    }

    #[tokio::test]
    async fn what_is_to_be_set_is_what_the_kernel_says() -> io::Result<()> {
        let (untouched, _client) = streams().await?;
        let (false, systems_own) = said(&untouched)? else {
            panic!("{:?}", said(&untouched));
        };
        let options = TcpOptions::new();
        for (options, bound) in [
            (options, UNSENT),
            (TcpOptions::default(), UNSENT),
            (options.unsent_bound(Some(100_000)), 100_000),
            (options.unsent_bound(Some(0)), 1),
            (options.unsent_bound(Some(u32::MAX)), u32::MAX),
            (options.unsent_bound(None), systems_own),
        ] {
            let (mut tapped, client) = streams().await?;
            options.tap()(&mut tapped);
            options.set(&client)?;
            for stream in [&tapped, &client] {
                assert_eq!(said(stream)?, (true, bound), "{options:?}");
            }
        }
        Ok(())
    }
}
