//! Bytes to a socket and from it, as they are.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Result;

/// Gives up on a server that owes bytes.
const LIMIT: Duration = Duration::from_secs(10);

/// A TCP connection without a protocol; dropped, it closes.
#[derive(Debug)]
pub struct RawConn {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// Writes `bytes` and reads everything until the server closes, or is silent
/// for `idle`.
///
/// # Errors
///
/// When the connection fails, a reset by the server included.
pub async fn raw(addr: SocketAddr, bytes: &[u8], idle: Duration) -> Result<Vec<u8>> {
    let mut conn = RawConn::connect(addr).await?;
    conn.write(bytes).await?;
    conn.read_all(idle).await
}

impl RawConn {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn connect(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let unread = Vec::new();
        Ok(Self { stream, unread })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Tells the server that nothing more comes, and can still read.
    ///
    /// # Errors
    ///
    /// When the connection has failed.
    pub async fn finish_writing(&mut self) -> Result<()> {
        Ok(self.stream.shutdown().await?)
    }

    /// Reads exactly `count` bytes.
    ///
    /// # Errors
    ///
    /// When fewer come before the server closes, or within ten seconds.
    pub async fn read(&mut self, count: usize) -> Result<Vec<u8>> {
        self.read_up_to(|unread| (unread.len() >= count).then_some(count)).await
    }

    /// Reads up to and including `mark`, such as the blank line after a head.
    ///
    /// # Errors
    ///
    /// When it does not come before the server closes, or within ten seconds.
    pub async fn read_until(&mut self, mark: &[u8]) -> Result<Vec<u8>> {
        self.read_up_to(|unread| {
            let mut windows = unread.windows(mark.len());
            Some(windows.position(|window| window == mark)? + mark.len())
        })
        .await
    }

    /// Reads everything until the server closes, or is silent for `idle`.
    ///
    /// # Errors
    ///
    /// When the connection fails, a reset by the server included.
    pub async fn read_all(&mut self, idle: Duration) -> Result<Vec<u8>> {
        while let Ok(more) = timeout(idle, self.fill()).await {
            if more? == 0 {
                break;
            }
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// Closes at once with a TCP reset.
    ///
    /// # Errors
    ///
    /// When the socket refuses the option.
    pub fn reset(self) -> Result<()> {
        Ok(self.stream.set_zero_linger()?)
    }

    async fn read_up_to(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<u8>> {
        loop {
            if let Some(end) = end(&self.unread) {
                return Ok(self.unread.drain(..end).collect());
            }
            let more = timeout(LIMIT, self.fill()).await;
            let read = String::from_utf8_lossy(&self.unread);
            match more {
                Ok(Ok(0)) => return Err(format!("the server closed after {read:?}").into()),
                Ok(more) => drop(more?),
                Err(_) => return Err(format!("silent for {LIMIT:?} after {read:?}").into()),
            }
        }
    }

    async fn fill(&mut self) -> std::io::Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}
