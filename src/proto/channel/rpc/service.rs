use std::collections::BTreeMap;
use std::fmt;

use super::{Call, Failure, RpcCx};
use crate::proto::channel::Value;

/// Functions that a peer may call by their paths, and services within this one: aiomas' Service
/// with its Router, or ServiceDict.
///
/// `A` is what the functions work on: the program's state, or a part of it.
pub struct Service<A> {
    type_name: String,
    entries: BTreeMap<String, Entry<A>>,
}

type Function<A> = dyn FnMut(&mut RpcCx<'_, A>, Call) + Send;

enum Entry<A> {
    Function(Box<Function<A>>),
    Sub(Service<A>),
    /// Something that is there and must not be reached.
    Hidden,
}

impl<A> Service<A> {
    /// One without functions. The name is that of Python's class with its module, `demo.Root`; it
    /// is what errors say.
    #[must_use]
    pub fn new(type_name: &str) -> Self {
        Self {
            type_name: type_name.to_owned(),
            entries: BTreeMap::new(),
        }
    }

    /// Exposes a function that answers at once. One of that name is replaced.
    #[must_use]
    pub fn expose(
        self,
        name: &str,
        mut function: impl FnMut(&mut A, &Call) -> Result<Value, Failure> + Send + 'static,
    ) -> Self {
        self.expose_later(name, move |cx, mut call| {
            let outcome = function(cx.app, &call);
            if let Err(why) = call.settle(outcome) {
                log::debug!("{} was called in vain: {why}", call.path());
            }
        })
    }

    /// Exposes a function that is given the call itself: to answer it later, or to call the peer
    /// back first.
    #[must_use]
    pub fn expose_later(
        mut self,
        name: &str,
        function: impl FnMut(&mut RpcCx<'_, A>, Call) + Send + 'static,
    ) -> Self {
        let entry = Entry::Function(Box::new(function));
        self.entries.insert(name.to_owned(), entry);
        self
    }

    /// Puts a service into this one, under a name: its functions are `name/function`.
    #[must_use]
    pub fn sub(mut self, name: &str, service: Self) -> Self {
        self.entries.insert(name.to_owned(), Entry::Sub(service));
        self
    }

    /// Says that there is something of that name which is not exposed. Only the error for it
    /// differs.
    #[must_use]
    pub fn hide(mut self, name: &str) -> Self {
        self.entries.insert(name.to_owned(), Entry::Hidden);
        self
    }

    /// Finds a function by its path.
    ///
    /// # Errors
    /// A LookupError in aiomas' words, or a TypeError when it is no function.
    pub(super) fn resolve(&mut self, path: &str) -> Result<&mut Box<Function<A>>, Failure> {
        let mut here = self;
        let mut so_far = 0;
        loop {
            let rest = &path[so_far..];
            let (name, last) = match rest.split_once('/') {
                Some((name, _)) => (name, false),
                None => (rest, true),
            };
            // Where it was looked for, without a slash at the end.
            let within = path[..so_far].trim_end_matches('/');
            let end = so_far + name.len();
            match here.entries.get_mut(name) {
                None => {
                    return Err(Failure::new(
                        "LookupError",
                        format!("Name \"{name}\" not found in \"{within}\""),
                    ));
                }
                Some(Entry::Hidden) => {
                    let of = &here.type_name;
                    return Err(Failure::new(
                        "LookupError",
                        format!("\"{of}.{name}\" is not exposed"),
                    ));
                }
                Some(Entry::Function(function)) if last => return Ok(function),
                Some(Entry::Function(_)) => {
                    let next = path[end + 1..].split('/').next().unwrap_or_default();
                    let within = &path[..end];
                    return Err(Failure::new(
                        "LookupError",
                        format!("Name \"{next}\" not found in \"{within}\""),
                    ));
                }
                Some(Entry::Sub(service)) if last => {
                    let class = service.type_name.rsplit('.').next().unwrap_or_default();
                    return Err(Failure::new(
                        "TypeError",
                        format!("'{class}' object is not callable"),
                    ));
                }
                Some(Entry::Sub(service)) => here = service,
            }
            so_far = end + 1;
        }
    }
}

impl<A> fmt::Debug for Service<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("type_name", &self.type_name)
            .field("names", &self.entries.keys())
            .finish()
    }
}
