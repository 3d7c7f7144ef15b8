//! Histograms that are computed from rows at each scrape.

use libtest_mimic::Failed;
use tests::promql::PromQl;
use tower_vitals::{Vitals, encode::Number};

/// The powers of 4 from 64 bytes to 64 MiB.
const BOUNDS: [u32; 11] = [
    64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];

/// Uploads of a user.
struct Row {
    user: &'static str,
    counts: &'static [u64],
    bytes: u32,
}

fn rows() -> Vec<Row> {
    let ann = Row {
        user: "ann",
        counts: &[3, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1],
        bytes: 80_000_000,
    };
    // Fewer counts than there are buckets.
    let bob = Row {
        user: "bob",
        counts: &[0, 5],
        bytes: 1_000,
    };
    vec![ann, bob]
}

pub(crate) fn register(vitals: &Vitals) -> Result<(), Failed> {
    let sizes = vitals
        .histogram("upload_size_bytes", "Sizes of uploads")
        .buckets(BOUNDS.map(f64::from))
        .computed_histogram(["user"], |row: &Row, samples| {
            samples.push([row.user], row.counts, Number::Unsigned(row.bytes.into()));
        })?;
    Ok(vitals.register_collector([sizes], rows)?)
}

/// Every bucket is exact, the sum and the count too, and PromQL finds the quantile in its bucket.
pub(crate) async fn are_read(promql: &PromQl, job: &str) -> Result<(), Failed> {
    let ann = format!("{{job=\"{job}\",user=\"ann\"}}");
    let bob = format!("{{job=\"{job}\",user=\"bob\"}}");
    let buckets = promql.query(&format!("upload_size_bytes_bucket{ann}")).await?;
    assert_eq!(buckets.len(), BOUNDS.len() + 1);
    for bucket in &buckets {
        let le: f64 = bucket.labels["le"].parse()?;
        let expected = match le {
            ..1_048_576.0 => 3.0,
            ..=67_108_864.0 => 12.0,
            _ => 13.0,
        };
        assert!(
            le.is_infinite() || BOUNDS.iter().any(|bound| f64::from(*bound) == le),
            "{bucket:?}"
        );
        assert_eq!(bucket.value.to_bits(), f64::to_bits(expected), "{bucket:?}");
    }
    let value = async |expr: String| promql.scalar(&expr).await;
    assert_eq!(value(format!("upload_size_bytes_sum{ann}")).await?, Some(80_000_000.0));
    assert_eq!(value(format!("upload_size_bytes_count{ann}")).await?, Some(13.0));
    assert_eq!(value(format!("upload_size_bytes_sum{bob}")).await?, Some(1_000.0));
    assert_eq!(value(format!("upload_size_bytes_count{bob}")).await?, Some(5.0));
    let median = value(format!("histogram_quantile(0.5, upload_size_bytes_bucket{ann})")).await?;
    let median = median.ok_or("there is a quantile")?;
    assert!((262_144.0..=1_048_576.0).contains(&median), "{median}");
    Ok(())
}
