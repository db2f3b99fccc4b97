//! Goal: none of hio's defects in `core.tcp` (`docs/DEFECTS.md`) is here.
//! Method: each story that went wrong in hio, told to a `Server` or a `Client` with plain sockets as peers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hio::link::{
    Client, ClientEvent, CloseReason, Event, Limits, OpenError, Reconnect, Remoter, RemoterId,
    Server,
};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, NetError, Owner};
use hio::tyme::Tyme;

const PATIENCE: Duration = Duration::from_secs(20);
const MANY: usize = 20_000;

/// A server on a free port of the loopback interface, and its net.
struct Rig {
    net: MioNet,
    server: Server,
    events: Vec<Event>,
}

impl Rig {
    fn new(limits: Limits) -> Self {
        Self::at("127.0.0.1:0", limits)
    }

    fn at(at: &str, limits: Limits) -> Self {
        let mut net = MioNet::new().expect("a net");
        let at = at.parse().expect("an address");
        let options = ListenOptions {
            nodelay: !cfg!(miri), // Miri knows it of connections, not of listeners
            ..ListenOptions::default()
        };
        let mut server = Server::new(at, options, limits);
        server.open(&mut net, Owner::NONE).expect("a free port");
        Self {
            net,
            server,
            events: Vec::new(),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.server.ha().addr().expect("it is bound")
    }

    /// A blocking peer that waits at most `PATIENCE` for anything.
    fn peer(&self) -> TcpStream {
        let peer = TcpStream::connect(self.addr()).expect("the backlog takes it");
        if !cfg!(miri) {
            peer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        }
        peer
    }

    fn now(&mut self) -> Tyme {
        self.net.now()
    }

    /// One turn with a short wait. A service that fails is the end of every test.
    fn turn(&mut self, each: impl FnMut(&mut Remoter)) {
        let soon = self.now() + Duration::from_millis(5);
        self.net.poll(soon).expect("the poll");
        let tyme = self.now();
        self.server
            .service_each(tyme, &mut self.net, each)
            .expect("the listener");
        self.events.extend(self.server.events());
    }

    /// Echoes until `done`.
    fn echo_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..MANY {
            self.turn(|remoter| {
                // What does not fit now is echoed with the next news of it.
                let _ = remoter.echo();
            });
            if done(self) {
                return;
            }
        }
        panic!("it never came: {:?}", self.events);
    }

    fn closed(&self) -> Vec<CloseReason> {
        let reason = |event: &Event| match event {
            Event::Closed(_, reason) => Some(*reason),
            _ => None,
        };
        self.events.iter().filter_map(reason).collect()
    }

    /// The one connection there is, accepted without being echoed to.
    fn accepted(&mut self) -> RemoterId {
        for _ in 0..MANY {
            self.turn(|_| ());
            if let Some(&id) = self.server.ids().last() {
                return id;
            }
        }
        panic!("nobody came");
    }

    /// A new peer says hello and hears it, so the server is alive.
    fn serves(&mut self) {
        let mut peer = self.peer();
        peer.write_all(b"hello").expect("it is connected");
        let server = self;
        let mut heard = [0; 5];
        std::thread::scope(|scope| {
            let listening = scope.spawn(|| peer.read_exact(&mut heard).is_ok());
            server.echo_until(|_| listening.is_finished());
            assert!(listening.join().expect("it only reads"), "no answer came");
        });
        assert_eq!(&heard, b"hello");
    }
}

/// Makes a close break the connection off.
fn reset(peer: TcpStream) {
    let peer = socket2::Socket::from(peer);
    peer.set_linger(Some(Duration::ZERO)).expect("a TCP socket");
}

#[test]
fn defect_s2_the_tymeout_of_a_server_reaches_what_it_accepts() {
    let tymeout = Some(Duration::from_millis(60));
    let mut rig = Rig::new(Limits {
        tymeout,
        ..Limits::default()
    });
    let _silent = rig.peer();
    let id = rig.accepted();
    assert_eq!(rig.server.get(id).and_then(|ix| ix.tymeout()), tymeout);
    rig.echo_until(|rig| !rig.closed().is_empty());
    assert_eq!(rig.closed(), [CloseReason::IdleTimedOut]);
}

#[test]
fn defect_s3_refreshing_counts_from_now() {
    let tymeout = Duration::from_secs(5);
    let mut rig = Rig::new(Limits {
        tymeout: Some(tymeout),
        ..Limits::default()
    });
    let _peer = rig.peer();
    let id = rig.accepted();
    let now = rig.now();
    let remoter = rig.server.get_mut(id).expect("it is open");
    (0..20).for_each(|_| remoter.refresh(now));
    let left = remoter.tymer().expect("it has a tymeout").remaining(now);
    assert_eq!(left, tymeout, "hio: 105 s");
}

