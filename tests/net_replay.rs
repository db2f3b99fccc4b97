//! Goal: what a net told a recorded run it tells again in the same order (law D1), and the first
//! thing that a program does otherwise is named. Method: operations of all kinds against a net
//! that makes up its answers; doers on real sockets, recorded and replayed, also with a difference
//! planted; recordings that are cut off and damaged at every byte.

#[path = "support/recording.rs"]
mod recording;

use std::io::{Cursor, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doers::{EachServerDoer, EchoServerDoer};
use hio::doing::prelude::*;
use hio::doing::{Cause, DoerId, Event};
use hio::link::{Limits, Remoter, Server};
use hio::net::{
    Conditioned, Conditions, ConnectOptions, DatagramOptions, Endpoint, ListenOptions, MioNet, Net,
    NetError, Owner, Probe, Record, RecordedRun, RecordingError, Replay, ReplayEnd, Shutdown,
    SocketOption, Tape, TraceHash,
};
use recording::{Disk, Fabled};

/// Makes one operation of a kind; what came of it, as text.
fn operate(kind: usize, script: &Fabled, net: &mut dyn Net) -> String {
    let (sid, group) = (script.sid(), script.group_id());
    let mut buf = [0; 40];
    let buf = &mut buf[..script.below(41)];
    let data: Vec<u8> = (0..script.below(60)).map(|_| script.byte()).collect();
    let until = [
        Tyme::ZERO,
        Tyme::NEVER,
        Tyme::from_secs(7),
        Tyme::from_millis(script.draw() % 9),
    ];
    match kind {
        0 => format!("{:?}", net.now()),
        1 => format!("{:?}", net.wall()),
        2 => {
            net.entropy(buf);
            format!("{buf:?}")
        }
        3 => format!("{:?}", net.poll(until[script.below(4)])),
        4 => {
            let mut out = vec![Owner(9)];
            net.woken(&mut out);
            format!("{out:?}")
        }
        5 => format!("{:?}", net.group(script.owner())),
        6 => format!("{:?}", net.set_owner(group, script.owner())),
        7 => format!("{:?}", net.close_group(group)),
        8 => {
            let mut out = Vec::new();
            net.ready(group, &mut out);
            format!("{out:?}")
        }
        9 => format!("{:?}", net.mark(sid)),
        10 => format!(
            "{:?}",
            net.listen(group, &script.endpoint(), &ListenOptions::default())
        ),
        11 => format!("{:?}", net.accept(sid)),
        12 => format!(
            "{:?}",
            net.connect(group, &script.endpoint(), &ConnectOptions::default())
        ),
        13 => format!("{:?}", net.connected(sid)),
        14 => {
            let got = net.read(sid, buf);
            let n = got.ok().flatten().unwrap_or(0);
            format!("{got:?} {:?}", &buf[..n])
        }
        15 => format!("{:?}", net.write(sid, &data)),
        16 => {
            let (one, two) = data.split_at(data.len() / 3);
            format!(
                "{:?}",
                net.write_vectored(sid, &[IoSlice::new(one), IoSlice::new(two)])
            )
        }
        17 => format!("{:?}", net.shutdown(sid, Shutdown::Send)),
        18 => format!("{:?}", net.close(sid)),
        19 => format!(
            "{:?}",
            net.bind(group, &script.endpoint(), &DatagramOptions::default())
        ),
        20 => {
            let got = net.recv_from(sid, buf);
            let n = got
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map_or(0, |d| d.len);
            format!("{got:?} {:?}", &buf[..n])
        }
        21 => format!("{:?}", net.send_to(sid, &data, Some(&script.endpoint()))),
        22 => format!("{:?}", net.send_to(sid, &data, None)),
        23 => format!("{:?}", net.resolve(group, "a.example")),
        24 => format!("{:?}", net.local(sid)),
        25 => format!("{:?}", net.peer(sid)),
        26 => format!("{:?}", net.buffer_sizes(sid)),
        27 => format!("{:?}", net.set_option(sid, SocketOption::Nodelay(true))),
        28 => format!(
            "{:?}",
            net.probe(script.owner(), Probe::Always("holds", data.len() > 5))
        ),
        29 => format!("{:?}", net.probe(script.owner(), Probe::Note("a note"))),
        30 => {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("{:?}", net.adopt(group, socket.into()))
        }
        _ => format!("{:?}", net.is_simulated()),
    }
}

const KINDS: usize = 32;

fn operate_often(count: usize, seed: u64, net: &mut dyn Net) -> Vec<String> {
    let script = Fabled::new(seed);
    let kinds = (0..count).map(|n| if n < KINDS { n } else { script.below(KINDS) });
    kinds.map(|kind| operate(kind, &script, net)).collect()
}

#[test]
fn d1_every_operation_gives_again_what_it_gave() {
    for seed in 0..30 {
        let disk = Disk::new();
        let mut record = Record::new(Fabled::new(seed), disk.clone(), "all kinds");
        let given = operate_often(3000, seed, &mut record);
        let recorded = record.finish();
        assert_eq!(recorded.lost, 0);
        let mut replay = Replay::new(disk.recording()).unwrap();
        assert_eq!(operate_often(3000, seed, &mut replay), given);
        assert_eq!(replay.ended(), Some(ReplayEnd::Complete));
        assert_eq!(
            (replay.hash(), replay.about()),
            (recorded.hash, "all kinds".to_owned())
        );
    }
}

#[test]
fn every_kind_of_operation_that_differs_is_located() {
    let disk = Disk::new();
    let mut record = Record::new(Fabled::new(3), disk.clone(), "");
    operate_often(200, 3, &mut record);
    record.finish();
    for kind in 0..KINDS - 1 {
        let mut replay = Replay::new(disk.recording()).unwrap();
        let script = Fabled::new(3);
        for n in 0..10 {
            operate(n, &script, &mut replay);
        }
        assert_eq!(replay.ended(), None);
        // Event 10 is a listen, with arguments of its own.
        operate(kind, &Fabled::new(1000), &mut replay);
        let end = replay.ended();
        let Some(ReplayEnd::Diverged(at)) = end else {
            panic!("kind {kind}: {end:?}");
        };
        assert_eq!(at.event, 10, "kind {kind}");
        assert!(at.expected.starts_with("Listen in Group"), "{at}");
        assert_ne!(at.expected, at.found);
        // From here on nothing is said, and nothing panics.
        let after = operate_often(100, 5, &mut replay);
        assert!(after.iter().any(|said| said.contains("Diverged")));
        assert_eq!(replay.poll(Tyme::ZERO), Err(NetError::Diverged));
        assert_eq!(
            replay.finish(),
            ReplayEnd::Diverged(at),
            "the first one stays"
        );
    }
}

#[test]
fn too_much_and_too_little_are_differences() {
    let disk = Disk::new();
    let mut record = Record::new(Fabled::new(1), disk.clone(), "");
    record.now();
    record.wall();
    drop(record);

    let mut replay = Replay::new(disk.recording()).unwrap();
    replay.now();
    let ReplayEnd::Diverged(at) = replay.finish() else {
        panic!("less than was recorded");
    };
    assert_eq!((at.event, at.found.as_str()), (1, "the end of the program"));

    let mut replay = Replay::new(disk.recording()).unwrap();
    replay.now();
    replay.wall();
    assert_eq!(replay.ended(), Some(ReplayEnd::Complete));
    let last = replay.now();
    let Some(ReplayEnd::Diverged(at)) = replay.ended() else {
        panic!("more than was recorded");
    };
    assert_eq!((at.event, at.tyme), (2, last));
    assert_eq!(at.expected, "the end of the recording");
}

type Trace = Vec<(Tyme, DoerId, Event)>;

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Ran {
    trace: Trace,
    hash: TraceHash,
    outcome: Option<Outcome>,
    tyme: Tyme,
}

fn watch<A>(doist: &mut Doist<A>) -> Arc<Mutex<Trace>> {
    let trace = Arc::new(Mutex::new(Trace::new()));
    let told = Arc::clone(&trace);
    doist.observe(move |tyme, id, event| told.lock().unwrap().push((tyme, id, event)));
    trace
}

/// An echo server that shouts, from its `loud`-th message on, and something that ticks.
fn program(loud: usize) -> Doist {
    let at = Endpoint::host("127.0.0.1", 0);
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(()).with_tock(Duration::from_millis(20));
    let mut heard = 0;
    doist
        .named("shouter")
        .add(EachServerDoer::new(server, move |ix: &mut Remoter| {
            let mut said = ix.rx().to_vec();
            ix.clear_rx();
            heard += 1;
            if heard >= loud {
                said.make_ascii_uppercase();
            }
            let _ = ix.tx(&said);
        }));
    doist.named("ticker").add(doify(|_tyme, cx: &mut Cx<'_>| {
        cx.net.probe(cx.ask.owner(), Probe::Note("tick"));
        Ok(After(Duration::from_millis(60)))
    }));
    doist
}

