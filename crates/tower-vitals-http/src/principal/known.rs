//! The IDs that are there at present, found by a fingerprint.

use std::sync::{Arc, OnceLock};

use tower_vitals_core::{
    Clock, ClosedLabel, Counter, CounterFamily, Handle, HashedId, IdHasher, OTHER,
    idle::{Expiry, LastUse},
    table::Table,
};

use super::{fingerprint::Fingerprints, recent};
use crate::{Outcome, auth::AuthTypes};

/// Where the label of the ID stands in its family.
const ID: usize = 1;

/// The IDs of one sort, users or API keys, never more than their budget.
#[derive(Debug)]
pub(crate) struct KnownIds {
    sort: Sort,
    ids: Table<KnownId>,
    fingerprints: Fingerprints,
    hasher: IdHasher,
    most: usize,
    expiry: Option<Expiry>,
    family: CounterFamily<3>,
    auth_types: AuthTypes,
    /// Has the series of all IDs beyond the budget.
    other: Arc<KnownId>,
    clock: Clock,
}

/// An ID and its series. The ID itself is not kept: a fingerprint of 64 bits tells it again, under seeds that nobody outside of the process
/// has. Two IDs are taken for one far less often than their labels are the same, which have 32.
#[derive(Debug)]
pub(crate) struct KnownId {
    fingerprint: u64,
    sort: Sort,
    /// None for an ID beyond the budget.
    hashed: Option<HashedId>,
    used: LastUse,
    /// The kinds that came first, which are nearly always all that come often.
    first: [OnceLock<Record>; 4],
    others: Table<Record>,
}

/// What an ID is the ID of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    User,
    ApiKey,
}

/// The series of one kind.
#[derive(Debug)]
struct Record {
    kind: Kind,
    requests: Handle<Counter>,
}

/// The numbers of an auth type and an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind(u16);

// === impl KnownIds ===

impl KnownIds {
    pub(crate) fn new(
        sort: Sort,
        hasher: &IdHasher,
        (most, expiry): (usize, Option<Expiry>),
        family: CounterFamily<3>,
        auth_types: &AuthTypes,
        clock: &Clock,
    ) -> Self {
        Self {
            sort,
            ids: Table::new(),
            fingerprints: Fingerprints::random(),
            hasher: hasher.clone(),
            most,
            expiry,
            family,
            auth_types: auth_types.clone(),
            other: Arc::new(KnownId::new(0, sort, None, clock.nanos())),
            clock: clock.clone(),
        }
    }

    /// The ID, for as long as a request needs it. Beyond the budget it is one without a hash, which is counted.
    #[inline(always)]
    pub(crate) fn find(&self, id: &[u8]) -> Arc<KnownId> {
        let fingerprint = self.fingerprints.of(id);
        match recent::get(fingerprint) {
            Some(known) => known,
            None => self.look_up(id, fingerprint),
        }
    }

    /// Whether that is the ID.
    pub(crate) fn is(&self, known: &KnownId, id: &[u8]) -> bool {
        known.fingerprint == self.fingerprints.of(id)
    }

    #[inline(never)]
    fn look_up(&self, id: &[u8], fingerprint: u64) -> Arc<KnownId> {
        let known = match self.ids.get(fingerprint, |known| known.fingerprint == fingerprint) {
            Some(known) => known.hold(),
            None => self.find_new(id, fingerprint),
        };
        if known.hashed.is_some() {
            recent::note(known.fingerprint, &known);
        }
        known
    }

    #[cold]
    fn find_new(&self, id: &[u8], fingerprint: u64) -> Arc<KnownId> {
        let now = self.clock.nanos();
        if self.ids.len() >= self.most {
            self.expire(now);
        }
        // A full table makes no hash: that is what an attack would ask for.
        let known = self.ids.get_or_insert(
            fingerprint,
            |known| known.fingerprint == fingerprint,
            self.most,
            |_| KnownId::new(fingerprint, self.sort, Some(self.hasher.hash(id)), now),
        );
        match known {
            Some(known) => known.hold(),
            None => {
                self.family.count_overflow(ID, self.most);
                // It still tells whether the same ID comes again in this request.
                Arc::new(KnownId::new(fingerprint, self.sort, None, now))
            }
        }
    }

