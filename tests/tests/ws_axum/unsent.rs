//! How much counts as flushed that has not left.
#![cfg(target_os = "linux")]

use std::{future::pending, net::IpAddr, time::Duration};

use axum::{
    extract::ConnectInfo,
    serve::{Listener, ListenerExt},
};
use tokio::net::TcpSocket;
use tower_vitals::ws::TcpOptions;

use super::*;

/// A message that was not flushed for so long will not be until the client reads.
const STUCK: Duration = Duration::from_secs(1);

/// What the application is told to be flushed, on connections from this listener, by clients that take little and read nothing.
async fn flushed_to_who_never_reads<L>(listener: L) -> Result<u64>
where
    L: Listener<Addr = SocketAddr>,
{
    let (stuck, mut is_stuck) = mpsc::channel(1);
    let floods = async move |upgrade: MeteredUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let message = ws::Message::Binary(vec![0; 4096].into());
            while let Ok(sent) = timeout(STUCK, socket.send(message.clone())).await {
                assert!(sent.is_ok(), "{sent:?}");
            }
            let _ = stuck.send(()).await;
            pending::<()>().await;
        })
    };
    let vitals = Vitals::new();
    let router = Router::new().route("/ws", any(floods)).layer(WebSocketLayer::new(&vitals));
    let addr = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });

    let client = TcpSocket::new_v4()?;
    client.set_recv_buffer_size(4096)?;
    let (_client, _) = client_async(format!("ws://{addr}/ws"), client.connect(addr).await?).await?;
    timeout(LIMIT, is_stuck.recv()).await?.ok_or("it ended")?;
    assert!(of_endpoints(&vitals, "websocket_buffered_bytes")["/ws"] > 0);
    Ok(of_endpoints(&vitals, "websocket_bytes_flushed_total")["/ws"])
}

#[tokio::test]
async fn what_a_client_leaves_unread_is_not_flushed_but_buffered() -> Result<()> {
    let listener = || TcpListener::bind("127.0.0.1:0");
    let usual = flushed_to_who_never_reads(listener().await?).await?;
    let bounded = flushed_to_who_never_reads(listener().await?.tap_io(TcpOptions::new().tap())).await?;
    let unbound = TcpOptions::new().unsent_bound(None);
    let unbound = flushed_to_who_never_reads(listener().await?.tap_io(unbound.tap())).await?;
    println!("flushed: {usual} bytes usually, {bounded} with a bound, {unbound} without one");
    assert!(bounded < usual / 4, "{bounded} of {usual}");
    assert!(unbound > usual / 2, "{unbound} of {usual}");
    Ok(())
}

#[tokio::test]
async fn a_listener_with_options_gives_addresses_as_before() -> Result<()> {
    async fn whose(ConnectInfo(addr): ConnectInfo<SocketAddr>, upgrade: MeteredUpgrade) -> Response {
        upgrade.on_upgrade(async move |mut socket: MeteredWebSocket<ws::WebSocket>| {
            let _ = socket.send(ws::Message::text(addr.to_string())).await;
            let _ = socket.finish().await;
        })
    }
    let vitals = Vitals::new();
    let router = Router::new().route("/ws", any(whose)).layer(WebSocketLayer::new(&vitals));
    let listener = TcpListener::bind("127.0.0.1:0").await?.tap_io(TcpOptions::new().tap());
    let addr = listener.local_addr()?;
    assert_eq!(addr.ip(), IpAddr::from([127, 0, 0, 1]));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let mut socket = connect(addr, "/ws").await?;
    let own = socket.get_ref().local_addr()?.to_string();
    let said = timeout(LIMIT, socket.next()).await?.ok_or("it ended")??;
    assert_eq!(said, Message::text(own));
    Ok(())
}
