//! A member: a replica on the network. Its doers are the library's own, and one that carries
//! messages between them and the protocol.

use std::time::Duration;

use hio::doers::{ClientDoer, ServerDoer};
use hio::doing::prelude::*;
use hio::link::{Client, Limits, Reconnect, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net};

use super::disk::Disk;
use super::replica::{Now, Output, Plant, Replica};
use super::wire::Message;

/// Everything a member is made of.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) me: u8,
    /// The addresses of all replicas, this one's included.
    pub(crate) members: Vec<Endpoint>,
    pub(crate) disk: Disk,
    pub(crate) plant: Option<Plant>,
    pub(crate) tls: Option<(hio::link::tls::ServerTls, hio::link::tls::ClientTls)>,
}

/// The state of a member's program.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) server: Server,
    /// Links to the other members, with their numbers. Each carries messages one way; answers come
    /// on the link that the other one dialled.
    pub(crate) peers: Vec<(u8, Client)>,
    /// There is one from the member's enter on.
    pub(crate) replica: Option<Replica>,
    setup: Setup,
}

impl Member {
    fn new(setup: Setup) -> Self {
        let at = &setup.members[usize::from(setup.me)];
        let server = Server::new(at.clone(), ListenOptions::default(), limits());
        let others = (0..)
            .zip(&setup.members)
            .filter(|(number, _)| *number != setup.me);
        let peers: Vec<_> = others.map(|(number, to)| (number, dial(to))).collect();
        let (server, peers) = match &setup.tls {
            None => (server, peers),
            Some((as_server, as_client)) => (
                server.with_tls(as_server.clone()),
                peers
                    .into_iter()
                    .map(|(n, c)| (n, c.with_tls(as_client.clone())))
                    .collect(),
            ),
        };
        Self {
            server,
            peers,
            replica: None,
            setup,
        }
    }
}

/// A link that is dialled again and again, and not trusted for long when nothing gets through.
pub(crate) fn dial(to: &Endpoint) -> Client {
    let often = Reconnect {
        first: Duration::from_millis(100),
        max: Duration::from_secs(1),
        ..Reconnect::default()
    };
    Client::new(to.clone(), ConnectOptions::default(), limits()).with_reconnect(often)
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(1),
        handshake: Duration::from_secs(2),
        write_stall: Duration::from_secs(2),
        linger: Duration::from_millis(500),
        drain: Duration::from_secs(2),
        tymeout: Some(Duration::from_secs(20)),
        ..Limits::default()
    }
}

/// A member's Doist.
pub(crate) fn member(setup: Setup) -> Doist<Member> {
    let mut doist = Doist::new(Member::new(setup)).with_tock(Duration::from_millis(10));
    let server = doist
        .named("server")
        .add_on(|app: &mut Member| &mut app.server, ServerDoer::new());
    let mut links = vec![server.untyped()];
    let mut dialled = Vec::new();
    for place in 0..doist.app.peers.len() {
        let name = format!("to {}", doist.app.peers[place].0);
        let doer = ClientDoer::new();
        let id = doist
            .named(name)
            .add_on(move |app| &mut app.peers[place].1, doer);
        links.push(id.untyped());
        dialled.push(id);
    }
    let member = doist.named("member").add(MemberDoer { links });
    // They were added first, so that they run first: only now is it known whom they wake.
    if let Some(doer) = doist.get_mut(server) {
        *doer = ServerDoer::new().waking(member);
    }
    for id in dialled {
        if let Some(doer) = doist.get_mut(id) {
            *doer = ClientDoer::new().waking(member);
        }
    }
    doist
}

/// Carries messages between the links and the replica.
struct MemberDoer {
    /// The doers of the links, which are woken when something was queued.
    links: Vec<DoerId>,
}

impl Doer<Member> for MemberDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Member>) -> Result<Next, Fault> {
        let now = now(cx.net);
        let (setup, chance) = (&cx.app.setup, cx.rng.next_u64());
        let size = u8::try_from(setup.members.len())?;
        let replica = Replica::boot(setup.me, size, setup.disk.clone(), setup.plant, chance, now);
        let due = replica.due();
        let (term, entry) = (replica.term(), replica.entry());
        cx.app.replica = Some(replica);
        cx.note(&format!("boots in term {term} and holds entry {entry}"));
        Ok(Park(cx.tyme() + due.since(now.clock)))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Member>) -> Result<Next, Fault> {
        // The clock, not tyme: after a pause tyme catches up in steps, but a lease does not wait.
        let now = now(cx.net);
        let Some(mut replica) = cx.app.replica.take() else {
            return Err(Fault::msg("a member without a replica"));
        };
        take_in(&mut cx.app.server, &mut replica, now);
        replica.tick(now);
        for output in replica.outputs() {
            carry_out(output, cx)?;
        }
        let due = replica.due();
        cx.app.replica = Some(replica);
        for link in &self.links {
            cx.ask.wake(*link);
        }
        Ok(Park(tyme + due.since(now.clock)))
    }
}

/// The clocks as the net has them.
pub(crate) fn now(net: &mut dyn Net) -> Now {
    Now {
        clock: net.now(),
        wall: net.wall(),
    }
}

/// Hands everything that has come to the replica.
fn take_in(server: &mut Server, replica: &mut Replica, now: Now) {
    for id in server.ids() {
        while let Some(link) = server.get(id).filter(|link| !link.rx().is_empty()) {
            match Message::decode(link.rx()) {
                Ok(None) => break,
                Ok(Some((from, message, len))) => {
                    if let Some(link) = server.get_mut(id) {
                        link.consume(len);
                    }
                    match message {
                        Message::Put { .. } | Message::Get { .. } => {
                            replica.call(id.sequence(), message, now);
                        }
                        _ => replica.hear(from, message, now),
                    }
                }
                Err(_) => {
                    if let Some(link) = server.get_mut(id) {
                        link.abort();
                        link.clear_rx();
                    }
                }
            }
        }
    }
}

/// Queues what the replica wants sent. What cannot be queued is lost, as it could be on its way.
fn carry_out(output: Output, cx: &mut Cx<'_, Member>) -> Result<(), Fault> {
    let me = cx.app.setup.me;
    match output {
        Output::Send { to, message } => {
            if cx.fault("a message is lost before it is sent") {
                return Ok(());
            }
            let peer = cx.app.peers.iter_mut().find(|(number, _)| *number == to);
            if let Some((_, link)) = peer.filter(|(_, link)| link.connected()) {
                let _ = link.tx(&message.encode(me));
            }
        }
        Output::Answer { caller, message } => {
            let ids = cx.app.server.ids();
            let id = ids.into_iter().find(|id| id.sequence() == caller);
            if let Some(link) = id.and_then(|id| cx.app.server.get_mut(id)) {
                let _ = link.tx(&message.encode(me));
            }
        }
        Output::Leads { term } => {
            cx.reachable("a replica leads");
            cx.sometimes(term > 1, "a second leader is elected");
            cx.note(&format!("became leader of term {term}"));
        }
    }
    Ok(())
}
