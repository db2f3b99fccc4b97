use super::super::*;
use crate::tyme::Tyme;
use std::time::Duration;

fn one(limits: ChannelLimits) -> ChannelProtocol {
    let config = ChannelConfig::default().with_limits(limits);
    let mut protocol = ChannelProtocol::new(&config);
    let peername = Some(("127.0.0.1", 5555).into());
    protocol.connection_made(ExtraInfo {
        peername,
        ..ExtraInfo::default()
    });
    protocol
}

fn pair() -> (ChannelProtocol, ChannelProtocol) {
    (one(ChannelLimits::default()), one(ChannelLimits::default()))
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    [&len.to_be_bytes()[..], payload].concat()
}

fn outcome(a: &mut ChannelProtocol) -> (u64, Result<Value, String>) {
    let (id, outcome) = a.event().unwrap().outcome().unwrap();
    let outcome = outcome.map(|content| content.value().unwrap());
    (id.number(), outcome.map_err(|why| why.to_string()))
}

#[test]
fn both_sides_ask_at_once_with_the_same_numbers() {
    let (mut a, mut b) = pair();
    for n in 0..3 {
        assert_eq!(
            a.send(&Value::list(["a".into(), n.into()]))
                .unwrap()
                .number(),
            n
        );
        assert_eq!(
            b.send(&Value::list(["b".into(), n.into()]))
                .unwrap()
                .number(),
            n
        );
    }
    let (of_a, of_b) = (a.outgoing(), b.outgoing());
    b.data_received(&of_a);
    a.data_received(&of_b);
    for (this, name) in [(&mut a, "b"), (&mut b, "a")] {
        let mut all: Vec<Request> = (0..3).map(|_| this.recv().unwrap().unwrap()).collect();
        assert!(this.recv().unwrap().is_none());
        for request in all.iter_mut().rev() {
            let value = request.value().unwrap();
            assert_eq!(value.at(0).unwrap().text(), Some(name));
            request.reply(value.at(1).unwrap()).unwrap();
        }
    }
    let (of_a, of_b) = (a.outgoing(), b.outgoing());
    b.data_received(&of_a);
    a.data_received(&of_b);
    for this in [&mut a, &mut b] {
        for n in [2, 1, 0] {
            assert_eq!(outcome(this), (n, Ok(n.into())));
        }
        assert!(this.event().is_none());
    }
}

#[test]
fn a_request_is_answered_once() {
    let (mut a, mut b) = pair();
    for _ in 0..4 {
        a.send(&Value::Nil).unwrap();
    }
    b.data_received(&a.outgoing());
    let mut first = b.recv().unwrap().unwrap();
    first.reply(&1.into()).unwrap();
    assert_eq!(first.reply(&2.into()), Err(ChannelError::AlreadyAnswered));
    assert_eq!(first.fail("E: no"), Err(ChannelError::AlreadyAnswered));
    drop(first);
    drop(b.recv().unwrap().unwrap()); // without an answer
    b.recv()
        .unwrap()
        .unwrap()
        .fail("ValueError: no good")
        .unwrap();
    let huge = vec![0u8; 5 << 20];
    b.recv().unwrap().unwrap().reply(&huge.into()).unwrap();
    assert_eq!(b.unanswered(), 0);
    a.data_received(&b.outgoing());
    assert_eq!(outcome(&mut a), (0, Ok(1.into())));
    let dropped = outcome(&mut a).1.unwrap_err();
    assert!(dropped.contains("dropped without an answer\n"), "{dropped}");
    let failed = "Origin: ('127.0.0.1', 5555)\nValueError: no good\n";
    assert_eq!(outcome(&mut a), (2, Err(failed.into())));
    let long = outcome(&mut a).1.unwrap_err();
    assert!(
        long.contains("ValueError: Serialized message is too long (5242"),
        "{long}"
    );
}

#[test]
fn what_cannot_be_encoded_becomes_a_failure() {
    let config = ChannelConfig::with_codec(Json);
    let (mut a, mut b) = (ChannelProtocol::new(&config), ChannelProtocol::new(&config));
    a.connection_made(ExtraInfo::default());
    b.connection_made(ExtraInfo::default());
    assert!(matches!(
        a.send(&vec![1u8].into()),
        Err(ChannelError::Encode(_))
    ));
    let id = a.send(&Value::Nil).unwrap();
    assert_eq!(id.number(), 1, "the failed one has used up its number");
    b.data_received(&a.outgoing());
    b.recv().unwrap().unwrap().reply(&vec![1u8].into()).unwrap();
    a.data_received(&b.outgoing());
    let (_, failed) = outcome(&mut a);
    assert!(
        failed
            .unwrap_err()
            .contains("SerializationError: No serializer found")
    );
    assert_eq!(a.pending(), 0);
}

