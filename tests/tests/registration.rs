//! What cannot be registered, and how the error says so.

use tower_vitals::{MetricsLayer, RegisterError, Unit, Vitals, encode::Protocol};

/// Something to register.
type Declare = fn(&Vitals) -> Result<(), RegisterError>;

/// Declares a family without labels, or with those given.
macro_rules! declare {
    ($kind:ident, $name:expr $(, $setter:ident($($argument:expr),*))* ; $labels:expr) => {
        |vitals: &Vitals| vitals.$kind($name, "Help")$(.$setter($($argument),*))*.labels($labels).map(drop)
    };
    ($kind:ident, $name:expr $(, $setter:ident($($argument:expr),*))*) => {
        |vitals: &Vitals| vitals.$kind($name, "Help")$(.$setter($($argument),*))*.register().map(drop)
    };
}

fn refused(vitals: &Vitals, declare: Declare) -> String {
    let before = vitals.catalogue().len();
    let message = declare(vitals).expect_err("it is refused").to_string();
    assert_eq!(vitals.catalogue().len(), before, "{message}");
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message:?}");
    message
}

#[test]
fn a_metric_name_that_prometheus_refuses() {
    let letters = "may only have letters, digits and `_` (a colon is for recording rules)";
    let total = "must not end in `_total`, which is for counters";
    let table: &[(Declare, &str, &str)] = &[
        (declare!(counter, ""), "", "must not be empty"),
        (declare!(gauge, "2fast"), "2fast", "must start with a letter or `_`"),
        (declare!(gauge, "-"), "-", "must start with a letter or `_`"),
        (declare!(histogram, "a-b"), "a-b", letters),
        (declare!(in_flight, "a b"), "a b", letters),
        (declare!(float_gauge, "a.b"), "a.b", letters),
        (declare!(float_counter, "a:b"), "a:b", letters),
        (declare!(counter, "naïve"), "naïve", letters),
        (declare!(counter, "a\nb"), "a\\nb", letters),
        (declare!(counter, "a\0"), "a\\0", letters),
        (declare!(counter, "a{b=\"c\"}"), "a{b=\\\"c\\\"}", letters),
        (declare!(counter, "_total"), "_total", "must say more than `_total`"),
        (declare!(gauge, "users_total"), "users_total", total),
        (declare!(histogram, "users_total"), "users_total", total),
        (declare!(in_flight, "users_total"), "users_total", total),
    ];
    for (declare, name, rule) in table {
        assert_eq!(refused(&Vitals::new(), *declare), format!("metric name `{name}` {rule}"));
    }
    let long = "x".repeat(5000);
    let error = Vitals::new().counter(&long, "Help").register().unwrap_err().to_string();
    assert!(
        error.ends_with("must not be longer than 200 characters") && error.len() < 300,
        "{error}"
    );
}

#[test]
fn a_label_name_that_prometheus_refuses() {
    let letters = "may only have letters, digits and `_`";
    let own = "must not start with `__`, which Prometheus keeps for itself";
    let buckets = "is reserved for the buckets and quantiles of Prometheus";
    let table: &[(Declare, &str, &str)] = &[
        (declare!(counter, "a"; [""]), "", "must not be empty"),
        (
            declare!(counter, "a"; ["ok", "2fast"]),
            "2fast",
            "must start with a letter or `_`",
        ),
        (declare!(counter, "a"; ["a-b"]), "a-b", letters),
        (declare!(counter, "a"; ["a:b"]), "a:b", letters),
        (declare!(counter, "a"; ["é"]), "é", "must start with a letter or `_`"),
        (declare!(counter, "a"; ["x=\"\",y"]), "x=\\\"\\\",y", letters),
        (declare!(gauge, "a"; ["__name__"]), "__name__", own),
        (declare!(histogram, "a"; ["le"]), "le", buckets),
        (declare!(gauge, "a"; ["quantile"]), "quantile", buckets),
        (declare!(gauge, "a"; ["b", "c", "b"]), "b", "is declared twice"),
        (declare!(gauge, "a"; ["service"]), "service", "is a constant label already"),
    ];
    for (declare, name, rule) in table {
        let vitals = Vitals::builder().constant_label("service", "cart").build().unwrap();
        assert_eq!(refused(&vitals, *declare), format!("label name `{name}` {rule}"));
    }
}

