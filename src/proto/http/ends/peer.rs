//! One connection of a server: what came in, what the handler says, what goes out.
//!
//! ```text
//! Head --head--> Intake? --Collect--> Collecting --end--> handler --Now--> out
//!                        --Stream --> handler, then Streaming      --Later--> answered from outside
//!                        --Refuse --> out, close
//! ```

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::message::{Access, Answer, Intake, Request, RequestId, Response};
use super::server::{Handler, HttpServerEvent, SendError};
use super::source::{Reading, Source};
use crate::link::{Remoter, RemoterId, TxError};
use crate::net::Endpoint;
use crate::proto::http::{
    Connection, HttpError, HttpLimits, Incoming, Length, Misuse, RequestHead, ResponseHead, State,
};
use crate::tyme::Tyme;

/// See the module.
#[derive(Debug)]
pub(super) struct Peer {
    id: RemoterId,
    connection: Connection,
    /// The how manieth request is under way.
    nth: u64,
    taking: Taking,
    /// The body of the request so far.
    body: Vec<u8>,
    /// More of it was held than is read ahead, and was taken.
    resumes: bool,
    trailers: HeaderMap,
    /// The request under way until it is handed over; after that only for the log.
    head: Option<RequestHead>,
    peer: Endpoint,
    /// What the link had no room for.
    out: Vec<u8>,
    /// What the rest of the response's body is read from.
    source: Option<Source>,
    /// Whether [`Reading`] knows of it.
    reads: bool,
    /// Bytes of the response's body, and its status.
    sent: (u64, Option<StatusCode>),
    began: Tyme,
    /// When a request, or a piece of one, was last taken in, or the one before was over.
    moved: Tyme,
    /// When the first byte of a head came that is not complete.
    head_since: Option<Tyme>,
    /// Bytes of the request's body.
    received: u64,
    /// The earliest entry among the deadlines.
    pub(super) armed: Tyme,
}

/// What is done with what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// Waits for a request.
    Head,
    Collecting,
    Streaming,
    /// The request is complete, its answer is not.
    Complete,
    /// There is no further request.
    Nothing,
}

/// What a turn of a peer is handed.
pub(super) struct Turn<'a> {
    pub(super) tyme: Tyme,
    pub(super) limits: &'a HttpLimits,
    pub(super) handler: &'a mut dyn Handler,
    pub(super) events: &'a mut Vec<HttpServerEvent>,
    pub(super) log: &'a mut Option<super::server::Log>,
    pub(super) draining: bool,
    pub(super) reading: &'a mut Reading,
}

impl Peer {
    pub(super) fn new(link: &Remoter, tyme: Tyme, limits: &HttpLimits) -> Self {
        Self {
            id: link.id(),
            peer: link.peer(),
            connection: Connection::server(limits.clone()),
            nth: 0,
            taking: Taking::Head,
            body: Vec::new(),
            resumes: false,
            trailers: HeaderMap::new(),
            head: None,
            out: Vec::new(),
            source: None,
            reads: false,
            sent: (0, None),
            began: tyme,
            moved: tyme,
            head_since: None,
            received: 0,
            armed: Tyme::NEVER,
        }
    }

    pub(super) const fn remoter(&self) -> RemoterId {
        self.id
    }

    pub(super) const fn request_id(&self) -> RequestId {
        RequestId {
            remoter: self.id,
            nth: self.nth,
        }
    }

    /// Whether a request is being received or answered.
    pub(super) const fn busy(&self) -> bool {
        !matches!(self.taking, Taking::Head | Taking::Nothing)
    }

