//! Names: what is known without asking anybody, what the resolver is asked, what it answered.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::MioNet;
use super::resolver::{LookUp, Resolver, ResolverOptions, ask_system};
use crate::net::name_cache::literal;
use crate::net::{AnswerCache, Group, Lookup, NameStats, NetError, normal_name};
use crate::tyme::{Clock, Tyme};

/// Most names that the table of own names holds.
const NAMES_MAX: usize = 4096;
/// How long an answer waits for the group that asked, whatever the cache keeps.
const ANSWER_KEPT: Duration = Duration::from_secs(30);

/// What the program says about names.
impl MioNet {
    /// Gives `name` addresses of its own, best first, for [`resolve`](crate::net::Net::resolve).
    ///
    /// Names compare without case and without a dot at the end. A name in this table wins over
    /// `localhost`, literal addresses win over the table. It holds at most 4096 names.
    ///
    /// # Errors
    /// [`NetError::Invalid`] without a name or addresses, [`NetError::Exhausted`] when the table
    /// is full.
    pub fn add_name(&mut self, name: &str, addresses: Vec<IpAddr>) -> Result<(), NetError> {
        self.names.add(name, addresses)
    }

    /// Forgets a name that [`add_name`](Self::add_name) gave.
    pub fn remove_name(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Looks names up by the system's resolver from now on, in threads: see
    /// [`start_resolver`](Self::start_resolver).
    ///
    /// # Errors
    /// [`NetError::Invalid`] when no thread or no name is allowed.
    pub fn with_resolver(mut self, options: ResolverOptions) -> Result<Self, NetError> {
        self.start_resolver(options)?;
        Ok(self)
    }

    /// Looks names up by the system's resolver from now on.
    ///
    /// The system's resolver blocks, so it is asked in threads, of which none exists before a name
    /// is asked for that is neither an address, nor in the table, nor `localhost`. A slow name
    /// server delays nobody: [`resolve`](crate::net::Net::resolve) says [`Lookup::Pending`], and the answer
    /// ends the wait in [`poll`](crate::net::Net::poll). How long to wait is for the caller to say.
    ///
    /// A resolver that is there already is replaced; its answers are forgotten, and groups that
    /// wait are marked, to ask again. When the net is dropped, idle threads end; one that is inside
    /// a look-up ends when that returns, and nobody waits for it.
    ///
    /// # Errors
    /// As [`with_resolver`](Self::with_resolver).
    pub fn start_resolver(&mut self, options: ResolverOptions) -> Result<(), NetError> {
        self.start_resolver_with(options, ask_system)
    }

    /// As [`start_resolver`](Self::start_resolver) with a look-up of one's own, which may block:
    /// for name services of other kinds, and for tests. One that panics has found nothing.
    ///
    /// # Errors
    /// As [`with_resolver`](Self::with_resolver).
    pub fn start_resolver_with(
        &mut self,
        options: ResolverOptions,
        look_up: impl Fn(&str) -> Result<Vec<IpAddr>, NetError> + Send + Sync + 'static,
    ) -> Result<(), NetError> {
        if options.threads_max == 0 || options.names_max == 0 {
            return Err(NetError::Invalid);
        }
        let look_up: Arc<LookUp> = Arc::new(look_up);
        let resolver = Resolver::new(options.threads_max, look_up, &self.waker);
        self.set_resolver(Some(resolver), &options);
        Ok(())
    }

    /// Asks the system's resolver no more. Groups that wait are marked; their names have failed.
    pub fn stop_resolver(&mut self) {
        self.set_resolver(None, &ResolverOptions::default());
    }

    /// Forgets what the resolver has answered so far.
    pub fn clear_name_cache(&mut self) {
        self.names.clear_cache();
    }

    fn set_resolver(&mut self, resolver: Option<Resolver>, options: &ResolverOptions) {
        for group in self.names.set_resolver(resolver, options) {
            self.table.mark_group(group);
        }
    }

    /// Takes the resolver's answers in, and marks those who wait for them.
    #[cold]
    pub(super) fn collect_answers(&mut self) {
        let tyme = self.clock.now();
        for group in self.names.collect(tyme) {
            self.table.mark_group(group);
        }
    }
}

/// A table of names beside the literal addresses and `localhost`, and a resolver if there is one.
#[derive(Debug, Default)]
pub(super) struct Names {
    table: BTreeMap<String, Vec<IpAddr>>,
    resolver: Option<Resolver>,
    names_max: usize,
    cache: AnswerCache,
    /// Names that the resolver was asked for, each with the groups that wait for it.
    asked: BTreeMap<Arc<str>, Vec<Group>>,
    /// Answers for the groups that waited for them, and how long each is kept: a cache that keeps
    /// nothing must not make them ask for ever.
    answered: BTreeMap<(Group, Arc<str>), (Tyme, Lookup)>,
    stats: NameStats,
}

/// The table.
impl Names {
    pub(super) fn add(&mut self, name: &str, addresses: Vec<IpAddr>) -> Result<(), NetError> {
        let name = normal_name(name)?;
        if addresses.is_empty() {
            return Err(NetError::Invalid);
        }
        if self.table.len() >= NAMES_MAX && !self.table.contains_key(&name) {
            return Err(NetError::Exhausted);
        }
        self.table.insert(name, addresses);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Ok(name) = normal_name(name) {
            self.table.remove(&name);
        }
    }

