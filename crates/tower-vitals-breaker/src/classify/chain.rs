//! What an error and its sources say.

use std::{error::Error, io, iter};

use crate::{Rejected, Verdict};

/// How far a chain is followed: an error may be its own source by mistake.
const LONGEST: usize = 64;

/// An error and what lies below it, the error that an [`io::Error`] holds included.
pub(crate) fn links<'a>(first: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(first), |link| below(*link)).take(LONGEST)
}

fn below<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    held(link).or_else(|| link.source())
}

/// Whether an error would be missed if only its source were there.
pub(crate) fn tells(error: &(dyn Error + 'static)) -> bool {
    of_link(error).is_some() || held(error).is_some()
}

/// The verdict on a call that failed with this error. A rejection counts wherever it is.
pub(super) fn verdict(error: &(dyn Error + 'static)) -> Verdict {
    let mut said = None;
    for verdict in links(error).filter_map(of_link) {
        if verdict == Verdict::IGNORED {
            return verdict;
        }
        said = Some(verdict);
    }
    said.unwrap_or(Verdict::FAILURE)
}

/// What one link says, if it says something.
fn of_link(link: &(dyn Error + 'static)) -> Option<Verdict> {
    if link.is::<Rejected>() {
        Some(Verdict::IGNORED)
    } else if is_timeout(link) {
        Some(Verdict::TIMEOUT)
    } else {
        of_reqwest(link)
    }
}

fn is_timeout(link: &(dyn Error + 'static)) -> bool {
    let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    link.is::<tower::timeout::error::Elapsed>()
        || link.is::<tokio::time::error::Elapsed>()
        || link.downcast_ref().is_some_and(is_late)
}

#[cfg(feature = "reqwest013")]
fn of_reqwest(link: &(dyn Error + 'static)) -> Option<Verdict> {
    let error = link.downcast_ref::<reqwest::Error>()?;
    if error.is_builder() {
        Some(Verdict::IGNORED)
    } else {
        error.is_timeout().then_some(Verdict::TIMEOUT)
    }
}

#[cfg(not(feature = "reqwest013"))]
fn of_reqwest(_: &(dyn Error + 'static)) -> Option<Verdict> {
    None
}

/// An [`io::Error`] passes over the error that it holds when it is asked for its source.
fn held<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let held = link.downcast_ref::<io::Error>()?.get_ref()?;
    Some(held)
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Ouroboros;

    impl fmt::Display for Ouroboros {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("ouroboros")
        }
    }

    impl Error for Ouroboros {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn an_error_that_is_its_own_source_is_given_up_on() {
        assert_eq!(links(&Ouroboros).count(), LONGEST);
        assert_eq!(verdict(&Ouroboros), Verdict::FAILURE);
    }

    #[test]
    fn what_an_io_error_holds_is_a_link() {
        let held = io::Error::other(io::Error::other(io::Error::from(io::ErrorKind::TimedOut)));
        assert_eq!(links(&held).count(), 3);
        assert_eq!(verdict(&held), Verdict::TIMEOUT);
    }
}
