//! The machine. What to read first: [`ChannelProtocol`] and its four entry points.

use std::collections::VecDeque;
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use super::error::traceback;
use super::ledger::{Answered, Ledger};
use super::request::{Bell, Desk};
use super::{
    Bounds, ChannelConfig, ChannelError, ChannelEvent, ChannelLimits, Codec, Content, ExtraInfo,
    Frames, Head, MessageKind, RemoteException, Request, RequestId, Types, Value, to_value,
};
use crate::tyme::Tyme;

/// A channel without a connection: bytes and tyme go in; bytes, requests, events and a deadline
/// come out. aiomas' class of that name, and its `Channel` with it, as a machine.
///
/// ```text
///             connection_made()             eof_received(), connection_lost(),
/// NotMade -----------------> Standing ----- a message that is none, close() -----> Lost(error)
/// ```
/// Four families of methods:
/// - what the connection tells it: [`connection_made`](Self::connection_made),
///   [`data_received`](Self::data_received), [`eof_received`](Self::eof_received),
///   [`connection_lost`](Self::connection_lost), with [`pause_writing`](Self::pause_writing) and
///   [`resume_writing`](Self::resume_writing) for those that know how full they are, and
///   [`expire`](Self::expire) for the tyme;
/// - what the program asks of it: [`send`](Self::send), [`recv`](Self::recv),
///   [`cancel`](Self::cancel), [`close`](Self::close);
/// - what is to be taken from it until there is no more: [`event`](Self::event) for the program,
///   [`outgoing`](Self::outgoing) for the connection;
/// - looking: [`due`](Self::due), [`wants_read`](Self::wants_read), [`wants_close`](Self::wants_close)
///   and others.
///
/// ```
/// use hio::proto::channel::{ChannelConfig, ChannelEvent, ChannelProtocol, ExtraInfo, Value};
/// let (mut a, mut b) = (ChannelProtocol::new(&ChannelConfig::default()), ChannelProtocol::new(&ChannelConfig::default()));
/// a.connection_made(ExtraInfo::default());
/// b.connection_made(ExtraInfo::default());
/// let id = a.send(&"ping".into())?;
/// b.data_received(&a.outgoing());
/// let mut request = b.recv()?.expect("it came");
/// request.reply(&"pong".into())?;
/// a.data_received(&b.outgoing());
/// let (of, reply) = a.event().and_then(ChannelEvent::outcome).expect("it came");
/// assert_eq!((of, reply?.value()?), (id, Value::from("pong")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// No input makes it panic. What breaks the rules ends the channel; what came before is still to
/// be had.
pub struct ChannelProtocol {
    desk: Desk,
    codec: Arc<dyn Codec>,
    types: Types,
    limits: ChannelLimits,
    info: ExtraInfo,
    standing: bool,
    /// How it ended. The desk has it, too, for the requests.
    lost: Option<ChannelError>,
    frames: Frames,
    /// What came while nothing was to be taken in.
    held: Vec<u8>,
    /// Requests of the peer that were not looked at.
    inbox: VecDeque<Request>,
    events: VecDeque<ChannelEvent>,
    /// How many of the events end a request.
    outcomes: usize,
    /// Bytes of content in the inbox and the events.
    inside: usize,
    ledger: Ledger,
    next_id: u64,
    /// Writing was paused, and the program was told.
    paused: bool,
    /// The connection says that it takes no more.
    blocked: bool,
}

/// What the connection tells it.
impl ChannelProtocol {
    /// One that waits for its connection. Limits that cannot be kept are for the ends to refuse.
    #[must_use]
    pub fn new(config: &ChannelConfig) -> Self {
        let (codec, limits) = (&config.codec, &config.limits);
        Self {
            desk: Desk::new(Arc::clone(codec), limits.clone()),
            codec: Arc::clone(codec),
            types: config.types.clone(),
            frames: Frames::new(limits.frame_bytes_max),
            limits: limits.clone(),
            info: ExtraInfo::default(),
            standing: false,
            lost: None,
            held: Vec::new(),
            inbox: VecDeque::new(),
            events: VecDeque::new(),
            outcomes: 0,
            inside: 0,
            ledger: Ledger::default(),
            next_id: 0,
            paused: false,
            blocked: false,
        }
    }

    /// The connection stands. Does nothing once the channel has ended.
    pub fn connection_made(&mut self, info: ExtraInfo) {
        self.info = info;
        self.standing = self.lost.is_none();
    }

    /// Takes in what came, however it was split. While [`wants_read`](Self::wants_read) says no,
    /// it is kept unread: whoever goes on nevertheless is bounded by nothing.
    pub fn data_received(&mut self, data: &[u8]) {
        if self.lost.is_some() {
            return;
        }
        if self.held.is_empty() {
            let taken = self.take_in(data);
            if self.lost.is_none() {
                self.held.extend_from_slice(&data[taken..]);
            }
        } else {
            self.held.extend_from_slice(data);
            self.take_up(false);
        }
    }

