//! Questions to a Prometheus.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::Result;
use crate::client::{Client, get};
use crate::exchange::Answer;
use crate::exposition::{Labels, labels};
use crate::until::until_async;

/// How often to ask again.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks the Prometheus at an address.
#[derive(Clone, Copy, Debug)]
pub struct PromQl {
    addr: SocketAddr,
}

/// One element of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, `__name__` among them where there is one.
    pub labels: Labels,
    /// Its value now.
    pub value: f64,
}

/// How scraping a target goes.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetHealth {
    /// The target's job.
    pub job: String,
    /// What is scraped.
    pub url: String,
    /// `up`, `down`, or `unknown` before the first scrape.
    pub health: String,
    /// Why the last scrape failed, or nothing.
    pub last_error: String,
}

// === impl PromQl ===

impl PromQl {
    /// Asks the Prometheus at this address.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    /// Evaluates an expression now.
    ///
    /// # Errors
    ///
    /// When Prometheus refuses it, or gives no instant vector or scalar.
    pub async fn query(&self, expr: &str) -> Result<Vec<Sample>> {
        let form = format!("query={}", form_encode(expr));
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post("/api/v1/query").header("content-type", kind);
        let request = request.body(Full::<Bytes>::from(form))?;
        let answer = Client::http1(self.addr).await?.send(request).await?;
        let data = data(&answer).map_err(|error| format!("{expr}: {error}"))?;
        samples(&data)
    }

    /// Evaluates an expression that gives one value, or none.
    ///
    /// # Errors
    ///
    /// As [`PromQl::query`], or when there are several.
    pub async fn scalar(&self, expr: &str) -> Result<Option<f64>> {
        match self.query(expr).await?.as_slice() {
            [] => Ok(None),
            [sample] => Ok(Some(sample.value)),
            several => Err(format!("{expr}: several values: {several:?}").into()),
        }
    }

    /// Evaluates an expression until `accept` likes the answer.
    ///
    /// # Errors
    ///
    /// As [`PromQl::query`], at once; after `deadline`, with the last answer
    /// and how the scrapes go.
    pub async fn until(&self, expr: &str, deadline: Duration, accept: impl Fn(&[Sample]) -> bool) -> Result<Vec<Sample>> {
        let accept = |answer: &Result<Vec<Sample>>| match answer {
            Ok(samples) => accept(samples),
            Err(_) => true,
        };
        match until_async(deadline, PAUSE, || self.query(expr), accept).await {
            Ok(answer) => answer,
            Err(error) => {
                let targets = self.targets().await;
                Err(format!("{expr}: {error}; targets: {targets:?}").into())
            }
        }
    }

    /// How scraping each target goes.
    ///
    /// # Errors
    ///
    /// When Prometheus does not answer.
    pub async fn targets(&self) -> Result<Vec<TargetHealth>> {
        let data = self.get("/api/v1/targets?state=active").await?;
        let targets = data["activeTargets"].as_array();
        let text = |json: &Value| json.as_str().unwrap_or_default().to_owned();
        let health = |target: &Value| TargetHealth {
            job: text(&target["labels"]["job"]),
            url: text(&target["scrapeUrl"]),
            health: text(&target["health"]),
            last_error: text(&target["lastError"]),
        };
        let targets = targets.ok_or("the answer has no targets")?;
        Ok(targets.iter().map(health).collect())
    }

    /// The `data` of any other part of Prometheus's API.
    ///
    /// # Errors
    ///
    /// When Prometheus answers with an error.
    pub async fn get(&self, path_and_query: &str) -> Result<Value> {
        let mut client = Client::http1(self.addr).await?;
        data(&client.send(get(path_and_query)).await?)
    }
}

fn data(answer: &Answer) -> Result<Value> {
    let mut json: Value = serde_json::from_slice(&answer.body).map_err(|_| format!("{}: {:?}", answer.status(), answer.body))?;
    if answer.status() != StatusCode::OK || json["status"] != "success" {
        return Err(format!("{}: {json}", answer.status()).into());
    }
    Ok(json["data"].take())
}

fn samples(data: &Value) -> Result<Vec<Sample>> {
    let result = &data["result"];
    match (data["resultType"].as_str(), result.as_array()) {
        (Some("vector"), Some(elements)) => elements.iter().map(element).collect(),
        (Some("scalar"), _) => {
            let labels = Labels::new();
            let value = value(result)?;
            Ok(vec![Sample { labels, value }])
        }
        _ => Err(format!("neither an instant vector nor a scalar: {data}").into()),
    }
}

fn element(json: &Value) -> Result<Sample> {
    Ok(Sample {
        labels: labels(&json["metric"])?,
        value: value(&json["value"])?,
    })
}

/// A pair of time and value, the value in text: `NaN`, `+Inf`.
fn value(pair: &Value) -> Result<f64> {
    let text = pair[1].as_str();
    Ok(text.ok_or_else(|| format!("no value: {pair}"))?.parse()?)
}

fn form_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte.is_ascii_alphanumeric() {
            true => encoded.push(char::from(byte)),
            false => write!(encoded, "%{byte:02X}").expect("a String takes all"),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn encodes_what_a_form_must_not_hold() {
        assert_eq!(form_encode("a{b=\"é\"}+1"), "a%7Bb%3D%22%C3%A9%22%7D%2B1");
    }

    #[test]
    fn reads_vectors_and_scalars() {
        let vector = json!({
            "resultType": "vector",
            "result": [{ "metric": { "job": "a" }, "value": [1.5, "+Inf"] }],
        });
        let found = samples(&vector).unwrap();
        assert_eq!(found[0].labels["job"], "a");
        assert_eq!(found[0].value, f64::INFINITY);
        let scalar = json!({ "resultType": "scalar", "result": [1.5, "NaN"] });
        assert!(samples(&scalar).unwrap()[0].value.is_nan());
        let matrix = json!({ "resultType": "matrix", "result": [] });
        assert!(samples(&matrix).is_err());
    }
}
