//! Packets to the first peer, each of which must come back.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;

use hio::doing::Fault;
use hio::net::{Net, Owner};
use hio::proto::communicator::{
    Bytes, Cause, CommunicatorError, CommunicatorEvent, HttpCommunicator, SendFailure, SendId,
};

use super::common;
use super::options::Options;
use super::talk::{Checks, wait};

struct Talk<'a> {
    net: &'a mut dyn Net,
    communicator: HttpCommunicator,
    peer: String,
    outcomes: BTreeMap<SendId, Result<(), SendFailure>>,
    came: VecDeque<(String, Bytes)>,
    checks: Checks,
}

pub(crate) fn run(options: &Options, net: &mut dyn Net, out: &mut dyn Write) -> Result<(), Fault> {
    let mut communicator = options.communicator()?;
    communicator.receive_events();
    let mut checks = Checks::default();
    let first = &options.peers[0];
    checks.check(illegal(&communicator.send(&first.name, "x")), || {
        "send before initialize".to_owned()
    });
    for peer in &options.peers {
        communicator.add_connection(peer.name.as_str(), options.connection(peer)?)?;
    }
    let again = communicator.add_connection(first.name.as_str(), options.connection(first)?);
    let refused = matches!(again, Err(CommunicatorError::DuplicateName(_)));
    checks.check(refused, || "a second connection of that name".to_owned());
    let now = net.now();
    communicator.initialize(now, net, Owner(1))?;
    let mut talk = Talk {
        net,
        communicator,
        peer: first.name.clone(),
        outcomes: BTreeMap::new(),
        came: VecDeque::new(),
        checks,
    };
    let talked = talk.talk(options);
    // Whoever fails on the way breaks off.
    talk.communicator.close(talk.net);
    let bytes = talked?;
    let packets = options.sizes.len() + options.count + 2;
    let rest = format!("\"packets\": {packets}, \"bytes\": {bytes}");
    talk.checks.finish("raw", options.tls.is_some(), &rest, out)
}

