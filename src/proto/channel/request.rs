//! Requests of the peer: owned handles, answered once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    ChannelError, ChannelLimits, Codec, CodecError, Content, HEADER_BYTES, Head, MessageKind, Value,
};

/// A request of the peer, to be answered once: by [`reply`](Self::reply) or [`fail`](Self::fail).
///
/// It may be kept as long as one likes and answered from anywhere; the answer is queued at once
/// and sent with the next service of its channel's end. One that is dropped without an answer
/// fails, so that the peer does not wait for ever.
pub struct Request {
    id: i128,
    content: Content,
    /// None once it is answered.
    desk: Option<Desk>,
}

impl Request {
    pub(super) fn new(id: i128, content: Content, desk: Desk) -> Self {
        Self {
            id,
            content,
            desk: Some(desk),
        }
    }

    /// The number that the peer gave it.
    #[must_use]
    pub const fn id(&self) -> i128 {
        self.id
    }

    /// What the peer says.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The value that the peer says.
    ///
    /// # Errors
    /// As [`Content::value`].
    pub fn value(&self) -> Result<Value, CodecError> {
        self.content.value()
    }

    /// Answers. What cannot be encoded, or is too long, becomes a failure that says so.
    ///
    /// # Errors
    /// It was answered before, or the channel has ended.
    pub fn reply(&mut self, result: &Value) -> Result<(), ChannelError> {
        self.settle(|desk, id| desk.reply(id, result))
    }

    /// Answers with anything that serde can serialize.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn reply_with<T: ::serde::Serialize + ?Sized>(
        &mut self,
        result: &T,
    ) -> Result<(), ChannelError> {
        match super::to_value(result) {
            Ok(value) => self.reply(&value),
            Err(why) => self.fail(&serialization_error(&why)),
        }
    }

    /// Answers with a content as it came, from this channel or from one with the same codec.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn forward(&mut self, result: &Content) -> Result<(), ChannelError> {
        self.settle(|desk, id| desk.forward(id, result))
    }

    /// Answers with its own content.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn echo(&mut self) -> Result<(), ChannelError> {
        let desk = self.desk.take().ok_or(ChannelError::AlreadyAnswered)?;
        let mut desk = desk.lock();
        desk.settle(|desk| desk.forward(self.id, &self.content))
    }

    /// Fails. The peer gets the text as its remote traceback, which should be of the form
    /// `NameOfTheError: message`; a line feed is put at its end, as Python does.
    ///
    /// # Errors
    /// It was answered before, the channel has ended, or the text is too long.
    pub fn fail(&mut self, why: &str) -> Result<(), ChannelError> {
        self.settle(|desk, id| desk.fail(id, why))
    }

    /// Whether it is answered.
    #[must_use]
    pub const fn answered(&self) -> bool {
        self.desk.is_none()
    }

    fn settle(
        &mut self,
        answer: impl FnOnce(&mut Papers, i128) -> Result<(), ChannelError>,
    ) -> Result<(), ChannelError> {
        let desk = self.desk.take().ok_or(ChannelError::AlreadyAnswered)?;
        let mut papers = desk.lock();
        papers.settle(|papers| answer(papers, self.id))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.desk.is_some() {
            // A channel that has ended has nobody to be told.
            drop(self.fail("RuntimeError: the request was dropped without an answer"));
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("content", &self.content)
            .field("answered", &self.answered())
            .finish()
    }
}

/// What a channel and the requests that came over it share: what is queued for the peer.
#[derive(Clone, Debug)]
pub(super) struct Desk(Arc<Mutex<Papers>>);

/// Tells an end with many channels that one of them has something to send.
pub(super) type Bell = Arc<dyn Fn() + Send + Sync>;

pub(super) struct Papers {
    /// Frames for the peer, in the order of sending.
    pub(super) out: Vec<u8>,
    /// How the channel ended.
    pub(super) lost: Option<ChannelError>,
    /// Requests of the peer that are not answered.
    pub(super) unanswered: usize,
    /// Rung when something comes into an empty queue.
    pub(super) bell: Option<Bell>,
    codec: Arc<dyn Codec>,
    limits: ChannelLimits,
}