    /// As [`data_received`](Self::data_received), without keeping anything that is not taken in:
    /// says how much was. The rest is to be shown again when [`wants_read`](Self::wants_read).
    pub fn take_in(&mut self, data: &[u8]) -> usize {
        self.read(data, false)
    }

    /// Takes in what is wanted, or all of it.
    fn read(&mut self, data: &[u8], all: bool) -> usize {
        let mut rest = data;
        let mut frames = std::mem::replace(&mut self.frames, Frames::new(0));
        // Nobody answers what is not received yet, so that looking once is enough.
        let room = if all { usize::MAX } else { self.room() };
        let before = self.inbox.len();
        while self.lost.is_none() && (all || self.wants_more(before, room)) {
            match frames.next(&mut rest) {
                Ok(Some(payload)) => {
                    if let Err(why) = self.message(payload) {
                        self.lose(why);
                    }
                }
                Ok(None) => break,
                Err(why) => self.lose(why.into()),
            }
        }
        self.frames = frames;
        let came = self.inbox.len() - before;
        if came > 0 {
            self.desk.lock().unanswered += came;
        }
        match self.lost {
            None => data.len() - rest.len(),
            Some(_) => data.len(), // nothing that follows a loss is of any use
        }
    }

    /// How many requests may be taken in.
    fn room(&self) -> usize {
        let papers = self.desk.lock();
        match papers.out.len() < self.limits.outbox_bytes_max {
            true => self.limits.pending_max.saturating_sub(papers.unanswered),
            false => 0,
        }
    }

    fn wants_more(&self, before: usize, room: usize) -> bool {
        self.inside < self.limits.inbox_bytes_max && self.inbox.len() - before < room
    }

    /// The peer has ended its side. As in aiomas, the whole channel ends with that.
    pub fn eof_received(&mut self) {
        self.take_up(true);
        self.lose(ChannelError::Eof);
    }

    /// The connection is gone, for this reason, if one is known.
    pub fn connection_lost(&mut self, why: Option<String>) {
        self.take_up(true);
        self.lose(ChannelError::Closed(why));
        self.standing = false;
        self.desk.lock().out.clear();
    }

    /// The connection takes no more for now.
    pub fn pause_writing(&mut self) {
        self.blocked = true;
        self.water(0);
    }

    /// The connection takes more again.
    pub fn resume_writing(&mut self) {
        self.blocked = false;
        self.water(0);
    }

    /// Ends the requests that are out of time.
    pub fn expire(&mut self, tyme: Tyme) {
        while let Some(id) = self.ledger.expire(tyme) {
            let id = RequestId(id);
            self.outcome(ChannelEvent::Timeout { id });
        }
    }
}

/// What the program asks of it.
impl ChannelProtocol {
    /// Sends a request; its reply, or how it failed, comes as an event with this id. One that is
    /// sent before the connection stands is queued.
    ///
    /// # Errors
    /// The channel has ended, or too much is pending or queued; the content cannot be encoded
    /// or is too long. As in aiomas, those last two use up an id.
    pub fn send(&mut self, content: &Value) -> Result<RequestId, ChannelError> {
        self.send_until(content, Tyme::NEVER)
    }