impl Talk<'_> {
    fn talk(&mut self, options: &Options) -> Result<usize, Fault> {
        self.there_and_back(Bytes::from_static(b"are you there"))?;
        let mut bytes = 0;
        for (nth, &size) in (0..).zip(&options.sizes) {
            self.there_and_back(content(nth, size))?;
            bytes += size;
        }
        bytes += self.bulk(options.count)?;
        self.failing_handler()?;
        let nobody = self.communicator.send("nobody", "x");
        let refused = matches!(nobody, Err(CommunicatorError::UnknownConnection(_)));
        self.checks
            .check(refused, || "unknown recipient".to_owned());
        self.there_and_back(Bytes::from_static(b"still alive"))?;
        let surplus = self.came.len();
        self.checks
            .check(surplus == 0, || format!("{surplus} surplus packets"));
        self.end()?;
        Ok(bytes)
    }

    /// Sends one packet; it must be taken and come back.
    fn there_and_back(&mut self, packet: Bytes) -> Result<(), Fault> {
        let id = self.communicator.send(&self.peer, packet.clone())?;
        self.outcome(id)?;
        let (from, back) = self.packet()?;
        let well = from == self.peer && back == packet;
        self.checks.check(well, || {
            format!("{} bytes went, {} came back", packet.len(), back.len())
        });
        Ok(())
    }

    /// Many at once: each comes back once, in whatever order.
    fn bulk(&mut self, count: usize) -> Result<usize, Fault> {
        let mut wanted: BTreeMap<Bytes, usize> = BTreeMap::new();
        let (mut ids, mut bytes, mut back) = (Vec::new(), 0, 0);
        for nth in 0..count {
            let size = [0, 1, 7, 100, 4096, 30_000][nth % 6];
            let mut packet = format!("{nth}:").into_bytes();
            packet.extend_from_slice(&content(1_000 + nth as u64, size));
            bytes += packet.len();
            let packet = Bytes::from(packet);
            *wanted.entry(packet.clone()).or_default() += 1;
            while self.communicator.pending() >= CONCURRENT {
                self.turn()?;
                back += self.strike_off(&mut wanted);
            }
            ids.push(self.communicator.send(&self.peer, packet)?);
        }
        for id in ids {
            self.outcome(id)?;
        }
        while back < count {
            let one = self.packet()?;
            self.came.push_front(one);
            back += self.strike_off(&mut wanted);
        }
        let left: usize = wanted.values().sum();
        self.checks
            .check(left == 0, || format!("{left} of {count} came back changed"));
        Ok(bytes)
    }

    fn strike_off(&mut self, wanted: &mut BTreeMap<Bytes, usize>) -> usize {
        let came = std::mem::take(&mut self.came);
        for (_, packet) in &came {
            if let Some(count) = wanted.get_mut(packet) {
                *count = count.saturating_sub(1);
            }
        }
        came.len()
    }

    fn failing_handler(&mut self) -> Result<(), Fault> {
        let id = self.communicator.send(&self.peer, "FAIL now")?;
        let outcome = self.wait_for(id)?;
        let failed = matches!(
            &outcome,
            Err(failure) if matches!(failure.cause, Cause::Status { status: 400, .. })
        );
        self.checks
            .check(failed, || format!("a failing handler gave {outcome:?}"));
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let now = self.net.now();
        self.communicator.shutdown(now, self.net)?;
        let illegal = illegal(&self.communicator.send(&self.peer, "x"));
        self.checks
            .check(illegal, || "send after shutdown".to_owned());
        while self.communicator.is_closing() {
            self.turn()?;
        }
        Ok(())
    }

    fn outcome(&mut self, id: SendId) -> Result<(), Fault> {
        let outcome = self.wait_for(id)?;
        self.checks
            .check(outcome.is_ok(), || format!("{outcome:?}"));
        Ok(outcome?)
    }

    fn wait_for(&mut self, id: SendId) -> Result<Result<(), SendFailure>, Fault> {
        let (communicator, outcomes) = (&mut self.communicator, &mut self.outcomes);
        let came = &mut self.came;
        wait(self.net, "an outcome", |now, net| {
            service(communicator, outcomes, came, now, net)?;
            Ok((outcomes.remove(&id), communicator.due(now)))
        })
    }

    fn packet(&mut self) -> Result<(String, Bytes), Fault> {
        let (communicator, outcomes) = (&mut self.communicator, &mut self.outcomes);
        let came = &mut self.came;
        wait(self.net, "a packet", |now, net| {
            service(communicator, outcomes, came, now, net)?;
            Ok((came.pop_front(), communicator.due(now)))
        })
    }

    fn turn(&mut self) -> Result<(), Fault> {
        let mut turned = false;
        let (communicator, outcomes) = (&mut self.communicator, &mut self.outcomes);
        let came = &mut self.came;
        wait(self.net, "news", |now, net| {
            service(communicator, outcomes, came, now, net)?;
            let again = std::mem::replace(&mut turned, true);
            Ok((again.then_some(()), communicator.due(now)))
        })
    }
}

fn service(
    communicator: &mut HttpCommunicator,
    outcomes: &mut BTreeMap<SendId, Result<(), SendFailure>>,
    came: &mut VecDeque<(String, Bytes)>,
    now: hio::tyme::Tyme,
    net: &mut dyn Net,
) -> Result<(), Fault> {
    communicator.service(now, net)?;
    let told: Vec<CommunicatorEvent> = communicator.events().collect();
    for event in told {
        match event {
            CommunicatorEvent::Sent { id, .. } => drop(outcomes.insert(id, Ok(()))),
            CommunicatorEvent::Failed { id, failure } => drop(outcomes.insert(id, Err(failure))),
            CommunicatorEvent::Received {
                id, from, packet, ..
            } => {
                came.push_back((from, packet));
                communicator.acknowledge(id, now, net)?;
            }
            _ => {}
        }
    }
    communicator.service_sends(now, net);
    Ok(())
}

fn illegal(sent: &Result<SendId, CommunicatorError>) -> bool {
    matches!(sent, Err(CommunicatorError::IllegalState { .. }))
}

fn content(nth: u64, size: usize) -> Bytes {
    let mut out = vec![0; size];
    common::content(nth, 0, &mut out);
    out.into()
}

/// Packets under way at the same time.
const CONCURRENT: usize = 8;
