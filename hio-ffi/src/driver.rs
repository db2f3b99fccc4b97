//! A net, its servers and links, and the tyme they have reached. Safe code: what C hands in is
//! numbers, texts and bytes here.

mod links;
mod serve;
mod servers;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::time::Duration;

use hio::net::{Interrupt, MioNet, Net, Owner, ResolverOptions};
use hio::tyme::Tyme;

use crate::abi::{hio_event_kind as Kind, hio_status};
use crate::error::Error;
use crate::events::{Event, Events};
use crate::link_end::LinkEnd;
use crate::metered::Metered;
use crate::server_end::ServerEnd;
use crate::table::{self, Table};
use crate::tls::Tls;

pub(crate) use links::Dial;
pub(crate) use servers::Listening;

/// What a handle of a loop names.
#[derive(Debug)]
pub(crate) struct Driver {
    net: Metered,
    /// The latest moment that was handed in.
    tyme: Tyme,
    servers: Table<ServerEnd>,
    links: Table<LinkEnd>,
    tls: Table<Tls>,
    events: Events,
    /// When who is served although nothing is ready: deadlines, and at once what was asked for.
    /// Those who have no such moment are not in it.
    timers: BTreeSet<(Tyme, u64)>,
    /// Who was served last in a tick that was cut short.
    cursor: u64,
    /// Links and servers whose last event was taken: the next tick forgets them.
    spent: Vec<u64>,
    /// Links that took only a part of what they were offered, and must tell of room.
    filled: Vec<u64>,
    /// Scratch: kept for its storage.
    owners: Vec<Owner>,
    /// The text of the event that was taken last.
    event_text: CString,
    /// Why the last call that failed did.
    error: CString,
}

/// Opening, and what a loop as a whole is asked.
impl Driver {
    /// A loop in place `lane`, whose handles' generations begin at `base`.
    pub(crate) fn new(
        now: Tyme,
        threads: usize,
        events: usize,
        lane: u32,
        base: u32,
    ) -> Result<Self, Error> {
        let mut net = MioNet::new()?;
        if threads > 0 {
            net.start_resolver(ResolverOptions {
                threads_max: threads,
                ..ResolverOptions::default()
            })?;
        }
        Ok(Self {
            net: Metered::new(net),
            tyme: now,
            servers: Table::new(table::Kind::Server, lane, base),
            links: Table::new(table::Kind::Link, lane, base),
            tls: Table::new(table::Kind::Tls, lane, base),
            events: Events::new(events),
            timers: BTreeSet::new(),
            cursor: 0,
            spent: Vec::new(),
            filled: Vec::new(),
            owners: Vec::new(),
            event_text: CString::default(),
            error: CString::default(),
        })
    }

    /// What the generations of a later loop in this place must not be below.
    pub(crate) fn above(&self) -> u32 {
        let links = self.links.above().max(self.servers.above());
        links.max(self.tls.above())
    }

    /// Ends a wait from any thread.
    pub(crate) fn interrupt(&mut self) -> Option<Interrupt> {
        self.net.interrupt()
    }

    /// Tyme goes on to `now`, and never back.
    pub(crate) fn reach(&mut self, now: Tyme) {
        self.tyme = self.tyme.max(now);
    }

    pub(crate) fn fail(&mut self, text: &str) {
        self.error = c_text(text);
    }

    pub(crate) fn error(&self) -> &std::ffi::CStr {
        &self.error
    }

    #[cfg(unix)]
    pub(crate) fn poll_fd(&self) -> Option<i32> {
        self.net.poll_fd()
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "there is none on this platform")]
    pub(crate) const fn poll_fd(&self) -> Option<i32> {
        None
    }

    pub(crate) fn add_name(&mut self, name: &str, addresses: &str) -> Result<(), Error> {
        let addresses = addresses.split(',').map(|ip| {
            ip.trim().parse().map_err(|_| {
                let text = format!("{ip:?} is no IP address");
                Error::new(hio_status::HIO_ERR_ADDRESS, text)
            })
        });
        let addresses = addresses.collect::<Result<_, _>>()?;
        Ok(self.net.net_mut().add_name(name, addresses)?)
    }
}

/// Stepping.
impl Driver {
    /// Looks what is ready and serves it, and whose deadline has come: at most `budget` ready
    /// sockets, each server or client counting as one at least.
    pub(crate) fn tick(&mut self, now: Tyme, budget: u64) -> Result<hio_status, Error> {
        self.reach(now);
        self.forget_spent();
        self.net.poll(Tyme::ZERO)?;
        self.net.allow(budget);
        let due = self.due_ones();
        let status = self.serve_all(&due);
        self.net.allow(u64::MAX);
        self.tell_of_room();
        Ok(status)
    }

