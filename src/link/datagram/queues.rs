//! What waits in a peer: datagrams that came, and datagrams to go.

use std::collections::VecDeque;

use super::{DatagramLimits, Message, Overflow};
use crate::net::Endpoint;
use crate::tyme::Tyme;

/// Datagrams that came and were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: VecDeque<Message>,
    bytes: usize,
}

impl Inbox {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.bytes -= message.data.len();
        Some(message)
    }

    /// Takes one in, and hands each to `dropped` that has to go for it, itself perhaps.
    pub(super) fn push(
        &mut self,
        message: Message,
        limits: &DatagramLimits,
        mut dropped: impl FnMut(Message),
    ) {
        let len = message.data.len();
        let never = len > limits.rx_bytes_max;
        while !never && limits.overflow == Overflow::DropOldest && self.is_full(len, limits) {
            let Some(oldest) = self.pop() else {
                break;
            };
            dropped(oldest);
        }
        if self.is_full(len, limits) {
            dropped(message);
            return;
        }
        self.bytes += len;
        self.queue.push_back(message);
    }

    fn is_full(&self, len: usize, limits: &DatagramLimits) -> bool {
        self.queue.len() >= limits.rx_datagrams_max
            || self.bytes.saturating_add(len) > limits.rx_bytes_max
    }
}

/// A datagram to go.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) to: Option<Endpoint>,
    pub(super) data: Vec<u8>,
    /// The first service that could have sent it; never before that.
    pub(super) since: Tyme,
    /// It was offered again after the system told of an earlier one's refusal.
    pub(super) again: bool,
}

/// Datagrams that were not sent yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Outbound>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Outbound> {
        self.queue.get_mut(at)
    }

    /// Since when the first one waits, which is the one that waits longest.
    pub(super) fn waits_since(&self) -> Option<Tyme> {
        self.queue.front().map(|out| out.since)
    }

    /// Says of those queued meanwhile, which are the last ones, that they wait from now on.
    pub(super) fn stamp(&mut self, tyme: Tyme) {
        let new = self.queue.iter_mut().rev();
        for out in new.take_while(|out| out.since.is_never()) {
            out.since = tyme;
        }
    }

    /// Queues one that fits.
    pub(super) fn push(&mut self, to: Option<Endpoint>, data: Vec<u8>) {
        self.bytes += data.len();
        self.queue.push_back(Outbound {
            to,
            data,
            since: Tyme::NEVER,
            again: false,
        });
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<Outbound> {
        let gone = self.queue.remove(at)?;
        self.bytes -= gone.data.len();
        Some(gone)
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u8, len: usize) -> Message {
        Message {
            from: Endpoint::Unnamed,
            data: vec![n; len],
            truncated: false,
        }
    }

    /// Pushes, and says which were dropped and which are left, by their first byte.
    fn push(limits: DatagramLimits, sizes: &[usize]) -> (Vec<u8>, Vec<u8>) {
        let (mut inbox, mut dropped) = (Inbox::default(), Vec::new());
        for (n, len) in sizes.iter().enumerate() {
            let n = u8::try_from(n).expect("few");
            inbox.push(message(n, *len), &limits, |gone| dropped.push(gone.data[0]));
            assert!(inbox.len() <= limits.rx_datagrams_max);
            assert!(inbox.bytes <= limits.rx_bytes_max);
        }
        let left = std::iter::from_fn(|| inbox.pop())
            .map(|m| m.data[0])
            .collect();
        assert_eq!(inbox.bytes, 0);
        (dropped, left)
    }

    #[test]
    fn l1_datagrams_and_bytes_are_bounded_either_way() {
        let few = |overflow| DatagramLimits {
            rx_datagrams_max: 3,
            rx_bytes_max: 100,
            overflow,
            ..DatagramLimits::default()
        };
        let (newest, oldest) = (few(Overflow::DropNewest), few(Overflow::DropOldest));
        assert_eq!(push(newest, &[1; 5]), (vec![3, 4], vec![0, 1, 2]));
        assert_eq!(push(oldest, &[1; 5]), (vec![0, 1], vec![2, 3, 4]));
        assert_eq!(push(newest, &[50, 40, 20, 10]), (vec![2], vec![0, 1, 3]));
        assert_eq!(push(oldest, &[50, 40, 20]), (vec![0], vec![1, 2]));
        // One that never fits pushes nobody out.
        assert_eq!(push(oldest, &[50, 101, 50]), (vec![1], vec![0, 2]));
    }
}