impl Desk {
    pub(super) fn new(codec: Arc<dyn Codec>, limits: ChannelLimits) -> Self {
        Self(Arc::new(Mutex::new(Papers {
            out: Vec::new(),
            lost: None,
            unanswered: 0,
            bell: None,
            codec,
            limits,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Papers> {
        // What a panicking holder leaves behind is whole: frames are added by one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Papers {
    /// Queues a message.
    pub(super) fn message(&mut self, head: Head, content: &Value) -> Result<(), ChannelError> {
        let (codec, depth) = (&self.codec, self.limits.depth_max);
        let begin = frame(&mut self.out, self.limits.frame_bytes_max, |out| {
            codec.encode(head, content, depth, out)
        })?;
        if begin == 0 {
            self.ring();
        }
        Ok(())
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell();
        }
    }

    /// An answer: whatever comes of it, there is one request less.
    fn settle(
        &mut self,
        answer: impl FnOnce(&mut Self) -> Result<(), ChannelError>,
    ) -> Result<(), ChannelError> {
        let full = self.unanswered >= self.limits.pending_max;
        self.unanswered = self.unanswered.saturating_sub(1);
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        let answered = answer(self);
        if full {
            self.ring(); // more may be taken in now
        }
        answered
    }

    fn reply(&mut self, id: i128, result: &Value) -> Result<(), ChannelError> {
        let kind = MessageKind::Result;
        match self.message(Head { kind, id }, result) {
            Err(ChannelError::Encode(why)) => self.fail(id, &serialization_error(&why)),
            Err(long @ ChannelError::TooLong { .. }) => {
                self.fail(id, &format!("ValueError: {long}"))
            }
            done => done,
        }
    }

    fn forward(&mut self, id: i128, result: &Content) -> Result<(), ChannelError> {
        let kind = MessageKind::Result;
        if !result.is_of(&self.codec) {
            return match result.value() {
                Ok(value) => self.reply(id, &value),
                Err(why) => self.fail(id, &serialization_error(&why)),
            };
        }
        let codec = &self.codec;
        let done = frame(&mut self.out, self.limits.frame_bytes_max, |out| {
            codec.forward(Head { kind, id }, result.encoded(), out);
            Ok(())
        });
        match done {
            Err(long) => self.fail(id, &format!("ValueError: {long}")),
            Ok(begin) => {
                if begin == 0 {
                    self.ring();
                }
                Ok(())
            }
        }
    }

    fn fail(&mut self, id: i128, why: &str) -> Result<(), ChannelError> {
        let kind = MessageKind::Exception;
        let end = if why.ends_with('\n') { "" } else { "\n" };
        self.message(Head { kind, id }, &Value::Text(format!("{why}{end}")))
    }
}

/// Appends a frame whose payload `write` appends, and says where it begins; nothing, if that fails
/// or is too long.
fn frame(
    out: &mut Vec<u8>,
    max: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>,
) -> Result<usize, ChannelError> {
    let begin = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    if let Err(why) = write(out) {
        out.truncate(begin);
        return Err(ChannelError::Encode(why));
    }
    let len = out.len() - begin - HEADER_BYTES;
    let header = u32::try_from(len).ok().filter(|_| len <= max);
    let Some(header) = header else {
        out.truncate(begin);
        return Err(ChannelError::TooLong { len, max });
    };
    out[begin..begin + HEADER_BYTES].copy_from_slice(&header.to_be_bytes());
    Ok(begin)
}

fn serialization_error(why: &CodecError) -> String {
    format!("aiomas.exceptions.SerializationError: {why}")
}

impl fmt::Debug for Papers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Papers")
            .field("queued", &self.out.len())
            .field("unanswered", &self.unanswered)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}
