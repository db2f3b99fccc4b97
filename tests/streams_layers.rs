//! Goal: layers of a net stack in any order, and each still does its job (SEEDS 6c, SEEDS 5).
//! Method: all 24 orders of four layers, over memory and over the system's sockets, play the same
//! conversations; then each layer by itself, where its limits are.

mod support;

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use hio::link::{NetworkBackend, Phase};
use hio::net::{
    CacheLimits, ConnectOptions, Endpoint, Lookup, MioNet, NameCache, Net, NetError, Owner,
    Recording, ResolverOptions, Script, Scripted, UnixInstead,
};
use support::memory::MemoryNet;
use support::streams::{Act, Host, Manner, Player};
use support::{World, ms, unix_path};

/// A writer that can be looked at from outside.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// In a module, as `Layer` and `Net` have the same names.
mod asked {
    use std::cell::Cell;
    use std::rc::Rc;

    use hio::net::{Group, Layer, Lookup, Net};

    /// Counts answers for one name.
    pub(crate) struct Asked<N> {
        pub(crate) net: N,
        pub(crate) count: Rc<Cell<usize>>,
    }

    impl<N: Net> Layer for Asked<N> {
        type Below = N;
        fn below(&self) -> &N {
            &self.net
        }
        fn below_mut(&mut self) -> &mut N {
            &mut self.net
        }
        fn resolve(&mut self, group: Group, name: &str) -> Lookup {
            let answer = self.net.resolve(group, name);
            let counts = name == "plain.test" && answer != Lookup::Pending;
            self.count.set(self.count.get() + usize::from(counts));
            answer
        }
    }
}
use asked::Asked;

const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn memory() -> Box<dyn Net> {
    let mut net = MemoryNet::default();
    let answer = Lookup::Ready(vec![LOCALHOST]);
    net.names.insert("plain.test".to_owned(), (ms(1), answer));
    Box::new(net)
}

fn system() -> Box<dyn Net> {
    let mut net = MioNet::new().unwrap();
    net.add_name("plain.test", vec![LOCALHOST]).unwrap();
    Box::new(net)
}

/// All orders of four.
fn orders() -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for n in 0..4 {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=n).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, n);
                    order
                })
            })
            .collect();
    }
    all
}

fn stack(
    base: Box<dyn Net>,
    order: &[usize],
    path: &std::path::Path,
    record: &Shared,
) -> Box<dyn Net> {
    order.iter().fold(base, |net, layer| match layer {
        0 => Box::new(Recording::new(net, record.clone())),
        1 => Box::new(NameCache::new(net, CacheLimits::default())),
        2 => Box::new(UnixInstead::new(net).host("local.test", path)),
        _ => {
            let to = Endpoint::host("10.9.8.7", 7);
            let script = Script::to(to)
                .expects("ping")
                .after(ms(3))
                .sends("pong\r\n")
                .ends();
            let answer = Lookup::Ready(vec![[10, 9, 8, 7].into()]);
            let net = Scripted::over(net).with(script);
            Box::new(net.with_slow_name("scripted.test", ms(5), answer))
        }
    })
}

fn talk(world: &mut World, hosts: &mut [Host], to: Endpoint, say: &str, hear: &str) {
    let acts = [
        Act::Connect,
        Act::Write(say.into()),
        Act::Read(hear.len()),
        Act::Close,
    ];
    let mut player = Player::new(to, &acts);
    world.until(say, |tyme, net| {
        for host in hosts.iter_mut() {
            host.service(tyme, net);
        }
        player.step(tyme, net)
    });
    let heard = format!("read \"{}\"", hear.escape_default());
    assert_eq!(player.told, ["connected", "written", &heard, "closed"]);
}

#[test]
fn four_layers_do_their_jobs_in_every_order() {
    assert_eq!(orders().len(), 24);
    for base in [memory, system] {
        for order in orders() {
            let (dir, path) = unix_path();
            let (record, count) = (Shared::default(), Rc::default());
            let net = Asked {
                net: base(),
                count: Rc::clone(&count),
            };
            let mut world = World::of(stack(Box::new(net), &order, &path, &record));
            let at = [world.at.clone(), Endpoint::unix(&path)];
            let mut hosts = at.map(|at| Host::new(at, Manner::Echo));
            for host in &mut hosts {
                host.open(world.net.as_mut(), Owner::NONE);
            }
            let port = hosts[0].server.ha().port().unwrap();
            let named = |name, port| Endpoint::host(name, port);
            talk(
                &mut world,
                &mut hosts,
                named("scripted.test", 7),
                "ping",
                "pong\r\n",
            );
            talk(
                &mut world,
                &mut hosts,
                named("LOCAL.test", 80),
                "unix",
                "unix",
            );
            talk(
                &mut world,
                &mut hosts,
                named("plain.test", port),
                "one",
                "one",
            );
            talk(
                &mut world,
                &mut hosts,
                named("plain.test", port),
                "two",
                "two",
            );
            assert_eq!(hosts[1].server.stats().received, 4, "{order:?}");
            assert_eq!(hosts[0].server.stats().received, 6, "{order:?}");
            assert_eq!(count.get(), 1, "{order:?}");
            let record = String::from_utf8(record.0.take()).unwrap();
            let place = |layer| order.iter().position(|l| *l == layer);
            // Below the mock, nothing of what it answers is seen.
            let sees = place(0) > place(3);
            assert_eq!(record.contains(">>> ping\n"), sees, "{order:?}: {record}");
            assert_eq!(record.contains("<<< pong\n"), sees, "{order:?}: {record}");
            // Servers are on the same net: each word is written and read at both ends.
            for word in ["unix", "one", "two"] {
                for way in ["<<<", ">>>"] {
                    let line = format!("{way} {word}\n");
                    assert_eq!(record.matches(&line).count(), 2, "{order:?}: {record}");
                }
            }
            drop(world);
            std::fs::remove_dir_all(dir).unwrap();
        }
    }
}

