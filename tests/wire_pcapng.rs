//! Goal: a capture is well-formed pcapng, its packets carry the streams byte for byte, its keys stand
//! before what they open, and it never disturbs what it captures.
//! Method: captures in memory, taken apart here by the format's rules.

mod support;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::link::{Limits, Seen, Watch, What};
use hio::net::{Endpoint, MioNet, Net, NetError, NullNet, Sid};
use hio::tyme::Tyme;
use hio::wire::{Pcapng, Tap};
use support::{World, everywhere, pattern};

/// Bytes that can still be read when they are written.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn blocks(&self, capture: &Pcapng) -> Vec<Block> {
        capture.flush();
        blocks(&self.0.lock().unwrap())
    }
}

#[derive(Debug)]
enum Block {
    Section,
    Interface(Vec<(u16, Vec<u8>)>),
    Packet(Packet),
    Secrets(String),
}

#[derive(Debug)]
struct Packet {
    nanos: u64,
    bytes: Vec<u8>,
    length: usize,
    options: Vec<(u16, Vec<u8>)>,
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let (code, length) = (short(bytes, 0), usize::from(short(bytes, 2)));
        if code == 0 {
            assert_eq!((length, bytes.len()), (0, 4));
            return all;
        }
        all.push((code, bytes[4..4 + length].to_vec()));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

/// Takes a capture apart, checking its form.
fn blocks(mut file: &[u8]) -> Vec<Block> {
    let mut all = Vec::new();
    while !file.is_empty() {
        let length = long(file, 4) as usize;
        assert!(length % 4 == 0 && length >= 12, "{length}");
        assert_eq!(long(file, length - 4) as usize, length);
        let (kind, body) = (long(file, 0), &file[8..length - 4]);
        file = &file[length..];
        all.push(match kind {
            0x0a0d_0d0a => {
                assert_eq!(long(body, 0), 0x1a2b_3c4d);
                assert_eq!((short(body, 4), short(body, 6)), (1, 0));
                assert_eq!(body[8..16], [0xff; 8]);
                options(&body[16..]);
                Block::Section
            }
            1 => {
                assert_eq!((short(body, 0), long(body, 4)), (101, 0));
                Block::Interface(options(&body[8..]))
            }
            6 => {
                let caught = long(body, 12) as usize;
                Block::Packet(Packet {
                    nanos: u64::from(long(body, 4)) << 32 | u64::from(long(body, 8)),
                    bytes: body[20..20 + caught].to_vec(),
                    length: long(body, 16) as usize,
                    options: options(&body[20 + caught.next_multiple_of(4)..]),
                })
            }
            10 => {
                assert_eq!(long(body, 0), 0x544c_534b);
                let length = long(body, 4) as usize;
                Block::Secrets(String::from_utf8(body[8..8 + length].to_vec()).unwrap())
            }
            other => panic!("block {other}"),
        });
    }
    assert!(matches!(all[0], Block::Section));
    let Block::Interface(options) = &all[1] else {
        panic!("{:?}", all[1]);
    };
    assert!(options.contains(&(9, vec![9])), "nanoseconds");
    all
}

/// A TCP packet, or a UDP one with `flags` none.
#[derive(Debug)]
struct Carried {
    from: String,
    to: String,
    flags: Option<u8>,
    sequence: u32,
    acknowledged: u32,
    data: Vec<u8>,
}

fn carried(packet: &[u8]) -> Carried {
    let (protocol, from, to, rest) = if packet[0] == 0x45 {
        let of =
            |at: usize| std::net::IpAddr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).unwrap());
        (packet[9], of(12), of(16), &packet[20..])
    } else {
        assert_eq!(packet[0] >> 4, 6);
        let of =
            |at: usize| std::net::IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
        (packet[6], of(8), of(24), &packet[40..])
    };
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let at = |ip, port| std::net::SocketAddr::new(ip, port).to_string();
    let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
    let tcp = protocol == 6;
    assert!(tcp || protocol == 17);
    let head = if tcp {
        usize::from(rest[12] >> 4) * 4
    } else {
        8
    };
    Carried {
        from: at(from, port(0)),
        to: at(to, port(2)),
        flags: tcp.then(|| rest[13]),
        sequence: if tcp { number(4) } else { 0 },
        acknowledged: if tcp { number(8) } else { 0 },
        data: rest[head..].to_vec(),
    }
}

const SYN: u8 = 2;