    /// Lets go of the IDs that nobody used for long enough, if it is time to look for them.
    pub(crate) fn expire(&self, now: u64) {
        let Some(expiry) = self.expiry.as_ref().filter(|expiry| expiry.may_sweep(now)) else {
            return;
        };
        let idle = |known: &KnownId| expiry.is_over(&known.used, now);
        for number in 0..self.ids.end() {
            if !self.ids.slot(number).is_some_and(|known| idle(&known)) {
                continue;
            }
            if let Some(known) = self.ids.take_slot(number, |known| known.fingerprint, idle) {
                self.forget(known);
            }
        }
    }

    /// Takes the series of an ID out of the scrapes, unless another ID has the same hash, and so the same series.
    fn forget(&self, known: KnownId) {
        let text = known.text().to_owned();
        // Its handles go first, because a series that is held stays.
        for kind in known.into_kinds() {
            self.family.remove(kind.labels(&self.auth_types, &text));
        }
    }

    /// Counts a request of an ID that ended now.
    #[inline(always)]
    pub(crate) fn record(&self, known: &KnownId, auth_type: usize, outcome: Outcome, now: u64) {
        if let Some(expiry) = &self.expiry {
            known.used.touch(now, expiry.grain());
        }
        let kind = Kind::new(auth_type, outcome);
        match known.first(kind) {
            Some(record) => record.requests.inc(),
            _ => self.record_rarer(known, kind),
        }
    }

    #[cold]
    fn record_rarer(&self, known: &KnownId, kind: Kind) {
        let known = if known.hashed.is_some() { known } else { &*self.other };
        let record = || Record {
            kind,
            requests: self.family.with(kind.labels(&self.auth_types, known.text())).hold(),
        };
        for place in &known.first {
            let place = place.get_or_init(record);
            if place.kind == kind {
                return place.requests.inc();
            }
        }
        // There are no more than auth types times outcomes.
        let others = &known.others;
        if let Some(record) = others.get_or_insert(kind.hash(), |known| known.kind == kind, usize::MAX, |_| record()) {
            record.requests.inc();
        }
    }
}

// === impl KnownId ===

impl KnownId {
    fn new(fingerprint: u64, sort: Sort, hashed: Option<HashedId>, now: u64) -> Self {
        Self {
            fingerprint,
            sort,
            hashed,
            used: LastUse::new(now),
            first: [const { OnceLock::new() }; 4],
            others: Table::new(),
        }
    }

    /// As it stands in the label.
    pub(crate) fn text(&self) -> &str {
        self.hashed.as_ref().map_or(OTHER, HashedId::as_str)
    }

    pub(crate) fn sort(&self) -> Sort {
        self.sort
    }

    #[inline]
    fn first(&self, kind: Kind) -> Option<&Record> {
        self.first.iter().map_while(OnceLock::get).find(|record| record.kind == kind)
    }

    /// The kinds that it has series of, which it lets go.
    fn into_kinds(self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.first.iter().filter_map(|record| Some(record.get()?.kind)).collect();
        kinds.extend((0..self.others.end()).filter_map(|number| Some(self.others.slot(number)?.kind)));
        kinds
    }
}

// === impl Kind ===

impl Kind {
    #[inline]
    fn new(auth_type: usize, outcome: Outcome) -> Self {
        #[allow(clippy::cast_possible_truncation)] // there are 64 auth types at most
        Self((auth_type as u16) << 8 | outcome as u16)
    }

