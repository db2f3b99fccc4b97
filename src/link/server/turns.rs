//! What a service does with connections.

use super::Server;
use crate::link::link::{Link, Turn};
use crate::link::news::News;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::Session;
use crate::link::{CloseReason, Event, ListenerLost, Pause, Remoter, RemoterId};
use crate::net::{Endpoint, Group, Net, NetError, Sid};
use crate::tyme::Tyme;

impl Server {
    pub(super) fn tell(&mut self, event: Event) {
        let shared = &mut self.shared;
        self.events.push(
            event,
            shared.limits.events_max,
            &mut shared.stats.events_lost,
        );
    }

    /// Forgets the connections that ended in an earlier service.
    #[inline]
    pub(super) fn reap(&mut self) {
        self.ready.clear();
        self.events.stale();
        while let Some(id) = self.ended.pop() {
            self.table.remove(id);
        }
    }

    /// Takes the marks, accepts if the listener has one or a pause is over, and then takes the
    /// marks of the new connections, too, so that they are served at once.
    #[inline]
    pub(super) fn collect(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        group: Group,
        marks: &mut Vec<Sid>,
    ) -> Result<(), ListenerLost> {
        net.ready(group, marks);
        self.shared.handshakes = 0;
        let Some(listener) = self.listener else {
            return Ok(());
        };
        let ready = marks.binary_search(&listener);
        if let Ok(at) = ready {
            marks.remove(at);
        }
        match self.accepts.wanted(tyme, ready.is_ok()) {
            true => self.accept_and_collect(listener, tyme, net, group, marks),
            false => Ok(()),
        }
    }

    #[cold]
    fn accept_and_collect(
        &mut self,
        listener: Sid,
        tyme: Tyme,
        net: &mut dyn Net,
        group: Group,
        marks: &mut Vec<Sid>,
    ) -> Result<(), ListenerLost> {
        let before = self.shared.stats.opened;
        let again = self.accept_some(listener, tyme, net);
        net.ready(group, marks);
        marks.retain(|sid| *sid != listener);
        let again = again?;
        if again {
            net.mark(listener);
        }
        self.accepted_last(before, again, net);
        Ok(())
    }

