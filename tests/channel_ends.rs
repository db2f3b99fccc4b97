//! Goal: channels over real and made-up connections and within a process: both directions, losses, limits, deadlines,
//! retries, flow control, what is known of the peer, and doers that sleep meanwhile.
//! Method: stories over TCP, Unix sockets and the net in memory, stepped with a bound; queues for what is in process.

mod support;

use std::time::Duration;

use hio::doers::{ChannelDoer, ChannelServerDoer};
use hio::doing::prelude::*;
use hio::link::Limits;
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};
use hio::proto::channel::{
    Accepted, Channel, ChannelConfig, ChannelError, ChannelEvent, ChannelId, ChannelLimits,
    ChannelServer, Json, LocalQueue, Patience, Request, ServerEvent, Value,
};
use support::memory::MemoryNet;
use support::{World, everywhere, ms};

fn echo(channel: &mut Accepted) {
    while let Ok(Some(mut request)) = channel.recv() {
        let _ = request.echo();
    }
}

fn open(world: &mut World, config: &ChannelConfig) -> (ChannelServer, Channel) {
    let mut server = ChannelServer::bind(world.at.clone(), config).unwrap();
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    let to = server.server().unwrap().eha();
    let mut channel = Channel::connect(to, config).unwrap();
    let now = world.net.now();
    channel.open(now, world.net.as_mut(), Owner::NONE).unwrap();
    (server, channel)
}

fn value(event: Option<ChannelEvent>) -> Option<Value> {
    let (_, outcome) = event?.outcome()?;
    Some(outcome.ok()?.value().unwrap())
}

#[test]
fn requests_go_both_ways_at_once() {
    everywhere(|world| {
        let (mut server, mut channel) = open(world, &ChannelConfig::default());
        // Asked before it stands; and the server asks first, too.
        channel.send(&"from the client".into()).unwrap();
        let (mut asked, mut client_got, mut server_got) = (None, None, None);
        world.until("both answered", |tyme, net| {
            server
                .service_each(tyme, net, |ch| {
                    while let Some(event) = ch.event() {
                        server_got = value(Some(event)).or(server_got.take());
                    }
                    echo(ch);
                })
                .unwrap();
            let fresh: Vec<ServerEvent> = server.events().collect();
            for event in fresh {
                if let ServerEvent::NewChannel(id) = event {
                    let ch = server.get_mut(id).unwrap();
                    asked = Some(ch.send(&"from the server".into()).unwrap());
                }
            }
            server.service_sends(tyme, net);
            channel.service(tyme, net);
            while let Ok(Some(mut request)) = channel.recv() {
                assert_eq!(request.id(), 0);
                request.echo().unwrap();
            }
            client_got = value(channel.event()).or(client_got.take());
            channel.service_sends(tyme, net);
            client_got.is_some() && server_got.is_some()
        });
        assert_eq!(client_got, Some("from the client".into()));
        assert_eq!(server_got, Some("from the server".into()));
        assert_eq!(asked.unwrap().number(), 0, "each side counts for itself");
        let info = channel.extra_info();
        let named = info.by_key("peername").unwrap();
        match world.tcp {
            true => {
                let port = server.server().unwrap().ha().port().unwrap();
                assert_eq!(named.at(1), Some(&Value::from(u32::from(port))));
                assert_eq!(
                    info.by_key("sockname").unwrap().items().map(<[_]>::len),
                    Some(2)
                );
            }
            false => assert!(named.text().unwrap().ends_with("/s"), "{named}"),
        }
        assert!(info.by_key("cipher").is_none() && info.by_key("no such").is_none());
    });
}

