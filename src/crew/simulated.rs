//! A crew in a simulation: its members are nodes of one machine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::crew::{Crew, CrewError, CrewHandle};
use super::report::Report;
use super::seat::Seat;
use super::threads::Board;
use crate::doing::Fault;
use crate::sim::{Booter, End, NodeId, Sim};

/// A crew whose members are nodes of a simulation.
#[derive(Debug)]
pub struct Enlisted {
    nodes: Vec<NodeId>,
    board: Arc<Board>,
}

impl Crew {
    /// Adds the members to a simulation, as nodes of their names on one machine: they share its
    /// addresses and its ports. No thread is started, and the same seed gives the same run.
    ///
    /// What the crew says of failures and stops holds in place of the simulation's own
    /// [`on_failure`](Sim::on_failure), with tyme in place of the clock; seeds are the simulation's.
    /// [`with_net`](Self::with_net) and [`with_stop_limit`](Self::with_stop_limit) mean nothing here.
    ///
    /// A ring of a mailbox's bell takes 10 µs, whatever the links: partitions are between machines.
    /// A member that has ended is gone as a thread would be, its app too.
    /// A fault plan may crash a member alone, as no real thread would; its mail waits for it.
    ///
    /// # Errors
    /// As [`run`](Self::run), and for a name that a node of the simulation has already.
    ///
    /// ```
    /// use hio::crew::{Crew, MailDoer, Mailbox};
    /// use hio::doing::prelude::*;
    /// use hio::sim::Sim;
    /// let numbers = Mailbox::new(4);
    /// let (post, _more_may_come) = (numbers.post(), numbers.post());
    /// let crew = Crew::new()
    ///     .member("sum", move |_seat| {
    ///         let mut doist = Doist::new(0);
    ///         doist.add(MailDoer::new(numbers.clone(), |n: u32, cx: &mut Cx<'_, u32>| {
    ///             *cx.app += n;
    ///             Ok(())
    ///         }));
    ///         Ok(doist)
    ///     })
    ///     .member("source", move |_seat| {
    ///         let mut post = post.clone();
    ///         let mut doist = Doist::new(());
    ///         doist.add(doify(move |_, cx: &mut Cx<'_>| {
    ///             Ok(Done((1..=3).all(|n| post.send(cx.net, n).is_ok())))
    ///         }));
    ///         Ok(doist)
    ///     });
    /// let mut sim = Sim::new(1);
    /// let crew = crew.enlist(&mut sim)?;
    /// sim.run_until(Tyme::from_secs(1))?;
    /// assert_eq!(sim.app::<u32>(crew.nodes()[0]), Some(&6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn enlist(self, sim: &mut Sim) -> Result<Enlisted, CrewError> {
        self.muster()?;
        if let Some(name) = self.names.iter().find(|name| sim.find_any_case(name)) {
            return Err(CrewError::Twice(name.clone()));
        }
        let members = self.names.len();
        let mut nodes: Vec<NodeId> = Vec::with_capacity(members);
        for (index, (recruit, name)) in self.recruits.into_iter().zip(self.names).enumerate() {
            let (board, of) = (Arc::clone(&self.board), name.clone());
            // As a thread does, a member that has ended for good lets go of its builder.
            let recruit = Arc::new(Mutex::new(Some(recruit)));
            let kept = Arc::clone(&recruit);
            let boot: Booter = Box::new(move |told, net, seed, log| {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(recruit) = kept.as_mut() else {
                    return Ok(None); // it has ended for good
                };
                if !board.roll().may_begin(index) {
                    return Ok(None);
                }
                let mut seat = Seat {
                    net,
                    name: &of,
                    index,
                    members,
                    restarts: told.restarts,
                    seed,
                    crew: CrewHandle(Arc::clone(&board)),
                };
                let began = &mut |stop| board.roll().began(index, stop);
                let built = catch_unwind(AssertUnwindSafe(|| recruit.boot(&mut seat, log, began)));
                let built = built.unwrap_or_else(|panic| Err(Fault::panicked(&*panic)));
                built.map(Some)
            });
            let board = Arc::clone(&self.board);
            let ends = Box::new(move |tyme, end: End<'_>| {
                let kept = || recruit.lock().unwrap_or_else(PoisonError::into_inner);
                if kept().is_none() {
                    return false; // that was told before
                }
                let result = match end {
                    End::Ended(outcome) => Ok(outcome),
                    // The fault itself stays with the node.
                    End::Failed(fault) => Err(Fault::msg(fault.to_string())),
                    End::Crashed => {
                        board.roll().went_down(index);
                        return false;
                    }
                };
                let again = board.roll().ended(index, result, tyme);
                if !again {
                    drop(kept().take());
                }
                again
            });
            nodes.push(sim.member(&name, nodes.first().copied(), boot, ends));
        }
        Ok(Enlisted {
            nodes,
            board: self.board,
        })
    }
}

impl Enlisted {
    /// The nodes of the members, in order.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// A handle to stop it with, from outside or in a member.
    #[must_use]
    pub fn handle(&self) -> CrewHandle {
        CrewHandle(Arc::clone(&self.board))
    }

    /// Whether all members have ended, or have no power.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.board.roll().all_over()
    }

    /// How the members ended: those that have not are reported as straggling. Faults are told as
    /// text; [`Sim::fault_of`] has them.
    pub fn report(self) -> Report {
        Report::new(self.board.roll().report(), Vec::new())
    }
}
