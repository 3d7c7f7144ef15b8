use std::io::IoSlice;

use bytes::Buf;

/// How many slices a frame is looked at in. Bodies give one, or a prefix and its message.
const MOST_SLICES: usize = 16;

/// A flag and four bytes of length stand before each message.
const PREFIX: u8 = 5;

/// Counts the messages of one direction of a call by the prefixes that stand between them, while the data goes by.
///
/// Nothing is copied, kept or taken from the data, and the contents of messages are skipped: the cost is a few instructions a frame and
/// a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages {
    /// How many bytes of the last message are still to come.
    rest: usize,
    /// How many bytes of the next prefix came.
    prefixed: u8,
    /// The length that those bytes say. The flag came first, and is shifted out by the time the prefix is complete.
    length: u32,
    count: u32,
    gave_up: bool,
}

impl Messages {
    /// Looks at the next frame of data.
    #[inline]
    pub(crate) fn see<D: Buf + ?Sized>(&mut self, data: &D) {
        if self.gave_up {
            return;
        }
        let first = data.chunk();
        if first.len() == data.remaining() {
            self.read(first);
        } else {
            self.see_slices(data);
        }
    }

    /// How many messages there were. One counts as soon as its prefix came.
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// Whether some data did not show itself without being taken, so that nothing is counted from there on.
    #[cfg(test)]
    pub(crate) fn gave_up(self) -> bool {
        self.gave_up
    }

    #[inline(never)]
    fn see_slices<D: Buf + ?Sized>(&mut self, data: &D) {
        let mut slices = [IoSlice::new(&[]); MOST_SLICES];
        let shown = data.chunks_vectored(&mut slices);
        let slices = slices.get(..shown).unwrap_or_default();
        if slices.iter().map(|slice| slice.len()).sum::<usize>() == data.remaining() {
            for slice in slices {
                self.read(slice);
            }
        } else {
            // Whatever came after the gap would be read as prefixes at the wrong places.
            self.gave_up = true;
        }
    }

    fn read(&mut self, mut bytes: &[u8]) {
        loop {
            let (of_last, next) = bytes.split_at(self.rest.min(bytes.len()));
            self.rest -= of_last.len();
            let Some((byte, next)) = next.split_first() else {
                return;
            };
            self.read_prefix(*byte);
            bytes = next;
        }
    }

    fn read_prefix(&mut self, byte: u8) {
        self.length = self.length << 8 | u32::from(byte);
        self.prefixed += 1;
        if self.prefixed == PREFIX {
            self.prefixed = 0;
            self.rest = self.length as usize;
            self.count = self.count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Data in pieces, which shows only the first so many of them at a time.
    struct Pieces {
        pieces: Vec<Vec<u8>>,
        shown: usize,
    }

    impl Buf for Pieces {
        fn remaining(&self) -> usize {
            self.pieces.iter().map(Vec::len).sum()
        }

        fn chunk(&self) -> &[u8] {
            &self.pieces[0]
        }

        fn advance(&mut self, _: usize) {
            unreachable!("nothing is taken from the data")
        }

        fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
            let shown = self.shown.min(slices.len());
            for (slice, piece) in slices.iter_mut().zip(&self.pieces[..shown]) {
                *slice = IoSlice::new(piece);
            }
            shown
        }
    }

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![1];
        message.extend(u32::try_from(length).unwrap().to_be_bytes());
        // Contents that would be a different count if they were read as prefixes.
        message.resize(message.len() + length, 0);
        message
    }

    fn messages(lengths: &[usize]) -> Vec<u8> {
        lengths.iter().flat_map(|length| message(*length)).collect()
    }

    #[test]
    fn messages_are_counted_wherever_frames_split_them() {
        let lengths = [0, 7, 0, 0, 300, 1, 70_000, 5];
        let bytes = messages(&lengths);
        for frame in [1, 2, 3, 4, 5, 6, 7, 11, 64, 301, 8192, bytes.len()] {
            let mut seen = Messages::default();
            for data in bytes.chunks(frame) {
                seen.see(&Bytes::copy_from_slice(data));
            }
            assert_eq!((seen.count(), seen.gave_up()), (8, false), "{frame}");
        }
    }

    #[test]
    fn a_message_counts_with_the_last_byte_of_its_prefix() {
        let mut seen = Messages::default();
        seen.see(&Bytes::new());
        let mut counts = Vec::new();
        for byte in messages(&[2, 0]) {
            seen.see(&[byte].as_slice());
            counts.push(seen.count());
        }
        assert_eq!(counts, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_huge_length_is_only_a_number() {
        let mut seen = Messages::default();
        seen.see(&[0, 0xFF, 0xFF, 0xFF, 0xFF].as_slice());
        for _ in 0..3 {
            seen.see(&Bytes::from(vec![0; 1 << 20]));
        }
        assert_eq!(seen.count(), 1);
        assert_eq!(seen.rest, u32::MAX as usize - (3 << 20));
    }

    #[test]
    fn data_in_several_slices_is_read_in_place() {
        let bytes = messages(&[3, 0, 9]);
        for at in 0..bytes.len() {
            let (start, end) = bytes.split_at(at);
            let data = start.chain(end);
            let mut seen = Messages::default();
            seen.see(&data);
            assert_eq!((seen.count(), seen.gave_up()), (3, false), "{at}");
            assert_eq!(data.remaining(), bytes.len());
        }
    }

    #[test]
    fn data_that_does_not_show_itself_ends_the_count() {
        for (pieces, shown) in [(2, 1), (MOST_SLICES + 1, MOST_SLICES + 1), (2, 0)] {
            let mut seen = Messages::default();
            seen.see(&message(4).as_slice());
            seen.see(&Pieces {
                pieces: vec![message(0); pieces],
                shown,
            });
            assert!(seen.gave_up());
            seen.see(&message(0).as_slice());
            assert_eq!(seen.count(), 1);
        }
        let mut seen = Messages::default();
        seen.see(&Pieces {
            pieces: vec![message(0); MOST_SLICES],
            shown: MOST_SLICES,
        });
        assert_eq!((seen.count(), seen.gave_up()), (16, false));
    }
}
