use std::array;

use crate::sync::{AtomicU64, Ordering, fence, spin_loop, yield_now};

/// Words that one thread at a time writes, and that others read all at one moment.
///
/// To write takes no lock and no instruction that other processors must agree to: the version is odd while words are being written, and
/// whoever reads looks at it before and after. That there is one writer at a time is up to who has the words.
#[derive(Debug)]
pub(crate) struct Words<const N: usize> {
    version: AtomicU64,
    words: [AtomicU64; N],
}

/// The words of a [`Words`], while they are being written.
#[derive(Debug)]
pub(crate) struct Writing<'a, const N: usize>(&'a [AtomicU64; N]);

/// How often a reader looks again before it lets other threads run.
const LOOKS: u32 = 64;

impl<const N: usize> Words<N> {
    pub(crate) fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            words: array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Changes words. No other thread may be writing, and `change` must not panic.
    #[inline]
    pub(crate) fn write(&self, change: impl FnOnce(Writing<'_, N>)) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        change(Writing(&self.words));
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// A word, for the thread that writes.
    #[inline]
    pub(crate) fn own(&self, place: usize) -> u64 {
        self.words[place].load(Ordering::Relaxed)
    }

    /// All words as they were at one moment.
    pub(crate) fn read(&self) -> [u64; N] {
        let mut looks = 0_u32;
        loop {
            let before = self.version.load(Ordering::Acquire);
            if before % 2 == 0 {
                let words = array::from_fn(|place| self.words[place].load(Ordering::Relaxed));
                fence(Ordering::Acquire);
                if self.version.load(Ordering::Relaxed) == before {
                    return words;
                }
            }
            looks = looks.wrapping_add(1);
            if looks % LOOKS == 0 || cfg!(loom) {
                // Who writes may have lost its processor in between.
                yield_now();
            } else {
                spin_loop();
            }
        }
    }
}

impl<const N: usize> Writing<'_, N> {
    #[inline]
    pub(crate) fn add(&self, place: usize, value: u64) {
        let word = &self.0[place];
        word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn words_are_read_as_they_were_at_one_moment() {
        loom::model(|| {
            let words = Arc::new(Words::<2>::new());
            let writer = Arc::clone(&words);
            let other = loom::thread::spawn(move || {
                for _ in 0..2 {
                    writer.write(|words| {
                        words.add(0, 1);
                        words.add(1, 10);
                    });
                }
            });
            let [one, ten] = words.read();
            assert_eq!(one * 10, ten);
            other.join().unwrap();
            assert_eq!(words.read(), [2, 20]);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_reader_never_sees_half_of_what_is_written() {
        const WRITES: u64 = 200_000;
        let words = Words::<3>::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..WRITES).for_each(|_| {
                    words.write(|words| {
                        words.add(0, 1);
                        words.add(1, 2);
                        words.add(2, 3);
                    });
                });
            });
            let mut last = 0;
            while last < WRITES {
                let [one, two, three] = words.read();
                assert!(two == one * 2 && three == one * 3 && one >= last);
                last = one;
            }
        });
    }
}
