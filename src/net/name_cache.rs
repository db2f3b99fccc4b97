//! Answers of name look-ups, kept for a while: bounded in number and in time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Lookup, NetError};
use crate::tyme::Tyme;

/// How much an [`AnswerCache`] keeps, and for how long.
///
/// The system's resolver does not say how long an answer is good for, so these times stand in for
/// the name server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Names kept; when there are more, the one that would expire soonest goes. 0 keeps none.
    /// Default 1024.
    pub names_max: usize,
    /// Addresses kept of one name: the first ones. Default 32.
    pub addresses_max: usize,
    /// How long addresses are good for; zero keeps none. Default 60 s.
    pub ttl: Duration,
    /// How long a failure is remembered, so that a name that does not exist is not asked for at
    /// every attempt; zero forgets it at once. Default 5 s.
    pub failure_ttl: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            names_max: 1024,
            addresses_max: 32,
            ttl: Duration::from_secs(60),
            failure_ttl: Duration::from_secs(5),
        }
    }
}

/// Answers of name look-ups, by name. Plain data on tyme: it asks nobody.
///
/// Names compare without case and without a dot at the end. Every operation costs O(log n).
///
/// ```
/// use hio::net::{AnswerCache, CacheLimits, Lookup};
/// use hio::tyme::Tyme;
/// let mut cache = AnswerCache::new(CacheLimits::default());
/// let answer = Lookup::Ready(vec!["192.0.2.1".parse()?]);
/// cache.keep("Example.org", &answer, Tyme::ZERO);
/// assert_eq!(cache.find("example.org.", Tyme::from_secs(59)), Some(answer));
/// assert_eq!(cache.find("example.org", Tyme::from_secs(60)), None);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AnswerCache {
    limits: CacheLimits,
    answers: BTreeMap<Arc<str>, (Tyme, Lookup)>,
    /// Invariant: has exactly the names of `answers`, each with the tyme it expires at.
    by_expiry: BTreeSet<(Tyme, Arc<str>)>,
}

impl AnswerCache {
    /// An empty one.
    #[must_use]
    pub const fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            answers: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
        }
    }

    /// What it keeps at most.
    #[must_use]
    pub const fn limits(&self) -> CacheLimits {
        self.limits
    }

    /// The answer for a name, if it is still good at `tyme`; never [`Lookup::Pending`].
    pub fn find(&mut self, name: &str, tyme: Tyme) -> Option<Lookup> {
        let name = normal_name(name).ok()?;
        let (expires, answer) = self.answers.get(name.as_str())?;
        if *expires > tyme {
            return Some(answer.clone());
        }
        self.forget(&name);
        None
    }

    /// Keeps an answer as long as the limits say. One that is pending, or about a name that
    /// cannot be, is not kept.
    pub fn keep(&mut self, name: &str, answer: &Lookup, tyme: Tyme) {
        let ttl = match answer {
            Lookup::Pending => return,
            Lookup::Ready(_) => self.limits.ttl,
            Lookup::Failed(_) => self.limits.failure_ttl,
        };
        self.keep_for(name, answer, tyme, ttl);
    }

    /// Keeps an answer for a time of its own, for look-ups that know how long theirs is good for.
    pub fn keep_for(&mut self, name: &str, answer: &Lookup, tyme: Tyme, ttl: Duration) {
        let Ok(name) = normal_name(name) else {
            return;
        };
        self.forget(&name);
        let mut answer = answer.clone();
        match &mut answer {
            Lookup::Pending => return,
            Lookup::Ready(addresses) => addresses.truncate(self.limits.addresses_max),
            Lookup::Failed(_) => {}
        }
        let nothing = matches!(&answer, Lookup::Ready(addresses) if addresses.is_empty());
        if ttl.is_zero() || nothing || self.limits.names_max == 0 {
            return;
        }
        while self.answers.len() >= self.limits.names_max {
            let Some((_, soonest)) = self.by_expiry.pop_first() else {
                break;
            };
            self.answers.remove(&soonest);
        }
        let (name, expires) = (Arc::<str>::from(name), tyme + ttl);
        self.by_expiry.insert((expires, Arc::clone(&name)));
        self.answers.insert(name, (expires, answer));
        debug_assert_eq!(self.answers.len(), self.by_expiry.len());
    }

    /// Forgets a name.
    pub fn forget(&mut self, name: &str) {
        let Ok(name) = normal_name(name) else {
            return;
        };
        if let Some((name, (expires, _))) = self.answers.remove_entry(name.as_str()) {
            self.by_expiry.remove(&(expires, name));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.answers.clear();
        self.by_expiry.clear();
    }

    /// Names kept, some of which may have expired.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

/// A host name as names compare: in lower case and without the root's dot (RFC 4343, RFC 1034
/// §3.1).
///
/// # Errors
/// [`NetError::Invalid`] for what no name server could know: nothing, more than 253 bytes, a label
/// of none or of more than 63 (RFC 1035 §2.3.4), blanks and control characters.
pub fn normal_name(name: &str) -> Result<String, NetError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| (1..=LABEL_MAX).contains(&label.len());
    let foreign = |c: char| c.is_whitespace() || c.is_control();
    if name.len() > NAME_MAX || !name.split('.').all(label) || name.contains(foreign) {
        return Err(NetError::Invalid);
    }
    Ok(name.to_ascii_lowercase())
}

