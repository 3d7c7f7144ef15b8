//! The socket under a client, to be closed or reset at any moment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::rt::Executor;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;

/// Owns the tasks that drive a connection; dropped, it closes the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    second: Second,
    tasks: Tasks,
}

/// A second descriptor of the socket that hyper holds. It goes when hyper's
/// does, or it would keep the connection open.
#[derive(Clone, Debug)]
struct Second(Arc<Mutex<Option<TcpStream>>>);

/// Everything that hyper runs for one connection: over HTTP/2, the socket
/// belongs to a task that outlives hyper's `Connection`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Connects, and gives the stream twice: to drive, and to [`Connection::spawn`].
pub(crate) async fn connect(addr: SocketAddr) -> Result<(TcpStream, TcpStream)> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let second = TcpStream::from_std(stream.try_clone()?)?;
    Ok((TcpStream::from_std(stream)?, second))
}

// === impl Connection ===

impl Connection {
    /// Drives the connection until it ends.
    pub(crate) fn spawn<F>(second: TcpStream, tasks: Tasks, drive: F) -> Arc<Self>
    where
        F: Future + Send + 'static,
    {
        let second = Second(Arc::new(Mutex::new(Some(second))));
        let held = second.clone();
        tasks.execute(async move {
            drive.await;
            drop(held.release());
        });
        Arc::new(Self { second, tasks })
    }

    /// Closes the socket, whatever was under way.
    pub(crate) async fn close(&self) {
        self.tasks.stop().await;
        drop(self.second.release());
    }

    /// Closes the socket with a TCP reset.
    pub(crate) async fn reset(&self) -> Result<()> {
        self.tasks.stop().await;
        match self.second.release() {
            Some(socket) => Ok(socket.set_zero_linger()?),
            None => Err("the connection had already ended".into()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.lock().abort_all();
    }
}

// === impl Second ===

impl Second {
    fn release(&self) -> Option<TcpStream> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        second.take()
    }
}

// === impl Tasks ===

impl Tasks {
    /// Ends every task, and with them hyper's hold on the socket.
    async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.lock());
        tasks.shutdown().await;
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut tasks = self.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            future.await;
        });
    }
}