/// Runs the program on a net while a client in a thread of its own says so many messages.
fn record_run(net: &mut Record<impl Net>, messages: usize) -> Ran {
    let mut doist = program(usize::MAX);
    let trace = watch(&mut doist);
    doist.enter(net).unwrap();
    let group = net.group(Owner::NONE); // both runs must do this
    let at = doist.listing(); // no operation of the net
    assert_eq!(at.len(), 2);
    net.close_group(group);
    let address = address_of(net);
    let stop = doist.stop_handle();
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut back = [0; 5];
        for _ in 0..messages {
            stream.write_all(b"hello").unwrap();
            stream.read_exact(&mut back).unwrap();
        }
        drop(stream);
        stop.stop();
        back
    });
    let outcome = doist.run(net).unwrap();
    assert_eq!(&client.join().unwrap(), b"hello");
    let trace = trace.lock().unwrap().clone();
    Ran {
        trace,
        hash: net.finish().hash,
        outcome: Some(outcome),
        tyme: doist.tyme(),
    }
}

/// The listener is the first socket of the net.
fn address_of(net: &dyn Net) -> std::net::SocketAddr {
    net.local(hio::net::Sid::new(0, 0)).unwrap().addr().unwrap()
}

fn replay_run(disk: &Disk, loud: usize) -> (Ran, ReplayEnd, Option<String>) {
    let mut doist = program(loud);
    let stop = doist.stop_handle();
    let mut replay = Replay::new(disk.recording())
        .unwrap()
        .on_stop(move || stop.stop());
    let trace = watch(&mut doist);
    doist.enter(&mut replay).unwrap();
    let group = replay.group(Owner::NONE);
    replay.close_group(group);
    address_of(&replay);
    let ran = doist.run(&mut replay);
    let outcome = match ran {
        Ok(outcome) => Some(outcome),
        Err(fault) => {
            assert!(
                matches!(fault.cause(), Cause::Net(NetError::Diverged)),
                "{fault}"
            );
            None
        }
    };
    let end = replay.finish();
    let path = match &end {
        ReplayEnd::Diverged(at) => doist.path(at.owner),
        _ => None,
    };
    let trace = trace.lock().unwrap().clone();
    let ran = Ran {
        trace,
        hash: replay.hash(),
        outcome,
        tyme: doist.tyme(),
    };
    (ran, end, path)
}