    /// Whether there is more to send than the link had room for.
    pub(super) fn spills(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether there is something that a turn would look at: bytes in the link, or the end of a
    /// body of which as much was held as may be.
    pub(super) fn wants_turn(&mut self, link: &Remoter) -> bool {
        let resumes = std::mem::take(&mut self.resumes);
        resumes || !link.rx().is_empty() || link.cutoff()
    }

    /// Whether nothing is under way: no request, no piece of one, nothing to be sent.
    pub(super) fn rests(&self, link: &Remoter) -> bool {
        let switched = self.connection.theirs() == State::Switched;
        self.taking == Taking::Head && !switched && link.rx().is_empty() && !self.spills()
    }

    /// While the server drains, the answer to the last request that has come is the last one: its
    /// head says so (RFC 9112 §9.6).
    pub(super) fn farewell(&mut self, link: &Remoter, turn: &Turn<'_>) {
        if turn.draining && link.rx().is_empty() {
            self.connection.no_more();
        }
    }

    /// Takes in what came, as far as it may.
    pub(super) fn turn(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) {
        if link.closed().is_some() {
            return self.gone(turn);
        }
        if self.connection.theirs() == State::Switched {
            return turn.handler.switched(self.request_id(), link);
        }
        self.flush(link);
        self.read_on(link, turn);
        while self.step(link, turn) {}
        if self.taking == Taking::Head && !link.rx().is_empty() {
            self.head_since.get_or_insert(turn.tyme);
        }
        self.settle(link);
    }

    /// One piece of what came. Says whether there may be another.
    fn step(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) -> bool {
        let full = self.body.len() >= STREAM_BYTES_MAX && self.taking == Taking::Streaming;
        if full || !self.out.is_empty() {
            return false;
        }
        let (taken, what) = match self.connection.receive(link.rx(), link.cutoff()) {
            Ok(found) => found,
            Err(why) => {
                self.fail(&why, link, turn);
                return false;
            }
        };
        if let Incoming::Data(n) = what {
            self.body.extend_from_slice(&link.rx()[taken - n..taken]);
            self.received += n as u64;
        }
        if taken > 0 {
            link.consume(taken);
            self.moved = turn.tyme;
        }
        match what {
            Incoming::NeedMore | Incoming::Paused | Incoming::Response(_) => return false,
            Incoming::Request(head) => self.begin(head, link, turn),
            Incoming::Data(_) => self.data(link, turn),
            Incoming::End(trailers) => self.complete(trailers, link, turn),
            Incoming::Switched => {
                turn.handler.switched(self.request_id(), link);
                return false;
            }
            Incoming::Closed => {
                if !self.busy() && self.out.is_empty() {
                    link.close();
                }
                return false;
            }
        }
        true
    }

    fn begin(&mut self, head: RequestHead, link: &mut Remoter, turn: &mut Turn<'_>) {
        self.nth += 1;
        self.began = turn.tyme;
        (self.head_since, self.received) = (None, 0);
        self.sent = (0, None);
        self.body.clear();
        let told = head.headers.get(http::header::CONTENT_LENGTH);
        let told = told.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let intake = turn.handler.head(self.request_id(), &head);
        let too_large = told.is_some_and(|n| n > turn.limits.body_bytes_max as u64);
        let intake = match intake {
            Intake::Collect if too_large => Intake::Refuse(
                turn.handler
                    .refuse(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
            ),
            other => other,
        };
        let waits = head.expects_continue();
        self.head = Some(head);
        match intake {
            Intake::Refuse(response) => return self.refuse(response, link, turn),
            Intake::Collect => self.taking = Taking::Collecting,
            Intake::Stream => self.taking = Taking::Streaming,
        }
        if waits && self.connection.theirs() == State::Body {
            let go_on = ResponseHead::new(StatusCode::CONTINUE);
            // It fails only for HTTP/1.0, which never waits.
            let _ = self
                .connection
                .send_response(&go_on, Length::Known(0), &mut self.out);
            self.flush(link);
        }
        if self.taking == Taking::Streaming {
            self.hand_over(link, turn);
        }
    }

    fn data(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) {
        let most = turn.limits.body_bytes_max;
        match self.taking {
            Taking::Collecting if self.body.len() > most => {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                let response = turn.handler.refuse(status, TOO_LARGE);
                self.refuse(response, link, turn);
            }
            Taking::Streaming => turn.events.push(HttpServerEvent::Data(self.request_id())),
            Taking::Collecting => {}
            _ => self.body.clear(), // of a request that was answered already
        }
    }

    fn complete(&mut self, trailers: HeaderMap, link: &mut Remoter, turn: &mut Turn<'_>) {
        self.trailers = trailers;
        match self.taking {
            Taking::Collecting => {
                self.taking = Taking::Complete;
                self.hand_over(link, turn);
            }
            Taking::Streaming => {
                self.taking = Taking::Complete;
                turn.events.push(HttpServerEvent::End(self.request_id()));
            }
            _ => {}
        }
        self.next_if_over(turn);
    }

    /// The request goes to the handler, and its answer out.
    fn hand_over(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) {
        let head = match turn.log {
            Some(_) => self.head.clone(),
            None => self.head.take(),
        };
        let Some(head) = head else {
            return;
        };
        let request = Request {
            head,
            body: match self.taking {
                Taking::Streaming => Vec::new(),
                _ => std::mem::take(&mut self.body),
            },
            trailers: std::mem::take(&mut self.trailers),
            peer: self.peer.clone(),
        };
        self.farewell(link, turn);
        let answered = match turn.handler.request(self.request_id(), request) {
            Answer::Later => return,
            Answer::Now(response) => self.answer(&response),
            Answer::Begin(head, length) => self.start(&head, length),
            Answer::Read(head, length, source) => self.start_reading(&head, length, source),
        };
        if let Err(why) = answered {
            log::error!("request {}: {why}", self.request_id());
            let response = Response::status(StatusCode::INTERNAL_SERVER_ERROR);
            if self.answer(&response).is_err() {
                link.abort();
            }
        }
        self.read_on(link, turn); // so that the first piece goes out with the head
        self.flush(link);
        self.next_if_over(turn);
    }

    /// Answers without reading any more.
    fn refuse(&mut self, response: Response, link: &mut Remoter, turn: &mut Turn<'_>) {
        self.taking = Taking::Nothing;
        self.body = Vec::new();
        self.connection.no_more();
        if self.answer(&response).is_err() {
            return link.abort();
        }
        self.flush(link);
        self.logged(turn);
        link.close();
    }

    /// What came is no request.
    fn fail(&mut self, why: &HttpError, link: &mut Remoter, turn: &mut Turn<'_>) {
        if !self.busy() {
            (self.began, self.sent) = (self.moved, (0, None));
        }
        match why {
            HttpError::Peer { status, why } if self.connection.ours() == State::Answer => {
                let response = turn.handler.refuse(*status, why);
                self.refuse(response, link, turn);
            }
            _ => {
                self.taking = Taking::Nothing;
                self.logged(turn);
                link.close();
            }
        }
    }

    /// The connection is over.
    fn gone(&mut self, turn: &mut Turn<'_>) {
        self.source = None;
        if self.busy() {
            turn.events.push(HttpServerEvent::Gone(self.request_id()));
            self.logged(turn);
        }
        self.taking = Taking::Nothing;
    }

    /// Both messages are complete: the next request may come.
    fn next_if_over(&mut self, turn: &mut Turn<'_>) {
        let over = matches!(self.connection.ours(), State::Idle | State::MustClose);
        let read = !matches!(self.connection.theirs(), State::Body);
        if over && read && self.busy() {
            self.taking = match self.connection.ours() {
                State::Idle => Taking::Head,
                _ => Taking::Nothing,
            };
            self.moved = turn.tyme;
            self.logged(turn);
        }
    }

    fn logged(&mut self, turn: &mut Turn<'_>) {
        if let Some(log) = turn.log.as_mut() {
            log.tell(&Access {
                peer: &self.peer,
                request: self.head.as_ref(),
                status: self.sent.1,
                bytes: self.sent.0,
                took: turn.tyme.since(self.began),
            });
        }
        self.head = None;
    }

    /// What is to be done when all that came was looked at.
    fn settle(&self, link: &mut Remoter) {
        let ended = matches!(self.connection.ours(), State::MustClose | State::Broken);
        if ended && self.out.is_empty() && self.connection.theirs() != State::Body {
            link.close();
        }
        if matches!(self.connection.ours(), State::Broken) {
            link.abort();
        }
    }

    /// When it is too late for what is awaited, and what that is.
    pub(super) fn deadline(&self, link: &Remoter, limits: &HttpLimits) -> Option<(Tyme, Late)> {
        let begun = !link.rx().is_empty();
        match self.taking {
            Taking::Head if begun || self.nth == 0 => {
                let since = match self.nth {
                    0 => self.moved, // silence at first counts, too
                    _ => self.head_since.unwrap_or(self.moved),
                };
                Some((since + limits.head_time, Late::Head { begun }))
            }
            Taking::Head => Some((self.moved + limits.keep_alive_idle, Late::Idle)),
            Taking::Collecting => {
                let nanos = u128::from(self.received) * 1_000_000_000;
                let earned = nanos / u128::from(limits.body_rate_min.max(1));
                let earned = Duration::from_nanos(u64::try_from(earned).unwrap_or(u64::MAX));
                let in_all = self.began + limits.body_idle + earned;
                Some((in_all.min(self.moved + limits.body_idle), Late::Body))
            }
            // How fast it is taken is the program's affair.
            Taking::Streaming if self.body.len() < STREAM_BYTES_MAX => {
                Some((self.moved + limits.body_idle, Late::Body))
            }
            _ => None,
        }
    }

    /// It is too late.
    pub(super) fn late(&mut self, late: Late, link: &mut Remoter, turn: &mut Turn<'_>) {
        let answers = matches!(late, Late::Head { begun: true } | Late::Body);
        if answers && self.connection.ours() != State::Body {
            let why = HttpError::Peer {
                status: StatusCode::REQUEST_TIMEOUT,
                why: "the request did not come in time",
            };
            self.connection.give_up();
            return self.fail(&why, link, turn);
        }
        self.gone(turn);
        link.close();
    }
}

/// Answers.
impl Peer {
    /// The request that waits for an answer, or is being answered.
    pub(super) fn is(&self, id: RequestId) -> bool {
        self.nth == id.nth && self.busy()
    }

    pub(super) fn answer(&mut self, response: &Response) -> Result<(), Misuse> {
        let length = Length::Known(response.body.len() as u64);
        self.start(&response.head, length)?;
        if self.connection.ours() == State::Body {
            // After HEAD, and with 304, the length is told and nothing follows.
            if self.connection.unsent() != Length::Known(0) {
                self.connection.send_data(&response.body, &mut self.out)?;
                self.sent.0 += response.body.len() as u64;
            }
            self.connection.send_end(&HeaderMap::new(), &mut self.out)?;
        }
        Ok(())
    }

    pub(super) fn start(&mut self, head: &ResponseHead, length: Length) -> Result<(), Misuse> {
        self.connection.send_response(head, length, &mut self.out)?;
        self.sent.1 = Some(head.status);
        Ok(())
    }

    /// As [`start`](Self::start), with a body that is read from a source.
    pub(super) fn start_reading(
        &mut self,
        head: &ResponseHead,
        length: Length,
        source: Source,
    ) -> Result<(), Misuse> {
        self.start(head, length)?;
        if self.connection.ours() != State::Body {
            return Ok(());
        }
        match self.connection.unsent() {
            Length::Known(0) => self.connection.send_end(&HeaderMap::new(), &mut self.out),
            _ => {
                self.source = Some(source);
                Ok(())
            }
        }
    }

    /// Reads the next piece of the body, when the one before is sent. [`Reading`] says when there is
    /// time for it, and looks afterwards whether there may be a further one.
    pub(super) fn read_on(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) {
        let Some(source) = &mut self.source else {
            return;
        };
        if !self.reads {
            self.reads = true;
            turn.reading.look_at(self.id);
        }
        let waits = self.out.len() + link.pending();
        if waits > HEAD_BYTES {
            return;
        }
        let left = match self.connection.unsent() {
            Length::Known(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let room = link.room().saturating_sub(self.out.len() + CHUNK_FRAME);
        let Some(piece) = turn.reading.piece(source, room.min(left)) else {
            return;
        };
        let none = HeaderMap::new();
        let sent = match piece {
            Ok([]) => self.connection.send_end(&none, &mut self.out),
            Ok(piece) => {
                self.sent.0 += piece.len() as u64;
                self.connection.send_data(piece, &mut self.out)
            }
            Err(why) => {
                log::error!("request {}: reading its body: {why}", self.request_id());
                return self.break_off(link);
            }
        };
        let over = sent.is_ok() && self.connection.unsent() == Length::Known(0);
        let sent = match over && self.connection.ours() == State::Body {
            true => self.connection.send_end(&none, &mut self.out),
            false => sent,
        };
        if let Err(why) = sent {
            log::error!("request {}: {why}", self.request_id());
            return self.break_off(link);
        }
        if self.connection.ours() != State::Body {
            self.source = None;
        }
        self.flush(link);
        self.next_if_over(turn);
    }

    /// Ends in a way that nobody takes for the end of the body.
    fn break_off(&mut self, link: &mut Remoter) {
        self.source = None;
        link.abort();
    }

    /// Whether the body has more to read, and all before is sent.
    pub(super) fn hungers(&self, link: &Remoter) -> bool {
        self.source.is_some() && self.out.is_empty() && link.pending() == 0
    }

    /// Notes whether it waits for a turn of [`Reading`].
    pub(super) const fn set_reads(&mut self, reads: bool) {
        self.reads = reads;
    }

    pub(super) fn send(&mut self, data: &[u8], link: &mut Remoter) -> Result<(), SendError> {
        self.flush(link);
        let room = link.room().saturating_sub(CHUNK_FRAME);
        let fits = if self.out.is_empty() {
            room.min(data.len())
        } else {
            0
        };
        self.connection.send_data(&data[..fits], &mut self.out)?;
        self.sent.0 += fits as u64;
        self.flush(link);
        match fits == data.len() {
            true => Ok(()),
            false => Err(SendError::Full { taken: fits }),
        }
    }

    pub(super) fn end(
        &mut self,
        trailers: &HeaderMap,
        link: &mut Remoter,
        turn: &mut Turn<'_>,
    ) -> Result<(), Misuse> {
        let ended = self.connection.send_end(trailers, &mut self.out);
        self.after_answer(link, turn);
        ended
    }

    /// Sends what was queued from outside of a turn, and goes on with what waits.
    pub(super) fn after_answer(&mut self, link: &mut Remoter, turn: &mut Turn<'_>) {
        self.flush(link);
        self.next_if_over(turn);
        self.settle(link);
    }

    pub(super) fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// Takes out what came of a body that is streamed.
    pub(super) fn take_body(&mut self) -> Vec<u8> {
        self.resumes = self.body.len() >= STREAM_BYTES_MAX;
        std::mem::take(&mut self.body)
    }

    pub(super) fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    fn flush(&mut self, link: &mut Remoter) {
        if self.out.is_empty() {
            return;
        }
        match link.tx(&self.out) {
            Ok(()) => self.out.clear(),
            Err(TxError::Full { taken }) => drop(self.out.drain(..taken)),
            Err(_) => self.out.clear(), // the link is over: its turn tells
        }
        if self.out.is_empty() && self.out.capacity() > KEPT_BYTES_MAX {
            self.out = Vec::new();
        }
    }
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Head {
        /// Some of it did.
        begun: bool,
    },
    Body,
    Idle,
}

const TOO_LARGE: &str = "the body is larger than what is collected";
/// Bytes of a streamed body that are held before reading stops.
const STREAM_BYTES_MAX: usize = 64 * 1024;
/// Bytes around a chunk: sixteen digits and two line ends.
const CHUNK_FRAME: usize = 20;
/// As much may wait before a piece of a source is read: a head, and not a piece.
const HEAD_BYTES: usize = 4 * 1024;
/// Storage that a connection keeps between two responses.
const KEPT_BYTES_MAX: usize = 16 * 1024;
