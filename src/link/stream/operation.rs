//! What can be under way on a stream: each operation is a value that holds its own state.

use super::{NetworkStream, Phase, StreamError};
use crate::link::{CloseReason, TxError};
use crate::tyme::{Deadlines, Tyme};

/// Something that was started on a [`NetworkStream`] and is to be taken when it is done.
///
/// Its user services the stream and asks [`NetworkStream::take`] in between. Deadlines are looked
/// at first, so what comes about only after one has passed has failed: else a peer that always has
/// one more byte could hold a program for ever.
///
/// Further operations can be made of these: one that reads until the end keeps a [`Read`] and what
/// it has.
pub trait Operation {
    /// What it gives.
    type Output;

    /// Looks whether it is done. None while it is not; called again after it was done, it does
    /// what it can do then, which is no mistake for [`Read`] only.
    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<Self::Output, StreamError>>;
}

/// Waits until the connection stands, with TLS until it is secured. By
/// [`NetworkStream::connect`].
///
/// When a deadline passes, the stream is aborted.
#[derive(Debug)]
#[must_use = "an operation is taken from its stream"]
pub struct Connect(pub(super) ());

impl Operation for Connect {
    type Output = ();

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<(), StreamError>> {
        stream.stands(stream.dialling, tyme, deadlines)
    }
}

/// Waits until the handshake is over. By [`NetworkStream::start_tls`].
///
/// When a deadline passes, the stream is aborted: what stands half-way is of no use.
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
#[derive(Debug)]
#[must_use = "an operation is taken from its stream"]
pub struct StartTls(pub(super) ());

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
impl Operation for StartTls {
    type Output = ();

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<(), StreamError>> {
        stream.stands(Phase::Handshake, tyme, deadlines)
    }
}

impl NetworkStream {
    fn stands(
        &mut self,
        phase: Phase,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<(), StreamError>> {
        if let Some(reason) = self.client.closed() {
            return Some(Err(StreamError::closed(phase, reason)));
        }
        if let Err(expired) = deadlines.check(tyme) {
            self.client.link_mut().abort();
            return Some(Err(StreamError::new(phase, expired)));
        }
        self.client.connected().then_some(Ok(()))
    }
}

/// Takes what was received, as soon as there is something: at most so many bytes, none at the
/// end. By [`NetworkStream::read`]. The same one can be taken again and again.
///
/// What came before the connection was lost is handed out first. When a deadline passes, nothing
/// is lost, and the stream goes on.
#[derive(Debug)]
#[must_use = "an operation is taken from its stream"]
pub struct Read {
    pub(super) max: usize,
}

impl Operation for Read {
    type Output = Vec<u8>;

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<Vec<u8>, StreamError>> {
        if let Err(expired) = deadlines.check(tyme) {
            return Some(Err(StreamError::new(Phase::Read, expired)));
        }
        if stream.closing {
            return Some(Err(stream.after_close(Phase::Read)));
        }
        let n = stream.client.rx().len().min(self.max);
        if n > 0 || self.max == 0 {
            let data = stream.client.rx()[..n].to_vec();
            stream.client.consume(n);
            return Some(Ok(data));
        }
        match stream.client.closed() {
            None | Some(CloseReason::PeerClosed) if stream.client.cutoff() => Some(Ok(Vec::new())),
            None => None,
            Some(reason) => Some(Err(StreamError::closed(Phase::Read, reason))),
        }
    }
}

/// Writes all of `data`: done when the system has taken it. By [`NetworkStream::write`].
///
/// When a deadline passes, what was not sent is taken back, the error says how much was, and the
/// stream goes on: a write that begins there completes it. With TLS, up to 64 KiB that are
/// encrypted already cannot be taken back; they count as sent.
#[derive(Debug)]
#[must_use = "an operation is taken from its stream"]
pub struct Write<D> {
    pub(super) data: D,
    /// Bytes that were queued.
    pub(super) queued: usize,
    /// When it was started: bytes that the system had taken in all, and that waited before these.
    pub(super) before: (u64, usize),
}

impl<D: AsRef<[u8]>> Operation for Write<D> {
    type Output = ();

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<(), StreamError>> {
        if let Err(expired) = deadlines.check(tyme) {
            let unsent = match stream.client.closed() {
                None => stream.client.link_mut().withdraw(),
                Some(_) => self.queued - self.sent(stream),
            };
            let mut why = StreamError::new(Phase::Write, expired);
            why.written = self.queued.saturating_sub(unsent);
            return Some(Err(why));
        }
        if stream.closing {
            return Some(Err(self.failed(stream.after_close(Phase::Write), stream)));
        }
        let data = self.data.as_ref();
        // To ask where there is no room would count as work to do.
        if self.queued < data.len() && stream.client.link().room() > 0 {
            match stream.client.tx(&data[self.queued..]) {
                Ok(()) => self.queued = data.len(),
                Err(TxError::Full { taken }) => self.queued += taken,
                Err(TxError::Shut) => {
                    let why = StreamError::closed(Phase::Write, CloseReason::Closed);
                    return Some(Err(self.failed(why, stream)));
                }
                // Looked at below.
                Err(TxError::Closed(_)) => {}
            }
        }
        // All of it may have been sent before the connection was lost.
        if self.sent(stream) == self.data.as_ref().len() {
            return Some(Ok(()));
        }
        let reason = stream.client.closed()?;
        let why = StreamError::closed(Phase::Write, reason);
        Some(Err(self.failed(why, stream)))
    }
}

impl<D> Write<D> {
    /// Bytes of it that the system has taken.
    fn sent(&self, stream: &NetworkStream) -> usize {
        let (sent, waiting) = self.before;
        let since = stream.client.stats().sent - sent;
        let since = usize::try_from(since).unwrap_or(usize::MAX);
        since.saturating_sub(waiting).min(self.queued)
    }

    fn failed(&self, mut why: StreamError, stream: &NetworkStream) -> StreamError {
        why.written = self.sent(stream);
        why
    }
}

/// Waits until the connection has ended in order: what is queued is sent, TLS says good-bye, and
/// the peer ends its side, each within [`Limits`](crate::link::Limits). By
/// [`NetworkStream::close`].
///
/// That the peer did not end its side in time is no error. When a deadline passes, the stream is
/// aborted.
#[derive(Debug)]
#[must_use = "an operation is taken from its stream"]
pub struct Close {
    /// There was nothing left to close.
    pub(super) was_closed: bool,
}

impl Operation for Close {
    type Output = ();

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<(), StreamError>> {
        match stream.client.closed() {
            Some(_) if self.was_closed => Some(Ok(())),
            // A connection that did not stand yet has nothing to end in order.
            Some(CloseReason::Aborted) if stream.peer.is_none() => Some(Ok(())),
            Some(reason) if reason.is_clean() => Some(Ok(())),
            Some(reason) => Some(Err(StreamError::closed(Phase::Close, reason))),
            None => {
                let expired = deadlines.check(tyme).err()?;
                stream.client.link_mut().abort();
                Some(Err(StreamError::new(Phase::Close, expired)))
            }
        }
    }
}
