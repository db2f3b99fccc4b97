//! Goal: every phase of a stream keeps to its deadlines, to the nanosecond; counts of writes are
//! exact; the mock reports what was not met (SEEDS 6c).
//! Method: scripted peers on a clock that leaps, mostly through the blocking helper.

use std::time::Duration;

use hio::link::{
    CloseReason, Limits, NetworkBackend, NetworkStream, Operation, Phase, READ_MAX, StreamError,
    StreamFailure,
};
use hio::net::{ConnectOptions, Endpoint, Lookup, Net, NetError, Owner, Script, Scripted};
use hio::tyme::{Deadlines, HasDeadlines, Tyme};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at() -> Endpoint {
    Endpoint::host("10.0.0.1", 7)
}

fn script() -> Script {
    Script::to(at())
}

/// In a module, as `Layer` and `Net` have the same names.
mod counted {
    use hio::net::{Layer, Net, NetError};
    use hio::tyme::Tyme;

    /// Counts polls, and does not go on for ever.
    pub(crate) struct Counted<N> {
        pub(crate) net: N,
        pub(crate) polls: usize,
    }

    impl<N: Net> Layer for Counted<N> {
        type Below = N;
        fn below(&self) -> &N {
            &self.net
        }
        fn below_mut(&mut self) -> &mut N {
            &mut self.net
        }
        fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
            self.polls += 1;
            assert!(self.polls < 10_000, "it spins");
            self.net.poll(until)
        }
    }
}

use counted::Counted;

/// A wait that would never end is a failure of the test.
fn over(net: Scripted) -> NetworkBackend<Counted<Scripted>> {
    NetworkBackend::new(Counted { net, polls: 0 })
}

fn backend(script: Script) -> NetworkBackend<Counted<Scripted>> {
    over(Scripted::alone().with(script))
}

/// Which deadline it was, and in which phase.
fn late(why: StreamError) -> (&'static str, Phase) {
    assert!(why.is_timeout(), "{why}");
    (why.deadline().expect("a deadline of ours").name, why.phase)
}

#[test]
fn a_look_up_keeps_to_the_deadline() {
    let slow = Lookup::Ready(vec![[10, 0, 0, 1].into()]);
    let net = Scripted::alone()
        .with_slow_name("slow.test", ms(3000), slow)
        .with(script());
    let mut backend = over(net);
    let mut t = backend.timeout("look-up", ms(1000));
    let why = t.connect("slow.test", 7).unwrap_err();
    assert_eq!(late(why), ("look-up", Phase::Resolve));
    assert_eq!(t.now(), Tyme::from_secs(1));
    drop(t);
    let mut t = backend.timeout("longer", ms(3001));
    let stream = t.connect("slow.test", 7).unwrap();
    assert_eq!(format!("{stream:?}"), "<NetworkStream [\"10.0.0.1:7\"]>");
    drop(stream);
    assert_eq!(t.net().net.verify(), Ok(()));
}

#[test]
fn connecting_keeps_to_the_deadline_and_to_the_limit() {
    let never = || script().connects_after(Duration::MAX);
    let mut backend = over(Scripted::alone().with(never()).with(never()));
    let mut outer = backend.timeout("outer", ms(700));
    let mut inner = outer.timeout("inner", ms(900));
    let why = inner.connect("10.0.0.1", 7).unwrap_err();
    assert_eq!(
        why.to_string(),
        "connecting: deadline \"outer\" passed at 0.7s"
    );
    assert_eq!(late(why), ("outer", Phase::Connect));
    // What has passed fails whatever is begun.
    let why = inner.connect("10.0.0.1", 7).unwrap_err();
    assert_eq!(late(why), ("outer", Phase::Connect));
    drop(inner);
    drop(outer);
    let why = backend.connect("10.0.0.1", 7).unwrap_err();
    assert_eq!(
        why,
        StreamError {
            phase: Phase::Connect,
            why: StreamFailure::Closed(CloseReason::ConnectTimedOut),
            written: 0,
        }
    );
    assert!(why.is_timeout() && why.deadline().is_none());
    assert_eq!(backend.now(), Tyme::from_millis(10_700));
}