    fn serve_all(&mut self, due: &[u64]) -> hio_status {
        for &handle in due {
            if self.events.full() {
                return hio_status::HIO_EVENTS;
            }
            let left = self.net.left();
            if left == 0 {
                return hio_status::HIO_MORE;
            }
            self.cursor = handle;
            self.serve(handle);
            if self.net.left() == left {
                self.net.allow(left - 1);
            }
        }
        match self.net.left() {
            0 if self.marked() => hio_status::HIO_MORE,
            _ => hio_status::HIO_OK,
        }
    }

    /// Who has a mark or is due, each once; those behind the one served last come first, so that
    /// nobody is passed over by a small budget.
    fn due_ones(&mut self) -> Vec<u64> {
        self.owners.clear();
        self.net.woken(&mut self.owners);
        let marked = self.owners.iter().map(|owner| owner.0);
        let timed = self.timers.range(..=(self.tyme, u64::MAX)).map(|(_, h)| *h);
        let mut due: Vec<u64> = marked.chain(timed).collect();
        due.sort_unstable();
        due.dedup();
        let next = due.partition_point(|handle| *handle <= self.cursor);
        let len = due.len().max(1);
        due.rotate_left(next % len);
        due
    }

    /// Sends what was queued since the last tick, without looking at anything else.
    pub(crate) fn flush(&mut self, now: Tyme) {
        self.reach(now);
        let timed = self.timers.range(..=(self.tyme, u64::MAX)).map(|(_, h)| *h);
        for handle in timed.collect::<Vec<_>>() {
            self.flush_one(handle);
        }
        self.tell_of_room();
    }

    /// How long the host may sleep, unless a socket is ready before. None: for ever.
    pub(crate) fn due(&mut self, now: Tyme) -> Option<Duration> {
        self.reach(now);
        if !self.events.is_empty() || self.marked() {
            return Some(Duration::ZERO);
        }
        let (due, _) = self.timers.first()?;
        Some(due.since(self.tyme))
    }

    /// Sleeps until a socket is ready, at most so long; not at all when there is something to do.
    pub(crate) fn wait(&mut self, most: Option<Duration>) -> Result<(), Error> {
        let until = match (self.due(self.tyme), most) {
            (Some(Duration::ZERO), _) => Tyme::ZERO,
            (_, None) => Tyme::NEVER,
            (_, Some(most)) => self.net.now() + most,
        };
        Ok(self.net.poll(until)?)
    }

    /// Whether sockets are ready that nobody was served for.
    fn marked(&mut self) -> bool {
        self.owners.clear();
        self.net.woken(&mut self.owners);
        !self.owners.is_empty()
    }

    fn forget_spent(&mut self) {
        for handle in std::mem::take(&mut self.spent) {
            self.links.remove(handle);
            self.servers.remove(handle);
        }
    }

    /// Sets when someone is served next although nothing is ready.
    fn arm(timers: &mut BTreeSet<(Tyme, u64)>, armed: &mut Tyme, due: Tyme, handle: u64) {
        if *armed != due {
            timers.remove(&(*armed, handle));
            if due < Tyme::NEVER {
                timers.insert((due, handle));
            }
            *armed = due;
        }
    }
}

/// An event that was taken.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    pub(crate) event: Event,
    pub(crate) tag: u64,
    /// Lives in the loop until the next event is taken.
    pub(crate) text: &'a std::ffi::CStr,
}

/// Events.
impl Driver {
    pub(crate) fn next_event(&mut self) -> Option<Taken<'_>> {
        let event = self.events.pop()?;
        let mut tag = self.servers.get(event.server).map_or(0, |end| end.tag);
        if let Some(link) = self.links.get_mut(event.link) {
            tag = link.tag;
            match event.kind {
                Kind::HIO_EVENT_RECEIVED => link.received_waits = false,
                Kind::HIO_EVENT_DRAINED => link.drained_waits = false,
                _ => {}
            }
        }
        match event.kind {
            Kind::HIO_EVENT_CLOSED => self.spent.push(event.link),
            Kind::HIO_EVENT_SERVER_CLOSED => self.spent.push(event.server),
            _ => {}
        }
        self.event_text = c_text(&event.text());
        Some(Taken {
            event,
            tag,
            text: &self.event_text,
        })
    }
}

/// A text for C: up to its first zero, of which ours have none.
pub(crate) fn c_text(text: &str) -> CString {
    let until = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..until]).unwrap_or_default()
}