    fn labels<'a>(self, auth_types: &AuthTypes, id: &'a str) -> [&'a str; 3] {
        let auth_type = auth_types.names().get(usize::from(self.0 >> 8)).copied();
        let outcome = Outcome::VALUES.get(usize::from(self.0 & 0xFF)).copied();
        [auth_type.unwrap_or_default(), id, outcome.unwrap_or_default()]
    }

    /// The numbers spread over the upper bits.
    fn hash(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use tower_vitals_core::{ManualClock, Vitals, encode::Protocol};

    use super::*;
    use crate::{PrincipalIds, principal::Ids};

    const HOUR: Duration = Duration::from_secs(3600);

    struct Fixture {
        clock: ManualClock,
        vitals: Vitals,
        ids: Ids,
    }

    fn fixture() -> Fixture {
        let clock = ManualClock::new();
        let vitals = Vitals::builder().clock(Clock::manual(&clock)).build().unwrap();
        let settings = PrincipalIds::new(IdHasher::sha256()).users(3);
        let ids = Ids::register(&vitals, settings, &AuthTypes::default()).unwrap();
        Fixture { clock, vitals, ids }
    }

    impl Fixture {
        fn count(&self, user: &str, auth_type: usize, outcome: Outcome) {
            let known = self.ids.users.find(user.as_bytes());
            self.ids.users.record(&known, auth_type, outcome, self.vitals.clock().nanos());
        }

        fn hour_passes(&self) {
            self.clock.advance(HOUR * 2);
            self.ids.expire(self.vitals.clock().nanos());
        }

        fn samples(&self) -> Vec<String> {
            let text = self.vitals.encode_to_string(Protocol::TEXT);
            let samples = text.lines().filter(|line| line.starts_with("http_user_requests_total{"));
            samples.map(str::to_owned).collect()
        }
    }

    #[test]
    fn all_series_of_an_id_go_with_it() {
        let fixture = fixture();
        for auth_type in 0..7 {
            for outcome in [Outcome::Completed, Outcome::Aborted, Outcome::Completed] {
                fixture.count("alice", auth_type, outcome);
            }
        }
        let samples = fixture.samples();
        let twos = samples.iter().filter(|sample| sample.ends_with(" 2")).count();
        assert_eq!((samples.len(), twos), (14, 7), "{samples:?}");
        fixture.hour_passes();
        assert_eq!(fixture.samples(), [""; 0]);
        fixture.count("alice", 0, Outcome::Completed);
        assert!(fixture.samples()[0].ends_with(" 1"), "{:?}", fixture.samples());
    }

    #[test]
    fn an_id_that_is_in_use_stays() {
        let fixture = fixture();
        fixture.count("alice", 0, Outcome::Completed);
        let held = fixture.ids.users.find(b"alice");
        fixture.hour_passes();
        assert_eq!(fixture.samples().len(), 1);
        drop(held);
        fixture.clock.advance(HOUR);
        fixture.hour_passes();
        assert_eq!(fixture.samples().len(), 0);
    }

    #[test]
    fn an_id_that_another_thread_let_go_is_found_anew() {
        let fixture = fixture();
        fixture.count("alice", 0, Outcome::Completed);
        let before = Arc::downgrade(&fixture.ids.users.find(b"alice"));
        std::thread::scope(|scope| {
            scope.spawn(|| fixture.hour_passes());
        });
        assert!(before.upgrade().is_none());
        fixture.count("alice", 0, Outcome::Completed);
        assert!(fixture.samples()[0].ends_with(" 1"), "{:?}", fixture.samples());
    }

    #[test]
    fn ids_with_one_hash_share_their_series() {
        let mut seen = HashMap::new();
        let hasher = IdHasher::sha256();
        let (one, other) = (0..)
            .find_map(|n: u32| {
                let id = n.to_string();
                let known = seen.insert(hasher.hash(&id), id.clone());
                known.map(|known| (known, id))
            })
            .unwrap();
        let fixture = fixture();
        fixture.count(&one, 0, Outcome::Completed);
        fixture.clock.advance(HOUR);
        fixture.count(&other, 0, Outcome::Completed);
        fixture.clock.advance(HOUR / 2);
        fixture.ids.expire(fixture.vitals.clock().nanos());
        let samples = fixture.samples();
        assert!(samples.len() == 1 && samples[0].ends_with(" 2"), "{samples:?}");
        fixture.hour_passes();
        assert_eq!(fixture.samples(), [""; 0]);
    }
}