#[test]
fn cached_names_expire_and_failures_do_so_sooner() {
    let limits = CacheLimits::default();
    let net = Scripted::alone()
        .with_name("good.test", &[LOCALHOST])
        .with_name("bad.test", &[])
        .with_slow_name("slow.test", ms(500), Lookup::Ready(vec![LOCALHOST]));
    let mut net = NameCache::new(net, limits);
    let group = net.group(Owner::NONE);
    let asks = |net: &mut NameCache<Scripted>, name: &str| {
        let before = net.asked();
        let answer = net.resolve(group, name);
        (answer, net.asked() - before)
    };
    let good = Lookup::Ready(vec![LOCALHOST]);
    let bad = Lookup::Failed(NetError::Unresolvable);
    assert_eq!(asks(&mut net, "good.test"), (good.clone(), 1));
    assert_eq!(asks(&mut net, "GOOD.test."), (good.clone(), 0));
    assert_eq!(asks(&mut net, "bad.test"), (bad.clone(), 1));
    assert_eq!(asks(&mut net, "bad.test"), (bad.clone(), 0));
    let pass = |net: &mut NameCache<Scripted>, time: Duration| {
        let until = net.now() + time;
        while net.now() < until {
            net.poll(until).unwrap();
        }
    };
    pass(&mut net, limits.failure_ttl);
    assert_eq!(asks(&mut net, "bad.test"), (bad, 1));
    assert_eq!(asks(&mut net, "good.test"), (good.clone(), 0));
    pass(&mut net, limits.ttl);
    assert_eq!(asks(&mut net, "good.test"), (good.clone(), 1));
    // One that is under way is no answer, and is asked for again.
    assert_eq!(asks(&mut net, "slow.test"), (Lookup::Pending, 0));
    pass(&mut net, ms(499));
    assert_eq!(asks(&mut net, "slow.test"), (Lookup::Pending, 0));
    pass(&mut net, ms(1));
    assert_eq!(asks(&mut net, "slow.test"), (good.clone(), 1));
    assert_eq!(asks(&mut net, "slow.test"), (good, 0));
    // An address is its own answer: it takes no place that a name could have.
    let mut plain = NameCache::new(MioNet::new().unwrap(), limits);
    let group = plain.group(Owner::NONE);
    for literal in ["10.1.2.3", "::1", "[::1]"] {
        let answer = plain.resolve(group, literal);
        assert!(matches!(answer, Lookup::Ready(_)), "{literal}: {answer:?}");
        assert!(plain.answers().is_empty(), "{literal} was kept");
    }
    let full = NetError::Exhausted;
    let net_full = Scripted::alone().with_slow_name("x.test", Duration::ZERO, Lookup::Failed(full));
    let mut busy = NameCache::new(net_full, limits);
    for _ in 0..2 {
        assert_eq!(
            asks(&mut busy, "x.test"),
            (Lookup::Failed(full), 1),
            "never remembered"
        );
    }
    net.answers().clear();
    assert_eq!(asks(&mut net, "slow.test").1, 0, "it takes its time again");
}

#[test]
fn a_slow_answer_wakes_the_owner_once() {
    let answer = Lookup::Ready(vec![LOCALHOST]);
    let mut net = Scripted::alone().with_slow_name("slow.test", ms(40), answer.clone());
    let (group, other) = (net.group(Owner(3)), net.group(Owner(2)));
    for group in [group, other] {
        assert_eq!(net.resolve(group, "slow.test"), Lookup::Pending);
    }
    let (mut woken, mut ready) = (Vec::new(), Vec::new());
    net.woken(&mut woken);
    assert_eq!(woken, []);
    let far = net.now() + Duration::from_secs(9);
    net.poll(far).unwrap();
    assert_eq!(
        net.now(),
        hio::tyme::Tyme::from_millis(40),
        "the wait ends with the answer"
    );
    net.woken(&mut woken);
    assert_eq!(woken, [Owner(2), Owner(3)]);
    net.ready(group, &mut ready);
    assert_eq!(ready, [], "no socket is listed for it");
    woken.clear();
    net.woken(&mut woken);
    assert_eq!(woken, [Owner(2)]);
    assert_eq!(net.resolve(group, "slow.test"), answer);
    net.close_group(other);
    woken.clear();
    net.woken(&mut woken);
    assert_eq!(woken, []);
}