#[test]
fn refusals_and_unknown_names_say_so() {
    let net = Scripted::alone()
        .with(script().connects_after(ms(30)).refuses(NetError::Refused))
        .with_name("nobody.test", &[]);
    let mut backend = over(net);
    let why = backend.connect("10.0.0.1", 7).unwrap_err();
    assert_eq!(
        why.to_string(),
        "connecting: cannot connect: connection refused"
    );
    assert_eq!(backend.now(), Tyme::from_millis(30));
    for name in ["nobody.test", "elsewhere.test"] {
        let why = backend.connect(name, 7).unwrap_err();
        let text = "looking the name up: cannot connect: name cannot be resolved";
        assert_eq!(why.to_string(), text);
    }
    assert_eq!(backend.net().net.verify(), Ok(()));
    let stray = backend.connect("10.0.0.9", 7).unwrap_err();
    let unsupported = CloseReason::ConnectFailed(NetError::Unsupported);
    assert_eq!(stray.why, StreamFailure::Closed(unsupported));
    let text = "no script for a connection to 10.0.0.9:7";
    assert_eq!(backend.net().net.verify().unwrap_err().to_string(), text);
}

#[test]
fn a_read_keeps_to_the_deadline_and_loses_nothing() {
    let peer = script()
        .after(ms(100))
        .sends("early")
        .after(ms(100))
        .sends("late")
        .ends();
    let mut backend = backend(peer);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    {
        let mut t = stream.timeout("read", ms(150));
        assert_eq!(t.read_max(2).unwrap(), b"ea");
        assert_eq!(t.read().unwrap(), b"rly");
        assert_eq!(late(t.read().unwrap_err()), ("read", Phase::Read));
        assert_eq!(t.backend().now(), Tyme::from_millis(150));
    }
    assert_eq!(stream.read().unwrap(), b"late");
    assert_eq!(stream.backend().now(), Tyme::from_millis(200));
    assert_eq!(
        (stream.read().unwrap(), stream.read_max(0).unwrap()),
        (vec![], vec![])
    );
}

#[test]
fn a_byte_at_a_time_for_ever_ends_at_the_overall_deadline() {
    let peer = (0..1000).fold(script(), |script, _| script.after(ms(10)).sends("."));
    let mut backend = backend(peer);
    let mut t = backend.timeout("overall", ms(255));
    let mut stream = t.connect("10.0.0.1", 7).unwrap();
    let (mut got, mut end) = (0, None);
    while end.is_none() {
        match stream.read() {
            Ok(data) => got += data.len(),
            Err(why) => end = Some(late(why)),
        }
    }
    assert_eq!((got, end), (25, Some(("overall", Phase::Read))));
}

#[test]
fn a_read_takes_64_kib_by_default() {
    let mut backend = backend(script().sends(vec![7; 100_000]).ends());
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    assert_eq!(READ_MAX, 65_536);
    let first = stream.read().unwrap().len();
    assert!(first <= READ_MAX, "{first}");
    assert_eq!(
        first + stream.read_to_end(usize::MAX).unwrap().len(),
        100_000
    );
    assert_eq!(stream.read_to_end(10).unwrap(), b"");
}

#[test]
fn a_write_that_is_cut_says_how_much_and_the_next_goes_on_there() {
    let data: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let peer = script()
        .holds(1_234_567)
        .after(ms(500))
        .expects(data.clone());
    let mut backend = backend(peer.after(ms(10)).ends());
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    let why = {
        let mut t = stream.timeout("write", ms(200));
        t.write(&data).unwrap_err()
    };
    assert_eq!(why.written, 1_234_567);
    let text = "writing: deadline \"write\" passed at 0.2s (1234567 bytes written)";
    assert_eq!(why.to_string(), text);
    assert_eq!(late(why), ("write", Phase::Write));
    // Nothing of the rest is sent behind one's back.
    {
        let mut t = stream.timeout("idle", ms(100));
        assert_eq!(late(t.read().unwrap_err()), ("idle", Phase::Read));
    }
    assert_eq!(stream.client().stats().sent, 1_234_567);
    // The peer still has no room.
    let mut t = stream.timeout("again", ms(100));
    let why = t.write(&data[1_234_567..]).unwrap_err();
    assert_eq!((why.written, late(why).0), (0, "again"));
}

#[test]
fn a_write_goes_on_when_the_peer_reads_again() {
    let data: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    let (first, rest) = data.split_at(1_000_000);
    let peer = script().holds(1_000_000).after(ms(500)).expects(first);
    let peer = peer.holds(usize::MAX).expects(rest).sends("all").ends();
    let mut backend = backend(peer);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    let written = {
        let mut t = stream.timeout("write", ms(100));
        t.write(&data).unwrap_err().written
    };
    assert_eq!(written, 1_000_000);
    stream.write(&data[written..]).unwrap();
    assert_eq!(stream.backend().now(), Tyme::from_millis(500));
    assert_eq!(stream.read().unwrap(), b"all");
    drop(stream);
    assert_eq!(backend.net().net.verify(), Ok(()));
}

