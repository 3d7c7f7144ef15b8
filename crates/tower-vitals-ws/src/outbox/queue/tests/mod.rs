mod any;
pub(in crate::outbox) mod fake;
mod model;
mod rules;
