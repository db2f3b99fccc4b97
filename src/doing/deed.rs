//! A doer as its scheduler holds it, whatever its type and wherever it is mounted.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::cx::{Ask, Cx, New, Request, What};
use super::deeds::{Stair, Standing, contain};
use super::doer::{Doer, Next};
use super::fault::{Fault, Hook, Misuse};
use super::hub::Hub;
use super::rng::Rng;
use crate::tyme::{Tyme, nanos};

/// How a recur ended: [`Next`] with the doer's own tock put in.
///
/// Every payload is one word, so that a turn comes back in two registers: with spans of time in
/// it, it would go through memory at every call.
pub(super) enum Turn {
    /// At every tick.
    Tick,
    /// So many nanoseconds after it was due.
    After(u64),
    Park(Tyme),
    /// It ended with true.
    Done,
    /// It ended with false.
    Undone,
    Failed(Fault),
}

/// A doer with its type and its lens erased.
pub(super) trait Deed<A: ?Sized>: Send {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Turn;
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Turn;
    fn clean(&mut self, cx: &mut Cx<'_, A>);
    fn cease(&mut self, cx: &mut Cx<'_, A>);
    fn abort(&mut self, why: &Fault, cx: &mut Cx<'_, A>);
    fn exit(&mut self, cx: &mut Cx<'_, A>);
    fn type_name(&self) -> &'static str;
    /// The doer itself, or one further down.
    fn reach(&self, line: &[Stair]) -> Option<&dyn Any>;
    fn reach_mut(&mut self, line: &[Stair]) -> Option<&mut dyn Any>;
    /// Takes a doer further down that is not open.
    fn take(&mut self, line: &[Stair]) -> Option<Box<dyn Any>>;
    /// The type of a doer further down.
    fn label(&self, line: &[Stair]) -> Option<&'static str>;
    /// How a doer further down stands.
    fn standing(&self, line: &[Stair], hub: &Hub) -> Option<Standing>;
    fn into_doer(self: Box<Self>) -> Box<dyn Any>;
}

fn turn<A: ?Sized + 'static, D: Doer<A>>(doer: &D, next: Result<Next, Fault>) -> Turn {
    match next {
        Ok(Next::Again) => after(doer.tock()),
        next => entered(next),
    }
}

/// After an enter, `Again` is the next pass, whatever the doer's tock (law O2).
fn entered(next: Result<Next, Fault>) -> Turn {
    match next {
        Ok(Next::Again) => Turn::Tick,
        Ok(Next::After(span)) => after(span),
        Ok(Next::Park(until)) => Turn::Park(until),
        Ok(Next::Done(true)) => Turn::Done,
        Ok(Next::Done(false)) => Turn::Undone,
        Err(fault) => Turn::Failed(fault),
    }
}

fn after(span: Duration) -> Turn {
    if span.is_zero() {
        Turn::Tick
    } else {
        Turn::After(nanos(span))
    }
}

/// A doer of the scheduler's own state.
///
/// Sees to the doer's children, if it has any: they enter after it, and they are closed between
/// its clean, cease or abort and its exit (law O5).
pub(super) struct Plain<D>(pub(super) D);

impl<D> Plain<D> {
    /// Runs a closing hook and closes the children.
    fn part<A: ?Sized + 'static>(
        &mut self,
        hook: Hook,
        cx: &mut Cx<'_, A>,
        f: impl FnOnce(&mut D, &mut Cx<'_, A>),
    ) where
        D: Doer<A>,
    {
        if self.0.deeds_mut().is_none() {
            return f(&mut self.0, cx);
        }
        contain(cx, hook, |cx| f(&mut self.0, cx));
        if let Some(deeds) = self.0.deeds_mut() {
            deeds.close(cx);
        }
    }
}

impl<A: ?Sized + 'static, D: Doer<A> + Send + 'static> Deed<A> for Plain<D> {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Turn {
        let next = self.0.enter(cx);
        if matches!(next, Ok(Next::Again | Next::After(_) | Next::Park(_))) {
            if let Some(deeds) = self.0.deeds_mut() {
                if let Err(fault) = deeds.enter(cx) {
                    return Turn::Failed(fault);
                }
            }
        }
        entered(next)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Turn {
        let next = self.0.recur(tyme, cx);
        turn(&self.0, next)
    }
    fn clean(&mut self, cx: &mut Cx<'_, A>) {
        self.part(Hook::Clean, cx, D::clean);
    }
    fn cease(&mut self, cx: &mut Cx<'_, A>) {
        self.part(Hook::Cease, cx, D::cease);
    }
    fn abort(&mut self, why: &Fault, cx: &mut Cx<'_, A>) {
        self.part(Hook::Abort, cx, |doer, cx| doer.abort(why, cx));
    }
    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        if self.0.deeds_mut().is_none() {
            return self.0.exit(cx);
        }
        contain(cx, Hook::Exit, |cx| self.0.exit(cx));
        let open = self.0.deeds().is_some_and(|deeds| !deeds.is_empty());
        if let Some(deeds) = self.0.deeds_mut() {
            deeds.close(cx);
        }
        if open {
            let tyme = cx.ask.hub.tyme;
            cx.ask
                .hub
                .collect(Fault::misuse(Misuse::LeftOpen).during(Hook::Exit, tyme));
        }
    }
    fn type_name(&self) -> &'static str {
        std::any::type_name::<D>()
    }
    fn reach(&self, line: &[Stair]) -> Option<&dyn Any> {
        if line.is_empty() {
            Some(&self.0)
        } else {
            self.0.deeds()?.reach(line)
        }
    }
    fn reach_mut(&mut self, line: &[Stair]) -> Option<&mut dyn Any> {
        if line.is_empty() {
            Some(&mut self.0)
        } else {
            self.0.deeds_mut()?.reach_mut(line)
        }
    }
    fn take(&mut self, line: &[Stair]) -> Option<Box<dyn Any>> {
        self.0.deeds_mut()?.take(line)
    }
    fn label(&self, line: &[Stair]) -> Option<&'static str> {
        if line.is_empty() {
            return Some(Deed::<A>::type_name(self));
        }
        self.0.deeds()?.label(line)
    }
    fn standing(&self, line: &[Stair], hub: &Hub) -> Option<Standing> {
        self.0.deeds()?.standing(line, hub)
    }
    fn into_doer(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.0)
    }
}

