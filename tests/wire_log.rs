//! Goal: a wire log has exactly what was received and sent, in hio's form, within its limits, and
//! never disturbs what it logs. Method: echoes in nets of the system and in memory, with TLS and
//! without; files and rings filled beyond their limits; a disk that is full.

mod support;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, Owner};
use hio::wire::{Lost, WireLog, WireLogError};
use support::{World, everywhere, pattern};

/// A directory that goes at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        Self(support::unix_path().0)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a message there and back, and closes in order.
fn drive(world: &mut World, server: &mut Server, client: &mut Client, message: &[u8]) {
    let now = world.net.now();
    client.open(now, world.net.as_mut(), Owner::NONE).unwrap();
    client.tx(message).unwrap();
    world.until("the echo", |tyme, net| {
        client.service(tyme, net);
        server
            .service_each(tyme, net, |ix| {
                let _ = ix.echo();
            })
            .unwrap();
        assert_eq!(client.closed(), None);
        client.rx().len() == message.len()
    });
    assert_eq!(client.rx(), message);
    client.consume(message.len());
    client.drain();
    world.until("the end", |tyme, net| {
        client.service(tyme, net);
        server.service_each(tyme, net, |_| ()).unwrap();
        !client.opened() && server.is_empty()
    });
}

fn server(world: &World) -> Server {
    let (at, limits) = (world.at.clone(), Limits::default());
    Server::new(at, ListenOptions::default(), limits)
}

/// All that records of a log in the format `%data` have.
fn logged(log: &WireLog) -> (Vec<u8>, Vec<u8>) {
    (log.read_rx().unwrap(), log.read_tx().unwrap())
}

fn bare() -> WireLog {
    let log = WireLog::builder().format("%data").limit(1 << 22);
    log.build().unwrap()
}

