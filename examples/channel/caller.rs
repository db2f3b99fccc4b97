//! A channel with a loop of its own: asks, waits, and answers what the other side asks meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use hio::doing::Fault;
use hio::net::{Net, Owner};
use hio::proto::channel::rpc::{Outcome, RpcClient, Service};
use hio::proto::channel::{Channel, ChannelError, ChannelEvent, RequestId, Value};
use hio::tyme::Tyme;

/// What a request came to.
pub(crate) type Answer = Result<Value, String>;

/// Says what went right.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) count: u64,
    pub(crate) failures: Vec<String>,
}

impl Checks {
    pub(crate) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.count += 1;
        if !holds {
            self.failures.push(what().chars().take(400).collect());
        }
    }

    pub(crate) fn same(&mut self, got: &Answer, want: &Value, what: &str) {
        self.check(got.as_ref() == Ok(want), || match got {
            Ok(got) => format!("{what}: {got:.60} is not {want:.60}"),
            Err(why) => format!("{what}: {why}"),
        });
    }

    /// It failed, and says so.
    pub(crate) fn fails(&mut self, got: &Answer, words: &[&str], what: &str) {
        let says = got.as_ref().err();
        let holds = says.is_some_and(|why| words.iter().all(|word| why.contains(word)));
        self.check(holds, || {
            format!("{what}: {got:?} says nothing of {words:?}")
        });
    }
}

pub(crate) struct Caller<'a> {
    net: &'a mut dyn Net,
    client: RpcClient<()>,
    rpc: bool,
    answers: BTreeMap<RequestId, Answer>,
    /// The order in which the answers came.
    pub(crate) order: Vec<RequestId>,
    /// The numbers of what the other side has asked.
    pub(crate) called: Vec<i128>,
    lost: bool,
}

impl<'a> Caller<'a> {
    /// Connects.
    pub(crate) fn open(channel: Channel, rpc: bool, net: &'a mut dyn Net) -> Result<Self, Fault> {
        let service = Service::<()>::new("peer.Callee").expose("twice", |(), call| {
            let [x] = call.bind([("x", None)])?;
            Ok(Value::list([x.clone(), x]))
        });
        let mut client = RpcClient::new(channel, service);
        client.open(net.now(), net, Owner(1))?;
        Ok(Self {
            net,
            client,
            rpc,
            answers: BTreeMap::new(),
            order: Vec::new(),
            called: Vec::new(),
            lost: false,
        })
    }

    pub(crate) const fn channel(&mut self) -> &mut Channel {
        &mut self.client.channel
    }

    /// Sends a request, to be answered within the patience of the program.
    pub(crate) fn send(&mut self, content: &Value) -> Result<RequestId, ChannelError> {
        let now = self.net.now();
        self.client.channel.send_within(content, now, PATIENCE)
    }

    /// Sends a request and waits for what comes of it.
    pub(crate) fn ask(&mut self, content: &Value) -> Result<Answer, Fault> {
        let id = self.send(content)?;
        self.wait(id)
    }

    /// Calls a function by its path and waits for what comes of it.
    pub(crate) fn call(
        &mut self,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
    ) -> Result<Answer, Fault> {
        let id = self.client.call(path, args, kwargs)?;
        self.wait(id)
    }

    pub(crate) fn wait(&mut self, id: RequestId) -> Result<Answer, Fault> {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Ok(answer);
            }
            self.turn()?;
        }
    }

    /// How many answers have come and were not waited for.
    pub(crate) fn waiting(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn take(&mut self) -> Option<(RequestId, Answer)> {
        self.answers.pop_first()
    }

    /// Waits for something to happen, and looks at it.
    pub(crate) fn turn(&mut self) -> Result<(), Fault> {
        let mut woken = Vec::new();
        let now = self.net.now();
        self.client.channel.service_sends(now, self.net);
        self.net.woken(&mut woken);
        let due = self.client.channel.due(now);
        self.net
            .poll(if woken.is_empty() { due } else { Tyme::ZERO })?;
        let now = self.net.now();
        if self.rpc {
            self.client.serve(&mut (), now, self.net);
        } else {
            self.client.channel.service(now, self.net);
            self.serve_echo();
        }
        loop {
            let event = match self.rpc {
                true => self.client.rpc.event(),
                false => self.client.channel.event(),
            };
            let Some(event) = event else { break };
            if let ChannelEvent::Lost(_) = event {
                self.lost = true;
            }
            if let Some((id, outcome)) = event.outcome() {
                self.order.push(id);
                self.answers.insert(id, answer(outcome));
            }
        }
        Ok(())
    }

    /// Answers what the other side asks on the same connection.
    fn serve_echo(&mut self) {
        while let Ok(Some(mut request)) = self.client.channel.recv() {
            self.called.push(request.id());
            let content = request.value().unwrap_or_default();
            // Whoever asked may be gone.
            drop(match (content.at(0).and_then(Value::text), content.at(1)) {
                (Some("echo"), Some(x)) => request.reply(x),
                _ => request.fail("LookupError: unknown request"),
            });
        }
    }

    /// Ends the channel and waits until its last bytes are sent.
    pub(crate) fn close(mut self) -> Result<(), Fault> {
        self.client.channel.close();
        while self.client.channel.opened() {
            self.turn()?;
        }
        Ok(())
    }
}

impl Drop for Caller<'_> {
    /// Whoever fails on the way breaks off.
    fn drop(&mut self) {
        self.client.channel.abort(self.net);
    }
}

fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Ok(content) => content.value().map_err(|why| why.to_string()),
        Err(why) => Err(why.to_string()),
    }
}

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(15);
