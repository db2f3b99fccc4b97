//! What `aiomas_peer.py rpc-call` does to a server.

use hio::doing::Fault;
use hio::proto::channel::Value;
use hio::proto::channel::rpc::Proxy;

use super::caller::{Caller, Checks};

pub(crate) fn call(
    caller: &mut Caller<'_>,
    checks: &mut Checks,
    requests: usize,
) -> Result<(), Fault> {
    let int = Value::Int;
    for (path, args, kwargs, want) in [
        ("add", vec![int(1), int(2)], vec![], int(3)),
        ("add", vec![int(1)], vec![], int(11)),
        ("add", vec![], vec![("x", int(1)), ("y", int(5))], int(6)),
        ("sub/mul", vec![int(3), int(4)], vec![], int(12)),
        ("sub/deep/neg", vec![int(4)], vec![], int(-4)),
    ] {
        let got = caller.call(path, args, kwargs)?;
        checks.same(&got, &want, path);
    }
    let kwargs = vec![("k", Value::list([int(1)])), ("z", Value::Nil)];
    let mirrored = Value::list([
        Value::list([int(1), "a".into()]),
        Value::map(kwargs.clone()),
    ]);
    let got = caller.call("mirror", vec![int(1), "a".into()], kwargs)?;
    checks.same(&got, &mirrored, "mirror");
    for (path, args, words) in [
        ("hidden", vec![], &["LookupError", "not exposed"]),
        ("nope", vec![], &["LookupError", "not found"]),
        ("sub/nope", vec![], &["LookupError", "not found"]),
        ("hidden_value", vec![], &["LookupError", "not exposed"]),
        (
            "div",
            vec![int(1), int(0)],
            &["ZeroDivisionError", "division by zero"],
        ),
        ("add", vec![], &["TypeError", "missing"]),
    ] {
        let got = caller.call(path, args, vec![])?;
        checks.fails(&got, words, path);
    }
    for (ms, x) in [(150, 1), (1, 2)] {
        let got = caller.call("slow", vec![int(ms), int(x)], vec![])?;
        checks.same(&got, &int(x), "slow");
    }
    let given = caller.call("give", vec![], vec![])?;
    let types = caller.channel().types();
    match given.as_ref().map(|value| types.unpack::<Proxy>(value)) {
        Ok(Ok(sub)) => {
            let path = sub.at("mul");
            let got = caller.call(path.path(), vec![int(5), int(6)], vec![])?;
            checks.same(&got, &int(30), "a call through a returned proxy");
        }
        other => checks.check(false, || format!("give gave {other:?}")),
    }
    let me = caller.channel().types().pack(&Proxy::root())?;
    let got = caller.call("call_me", vec![me, int(7)], vec![])?;
    let pair = Value::list([int(7), int(7)]);
    checks.same(&got, &Value::list(["called".into(), pair]), "call_me");
    for n in 0..i64::try_from(requests).unwrap_or(0) {
        let got = caller.call("add", vec![int(n), int(n)], vec![])?;
        checks.same(&got, &int(2 * n), "bulk");
    }
    Ok(())
}
