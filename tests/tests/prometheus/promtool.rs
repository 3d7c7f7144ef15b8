//! What promtool says of our text.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{HeaderName, Request, Version};
use http_body_util::BodyExt;
use libtest_mimic::Failed;
use tests::{body::ScriptedBody, client::Client, prometheus::promtool_check_metrics, server::Server};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_vitals::{
    AuthType, ClientMetricsLayer, IdHasher, MetricsLayer, Principal, PrincipalIds, RequestBodyLayer, Slo, Unit, Vitals,
    encode::Protocol,
};

use crate::{
    app::{App, send_mix},
    computed,
};

const GRPC: (HeaderName, &str) = (http::header::CONTENT_TYPE, "application/grpc");

pub(crate) fn promtool() -> Result<(), Failed> {
    let vitals = Vitals::builder()
        .namespace("shop")
        .constant_label("service", "cart")
        .build()?;
    let _ = MetricsLayer::new(&vitals);
    let jobs = vitals
        .counter("jobs", "Jobs \"run\" \\ or\nnot")
        .budget("queue", 1)
        .labels(["queue"])?;
    jobs.with(["mail"]).inc();
    jobs.with(["sms\n"]).inc();
    vitals.float_counter("cpu_seconds_total", "CPU time").register()?.inc_by(0.25);
    vitals.gauge("depth", "Jobs that wait").register()?.set(-3);
    vitals.float_gauge("fill_ratio", "How full it is").register()?.set(f64::NAN);
    let _running = vitals.in_flight("jobs_running", "Jobs that run").register()?.start();
    let sizes = vitals
        .histogram("size", "Sizes")
        .unit(Unit::Bytes)
        .buckets([0.00005, 1.0, 1e6]);
    sizes.register()?.observe(1e300);
    let waits = vitals.histogram("wait_seconds", "Waiting times").labels(["queue"])?;
    waits.with(["{\"}"]).observe_duration(Duration::from_nanos(1));
    computed::register(&vitals)?;
    let app = App::default();
    let server = async {
        let server = Server::start(app.router(&vitals)).await?;
        send_mix(&server).await?;
        send_rarer(&vitals).await?;
        let answer = Client::http1(server.addr())
            .await?
            .send(tests::client::get("/metrics"))
            .await?;
        Ok::<_, Failed>(answer.text()?.to_owned())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(server)?;
    for descriptor in vitals.catalogue() {
        let name = descriptor.sample_name();
        let attachments = name == "shop_vitals_attachment_errors_total";
        assert!(attachments || text.contains(&format!("# TYPE {name} ")), "{name}");
    }
    assert!(!text.contains("# EOF") && text == vitals.encode_to_string(Protocol::TEXT));
    Ok(promtool_check_metrics(&text)?)
}

/// Gives the families something to tell that ordinary requests have nothing for, from a client in the same process.
async fn send_rarer(vitals: &Vitals) -> Result<(), Failed> {
    let layer = MetricsLayer::builder(vitals)
        .principal_ids(PrincipalIds::new(IdHasher::sha256()))
        .head_seconds()
        .body_bytes()
        .slo("/who", Slo::new(Duration::from_secs(1)));
    let who = async |body: String| {
        Principal::new(AuthType::Jwt).user("ann").api_key("ci").record();
        // Somebody else.
        Principal::new(AuthType::Jwt).user("bob").record();
        body
    };
    let events = async || {
        let body = ScriptedBody::new().data("data: one\n\n").hides_end();
        ([("content-type", "text/event-stream")], Body::new(body))
    };
    let pay = async || [GRPC, (HeaderName::from_static("grpc-status"), "0")];
    let app = Router::new()
        .route("/who", post(who))
        .route("/events", get(events))
        .route("/shop.Cart/Pay", post(pay))
        .layer(ServiceBuilder::new().layer(layer.build()?).layer(RequestBodyLayer::new()));
    let sending = ClientMetricsLayer::builder(vitals, "itself").head_seconds().body_bytes();
    let client = sending.build()?.layer(RequestBodyLayer::new().layer(app));
    let requests = [
        Request::post("/who").body(Body::from("who"))?,
        Request::get("/events").body(Body::empty())?,
        Request::post("/shop.Cart/Pay")
            .version(Version::HTTP_2)
            .header(GRPC.0, GRPC.1)
            .body(Body::empty())?,
    ];
    for request in requests {
        let response = client.clone().oneshot(request).await?;
        assert_eq!(response.status(), 200);
        response.into_body().collect().await?;
    }
    vitals.errors()?.with(["payment"]).inc();
    Ok(())
}