#[test]
fn all_goes_to_one_socket() {
    let (dir, path) = unix_path();
    let mut world = World::of(Box::new(
        UnixInstead::new(MioNet::new().unwrap())
            .host("10.0.0.1", "/nowhere")
            .all(&path),
    ));
    let mut hosts = [Host::new(Endpoint::unix(&path), Manner::Echo)];
    hosts[0].open(world.net.as_mut(), Owner::NONE);
    for to in ["anywhere.test:80", "192.0.2.1:443", "[2001:db8::1]:7"] {
        talk(&mut world, &mut hosts, to.parse().unwrap(), "hi", "hi");
    }
    // An address of TCP to dial from means nothing there.
    let options = ConnectOptions {
        from: Some(Endpoint::host("127.0.0.1", 0)),
        ..ConnectOptions::default()
    };
    let group = world.net.group(Owner::NONE);
    let to = Endpoint::host("192.0.2.1", 1);
    let sid = world.net.connect(group, &to, &options).unwrap();
    assert_eq!(world.net.peer(sid), Ok(Endpoint::unix(&path)));
    let elsewhere = world
        .net
        .connect(group, &Endpoint::host("10.0.0.1", 1), &options);
    assert_eq!(elsewhere, Err(NetError::NotFound), "an earlier rule");
    drop(world);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_stream_shows_the_socket_that_was_dialled_instead() {
    let to = Endpoint::unix("/run/app.sock");
    let script = Script::to(to.clone()).sends("hello").ends();
    let net = UnixInstead::new(Scripted::alone().with(script)).host("app.test", "/run/app.sock");
    let mut backend = NetworkBackend::new(net);
    let mut stream = backend.connect("app.test", 80).unwrap();
    assert_eq!(stream.read().unwrap(), b"hello");
    assert_eq!(stream.server_addr(), Some(&to));
    assert_eq!(
        format!("{stream:?}"),
        "<NetworkStream [\"unix:/run/app.sock\"]>"
    );
}

/// Fails from the second write on.
struct Broken(usize);

impl io::Write for Broken {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        match self.0 {
            1 => Ok(data.len()),
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_record_that_cannot_be_written_disturbs_nothing() {
    let script = Script::to(Endpoint::host("10.0.0.1", 7))
        .expects("a\nb\n")
        .sends("c\nd")
        .ends();
    let net = Recording::new(Scripted::alone().with(script), Broken(0));
    let mut backend = NetworkBackend::new(net);
    let mut stream = backend.connect("10.0.0.1", 7).unwrap();
    stream.write(b"a\nb\n").unwrap();
    assert_eq!(stream.read_to_end(100).unwrap(), b"c\nd");
    stream.close().unwrap();
    drop(stream);
    let (script, _) = {
        assert_eq!(backend.net().failure(), Some(io::ErrorKind::StorageFull));
        assert_eq!(backend.net().missed(), 3);
        backend.into_net().into_parts()
    };
    assert_eq!(script.verify(), Ok(()));
}

#[test]
fn a_name_server_that_hangs_is_left_at_the_deadline_on_real_sockets() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let mut net = MioNet::new().unwrap();
    net.start_resolver_with(ResolverOptions::default(), move |_| {
        let _ = held.lock().unwrap().recv();
        Ok(vec![LOCALHOST])
    })
    .unwrap();
    let mut backend = NetworkBackend::new(NameCache::new(net, CacheLimits::default()));
    let why = {
        let mut t = backend.timeout("look-up", ms(50));
        t.connect("slow.test", port).unwrap_err()
    };
    let told = (why.deadline().unwrap().name, why.phase);
    assert_eq!(told, ("look-up", Phase::Resolve));
    release.send(()).unwrap();
    for _ in 0..2 {
        let mut t = backend.timeout("all", Duration::from_secs(60));
        t.connect("slow.test", port).unwrap().abort();
    }
    assert_eq!(backend.net().asked(), 1);
}

#[test]
fn streams_and_layers_may_be_moved_to_another_thread() {
    fn sends<T: Send>() {}
    sends::<hio::link::NetworkStream>();
    sends::<NetworkBackend<NameCache<UnixInstead<Recording<Scripted<MioNet>, Vec<u8>>>>>>();
}