/// The streams of a capture by where they come from and go to, put together by sequence numbers.
/// Each direction begins with a SYN, has no gap, and acknowledges no more than there was.
fn streams(blocks: &[Block]) -> BTreeMap<(String, String), Vec<u8>> {
    let mut all: BTreeMap<(String, String), (u32, Vec<u8>)> = BTreeMap::new();
    for block in blocks {
        let Block::Packet(packet) = block else {
            continue;
        };
        assert_eq!(packet.length, packet.bytes.len());
        let carried = carried(&packet.bytes);
        let flags = carried.flags.unwrap();
        let key = (carried.from, carried.to);
        if flags & 0x10 != 0 {
            let back = (key.1.clone(), key.0.clone());
            assert_eq!(carried.acknowledged, all[&back].0);
        }
        if flags & SYN != 0 {
            all.insert(key.clone(), (carried.sequence, Vec::new()));
        }
        let (next, data) = all.get_mut(&key).expect("a SYN comes first");
        assert_eq!(carried.sequence, *next);
        data.extend(&carried.data);
        let counted = carried.data.len() + usize::from(flags & 3 != 0);
        *next = next.wrapping_add(u32::try_from(counted).unwrap());
    }
    all.into_iter()
        .map(|(key, (_, data))| (key, data))
        .collect()
}

/// Puts a tap with a capture around a world's net.
fn tapped(world: &mut World, capture: Pcapng) {
    let net = std::mem::replace(&mut world.net, Box::new(NullNet::default()) as Box<dyn Net>);
    world.net = Box::new(Tap::new(net).with(capture));
}

#[test]
fn streams_of_a_capture_are_those_that_were_carried() {
    let message = pattern(200_000);
    everywhere(|world| {
        let (out, before) = (Shared::default(), world.net.wall());
        // One end only, as both are in this net.
        let capture = Pcapng::new(out.clone());
        let mut server = world.server(Limits::default());
        server.set_watch(Some(Box::new(capture.clone())));
        let mut client = world.client(&server, Limits::default());
        client.tx(&message).unwrap();
        let mut over = false;
        world.until("the end", |tyme, net| {
            client.service(tyme, net);
            let each = |ix: &mut hio::link::Remoter| {
                let _ = ix.echo();
            };
            server.service_each(tyme, net, each).unwrap();
            if client.rx() == message && !over {
                over = true;
                client.consume(usize::MAX);
                client.drain();
            }
            over && !client.opened() && server.is_empty()
        });
        let blocks = out.blocks(&capture);
        let streams = streams(&blocks);
        assert_eq!(streams.len(), 2, "{:?}", streams.keys());
        assert!(streams.values().all(|data| *data == message));
        let packets: Vec<&Packet> = packets(&blocks);
        let flags: Vec<u8> = packets
            .iter()
            .map(|p| carried(&p.bytes).flags.unwrap())
            .collect();
        assert_eq!(flags[..3], [2, 0x12, 0x10]);
        let fins = flags.iter().filter(|f| **f & 1 != 0).count();
        assert_eq!(fins, 2, "each side ends once");
        let times: Vec<u64> = packets.iter().map(|p| p.nanos).collect();
        assert!(times.is_sorted());
        assert!(u128::from(times[0]) >= before.as_nanos());
        assert!(u128::from(*times.last().unwrap()) <= world.net.wall().as_nanos());
        // Which way it went, from here: the client's SYN came in.
        assert!(
            packets[0]
                .options
                .contains(&(2, 1_u32.to_ne_bytes().to_vec()))
        );
        assert!(
            packets[1]
                .options
                .contains(&(2, 2_u32.to_ne_bytes().to_vec()))
        );
        if !world.tcp {
            let first = carried(&packets[0].bytes);
            assert_eq!(first.from, "[fd68:696f::2]:1");
            assert_eq!(first.to, "[fd68:696f::1]:1");
            let comment = packets[0].options.iter().find(|(code, _)| *code == 1);
            let comment = String::from_utf8(comment.unwrap().1.clone()).unwrap();
            assert!(comment.starts_with(&server.ha().to_string()), "{comment}");
        } else {
            assert_eq!(carried(&packets[0].bytes).to, server.ha().to_string());
        }
        server.close(world.net.as_mut());
    });
}