#[test]
fn other_settings_that_make_no_sense() {
    let table: &[(Declare, &str)] = &[
        (
            declare!(counter, "a", budget("path", 5); ["route", "method"]),
            "`a`: budget or closed set for label `path`, but the labels are [\"route\", \"method\"]",
        ),
        (
            declare!(counter, "a", budget("path", 5)),
            "`a`: budget or closed set for label `path`, but the labels are []",
        ),
        (
            declare!(histogram, "a", buckets([1.0, 1.0])),
            "`a`: bucket bounds must rise, but 1 comes after 1",
        ),
        (
            declare!(histogram, "a", buckets([f64::NAN])),
            "`a`: bucket bound NaN must be finite and not negative",
        ),
        (
            declare!(histogram, "a", buckets([-0.5])),
            "`a`: bucket bound -0.5 must be finite and not negative",
        ),
        (
            declare!(histogram, "a", buckets(vec![0.5; 201])),
            "`a`: 201 buckets are more than the 200 that a histogram may have",
        ),
        (
            |vitals| vitals.counter("a", " \n").register().map(drop),
            "`a`: help must say what is counted or measured",
        ),
    ];
    for (declare, message) in table {
        assert_eq!(refused(&Vitals::new(), *declare), *message);
    }
}

#[test]
fn a_vitals_that_prometheus_would_refuse() {
    let built = |namespace: &str, labels: &[&str]| {
        let builder = Vitals::builder().namespace(namespace);
        let builder = labels
            .iter()
            .fold(builder, |builder, label| builder.constant_label(*label, "v"));
        builder.build().unwrap_err().to_string()
    };
    let own = "is a label of tower-vitals' own metrics";
    for (namespace, labels, message) in [
        ("a-b", &[][..], "namespace `a-b` may only have letters, digits and `_`"),
        ("2a", &[], "namespace `2a` must start with a letter or `_`"),
        ("", &["a b"], "label name `a b` may only have letters, digits and `_`"),
        (
            "",
            &["le"],
            "label name `le` is reserved for the buckets and quantiles of Prometheus",
        ),
        ("", &["a", "a"], "constant label `a` is set twice"),
        ("", &["route"], &format!("constant label `route` {own}")),
        ("", &["family"], &format!("constant label `family` {own}")),
        ("", &["kind"], &format!("constant label `kind` {own}")),
        ("", &["url_scheme"], &format!("constant label `url_scheme` {own}")),
    ] {
        assert_eq!(built(namespace, labels), message);
    }
}

#[test]
fn the_same_name_with_another_shape_shows_both() {
    let counter: Declare = declare!(counter, "jobs_total"; ["queue"]);
    let gauge: Declare = declare!(gauge, "jobs"; ["queue"]);
    let float: Declare = declare!(float_counter, "jobs"; ["queue"]);
    let labels: Declare = declare!(counter, "jobs"; ["queue", "host"]);
    let help: Declare = |vitals| vitals.counter("jobs", "Other").labels(["queue"]).map(drop);
    let (wide, narrow): (Declare, Declare) = (
        declare!(histogram, "jobs", buckets([1.0, 8.0])),
        declare!(histogram, "jobs", buckets([1.0, 2.0])),
    );
    let seconds: Declare = declare!(gauge, "wait_seconds");
    let whole = "integer counter jobs_total{queue} \"Help\"";
    for (first, second, asked, known) in [
        (counter, gauge, "integer gauge jobs{queue} \"Help\"", whole),
        (gauge, counter, whole, "integer gauge jobs{queue} \"Help\""),
        (counter, float, "float counter jobs_total{queue} \"Help\"", whole),
        (counter, labels, "integer counter jobs_total{queue,host} \"Help\"", whole),
        (counter, help, "integer counter jobs_total{queue} \"Other\"", whole),
        (
            wide,
            narrow,
            "classic histogram jobs{} \"Help\" with buckets [1.0, 2.0]",
            "classic histogram jobs{} \"Help\" with buckets [1.0, 8.0]",
        ),
        (
            seconds,
            declare!(in_flight, "wait", unit(Unit::Seconds)),
            "in-flight gauge wait_seconds{} \"Help\"",
            "integer gauge wait_seconds{} \"Help\"",
        ),
    ] {
        let vitals = Vitals::new();
        first(&vitals).unwrap();
        let message = refused(&vitals, second);
        assert_eq!(
            message,
            format!("registered already in another shape: asked for {asked}, there is {known}")
        );
        first(&vitals).expect("the same shape is the same family");
    }
}

#[test]
fn the_same_shape_is_the_same_family() {
    let vitals = Vitals::new();
    let first = vitals
        .counter("jobs_total", "Jobs")
        .budget("queue", 1)
        .labels(["queue"])
        .unwrap();
    let second = vitals.counter("jobs", "Jobs").budget("queue", 9).labels(["queue"]).unwrap();
    first.with(["mail"]).inc();
    second.with(["mail"]).inc();
    second.with(["sms"]).inc();
    assert_eq!(first.with(["mail"]).get(), 2);
    assert_eq!(first.get(["_other"]).expect("the first budget holds").get(), 1);
}