#[test]
fn d1_a_recorded_run_replays_to_the_same_trace_and_stops_where_it_was_stopped() {
    let disk = Disk::new();
    let ran = record_run(
        &mut Record::new(MioNet::new().unwrap(), disk.clone(), ""),
        50,
    );
    assert_eq!(ran.outcome, Some(Outcome::Stopped));
    let (again, end, _) = replay_run(&disk, usize::MAX);
    assert_eq!(end, ReplayEnd::Complete);
    assert_eq!(again, ran);
}

#[test]
fn d1_a_run_over_slow_links_replays_to_the_same_trace() {
    let disk = Disk::new();
    let slow: Conditions = "latency uniform 1ms 4ms".parse().unwrap();
    let net = Conditioned::new(MioNet::new().unwrap(), slow, 1);
    let ran = record_run(&mut Record::new(net, disk.clone(), ""), 10);
    let (again, end, _) = replay_run(&disk, usize::MAX);
    assert_eq!((again, end), (ran, ReplayEnd::Complete));
}

#[test]
fn a_planted_difference_is_located_by_event_doer_and_tyme() {
    let disk = Disk::new();
    record_run(
        &mut Record::new(MioNet::new().unwrap(), disk.clone(), ""),
        50,
    );
    let mut events = Vec::new();
    for loud in [1, 7, 30] {
        let (ran, end, path) = replay_run(&disk, loud);
        let ReplayEnd::Diverged(at) = end else {
            panic!("{end:?}");
        };
        assert_eq!(ran.outcome, None);
        assert_eq!(path.as_deref(), Some("shouter"));
        assert!(at.expected.starts_with("write Sid(1.0) 5 bytes"), "{at}");
        assert!(at.found.starts_with("write Sid(1.0) 5 bytes"), "{at}");
        assert_eq!(at.event, ran.hash.events(), "all before it was the same");
        assert_eq!(writes_before(&disk, at.event), loud - 1);
        events.push(at.event);
    }
    assert!(events.is_sorted());
}