#[test]
fn who_closes_first_sees_the_others_end_too() {
    everywhere(|world| {
        let out = Shared::default();
        let capture = Pcapng::new(out.clone());
        let mut server = world.server(Limits::default());
        server.set_watch(Some(Box::new(capture.clone())));
        let mut client = world.client(&server, Limits::default());
        client.tx(b"x").unwrap();
        world.until("the end", |tyme, net| {
            client.service(tyme, net);
            server.service_each(tyme, net, |ix| ix.close()).unwrap();
            !client.opened() && server.is_empty()
        });
        let blocks = out.blocks(&capture);
        streams(&blocks);
        let packets = packets(&blocks);
        let ends = packets.iter().map(|p| carried(&p.bytes));
        let ends: Vec<String> = ends
            .filter(|c| c.flags == Some(0x11))
            .map(|c| c.to)
            .collect();
        assert_eq!(ends.len(), 2, "{}", world.name);
        assert_ne!(ends[0], ends[1]);
        server.close(world.net.as_mut());
    });
}

fn packets(blocks: &[Block]) -> Vec<&Packet> {
    let mut all = Vec::new();
    for block in blocks {
        if let Block::Packet(packet) = block {
            all.push(packet);
        }
    }
    all
}

#[test]
fn a_tap_captures_both_ends_of_what_it_carries() {
    everywhere(|world| {
        let out = Shared::default();
        let capture = Pcapng::new(out.clone());
        tapped(world, capture.clone());
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        client.tx(b"ping").unwrap();
        world.until("the ping", |tyme, net| {
            client.service(tyme, net);
            server.service(tyme, net).unwrap();
            server.remoters().any(|ix| ix.rx() == b"ping")
        });
        server.close(world.net.as_mut());
        let blocks = out.blocks(&capture);
        let data: usize = packets(&blocks)
            .iter()
            .map(|p| carried(&p.bytes).data.len())
            .sum();
        assert_eq!(data, 8, "{}: sent and received", world.name);
    });
}

/// Something seen, between two addresses.
fn seen<'a>(local: &'a Endpoint, peer: &'a Endpoint, n: u32, what: What<'a>) -> Seen<'a> {
    Seen {
        tyme: Tyme::ZERO,
        wall: Duration::new(4_000_000_000, 999_999_999),
        sid: Sid::new(n, 0),
        dialled: true,
        local,
        peer,
        what,
    }
}