    pub(super) fn clear_cache(&mut self) {
        self.cache.clear();
    }

    pub(super) fn stats(&self) -> NameStats {
        NameStats {
            waiting: self.asked.len(),
            ..self.stats
        }
    }
}

/// Asking.
impl Names {
    /// Takes a resolver in place of the one that is there, or of none. Gives the groups that
    /// waited, which are to ask again.
    pub(super) fn set_resolver(
        &mut self,
        resolver: Option<Resolver>,
        options: &ResolverOptions,
    ) -> Vec<Group> {
        self.resolver = resolver;
        self.names_max = options.names_max;
        self.cache = AnswerCache::new(options.cache);
        self.answered.clear();
        let waiting = std::mem::take(&mut self.asked);
        waiting.into_values().flatten().collect()
    }

    pub(super) fn resolve(&mut self, group: Group, name: &str, tyme: Tyme) -> Lookup {
        if let Some(ip) = literal(name) {
            return Lookup::Ready(vec![ip]);
        }
        let name = match normal_name(name) {
            Ok(name) => name,
            Err(why) => return Lookup::Failed(why),
        };
        if let Some(addresses) = self.table.get(&name) {
            return Lookup::Ready(addresses.clone());
        }
        // RFC 6761 §6.3: localhost and all below it are the loopback addresses.
        if name == "localhost" || name.ends_with(".localhost") {
            return Lookup::Ready(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        self.ask(group, name.into(), tyme)
    }

    fn ask(&mut self, group: Group, name: Arc<str>, tyme: Tyme) -> Lookup {
        let Some(resolver) = &mut self.resolver else {
            return Lookup::Failed(NetError::Unresolvable);
        };
        if let Some((_, answer)) = self.answered.remove(&(group, Arc::clone(&name))) {
            return answer;
        }
        if let Some(answer) = self.cache.find(&name, tyme) {
            self.stats.cached += 1;
            return answer;
        }
        if let Some(groups) = self.asked.get_mut(&name) {
            if !groups.contains(&group) {
                groups.push(group);
            }
            return Lookup::Pending;
        }
        if self.asked.len() >= self.names_max {
            self.stats.refused += 1;
            return Lookup::Failed(NetError::Exhausted);
        }
        match resolver.ask(Arc::clone(&name)) {
            Ok(()) => {
                self.asked.insert(name, vec![group]);
                self.stats.asked += 1;
                Lookup::Pending
            }
            Err(why) => {
                self.stats.refused += 1;
                Lookup::Failed(why)
            }
        }
    }

    /// Takes in what the resolver has found. Gives the groups that waited for it.
    pub(super) fn collect(&mut self, tyme: Tyme) -> Vec<Group> {
        let found = self.resolver.as_ref().map(Resolver::answers);
        let found = found.unwrap_or_default();
        let mut told = Vec::new();
        if found.is_empty() {
            return told;
        }
        self.answered.retain(|_, (until, _)| *until > tyme);
        for (name, mut answer) in found {
            match answer {
                Lookup::Ready(_) => self.stats.found += 1,
                _ => self.stats.failed += 1,
            }
            if let Lookup::Ready(addresses) = &mut answer {
                addresses.truncate(self.cache.limits().addresses_max.max(1));
            }
            // What this machine had no room for is to be asked again.
            if answer != Lookup::Failed(NetError::Exhausted) {
                self.cache.keep(&name, &answer, tyme);
            }
            for group in self.asked.remove(&name).unwrap_or_default() {
                let kept = (tyme + ANSWER_KEPT, answer.clone());
                self.answered.insert((group, Arc::clone(&name)), kept);
                told.push(group);
            }
        }
        told
    }

    /// A group is closed and waits no more. What nobody waits for is not looked up, unless a
    /// thread has begun: then the answer is for the cache.
    pub(super) fn forget_group(&mut self, group: Group) {
        let Some(resolver) = &self.resolver else {
            return; // nobody waits
        };
        self.answered.retain(|(waiting, _), _| *waiting != group);
        self.asked.retain(|name, groups| {
            let waited = groups.contains(&group);
            groups.retain(|waiting| *waiting != group);
            !waited || !groups.is_empty() || !resolver.withdraw(name)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: Group = Group::new(0, 0);

    fn resolve(names: &mut Names, name: &str) -> Lookup {
        names.resolve(GROUP, name, Tyme::ZERO)
    }

    #[test]
    fn literals_table_and_localhost() {
        let mut names = Names::default();
        let ready = |ips: &[&str]| {
            Lookup::Ready(ips.iter().map(|ip| ip.parse().expect("literal")).collect())
        };
        let failed = Lookup::Failed(NetError::Unresolvable);
        let cases = [
            ("10.1.2.3", ready(&["10.1.2.3"])),
            ("[::1]", ready(&["::1"])),
            ("LocalHost.", ready(&["127.0.0.1", "::1"])),
            ("a.localhost", ready(&["127.0.0.1", "::1"])),
            ("notlocalhost", failed.clone()),
            ("", Lookup::Failed(NetError::Invalid)),
            ("a..b", Lookup::Failed(NetError::Invalid)),
        ];
        for (name, answer) in cases {
            assert_eq!(resolve(&mut names, name), answer, "{name}");
        }
        names
            .add("Alpha.Test.", vec!["10.0.0.7".parse().expect("literal")])
            .expect("room");
        assert_eq!(resolve(&mut names, "alpha.tesT"), ready(&["10.0.0.7"]));
        names.remove("ALPHA.test");
        assert_eq!(resolve(&mut names, "alpha.test"), failed);
    }

    #[test]
    fn l1_the_table_is_bounded() {
        let mut names = Names::default();
        let ip = vec![IpAddr::from([10, 0, 0, 1])];
        assert_eq!(names.add("x", Vec::new()), Err(NetError::Invalid));
        assert_eq!(names.add(".", ip.clone()), Err(NetError::Invalid));
        for n in 0..NAMES_MAX {
            assert_eq!(names.add(&format!("host{n}"), ip.clone()), Ok(()));
        }
        assert_eq!(names.add("more", ip.clone()), Err(NetError::Exhausted));
        assert_eq!(names.add("host7", ip), Ok(()));
    }

    /// Looks a name up and takes the answer in, all at one tyme.
    fn answer(names: &mut Names, name: &str, tyme: Tyme, poll: &mut ::mio::Poll) {
        assert_eq!(names.resolve(GROUP, name, tyme), Lookup::Pending);
        let mut events = ::mio::Events::with_capacity(1);
        for _ in 0..100 {
            let wait = Some(Duration::from_millis(100));
            poll.poll(&mut events, wait).expect("a poll");
            if names.collect(tyme) == [GROUP] {
                return;
            }
        }
        panic!("no answer for {name}");
    }

    #[test]
    fn l1_an_answer_that_nobody_fetches_is_dropped_in_the_end() {
        let mut poll = ::mio::Poll::new().expect("a poll");
        let waker = ::mio::Waker::new(poll.registry(), ::mio::Token(0)).expect("a waker");
        let waker = Arc::new(waker);
        let look_up: Arc<LookUp> = Arc::new(|_: &str| Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        let mut options = ResolverOptions::default();
        options.cache.ttl = Duration::ZERO;
        let mut names = Names::default();
        names.set_resolver(Some(Resolver::new(1, look_up, &waker)), &options);
        answer(&mut names, "a", Tyme::ZERO, &mut poll);
        let kept = Tyme::ZERO + ANSWER_KEPT;
        answer(
            &mut names,
            "b",
            Tyme::from_nanos(kept.as_nanos() - 1),
            &mut poll,
        );
        assert_eq!(names.answered.len(), 2);
        answer(&mut names, "c", kept, &mut poll);
        assert_eq!(names.answered.len(), 2, "the first one is gone");
        assert!(matches!(names.resolve(GROUP, "b", kept), Lookup::Ready(_)));
        assert_eq!(names.resolve(GROUP, "b", kept), Lookup::Pending, "fetched");
        names.forget_group(GROUP);
        assert!(names.answered.is_empty(), "nobody will fetch it");
    }
}
