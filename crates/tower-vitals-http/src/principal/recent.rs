//! The IDs that each thread met last.
//!
//! The same few IDs come again and again, and a look into the table of all of them costs more than everything else that is done for one.

use std::{
    cell::RefCell,
    sync::{Arc, Weak},
};

use super::KnownId;

/// An ID by its fingerprint, which is another in each table. It does not keep the ID.
type Recent = (u64, Weak<KnownId>);

/// How many IDs a thread notes, in 64 KiB that it allocates with the first. Some four times as many as there are by default, because each
/// has its place.
const RECENT_IDS: usize = 4096;

thread_local! {
    static RECENT: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

/// The ID with this fingerprint, if it is among those that the thread met last and is still there.
#[inline]
pub(super) fn get(fingerprint: u64) -> Option<Arc<KnownId>> {
    let find = |recent: &RefCell<Vec<Recent>>| {
        let recent = recent.try_borrow().ok()?;
        let (known, weak) = recent.get(place(fingerprint))?;
        if *known == fingerprint { weak.upgrade() } else { None }
    };
    RECENT.try_with(find).ok().flatten()
}

/// Notes the ID with this fingerprint.
pub(super) fn note(fingerprint: u64, known: &Arc<KnownId>) {
    let note = |recent: &RefCell<Vec<Recent>>| {
        if let Ok(mut recent) = recent.try_borrow_mut() {
            recent.resize_with(RECENT_IDS, || (0, Weak::new()));
            recent[place(fingerprint)] = (fingerprint, Arc::downgrade(known));
        }
    };
    // A thread that ends needs no notes.
    let _ = RECENT.try_with(note);
}

/// Where a fingerprint is noted.
#[inline]
fn place(fingerprint: u64) -> usize {
    #[allow(clippy::cast_possible_truncation)] // the lowest bits will do
    let lowest = fingerprint as usize;
    lowest % RECENT_IDS
}
