//! Objects to the first peer, each of which must come back under its id with `re:` before it.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use hio::doing::Fault;
use hio::net::{Net, Owner};
use hio::proto::communicator::{
    HttpTransport, Object, Pool, PoolError, PoolEvent, ReceiveId, SendFailure, SendId,
};
use hio::tyme::Tyme;

use super::options::Options;
use super::talk::{Checks, wait};

struct Talk<'a> {
    net: &'a mut dyn Net,
    pool: Pool<HttpTransport>,
    peer: String,
    news: News,
    checks: Checks,
}

#[derive(Default)]
struct News {
    sent: BTreeMap<SendId, Result<(), SendFailure>>,
    received: BTreeMap<ReceiveId, Result<Object, PoolError>>,
}

pub(crate) fn run(options: &Options, net: &mut dyn Net, out: &mut dyn Write) -> Result<(), Fault> {
    let mut pool = Pool::new("alice", options.communicator()?);
    pool = pool.with_timeout(Some(Duration::from_secs(20)));
    for peer in &options.peers {
        pool.add_client(peer.name.as_str(), options.connection(peer)?)?;
    }
    let now = net.now();
    pool.initialize(now, net, Owner(1))?;
    let mut talk = Talk {
        net,
        pool,
        peer: options.peers[0].name.clone(),
        news: News::default(),
        checks: Checks::default(),
    };
    let talked = talk.talk(options.count, options.kinds);
    // Whoever fails on the way breaks off.
    talk.pool.close(talk.net);
    let messages = talked?;
    let rest = format!("\"messages\": {messages}");
    talk.checks
        .finish("pool", options.tls.is_some(), &rest, out)
}

impl Talk<'_> {
    fn talk(&mut self, count: usize, kinds: usize) -> Result<usize, Fault> {
        self.there_and_back(&"hello".into(), "start")?;
        let mut all = contents()?;
        all.truncate(kinds);
        for (nth, object) in all.iter().enumerate() {
            self.there_and_back(object, &format!("m{nth}"))?;
        }
        // Received in another order than sent.
        for nth in 0..count {
            let number = Object::from(nth as u64);
            self.send(&number, &format!("o{nth}"))?;
        }
        for nth in (0..count).rev() {
            let back = self.receive(&format!("re:o{nth}"), None)?;
            let wanted = Ok(Object::from(nth as u64));
            self.checks
                .check(back == wanted, || format!("order {nth}: {back:?}"));
        }
        let everybody = Object::List(vec!["all".into()]);
        let peer = self.peer.clone();
        self.pool.broadcast(&everybody, "bc", Some(&[&peer]))?;
        let back = self.receive("re:bc", None)?;
        self.checks
            .check(back == Ok(everybody), || format!("broadcast: {back:?}"));
        let never = self.receive("never", Some(Duration::from_millis(200)))?;
        self.checks
            .check(matches!(never, Err(PoolError::TimedOut(_))), || {
                format!("a message that was never sent: {never:?}")
            });
        let now = self.net.now();
        self.pool.shutdown(now, self.net)?;
        let (pool, news) = (&mut self.pool, &mut self.news);
        wait(self.net, "the end", |now, net| {
            news.service(pool, now, net)?;
            Ok(((!pool.is_closing()).then_some(()), pool.due(now)))
        })?;
        Ok(all.len() + count + 2)
    }

    fn there_and_back(&mut self, object: &Object, id: &str) -> Result<(), Fault> {
        self.send(object, id)?;
        let back = self.receive(&format!("re:{id}"), None)?;
        self.checks
            .check(back.as_ref() == Ok(object), || format!("{id}: {back:?}"));
        Ok(())
    }

    fn send(&mut self, object: &Object, id: &str) -> Result<(), Fault> {
        let id = self.pool.send(&self.peer, object, Some(id))?;
        let (pool, news) = (&mut self.pool, &mut self.news);
        let sent = wait(self.net, "an outcome", |now, net| {
            news.service(pool, now, net)?;
            Ok((news.sent.remove(&id), pool.due(now)))
        })?;
        Ok(sent?)
    }

    fn receive(
        &mut self,
        id: &str,
        timeout: Option<Duration>,
    ) -> Result<Result<Object, PoolError>, Fault> {
        let now = self.net.now();
        let id = self.pool.recv(&self.peer, Some(id), timeout, now)?;
        let (pool, news) = (&mut self.pool, &mut self.news);
        wait(self.net, "an object", |now, net| {
            news.service(pool, now, net)?;
            Ok((news.received.remove(&id), pool.due(now)))
        })
    }
}

impl News {
    fn service(
        &mut self,
        pool: &mut Pool<HttpTransport>,
        now: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), Fault> {
        pool.service(now, net)?;
        for event in pool.events() {
            match event {
                PoolEvent::Sent(id) => drop(self.sent.insert(id, Ok(()))),
                PoolEvent::Failed(id, why) => drop(self.sent.insert(id, Err(why))),
                PoolEvent::Received { id, object, .. } => {
                    self.received.insert(id, Ok(object));
                }
                PoolEvent::Missed { id, why, .. } => drop(self.received.insert(id, Err(why))),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Objects of all kinds.
fn contents() -> Result<Vec<Object>, Fault> {
    let big = |digits: &str| digits.parse().map(Object::Big);
    let one = || Object::from(1);
    Ok(vec![
        Object::Nil,
        true.into(),
        false.into(),
        0.into(),
        Object::from(-1),
        i64::MAX.into(),
        i64::MIN.into(),
        u64::MAX.into(),
        big("18446744073709551616")?,
        big("-18446744073709551616")?,
        big("1606938044258990275541962092341162602522202993782792835301376")?,
        1.5.into(),
        "".into(),
        "text é".into(),
        Object::Bytes(Vec::new()),
        Object::Bytes(vec![0, 255]),
        Object::List(Vec::new()),
        Object::List(vec![one(), Object::List(vec![2.into(), "x".into()])]),
        Object::Map(Vec::new()),
        Object::map([(
            "a",
            Object::map([("b", Object::List(vec![one(), Object::Nil]))]),
        )]),
        Object::Tuple(Vec::new()),
        Object::Tuple(vec![one(), Object::Tuple(vec![2.into()])]),
        Object::map([("t", Object::Tuple(vec![one(), 2.into()]))]),
        Object::Bytes(vec![7; 70_000]),
    ])
}
