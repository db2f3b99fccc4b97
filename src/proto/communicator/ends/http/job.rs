//! One attempt to send a packet, as a request.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::super::super::{Cause, MessageId, wire};
use super::super::transport::Again;
use super::config::HttpTimeout;
use super::desk::{MESSAGE_ID, PRODUCT};
use crate::link::{CloseReason, TlsFailure};
use crate::proto::http::{
    ConnectionPool, Failure, HttpError, Length, Outgoing, PooledId, RequestHead, ResponseHead,
    SendError,
};
use crate::tyme::Tyme;

/// See the module.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) to: usize,
    pub(super) pooled: PooledId,
    packet: Bytes,
    /// Bytes that were handed to the connection.
    sent: usize,
    stage: Stage,
}

/// How far it is, and what it has until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for a connection.
    Connecting(Tyme),
    /// It goes out.
    Sending,
    /// It is out; the answer is awaited.
    Reading(Tyme),
}

impl Job {
    pub(super) fn new(
        to: usize,
        pooled: PooledId,
        packet: Bytes,
        tyme: Tyme,
        timeout: &HttpTimeout,
    ) -> Self {
        Self {
            to,
            pooled,
            sent: packet
                .len()
                .min(if is_long(&packet) { 0 } else { usize::MAX }),
            packet,
            stage: Stage::Connecting(timeout.deadline(tyme, timeout.connect)),
        }
    }

    /// It has a connection.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Sending;
    }

    /// Something came that is not the answer.
    pub(super) fn hear(&mut self, tyme: Tyme, timeout: &HttpTimeout) {
        if let Stage::Reading(_) = self.stage {
            self.stage = Stage::Reading(timeout.deadline(tyme, timeout.sock_read));
        }
    }

    /// Hands over as much as there is room for.
    pub(super) fn push(&mut self, pool: &mut ConnectionPool) {
        if !is_long(&self.packet) || self.sent == self.packet.len() {
            return;
        }
        let sent = match pool.send(self.pooled, &self.packet[self.sent..]) {
            Ok(()) => self.packet.len() - self.sent,
            Err(SendError::Full { taken }) => taken,
            Err(_) => return, // the request is over, and an event tells of it
        };
        self.sent += sent;
        if self.sent == self.packet.len() {
            // What is wrong with the connection is told by an event.
            let _ = pool.end(self.pooled, &HeaderMap::new());
        }
    }

    /// Looks whether all of it is out.
    pub(super) fn look(&mut self, tyme: Tyme, pool: &ConnectionPool, timeout: &HttpTimeout) {
        let handed = self.stage == Stage::Sending && self.sent == self.packet.len();
        if handed && pool.unsent(self.pooled) == 0 {
            self.stage = Stage::Reading(timeout.deadline(tyme, timeout.sock_read));
        }
    }

    /// What it is too late for.
    pub(super) fn late(&self, tyme: Tyme) -> Option<(Cause, Again)> {
        match self.stage {
            Stage::Connecting(by) if by <= tyme => Some((Cause::ConnectTimedOut, Again::Safe)),
            Stage::Reading(by) if by <= tyme => Some((Cause::ReadTimedOut, Again::Uncertain)),
            _ => None,
        }
    }

    pub(super) const fn deadline(&self) -> Tyme {
        match self.stage {
            Stage::Connecting(by) | Stage::Reading(by) => by,
            Stage::Sending => Tyme::NEVER,
        }
    }
}

/// Long packets go out piece by piece, so that they are not copied as a whole.
pub(super) fn outgoing(packet: &Bytes) -> Outgoing {
    match is_long(packet) {
        true => Outgoing::Stream(Length::Known(packet.len() as u64)),
        false => Outgoing::Bytes(packet.to_vec()),
    }
}

fn is_long(packet: &Bytes) -> bool {
    packet.len() > 64 * 1024
}

/// The head of the request, with the fields of the Python package that mean something.
pub(super) fn head(host: &str, server_port: u16, message: Option<MessageId>) -> RequestHead {
    let mut head = RequestHead::new(Method::POST, Uri::from_static("/"));
    let fields = &mut head.headers;
    // A host that is none is refused when the head is written.
    let host = HeaderValue::from_str(host).unwrap_or_else(|_| HeaderValue::from_static(""));
    fields.insert(HOST, host);
    fields.insert(ACCEPT, HeaderValue::from_static("*/*"));
    fields.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
    let mut insert = |name, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            fields.insert(name, value);
        }
    };
    insert(COOKIE, format!("{}={server_port}", wire::COOKIE));
    if let Some(message) = message {
        insert(MESSAGE_ID, message.to_string());
    }
    insert(CONTENT_TYPE, "application/octet-stream".to_owned());
    head
}

/// What an answer means. Only 200 is well.
pub(super) fn judge(head: &ResponseHead) -> Result<(), Cause> {
    if head.status == StatusCode::OK {
        return Ok(());
    }
    let reason = match &head.reason {
        Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
        None => String::new(),
    };
    Err(Cause::Status {
        status: head.status.as_u16(),
        reason,
    })
}

/// What a request without an answer means, and whether it may be tried again: as tno does it, after
/// what is about the connection.
pub(super) fn blame(why: Failure) -> (Cause, Again) {
    match why {
        Failure::Unreachable(CloseReason::Tls(why)) | Failure::Lost(CloseReason::Tls(why))
            if is_ours(why) =>
        {
            (Cause::Tls(why), Again::Never)
        }
        Failure::Unreachable(why) => (Cause::Unreachable(why), Again::Safe),
        Failure::Lost(why) => (Cause::Lost(why), Again::Uncertain),
        Failure::Http(HttpError::Truncated) => {
            (Cause::Lost(CloseReason::PeerClosed), Again::Uncertain)
        }
        Failure::Http(why) => (Cause::Protocol(why.to_string()), Again::Never),
        Failure::TimedOut { .. } => (Cause::TimedOut, Again::Never),
        Failure::Closed => (Cause::Shutdown, Again::Never),
        other => (Cause::Protocol(other.to_string()), Again::Never),
    }
}

/// Whether this side gave up. When the peer did, it may look like any other loss.
const fn is_ours(why: TlsFailure) -> bool {
    !matches!(why, TlsFailure::Alert(_) | TlsFailure::Left)
}
