//! A service of hyper's without a framework: counted by the layer, with the metrics on the same port.
//!
//! ```text
//! cargo run --example hyper_server                     serves on 127.0.0.1:3000
//! ADDR=127.0.0.1:0 cargo run --example hyper_server    serves on any free port
//! ```

use std::{convert::Infallible, env, error::Error, time::Duration};

use http_body_util::{Either, Full};
use hyper::{Method, Request, Response, StatusCode, body::Bytes};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_vitals::{MetricsLayer, MetricsRoute, Vitals};

/// How long open requests may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_millis(100);

/// What a request is for.
enum Route<'a> {
    Index,
    User(&'a str),
    Slow,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        match path {
            "/" => Some(Self::Index),
            "/slow" => Some(Self::Slow),
            _ => {
                let id = path.strip_prefix("/users/")?;
                (!id.is_empty() && !id.contains('/')).then_some(Self::User(id))
            }
        }
    }

    /// What the metrics call it: a template, never the path.
    fn template(&self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::User(_) => "/users/{id}",
            Self::Slow => "/slow",
        }
    }
}

async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match Route::of(request.uri().path()) {
        Some(_) if request.method() != Method::GET => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
        Some(Route::Index) => (StatusCode::OK, "hello\n".to_owned()),
        Some(Route::User(id)) => (StatusCode::OK, format!("user {id}\n")),
        Some(Route::Slow) => {
            sleep(Duration::from_secs(1)).await;
            (StatusCode::OK, "here at last\n".to_owned())
        }
        None => (StatusCode::NOT_FOUND, "not here\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::new();
    let layer = MetricsLayer::builder(&vitals)
        .route_with(|request| Route::of(request.uri.path()).map(|route| route.template().into()))
        .build()?;
    let (counted, metrics) = (layer.layer(service_fn(answer)), MetricsRoute::new(&vitals));
    // Scrapes go past the layer, and stay out of the numbers.
    let app = service_fn(move |request: Request<_>| {
        let (counted, metrics) = (counted.clone(), metrics.clone());
        async move {
            match request.uri().path() {
                "/metrics" => metrics.oneshot(request).await.map(|scrape| scrape.map(Either::Left)),
                _ => counted.oneshot(request).await.map(|answer| answer.map(Either::Right)),
            }
        }
    });

    let listener = TcpListener::bind(env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into())).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    println!("{url}/users/42, {url}/slow, {url}/metrics; Ctrl-C stops");

    let (server, connections) = (auto::Builder::new(TokioExecutor::new()), GracefulShutdown::new());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Such as too many open files, which passes.
                    eprintln!("no connection: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            },
            stopped = &mut stop => break stopped?,
        };
        let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        // How a connection breaks is in the outcomes of its requests.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    drop(listener);
    // Who holds a request open does not hold the server.
    let _ = timeout(GRACE, connections.shutdown()).await;
    Ok(())
}
