//! The states of both sides of a connection, and all steps between them.
//!
//! Each end keeps two of them, its own and the peer's; both are advanced by the same steps,
//! whichever side one is. The server's begins to move when the client's request is there.
//!
//! ```text
//! client:  Idle --head--> Body --end--> Done --both done--> Idle
//! server:  Idle --head of a request--> Answer --head--> Body --end--> Done
//!          1xx heads leave Answer as it is.
//! Done, when it was the last message:       MustClose
//! a 101, or a 2xx to CONNECT:               Switched     (both)
//! the connection's end, in order:           Closed
//! ```

use http::StatusCode;

/// Which side of a connection one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends requests.
    Client,
    /// Answers them.
    Server,
}

/// Where a side stands within its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of a message was sent.
    Idle,
    /// A request has come, and its answer has not begun.
    Answer,
    /// The head is there, the end is not.
    Body,
    /// The message is complete.
    Done,
    /// The message is complete and was the last one.
    MustClose,
    /// The connection speaks another protocol now.
    Switched,
    /// This side has ended the connection.
    Closed,
    /// The message broke off.
    Broken,
}

/// Both sides of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides {
    pub(super) client: State,
    pub(super) server: State,
    /// No further message after these.
    pub(super) last: bool,
    /// The request asks for another protocol: an upgrade, or a tunnel.
    pub(super) wish: Option<Wish>,
}

/// What a request would like to make of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// CONNECT: granted by any 2xx.
    Tunnel,
    /// `Upgrade`: granted by a 101.
    Upgrade,
}

impl Sides {
    pub(super) const fn new() -> Self {
        Self {
            client: State::Idle,
            server: State::Idle,
            last: false,
            wish: None,
        }
    }

    /// The side of a role.
    pub(super) const fn of(&self, role: Role) -> State {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    const fn set(&mut self, role: Role, state: State) {
        match role {
            Role::Client => self.client = state,
            Role::Server => self.server = state,
        }
    }

    /// A request's head. Only when the client is idle.
    pub(super) const fn request(&mut self, keeps_alive: bool, wish: Option<Wish>) {
        self.client = State::Body;
        self.server = State::Answer;
        self.last |= !keeps_alive;
        self.wish = wish;
    }

    /// A response's head: an informational one changes nothing, but for 101.
    pub(super) fn response(&mut self, status: StatusCode, keeps_alive: bool) {
        let granted = match self.wish {
            Some(Wish::Upgrade) => status == StatusCode::SWITCHING_PROTOCOLS,
            Some(Wish::Tunnel) => status.is_success(),
            None => false,
        };
        if granted {
            self.client = State::Switched;
            self.server = State::Switched;
        } else if !status.is_informational() {
            self.server = State::Body;
            self.last |= !keeps_alive;
        }
    }

    /// A message's end.
    pub(super) const fn end(&mut self, role: Role) {
        if matches!(self.of(role), State::Body) {
            let done = if self.last {
                State::MustClose
            } else {
                State::Done
            };
            self.set(role, done);
            self.settle();
        }
    }

    /// The end of the connection in one direction, at a place where it may end.
    pub(super) const fn close(&mut self, role: Role) {
        self.set(role, State::Closed);
        self.last = true;
        self.settle();
    }

    /// The message of that side broke off: there is no further one on this connection.
    pub(super) const fn break_off(&mut self, role: Role) {
        self.set(role, State::Broken);
        self.last = true;
        self.settle();
    }

    /// What follows when both have moved.
    const fn settle(&mut self) {
        if self.last {
            if matches!(self.client, State::Done) {
                self.client = State::MustClose;
            }
            if matches!(self.server, State::Done) {
                self.server = State::MustClose;
            }
        } else if matches!((self.client, self.server), (State::Done, State::Done)) {
            self.client = State::Idle;
            self.server = State::Idle;
            self.wish = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_begins_anew_when_both_are_done() {
        let mut s = Sides::new();
        s.request(true, None);
        assert_eq!((s.client, s.server), (State::Body, State::Answer));
        s.response(StatusCode::CONTINUE, true);
        assert_eq!(s.server, State::Answer);
        s.end(Role::Client);
        s.response(StatusCode::OK, true);
        assert_eq!((s.client, s.server), (State::Done, State::Body));
        s.end(Role::Server);
        assert_eq!((s.client, s.server), (State::Idle, State::Idle));
    }

    #[test]
    fn who_says_close_on_either_side_ends_it_for_both() {
        for (request, response) in [(false, true), (true, false)] {
            let mut s = Sides::new();
            s.request(request, None);
            s.end(Role::Client);
            s.response(StatusCode::OK, response);
            s.end(Role::Server);
            assert_eq!((s.client, s.server), (State::MustClose, State::MustClose));
        }
    }

    #[test]
    fn a_wish_is_granted_by_its_own_status_only() {
        let after = |wish, status| {
            let mut s = Sides::new();
            s.request(true, wish);
            s.end(Role::Client);
            s.response(status, true);
            s.server
        };
        let switching = StatusCode::SWITCHING_PROTOCOLS;
        assert_eq!(after(Some(Wish::Upgrade), switching), State::Switched);
        assert_eq!(after(Some(Wish::Upgrade), StatusCode::OK), State::Body);
        assert_eq!(after(Some(Wish::Tunnel), StatusCode::OK), State::Switched);
        assert_eq!(
            after(Some(Wish::Tunnel), StatusCode::NOT_FOUND),
            State::Body
        );
        assert_eq!(after(None, switching), State::Answer);
    }

    #[test]
    fn an_answer_before_the_request_is_complete_waits_for_it() {
        let mut s = Sides::new();
        s.request(true, None);
        s.response(StatusCode::PAYLOAD_TOO_LARGE, true);
        s.end(Role::Server);
        assert_eq!((s.client, s.server), (State::Body, State::Done));
        s.break_off(Role::Client);
        assert_eq!((s.client, s.server), (State::Broken, State::MustClose));
    }
}
