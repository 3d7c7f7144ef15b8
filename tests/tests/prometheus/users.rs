//! PromQL tells who makes the most requests, by the hashes of their IDs.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use http_body_util::Empty;
use libtest_mimic::Failed;
use tests::{
    client::Client,
    prometheus::{Prometheus, Target},
    promql::{PromQl, Sample},
    server::Server,
};
use tower_vitals::{AuthType, Clock, IdHasher, ManualClock, MetricsLayer, MetricsRoute, OTHER, Principal, PrincipalIds, Vitals};

/// How long Prometheus may take until it has scraped the last numbers.
const SCRAPED: Duration = Duration::from_secs(20);

const SECRET: &str = "sixteen bytes or more";

/// Users, how many requests each sends, and the first 8 hex digits of HMAC-SHA-256 under the secret, by Python's `hmac`.
const USERS: [(&str, u32, &str); 12] = [
    ("ann", 3, "a73f7456"),
    ("bob", 80, "73e8e09f"),
    ("cleo", 5, "6ca9f8aa"),
    ("dan", 1, "be043564"),
    ("eve", 65, "ef80fa15"),
    ("finn", 12, "7a0c1260"),
    ("gus", 2, "0d2f933c"),
    ("hal", 120, "ac715640"),
    ("ida", 35, "cdfad40f"),
    ("jo", 9, "d54dbf5e"),
    ("kim", 50, "9ec5b857"),
    ("lou", 7, "f4eefdd5"),
];

/// hal, bob, eve, kim and ida.
const TOP: [&str; 5] = ["ac715640", "73e8e09f", "ef80fa15", "9ec5b857", "cdfad40f"];

const QUERY: &str = "topk(5, sum by (user) (rate(http_user_requests_total[1m])))";

/// An application that takes the word of its requests for who they are, and a Prometheus that scrapes it.
struct Shop {
    server: Server,
    prometheus: Prometheus,
}

async fn authenticate(request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(user) = user {
        Principal::new(AuthType::Jwt).user(user).record();
    }
    next.run(request).await
}

impl Shop {
    async fn open(vitals: &Vitals, budget: usize) -> Result<Self, Failed> {
        let ids = PrincipalIds::new(IdHasher::keyed(SECRET)?).users(budget);
        let app = Router::new()
            .route("/", get(async || "hello"))
            .layer(from_fn(authenticate))
            .layer(MetricsLayer::builder(vitals).principal_ids(ids).build()?)
            .route_service("/metrics", MetricsRoute::new(vitals));
        let server = Server::start(app).await?;
        let target = Target {
            job: "shop",
            addr: server.addr(),
            path: "/metrics",
        };
        let prometheus = Prometheus::start(&[target]).await?;
        Ok(Self { server, prometheus })
    }

    async fn send(&self, requests: &[(&str, u32)]) -> Result<(), Failed> {
        let mut client = Client::http1(self.server.addr()).await?;
        for (user, times) in requests {
            for _ in 0..*times {
                let request = Request::get("/").header("x-user", *user).body(Empty::new())?;
                assert_eq!(client.send(request).await?.text()?, "hello");
            }
        }
        Ok(())
    }

    /// Sends a request of each user, and the rest of them once that was scraped: what a series begins with is no rate.
    async fn send_all(&self) -> Result<(), Failed> {
        self.send(&USERS.map(|(user, ..)| (user, 1))).await?;
        self.counts(&USERS.map(|(_, _, hash)| (hash, 1))).await?;
        self.send(&USERS.map(|(user, times, _)| (user, times - 1))).await?;
        self.counts(&USERS.map(|(_, times, hash)| (hash, times))).await
    }

    /// Waits until Prometheus has exactly these counts, as the last scrape gave them.
    async fn counts(&self, expected: &[(&str, u32)]) -> Result<(), Failed> {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(user, count)| ((*user).to_owned(), f64::from(*count)))
            .collect();
        let query = format!("sum by (user) (http_user_requests_total{{user!=\"{OTHER}\"}})");
        let counts = |samples: &[Sample]| samples.iter().map(by_user).collect::<BTreeMap<_, _>>();
        let seen = self
            .promql()
            .until(&query, SCRAPED, |samples| counts(samples) == expected)
            .await;
        seen.map_err(|error| format!("expected {expected:?}: {error}"))?;
        Ok(())
    }

    /// The five, the first one first.
    async fn top(&self) -> Result<Vec<String>, Failed> {
        let mut top: Vec<_> = self.promql().query(QUERY).await?.iter().map(by_user).collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(top.into_iter().map(|(user, _)| user).collect())
    }

    fn promql(&self) -> PromQl {
        self.prometheus.promql()
    }
}

fn by_user(sample: &Sample) -> (String, f64) {
    (sample.labels.get("user").cloned().unwrap_or_default(), sample.value)
}

pub(crate) async fn top_five() -> Result<(), Failed> {
    let shop = Shop::open(&Vitals::new(), 1_000).await?;
    shop.send_all().await?;
    assert_eq!(shop.top().await?, TOP);
    let series = shop.promql().query("http_user_requests_total").await?;
    for sample in &series {
        let labels = ["auth_type", "outcome"].map(|name| sample.labels.get(name).map(String::as_str));
        assert_eq!(labels, [Some("jwt"), Some("completed")], "{sample:?}");
    }
    assert_eq!(series.len(), USERS.len());
    Ok(())
}

/// The labels show who is there, and not who came first.
pub(crate) async fn after_a_full_budget() -> Result<(), Failed> {
    let clock = ManualClock::new();
    let vitals = Vitals::builder().clock(Clock::manual(&clock)).build()?;
    let shop = Shop::open(&vitals, USERS.len()).await?;
    let strangers: Vec<_> = (0..USERS.len()).map(|number| format!("stranger {number}")).collect();
    let twice: Vec<(&str, u32)> = strangers.iter().map(|user| (&**user, 2)).collect();
    shop.send(&twice).await?;
    let others = format!("sum(http_user_requests_total{{user=\"{OTHER}\"}})");
    shop.send(&USERS.map(|(user, ..)| (user, 1))).await?;
    // Nobody else has a place.
    let all = f64::from(u32::try_from(USERS.len())?);
    let is_all = |samples: &[Sample]| samples.iter().map(|sample| sample.value).eq([all]);
    shop.promql().until(&others, SCRAPED, is_all).await?;
    let users = "count(count by (user) (http_user_requests_total))";
    assert_eq!(shop.promql().scalar(users).await?, Some(all + 1.0));

    clock.advance(Duration::from_secs(3_602));
    shop.send_all().await?;
    assert_eq!(shop.top().await?, TOP);
    assert_eq!(shop.promql().scalar(&others).await?, Some(all), "the others' have not grown");
    Ok(())
}
