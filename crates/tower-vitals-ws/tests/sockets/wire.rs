use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_tungstenite030::{WebSocketStream, tungstenite::protocol::Role};

/// A client of tungstenite.
pub(crate) type Client = WebSocketStream<TcpStream>;

/// Both sides of a connection: that of the server first.
pub(crate) async fn wire() -> (TcpStream, TcpStream) {
    connect(TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap()).await
}

/// The same, whose kernel keeps little for a side that does not read.
pub(crate) async fn narrow() -> (TcpStream, TcpStream) {
    let [server, peer] = [TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap()];
    server.set_send_buffer_size(4_096).unwrap();
    peer.set_recv_buffer_size(4_096).unwrap();
    connect(server, peer).await
}

/// The same, whose kernel keeps little both ways.
pub(crate) async fn cramped() -> (TcpStream, TcpStream) {
    let [server, peer] = [TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap()];
    for side in [&server, &peer] {
        side.set_send_buffer_size(4_096).unwrap();
        side.set_recv_buffer_size(4_096).unwrap();
    }
    connect(server, peer).await
}

async fn connect(server: TcpSocket, peer: TcpSocket) -> (TcpStream, TcpStream) {
    server.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let listener: TcpListener = server.listen(1).unwrap();
    let peer = peer.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    for side in [&server, &peer] {
        side.set_nodelay(true).unwrap();
    }
    (server, peer)
}

pub(crate) async fn client(stream: TcpStream) -> Client {
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

/// Ends a connection so that the other side cannot even read what is left.
pub(crate) fn reset(peer: TcpStream) {
    peer.set_zero_linger().unwrap();
    drop(peer);
}

/// Whatever comes until the other side lets go.
pub(crate) async fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection that is reset gives what came before.
    let _ = peer.read_to_end(&mut bytes).await;
    bytes
}

pub(crate) async fn write(peer: &mut TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).await.unwrap();
}

/// The bytes of a frame that a client sends, with a mask that changes nothing.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The frame of a closing message.
pub(crate) fn closing(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

/// What a server sent in frames, by their first bytes.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (len, rest) = match (len, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let len = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(len).unwrap(), rest)
            }
            (len, rest) => (usize::from(*len), rest),
        };
        let Some((payload, rest)) = rest.split_at_checked(len) else {
            break;
        };
        frames.push((*first, payload.to_vec()));
        bytes = rest;
    }
    frames
}

/// The codes of the closing messages that a server sent.
pub(crate) fn codes(bytes: &[u8]) -> Vec<u16> {
    let closing = frames(bytes).into_iter().filter(|(first, _)| *first == 0x88);
    closing
        .map(|(_, payload)| u16::from_be_bytes([payload[0], payload[1]]))
        .collect()
}

/// The next frame that a server sends.
pub(crate) async fn next_frame(peer: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    peer.read_exact(&mut head).await.unwrap();
    assert!(head[1] < 126, "{head:?}");
    let mut payload = vec![0; head[1].into()];
    peer.read_exact(&mut payload).await.unwrap();
    (head[0], payload)
}

/// A frame that a client must mask, and did not.
pub(crate) const UNMASKED: [u8; 3] = [0x82, 1, 7];

/// The beginning of a frame of four gigabytes.
pub(crate) const GIANT: [u8; 14] = [0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
