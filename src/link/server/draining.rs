//! A server that comes to its end: who waits is still accepted, who is there is served on.

use super::Server;
use crate::link::link::Turn;
use crate::link::news::News;
use crate::link::{Remoter, RemoterId};
use crate::net::{Net, Shutdown};
use crate::tyme::Tyme;

/// How far a drain is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// Connections may be busy until then, without a pause that counts; none before the first
    /// service, which is the first to know the tyme.
    busy_until: Option<Tyme>,
    /// When to look for connections that are through.
    look_at: Tyme,
}

impl Drain {
    pub(super) const NEW: Self = Self {
        busy_until: None,
        look_at: Tyme::ZERO,
    };

    pub(super) const fn due(&self) -> Tyme {
        self.look_at
    }
}

impl Server {
    /// Comes to its end in order. Who waits at the listener is still accepted, then it listens no
    /// more. Each connection is served on, and closed as soon as
    /// - everything it received was consumed, everything queued was sent, and one more read finds
    ///   nothing; and
    /// - it had no traffic for [`Limits::drain_quiet`](crate::link::Limits::drain_quiet), or it has
    ///   gone on for four times as long since the drain began.
    ///
    /// A [held](crate::link::Link::hold) one is left to its holder. Service on until it
    /// [is drained](Self::is_drained), then [`close`](Self::close): which resets what is left, with
    /// [`CloseReason::DrainCut`](crate::link::CloseReason::DrainCut).
    ///
    /// What a peer sends after the last read is not answered. Only a protocol that says "this is
    /// the last one" can do better, as HTTP does.
    pub fn drain(&mut self, net: &mut dyn Net) {
        if self.group.is_some() {
            self.finish_listening(net);
            self.drain.get_or_insert(Drain::NEW);
        }
    }

    /// Whether it [drained](Self::drain) and nobody is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drain.is_some() && self.listener.is_none() && self.is_empty()
    }

    /// Listens no more once all who wait at the listener are accepted, in the next services;
    /// connections go on. For protocols that bring their connections to an end themselves.
    pub fn finish_listening(&mut self, net: &mut dyn Net) {
        let Some(listener) = self.listener.filter(|_| self.last_accepts.is_none()) else {
            return;
        };
        // Where the system cannot, somebody may come between the last accept and the close.
        if let Err(why) = net.shutdown(listener, Shutdown::Receive) {
            log::trace!("the listener {} takes calls to the last: {why}", self.ha);
        }
        net.mark(listener);
        self.last_accepts = Some(self.options.backlog as usize + 1);
        self.ends = true;
    }

    /// Accepts the last ones; then the listener goes. Further ones than could wait when this began
    /// came later.
    pub(super) fn accepted_last(&mut self, before: u64, again: bool, net: &mut dyn Net) {
        let Some(left) = &mut self.last_accepts else {
            return;
        };
        let accepted = usize::try_from(self.shared.stats.opened - before).unwrap_or(usize::MAX);
        *left = left.saturating_sub(accepted);
        if *left == 0 || !(again || self.accepts.paused()) {
            self.stop_listening(net);
        }
    }

    /// Reads from a connection once more, whatever the net knows of it, and when there is nothing
    /// closes it at once: for protocols that end connections on which nothing is under way. Says
    /// whether it did. What came instead is there to be looked at, and nobody calls for it.
    pub fn close_if_silent(&mut self, id: RemoterId, tyme: Tyme, net: &mut dyn Net) -> bool {
        let Some(ix) = self.table.get_mut(id).filter(|ix| ix.connected()) else {
            return false;
        };
        net.mark(ix.sid());
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        let mut news = ix.listen(&mut turn);
        let silent = !news.any();
        if silent {
            ix.close();
            news = ix.act(&mut turn);
        }
        ix.rest(&mut turn.shared.pool);
        self.table.arm(id.key());
        if news.any() {
            self.show(id, news, tyme, net);
        }
        silent
    }

    /// Looks for connections that are through and closes them.
    pub(super) fn ebb(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        mut each: Option<&mut dyn FnMut(&mut Remoter)>,
    ) {
        let quiet = self.shared.limits.drain_quiet;
        let Some(drain) = self.drain.as_mut().filter(|drain| tyme >= drain.look_at) else {
            return;
        };
        let busy_until = *drain.busy_until.get_or_insert(tyme + quiet * BUSY);
        drain.look_at = match self.table.len() == 0 && self.listener.is_none() {
            true => Tyme::NEVER,
            false => tyme + (quiet / LOOKS).max(super::GRANULE),
        };
        for id in self.ids() {
            let rests = self.get(id).is_some_and(|ix| {
                ix.rests() && (tyme >= busy_until || tyme >= ix.active() + quiet)
            });
            if rests {
                self.end_resting(id, tyme, net, &mut each);
            }
        }
    }

    /// Reads once more, and closes when there was nothing.
    fn end_resting(
        &mut self,
        id: RemoterId,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut Option<&mut dyn FnMut(&mut Remoter)>,
    ) {
        let Some(ix) = self.table.get_mut(id) else {
            return;
        };
        net.mark(ix.sid());
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        let mut news = ix.listen(&mut turn);
        if !news.any() {
            ix.close();
            news = ix.act(&mut turn);
            ix.rest(&mut turn.shared.pool);
        } else if let Some(each) = each {
            news = super::turns::attend(ix, news, &mut turn, each);
        }
        self.table.arm(id.key());
        match each {
            Some(each) => {
                let ended = news.has(News::CLOSED);
                if let Some(ix) = self.table.get_mut(id).filter(|_| ended) {
                    each(ix);
                }
                self.report_each(id, news, tyme, net);
            }
            None if news.any() => self.show(id, news, tyme, net),
            None => {}
        }
    }
}

/// Times [`Limits::drain_quiet`](crate::link::Limits::drain_quiet) that a busy connection goes on.
const BUSY: u32 = 4;
/// Looks in the same time.
const LOOKS: u32 = 4;
