//! Goal: a doer serves any descriptor that the system can poll, the library is told of it as of a
//! socket, and a foreign loop can own the net's. Method: pipes, timers, and files on real systems.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::net::{Endpoint, Group, MioNet, NetError, Owner, Shutdown, Sid, StdSocket};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

fn pipe() -> (OwnedFd, File) {
    pipe_of(PipeFlags::CLOEXEC)
}

fn pipe_of(flags: PipeFlags) -> (OwnedFd, File) {
    let (reader, writer) = pipe_with(flags).unwrap();
    (reader, writer.into())
}

fn net() -> (MioNet, Group) {
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    (net, group)
}

/// What is marked after a look.
fn marked(net: &mut MioNet, group: Group) -> Vec<Sid> {
    net.poll(Tyme::ZERO).unwrap();
    let mut ready = Vec::new();
    net.ready(group, &mut ready);
    ready
}

#[test]
fn a_pipe_is_told_of_and_read_to_its_end() {
    let (mut net, group) = net();
    let (reader, mut writer) = pipe();
    let sid = net.adopt(group, reader).unwrap();
    assert_eq!(marked(&mut net, group), []);
    let mut buf = [0; 16];
    assert_eq!(net.read(sid, &mut buf), Ok(None), "no event, no read");
    for word in [&b"one"[..], b"three"] {
        writer.write_all(word).unwrap();
        assert_eq!(marked(&mut net, group), [sid]);
        assert_eq!(net.read(sid, &mut buf), Ok(Some(word.len())));
        assert_eq!(&buf[..word.len()], word);
        assert_eq!(net.read(sid, &mut buf), Ok(None));
    }
    drop(writer);
    assert_eq!(marked(&mut net, group), [sid]);
    assert_eq!(net.read(sid, &mut buf), Ok(Some(0)), "its end");
    assert_eq!(net.local(sid), Ok(Endpoint::Unnamed));
}

#[test]
fn a_short_read_is_not_taken_for_the_last() {
    // Packets: each read gives one, however many wait, and no edge tells of the others.
    let (mut net, group) = net();
    let (reader, mut writer) = pipe_of(PipeFlags::DIRECT | PipeFlags::CLOEXEC);
    let sid = net.adopt(group, reader).unwrap();
    for word in [b"a", b"b", b"c"] {
        writer.write_all(word).unwrap();
    }
    let (mut got, mut buf) = (Vec::new(), [0; 16]);
    // One read a mark, as somebody with a budget would: what is left marks it again.
    for _ in 0..10 {
        for sid in marked(&mut net, group) {
            if let Some(n) = net.read(sid, &mut buf).unwrap() {
                got.extend_from_slice(&buf[..n]);
            }
        }
    }
    assert_eq!(got, b"abc");
    assert_eq!(net.read(sid, &mut buf), Ok(None));
    assert_eq!(marked(&mut net, group), [], "and then it is quiet");
}

#[test]
fn a_doer_is_woken_by_a_timer_of_its_own() {
    struct Metronome {
        group: Group,
        timer: Sid,
        fired: u64,
        runs: u32,
    }
    impl Doer for Metronome {
        fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
            cx.net.set_owner(self.group, cx.ask.owner());
            Ok(Park(Tyme::NEVER))
        }
        fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
            self.runs += 1;
            let mut count = [0; 8];
            cx.net.ready(self.group, &mut Vec::new());
            while cx.net.read(self.timer, &mut count)? == Some(8) {
                self.fired += u64::from_ne_bytes(count);
            }
            Ok(match self.fired >= 5 {
                true => Done(true),
                false => Park(Tyme::NEVER),
            })
        }
    }

    let (mut net, group) = net();
    let flags = TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags).unwrap();
    let every = Timespec {
        tv_sec: 0,
        tv_nsec: 3_000_000,
    };
    let beat = Itimerspec {
        it_interval: every,
        it_value: every,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &beat).unwrap();
    let timer = net.adopt(group, timer).unwrap();
    let mut doist = Doist::new(());
    let metronome = doist.add(Metronome {
        group,
        timer,
        fired: 0,
        runs: 0,
    });
    assert_eq!(doist.run(&mut net).unwrap(), Outcome::Done);
    let metronome = doist.get(metronome).unwrap();
    assert!(metronome.runs <= 6, "{} runs: it spins", metronome.runs);
}

#[test]
fn a_clone_is_told_of_and_taken_out_when_it_is_closed() {
    // The library that reads keeps its own: here mio's pipe.
    let (mut net, group) = net();
    let (mut sender, mut receiver) = mio::unix::pipe::new().unwrap();
    for n in 0..50u8 {
        let clone = receiver.as_fd().try_clone_to_owned().unwrap();
        let sid = net.adopt(group, clone).unwrap();
        sender.write_all(&[n]).unwrap();
        assert_eq!(marked(&mut net, group), [sid]);
        let mut byte = [0];
        receiver.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [n]);
        net.close(sid);
        // Its clone is open still, and must not be heard of any more.
        sender.write_all(&[n]).unwrap();
        let ready = [PollFd::new(&net, PollFlags::IN)];
        assert_eq!(poll(&mut { ready }, Some(&NOW)).unwrap(), 0, "round {n}");
        receiver.read_exact(&mut byte).unwrap();
    }
}