#[test]
fn a_late_reply_is_swallowed() {
    let (mut a, mut b) = pair();
    let at = |ms| Tyme::ZERO + Duration::from_millis(ms);
    let first = a.send(&1.into()).unwrap();
    a.send_until(&2.into(), at(10)).unwrap();
    a.send(&3.into()).unwrap();
    b.data_received(&a.outgoing());
    assert!(a.cancel(first) && !a.cancel(first));
    assert_eq!(a.due(), at(10));
    a.expire(at(9));
    assert!(a.event().is_none());
    a.expire(at(10));
    assert!(matches!(a.event(), Some(ChannelEvent::Timeout { id }) if id.number() == 1));
    while let Some(mut request) = b.recv().unwrap() {
        request.echo().unwrap();
    }
    a.data_received(&b.outgoing());
    assert_eq!(outcome(&mut a), (2, Ok(3.into())));
    assert!(a.event().is_none() && a.connected());
    assert_eq!(a.due(), Tyme::NEVER);
}

#[test]
fn a_reply_to_nothing_ends_the_channel() {
    let cases: [&[u8]; 3] = [
        b"\x93\x01\x05\x00",
        b"\x93\x02\x00\xa1x",
        b"\x93\x01\xff\x00",
    ];
    for payload in cases {
        let mut a = one(ChannelLimits::default());
        a.data_received(&frame(payload));
        assert!(matches!(a.lost(), Some(ChannelError::UnknownReply(_))));
        assert!(a.wants_close());
    }
    let (mut a, _) = pair();
    a.send(&Value::Nil).unwrap();
    let twice = [frame(b"\x93\x01\x00\x07"), frame(b"\x93\x01\x00\x07")].concat();
    a.data_received(&twice);
    assert_eq!(outcome(&mut a), (0, Ok(7.into())), "the first one counts");
    assert_eq!(a.lost(), Some(&ChannelError::UnknownReply(0)));
}

#[test]
fn all_that_came_before_a_loss_is_still_delivered() {
    let (mut a, mut b) = pair();
    for n in 0..3 {
        a.send(&n.into()).unwrap();
    }
    b.send(&"b".into()).unwrap();
    let mut bytes = a.outgoing();
    bytes.extend(frame(b"\x93\x01\x00\x09")); // the answer to b's request
    bytes.extend(b"\0\0\0\x09par");
    b.send(&"unanswered".into()).unwrap();
    b.data_received(&bytes);
    b.eof_received();
    assert_eq!(outcome(&mut b), (0, Ok(9.into())));
    assert_eq!(outcome(&mut b), (1, Err(String::new())));
    assert!(matches!(
        b.event(),
        Some(ChannelEvent::Lost(ChannelError::Eof))
    ));
    for n in 0..3 {
        let mut request = b.recv().unwrap().unwrap();
        assert_eq!(request.value().unwrap(), n.into());
        assert_eq!(request.reply(&Value::Nil), Err(ChannelError::Eof));
    }
    assert_eq!(b.recv().unwrap_err(), ChannelError::Eof);
    assert_eq!(b.send(&Value::Nil), Err(ChannelError::Eof));
    b.connection_lost(None);
    assert_eq!(
        b.lost(),
        Some(&ChannelError::Eof),
        "the first reason counts"
    );
}

#[test]
fn what_is_no_message_ends_the_channel() {
    for payload in [
        &b""[..],
        b"\xc1",
        b"\x92\x00\x00",
        b"\x93\x03\x00\x00",
        b"\x93\x00\x00",
    ] {
        let mut a = one(ChannelLimits::default());
        let bytes = [
            frame(b"\x93\x00\x00\xa2ok"),
            frame(payload),
            frame(b"\x93\x00\x01\x00"),
        ];
        a.data_received(&bytes.concat());
        assert_eq!(a.recv().unwrap().unwrap().value().unwrap(), "ok".into());
        let why = a.recv().unwrap_err();
        assert!(matches!(why, ChannelError::Message(_)), "{why}");
        assert!(!why.is_connection_error());
    }
    let mut a = one(ChannelLimits::default());
    a.data_received(b"\xff\xff\xff\xff");
    assert!(matches!(a.lost(), Some(ChannelError::Frame(_))));
}

#[test]
fn lost_connections_say_so() {
    let (mut a, _) = pair();
    a.send(&Value::Nil).unwrap();
    a.connection_lost(None);
    assert_eq!(outcome(&mut a), (0, Err("Connection closed".into())));
    let (mut a, _) = pair();
    a.send(&Value::Nil).unwrap();
    a.connection_lost(Some("reset by the peer".into()));
    let text = "Connection closed: reset by the peer";
    assert_eq!(outcome(&mut a), (0, Err(text.into())));
    let mut unmade = ChannelProtocol::new(&ChannelConfig::default());
    assert_eq!(unmade.send(&Value::Nil).unwrap().number(), 0);
    unmade.connection_lost(Some("refused".into()));
    assert!(!unmade.wants_close(), "there is nothing to close");
    assert!(outcome(&mut unmade).1.is_err());
}