/// A doer that lives on a part of the scheduler's state, reached through a lens.
pub(super) struct Mounted<F, B: ?Sized> {
    lens: Arc<F>,
    deed: Box<dyn Deed<B>>,
}

impl<F, B: ?Sized + 'static> Mounted<F, B> {
    pub(super) fn new<D: Doer<B> + Send + 'static>(lens: F, doer: D) -> Self {
        Self {
            lens: Arc::new(lens),
            deed: Box::new(Plain(doer)),
        }
    }

    /// Runs `f` on the part. What it asks for is mounted on the same lens.
    fn on<A, R>(
        &mut self,
        cx: &mut Cx<'_, A>,
        f: impl FnOnce(&mut dyn Deed<B>, &mut Cx<'_, B>) -> R,
    ) -> R
    where
        A: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
    {
        let mut queue = Vec::new();
        let mut part = Cx {
            app: (self.lens)(cx.app),
            net: &mut *cx.net,
            rng: Rng {
                streams: &mut *cx.rng.streams,
                me: cx.rng.me,
            },
            ask: Ask {
                hub: &mut *cx.ask.hub,
                queue: &mut queue,
                me: cx.ask.me,
            },
        };
        let result = f(&mut *self.deed, &mut part);
        cx.ask
            .queue
            .extend(queue.into_iter().map(|request| self.mount(request)));
        result
    }

    fn mount<A>(&self, request: Request<B>) -> Request<A>
    where
        A: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
    {
        let mount = |new: New<B>| -> New<A> {
            let New {
                place,
                parent,
                nth,
                deed,
            } = new;
            New {
                place,
                parent,
                nth,
                deed: Box::new(Self {
                    lens: self.lens.clone(),
                    deed,
                }),
            }
        };
        let what = match request.what {
            What::Extend(new) => What::Extend(new.into_iter().map(mount).collect()),
            What::Remove(ids) => What::Remove(ids),
            What::Stop => What::Stop,
            What::Drain(limit) => What::Drain(limit),
        };
        Request {
            root: request.root,
            what,
        }
    }
}

impl<A, B, F> Deed<A> for Mounted<F, B>
where
    A: ?Sized + 'static,
    B: ?Sized + 'static,
    F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
{
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Turn {
        self.on(cx, |deed, cx| deed.enter(cx))
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Turn {
        self.on(cx, |deed, cx| deed.recur(tyme, cx))
    }
    fn clean(&mut self, cx: &mut Cx<'_, A>) {
        self.on(cx, |deed, cx| deed.clean(cx));
    }
    fn cease(&mut self, cx: &mut Cx<'_, A>) {
        self.on(cx, |deed, cx| deed.cease(cx));
    }
    fn abort(&mut self, why: &Fault, cx: &mut Cx<'_, A>) {
        self.on(cx, |deed, cx| deed.abort(why, cx));
    }
    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.on(cx, |deed, cx| deed.exit(cx));
    }
    fn type_name(&self) -> &'static str {
        self.deed.type_name()
    }
    fn reach(&self, line: &[Stair]) -> Option<&dyn Any> {
        self.deed.reach(line)
    }
    fn reach_mut(&mut self, line: &[Stair]) -> Option<&mut dyn Any> {
        self.deed.reach_mut(line)
    }
    fn take(&mut self, line: &[Stair]) -> Option<Box<dyn Any>> {
        self.deed.take(line)
    }
    fn label(&self, line: &[Stair]) -> Option<&'static str> {
        self.deed.label(line)
    }
    fn standing(&self, line: &[Stair], hub: &Hub) -> Option<Standing> {
        self.deed.standing(line, hub)
    }
    fn into_doer(self: Box<Self>) -> Box<dyn Any> {
        self.deed.into_doer()
    }
}

/// What stands in the slot of a doer that has ended. It takes no memory, and it spares the walk
/// over the slots a look at whether there is anybody.
pub(super) struct Gone;

impl<A: ?Sized> Deed<A> for Gone {
    fn enter(&mut self, _: &mut Cx<'_, A>) -> Turn {
        Turn::Tick
    }
    fn recur(&mut self, _: Tyme, _: &mut Cx<'_, A>) -> Turn {
        Turn::Tick
    }
    fn clean(&mut self, _: &mut Cx<'_, A>) {}
    fn cease(&mut self, _: &mut Cx<'_, A>) {}
    fn abort(&mut self, _: &Fault, _: &mut Cx<'_, A>) {}
    fn exit(&mut self, _: &mut Cx<'_, A>) {}
    fn type_name(&self) -> &'static str {
        ""
    }
    fn reach(&self, _: &[Stair]) -> Option<&dyn Any> {
        None
    }
    fn reach_mut(&mut self, _: &[Stair]) -> Option<&mut dyn Any> {
        None
    }
    fn take(&mut self, _: &[Stair]) -> Option<Box<dyn Any>> {
        None
    }
    fn label(&self, _: &[Stair]) -> Option<&'static str> {
        None
    }
    fn standing(&self, _: &[Stair], _: &Hub) -> Option<Standing> {
        None
    }
    fn into_doer(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
