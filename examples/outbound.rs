//! A service that asks others, by hyper-util's client and by reqwest's. What it is asked and what it asks are counted apart. The others
//! are a second server in this process: one knows the prices, one the reviews, which is often late.
//!
//! ```text
//! cargo run --example outbound    serves on 127.0.0.1:3000, or on another ADDR
//! ```

use std::{env, error::Error, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{Request, StatusCode},
    response::IntoResponse,
    routing::get,
};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_vitals::{ClientMetricsLayer, Metrics, MetricsLayer, MetricsRoute, ReqwestService, Vitals};

/// How long an answer of the late one is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Each for a target with a name. Clones share their connections and their numbers.
#[derive(Clone)]
struct Clients {
    prices: Metrics<Client<HttpConnector, Empty<Bytes>>>,
    reviews: Metrics<ReqwestService>,
    /// Where both are. It is in no label.
    authority: String,
}

impl Clients {
    fn new(vitals: &Vitals, authority: String) -> Result<Self, Box<dyn Error>> {
        let hyper = Client::builder(TokioExecutor::new()).build_http();
        let reqwest = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            prices: ClientMetricsLayer::new(vitals, "prices").layer(hyper),
            reviews: ClientMetricsLayer::new(vitals, "reviews").layer(ReqwestService::new(reqwest)),
            authority,
        })
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }
}

/// With hyper-util's client. It ends when the body has been read.
async fn price(State(clients): State<Clients>, Path(item): Path<u32>) -> Result<Bytes, Failed> {
    let request = Request::get(clients.uri(&format!("/prices/{item}"))).body(Empty::new())?;
    let response = clients.prices.oneshot(request).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

/// With reqwest. Who gives up waiting has aborted the request.
async fn review(State(clients): State<Clients>, Path(item): Path<u32>) -> Result<String, Failed> {
    let request = Request::get(clients.uri(&format!("/reviews/{item}"))).body(String::new())?;
    let response = timeout(PATIENCE, clients.reviews.oneshot(request)).await??;
    Ok(reqwest::Response::from(response.map(reqwest::Body::wrap)).text().await?)
}

/// Whatever goes wrong out there.
struct Failed(String);

impl<E: Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(format!("{error}\n"))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::BAD_GATEWAY, self.0).into_response()
    }
}

/// The others. Reviews of items above 9 take long.
fn others() -> Router {
    let review = async |Path(item): Path<u64>| {
        sleep(Duration::from_secs(item / 10)).await;
        format!("item {item} is fine\n")
    };
    let price = async |Path(item): Path<u32>| format!("item {item} costs {}\n", item.saturating_mul(3));
    Router::new()
        .route("/prices/{item}", get(price))
        .route("/reviews/{item}", get(review))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let behind = TcpListener::bind("127.0.0.1:0").await?;
    let authority = behind.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(behind, others()).await });

    let vitals = Vitals::new();
    let app = Router::new()
        .route("/price/{item}", get(price))
        .route("/review/{item}", get(review))
        .with_state(Clients::new(&vitals, authority)?)
        .layer(MetricsLayer::new(&vitals))
        .route_service("/metrics", MetricsRoute::new(&vitals));
    let listener = TcpListener::bind(env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into())).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{url}/price/7, {url}/review/7, {url}/review/70, {url}/metrics; Ctrl-C stops");
    Ok(axum::serve(listener, app).await?)
}