#[test]
fn pending_requests_are_bounded_in_both_directions() {
    let limits = ChannelLimits {
        pending_max: 3,
        ..ChannelLimits::default()
    };
    let (mut a, mut b) = (one(ChannelLimits::default()), one(limits));
    for n in 0..5 {
        a.send(&n.into()).unwrap();
        let _ = b.send(&n.into());
    }
    assert_eq!(
        b.send(&5.into()),
        Err(ChannelError::TooManyPending { max: 3 })
    );
    b.data_received(&a.outgoing());
    assert!(!b.wants_read());
    let mut got: Vec<Request> = (0..3).map(|_| b.recv().unwrap().unwrap()).collect();
    assert!(b.recv().unwrap().is_none(), "the others wait");
    got[1].reply(&Value::Nil).unwrap();
    b.data_received(b"");
    assert_eq!(b.recv().unwrap().unwrap().value().unwrap(), 3.into());
    drop(got);
    b.data_received(b"");
    assert_eq!(b.recv().unwrap().unwrap().value().unwrap(), 4.into());
}

#[test]
fn what_is_not_looked_at_is_bounded() {
    let limits = ChannelLimits {
        inbox_bytes_max: 100,
        ..ChannelLimits::default()
    };
    let (mut a, mut b) = (one(ChannelLimits::default()), one(limits));
    for _ in 0..10 {
        a.send(&Value::Bytes(vec![0; 48])).unwrap();
    }
    let bytes = a.outgoing();
    let taken = b.take_in(&bytes);
    assert_eq!(taken, bytes.len() / 5, "two of ten");
    assert_eq!(b.take_in(&bytes[taken..]), 0);
    drop(b.recv());
    assert_eq!(b.take_in(&bytes[taken..]), bytes.len() / 10);
}

#[test]
fn what_was_not_wanted_before_a_loss_is_delivered_all_the_same() {
    let limits = ChannelLimits {
        pending_max: 2,
        ..ChannelLimits::default()
    };
    let (mut a, mut b) = (one(ChannelLimits::default()), one(limits));
    for n in 0..9 {
        a.send(&n.into()).unwrap();
    }
    b.data_received(&a.outgoing());
    b.connection_lost(None);
    for n in 0..9 {
        assert_eq!(b.recv().unwrap().unwrap().value().unwrap(), n.into());
    }
    assert!(b.recv().is_err());
}

#[test]
fn queued_bytes_are_bounded_and_the_marks_told() {
    let limits = ChannelLimits {
        high_water: 100,
        low_water: 50,
        outbox_bytes_max: 200,
        ..ChannelLimits::default()
    };
    let mut a = one(limits);
    while a.send(&Value::Bytes(vec![0; 20])).is_ok() {}
    assert_eq!(a.send(&Value::Nil), Err(ChannelError::Full { max: 200 }));
    assert!(matches!(a.event(), Some(ChannelEvent::WritingPaused)));
    assert!(a.event().is_none());
    a.send_off(|bytes| bytes.len() - 60);
    assert!(a.event().is_none());
    a.send_off(|bytes| bytes.len() - 50);
    assert!(matches!(a.event(), Some(ChannelEvent::WritingResumed)));
    a.pause_writing();
    a.pause_writing();
    assert!(matches!(a.event(), Some(ChannelEvent::WritingPaused)) && a.event().is_none());
    a.resume_writing();
    assert!(matches!(a.event(), Some(ChannelEvent::WritingResumed)) && a.event().is_none());
}

#[test]
fn close_fails_what_waits_and_sends_what_is_queued() {
    let (mut a, _) = pair();
    a.send(&Value::Nil).unwrap();
    a.close();
    assert_eq!(outcome(&mut a), (0, Err("Connection closed".into())));
    assert!(a.queued() > 0 && a.wants_close());
    assert!(a.send(&Value::Nil).is_err());
}

#[test]
fn debug_shows_no_payload_of_a_channel() {
    let (mut a, mut b) = pair();
    a.send(&"a secret".into()).unwrap();
    let mut bytes = a.outgoing();
    bytes.extend(b"\0\0\0\xffa secret");
    b.data_received(&bytes);
    let shown = format!("{b:?}{:?}", b.recv().unwrap().unwrap());
    assert!(
        shown.contains("bytes") && !shown.contains("secret"),
        "{shown}"
    );
    let numbers = format!("{:?}", b"a secret");
    assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
}