#[test]
fn both_ends_log_what_they_receive_and_send() {
    everywhere(|world| {
        let (ours, theirs) = (bare(), bare());
        let message = pattern(200_000);
        let mut server = server(world).with_watch(ours.clone());
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let options = ConnectOptions::default();
        let mut client = Client::new(server.eha(), options, Limits::default());
        client.set_watch(Some(Box::new(theirs.clone())));
        drive(world, &mut server, &mut client, &message);
        for log in [&ours, &theirs] {
            let (rx, tx) = logged(log);
            let lens = (rx.len(), tx.len());
            assert!(rx == message && tx == message, "{}: {lens:?}", world.name);
            assert_eq!(log.lost(), Lost::default());
        }
        server.close(world.net.as_mut());
    });
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
#[test]
fn over_tls_it_is_plaintext() {
    let pki = support::pki::Pki::new();
    everywhere(|world| {
        let (ours, theirs) = (bare(), bare());
        let message = pattern(200_000);
        let mut server = server(world).with_tls(pki.server_tls());
        server.set_watch(Some(Box::new(ours.clone())));
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let options = ConnectOptions::default();
        let mut client = Client::new(server.eha(), options, Limits::default())
            .with_tls(pki.client_tls())
            .with_watch(theirs.clone());
        drive(world, &mut server, &mut client, &message);
        for log in [&ours, &theirs] {
            let (rx, tx) = logged(log);
            let lens = (rx.len(), tx.len());
            assert!(rx == message && tx == message, "{}: {lens:?}", world.name);
        }
        server.close(world.net.as_mut());
    });
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
#[test]
fn what_was_queued_before_tls_begins_is_logged_too() {
    let pki = support::pki::Pki::new();
    let mut world = support::worlds().remove(0);
    let log = bare();
    let mut server = server(&world).with_watch(log.clone());
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    let mut client = world.client(&server, Limits::default());
    let tls = pki.server_tls();
    client.tx(b"start").unwrap();
    world.until("TLS", |tyme, net| {
        client.service(tyme, net);
        server
            .service_each(tyme, net, |ix| {
                if ix.rx() == b"start" {
                    ix.clear_rx();
                    ix.tx(b"go").unwrap();
                    ix.start_tls(&tls).unwrap();
                    ix.tx(b"in TLS").unwrap();
                }
            })
            .unwrap();
        if client.rx() == b"go" {
            client.consume(2);
            client.start_tls(&pki.client_tls()).unwrap();
        }
        client.rx() == b"in TLS"
    });
    assert_eq!(log.read_tx().unwrap(), b"goin TLS");
    assert_eq!(log.read_rx().unwrap(), b"start");
}

#[test]
fn records_have_hios_form_and_pythons_addresses() {
    everywhere(|world| {
        let log = WireLog::builder().samed(true).build().unwrap();
        let mut server = server(world).with_watch(log.clone());
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let mut client = world.client(&server, Limits::default());
        client.tx(b"ping").unwrap();
        let mut peer = None;
        world.until("the echo", |tyme, net| {
            client.service(tyme, net);
            let each = |ix: &mut hio::link::Remoter| {
                peer = Some(ix.peer());
                let _ = ix.echo();
            };
            server.service_each(tyme, net, each).unwrap();
            client.rx() == b"ping"
        });
        let who = match peer.unwrap() {
            Endpoint::Tcp(at) if at.is_ipv4() => format!("('{}', {})", at.ip(), at.port()),
            Endpoint::Tcp(at) => format!("('{}', {}, 0, 0)", at.ip(), at.port()),
            _ => String::new(),
        };
        let text = format!("\nRx {who}:\nping\n\nTx {who}:\nping\n");
        assert_eq!(log.read_rx().unwrap(), text.as_bytes());
        assert_eq!(log.read_tx(), log.read_rx());
        server.close(world.net.as_mut());
    });
}

#[test]
fn a_direction_that_is_not_logged_is_not_there() {
    for samed in [false, true] {
        let only = WireLog::builder().samed(samed).txed(false).format("%data");
        let only = only.build().unwrap();
        only.write_rx(b"in", "x");
        only.write_tx(b"out", "x");
        assert_eq!(only.read_rx().unwrap(), b"in");
        assert_eq!(only.read_tx(), None);
    }
}

#[test]
fn a_ring_keeps_the_latest_whole_records() {
    let log = WireLog::builder()
        .format("%data;")
        .limit(10)
        .build()
        .unwrap();
    for data in ["one", "two", "three", "4"] {
        log.write_rx(data.as_bytes(), "");
    }
    assert_eq!(log.read_rx().unwrap(), b"three;4;");
    assert_eq!((log.lost().records, log.lost().bytes), (2, 8));
    log.write_rx(b"0123456789", "");
    assert_eq!(
        log.read_rx().unwrap(),
        b"three;4;",
        "what is too long is not kept"
    );
    assert_eq!((log.lost().records, log.lost().bytes), (3, 19));
    // The other direction has a ring of its own.
    log.write_tx(b"out", "");
    assert_eq!(log.read_tx().unwrap(), b"out;");
    assert_eq!(log.lost().why, None);
}

#[test]
fn records_of_no_bytes_cost_nothing() {
    let log = WireLog::builder().format("").limit(10).build().unwrap();
    for _ in 0..1_000_000 {
        log.write_rx(b"x", "");
    }
    assert_eq!(log.read_rx().unwrap(), b"");
    assert_eq!(log.lost(), Lost::default());
}

#[test]
fn a_full_file_is_put_aside_and_old_ones_go() {
    let dir = Dir::new();
    let path = dir.file("wire");
    let log = WireLog::builder().samed(true).format("%data\n").limit(100);
    let log = log.keep(2).file(&path).build().unwrap();
    for n in 0..100 {
        log.write_rx(format!("record {n:02}").as_bytes(), "");
    }
    // Ten bytes each, ten in a file.
    log.flush();
    let text = |name: &str| std::fs::read_to_string(dir.file(name)).unwrap();
    assert!(text("wire").starts_with("record 90\n") && text("wire").ends_with("record 99\n"));
    assert!(text("wire.1").starts_with("record 80\n"));
    assert!(text("wire.2").starts_with("record 70\n"));
    assert!(!dir.file("wire.3").exists());
    for name in ["wire", "wire.1", "wire.2"] {
        assert_eq!(text(name).len(), 100);
    }
    assert_eq!(log.read_rx().unwrap(), text("wire").as_bytes());
    assert_eq!(log.read_tx(), log.read_rx());
    assert_eq!(log.lost(), Lost::default());
    // One that is longer than a file is still whole.
    log.write_rx(&[b'x'; 500], "");
    assert_eq!(log.read_rx().unwrap().len(), 501);
}

/// What TLS protects on its way stands in these files in plain, or with the keys to it.
#[cfg(unix)]
#[test]
fn files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let log = WireLog::builder().format("%data").limit(4);
    let log = log.keep(1).file(dir.file("wire")).build().unwrap();
    for data in ["1234", "5678"] {
        log.write_rx(data.as_bytes(), "");
    }
    log.write_tx(b"out", "");
    let capture = hio::wire::Pcapng::create(dir.file("capture")).unwrap();
    for name in ["wire.rx", "wire.rx.1", "wire.tx", "capture"] {
        let mode = std::fs::metadata(dir.file(name)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
    drop((log, capture));
}

#[test]
fn with_no_file_kept_a_full_one_begins_anew() {
    let dir = Dir::new();
    let log = WireLog::builder().format("%data").limit(4).keep(0);
    let log = log.file(dir.file("wire")).build().unwrap();
    assert_eq!(log.paths(), [dir.file("wire.rx"), dir.file("wire.tx")]);
    log.write_rx(b"123", "");
    log.write_rx(b"45", "");
    log.write_tx(b"out", "");
    assert_eq!(log.read_rx().unwrap(), b"45");
    assert_eq!(log.read_tx().unwrap(), b"out");
    drop(log);
    assert_eq!(std::fs::read(dir.file("wire.rx")).unwrap(), b"45");
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 2);
}

#[test]
fn files_are_named_as_hio_does() {
    let dir = Dir::new();
    let wall = Duration::new(1_795_195_200, 7_000);
    let log = WireLog::builder().filed(&dir.0).name("bob").prefix("keri");
    let log = log.dated(wall).build().unwrap();
    let under = dir.file("keri").join("wirelogs");
    let name = "bob.2026-11-20_17-20-00_000007";
    let names = ["rx", "tx"].map(|way| under.join(format!("{name}.{way}.log")));
    assert_eq!(log.paths(), names);
    let both = WireLog::builder()
        .filed(&dir.0)
        .samed(true)
        .build()
        .unwrap();
    assert_eq!(both.paths(), [dir.file("hio/wirelogs/main.log")]);
}

#[test]
fn a_temporary_log_goes_when_it_is_closed() {
    let log = WireLog::builder().temp(true).samed(true).build().unwrap();
    let path = log.paths().remove(0);
    log.write_rx(b"x", "me");
    assert_eq!(log.read_rx().unwrap(), b"\nRx me:\nx\n");
    assert!(path.exists() && path.starts_with(std::env::temp_dir()));
    log.close();
    assert!(!path.exists() && !path.parent().unwrap().exists());
    assert_eq!(
        (log.opened(), log.read_rx(), log.paths()),
        (false, None, vec![])
    );
    log.write_rx(b"nobody is there", "me");
    log.reopen().unwrap();
    assert_eq!(log.read_rx().unwrap(), b"");
    let again = log.paths().remove(0);
    drop(log);
    assert!(!again.exists());
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let dir = Dir::new();
    let builder = WireLog::builder;
    let refused = builder().format("%x").build().unwrap_err();
    assert_eq!(refused, WireLogError::Format { at: 0 });
    let refused = builder().limit(0).build().unwrap_err();
    assert_eq!(refused, WireLogError::NoRoom);
    let refused = builder().temp(true).file("x").build().unwrap_err();
    assert_eq!(refused, WireLogError::Places);
    for name in ["../x", "", "a/b", "/x", ".."] {
        let refused = builder().filed(&dir.0).name(name).build().unwrap_err();
        assert_eq!(refused, WireLogError::Name(name.to_owned()));
    }
    let nowhere = dir.file("no/such");
    let refused = builder().file(&nowhere).build().unwrap_err().to_string();
    assert!(refused.contains("no/such.rx: "), "{refused}");
    std::fs::write(dir.file("plain"), "").unwrap();
    let refused = builder().filed(dir.file("plain")).build().unwrap_err();
    assert!(matches!(refused, WireLogError::File { .. }), "{refused}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_counted_and_the_connection_goes_on() {
    let message = pattern(200_000);
    everywhere(|world| {
        let log = WireLog::builder()
            .samed(true)
            .file("/dev/full")
            .limit(1_000);
        let log = log.build().unwrap();
        let mut server = server(world).with_watch(log.clone());
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let options = ConnectOptions::default();
        let mut client = Client::new(server.eha(), options, Limits::default());
        drive(world, &mut server, &mut client, &message);
        let lost = log.lost();
        assert_eq!(lost.why, Some(ErrorKind::StorageFull));
        assert!(lost.bytes > 400_000 && lost.records > 2, "{lost:?}");
        assert_eq!(log.read_rx(), None);
        server.close(world.net.as_mut());
    });
    assert!(
        !std::path::Path::new("/dev/full.1").exists(),
        "it was renamed"
    );
}

#[test]
fn a_directory_that_goes_away_is_counted() {
    let dir = Dir::new();
    let log = WireLog::builder().samed(true).format("%data").limit(10);
    let log = log.file(dir.file("wire")).build().unwrap();
    log.write_rx(b"12345678", "");
    std::fs::remove_dir_all(&dir.0).unwrap();
    log.write_rx(b"12345678", ""); // it is to be put aside
    log.write_rx(b"1", "");
    log.flush();
    let lost = log.lost();
    assert_eq!((lost.records, lost.bytes), (2, 9));
    assert_eq!(lost.why, Some(ErrorKind::NotFound));
}

#[test]
fn a_doer_writes_what_was_gathered_and_the_rest_at_the_end() {
    use hio::doers::WireLogDoer;
    use hio::doing::prelude::*;
    let dir = Dir::new();
    let path = dir.file("wire");
    let log = WireLog::builder().samed(true).format("%data").file(&path);
    let log = log.build().unwrap();
    let mut doist = Doist::new(())
        .with_pace(Pace::Asap)
        .with_tock(Duration::from_millis(250));
    doist.add(WireLogDoer::new(Duration::from_secs(1)).with(log.clone()));
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    doist.recur(&mut net).unwrap();
    log.write_rx(b"first", "");
    let on_disk = || std::fs::read(&path).unwrap();
    for _ in 0..3 {
        doist.recur(&mut net).unwrap();
        assert_eq!(on_disk(), b"");
    }
    doist.recur(&mut net).unwrap();
    assert_eq!(on_disk(), b"first");
    log.write_rx(b" last", "");
    doist.exit(&mut net).unwrap();
    assert_eq!(on_disk(), b"first last");
}

#[test]
fn debug_of_logs_shows_no_payload() {
    let log = bare();
    log.write_rx(b"payload", "me");
    let mut capture = hio::wire::Pcapng::new(std::io::sink());
    let (local, peer) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    let seen = hio::link::Seen {
        tyme: hio::tyme::Tyme::ZERO,
        wall: Duration::ZERO,
        sid: hio::net::Sid::new(1, 0),
        dialled: false,
        local: &local,
        peer: &peer,
        what: hio::link::What::Received(b"payload"),
    };
    hio::link::Watch::see(&mut capture, &seen);
    let mut net = support::memory::MemoryNet::default();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    server.set_watch(Some(Box::new(log.clone())));
    server.open(&mut net, Owner::NONE).unwrap();
    let bytes = format!("{:?}", b"payload");
    for text in [
        format!("{log:?}"),
        format!("{capture:?}"),
        format!("{server:?}"),
    ] {
        assert!(
            !text.contains("payload") && !text.contains(&bytes),
            "{text}"
        );
        assert!(!text.contains("112, 97, 121"), "{text}");
    }
}
