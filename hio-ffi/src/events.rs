//! What happened, in order, until the host takes it.

use std::collections::VecDeque;

use hio::link::CloseReason;

use crate::abi::hio_event_kind;

/// An event that waits.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: hio_event_kind,
    pub(crate) link: u64,
    pub(crate) server: u64,
    pub(crate) reason: Option<CloseReason>,
    pub(crate) attempts: u32,
    pub(crate) wait: u64,
    pub(crate) unsent: u64,
    pub(crate) unread: u64,
    /// In words, where that is not the reason's.
    pub(crate) said: Option<String>,
}

impl Event {
    /// An event of a link.
    pub(crate) const fn of_link(kind: hio_event_kind, link: u64, server: u64) -> Self {
        Self {
            kind,
            link,
            server,
            reason: None,
            attempts: 0,
            wait: 0,
            unsent: 0,
            unread: 0,
            said: None,
        }
    }

    /// An event of a server.
    pub(crate) const fn of_server(kind: hio_event_kind, server: u64) -> Self {
        Self::of_link(kind, 0, server)
    }

    pub(crate) fn because(self, reason: CloseReason) -> Self {
        let reason = Some(reason);
        Self { reason, ..self }
    }

    pub(crate) fn saying(self, words: impl Into<String>) -> Self {
        let said = Some(words.into());
        Self { said, ..self }
    }

    /// The text that goes with it.
    pub(crate) fn text(&self) -> String {
        match (&self.said, self.reason) {
            (Some(words), _) => words.clone(),
            (None, Some(reason)) => reason.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// Events that wait. None is ever lost: when there are too many, nobody more is served.
#[derive(Debug)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    most: usize,
}

impl Events {
    pub(crate) const fn new(most: usize) -> Self {
        let queue = VecDeque::new();
        Self { queue, most }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether so many wait that none should be added.
    pub(crate) fn full(&self) -> bool {
        self.queue.len() >= self.most
    }
}
