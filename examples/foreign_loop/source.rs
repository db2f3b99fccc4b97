//! A Doist as a source of calloop: it runs when its net is ready or its next tick has come, and not
//! otherwise. To take along into a program of your own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventSource, Interest, Mode, Poll, PostAction, Readiness, Token, TokenFactory};
use hio::doing::prelude::*;
use hio::doing::{Advance, Step};
use hio::net::MioNet;

/// Owns a Doist and its net. The callback is called after each step, with what the step came to, and
/// may look at both.
pub(crate) struct DoistSource<A: 'static> {
    inside: Inside<A>,
    /// The net's clock at the last step.
    last: Tyme,
    /// A clone of the net's poll: it can be read when a socket is ready.
    poll: Generic<OwnedFd>,
    /// Fires when the Doist has no more slack.
    timer: Timer,
}

impl<A: 'static> DoistSource<A> {
    /// Takes a Doist that was entered on this net.
    pub(crate) fn new(doist: Doist<A>, mut net: MioNet) -> io::Result<Self> {
        let poll = net.as_fd().try_clone_to_owned()?;
        Ok(Self {
            last: net.now(),
            inside: Inside { doist, net },
            // By level: should a step leave something in the poll, the next one takes it.
            poll: Generic::new(poll, Interest::READ, Mode::Level),
            timer: Timer::immediate(),
        })
    }

    /// Gives back what it was made of, once the loop has let go of it.
    pub(crate) fn into_inside(self) -> Inside<A> {
        self.inside
    }
}

/// What the callback may look at.
pub(crate) struct Inside<A: 'static> {
    pub(crate) doist: Doist<A>,
    pub(crate) net: MioNet,
}

impl<A: 'static> EventSource for DoistSource<A> {
    type Event = Advance;
    type Metadata = Inside<A>;
    type Ret = ();
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn process_events<F>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> Result<PostAction, Self::Error>
    where
        F: FnMut(Advance, &mut Inside<A>),
    {
        let mut fired = false;
        self.poll.process_events(readiness, token, |_, _| {
            fired = true;
            Ok(PostAction::Continue)
        })?;
        self.timer.process_events(readiness, token, |_, ()| {
            fired = true;
            TimeoutAction::ToDuration(LONG) // set anew below
        })?;
        if !fired {
            return Ok(PostAction::Continue);
        }
        let Inside { doist, net } = &mut self.inside;
        let now = net.now();
        let advance = doist.advance(net, now - self.last)?;
        self.last = now;
        callback(advance, &mut self.inside);
        if let Step::Ended(_) = advance.step {
            return Ok(PostAction::Remove);
        }
        // As long as it says, if nothing becomes ready meanwhile.
        self.timer
            .set_duration(self.inside.doist.slack().unwrap_or(LONG));
        Ok(PostAction::Reregister)
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.poll.register(poll, tokens)?;
        self.timer.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.poll.reregister(poll, tokens)?;
        self.timer.reregister(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.poll.unregister(poll)?;
        self.timer.unregister(poll)
    }
}

/// When nothing is ever due, the timer is not what is waited for.
const LONG: Duration = Duration::from_secs(3600);
