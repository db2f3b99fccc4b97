//! The server: answers at once, later, by redirects, from sources; takes uploads and counts; sends events.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions};
use hio::proto::http::{
    Answer, Handler, HttpServer, HttpServerEvent, Intake, Length, Request, RequestHead, RequestId,
    Response, ResponseHead, SendError, ServerSent, Source,
};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{PORT, pattern};

/// How often each POST was acted on: it outlives crashes, as a disk does.
pub(crate) type Disk = Arc<Mutex<BTreeMap<String, u32>>>;

/// Between two events, and before an answer that comes later.
const BEAT: Duration = Duration::from_millis(400);
const LATER: Duration = Duration::from_millis(150);

#[derive(Default)]
struct Site {
    disk: Disk,
    /// Requests that wait for the doer: to be answered later, with their path; to be listened to.
    later: Vec<(RequestId, String)>,
    uploads: BTreeMap<RequestId, Vec<u8>>,
    listeners: BTreeMap<RequestId, u64>,
}

fn text(text: impl Into<String>) -> Answer {
    Answer::Now(Response::ok("text/plain", text.into()))
}

impl Handler for Site {
    fn head(&mut self, _: RequestId, head: &RequestHead) -> Intake {
        match head.target.path().starts_with("/sink/") {
            true => Intake::Stream,
            false => Intake::Collect,
        }
    }

    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        let path = request.head.target.path();
        let mut parts = path.splitn(3, '/').skip(1);
        let (what, which) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let number: usize = which.parse().unwrap_or(0);
        match what {
            "double" => text((2 * number).to_string()),
            "count" => {
                let mut disk = self.disk.lock().expect("no panic");
                *disk.entry(which.to_owned()).or_default() += 1;
                text("counted")
            }
            "later" => {
                self.later.push((id, which.to_owned()));
                Answer::Later
            }
            "sink" => {
                self.uploads.insert(id, Vec::new());
                Answer::Later
            }
            "file" => {
                let length = match number % 2 {
                    0 => Length::Known(number as u64),
                    _ => Length::Chunked,
                };
                let source = Source::new(Cursor::new(pattern(number)));
                Answer::Read(ResponseHead::new(StatusCode::OK), length, source)
            }
            "moved" => {
                let to = HeaderValue::try_from(format!("/double/{which}")).expect("a path");
                let moved = Response::new(StatusCode::TEMPORARY_REDIRECT);
                Answer::Now(moved.with(LOCATION, to))
            }
            "events" => {
                let last = request.head.headers.get("last-event-id");
                let last = last.and_then(|v| v.to_str().ok()?.parse().ok());
                self.listeners.insert(id, last.unwrap_or(0));
                Answer::Begin(ServerSent::head(), Length::Chunked)
            }
            _ => Answer::Now(Response::status(StatusCode::NOT_FOUND)),
        }
    }
}

struct Web {
    server: HttpServer,
    site: Site,
    waiting: Vec<(Tyme, RequestId, String)>,
}

impl Web {
    /// Whether something was sent that wants a further service.
    fn act(&mut self, tyme: Tyme, cx: &mut Cx<'_>) {
        let server = &mut self.server;
        let events: Vec<HttpServerEvent> = server.events().collect();
        for event in events {
            match event {
                HttpServerEvent::Data(id) | HttpServerEvent::End(id) => {
                    let piece = server.take_body(id);
                    let Some(body) = self.site.uploads.get_mut(&id) else {
                        continue;
                    };
                    body.extend(piece);
                    if matches!(event, HttpServerEvent::End(_)) {
                        let body = self.site.uploads.remove(&id).unwrap_or_default();
                        let right = pattern(body.len()) == body;
                        cx.always(right, "an upload is what was sent");
                        let told = Response::ok("text/plain", body.len().to_string());
                        let _ = server.answer(tyme, id, &told);
                    }
                }
                HttpServerEvent::Gone(id) => {
                    self.site.uploads.remove(&id);
                    self.site.listeners.remove(&id);
                    self.waiting.retain(|(_, waiting, _)| *waiting != id);
                }
                _ => {}
            }
        }
        let fresh = self.site.later.drain(..);
        self.waiting
            .extend(fresh.map(|(id, what)| (tyme + LATER, id, what)));
        self.waiting.retain(|(due, id, what)| {
            if *due <= tyme {
                // Its connection may be gone since.
                let _ = server.answer(tyme, *id, &Response::ok("text/plain", what.clone()));
            }
            *due > tyme
        });
        let latest = u64::try_from(tyme.since(Tyme::ZERO).as_millis() / BEAT.as_millis());
        let latest = latest.unwrap_or(0);
        self.site.listeners.retain(|id, last| {
            while *last < latest {
                let event = ServerSent {
                    id: Some((*last + 1).to_string()),
                    retry: Some(Duration::from_millis(300)),
                    ..ServerSent::new("x")
                };
                match server.send(tyme, *id, event.to_text().as_bytes()) {
                    Ok(()) => *last += 1,
                    Err(SendError::Full { .. }) => {
                        // Half an event is out: it is not told again in this stream.
                        let _ = server.end(tyme, *id, &HeaderMap::new());
                        return false;
                    }
                    Err(_) => return false,
                }
            }
            true
        });
    }

    fn due(&self, tyme: Tyme) -> Tyme {
        let later = self.waiting.iter().map(|(due, ..)| *due).min();
        let beat = match self.site.listeners.is_empty() {
            true => Tyme::NEVER,
            false => tyme + BEAT / 4,
        };
        let due = self.server.due(tyme).min(beat);
        due.min(later.unwrap_or(Tyme::NEVER))
    }
}

impl Doer for Web {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        for _ in 0..8 {
            self.server.service(tyme, cx.net, &mut self.site)?;
            self.act(tyme, cx);
            if self.server.due(tyme) > tyme {
                break;
            }
        }
        Ok(Park(self.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.close(cx.net);
    }
}

/// The program of the site's node, over a server of links that may speak TLS.
pub(crate) fn program(disk: &Disk, dress: impl FnOnce(Server) -> Server) -> Doist<()> {
    let at: Endpoint = format!(":{PORT}").parse().expect("an endpoint");
    let links = Server::new(at, ListenOptions::default(), Limits::default());
    let site = Site {
        disk: Arc::clone(disk),
        ..Site::default()
    };
    let mut doist = Doist::new(());
    doist.add(Web {
        server: HttpServer::over(dress(links)),
        site,
        waiting: Vec::new(),
    });
    doist
}
