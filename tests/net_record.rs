//! Goal: recording costs little and never disturbs the run: full disks, idle loops, flights that
//! are bounded and written on a fault. Method: nets that make up their answers or have no sockets,
//! and files in memory.

#[path = "support/recording.rs"]
mod recording;

use std::io::{Cursor, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::net::{
    Net, NetError, NullNet, Owner, Probe, Record, RecordedRun, RecordingError, Replay, ReplayEnd,
    Sid, Tape,
};
use recording::{Disk, Fabled};

fn lines(mut recording: RecordedRun) -> Result<Vec<String>, RecordingError> {
    let mut lines = Vec::new();
    while let Some(line) = recording.next_line()? {
        lines.push(line);
    }
    Ok(lines)
}

fn lines_of(bytes: &[u8]) -> Vec<String> {
    lines(RecordedRun::open(Cursor::new(bytes.to_vec())).unwrap()).unwrap()
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_run() {
    // Within the header, in the first block, later.
    for room in [5, 5_000, 200_000] {
        let disk = Disk::of(room);
        let mut record = Record::new(Fabled::new(1), disk.clone(), "a disk of few bytes");
        let (mut plain, mut buf, mut same) = (Fabled::new(1), [0; 3000], [0; 3000]);
        for _ in 0..500 {
            let sid = Sid::new(0, 0);
            assert_eq!(record.read(sid, &mut buf), plain.read(sid, &mut same));
            assert!(buf == same);
        }
        record.flush();
        assert_eq!(
            record.failure().map(|why| why.kind()),
            Some(ErrorKind::StorageFull)
        );
        assert!(record.failure().is_none(), "told once");
        let recorded = record.finish();
        assert!(recorded.failure.is_none());
        assert!(recorded.bytes <= room as u64);
        record.now();
        assert!(record.finish().lost > 0);
        if room > 5_000 {
            let cut = lines(disk.recording());
            assert!(
                matches!(cut, Err(RecordingError::CutOff(n)) if n > 0),
                "{cut:?}"
            );
        }
    }
}

#[test]
fn a_loop_in_which_nothing_happens_takes_no_room() {
    let disk = Disk::new();
    let mut record = Record::new(NullNet::default(), disk.clone(), "");
    let (mut owners, mut ready) = (Vec::new(), Vec::new());
    let group = record.group(Owner(1));
    for _ in 0..100_000 {
        record.poll(Tyme::ZERO).unwrap();
        record.woken(&mut owners);
        record.ready(group, &mut ready);
    }
    let recorded = record.finish();
    assert_eq!(recorded.hash.events(), 300_001);
    assert!(recorded.bytes < 100, "{} bytes", recorded.bytes);
    let mut replay = Replay::new(disk.recording()).unwrap();
    replay.group(Owner(1));
    for _ in 0..100_000 {
        replay.poll(Tyme::ZERO).unwrap();
        replay.woken(&mut owners);
        replay.ready(group, &mut ready);
    }
    assert_eq!(
        (replay.finish(), replay.hash()),
        (ReplayEnd::Complete, recorded.hash)
    );
}

/// A net whose one socket always has 64 bytes.
#[derive(Default)]
struct Busy {
    net: NullNet,
    nanos: u64,
}

impl hio::net::Layer for Busy {
    type Below = NullNet;
    fn below(&self) -> &NullNet {
        &self.net
    }
    fn below_mut(&mut self) -> &mut NullNet {
        &mut self.net
    }
    fn now(&mut self) -> Tyme {
        self.nanos += 21_789;
        Tyme::from_nanos(self.nanos)
    }
    fn poll(&mut self, _: Tyme) -> Result<(), NetError> {
        Ok(())
    }
    fn ready(&mut self, _: hio::net::Group, out: &mut Vec<Sid>) {
        out.push(Sid::new(3, 1));
    }
    fn read(&mut self, _: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        buf[..64].fill(7);
        Ok(Some(64))
    }
    fn write(&mut self, _: Sid, data: &[u8]) -> Result<usize, NetError> {
        Ok(data.len())
    }
}

#[test]
fn an_echo_takes_its_bytes_and_sixteen_more() {
    let disk = Disk::new();
    let mut record = Record::new(Busy::default(), disk.clone(), "");
    let group = record.group(Owner(1));
    let (mut ready, mut buf) = (Vec::new(), [0; 4096]);
    const ECHOES: u64 = 20_000;
    for _ in 0..ECHOES {
        ready.clear();
        record.poll(Tyme::from_secs(9)).unwrap();
        record.now();
        record.ready(group, &mut ready);
        let n = record.read(ready[0], &mut buf).unwrap().unwrap();
        record.write(ready[0], &buf[..n]).unwrap();
    }
    let each = record.finish().bytes / ECHOES;
    assert!(each <= 64 + 16, "{each} bytes an echo");
}

#[test]
fn what_is_recorded_is_written_within_a_second_of_the_clock() {
    let disk = Disk::new();
    let mut record = Record::new(NullNet::default(), disk.clone(), "");
    record.now();
    let before = disk.bytes().len();
    record.poll(Tyme::from_millis(900)).unwrap();
    record.now();
    assert_eq!(disk.bytes().len(), before, "not at every look");
    record.poll(Tyme::from_millis(1001)).unwrap();
    record.now();
    assert!(disk.bytes().len() > before);
}

#[test]
fn a_flight_holds_the_last_part_within_its_bound() {
    for bytes in [2_000, 100_000, 2_000_000] {
        let mut record = Record::flight(Fabled::new(4), bytes, "a flight");
        let mut buf = [0; 100];
        for _ in 0..200_000 {
            record.read(Sid::new(0, 0), &mut buf).ok();
        }
        let last = record.now();
        let mut dump = Vec::new();
        record.dump(&mut dump).unwrap();
        assert!(
            dump.len() <= bytes + bytes / 4 + 400,
            "{} of {bytes}",
            dump.len()
        );
        assert!(dump.len() > bytes / 2, "{} of {bytes}", dump.len());
        let lines = lines_of(&dump);
        assert!(lines.last().unwrap().ends_with(&format!("now: {last}")));
        let first: u64 = lines[0].split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(first + lines.len() as u64, 200_001, "no gap to the end");
        let recording = RecordedRun::open(Cursor::new(dump)).unwrap();
        assert!(recording.is_flight());
        let refused = Replay::new(recording).map(|_| ());
        assert!(matches!(refused, Err(RecordingError::Flight(n)) if n == first));
    }
}

#[test]
fn a_flight_whose_beginning_is_still_there_can_be_replayed() {
    let mut record = Record::flight(Fabled::new(4), 100_000, "short");
    let given = [record.now(), record.now()];
    let mut dump = Vec::new();
    record.dump(&mut dump).unwrap();
    let mut replay = Replay::new(RecordedRun::open(Cursor::new(dump)).unwrap()).unwrap();
    assert_eq!([replay.now(), replay.now()], given);
    assert_eq!(replay.finish(), ReplayEnd::Complete);
}

/// A flight recorder that counts how often it was written, and its file.
fn saving() -> (Record<NullNet>, Disk, Arc<AtomicUsize>) {
    let (disk, saves) = (Disk::new(), Arc::new(AtomicUsize::new(0)));
    let (to, counted) = (disk.clone(), Arc::clone(&saves));
    let record = Record::flight(NullNet::default(), 10_000, "").saving(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(to.clone())
    });
    (record, disk, saves)
}

#[test]
fn a_flight_is_written_on_a_fault_and_only_then() {
    let (mut record, _, saves) = saving();
    record.now();
    record.finish();
    drop(record);
    assert_eq!(saves.load(Ordering::Relaxed), 0, "all went well");

    let (mut record, disk, saves) = saving();
    record.now();
    record.probe(Owner::NONE, Probe::Always("fine", true));
    assert_eq!(saves.load(Ordering::Relaxed), 0);
    record.probe(Owner::NONE, Probe::Always("broken", false));
    assert_eq!(saves.load(Ordering::Relaxed), 1, "a check failed");
    assert!(
        lines_of(&disk.bytes())
            .last()
            .unwrap()
            .contains("Always \"broken\" false")
    );

    let (mut record, disk, saves) = saving();
    let mut doist = Doist::new(());
    doist.add(doify(|_tyme, _cx: &mut Cx<'_>| -> Result<Next, Fault> {
        Err(Fault::msg("no"))
    }));
    let run = || -> Result<(), Fault> {
        doist.run(&mut record)?;
        record.finish();
        Ok(())
    };
    let mut run = run;
    assert!(run().is_err());
    drop(record);
    assert_eq!(saves.load(Ordering::Relaxed), 1, "an early return");
    assert!(!lines_of(&disk.bytes()).is_empty());

    let saves = std::panic::catch_unwind(|| {
        let (mut record, _, saves) = saving();
        record.now();
        let told = Arc::clone(&saves);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = record;
            panic!("a fault");
        }));
        assert!(unwound.is_err());
        told.load(Ordering::Relaxed)
    });
    assert_eq!(saves.unwrap(), 1, "a panic");
}