#[test]
fn what_came_before_a_loss_is_delivered() {
    everywhere(|world| {
        let (mut server, mut channel) = open(world, &ChannelConfig::default());
        for n in 0..5 {
            channel.send(&n.into()).unwrap();
        }
        let mut kept: Vec<Request> = Vec::new();
        world.until("the server has them", |tyme, net| {
            channel.service(tyme, net);
            server
                .service_each(tyme, net, |ch| {
                    while let Ok(Some(request)) = ch.recv() {
                        kept.push(request);
                    }
                })
                .unwrap();
            kept.len() == 5
        });
        kept[3].reply(&"in time".into()).unwrap();
        let tyme = world.net.now();
        server.service(tyme, world.net.as_mut()).unwrap();
        let id = server.channels().next().unwrap().id();
        server.get_mut(id).unwrap().close(); // what is queued is sent, then it ends
        let mut ends = Vec::new();
        world.until("all have ended", |tyme, net| {
            let _ = server.service(tyme, net);
            channel.service(tyme, net);
            while let Some(event) = channel.event() {
                ends.push(event);
            }
            matches!(ends.last(), Some(ChannelEvent::Lost(_)))
        });
        assert!(matches!(&ends[0], ChannelEvent::Reply { id, .. } if id.number() == 3));
        let lost: Vec<u64> = ends[1..5]
            .iter()
            .map(|event| match event {
                ChannelEvent::ConnectionError {
                    id,
                    error: ChannelError::Eof,
                } => id.number(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((lost, ends.len()), (vec![0, 1, 2, 4], 6));
        assert_eq!(
            kept[0].reply(&Value::Nil).unwrap_err().to_string(),
            "Connection closed"
        );
        assert_eq!(channel.send(&Value::Nil), Err(ChannelError::Eof));
        assert_eq!(channel.recv().unwrap_err(), ChannelError::Eof);
    });
}

#[test]
fn a_peer_that_breaks_the_rules_is_gone_and_harms_nobody() {
    everywhere(|world| {
        let (mut server, mut channel) = open(world, &ChannelConfig::default());
        let peer = world.peer(server.server().unwrap());
        let mut ends = Vec::new();
        let mut sent = false;
        world.until("the bad one is gone", |tyme, net| {
            if !sent && peer.connected(net) {
                peer.send(
                    b"\0\0\0\x05\x93\0\0\xa1a\0\0\0\x01\xc1\0\0\0\x05\x93\0\x01\xa1b",
                    net,
                );
                sent = true;
            }
            server
                .service_each(tyme, net, |ch| {
                    while let Ok(Some(mut request)) = ch.recv() {
                        let _ = request.echo();
                    }
                    while let Some(event) = ch.event() {
                        ends.push(format!("{event:?}"));
                    }
                })
                .unwrap();
            channel.service(tyme, net);
            !ends.is_empty()
        });
        assert!(ends[0].contains("reserved"), "{ends:?}");
        channel.send(&"still here".into()).unwrap();
        world.until("the good one is served", |tyme, net| {
            channel.service(tyme, net);
            server.service_each(tyme, net, echo).unwrap();
            channel.service(tyme, net);
            value(channel.event()).is_some()
        });
    });
}

#[test]
fn ten_thousand_in_flight() {
    everywhere(|world| {
        let limits = ChannelLimits {
            pending_max: 10_000,
            ..ChannelLimits::default()
        };
        let ours = ChannelConfig::with_codec(Json).with_limits(limits);
        // The server has its usual limit: it takes in as many as it may, and goes on as it answers.
        let mut server =
            ChannelServer::bind(world.at.clone(), &ChannelConfig::with_codec(Json)).unwrap();
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let mut channel = Channel::connect(server.server().unwrap().eha(), &ours).unwrap();
        let now = world.net.now();
        channel.open(now, world.net.as_mut(), Owner::NONE).unwrap();
        for n in 0..10_000 {
            assert_eq!(
                channel
                    .send(&Value::list([n.into(), "x".repeat(50).into()]))
                    .unwrap()
                    .number(),
                n as u64
            );
        }
        let (mut kept, mut most, mut got): (Vec<Request>, _, Vec<u64>) =
            (Vec::new(), 0, Vec::new());
        world.until("all are answered", |tyme, net| {
            server
                .service_each(tyme, net, |ch| {
                    while let Ok(Some(request)) = ch.recv() {
                        kept.push(request);
                    }
                })
                .unwrap();
            most = most.max(kept.len());
            // Later, from elsewhere, and the last one first.
            if kept.len() >= 1024 || kept.len() + got.len() == 10_000 {
                while let Some(mut request) = kept.pop() {
                    request.echo().unwrap();
                }
            }
            channel.service(tyme, net);
            while let Some(event) = channel.event() {
                if let ChannelEvent::Reply { id, content } = event {
                    let n = content.value().unwrap().at(0).unwrap().int().unwrap();
                    assert_eq!(n.unsigned_abs(), id.number());
                    got.push(id.number());
                }
            }
            got.len() == 10_000
        });
        assert_eq!(most, 1024);
        got.sort_unstable();
        assert!(got.iter().copied().eq(0..10_000));
    });
}

#[test]
fn long_messages_pass_small_buffers() {
    everywhere(|world| {
        let limits = Limits {
            rx_cap: 4096,
            tx_cap: 8192,
            ..Limits::default()
        };
        let config = ChannelConfig::default();
        let mut server = ChannelServer::bind_with(
            world.at.clone(),
            &config,
            ListenOptions::default(),
            limits.clone(),
        )
        .unwrap();
        server.open(world.net.as_mut(), Owner::NONE).unwrap();
        let to = server.server().unwrap().eha();
        let mut channel =
            Channel::connect_with(to, &config, ConnectOptions::default(), limits).unwrap();
        let now = world.net.now();
        channel.open(now, world.net.as_mut(), Owner::NONE).unwrap();
        let long = Value::Bytes(support::pattern(1_000_000));
        channel.send(&long).unwrap();
        let mut got = None;
        world.until("it is back", |tyme, net| {
            server.service_each(tyme, net, echo).unwrap();
            channel.service(tyme, net);
            while let Some(event) = channel.event() {
                got = value(Some(event)).or(got.take());
            }
            got.is_some()
        });
        assert!(got == Some(long));
    });
}

#[test]
fn a_server_that_does_not_look_makes_the_client_wait() {
    everywhere(|world| {
        let (mut server, mut channel) = open(world, &ChannelConfig::default());
        let mut paused = false;
        let mut full = false;
        world.until("the client is full", |tyme, net| {
            // A server whose program never receives.
            server.service(tyme, net).unwrap();
            for _ in 0..8 {
                match channel.send(&Value::Bytes(vec![0; 100_000])) {
                    Err(ChannelError::Full { .. } | ChannelError::TooManyPending { .. }) => {
                        full = true
                    }
                    other => drop(other.unwrap()),
                }
            }
            channel.service(tyme, net);
            while let Some(event) = channel.event() {
                paused |= matches!(event, ChannelEvent::WritingPaused);
            }
            full
        });
        assert!(paused);
        let all = channel.pending();
        let mut ended = 0;
        world.until("it goes on", |tyme, net| {
            server
                .service_each(tyme, net, |ch| {
                    while let Ok(Some(mut request)) = ch.recv() {
                        request.reply(&Value::Nil).unwrap();
                    }
                })
                .unwrap();
            let ids: Vec<ChannelId> = server.channels().map(Accepted::id).collect();
            for id in ids {
                echo(server.get_mut(id).unwrap());
            }
            channel.service(tyme, net);
            while let Some(event) = channel.event() {
                ended += usize::from(event.outcome().is_some());
            }
            ended == all
        });
    });
}

#[test]
fn deadlines_are_kept_in_tyme() {
    let mut net = MemoryNet::default();
    let config = ChannelConfig::default();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = ChannelServer::bind(at, &config).unwrap();
    server.open(&mut net, Owner::NONE).unwrap();
    let mut channel = Channel::connect(server.server().unwrap().eha(), &config).unwrap();
    channel.open(net.now(), &mut net, Owner::NONE).unwrap();
    channel
        .send_within(&"late".into(), net.now(), ms(50))
        .unwrap();
    let (mut kept, mut theirs): (Vec<Request>, Vec<String>) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let tyme = net.now();
        channel.service(tyme, &mut net);
        server
            .service_each(tyme, &mut net, |ch| {
                while let Ok(Some(request)) = ch.recv() {
                    kept.push(request);
                    ch.send_within(&"back".into(), tyme, ms(30)).unwrap();
                }
                while let Some(event) = ch.event() {
                    theirs.push(format!("{event:?}"));
                }
            })
            .unwrap();
        net.poll(tyme + ms(1)).unwrap();
        net.advance(ms(1));
    }
    assert!(channel.event().is_none() && channel.due(net.now()) <= Tyme::ZERO + ms(50));
    assert!(
        server.due(net.now()) <= Tyme::ZERO + ms(40),
        "its own is due, too"
    );
    net.advance(ms(50));
    let tyme = net.now();
    channel.service(tyme, &mut net);
    assert!(matches!(channel.event(), Some(ChannelEvent::Timeout { id }) if id.number() == 0));
    server
        .service_each(tyme, &mut net, |ch| {
            while let Some(event) = ch.event() {
                theirs.push(format!("{event:?}"));
            }
        })
        .unwrap();
    assert!(
        theirs.iter().any(|event| event.contains("Timeout")),
        "{theirs:?}"
    );
    // The late reply is swallowed.
    kept[0].reply(&"too late".into()).unwrap();
    for _ in 0..4 {
        let tyme = net.now();
        server.service(tyme, &mut net).unwrap();
        channel.service(tyme, &mut net);
        net.poll(tyme).unwrap();
    }
    assert!(channel.event().is_none() && channel.connected());
}

#[test]
fn closing_sends_what_is_queued_but_not_for_ever() {
    let mut net = MemoryNet::default();
    let limits = Limits {
        drain: ms(1000),
        linger: ms(500),
        ..Limits::default()
    };
    let config = ChannelConfig::default();
    let mut server = ChannelServer::bind_with(
        Endpoint::host("127.0.0.1", 0),
        &config,
        ListenOptions::default(),
        Limits {
            rx_cap: 1000,
            ..Limits::default()
        },
    )
    .unwrap();
    server.open(&mut net, Owner::NONE).unwrap();
    let to = server.server().unwrap().eha();
    for reads in [true, false] {
        let mut channel = Channel::connect_with(
            to.clone(),
            &config,
            ConnectOptions::default(),
            limits.clone(),
        )
        .unwrap();
        channel.open(net.now(), &mut net, Owner::NONE).unwrap();
        channel.send(&Value::Bytes(vec![0; 500_000])).unwrap();
        let (mut began, mut got) = (None, 0);
        for _ in 0..100_000 {
            let tyme = net.now();
            channel.service(tyme, &mut net);
            if reads || !channel.connected() && began.is_none() {
                server
                    .service_each(tyme, &mut net, |ch| {
                        while let Ok(Some(request)) = ch.recv() {
                            got += request.content().encoded().len();
                        }
                    })
                    .unwrap();
            }
            if channel.connected() && began.is_none() {
                channel.close();
                began = Some(tyme);
            }
            if !channel.opened() {
                break;
            }
            net.poll(channel.due(tyme).min(tyme + ms(10))).unwrap();
        }
        assert!(!channel.opened());
        let took = net.now().since(began.unwrap());
        assert!(took <= ms(1700), "{took:?}");
        assert_eq!(got > 500_000, reads, "{got} bytes came");
    }
}

/// When the client dialled, until the channel is over or the time is.
fn dials(patience: Patience, seconds: u64) -> (Vec<u64>, bool) {
    let mut net = MemoryNet::default();
    let to = Endpoint::host("127.0.0.1", 4711);
    let mut channel = Channel::connect(to, &ChannelConfig::default())
        .unwrap()
        .with_patience(patience);
    channel.send(&Value::Nil).unwrap();
    channel.open(net.now(), &mut net, Owner::NONE).unwrap();
    while net.now() < Tyme::from_secs(seconds) && channel.opened() {
        let tyme = net.now();
        channel.service(tyme, &mut net);
        let due = channel.due(tyme).min(Tyme::from_secs(seconds));
        net.poll(due.max(tyme)).unwrap();
    }
    let at = net
        .dials
        .iter()
        .map(|(tyme, _)| tyme.as_nanos() / 1_000_000);
    let mut over = false;
    while let Some(event) = channel.event() {
        over |= matches!(event, ChannelEvent::ConnectionError { .. });
    }
    (at.collect(), over)
}

#[test]
fn nobody_there_is_tried_again_as_aiomas_does() {
    assert_eq!(dials(Patience::None, 100), (vec![0], true));
    // Pauses of 0.5 s and half as much again; the last try is the first one after two seconds.
    let (at, over) = dials(Patience::For(Duration::from_secs(2)), 100);
    assert_eq!((at, over), (vec![0, 500, 1250, 2375], true));
    let (at, over) = dials(Patience::Forever, 300);
    assert!(!over);
    let pauses: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..3], [500, 750, 1125]);
    assert!(
        pauses[11..].iter().all(|pause| *pause == 30_000),
        "{pauses:?}"
    );
}