    /// Accepts within the limits. True when more may wait.
    fn accept_some(
        &mut self,
        listener: Sid,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<bool, ListenerLost> {
        for _ in 0..self.shared.limits.accepts_per_service {
            if self.table.open() >= self.shared.limits.connections_max {
                if self.accepts.full() {
                    self.shared.stats.full_pauses += 1;
                    self.tell(Event::AcceptPaused(Pause::Full));
                }
                return Ok(false);
            }
            match net.accept(listener) {
                Ok(waiting) => {
                    if self.accepts.worked() {
                        self.tell(Event::AcceptResumed);
                    }
                    match waiting {
                        Some((sid, peer)) => drop(self.welcome(sid, peer, tyme, net)),
                        None => return Ok(false),
                    }
                }
                // All it had time for had died while they waited: more may wait.
                Err(NetError::Aborted) => return Ok(true),
                Err(why) => {
                    self.refused(why, tyme)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    pub(in crate::link) fn welcome(
        &mut self,
        sid: Sid,
        peer: Endpoint,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> RemoterId {
        let mut link = Link::open(sid, tyme, &self.shared.limits);
        link.keep_open(!self.auto_close);
        link.draw_seed(net);
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        let asks = self.tls.as_ref().is_some_and(|tls| {
            let deadline = tyme + self.shared.limits.handshake;
            let session = Session::server(tls, link.next_seed());
            link.begin_secure(session, deadline, &mut self.shared.stats) && link.touch()
        });
        log::debug!("accepted {peer}");
        let id = self.table.insert(sid, peer, link);
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        if asks {
            self.asked.push(id);
        }
        self.shared.stats.opened += 1;
        self.tell(Event::Accepted(id));
        id
    }

    /// Whether connections begin with a TLS handshake.
    pub(in crate::link) const fn speaks_tls(&self) -> bool {
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        return self.tls.is_some();
        #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
        return false;
    }

    /// A connection went to another server.
    pub(in crate::link) fn forget_handed(&mut self, id: RemoterId, tyme: Tyme, net: &mut dyn Net) {
        self.asked.retain(|asked| *asked != id);
        self.ready.retain(|ready| *ready != id);
        self.table.remove(id);
        self.shared.stats.closed += 1;
        self.made_room(tyme, net);
    }

    /// An accept failed. Only a listener that is gone is an error of the service.
    fn refused(&mut self, why: NetError, tyme: Tyme) -> Result<(), ListenerLost> {
        self.shared.stats.accept_errors += 1;
        if why == NetError::Stale {
            self.listener = None;
            let at = self.ha.clone();
            return Err(ListenerLost { at, why });
        }
        let pause = self.shared.limits.accept_pause;
        if self.accepts.failed(tyme, why, pause) {
            self.tell(Event::AcceptPaused(Pause::Exhausted));
        }
        Ok(())
    }

    /// The turns of the connections that are ready: the path of every message.
    pub(super) fn turns_each(
        &mut self,
        marks: &[Sid],
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut impl FnMut(&mut Remoter),
    ) {
        let (table, shared) = (&mut self.table, &mut self.shared);
        let mut turn = Turn { tyme, net, shared };
        for &sid in marks {
            let Some(ix) = table.on(sid) else {
                continue;
            };
            let news = ix.listen(&mut turn);
            let news = attend(ix, news, &mut turn, each);
            if news.notable() || ix.needs_arming() {
                self.notable.push((ix.id(), news));
            }
        }
        if !self.notable.is_empty() {
            self.note(tyme, net);
        }
    }

    /// What else is to be done for connections that had their turn.
    #[cold]
    fn note(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let mut notable = std::mem::take(&mut self.notable);
        for (id, news) in notable.drain(..) {
            self.table.arm(id.key());
            self.report_each(id, news, tyme, net);
        }
        self.notable = notable;
    }

    /// The turns of the connections that were asked something between services.
    pub(super) fn acts_each(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut impl FnMut(&mut Remoter),
    ) {
        let mut turns = std::mem::take(&mut self.turns);
        std::mem::swap(&mut turns, &mut self.asked);
        for id in turns.drain(..) {
            let Some(ix) = self.table.get_mut(id).filter(|ix| ix.closed().is_none()) else {
                continue;
            };
            let shared = &mut self.shared;
            let mut turn = Turn { tyme, net, shared };
            let news = ix.inherited().and(ix.act(&mut turn));
            let news = attend(ix, news, &mut turn, each);
            self.table.arm(id.key());
            self.report_each(id, news, tyme, net);
        }
        self.turns = turns;
    }

    /// Ends the connections that are out of time.
    pub(super) fn expire_each(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut impl FnMut(&mut Remoter),
    ) {
        let mut turns = std::mem::take(&mut self.turns);
        self.table.expired(tyme, &mut turns);
        for id in turns.drain(..) {
            if self.expire(id, tyme, net) {
                if let Some(ix) = self.table.get_mut(id) {
                    each(ix);
                }
                self.report_each(id, News::CLOSED, tyme, net);
            }
        }
        self.turns = turns;
    }

    /// Ends one connection if it is out of time.
    pub(super) fn expire(&mut self, id: RemoterId, tyme: Tyme, net: &mut dyn Net) -> bool {
        let Some(ix) = self.table.get_mut(id) else {
            return false;
        };
        let shared = &mut self.shared;
        let ended = ix.expire(&mut Turn { tyme, net, shared });
        if !ended {
            self.table.arm(id.key());
        }
        ended
    }

    /// As [`report`](Self::report), and forgets a connection that ended: it had its last call.
    pub(super) fn report_each(&mut self, id: RemoterId, news: News, tyme: Tyme, net: &mut dyn Net) {
        self.report(id, news, tyme, net);
        if news.has(News::CLOSED) {
            self.table.remove(id);
        }
    }

    /// Receives from one connection, for those who look at it afterwards.
    pub(super) fn receive_from(&mut self, sid: Sid, tyme: Tyme, net: &mut dyn Net) {
        let Some(ix) = self.table.on(sid) else {
            return;
        };
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        let news = ix.listen(&mut turn);
        ix.rest(&mut turn.shared.pool);
        let id = ix.id();
        self.table.arm(id.key());
        if news.any() {
            self.show(id, news, tyme, net);
        }
    }

    /// Gives each a turn without receiving.
    pub(super) fn send_to(&mut self, ids: &[RemoterId], tyme: Tyme, net: &mut dyn Net) {
        for &id in ids {
            if let Some(news) = self.act(id, tyme, net) {
                if news.any() {
                    self.show(id, news, tyme, net);
                }
            }
        }
    }

    /// Carries out what one connection was asked for. None when it had ended before.
    fn act(&mut self, id: RemoterId, tyme: Tyme, net: &mut dyn Net) -> Option<News> {
        let ix = self.table.get_mut(id)?;
        let ended = ix.closed().is_some();
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        let news = ix.inherited().and(ix.act(&mut turn));
        ix.rest(&mut turn.shared.pool);
        self.table.arm(id.key());
        (!ended).then_some(news)
    }

    /// Makes news visible to who looks after the service.
    pub(super) fn show(&mut self, id: RemoterId, news: News, tyme: Tyme, net: &mut dyn Net) {
        self.ready.push(id);
        if news.has(News::SECURED) {
            self.tell(Event::Secured(id));
        }
        if news.has(News::RECEIVED) {
            self.tell(Event::Received(id));
        }
        self.report(id, news.without(News::SECURED), tyme, net);
        if news.has(News::CLOSED) {
            self.ended.push(id);
        } else if news.has(News::CUTOFF) {
            // It closes in the next service, unless the user has something to say.
            if let Some(ix) = self.table.get_mut(id) {
                if ix.touch() {
                    self.asked.push(id);
                }
            }
        }
    }

    /// Events of what is rarer than bytes; a connection that ended makes room for others.
    pub(super) fn report(&mut self, id: RemoterId, news: News, tyme: Tyme, net: &mut dyn Net) {
        if news.has(News::SECURED) {
            self.tell(Event::Secured(id));
        }
        if news.has(News::DRAINED) {
            self.tell(Event::Drained(id));
        }
        if news.has(News::CUTOFF) {
            self.tell(Event::Cutoff(id));
        }
        if news.has(News::CLOSED) {
            let reason = self.table.get(id).and_then(|ix| ix.closed());
            let reason = reason.unwrap_or(CloseReason::Aborted);
            log::debug!("connection {id} of {}: {reason}", self.ha);
            self.tell(Event::Closed(id, reason));
            self.table.closed(id);
            self.made_room(tyme, net);
        }
    }

    /// One connection less: others may be waiting.
    fn made_room(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if self.accepts.freed(tyme) {
            if let Some(listener) = self.listener {
                net.mark(listener);
            }
        }
    }

    /// Ends one connection at once.
    pub(super) fn end_one(
        &mut self,
        id: RemoterId,
        reason: CloseReason,
        tyme: Tyme,
        net: &mut dyn Net,
    ) {
        let Some(ix) = self.table.get_mut(id).filter(|ix| ix.closed().is_none()) else {
            return;
        };
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        match reason {
            CloseReason::DrainCut => ix.cut(&mut turn),
            _ => ix.end(reason, &mut turn),
        }
        self.report(id, News::CLOSED, tyme, net);
    }
}

/// Shows news to the user, carries out what is asked in return, and shows the end if that is one.
#[inline(always)]
pub(super) fn attend(
    ix: &mut Remoter,
    mut news: News,
    turn: &mut Turn<'_>,
    each: &mut impl FnMut(&mut Remoter),
) -> News {
    if news.any() {
        ix.lend(&mut turn.shared.pool);
        each(ix);
        let mut done = ix.act(turn);
        if done.any() {
            if done.has(News::CLOSED) && !news.has(News::CLOSED) {
                each(ix);
            } else if done.has(News::DRAINED) {
                done = ix.put_off(done, turn);
            }
        }
        news = news.and(done);
    }
    ix.rest(&mut turn.shared.pool);
    news
}
