//! What reaches a node from another one's turn, or from outside: rings, stops, and connections that
//! nobody took in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::fabric::{Fabric, hash_text};
use super::trace::{Tag, put_text};
use super::wire::What;
use crate::net::{Bell, Group, Interrupt, Net as _, NetError, NullNet, Sid};

/// A call for a life of a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// A bell in a group of it sounded.
    Bell(u32, u32, Group),
    /// Its poll is to end.
    Interrupt(u32, u32),
    /// A connection that it let go was dropped.
    Dropped(u32, u32, Sid),
}

/// Calls that wait to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    any: AtomicBool,
    calls: Mutex<Vec<Call>>,
}

impl Calls {
    pub(super) fn put(&self, call: Call) {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
        self.0.any.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn any(&self) -> bool {
        self.0.any.load(Ordering::Acquire)
    }

    fn take(&self) -> Vec<Call> {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.any.store(false, Ordering::Release);
        std::mem::take(&mut calls)
    }
}

impl Fabric {
    pub(super) fn hang(&mut self, node: u32, group: Group, bell: &Bell) -> Result<(), NetError> {
        let host = &mut self.hosts[node as usize];
        host.table.check_group(group)?;
        let (calls, boots) = (self.calls.clone(), host.boots);
        bell.hang_on(move || calls.put(Call::Bell(node, boots, group)));
        // What was rung before is looked at in the next turn, if not in this one.
        host.table.answer(group);
        self.rouse(node);
        Ok(())
    }

    /// A bell is heard a fixed while after it was rung.
    pub(super) fn ring(&mut self, node: u32, bell: &Bell) {
        self.tell(node, Tag::Ring, None, [0; 2], |_| {});
        #[expect(clippy::cast_possible_truncation, reason = "memory ends long before")]
        let key = self.rings.insert(bell.clone()) as u32;
        self.wire.plan(self.wire.now + RING_NANOS, What::Ring(key));
    }

    pub(super) fn rings(&mut self, key: u32) {
        let bell = self.rings.remove(key as usize);
        NullNet::default().ring(&bell);
        self.hear_calls();
    }

    pub(super) fn interrupt(&self, node: u32) -> Interrupt {
        let (calls, boots) = (self.calls.clone(), self.hosts[node as usize].boots);
        Interrupt::new(move || calls.put(Call::Interrupt(node, boots)))
    }

    /// Tells nodes what they were called for. What is for an earlier life of one is for nobody.
    pub(super) fn hear_calls(&mut self) {
        if !self.calls.any() {
            return;
        }
        for call in self.calls.take() {
            let (Call::Bell(node, boots, _)
            | Call::Interrupt(node, boots)
            | Call::Dropped(node, boots, _)) = call;
            let host = &mut self.hosts[node as usize];
            if !host.up || host.boots != boots {
                continue;
            }
            match call {
                Call::Bell(_, _, group) => {
                    host.table.answer(group);
                    let words = [hash_text("bell"), u64::from(group.index())];
                    self.tell(node, Tag::Bell, None, words, |out| {
                        put_text(out, "group", &group.index().to_string());
                    });
                    self.rouse(node);
                }
                Call::Interrupt(..) => self.rouse(node),
                Call::Dropped(_, _, sid) => self.drop_loose(node, sid),
            }
        }
    }
}

/// How long a ring is under way: about what it takes to wake another thread.
const RING_NANOS: u64 = 10_000;