#[test]
fn a_write_to_a_lost_connection_says_what_the_system_had_taken() {
    let peer = script().holds(1000).after(ms(5)).fails(NetError::Reset);
    let mut backend = backend(peer);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    let why = stream.write(&[1; 5000]).unwrap_err();
    assert_eq!(
        why,
        StreamError {
            phase: Phase::Write,
            why: StreamFailure::Closed(CloseReason::Reset),
            written: 1000,
        }
    );
    assert_eq!(stream.write(b"more").unwrap_err().written, 0);
}

#[test]
fn a_peer_that_takes_nothing_is_given_up_by_the_limit_without_a_deadline() {
    let mut backend = backend(script().holds(10));
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    let why = stream.write(&[1; 50]).unwrap_err();
    assert_eq!((why.written, why.is_timeout()), (10, true));
    assert_eq!(why.why, StreamFailure::Closed(CloseReason::WriteStalled));
    assert_eq!(stream.backend().now(), Tyme::from_secs(30));
}

#[test]
fn closing_is_bounded_by_the_limit_and_by_the_deadline() {
    let limits = Limits {
        linger: ms(700),
        ..Limits::default()
    };
    let net = Scripted::alone()
        .with(script().expects_end())
        .with(script());
    let mut backend = over(net).with_limits(limits);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    stream.close().unwrap(); // the peer stays: that is no error
    assert_eq!(stream.closed(), Some(CloseReason::LingerTimedOut));
    assert_eq!(stream.backend().now(), Tyme::from_millis(700));
    stream.close().unwrap();
    assert_eq!(
        stream.backend().now(),
        Tyme::from_millis(700),
        "once is enough"
    );
    drop(stream);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    {
        let mut t = stream.timeout("close", ms(100));
        assert_eq!(late(t.close().unwrap_err()), ("close", Phase::Close));
        assert_eq!(t.backend().now(), Tyme::from_millis(800));
        assert_eq!(t.close(), Ok(()));
    }
    assert_eq!(stream.closed(), Some(CloseReason::Aborted));
    drop(stream);
    assert_eq!(backend.now(), Tyme::from_millis(800));
    assert_eq!(backend.net().net.verify(), Ok(()));
}

#[test]
fn a_scope_closes_its_stream() {
    let peer = || script().expects("x").expects_end().ends();
    let mut backend = over(Scripted::alone().with(peer()).with(peer()));
    {
        let mut stream = backend.connect("10.0.0.1", 7).unwrap();
        stream.write(b"x").unwrap();
    }
    assert_eq!(
        backend.net().net.verify().unwrap_err().0.len(),
        1,
        "the second"
    );
    let early = |backend: &mut NetworkBackend<Counted<Scripted>>| -> Result<(), StreamError> {
        let mut stream = backend.connect("10.0.0.1", 7)?;
        stream.write(b"x")?;
        let mut t = stream.timeout("early", ms(1));
        t.read()?;
        unreachable!("the peer says nothing");
    };
    let why = early(&mut backend).unwrap_err();
    assert_eq!(late(why), ("early", Phase::Read));
    assert_eq!(backend.net().net.verify(), Ok(()));
    assert!(backend.deadlines_mut().is_empty());
}