#[test]
fn in_process_it_is_the_same_and_repeats() {
    let run = || {
        let (queue, config) = (LocalQueue::new(), ChannelConfig::default());
        let mut net = NullNet::default();
        let mut server = ChannelServer::bind(queue.clone(), &config).unwrap();
        let mut refused = Channel::connect(queue.clone(), &config).unwrap();
        refused.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
        assert!(refused.lost().is_some() && !refused.opened());
        server.open(&mut net, Owner::NONE).unwrap();
        let mut other = ChannelServer::bind(queue.clone(), &config).unwrap();
        assert!(
            other.open(&mut net, Owner::NONE).is_err(),
            "one listens already"
        );
        let mut channels: Vec<Channel> = (0..3)
            .map(|_| Channel::connect(queue.clone(), &config).unwrap())
            .collect();
        let mut trace = Vec::new();
        for (n, channel) in channels.iter_mut().enumerate() {
            channel.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
            channel.send(&n.into()).unwrap();
            channel.send(&Value::Bytes(vec![7; 600_000])).unwrap();
        }
        for turn in 0..20 {
            for channel in &mut channels {
                channel.service(Tyme::ZERO, &mut net);
                while let Some(event) = channel.event() {
                    trace.push((turn, format!("{event:.40?}")));
                }
            }
            if turn == 15 {
                channels[0].close();
                server.drain(&mut net);
            }
            server.service_each(Tyme::ZERO, &mut net, echo).unwrap();
        }
        assert!(server.is_empty() && channels.iter().all(|channel| !channel.opened()));
        trace
    };
    let trace = run();
    assert_eq!(trace.len(), 3 * 5, "two replies, an end and two marks each");
    assert_eq!(trace, run());
}