#[test]
fn defect_s4_a_port_that_the_system_picks_is_served() {
    let mut rig = Rig::new(Limits::default());
    assert_ne!(rig.addr().port(), 0);
    assert_eq!(rig.server.eha().port(), Some(rig.addr().port()));
    rig.serves();
}

#[test]
fn defect_s5_a_peer_that_resets_before_it_is_accepted() {
    let mut rig = Rig::new(Limits::default());
    for _ in 0..20 {
        reset(rig.peer());
    }
    rig.serves();
}

#[test]
fn defect_s7_an_address_in_use_is_an_error_with_its_cause() {
    let rig = Rig::new(Limits::default());
    let mut net = MioNet::new().expect("a net");
    let mut second = Server::new(
        rig.server.ha().clone(),
        ListenOptions::default(),
        Limits::default(),
    );
    let refused = second
        .open(&mut net, Owner::NONE)
        .expect_err("the port is taken");
    assert!(
        matches!(
            refused,
            OpenError::Listen {
                why: NetError::AddrInUse,
                ..
            }
        ),
        "{refused}"
    );
    assert!(
        refused.to_string().contains(&rig.addr().to_string()),
        "{refused}"
    );
    assert!(!second.opened());
}

#[test]
fn defect_s8_connections_that_ended_are_reaped() {
    let mut rig = Rig::new(Limits::default());
    for round in 1..=3 {
        drop(rig.peer());
        rig.echo_until(|rig| rig.closed().len() == round && rig.server.is_empty());
    }
    assert_eq!(rig.closed(), [CloseReason::PeerClosed; 3]);
}

#[test]
fn defect_s9_a_peer_that_half_closes_gets_everything_back() {
    let mut rig = Rig::new(Limits::default());
    let peer = rig.peer();
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let heard = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            (&peer).write_all(&sent).expect("it is taken");
            peer.shutdown(std::net::Shutdown::Write)
                .expect("it is open");
        });
        let reader = scope.spawn(|| {
            let mut heard = Vec::new();
            (&peer).read_to_end(&mut heard).expect("it ends in order");
            heard
        });
        rig.echo_until(|_| sender.is_finished() && reader.is_finished());
        reader.join().expect("it only reads")
    });
    assert!(
        heard == sent,
        "{} of {} bytes came back",
        heard.len(),
        sent.len()
    );
    assert_eq!(rig.closed(), [CloseReason::PeerClosed]);
}

#[test]
fn defect_s10_a_server_that_was_closed_opens_and_serves_again() {
    let mut rig = Rig::new(Limits::default());
    let _peer = rig.peer();
    rig.accepted();
    rig.server.close(&mut rig.net);
    assert!(rig.server.is_empty() && !rig.server.opened());
    rig.turn(|_| ());
    rig.server
        .reopen(&mut rig.net)
        .expect("its port is free again");
    rig.serves();
}

#[test]
fn defect_s11_writing_to_a_peer_that_has_gone_is_its_end_alone() {
    let mut rig = Rig::new(Limits::default());
    let peer = rig.peer();
    let id = rig.accepted();
    drop(peer);
    // The peer's end alone would close it at once: hold it open and write on.
    if let Some(remoter) = rig.server.get_mut(id) {
        remoter.hold(true);
    }
    for _ in 0..MANY {
        if let Some(remoter) = rig.server.get_mut(id) {
            // Refused once the connection is over, which is what is waited for.
            let _ = remoter.tx(b"is anybody there?");
        }
        rig.turn(|_| ());
        if !rig.closed().is_empty() {
            break;
        }
    }
    let reasons = rig.closed();
    assert!(
        matches!(reasons[..], [CloseReason::Reset | CloseReason::PeerClosed]),
        "{reasons:?}"
    );
    rig.serves();
}

#[test]
fn defect_s12_what_a_peer_sends_is_bounded_and_others_get_their_turn() {
    let limits = Limits {
        rx_cap: 100_000,
        rx_bytes_per_service: 30_000,
        ..Limits::default()
    };
    let mut rig = Rig::new(limits);
    let flood = rig.peer();
    flood.set_nonblocking(true).expect("a socket");
    let id = rig.accepted();
    let (mut sent, mut most_a_turn) = (0, 0);
    for _ in 0..300 {
        while let Ok(n @ 1..) = (&flood).write(&[7; 65_536]) {
            sent += n;
        }
        let before = rig.server.get(id).expect("it is open").rx().len();
        rig.turn(|_| ());
        let after = rig.server.get(id).expect("it is open").rx().len();
        most_a_turn = most_a_turn.max(after - before);
    }
    let held = rig.server.get(id).expect("it is open").rx().len();
    assert_eq!(held, 100_000, "reading stopped at the cap");
    assert!(most_a_turn <= 30_000, "{most_a_turn} bytes in one service");
    assert!(
        sent > held,
        "the peer feels it: the rest waits in the system"
    );
    rig.serves();
}

