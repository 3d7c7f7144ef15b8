//! What promtool says of our text.

use std::time::Duration;

use libtest_mimic::Failed;
use tests::{client::Client, prometheus::promtool_check_metrics, server::Server};
use tower_vitals::{MetricsLayer, Unit, Vitals, encode::Protocol};

use crate::app::{App, send_mix};

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
    let app = App::default();
    let server = async {
        let server = Server::start(app.router(&vitals)).await?;
        send_mix(&server).await?;
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
