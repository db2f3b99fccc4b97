//! The other way round: the Doist owns the poll, and doers serve sources that are none of its own.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::Duration;

use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::net::{Group, MioNet, NetError, Owner, Sid};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::common::{content, say};

/// What the doers have found.
#[derive(Default)]
struct Found {
    records: u64,
    gauge_runs: u64,
    beats: u64,
    metronome_runs: u64,
    /// When the timer was read last, on the net's clock.
    read: Tyme,
}

/// Bytes of what the device tells at a time.
const RECORD: usize = 100;
const PAUSE: Duration = Duration::from_millis(4);
/// How often the timer fires.
const BEAT: Duration = Duration::from_millis(7);

/// Runs until the device has told all it has to tell in such a time, or a signal comes.
pub(crate) fn run(secs: Duration) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let records = u64::try_from(secs.as_nanos() / PAUSE.as_nanos())?.max(3);
    let (sender, receiver) = mio::unix::pipe::new()?;
    let device = device(sender, records);
    let mut doist = Doist::new(Found::default());
    let gauge = Gauge::new(receiver, &mut net)?;
    let gauge = doist.named("gauge").add(gauge);
    let before = net.now();
    let metronome = Metronome::new(&mut net)?;
    let after = net.now();
    doist.named("metronome").add(metronome);
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.run(&mut net)?;
    let end = net.now();
    let unplugged = doist.ended(gauge) == Some(Ended::Done(true));
    drop(doist.take(gauge)); // and with it the pipe: the device ends, if it has not
    let found = &doist.app;
    say(format_args!(
        "hio outside: {} records verified in {} runs, {} beats in {} runs",
        found.records, found.gauge_runs, found.beats, found.metronome_runs
    ))?;
    device
        .join()
        .map_err(|_| Fault::msg("the device panicked"))?;
    if found.gauge_runs > 2 * found.records + 10 || found.metronome_runs > found.beats + 10 {
        return Err(Fault::msg("the doers run for nothing"));
    }
    // No more than have been, and all that had been when they were read last.
    let beats = |span: Duration| u64::try_from(span.as_nanos() / BEAT.as_nanos());
    let (most, least) = (beats(end - before)?, beats(found.read - after)?);
    if found.beats > most || found.beats < least {
        let why = format!("{} beats, {least} to {most} by the clock", found.beats);
        return Err(Fault::msg(why));
    }
    // A signal may have come before the device had told all.
    match unplugged && found.records != records {
        true => Err(Fault::msg(format!(
            "{} of {records} records came",
            found.records
        ))),
        false => Ok(()),
    }
}

/// Something in another thread that writes records into a pipe of mio's, then closes it.
#[expect(clippy::disallowed_methods, reason = "a device has its own pace")]
fn device(mut sender: mio::unix::pipe::Sender, records: u64) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut record = [0; RECORD];
        for number in 0..records {
            content(1, number, &mut record);
            // It fits at once, as it is read at once; else the device is as good as unplugged.
            if sender.write_all(&record).is_err() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    })
}

/// Reads a source of mio's by itself; the net only tells when. So would a serial line, a joystick, or
/// a library that has a descriptor and a function to call when it is ready.
struct Gauge {
    receiver: mio::unix::pipe::Receiver,
    group: Group,
    part: Vec<u8>,
}

impl Gauge {
    fn new(receiver: mio::unix::pipe::Receiver, net: &mut MioNet) -> Result<Self, NetError> {
        let group = net.group(Owner::NONE);
        net.adopt(group, receiver.as_fd().try_clone_to_owned()?)?;
        Ok(Self {
            receiver,
            group,
            part: Vec::new(),
        })
    }

    fn verify(&mut self, found: &mut Found) -> Result<(), Fault> {
        let mut expected = [0; RECORD];
        while self.part.len() >= RECORD {
            content(1, found.records, &mut expected);
            if self.part.drain(..RECORD).as_slice() != expected {
                let why = format!("record {} differs from what was written", found.records);
                return Err(Fault::msg(why));
            }
            found.records += 1;
        }
        Ok(())
    }
}

impl Doer<Found> for Gauge {
    fn enter(&mut self, cx: &mut Cx<'_, Found>) -> Result<Next, Fault> {
        cx.net.set_owner(self.group, cx.ask.owner()); // whom readiness wakes
        Ok(Again) // something may be there already
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Found>) -> Result<Next, Fault> {
        cx.app.gauge_runs += 1;
        cx.net.ready(self.group, &mut Vec::new()); // takes the mark
        let mut bytes = [0; 4096];
        // To its end: readiness is told by edges.
        loop {
            match self.receiver.read(&mut bytes) {
                Ok(0) => {
                    cx.ask.stop();
                    return Ok(Done(true));
                }
                Ok(n) => self.part.extend_from_slice(&bytes[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        self.verify(cx.app)?;
        Ok(Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Found>) {
        cx.net.close_group(self.group); // the clone
    }
}

/// A timer of the system's, which the net reads.
struct Metronome {
    group: Group,
    timer: Sid,
}

impl Metronome {
    fn new(net: &mut MioNet) -> Result<Self, Fault> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        let every = Timespec {
            tv_sec: 0,
            tv_nsec: BEAT.subsec_nanos().into(),
        };
        let beat = Itimerspec {
            it_interval: every,
            it_value: every,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &beat)?;
        let group = net.group(Owner::NONE);
        let timer = net.adopt(group, timer)?;
        Ok(Self { group, timer })
    }
}

impl Doer<Found> for Metronome {
    fn enter(&mut self, cx: &mut Cx<'_, Found>) -> Result<Next, Fault> {
        cx.net.set_owner(self.group, cx.ask.owner());
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Found>) -> Result<Next, Fault> {
        cx.app.metronome_runs += 1;
        cx.app.read = cx.net.now();
        cx.net.ready(self.group, &mut Vec::new());
        let mut count = [0; 8];
        while cx.net.read(self.timer, &mut count)? == Some(8) {
            cx.app.beats += u64::from_ne_bytes(count);
        }
        Ok(Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Found>) {
        cx.net.close_group(self.group);
    }
}
