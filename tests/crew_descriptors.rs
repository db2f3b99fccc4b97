//! Goal: a crew that has ended leaves no descriptor and no thread behind, however it ended.
//! Method: what the process has open is asked of the system before and after. One test alone, as
//! descriptors are the process's.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use hio::crew::{AcceptorDoer, Crew, HandedDoer, Mailbox};
use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, Owner};

fn open() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").expect("Linux has it");
    fds.count()
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    tasks.count()
}

#[test]
fn nothing_is_left_of_a_crew() {
    let before = (open(), threads());
    // A mailbox that was not closed, as after a panic, keeps nothing of its net.
    let mut unclosed = Mailbox::<u8>::new(1);
    let mut net = MioNet::new().expect("a net");
    unclosed.open(&mut net, Owner(1)).expect("it wakes");
    drop(net);
    assert_eq!(open(), before.0);
    let mailbox = Mailbox::new(8);
    let post = mailbox.post();
    let (tell, told) = mpsc::channel();
    let outlives = mailbox.clone(); // what it hangs on does not
    let crew = Crew::new()
        .member("serves", move |seat| {
            if seat.restarts == 0 {
                return Err(Fault::msg("once"));
            }
            let at = Endpoint::Unnamed;
            let server = Server::new(at, ListenOptions::default(), Limits::default());
            let mut doist = Doist::new(());
            doist.add(HandedDoer::new(server, mailbox.clone(), |ix| _ = ix.echo()));
            Ok(doist)
        })
        .member("accepts", move |_| {
            let (at, tell) = (Endpoint::host("127.0.0.1", 0), tell.clone());
            let mut doist = Doist::new(());
            let doer = AcceptorDoer::new(at, ListenOptions::default(), vec![post.clone()]);
            doist.add(doer.on_open(move |at| drop(tell.send(at.clone()))));
            Ok(doist)
        });
    let running = crew.start().expect("threads");
    let at = told
        .recv_timeout(std::time::Duration::from_secs(20))
        .expect("it listens")
        .addr()
        .expect("TCP");
    let mut peers: Vec<TcpStream> = (0..5)
        .map(|_| TcpStream::connect(at).expect("it"))
        .collect();
    for peer in &mut peers {
        let mut back = [0; 2];
        peer.write_all(b"hi").expect("open");
        peer.read_exact(&mut back).expect("open");
    }
    assert_eq!(threads(), before.1 + 2);
    let report = running.stop();
    assert!(report.is_well(), "{report}");
    for mut peer in peers {
        assert_eq!(peer.read(&mut [0; 8]).unwrap_or(0), 0, "closed");
    }
    assert_eq!((open(), threads()), before);
    drop(outlives);
}
