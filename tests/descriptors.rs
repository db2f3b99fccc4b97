//! Goal: no descriptor leaks, neither out of its life nor into a child process.
//! Method: a net with a listener and connections of every kind; what a child of this process has open is
//! asked of the system before, meanwhile and afterwards. One test alone, as descriptors are the process's.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};

/// The descriptors that a child has which inherits what it may.
fn of_a_child() -> Vec<String> {
    let script = "for fd in /proc/$$/fd/*; do readlink $fd; done";
    let mut shell = Command::new("sh");
    let out = shell
        .args(["-c", script])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let out = String::from_utf8(out.expect("there is a shell").stdout).expect("paths");
    // The pipe that its answer comes through has another number each time.
    out.lines()
        .filter(|line| !line.starts_with("pipe:"))
        .map(str::to_owned)
        .collect()
}

fn own() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("Linux has it")
        .count()
}

/// A server and a client of it that have met.
fn meet(net: &mut MioNet, at: Endpoint) -> (Server, Client) {
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    server.open(net, Owner::NONE).expect("a free place");
    let to = server.eha();
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
    let tyme = net.now();
    client.open(tyme, net, Owner::NONE).expect("good limits");
    for _ in 0..1000 {
        let soon = net.now() + std::time::Duration::from_millis(5);
        net.poll(soon).expect("the poll");
        let tyme = net.now();
        client.service(tyme, net);
        server.service(tyme, net).expect("the listener");
        if client.connected() && server.len() == 1 {
            return (server, client);
        }
    }
    panic!("they never met");
}

#[test]
fn no_descriptor_leaks_and_none_reaches_a_child() {
    let path = std::env::temp_dir().join(format!("hio-descriptors-{}", std::process::id()));
    let (before, count) = (of_a_child(), own());
    for _ in 0..3 {
        let mut net = MioNet::new().expect("a net");
        let mut all = Vec::new();
        for at in [
            "127.0.0.1:0".parse(),
            "[::1]:0".parse(),
            Ok(Endpoint::unix(&path)),
        ] {
            all.push(meet(&mut net, at.expect("an address")));
        }
        assert!(own() >= count + 9, "three listeners, six ends");
        assert_eq!(of_a_child(), before, "a descriptor is not close-on-exec");
        for (server, client) in &mut all {
            client.close(&mut net);
            server.close(&mut net);
        }
        drop(net);
        assert_eq!(own(), count, "a descriptor leaked");
        assert!(!path.exists(), "the socket's file is gone");
    }
    let mut net = MioNet::new().expect("a net");
    let kept = meet(&mut net, Endpoint::host("127.0.0.1", 0));
    drop(net);
    assert_eq!(own(), count, "dropping the net closes what is open");
    drop(kept);
}
