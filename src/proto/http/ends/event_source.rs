//! A stream of events that is asked for again whenever it ends.

use std::collections::VecDeque;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{StatusCode, Uri};

use super::ask::Ask;
use super::events::{EventReader, ServerSent};
use super::http_client::{AskEvent, AskId, HttpClient};
use super::pool::{Dialling, PoolLimits};
use crate::net::{Net, Owner};
use crate::proto::http::ResponseHead;
use crate::tyme::Tyme;

/// What an [`EventSource`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceEvent {
    /// The stream stands, for the first time or again.
    Open,
    /// An event.
    Event(ServerSent),
    /// The stream ended or was not reached; it is asked for again.
    Lost,
    /// The server does not want it to be asked for again, with this status (204), or the answer is
    /// no stream of events. It is over.
    Refused(StatusCode),
}

/// Listens to the events of a URL, and comes again when the stream ends (HTML Living Standard §9.2).
///
/// It comes again after as long as the server last said, 3 s at first, with the id of the last
/// event as `Last-Event-ID`. Only an answer that is not a stream of events ends it.
///
/// ```
/// use hio::net::{MioNet, Net, Owner};
/// use hio::proto::http::{Dialling, EventSource};
/// let mut net = MioNet::new()?;
/// let mut source = EventSource::new(Dialling::default(), "http://127.0.0.1:9/events".parse()?);
/// source.open(Owner(1));
/// let now = net.now();
/// source.service(now, &mut net); // again whenever it is due or woken
/// assert!(!source.is_over());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventSource {
    client: HttpClient,
    url: Uri,
    ask: Option<AskId>,
    /// The answer under way is a stream of events.
    stands: bool,
    reader: EventReader,
    next: Tyme,
    over: bool,
    events: VecDeque<SourceEvent>,
}

impl EventSource {
    /// How long it waits at first before it comes again.
    pub const WAIT: Duration = Duration::from_secs(3);

    /// One that has asked for nothing yet. Does no I/O.
    #[must_use]
    pub fn new(dialling: Dialling, url: Uri) -> Self {
        Self {
            client: HttpClient::new(dialling, PoolLimits::default()),
            url,
            ask: None,
            stands: false,
            reader: EventReader::default(),
            next: Tyme::ZERO,
            over: false,
            events: VecDeque::new(),
        }
    }

    /// Who is woken.
    pub const fn open(&mut self, owner: Owner) {
        self.client.open(owner);
    }

    /// Ends it at once.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.over = true;
        self.client.close(net);
        self.client.events().for_each(drop);
    }

    /// Whether it comes no more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// The id of the last event.
    #[must_use]
    pub fn last_id(&self) -> &str {
        self.reader.last_id()
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = SourceEvent> + '_ {
        self.events.drain(..)
    }

    /// When a service is needed next although nothing is ready.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        match self.ask {
            _ if self.over => Tyme::NEVER,
            Some(_) => self.client.due(tyme),
            None => self.client.due(tyme).min(self.next),
        }
    }

    /// Asks, reads, and comes again.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if self.over {
            return;
        }
        if self.ask.is_none() && tyme >= self.next {
            self.ask = Some(self.client.ask(tyme, self.question()));
        }
        self.client.service(tyme, net);
        let events: Vec<AskEvent> = self.client.events().collect();
        for event in events {
            match event {
                AskEvent::Head(id, head) => self.head(id, &head, net),
                AskEvent::Data(id) => {
                    let body = self.client.take_body(id);
                    self.data(&body, tyme);
                }
                AskEvent::Done(_, outcome) => {
                    let rest = outcome.map(|response| response.body);
                    self.data(&rest.unwrap_or_default(), tyme);
                    self.again(tyme);
                }
                AskEvent::MaySend(_) => {}
            }
        }
    }

    fn question(&self) -> Ask {
        let events = HeaderValue::from_static("text/event-stream");
        let ask = Ask::get(self.url.clone()).header(ACCEPT, events);
        // An id that is no field's value cannot be told.
        match HeaderValue::from_str(self.reader.last_id()) {
            Ok(id) if !id.is_empty() => ask.header(HeaderName::from_static("last-event-id"), id),
            _ => ask,
        }
        .streaming()
    }

    fn head(&mut self, id: AskId, head: &ResponseHead, net: &mut dyn Net) {
        let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let kind = kind.unwrap_or_default().split(|b| *b == b';').next();
        let kind = kind.unwrap_or_default().trim_ascii();
        if head.status == StatusCode::OK && kind.eq_ignore_ascii_case(b"text/event-stream") {
            self.stands = true;
            return self.events.push_back(SourceEvent::Open);
        }
        self.client.cancel(id);
        self.events.push_back(SourceEvent::Refused(head.status));
        self.close(net);
    }

    fn data(&mut self, body: &[u8], tyme: Tyme) {
        if !self.stands {
            return;
        }
        match self.reader.feed(body) {
            Ok(found) => self
                .events
                .extend(found.into_iter().map(SourceEvent::Event)),
            Err(_) => self.again(tyme), // too large an event: what follows makes no sense
        }
    }

    /// The stream is over: it is asked for again, later.
    fn again(&mut self, tyme: Tyme) {
        let Some(id) = self.ask.take().filter(|_| !self.over) else {
            return;
        };
        self.client.cancel(id);
        self.stands = false;
        self.reader.restart();
        self.next = tyme + self.reader.retry().unwrap_or(Self::WAIT);
        self.events.push_back(SourceEvent::Lost);
    }
}