struct App {
    server: ChannelServer,
    channel: Channel,
    answers: Vec<Value>,
    turns: u32,
}

#[test]
fn doers_sleep_until_something_happens() {
    let mut net = MioNet::new().unwrap();
    let config = ChannelConfig::default();
    // The address is known once it listens.
    let mut server = ChannelServer::bind(Endpoint::host("127.0.0.1", 0), &config).unwrap();
    server.open(&mut net, Owner::NONE).unwrap();
    let to = server.server().unwrap().eha();
    server.close(&mut net);
    let server = ChannelServer::bind(to.clone(), &config).unwrap();
    let channel = Channel::connect(to, &config).unwrap();
    let mut doist = Doist::new(App {
        server,
        channel,
        answers: Vec::new(),
        turns: 0,
    });
    doist.add_on(
        |app: &mut App| &mut app.server,
        ChannelServerDoer::new().each(echo),
    );
    let user = doist.add(doify(|tyme, cx: &mut Cx<'_, App>| {
        cx.app.turns += 1;
        while let Some(event) = cx.app.channel.event() {
            cx.app.answers.extend(value(Some(event)));
        }
        if cx.app.answers.len() == 10 {
            cx.ask.stop();
            return Ok(Done(true));
        }
        let n = cx.app.answers.len();
        if cx.app.channel.pending() == 0 {
            cx.app.channel.send(&n.into())?;
            cx.app.channel.service_sends(tyme, cx.net);
        }
        Ok(Park(Tyme::NEVER))
    }));
    doist.add_on(
        |app: &mut App| &mut app.channel,
        ChannelDoer::new().waking(user),
    );
    doist.run(&mut net).unwrap();
    assert_eq!(
        doist.app.answers,
        (0..10).map(Value::from).collect::<Vec<Value>>()
    );
    assert!(
        doist.app.turns < 40,
        "woken by answers only, not {} times",
        doist.app.turns
    );
    assert!(
        !doist.app.server.opened() && !doist.app.channel.opened(),
        "closed in exit"
    );
}