#[test]
fn names_of_samples_that_clash() {
    let table: &[(Declare, Declare, &str, &str)] = &[
        (declare!(gauge, "x_count"), declare!(histogram, "x"), "x", "x_count"),
        (declare!(gauge, "x_sum"), declare!(histogram, "x"), "x", "x_sum"),
        (declare!(float_gauge, "x_bucket"), declare!(histogram, "x"), "x", "x_bucket"),
        (declare!(counter, "x_count"), declare!(histogram, "x"), "x", "x_count"),
        (declare!(histogram, "x_count"), declare!(histogram, "x"), "x", "x_count"),
        (declare!(gauge, "x_created"), declare!(counter, "x"), "x", "x_created"),
        (declare!(gauge, "x_created"), declare!(histogram, "x"), "x", "x_created"),
        (declare!(counter, "x_total_total"), declare!(counter, "x"), "x", "x_total"),
    ];
    for (one, other, name, sample) in table {
        let vitals = Vitals::new();
        one(&vitals).unwrap();
        let message = refused(&vitals, *other);
        assert!(
            message.starts_with(&format!("`{name}` cannot be registered: its name `{sample}` is taken by ")),
            "{message}"
        );
        // And the other way round.
        let vitals = Vitals::new();
        other(&vitals).unwrap();
        let message = refused(&vitals, *one);
        assert!(message.contains(&format!("its name `{sample}` is taken by ")), "{message}");
    }
    // Nothing of what was refused is left over.
    let vitals = Vitals::new();
    vitals.gauge("x_count", "Help").register().unwrap();
    vitals.histogram("x", "Help").register().unwrap_err();
    vitals.gauge("x_sum", "Help").register().expect("x took no names");
}

#[test]
fn reserved_names() {
    let table: &[(Declare, &str)] = &[
        (declare!(counter, "http_requests"), "http_requests"),
        (declare!(counter, "http_requests_total"), "http_requests"),
        (declare!(gauge, "http_requests_created"), "http_requests_created"),
        (declare!(gauge, "http_requests_in_flight"), "http_requests_in_flight"),
        (
            declare!(histogram, "http_request_duration", unit(Unit::Seconds)),
            "http_request_duration_seconds",
        ),
        (
            declare!(gauge, "http_request_duration_seconds_count"),
            "http_request_duration_seconds_count",
        ),
        (declare!(counter, "grpc_requests"), "grpc_requests"),
        (declare!(gauge, "http_streams_in_flight"), "http_streams_in_flight"),
        (
            declare!(histogram, "http_stream_duration_seconds"),
            "http_stream_duration_seconds",
        ),
        (
            declare!(histogram, "http_server_request_duration", unit(Unit::Seconds)),
            "http_server_request_duration_seconds",
        ),
        (declare!(gauge, "http_client_active_requests"), "http_client_active_requests"),
        (declare!(counter, "http_user_requests_total"), "http_user_requests"),
        (declare!(counter, "http_api_key_requests_total"), "http_api_key_requests"),
        (declare!(gauge, "vitals_series"), "vitals_series"),
        (declare!(counter, "vitals_label_overflow"), "vitals_label_overflow"),
        (
            declare!(counter, "vitals_attachment_errors_total"),
            "vitals_attachment_errors",
        ),
    ];
    for namespace in ["", "shop"] {
        for (declare, name) in table {
            let vitals = Vitals::builder().namespace(namespace).build().unwrap();
            let full = if namespace.is_empty() {
                (*name).to_owned()
            } else {
                format!("{namespace}_{name}")
            };
            assert_eq!(
                refused(&vitals, *declare),
                format!("`{full}` is reserved for tower-vitals' own metrics")
            );
            let _ = MetricsLayer::new(&vitals);
            assert_eq!(
                refused(&vitals, *declare),
                format!("`{full}` is reserved for tower-vitals' own metrics")
            );
        }
    }
}

/// Whatever the application registered before, there is room for the layer.
#[test]
fn a_layer_always_finds_its_names_free() {
    for namespace in ["", "http", "vitals", "http_requests", "le"] {
        for label in ["service", "path", "outcome_", "http_requests", "Method"] {
            let vitals = Vitals::builder()
                .namespace(namespace)
                .constant_label(label, "v")
                .build()
                .unwrap();
            for name in [
                "requests",
                "http",
                "http_request",
                "vitals",
                "requests_in",
                "series",
                "request_duration",
            ] {
                let _ = vitals.histogram(name, "Help").register();
                let _ = vitals.counter(name, "Help").register();
                let _ = vitals.gauge(&format!("http_{name}"), "Help").unit(Unit::Seconds).register();
            }
            let _ = MetricsLayer::new(&vitals);
            let text = vitals.encode_to_string(Protocol::TEXT);
            assert_eq!(text.matches("# TYPE").count(), text.matches("# HELP").count());
        }
    }
}
