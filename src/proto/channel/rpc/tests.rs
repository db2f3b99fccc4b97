use super::super::{ChannelConfig, ChannelEvent, ChannelProtocol, ExtraInfo, Value};
use super::*;
use crate::tyme::Tyme;

struct Two {
    here: ChannelProtocol,
    there: ChannelProtocol,
    ours: Rpc<i64>,
    theirs: Rpc<i64>,
}

fn two() -> Two {
    let mut config = ChannelConfig::default();
    Proxy::register(&mut config.types).unwrap();
    let one = || {
        let mut protocol = ChannelProtocol::new(&config);
        protocol.connection_made(ExtraInfo::default());
        protocol
    };
    Two {
        here: one(),
        there: one(),
        ours: Rpc::new(),
        theirs: Rpc::new(),
    }
}

fn callee() -> Service<i64> {
    Service::<i64>::new("peer.Callee").expose("twice", |_, call| {
        let [x] = call.bind([("x", None)])?;
        Ok(Value::list([x.clone(), x]))
    })
}

fn root() -> Service<i64> {
    let deep = Service::<i64>::new("peer.Deep").expose("neg", |_, call| {
        let [x] = call.bind([("x", None)])?;
        Ok((-x.int().unwrap_or(0)).into())
    });
    let sub = Service::<i64>::new("peer.Sub").sub("deep", deep);
    Service::<i64>::new("peer.Root")
        .sub("sub", sub)
        .hide("hidden")
        .expose("count", |count, _| {
            *count += 1;
            Ok((*count).into())
        })
        .expose("add", |_, call| {
            let [x, y] = call.bind([("x", None), ("y", Some(10.into()))])?;
            Ok((x.int().unwrap_or(0) + y.int().unwrap_or(0)).into())
        })
        .expose_later("give", |cx, mut call| {
            let sub = cx.pack(&Proxy::root().at("sub"));
            call.settle(sub.map_err(Failure::from)).unwrap();
        })
        .expose_later("call_me", |cx, mut call| {
            let proxy = cx.proxy(&call.args()[0]).unwrap();
            let args = vec![call.args()[1].clone()];
            let path = proxy.at("twice");
            let done = cx.call_then(path.path(), args, vec![], move |cx, outcome| {
                *cx.app += 100;
                let value = outcome.unwrap().value().unwrap();
                call.reply(&Value::list(["called".into(), value])).unwrap();
            });
            done.unwrap();
        })
}

impl Two {
    /// Carries everything there and back until nothing moves.
    fn turn(&mut self) -> i64 {
        let (mut root, mut callee, mut app, mut own) = (root(), callee(), 0, 0);
        for _ in 0..4 {
            self.there.data_received(&self.here.outgoing());
            self.theirs
                .service(&mut root, &mut app, Tyme::ZERO, &mut self.there);
            self.here.data_received(&self.there.outgoing());
            self.ours
                .service(&mut callee, &mut own, Tyme::ZERO, &mut self.here);
        }
        app
    }

    fn ask(
        &mut self,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
    ) -> Result<Value, String> {
        self.ours.call(&mut self.here, path, args, kwargs).unwrap();
        self.turn();
        match self.ours.event().and_then(ChannelEvent::outcome).unwrap().1 {
            Ok(content) => Ok(content.value().unwrap()),
            Err(why) => Err(why
                .to_string()
                .trim_start_matches("Origin: None\n")
                .to_owned()),
        }
    }
}

#[test]
fn functions_are_called_by_their_paths() {
    let mut two = two();
    assert_eq!(
        two.ask("add", vec![1.into(), 2.into()], vec![]),
        Ok(3.into())
    );
    assert_eq!(two.ask("add", vec![1.into()], vec![]), Ok(11.into()));
    assert_eq!(
        two.ask("add", vec![], vec![("y", 5.into()), ("x", 1.into())]),
        Ok(6.into())
    );
    assert_eq!(
        two.ask("sub/deep/neg", vec![4.into()], vec![]),
        Ok((-4).into())
    );
    assert_eq!(two.ask("count", vec![], vec![]), Ok(1.into()));
}

#[test]
fn what_cannot_be_called_says_so_as_aiomas_does() {
    let mut two = two();
    for (path, says) in [
        ("nope", "LookupError: Name \"nope\" not found in \"\"\n"),
        (
            "sub/nope",
            "LookupError: Name \"nope\" not found in \"sub\"\n",
        ),
        (
            "sub/deep/nope/x",
            "LookupError: Name \"nope\" not found in \"sub/deep\"\n",
        ),
        ("add/x", "LookupError: Name \"x\" not found in \"add\"\n"),
        ("", "LookupError: Name \"\" not found in \"\"\n"),
        ("/add", "LookupError: Name \"\" not found in \"\"\n"),
        (
            "hidden",
            "LookupError: \"peer.Root.hidden\" is not exposed\n",
        ),
        ("sub", "TypeError: 'Sub' object is not callable\n"),
    ] {
        assert_eq!(
            two.ask(path, vec![], vec![]),
            Err(says.to_owned()),
            "{path}"
        );
    }
    for (args, kwargs, says) in [
        (
            vec![],
            vec![],
            "add() missing 1 required positional argument: 'x'",
        ),
        (
            vec![1.into(); 3],
            vec![],
            "add() takes 2 positional arguments but 3 were given",
        ),
        (
            vec![1.into()],
            vec![("x", 1.into())],
            "add() got multiple values for argument 'x'",
        ),
        (
            vec![1.into()],
            vec![("z", 1.into())],
            "add() got an unexpected keyword argument 'z'",
        ),
    ] {
        let failed = two.ask("add", args, kwargs);
        assert_eq!(failed, Err(format!("TypeError: {says}\n")));
    }
}

#[test]
fn a_request_that_is_no_call_fails() {
    for content in [
        Value::Nil,
        Value::list([]),
        Value::list(["add".into(), Value::List(vec![])]),
        Value::list([1.into(), Value::List(vec![]), Value::Map(vec![])]),
        Value::list([
            "add".into(),
            Value::List(vec![]),
            Value::Map(vec![(1.into(), 1.into())]),
        ]),
    ] {
        let mut two = two();
        two.here.send(&content).unwrap();
        two.turn();
        let (_, outcome) = two.ours.event().and_then(ChannelEvent::outcome).unwrap();
        assert!(
            outcome
                .unwrap_err()
                .to_string()
                .contains("ValueError: a call is")
        );
    }
}

#[test]
fn services_travel_and_the_peer_is_called_back() {
    let mut two = two();
    let given = two.ask("give", vec![], vec![]).unwrap();
    let proxy: Proxy = two.here.types().unpack(&given).unwrap();
    assert_eq!(proxy.path(), "sub");
    let path = proxy.at("deep").at("neg");
    assert_eq!(
        two.ask(path.path(), vec![7.into()], vec![]),
        Ok((-7).into())
    );
    let me = two.here.types().pack(&Proxy::root()).unwrap();
    let called = two.ask("call_me", vec![me, 3.into()], vec![]).unwrap();
    assert_eq!(called.to_string(), r#"["called", [3, 3]]"#);
}