    /// Sends anything that serde can serialize.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with<T: ::serde::Serialize + ?Sized>(
        &mut self,
        content: &T,
    ) -> Result<RequestId, ChannelError> {
        self.send(&to_value(content).map_err(ChannelError::Encode)?)
    }

    /// Sends a request that must be answered within `timeout`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_within(
        &mut self,
        content: &Value,
        tyme: Tyme,
        timeout: Duration,
    ) -> Result<RequestId, ChannelError> {
        self.send_until(content, tyme + timeout)
    }

    /// Sends a request that must be answered before `deadline`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_until(
        &mut self,
        content: &Value,
        deadline: Tyme,
    ) -> Result<RequestId, ChannelError> {
        self.may_send()?;
        let id = self.next_id;
        self.next_id += 1;
        let head = Head {
            kind: MessageKind::Request,
            id: id.into(),
        };
        let queued = {
            let mut papers = self.desk.lock();
            if papers.out.len() >= self.limits.outbox_bytes_max {
                self.next_id = id;
                return Err(ChannelError::Full {
                    max: self.limits.outbox_bytes_max,
                });
            }
            papers.message(head, content)?;
            papers.out.len()
        };
        self.ledger.enter(id, deadline);
        if queued >= self.limits.high_water {
            self.water(queued);
        }
        Ok(RequestId(id))
    }

    fn may_send(&self) -> Result<(), ChannelError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        let max = self.limits.pending_max;
        let late_max = self.limits.late_max;
        match self.ledger.waiting() + self.outcomes >= max || self.ledger.late() >= late_max {
            true => Err(ChannelError::TooManyPending { max }),
            false => Ok(()),
        }
    }

    /// Takes the next request of the peer: `None` when there is none yet.
    ///
    /// # Errors
    /// How the channel ended, once all that came before was received.
    pub fn recv(&mut self) -> Result<Option<Request>, ChannelError> {
        match self.inbox.pop_front() {
            Some(request) => {
                self.inside -= request.content().encoded().len();
                Ok(Some(request))
            }
            None => self.lost.clone().map_or(Ok(None), Err),
        }
    }

    /// Takes the next event.
    pub fn event(&mut self) -> Option<ChannelEvent> {
        let event = self.events.pop_front()?;
        match &event {
            ChannelEvent::WritingPaused | ChannelEvent::WritingResumed | ChannelEvent::Lost(_) => {}
            ChannelEvent::Reply { content, .. } => {
                self.inside -= content.encoded().len();
                self.outcomes -= 1;
            }
            ChannelEvent::RemoteException { exception, .. } => {
                self.inside -= exception.remote_traceback.len();
                self.outcomes -= 1;
            }
            _ => self.outcomes -= 1,
        }
        Some(event)
    }

    /// Gives a request up: there will be no event for it, and a reply that comes nevertheless is
    /// swallowed. (aiomas ends the channel then.) False when it does not wait for a reply.
    pub fn cancel(&mut self, id: RequestId) -> bool {
        self.ledger.give_up(id.0)
    }

    /// Ends the channel: requests that wait fail. What is queued is still to be sent.
    pub fn close(&mut self) {
        self.lose(ChannelError::Closed(None));
    }
}

/// What is to be taken from it by the connection.
impl ChannelProtocol {
    /// Takes all bytes for the peer.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let out = std::mem::take(&mut self.desk.lock().out);
        self.water(0);
        out
    }

    /// Shows the bytes for the peer to `send`, which says how much of them it has taken.
    pub fn send_off(&mut self, send: impl FnOnce(&[u8]) -> usize) {
        let left = {
            let mut papers = self.desk.lock();
            if papers.out.is_empty() {
                return;
            }
            let taken = send(&papers.out);
            match taken == papers.out.len() {
                true => papers.out.clear(),
                false => drop(papers.out.drain(..taken)),
            }
            if papers.out.is_empty() && papers.out.capacity() > OUT_KEPT {
                papers.out = Vec::new();
            }
            papers.out.len()
        };
        if self.paused {
            self.water(left);
        }
    }
}

/// Looking.
impl ChannelProtocol {
    /// Whether it stands.
    #[must_use]
    pub const fn connected(&self) -> bool {
        self.standing && self.lost.is_none()
    }

    /// How it ended, once it has.
    #[must_use]
    pub const fn lost(&self) -> Option<&ChannelError> {
        self.lost.as_ref()
    }

    /// When [`expire`](Self::expire) is needed next.
    #[must_use]
    pub fn due(&self) -> Tyme {
        self.ledger.due()
    }

    /// Whether more is to be taken in: not while too much of what came is unanswered or not looked
    /// at, or too much is queued for the peer.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.wants_more(self.inbox.len(), self.room())
    }

    /// Whether the connection is to be closed, once what is [`queued`](Self::queued) is sent.
    #[must_use]
    pub const fn wants_close(&self) -> bool {
        self.lost.is_some() && self.standing
    }

    /// Bytes queued for the peer.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.desk.lock().out.len()
    }

    /// Requests of ours that wait for their replies.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.ledger.waiting()
    }

    /// Requests of the peer that are not answered, received or not.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.desk.lock().unanswered
    }

    /// Whether nothing is under way: no request of either side waits for its answer, no frame is
    /// half received, nothing is to be sent or to be looked at.
    #[must_use]
    pub fn rests(&self) -> bool {
        let papers = self.desk.lock();
        let received = self.frames.held() == 0 && self.held.is_empty();
        papers.unanswered == 0
            && papers.out.is_empty()
            && received
            && self.pending() == 0
            && !self.has_news()
    }

    /// Whether [`recv`](Self::recv) has a request or [`event`](Self::event) an event.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.inbox.is_empty() || !self.events.is_empty()
    }

    /// The codec.
    #[must_use]
    pub fn codec(&self) -> &dyn Codec {
        self.codec.as_ref()
    }

    /// The registered types.
    #[must_use]
    pub const fn types(&self) -> &Types {
        &self.types
    }

    /// What is known of the connection: aiomas' `get_extra_info`, typed.
    #[must_use]
    pub const fn extra_info(&self) -> &ExtraInfo {
        &self.info
    }

    /// Whether its connection stands, although the channel may have ended.
    pub(super) const fn made(&self) -> bool {
        self.standing
    }

    /// Rings when something comes into the empty queue, or more may be taken in again.
    pub(super) fn set_bell(&self, bell: Bell) {
        self.desk.lock().bell = Some(bell);
    }

    pub(super) const fn info_mut(&mut self) -> &mut ExtraInfo {
        &mut self.info
    }
}

