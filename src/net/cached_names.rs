use std::io::IoSlice;

use super::name_cache::literal;
use super::{AnswerCache, CacheLimits, Group, Layer, Lookup, Net, NetError, Sid};

/// Remembers the answers of name look-ups, bounded in number and time: see [`CacheLimits`].
///
/// Failures are remembered too, for less time, but not [`NetError::Exhausted`]. The clock is that of the net below, so answers
/// expire in simulation as they do outside.
///
/// ```
/// use hio::net::{CacheLimits, Lookup, NameCache, Net, Owner, Scripted};
/// let net = Scripted::alone().with_name("example.org", &["192.0.2.1".parse()?]);
/// let mut net = NameCache::new(net, CacheLimits::default());
/// let group = net.group(Owner::NONE);
/// for _ in 0..2 {
///     let found = net.resolve(group, "example.org");
///     assert_eq!(found, Lookup::Ready(vec!["192.0.2.1".parse()?]));
/// }
/// assert_eq!(net.asked(), 1);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct NameCache<N> {
    net: N,
    answers: AnswerCache,
    asked: u64,
}

impl<N> NameCache<N> {
    /// A cache over the names of `net`, empty.
    #[must_use]
    pub const fn new(net: N, limits: CacheLimits) -> Self {
        Self {
            net,
            answers: AnswerCache::new(limits),
            asked: 0,
        }
    }

    /// Answers that the net below has given.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    /// What is remembered, to be looked at or forgotten.
    pub const fn answers(&mut self) -> &mut AnswerCache {
        &mut self.answers
    }

    /// The net below.
    pub fn into_below(self) -> N {
        self.net
    }
}

impl<N: Net> Layer for NameCache<N> {
    type Below = N;
    fn below(&self) -> &N {
        &self.net
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        self.net.write_vectored(sid, pieces)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        // An address is its own answer, and takes no place that a name could have.
        if literal(name).is_some() {
            return self.net.resolve(group, name);
        }
        let now = self.net.now();
        if let Some(answer) = self.answers.find(name, now) {
            return answer;
        }
        let answer = self.net.resolve(group, name);
        match answer {
            Lookup::Pending => return answer,
            // That there is no room for the question says nothing about the name.
            Lookup::Failed(NetError::Exhausted) => {}
            Lookup::Ready(_) | Lookup::Failed(_) => self.answers.keep(name, &answer, now),
        }
        self.asked += 1;
        answer
    }
}
