//! Goal: a process out of descriptors loses no listener and no waiting client (A1), and every
//! operation says so in the same words.
//! Method: the limit of this very process is lowered with `prlimit` and used up. The file holds
//! one test, because no other could run beside it.
#![cfg(target_os = "linux")]

mod net_support;

use std::fs::File;
use std::process::Command;

use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, NetError};
use hio::tyme::Tyme;
use net_support::{Rig, kinds, until};

#[test]
fn a1_out_of_descriptors() {
    let lowered = Command::new("prlimit")
        .args(["--nofile=200:", "--pid", &std::process::id().to_string()])
        .status();
    if !lowered.is_ok_and(|status| status.success()) {
        println!("skipped: no prlimit here");
        return;
    }
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (other, _) = rig.pair();
        let at = rig.at.clone();
        let options = ConnectOptions::default();
        let clients: Vec<_> = (0..3)
            .map(|_| rig.net.connect(rig.group, &at, &options).expect("to dial"))
            .collect();
        until(&mut rig.net, |net| {
            let up = |&sid: &_| net.connected(sid).expect("a connection");
            clients
                .iter()
                .map(up)
                .filter(|&up| up)
                .count()
                .eq(&3)
                .then_some(())
        });
        let mut hoard = Vec::new();
        let full = loop {
            match File::open("/dev/null") {
                Ok(file) => hoard.push(file),
                Err(e) => break NetError::from(e),
            }
            assert!(hoard.len() < 200, "the limit holds");
        };
        assert_eq!(full, NetError::Exhausted);

        for _ in 0..5 {
            assert_eq!(rig.net.accept(rig.listener), Err(NetError::Exhausted));
            rig.net.poll(Tyme::ZERO).expect("to poll");
        }
        let dial = rig.net.connect(rig.group, &at, &options);
        assert_eq!(dial, Err(NetError::Exhausted), "{kind:?}");
        let elsewhere = match &at {
            Endpoint::Unix(_) => Endpoint::unix(rig.dir().join("other")),
            _ => Endpoint::host("127.0.0.1", 0),
        };
        let listen = rig
            .net
            .listen(rig.group, &elsewhere, &ListenOptions::default());
        assert_eq!(listen, Err(NetError::Exhausted));
        assert!(MioNet::new().is_err_and(|e| e == NetError::Exhausted));
        rig.net.interrupt().expect("a handle").fire();
        let (mut a, mut b) = ([0; 16], [0; 16]);
        rig.net.entropy(&mut a);
        rig.net.entropy(&mut b);
        assert_ne!(a, b);

        // No edge comes for those who wait, and none is needed: a free descriptor each is.
        rig.ready();
        for _ in 0..3 {
            hoard.pop();
            let (server, _) = rig.net.accept(rig.listener).expect("accept").expect("one");
            assert_eq!(rig.net.write(server, b"served"), Ok(6));
        }
        // Linux looks for a descriptor before it looks for a connection.
        assert_eq!(rig.net.accept(rig.listener), Err(NetError::Exhausted));
        hoard.pop();
        assert_eq!(rig.net.accept(rig.listener), Ok(None));
        for client in clients {
            assert_eq!(rig.read(client, 6), b"served");
        }
        drop(hoard);
        rig.net.close(other);
        rig.pair();
    }
}