#[test]
fn defect_s13_a_service_sends_as_much_as_the_socket_takes() {
    let mut rig = Rig::new(Limits::default());
    let _peer = rig.peer();
    let id = rig.accepted();
    let data = vec![1; 1 << 20];
    rig.server.transmit_ix(id, &data).expect("it fits the cap");
    let tyme = rig.now();
    rig.server
        .send_ix(id, tyme, &mut rig.net)
        .expect("it is open");
    let remoter = rig.server.get(id).expect("it is open");
    let (sid, pending) = (remoter.sid(), remoter.pending());
    assert!(pending < data.len());
    let more = if pending == 0 {
        0
    } else {
        rig.net.write(sid, b"x").expect("it is open")
    };
    assert_eq!(more, 0, "what waits waits for the peer");
}

#[test]
fn defect_s14_an_unknown_connection_is_an_error_of_its_own() {
    let mut rig = Rig::new(Limits::default());
    let _peer = rig.peer();
    let id = rig.accepted();
    let tyme = rig.now();
    let removed = rig
        .server
        .remove_ix(id, tyme, &mut rig.net)
        .expect("it was there");
    assert_eq!(removed.closed(), Some(CloseReason::Aborted));
    let unknown = rig
        .server
        .receive_ix(id, tyme, &mut rig.net)
        .expect_err("it was removed");
    assert_eq!(unknown.0, id);
    assert!(rig.server.transmit_ix(id, b"x").is_err());
    assert!(rig.server.close_ix(id).is_err());
    assert!(rig.server.remove_ix(id, tyme, &mut rig.net).is_err());
    rig.serves();
}

#[test]
fn defect_s20_the_family_follows_the_address() {
    let mut rig = Rig::at("[::1]:0", Limits::default());
    assert!(rig.addr().is_ipv6());
    rig.serves();
}

/// Services a client until `done`.
fn client_until(net: &mut MioNet, client: &mut Client, done: impl Fn(&Client) -> bool) {
    for _ in 0..MANY {
        let soon = net.now() + Duration::from_millis(5);
        net.poll(soon).expect("the poll");
        let tyme = net.now();
        client.service(tyme, net);
        if done(client) {
            return;
        }
    }
    panic!("it never came: {:?}", client.events().collect::<Vec<_>>());
}

#[test]
fn defect_s21_a_client_that_was_cut_off_dials_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = Endpoint::Tcp(listener.local_addr().expect("it is bound"));
    let mut net = MioNet::new().expect("a net");
    let again = Reconnect {
        first: Duration::from_millis(10),
        ..Reconnect::default()
    };
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
    client = client.with_reconnect(again);
    let tyme = net.now();
    client
        .open(tyme, &mut net, Owner::NONE)
        .expect("good limits");
    for _ in 0..3 {
        client_until(&mut net, &mut client, Client::connected);
        drop(listener.accept().expect("it is connected"));
        client_until(&mut net, &mut client, |client| !client.connected());
    }
    client_until(&mut net, &mut client, Client::connected);
    let stood = |event: &ClientEvent| matches!(event, ClientEvent::Connected(_));
    assert_eq!(client.events().filter(stood).count(), 4);
}

#[test]
fn defect_s25_an_attempt_to_connect_ends_in_time() {
    // A backlog that is full answers nobody: what is dialled stays under way.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a free port");
    socket.listen(0).expect("it is bound");
    let at = socket
        .local_addr()
        .ok()
        .and_then(|a| a.as_socket())
        .expect("it is bound");
    let mut net = MioNet::new().expect("a net");
    let limits = Limits {
        connect: Duration::from_millis(80),
        ..Limits::default()
    };
    let dial = |net: &mut MioNet| {
        let mut client = Client::new(Endpoint::Tcp(at), ConnectOptions::default(), limits.clone());
        let tyme = net.now();
        client.open(tyme, net, Owner::NONE).expect("good limits");
        client
    };
    let mut clients: Vec<Client> = (0..8).map(|_| dial(&mut net)).collect();
    let last = clients.last_mut().expect("eight of them");
    client_until(&mut net, last, |client| !client.opened());
    assert_eq!(last.closed(), Some(CloseReason::ConnectTimedOut));
    assert!(
        last.link()
            .closed()
            .is_some_and(|reason| !reason.is_clean())
    );
}
