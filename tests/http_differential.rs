//! Goal: where we and hyper both take a message, we agree where it ends, and no place where bytes are split changes
//! what we take.
//! Method: at least 100 000 messages that are nearly good, the same bytes to both; whatever both take must be equal,
//! and so must the message after it. `HTTP_SEED` and `HTTP_MESSAGES` choose others.

#![cfg(feature = "http")]

#[path = "support/http_mutate.rs"]
mod mutate;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mutate::{
    Random, Taken, Tally, messages, our_requests, our_responses, request, response, seed,
};

/// A connection that has said all it will ever say; what is answered is dropped.
struct Said<'a>(&'a [u8]);

impl Read for Said<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Poll::Ready(Ok(()))
    }
}

impl Write for Said<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// The whole body; none when it broke off.
async fn whole(mut body: Incoming) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            None => return Some(all),
            Some(Err(_)) => return None,
            Some(Ok(frame)) => all.extend(frame.into_data().unwrap_or_default()),
        }
    }
}

/// The requests that hyper takes.
fn hypers(text: &[u8]) -> Vec<Taken> {
    let taken: Rc<RefCell<Vec<Taken>>> = Rc::default();
    let noted = Rc::clone(&taken);
    let service = service_fn(move |request: Request<Incoming>| {
        let noted = Rc::clone(&noted);
        async move {
            let head = format!("{} {}", request.method(), request.uri());
            match whole(request.into_body()).await {
                Some(body) => noted.borrow_mut().push((head, body)),
                None => return Err(io::Error::other("it broke off")),
            }
            Ok(Response::new(Nothing))
        }
    });
    {
        let mut serving = pin!(http1::Builder::new().serve_connection(Said(text), service));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            if serving.as_mut().poll(&mut cx).is_ready() {
                break;
            }
        }
    }
    taken.take()
}

#[test]
fn c_hyper_and_we_agree_where_requests_end() {
    let seed = seed();
    let (mut random, mut tally) = (Random(seed), Tally::default());
    for _ in 0..messages() {
        let text = request(&mut random);
        tally.compare(&text, &our_requests(&[&text]), &hypers(&text), seed);
    }
    println!("seed {seed}, {} messages: {tally:?}", messages());
    assert!(
        tally.same > messages() / 4,
        "most of them would say nothing"
    );
}

#[test]
fn c_every_split_of_a_generated_message_gives_the_same() {
    let seed = seed();
    let mut random = Random(seed);
    let mut splits = 0;
    for _ in 0..messages() / 100 {
        let text = request(&mut random);
        let wanted = our_requests(&[&text]);
        for at in 0..=text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(
                our_requests(&[a, b]),
                wanted,
                "seed {seed}, at {at}: {text:?}"
            );
            splits += 1;
        }
        let text = response(&mut random);
        let wanted = our_responses(&[&text]);
        for at in 0..=text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(
                our_responses(&[a, b]),
                wanted,
                "seed {seed}, at {at}: {text:?}"
            );
            splits += 1;
        }
    }
    println!("seed {seed}: {splits} splits");
}
