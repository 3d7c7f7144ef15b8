//! Reads Prometheus' protobuf back.

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{Metric, MetricFamily};
use prost::Message;

use super::super::Kind;
use crate::Result;

/// How many lines the same would be as text.
pub(super) fn samples(mut body: &[u8], kind: Kind) -> Result<usize> {
    let mut found = 0;
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body)?;
        if family.name == kind.family() {
            found += family.metric.iter().map(lines).sum::<usize>();
        }
    }
    Ok(found)
}

fn lines(metric: &Metric) -> usize {
    if metric.counter.is_some() {
        return 1;
    }
    // Besides the buckets the sum and the count.
    metric.histogram.as_ref().map_or(0, |histogram| histogram.bucket.len() + 2)
}