fn writes_before(disk: &Disk, event: u64) -> usize {
    let mut recording = disk.recording();
    let mut lines = Vec::new();
    while let Some(line) = recording.next_line().unwrap() {
        lines.push(line);
    }
    let before = usize::try_from(event).unwrap();
    lines[..before]
        .iter()
        .filter(|line| line.contains("  write Sid"))
        .count()
}

#[test]
fn a_stop_without_its_handle_is_a_difference_and_no_hang() {
    let disk = Disk::new();
    record_run(
        &mut Record::new(MioNet::new().unwrap(), disk.clone(), ""),
        1,
    );
    let mut replay = Replay::new(disk.recording()).unwrap();
    let mut doist = program(usize::MAX);
    doist.enter(&mut replay).unwrap();
    let group = replay.group(Owner::NONE);
    replay.close_group(group);
    address_of(&replay);
    assert!(doist.run(&mut replay).is_err());
    let ReplayEnd::Diverged(at) = replay.finish() else {
        panic!("it was not told to stop");
    };
    assert!(at.expected.starts_with("probe Stopped"), "{at}");
}

#[test]
fn what_comes_by_the_tape_has_its_place() {
    let disk = Disk::new();
    let tape = Tape::recording();
    tape.take("before", || vec![1]);
    let mut record = Record::new(Fabled::new(1), disk.clone(), "").with_tape(&tape);
    record.now();
    tape.take("between", || vec![2; 1000]);
    record.now();
    tape.take("after", || vec![3]);
    let recorded = record.finish();

    let again = Tape::replaying();
    let mut replay = Replay::new(disk.recording()).unwrap().with_tape(&again);
    assert_eq!(again.take("before", Vec::new), Some(vec![1]));
    assert_eq!(again.peek(), None, "not yet");
    replay.now();
    assert_eq!(again.take("between", Vec::new), Some(vec![2; 1000]));
    replay.now();
    assert_eq!(again.take("after", Vec::new), Some(vec![3]));
    assert_eq!(
        (replay.finish(), replay.hash()),
        (ReplayEnd::Complete, recorded.hash)
    );

    let again = Tape::replaying();
    let mut replay = Replay::new(disk.recording()).unwrap().with_tape(&again);
    replay.now();
    let ReplayEnd::Diverged(at) = replay.finish() else {
        panic!("it did not ask the tape");
    };
    assert_eq!(
        (at.event, at.expected.as_str()),
        (1, "before from the tape")
    );

    let again = Tape::replaying();
    let mut replay = Replay::new(disk.recording()).unwrap().with_tape(&again);
    assert_eq!(again.take("other", Vec::new), None);
    replay.now();
    let ReplayEnd::Diverged(at) = replay.finish() else {
        panic!("it asked the tape for something else");
    };
    assert_eq!(at.found, "other: the tape has before");
}

/// A short recording of many kinds.
fn small() -> (Vec<u8>, TraceHash) {
    let disk = Disk::new();
    let mut record = Record::new(Fabled::new(8), disk.clone(), "about");
    operate_often(60, 8, &mut record);
    let hash = record.finish().hash;
    (disk.bytes(), hash)
}

/// Replays any bytes; how it ended, and what it came to.
fn try_replay(bytes: &[u8]) -> Result<(ReplayEnd, u64), RecordingError> {
    let mut replay = Replay::new(RecordedRun::open(Cursor::new(bytes.to_vec()))?)?;
    operate_often(60, 8, &mut replay);
    Ok((replay.finish(), replay.hash().events()))
}

