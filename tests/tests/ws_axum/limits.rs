//! What may wait to be sent.

use super::*;

/// Sends as much as the path says, and then how that went.
async fn sends(upgrade: MeteredUpgrade, size: usize) -> Response {
    upgrade
        .on_upgrade(async move |mut socket: MeteredWebSocket<ws::WebSocket>| {
            let sent = socket.send(ws::Message::Binary(vec![0; size].into())).await;
            let said = if sent.is_ok() { "sent" } else { "refused" };
            let _ = socket.send(ws::Message::text(said)).await;
            let _ = socket.finish().await;
        })
        .into_response()
}

#[tokio::test]
async fn what_may_wait_to_be_sent_is_as_large_as_is_said() -> Result<()> {
    const MIB: usize = 1024 * 1024;
    let vitals = Vitals::new();
    let router = Router::new()
        .route("/usual", any(async |upgrade: MeteredUpgrade| sends(upgrade, 4 * MIB).await))
        .route("/larger", any(async |upgrade: MeteredUpgrade| sends(upgrade, 5 * MIB).await))
        .route(
            "/said",
            any(async |upgrade: MeteredUpgrade| sends(upgrade.max_outgoing_message_size(5 * MIB), 5 * MIB).await),
        )
        .route(
            "/no-end",
            any(async |upgrade: MeteredUpgrade| {
                let upgrade = upgrade.max_outgoing_message_size(usize::MAX).write_buffer_size(usize::MAX);
                sends(upgrade, 5 * MIB).await
            }),
        );
    let addr = layered(&vitals, router).await?;
    for (path, expected) in [
        ("/usual", [4 * MIB, 4].as_slice()),
        ("/larger", &[7]),
        ("/said", &[5 * MIB, 4]),
        ("/no-end", &[5 * MIB, 4]),
    ] {
        let mut socket = connect(addr, path).await?;
        let mut sizes = Vec::new();
        while let Some(message) = timeout(LIMIT, socket.next()).await? {
            match message? {
                Message::Close(_) => {}
                message => sizes.push(message.len()),
            }
        }
        assert_eq!(sizes, expected, "{path}");
    }
    let mut dropped = family(&vitals, "websocket_bytes_dropped_total", &["endpoint", "reason"]);
    dropped.retain(|_, bytes| *bytes > 0);
    assert_eq!(dropped, owned(&[("/larger write_buffer_full", 5 * MIB as u64)]));
    Ok(())
}
