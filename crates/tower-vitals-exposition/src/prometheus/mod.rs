//! Bridge to prometheus-client.
