use super::{Call, End, Grant, Model, Told};
use crate::{
    TransitionReason,
    reference::plan::{MS, OpenTime, Plan},
};

impl Model {
    fn probes(&self) -> impl Iterator<Item = &Call> {
        let is_probe = |call: &&Call| call.grant == Grant::Probe && call.epoch == self.epoch;
        self.calls.iter().filter(is_probe)
    }

    pub(in super::super) fn in_flight(&self) -> u32 {
        self.probes().filter(|probe| probe.end == End::OnItsWay).count() as u32
    }

    pub(super) fn has_place(&self) -> bool {
        let taken = self.probes().filter(|probe| probe.end != End::WithoutResult).count();
        self.in_flight() < self.plan.at_once.unwrap_or(u32::MAX) && taken < self.plan.probes as usize
    }

    pub(super) fn lease_ends(&self) -> u64 {
        let first = match self.plan.open {
            OpenTime::Constant(time) => time,
            OpenTime::Growing { first, .. } => first,
        };
        let lease = self.plan.lease.unwrap_or(first.max(10_000 * MS));
        self.probes().map(|probe| probe.began).max().unwrap() + lease
    }

    pub(super) fn judge_probes(&mut self, now: u64) {
        let (mut failures, mut slow_ones, mut ended) = (0, 0, 0);
        for probe in self.probes() {
            if let End::With { failed, slow } = probe.end {
                failures += u32::from(failed);
                slow_ones += u32::from(slow);
                ended += 1;
            }
        }
        let Plan {
            probes,
            probe_rate,
            slow,
            ..
        } = self.plan;
        let missing = probes - ended;
        let too_many = |part: u32, rate: Option<f64>| match rate {
            Some(rate) => f64::from(part) / f64::from(probes) >= rate,
            None => part > 0,
        };
        let too_failed = |part| too_many(part, probe_rate);
        let too_slow = |part| slow.is_some_and(|(_, rate)| too_many(part, probe_rate.and(Some(rate))));
        if too_failed(failures) {
            self.open(TransitionReason::ProbesFailed, now);
        } else if too_slow(slow_ones) {
            self.open(TransitionReason::ProbesSlow, now);
        } else if !too_failed(failures + missing) && !too_slow(slow_ones + missing) {
            let went = Some(self.close(TransitionReason::ProbesSucceeded, now));
            self.tell(Told { went, mode: None });
        }
    }
}