/// The flags of the packets that some events make.
fn flags(events: &[What<'_>]) -> Vec<u8> {
    let (local, peer) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    let out = Shared::default();
    let mut capture = Pcapng::new(out.clone());
    for &what in events {
        capture.see(&seen(&local, &peer, 1, what));
    }
    let blocks = out.blocks(&capture);
    let packets = packets(&blocks);
    let all = packets.iter().map(|p| carried(&p.bytes).flags.unwrap());
    all.collect()
}

#[test]
fn connections_begin_and_end_as_they_did() {
    use What::{Closed, Ended, Failed, Lost, Opened, PeerEnded, Sent};
    let (fin, rst) = (0x11, 0x14);
    let (well, hard) = (Closed { reset: false }, Closed { reset: true });
    assert_eq!(flags(&[Failed(NetError::Refused)]), [2, rst]);
    assert_eq!(flags(&[Opened, well]), [2, 0x12, 0x10, fin]);
    assert_eq!(flags(&[Opened, hard]), [2, 0x12, 0x10, rst]);
    assert_eq!(flags(&[Opened, Ended, PeerEnded, well])[3..], [fin, fin]);
    assert_eq!(flags(&[Opened, Lost(NetError::Reset), well])[3..], [rst]);
    // A watch that came later begins in the middle, and what was closed begins anew.
    assert_eq!(flags(&[Sent(b"x"), well, well])[..4], [2, 0x12, 0x10, 0x18]);
    assert_eq!(flags(&[Opened, well, Opened]).len(), 7);
    assert_eq!(flags(&[well]), [0; 0]);
}

#[test]
fn times_and_long_pieces_fit() {
    let (local, peer) = ("[::1]:1".parse().unwrap(), "[::1]:2".parse().unwrap());
    let out = Shared::default();
    let mut capture = Pcapng::new(out.clone());
    let data = pattern(1_000_000);
    capture.see(&seen(&local, &peer, 1, What::Sent(&data)));
    let blocks = out.blocks(&capture);
    let streams = streams(&blocks);
    let key = ("[::1]:1".to_owned(), "[::1]:2".to_owned());
    assert!(streams[&key] == data);
    for packet in packets(&blocks) {
        assert_eq!(packet.nanos, 4_000_000_000_999_999_999);
    }
}

#[test]
fn datagrams_are_udp_and_long_ones_are_cut() {
    let out = Shared::default();
    let mut capture = Pcapng::new(out.clone());
    let at = |text: &str| text.parse::<Endpoint>().unwrap();
    let (local, peer) = (at("udp:127.0.0.1:5"), at("udp:127.0.0.1:6"));
    capture.see(&seen(&local, &peer, 1, What::DatagramSent(b"there")));
    capture.see(&seen(&local, &peer, 1, What::DatagramReceived(b"back")));
    let (local, peer) = (at("unixgram:/run/a"), at("unixgram:/run/b"));
    let long = pattern(100_000);
    capture.see(&seen(&local, &peer, 2, What::DatagramReceived(&long)));
    let blocks = out.blocks(&capture);
    let packets = packets(&blocks);
    let [there, back, cut] = &packets[..] else {
        panic!("{} packets", packets.len());
    };
    assert_eq!(carried(&there.bytes).data, b"there");
    assert_eq!(carried(&there.bytes).to, "127.0.0.1:6");
    assert_eq!(carried(&back.bytes).to, "127.0.0.1:5");
    assert_eq!((cut.bytes.len(), cut.length), (65_048, 100_048));
    assert!(long.starts_with(&carried(&cut.bytes).data));
    let comment = (1, b"unixgram:/run/a - unixgram:/run/b".to_vec());
    assert!(cut.options.contains(&comment));
}

#[test]
fn beyond_the_limit_nothing_is_written_but_counted() {
    let (local, peer) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    let out = Shared::default();
    let mut capture = Pcapng::new(out.clone()).with_limit(1_000);
    for _ in 0..100 {
        capture.see(&seen(&local, &peer, 1, What::Sent(&[7; 100])));
    }
    let blocks = out.blocks(&capture);
    let whole = packets(&blocks).len();
    assert!((4..12).contains(&whole), "{whole}");
    assert_eq!(capture.lost().records, 103 - whole as u64);
    assert_eq!(capture.lost().why, None);
    assert!(out.0.lock().unwrap().len() <= 1_000 + 100);
}

/// Takes a little, then has no room.
struct Small(usize);

impl Write for Small {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = data.len().min(self.0);
        self.0 -= n;
        match n {
            0 => Err(ErrorKind::StorageFull.into()),
            n => Ok(n),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_stops_the_capture_and_not_the_connection() {
    let capture = Pcapng::new(Small(100));
    let mut world = World::of(Box::new(MioNet::new().unwrap()));
    tapped(&mut world, capture.clone());
    let mut server = world.server(Limits::default());
    let mut client = world.client(&server, Limits::default());
    let message = pattern(150_000);
    client.tx(&message).unwrap();
    world.until("the echo", |tyme, net| {
        client.service(tyme, net);
        let each = |ix: &mut hio::link::Remoter| {
            let _ = ix.echo();
        };
        server.service_each(tyme, net, each).unwrap();
        client.rx() == message
    });
    capture.flush();
    let lost = capture.lost();
    assert_eq!(lost.why, Some(ErrorKind::StorageFull));
    assert!(lost.records > 10 && lost.bytes > 600_000, "{lost:?}");
    capture.flush();
    assert_eq!(capture.lost(), lost);
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
    let refused = Pcapng::create("/nowhere/x.pcapng").unwrap_err().to_string();
    assert!(refused.starts_with("/nowhere/x.pcapng: "), "{refused}");
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
mod keys {
    use super::*;
    use hio::link::tls::Versions;
    use hio::link::{Client, Server};
    use hio::net::{ConnectOptions, ListenOptions, Owner};
    use hio::wire::{KeyLogger, Only};
    use support::memory::MemoryNet;
    use support::pki::Pki;

    /// An echo over TLS whose one side captures and logs its keys.
    fn echo(versions: Versions, client_logs: bool, keys: Arc<KeyLogger>, capture: &Pcapng) {
        let pki = Pki::new();
        let (mut ours, mut theirs) = (pki.server.server(), pki.trusting());
        ours = ours.versions(versions);
        match client_logs {
            true => theirs = theirs.key_log(keys),
            false => ours = ours.key_log(keys),
        }
        let mut net = Tap::new(MemoryNet::default())
            // One side only, as the two would be in different programs.
            .with(Only::new(capture.clone(), move |seen| {
                seen.dialled == client_logs
            }));
        let net: &mut dyn Net = &mut net;
        let at = Endpoint::host("127.0.0.1", 0);
        let mut server = Server::new(at, ListenOptions::default(), Limits::default())
            .with_tls(ours.build().unwrap());
        server.open(net, Owner::NONE).unwrap();
        let options = ConnectOptions::default();
        let mut client =
            Client::new(server.eha(), options, Limits::default()).with_tls(theirs.build().unwrap());
        client.open(net.now(), net, Owner::NONE).unwrap();
        client.tx(b"ping").unwrap();
        for _ in 0..1_000 {
            let soon = net.now() + support::ms(1);
            net.poll(soon).unwrap();
            let tyme = net.now();
            client.service(tyme, net);
            let each = |ix: &mut hio::link::Remoter| {
                let _ = ix.echo();
            };
            server.service_each(tyme, net, each).unwrap();
            if client.rx() == b"ping" {
                client.close(net);
                return;
            }
        }
        panic!("no echo");
    }

    /// Whether records of application data are in there, which begin where the data does.
    fn encrypted_data(mut data: &[u8]) -> bool {
        while data.len() >= 5 {
            if data[0] == 23 {
                return true;
            }
            let length = usize::from(u16::from_be_bytes([data[3], data[4]]));
            data = data.get(5 + length..).unwrap_or_default();
        }
        false
    }

    #[test]
    fn keys_stand_before_the_packets_that_they_open() {
        for (versions, labels) in [
            (Versions::Tls12, &["CLIENT_RANDOM"][..]),
            (
                Versions::Tls13,
                &[
                    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                    "CLIENT_TRAFFIC_SECRET_0",
                    "SERVER_TRAFFIC_SECRET_0",
                ],
            ),
        ] {
            for client_logs in [false, true] {
                let (out, dir) = (Shared::default(), support::unix_path().0);
                let capture = Pcapng::new(out.clone());
                let keys = KeyLogger::new().with_pcapng(&capture);
                let keys = keys.with_file(dir.join("keys")).unwrap();
                echo(versions, client_logs, Arc::new(keys), &capture);
                let blocks = out.blocks(&capture);
                let mut known = String::new();
                let mut encrypted = 0;
                for block in &blocks {
                    match block {
                        Block::Secrets(lines) => known.push_str(lines),
                        // Application data, and in 1.3 the handshake below keys, too.
                        Block::Packet(p) if encrypted_data(&carried(&p.bytes).data) => {
                            encrypted += 1;
                            let own = labels.iter().filter(|label| known.contains(**label));
                            let least = if labels.len() == 1 { 1 } else { 2 };
                            assert!(own.count() >= least, "{versions:?} {client_logs}: {known}");
                        }
                        _ => {}
                    }
                }
                assert!(encrypted >= 2);
                for label in labels {
                    assert!(known.contains(label), "{label}");
                }
                for line in known.lines() {
                    let words: Vec<&str> = line.split(' ').collect();
                    let hex = |w: &str| w.bytes().all(|b| b"0123456789abcdef".contains(&b));
                    assert_eq!((words.len(), words[1].len()), (3, 64), "{line}");
                    assert!(
                        words[2].len() >= 64 && hex(words[1]) && hex(words[2]),
                        "{line}"
                    );
                }
                let file = std::fs::read_to_string(dir.join("keys")).unwrap();
                assert_eq!(file, known);
                std::fs::remove_dir_all(dir).unwrap();
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_log_is_its_owners_and_goes_on_behind_what_is_there() {
        use std::os::unix::fs::PermissionsExt;
        let dir = support::unix_path().0;
        let path = dir.join("keys");
        let capture = Pcapng::new(io::sink());
        let mut sizes = Vec::new();
        for _ in 0..2 {
            let keys = KeyLogger::new().with_file(&path).unwrap();
            echo(Versions::Tls12, false, Arc::new(keys), &capture);
            sizes.push(std::fs::read(&path).unwrap().len());
        }
        assert_eq!(sizes[1], 2 * sizes[0]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(dir).unwrap();
        assert!(KeyLogger::new().with_file("/nowhere/keys").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_key_log_on_a_full_disk_fails_no_handshake() {
        let keys = Arc::new(KeyLogger::new().with_file("/dev/full").unwrap());
        echo(
            Versions::Both,
            false,
            keys.clone(),
            &Pcapng::new(io::sink()),
        );
        assert_eq!(keys.lost().why, Some(ErrorKind::StorageFull));
        assert!(keys.lost().records >= 4);
    }

    #[test]
    fn without_being_asked_no_keys_are_logged() {
        let out = Shared::default();
        let capture = Pcapng::new(out.clone());
        let keys = Arc::new(KeyLogger::new());
        echo(Versions::Both, false, keys, &capture);
        let blocks = out.blocks(&capture);
        assert!(packets(&blocks).len() > 7, "{}", packets(&blocks).len());
        let secret = |block: &Block| matches!(block, Block::Secrets(_));
        assert!(!blocks.iter().any(secret));
    }
}
