//! Runs of the echo server in which a call fails, recorded, and replayed by the example `replay`
//! to the same hash; and files that cannot be read.

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use hio::doers::SignalDoer;
use hio::net::{NetError, Record, RecordedRun, Tape};
use hio::tyme::Tyme;

use super::failing::{Call, Plan};
use super::pinger;
use super::replay::{self, echo_server};
use super::whole::{Blocking, Turns, every_call, world};

const ARGS: [&str; 2] = ["--addr", "0.0.0.0:7000"];

#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `echo_server --record` does, for two seconds: how it ended, the hash, and the file.
fn record(plan: &Plan) -> (Option<String>, String, Vec<u8>) {
    let (mut sim, server, client) = world();
    let mut others: [Box<dyn Turns>; 1] = [Box::new(pinger(client, false))];
    let file = File::default();
    let mut below = Blocking::new(&mut sim, server, plan, &mut others);
    below.signalled = Tyme::from_secs(2);
    let mut net = Record::new(below, file.clone(), &ARGS.join("\n"));
    let parser = lexopt::Parser::from_args(ARGS);
    let options = echo_server::options(parser, Tape::recording()).expect("good");
    let mut doist = echo_server::doist(options).0;
    let signals = SignalDoer::new(&mut net).expect("something stands for it");
    doist.named("signals").add(signals);
    let ended = doist.run(&mut net).err().map(|why| why.to_string());
    let hash = net.finish().hash.to_string();
    drop(net);
    let bytes = file.0.lock().expect("no panic").clone();
    (ended, hash, bytes)
}

fn replayed(file: impl Read + Send + 'static) -> (Option<String>, String) {
    let mut out = Vec::new();
    let run = RecordedRun::open(file).map_err(Into::into);
    let done = run.and_then(|run| replay::replay(run, &mut out));
    let text = String::from_utf8(out).expect("text");
    (
        done.err().map(|why| why.to_string()),
        text.trim().to_owned(),
    )
}

#[test]
fn a2_a_run_in_which_a_call_fails_replays_to_the_same_hash() {
    let mut counts = Vec::new();
    for (kind, whys) in every_call() {
        let each = whys.iter().map(|why| {
            let all = (0..).take_while(|nth| {
                let plan = Plan::new(kind, *why, *nth);
                let (ended, hash, file) = record(&plan);
                let again = replayed(Cursor::new(file));
                assert_eq!(again.0, ended, "{kind:?} {nth} {why:?}");
                if ended.is_none() {
                    assert_eq!(again.1, hash, "{kind:?} {nth} {why:?}");
                }
                plan.failed.get()
            });
            all.count()
        });
        counts.push((kind, each.sum::<usize>()));
    }
    println!("echo_server --record, replay: {counts:?}");
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    assert!(all > 100, "{counts:?}");
}

/// A file that comes in pieces, and the k-th read of which fails.
struct Torn {
    file: Cursor<Vec<u8>>,
    left: usize,
    why: io::ErrorKind,
    failed: Arc<Mutex<bool>>,
}

impl Read for Torn {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            *self.failed.lock().expect("no panic") = true;
            return Err(self.why.into());
        }
        self.left -= 1;
        let most = buf.len().min(97);
        self.file.read(&mut buf[..most])
    }
}

#[test]
fn a2_whichever_read_of_a_recording_fails_is_told() {
    let plan = Plan::new(Call::Read, NetError::Reset, usize::MAX);
    let (ended, hash, file) = record(&plan);
    assert_eq!(ended, None);
    assert_eq!(replayed(Cursor::new(file.clone())), (None, hash.clone()));
    let mut count = 0;
    for why in [io::ErrorKind::Other, io::ErrorKind::PermissionDenied] {
        let all = (0..).take_while(|nth| {
            let failed = Arc::new(Mutex::new(false));
            let torn = Torn {
                file: Cursor::new(file.clone()),
                left: *nth,
                why,
                failed: failed.clone(),
            };
            let (ended, _) = replayed(torn);
            let failed = *failed.lock().expect("no panic");
            assert_eq!(ended.is_some(), failed, "{nth} {why:?}: {ended:?}");
            failed
        });
        count += all.count();
    }
    // Cut off anywhere, it is replayed up to there, or refused.
    let whole = file.len();
    for len in (0..whole).step_by(61) {
        let (ended, text) = replayed(Cursor::new(file[..len].to_vec()));
        assert!(
            ended.is_some() || text.starts_with("trace-hash"),
            "{len}: {ended:?} {text}"
        );
        assert_ne!(text, hash, "{len}: not the whole");
    }
    println!(
        "replay: {count} reads of the file failed, {} cuts",
        whole / 61
    );
    assert!(count > 20, "{count}");
}