#[test]
fn what_cannot_be_polled_is_refused_and_closed() {
    let (mut net, group) = net();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let path = std::env::temp_dir().join(format!("hio-{}-plain", std::process::id()));
    let file = File::create(&path).unwrap();
    let before = open();
    for _ in 0..20 {
        let file = OwnedFd::from(file.try_clone().unwrap());
        assert_eq!(net.adopt(group, file), Err(NetError::Denied));
    }
    assert_eq!(open(), before);
    std::fs::remove_file(path).unwrap();
    net.close_group(group);
    let (reader, _writer) = pipe();
    assert_eq!(net.adopt(group, reader), Err(NetError::Stale));
}

#[test]
fn a_full_pipe_tells_of_room() {
    let (mut net, group) = net();
    let (reader, writer) = pipe();
    let mut reader = File::from(reader);
    let sid = net.adopt(group, OwnedFd::from(writer)).unwrap();
    let mut sent = 0;
    loop {
        match net.write(sid, &[7; 3_000]).unwrap() {
            0 => break,
            n => sent += n,
        }
    }
    marked(&mut net, group); // whatever the first registration for room says
    assert_eq!(net.write(sid, &[7]), Ok(0));
    let mut all = vec![0; sent];
    reader.read_exact(&mut all).unwrap();
    assert_eq!(marked(&mut net, group), [sid]);
    let pieces = [IoSlice::new(b"both "), IoSlice::new(b"pieces")];
    assert_eq!(net.write_vectored(sid, &pieces), Ok(11));
    let mut back = [0; 11];
    reader.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"both pieces");
}

#[test]
fn what_only_sockets_can_is_refused() {
    let (mut net, group) = net();
    let (reader, _writer) = pipe();
    let sid = net.adopt(group, StdSocket::from(reader)).unwrap();
    assert_eq!(net.accept(sid), Err(NetError::Invalid));
    assert_eq!(net.shutdown(sid, Shutdown::Both), Err(NetError::Invalid));
    assert_eq!(net.recv_from(sid, &mut [0; 9]), Err(NetError::Invalid));
    assert!(net.buffer_sizes(sid).is_err());
    assert_eq!(net.connected(sid), Ok(true));
    net.close(sid);
    assert_eq!(net.read(sid, &mut [0; 9]), Err(NetError::Stale));
}

#[test]
fn a_foreign_loop_may_own_a_clone_of_the_poll() {
    let (mut net, group) = net();
    let clone = net.as_fd().try_clone_to_owned().unwrap();
    let ready = || {
        let mut fds = [PollFd::new(&clone, PollFlags::IN)];
        poll(&mut fds, Some(&NOW)).unwrap() == 1
    };
    let (reader, mut writer) = pipe();
    let sid = net.adopt(group, reader).unwrap();
    assert!(!ready());
    writer.write_all(b"!").unwrap();
    assert!(ready());
    assert_eq!(marked(&mut net, group), [sid]);
    assert!(!ready(), "taken");
    writer.write_all(b"!").unwrap();
    drop(net);
    assert!(!ready(), "nothing of the net is left in it");
}

#[test]
fn a_waiter_is_handed_every_wait_and_ends_it() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static WAITS: AtomicU32 = AtomicU32::new(0);
    let mut net = MioNet::new().unwrap().with_waiter(|fd, time| {
        WAITS.fetch_add(1, Ordering::Relaxed);
        let time = time.map(|time| Timespec {
            tv_sec: time.as_secs().try_into().unwrap(),
            tv_nsec: time.subsec_nanos().into(),
        });
        poll(
            &mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)],
            time.as_ref(),
        )?;
        Ok(())
    });
    let group = net.group(Owner::NONE);
    net.poll(Tyme::ZERO).unwrap();
    assert_eq!(WAITS.load(Ordering::Relaxed), 0, "a look is no wait");
    let mut soonest = Duration::MAX;
    for _ in 0..200 {
        let end = net.now() + Duration::from_micros(50);
        net.poll(end).unwrap();
        let now = net.now();
        assert!(now >= end, "early");
        soonest = soonest.min(now - end);
    }
    assert_eq!(WAITS.load(Ordering::Relaxed), 200);
    // Whole milliseconds would make each of them late by 950 us.
    assert!(soonest < Duration::from_micros(900), "{soonest:?}");
    // Readiness ends it, an interrupt does, and its failure is one of the poll.
    let (reader, mut writer) = pipe();
    let sid = net.adopt(group, reader).unwrap();
    writer.write_all(b"!").unwrap();
    net.poll(Tyme::NEVER).unwrap();
    let mut ready = Vec::new();
    net.ready(group, &mut ready);
    assert_eq!(ready, [sid]);
    net.interrupt().unwrap().fire();
    net.poll(Tyme::NEVER).unwrap();
    let mut broken = MioNet::new()
        .unwrap()
        .with_waiter(|_, _| Err(std::io::ErrorKind::OutOfMemory.into()));
    assert!(broken.poll(Tyme::NEVER).is_err());
    let mut signalled = MioNet::new()
        .unwrap()
        .with_waiter(|_, _| Err(std::io::ErrorKind::Interrupted.into()));
    assert_eq!(signalled.poll(Tyme::NEVER), Ok(()));
}

const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
