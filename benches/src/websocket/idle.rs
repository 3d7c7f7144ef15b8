//! What a connection holds while nothing comes and nothing is sent.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use tokio::{net::TcpListener, runtime, task::yield_now, time::sleep};

use super::servers::{self, HANDSHAKE, Server};
use crate::{
    Result,
    heap::{self, Heap, Meter},
};

/// Connections that are measured, after some others.
const CONNECTIONS: usize = 500;
const BEFORE: usize = 100;

/// Bytes of heap that an idle connection holds.
pub(crate) fn held(server: &Server) -> Result<f64> {
    Ok(heap::ask("websocket", &["idle", server.name])?.held)
}

/// Opens connections, and says what the server holds for each.
pub(super) fn on_heap(meter: &dyn Meter, server: &str) -> Result<Heap> {
    let server = servers::find(server)?;
    // One thread for the server and its clients, who are sockets of the system and no more.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    runtime.spawn(servers::serve(listener, server));
    let mut clients = Vec::with_capacity(BEFORE + CONNECTIONS);
    let mut open = |connections| -> Result<()> {
        for _ in 0..connections {
            clients.push(runtime.block_on(connect(address))?);
        }
        // All of them wait for a message by then.
        runtime.block_on(async { sleep(Duration::from_millis(100)).await });
        Ok(())
    };
    open(BEFORE)?;
    let mut opened = Ok(());
    let heap = meter.measure(&mut || opened = open(CONNECTIONS));
    opened?;
    Ok(heap.per(CONNECTIONS as f64))
}

/// A client's side of a connection whose handshake was answered.
async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut client = TcpStream::connect(address)?;
    client.set_nonblocking(true)?;
    client.write_all(HANDSHAKE)?;
    let mut answer = [0; 1_024];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n") {
        match client.read(&mut answer[length..]) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    if answer.starts_with(b"HTTP/1.1 101 ") {
        Ok(client)
    } else {
        Err(String::from_utf8_lossy(&answer[..length]).into())
    }
}
