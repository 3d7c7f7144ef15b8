use std::{any::Any, sync::Arc};

use crate::{Descriptor, encode::Visitor, scrape::Scrape};

/// A family as the registry and the encoders see it.
pub(crate) trait AnyFamily: Send + Sync {
    fn descriptor(&self) -> &Descriptor;

    /// Lets go of series that expired. Called before a scrape looks at the family.
    fn expire(&self) {}

    /// How many series there are.
    fn len(&self) -> usize;

    /// Shows the series from slot `from` on that were there when the scrape began, until the visitor is full. Returns where to go on.
    fn visit(&self, from: usize, scrape: &Scrape, visitor: &mut dyn Visitor) -> Option<usize>;

    /// For the registry, which gives the same family when its name is registered again.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// The descriptor and what else makes two families the same, for error messages.
    fn shape(&self) -> String;
}