/// Lists any bytes.
fn try_list(bytes: &[u8]) -> Result<usize, RecordingError> {
    let mut recording = RecordedRun::open(Cursor::new(bytes.to_vec()))?;
    let mut lines = 0;
    while recording.next_line()?.is_some() {
        lines += 1;
    }
    Ok(lines)
}

#[test]
fn a_recording_cut_off_at_any_byte_says_so() {
    let (bytes, hash) = small();
    let whole = try_replay(&bytes).unwrap();
    assert_eq!(whole, (ReplayEnd::Complete, hash.events()));
    for len in 0..bytes.len() {
        match try_replay(&bytes[..len]) {
            Ok((ReplayEnd::CutOff { events }, _)) => assert!(events <= hash.events()),
            Err(RecordingError::CutOff(_)) => {}
            Err(RecordingError::Foreign) => assert_eq!(len, 0),
            other => panic!("at {len}: {other:?}"),
        }
        assert!(try_list(&bytes[..len]).is_err(), "at {len}");
    }
}

#[test]
fn a_recording_that_was_cut_off_replays_up_to_there() {
    let disk = Disk::new();
    let mut record = Record::new(Fabled::new(8), disk.clone(), "");
    operate_often(KINDS, 8, &mut record);
    record.flush();
    let flushed = disk.bytes();
    operate_often(KINDS, 8, &mut record);
    let mut replay = Replay::new(RecordedRun::open(Cursor::new(flushed)).unwrap()).unwrap();
    operate_often(KINDS, 8, &mut replay);
    let events = replay.hash().events();
    assert!(events > 20);
    assert_eq!(replay.ended(), Some(ReplayEnd::CutOff { events }));
    assert_eq!(replay.poll(Tyme::ZERO), Err(NetError::Diverged));
    assert_eq!(
        replay.finish(),
        ReplayEnd::CutOff { events },
        "no difference"
    );
}

#[test]
fn any_damaged_bit_is_found_and_nothing_panics() {
    let (bytes, _) = small();
    let header = 8 + 2 + 1 + "about".len();
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let end = try_replay(&damaged);
            let _ = try_list(&damaged);
            let complete = matches!(end, Ok((ReplayEnd::Complete, _)));
            assert!(!complete || at < header, "byte {at}: {end:?}");
        }
    }
    for seed in 0..200 {
        let noise = Fabled::new(seed);
        let mut random: Vec<u8> = (0..200).map(|_| noise.byte()).collect();
        let _ = try_list(&random);
        random[..8].copy_from_slice(b"hio-rec\n");
        random[8] = 1;
        let _ = (try_list(&random), try_replay(&random));
    }
}

#[test]
fn what_is_no_recording_of_ours_is_refused() {
    let (bytes, _) = small();
    assert!(matches!(
        try_list(b"PK\x03\x04 something else"),
        Err(RecordingError::Foreign)
    ));
    assert!(matches!(try_list(b""), Err(RecordingError::Foreign)));
    let mut newer = bytes;
    newer[8] = 9;
    assert!(matches!(try_list(&newer), Err(RecordingError::Version(9))));
}

#[test]
fn d1_an_echo_in_one_process_replays_without_sockets() {
    let disk = Disk::new();
    let run = |net: &mut dyn Net| {
        let at = Endpoint::host("127.0.0.1", 0);
        let server = Server::new(at, ListenOptions::default(), Limits::default());
        let mut doist = Doist::new(()).with_limit(Duration::from_millis(200));
        doist.named("echo").add(EchoServerDoer::new(server));
        let trace = watch(&mut doist);
        let outcome = doist.run(net).unwrap();
        let trace = trace.lock().unwrap().clone();
        (outcome, trace)
    };
    let mut record = Record::new(MioNet::new().unwrap(), disk.clone(), "");
    let ran = run(&mut record);
    record.finish();
    let mut replay = Replay::new(disk.recording()).unwrap();
    assert_eq!(run(&mut replay), ran);
    assert_eq!(replay.finish(), ReplayEnd::Complete);
}