#[test]
fn a_panic_in_the_scope_breaks_the_stream_off_at_once() {
    let mut backend = backend(script().expects_end());
    let panics = std::panic::AssertUnwindSafe(|| {
        let _stream = backend.connect("10.0.0.1", 7).unwrap();
        std::panic::resume_unwind(Box::new("no message"));
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(backend.now(), Tyme::ZERO, "it did not wait");
    assert_eq!(backend.net().net.verify(), Ok(()));
}

#[test]
fn cancelling_one_deadline_leaves_the_others() {
    let mut backend = backend(script());
    let mut outer = backend.timeout("outer", ms(500));
    let mut inner = outer.timeout("inner", ms(100));
    let now = inner.now();
    inner.cancel(now).unwrap();
    inner.cancel(now).unwrap();
    let mut stream = inner.connect("10.0.0.1", 7).unwrap();
    assert_eq!(late(stream.read().unwrap_err()), ("outer", Phase::Read));
    assert_eq!(stream.backend().now(), Tyme::from_millis(500));
    drop(stream);
    drop(inner);
    let now = outer.now();
    assert_eq!(outer.cancel(now).unwrap_err().name, "outer", "too late");
    drop(outer);
    let why = backend.connect("10.0.0.1", 7).unwrap_err();
    assert!(!why.is_timeout(), "no deadline is left: {why}");
}

#[test]
fn what_is_shown_of_a_stream() {
    let shown = |to: &str| {
        let to: Endpoint = to.parse().unwrap();
        let stream = NetworkStream::new(to, ConnectOptions::default(), Limits::default());
        format!("{stream:?}")
    };
    assert_eq!(shown("168.0.0.1:80"), "<NetworkStream [\"168.0.0.1:80\"]>");
    assert_eq!(shown("[::1]:443"), "<NetworkStream [\"[::1]:443\"]>");
    assert_eq!(
        shown("example.org:443"),
        "<NetworkStream [\"example.org:443\"]>"
    );
    assert_eq!(shown("unix:/run/x"), "<NetworkStream [\"unix:/run/x\"]>");
    let to = "168.0.0.1:80".parse().unwrap();
    let mut backend = backend(Script::to(to).ends());
    assert_eq!(format!("{backend:?}"), "<NetworkBackend [poll]>");
    let mut stream = backend.connect("168.0.0.1", 80).unwrap();
    stream.close().unwrap();
    assert_eq!(
        format!("{stream:?}"),
        "<NetworkStream [\"168.0.0.1:80\" CLOSED]>"
    );
}

#[test]
fn what_is_known_of_a_stream() {
    let mut backend = backend(script().ends());
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    assert_eq!(stream.server_addr(), Some(&at()));
    assert_eq!(stream.client_addr().unwrap().to_string(), "127.0.0.1:49152");
    assert!(stream.extra_info("server_addr").is_some());
    assert!(stream.extra_info("ssl_object").is_none() && stream.extra_info("").is_none());
    assert!(stream.extra_info("socket").is_some());
    assert_eq!(stream.descriptor(), None, "there is none behind a script");
    stream.close().unwrap();
    assert!(stream.extra_info("socket").is_none(), "it is gone");
    assert!(
        stream.extra_info("client_addr").is_some(),
        "it is remembered"
    );
}

#[test]
fn a_read_and_a_write_at_the_same_time_and_a_stream_opened_again() {
    let peer = || script().after(ms(5)).sends("in").expects("out").ends();
    let mut net = Scripted::alone().with(peer()).with(peer());
    let mut stream = NetworkStream::new(at(), ConnectOptions::default(), Limits::default());
    let none = Deadlines::new();
    let mut read = stream.read(None);
    let unopened = stream
        .take(&mut read, Tyme::ZERO, &none)
        .unwrap()
        .unwrap_err();
    assert_eq!(unopened.why, StreamFailure::Closed(CloseReason::NotOpened));
    for _ in 0..2 {
        let mut connect = stream.connect(net.now(), &mut net, Owner::NONE).unwrap();
        let (mut read, mut write) = (stream.read(None), stream.write("out"));
        let (mut connected, mut got, mut written) = (false, None, false);
        for _ in 0..10 {
            let now = net.now();
            stream.service(now, &mut net);
            connected |= stream.take(&mut connect, now, &none) == Some(Ok(()));
            got = got.or_else(|| stream.take(&mut read, now, &none));
            written |= stream.take(&mut write, now, &none) == Some(Ok(()));
            stream.service(now, &mut net);
            if connected && got.is_some() && written {
                break;
            }
            net.poll(stream.due(now).min(now + ms(5))).unwrap();
        }
        assert_eq!(
            (connected, got, written),
            (true, Some(Ok(b"in".to_vec())), true)
        );
        stream.abort(&mut net);
    }
    assert_eq!(net.verify(), Ok(()));
}

#[test]
fn a_wait_that_nothing_can_end_is_an_error_in_a_mock() {
    let mut backend = backend(script());
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    let why = stream.read().unwrap_err();
    assert_eq!(why.why, StreamFailure::Net(NetError::Unsupported));
}

#[test]
fn limits_that_cannot_be_kept_do_not_connect() {
    let limits = Limits {
        tx_cap: 0,
        ..Limits::default()
    };
    let mut backend = over(Scripted::alone()).with_limits(limits);
    let why = backend.connect("10.0.0.1", 7).unwrap_err();
    assert_eq!(why.to_string(), "connecting: tx_cap must not be zero");
}

#[test]
fn the_report_names_script_step_and_bytes() {
    let net = Scripted::alone()
        .with(script().expects("hello").sends("x").expects("bye"))
        .with(script().expects("abc").ends())
        .with(script().expects_end())
        .with(script().ends())
        .with(script());
    let mut backend = over(net);
    let mut say = |data: &[u8]| {
        let mut stream = backend.connect("10.0.0.1", 7).unwrap();
        let written = stream.write(data);
        stream.abort();
        written
    };
    say(b"hello, you").unwrap(); // the peer waits for more
    let _ = say(b"abX"); // refused at once
    let _ = say(b"not the end");
    say(b"more").unwrap();
    let report = backend.net().net.verify().unwrap_err();
    assert_eq!(
        report.to_string(),
        "\
script 5 to 10.0.0.1:7: nobody dialled
script 1 to 10.0.0.1:7, step 3: expects \"bye\", but byte 0 was another one
script 2 to 10.0.0.1:7, step 1: expects \"abc\", but byte 2 was another one
script 3 to 10.0.0.1:7, step 1: expects the end, but 11 more bytes were written
script 4 to 10.0.0.1:7, step 2: nothing more was expected, and 4 bytes are written: \"more\""
    );
}

#[test]
fn waiting_costs_few_polls() {
    let never = Lookup::Ready(vec![[10, 0, 0, 1].into()]);
    let net = Scripted::alone()
        .with_slow_name("never.test", Duration::MAX, never)
        .with(script().connects_after(ms(500)).holds(1000));
    let mut backend = over(net);
    let mut t = backend.timeout("look-up", ms(9000));
    assert_eq!(
        late(t.connect("never.test", 7).unwrap_err()).1,
        Phase::Resolve
    );
    drop(t);
    let polls = backend.net().polls;
    assert!(polls <= 4, "{polls} for a look-up");
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    for _ in 0..3 {
        let mut t = stream.timeout("idle", ms(9000));
        assert_eq!(late(t.read().unwrap_err()).1, Phase::Read);
        assert_eq!(late(t.write(&[0; 5_000_000]).unwrap_err()).1, Phase::Write);
    }
    {
        let mut t = stream.timeout("stalled", ms(9000));
        assert_eq!(late(t.write(&[0; 5_000_000]).unwrap_err()).1, Phase::Write);
        assert_eq!(late(t.close().unwrap_err()).1, Phase::Close);
    }
    let polls = stream.backend().net().polls - polls;
    assert!(polls <= 20, "{polls} for the rest");
}

/// Waits until so much has come that it fills several services.
struct Gathered(usize);

impl Operation for Gathered {
    type Output = usize;

    fn take(
        &mut self,
        stream: &mut NetworkStream,
        _: Tyme,
        _: &Deadlines,
    ) -> Option<Result<usize, StreamError>> {
        let came = stream.client().rx().len();
        (came >= self.0).then_some(Ok(came))
    }
}

/// Streams of one's own, whoever owns them, are driven in turn: what waits on one neither holds up
/// nor hurries the other, and a service that stopped at its limit is followed by the next.
#[test]
fn one_backend_drives_several_streams_in_turn() {
    let second = Endpoint::host("10.0.0.2", 7);
    let busy = script().after(ms(10)).sends([b'x'; 200_000]).holds(1000);
    let quiet = Script::to(second.clone()).after(ms(500)).sends("late");
    let quiet = quiet.holds(1000);
    let net = Scripted::alone().with(busy.clone()).with(quiet.clone());
    let net = net.with(busy).with(quiet);
    let mut backend = over(net);
    let mut t = backend.timeout("all", ms(9000));
    for owner in [Owner::NONE, Owner(7)] {
        let mut streams = [at(), second.clone()]
            .map(|to| NetworkStream::new(to, ConnectOptions::default(), Limits::default()));
        for stream in &mut streams {
            let now = t.now();
            let connect = stream.connect(now, t.net_mut(), owner).unwrap();
            t.run(stream, connect).unwrap();
        }
        let [one, other] = &mut streams;
        let read = other.read(None);
        let before = t.net().polls;
        assert_eq!(t.run(other, read).unwrap(), b"late");
        let polls = t.net().polls - before;
        assert!(
            polls <= 6,
            "{polls} polls while the other one had something"
        );
        assert_eq!(t.run(one, Gathered(200_000)).unwrap(), 200_000);
        for stream in &mut streams {
            stream.abort(t.net_mut());
        }
    }
}