/// Bytes of the longest host name, without the root's dot.
/// The address that a host is, with or without brackets, if it is no name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

pub(super) const NAME_MAX: usize = 253;
/// Bytes of the longest label.
const LABEL_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(last: u8) -> Lookup {
        Lookup::Ready(vec![IpAddr::from([10, 0, 0, last])])
    }

    const FAILED: Lookup = Lookup::Failed(NetError::Unresolvable);

    fn at(secs: u64) -> Tyme {
        Tyme::from_secs(secs)
    }

    #[test]
    fn answers_are_good_for_their_time_and_failures_for_less() {
        let mut cache = AnswerCache::new(CacheLimits::default());
        cache.keep("Good.test.", &ready(1), at(100));
        cache.keep("bad.test", &FAILED, at(100));
        cache.keep("later.test", &Lookup::Pending, at(100));
        assert_eq!(cache.len(), 2, "a pending one is no answer");
        assert_eq!(cache.find("BAD.test", at(104)), Some(FAILED));
        assert_eq!(cache.find("bad.test", at(105)), None);
        assert_eq!(cache.find("good.test", at(159)), Some(ready(1)));
        assert_eq!(cache.find("good.test", at(160)), None);
        assert!(cache.is_empty(), "what expired is gone once asked for");
    }

    #[test]
    fn a_new_answer_takes_the_place_of_the_old_one() {
        let mut cache = AnswerCache::new(CacheLimits::default());
        cache.keep("x", &FAILED, at(0));
        cache.keep_for("X.", &ready(2), at(1), Duration::from_secs(1000));
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.find("x", at(900)), Some(ready(2)));
        cache.forget("x");
        assert_eq!(cache.find("x", at(2)), None);
        cache.keep("x", &ready(3), at(2));
        cache.clear();
        assert!(cache.is_empty() && cache.by_expiry.is_empty());
    }

    #[test]
    fn l1_the_one_that_expires_soonest_makes_room() {
        let limits = CacheLimits {
            names_max: 3,
            addresses_max: 2,
            ..CacheLimits::default()
        };
        let mut cache = AnswerCache::new(limits);
        for n in 0..100 {
            cache.keep(&format!("host{n}"), &ready(1), at(n));
            cache.keep("bad", &FAILED, at(n));
            assert!(cache.len() <= 3 && cache.by_expiry.len() == cache.len());
        }
        assert_eq!(cache.find("host99", at(99)), Some(ready(1)));
        assert_eq!(cache.find("host98", at(99)), Some(ready(1)));
        assert_eq!(cache.find("host97", at(99)), None);
        let many = (0..9).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        cache.keep("many", &Lookup::Ready(many), at(99));
        let Some(Lookup::Ready(kept)) = cache.find("many", at(99)) else {
            panic!("it was kept");
        };
        assert_eq!(kept, [[10, 0, 0, 0], [10, 0, 0, 1]].map(IpAddr::from));
    }

    #[test]
    fn l1_nothing_is_kept_where_that_is_the_limit() {
        let none = CacheLimits {
            names_max: 0,
            ..CacheLimits::default()
        };
        let short = CacheLimits {
            ttl: Duration::ZERO,
            failure_ttl: Duration::ZERO,
            ..CacheLimits::default()
        };
        for limits in [none, short] {
            let mut cache = AnswerCache::new(limits);
            cache.keep("x", &ready(1), at(0));
            cache.keep("y", &FAILED, at(0));
            cache.keep("z", &Lookup::Ready(Vec::new()), at(0));
            assert!(cache.is_empty());
        }
        let mut cache = AnswerCache::new(CacheLimits::default());
        cache.keep_for("x", &ready(1), at(5), Duration::MAX);
        assert_eq!(cache.find("x", at(u64::from(u32::MAX))), Some(ready(1)));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        assert_eq!(normal_name("Ex-Ample.ORG."), Ok("ex-ample.org".to_owned()));
        let label = "a".repeat(63);
        let longest = [label.as_str(), &label, &label, &label[..61]].join(".");
        assert_eq!(normal_name(&longest), Ok(longest.clone()));
        let bad = [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            &format!("{label}a.org"),
            &format!("{longest}x"),
        ];
        for name in bad {
            assert_eq!(normal_name(name), Err(NetError::Invalid), "{name:?}");
        }
        let mut cache = AnswerCache::new(CacheLimits::default());
        cache.keep("a..b", &ready(1), at(0));
        assert!(cache.is_empty() && cache.find("a..b", at(0)).is_none());
    }
}