impl ChannelProtocol {
    /// Takes in what was kept; all of it when nothing more can come.
    fn take_up(&mut self, all: bool) {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let taken = self.read(&held, all);
            if taken < held.len() {
                self.held = held;
                self.held.drain(..taken);
            }
        }
    }

    fn message(&mut self, payload: &[u8]) -> Result<(), ChannelError> {
        let bounds = Bounds {
            depth_max: self.limits.depth_max,
            items_max: self.limits.items_max,
            types: self.types.len(),
        };
        let opened = self.codec.open(payload, &bounds);
        let (head, encoded) = opened.map_err(ChannelError::Message)?;
        if head.kind == MessageKind::Request {
            self.inside += encoded.len();
            let content = Content::new(encoded, &self.codec);
            let request = Request::new(head.id, content, self.desk.clone());
            self.inbox.push_back(request);
            return Ok(());
        }
        let unknown = || ChannelError::UnknownReply(head.id);
        let number = u64::try_from(head.id).map_err(|_| unknown())?;
        match self.ledger.answer(number) {
            Answered::Unknown => return Err(unknown()),
            Answered::Late => return Ok(()),
            Answered::Waiting => {}
        }
        let id = RequestId(number);
        let content = Content::new(encoded, &self.codec);
        let event = match head.kind {
            MessageKind::Exception => {
                let exception = self.exception(&content);
                self.inside += exception.remote_traceback.len();
                ChannelEvent::RemoteException { id, exception }
            }
            _ => {
                self.inside += encoded.len();
                ChannelEvent::Reply { id, content }
            }
        };
        self.outcome(event);
        Ok(())
    }

    /// What a failure says. Mostly it is text; what else it may be is shown when it is small, as a
    /// large one would take much more room decoded than it took on its way.
    fn exception(&self, content: &Content) -> RemoteException {
        let len = content.encoded().len();
        let remote_traceback = match len <= SHOWN_BYTES || self.codec.is_text(content.encoded()) {
            true => content
                .value()
                .map_or_else(|why| why.to_string(), traceback),
            false => format!("({len} bytes that are no text)"),
        };
        RemoteException {
            origin: self.info.origin(),
            remote_traceback,
        }
    }

    fn outcome(&mut self, event: ChannelEvent) {
        self.events.push_back(event);
        self.outcomes += 1;
    }

    /// Ends the channel, once.
    fn lose(&mut self, why: ChannelError) {
        if self.lost.is_some() {
            return;
        }
        self.desk.lock().lost = Some(why.clone());
        self.lost = Some(why.clone());
        self.held = Vec::new();
        for id in self.ledger.clear() {
            let (id, error) = (RequestId(id), why.clone());
            self.outcome(ChannelEvent::ConnectionError { id, error });
        }
        self.events.push_back(ChannelEvent::Lost(why));
    }

    /// Tells the program when writing pauses and when it goes on.
    fn water(&mut self, queued: usize) {
        let paused = match self.paused {
            true => self.blocked || queued > self.limits.low_water,
            false => self.blocked || queued >= self.limits.high_water,
        };
        if paused != self.paused {
            self.paused = paused;
            let (event, opposite) = match paused {
                true => (
                    ChannelEvent::WritingPaused,
                    discriminant(&ChannelEvent::WritingResumed),
                ),
                false => (
                    ChannelEvent::WritingResumed,
                    discriminant(&ChannelEvent::WritingPaused),
                ),
            };
            // One that nobody has looked at yet is taken back: they must not pile up.
            match self
                .events
                .back()
                .is_some_and(|last| discriminant(last) == opposite)
            {
                true => drop(self.events.pop_back()),
                false => self.events.push_back(event),
            }
        }
    }
}

/// What peers send is not shown.
impl fmt::Debug for ChannelProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelProtocol")
            .field("codec", &self.codec.name())
            .field("connected", &self.connected())
            .field("lost", &self.lost)
            .field("pending", &self.pending())
            .field("unanswered", &self.unanswered())
            .field("inbox", &self.inbox.len())
            .field("events", &self.events.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// Storage for bytes on their way out that is kept when they are gone: the answers to as much as
/// is read in one go.
const OUT_KEPT: usize = 128 * 1024;
/// A failure that is no text is shown up to so many bytes.
const SHOWN_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