#[test]
fn only_a_flight_can_be_dumped() {
    let mut record = Record::new(NullNet::default(), Disk::new(), "");
    let refused = record.dump(Vec::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_description_is_bounded_and_stays_text() {
    for (about, kept) in [("", 0), ("\u{e9}", 2), ("x", 1)] {
        let disk = Disk::new();
        drop(Record::new(NullNet::default(), disk.clone(), about));
        assert_eq!(disk.recording().about().len(), kept);
    }
    let disk = Disk::new();
    let long = format!("x{}", "\u{e9}".repeat(65536));
    let mut record = Record::new(NullNet::default(), disk.clone(), &long);
    record.now();
    drop(record);
    let recording = disk.recording();
    assert_eq!(recording.about().len(), 65535, "cut between two characters");
    assert!(long.starts_with(recording.about()));
    assert_eq!(lines(recording).unwrap().len(), 1);
}

#[test]
fn what_a_tape_lost_is_lost_to_the_recording() {
    let tape = Tape::recording();
    for _ in 0..17 {
        tape.take("much", || vec![0; 1 << 20]);
    }
    let mut record = Record::new(NullNet::default(), Disk::new(), "").with_tape(&tape);
    record.now();
    assert_eq!(record.finish().lost, 2);
}

#[test]
fn a_layer_changes_nothing_and_gives_the_net_back() {
    let mut net = NullNet::default();
    let mut record = Record::new(&mut net, Disk::new(), "");
    record.poll(Tyme::from_secs(1)).unwrap();
    assert_eq!(record.poll(Tyme::NEVER), Err(NetError::Unsupported));
    record.finish();
    drop(record);
    assert_eq!(net.now(), Tyme::ZERO + Duration::from_secs(1));
}
