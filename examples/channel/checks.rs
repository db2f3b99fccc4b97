//! What `aiomas_peer.py call` does to a server.

use std::collections::VecDeque;

use hio::doing::Fault;
use hio::net::Net;
use hio::proto::channel::{Channel, Value};

use super::caller::{Caller, Checks};
use super::options::Options;

/// A request: an operation and what it needs.
fn request<const N: usize>(operation: &str, rest: [Value; N]) -> Value {
    Value::list(std::iter::once(operation.into()).chain(rest))
}

/// Everything, on one connection; then the loss of another. Gives the number of requests.
pub(crate) fn call(
    caller: &mut Caller<'_>,
    checks: &mut Checks,
    options: &Options,
) -> Result<u64, Fault> {
    let mut sent = 0;
    let bytes = options.codec.as_deref() == Some("msgpack");
    for value in contents(bytes, options.longest) {
        let got = caller.ask(&request("echo", [value.clone()]))?;
        checks.same(&got, &value, "echo");
        sent += 1;
    }
    sent += failures(caller, checks)?;
    sent += out_of_order(caller, checks)?;
    sent += bulk(caller, checks, options.requests, options.concurrency)?;
    let sizes = [0, 1, 4096, 65_535, 65_536, 1_048_576];
    for n in sizes.into_iter().filter(|n| *n <= options.longest) {
        let got = caller.ask(&request("size", [n.into()]))?;
        checks.same(&got, &"x".repeat(n).into(), "size");
        let got = caller.ask(&request("len", ["y".repeat(n).into()]))?;
        checks.same(&got, &n.into(), "len");
        sent += 2;
    }
    for value in [
        1.into(),
        "back".into(),
        Value::list([1.into(), Value::list([2.into()])]),
    ] {
        let got = caller.ask(&request("callback", [value.clone()]))?;
        checks.same(
            &got,
            &Value::list([value, "called back".into()]),
            "callback",
        );
        sent += 1;
    }
    let called = caller.called.clone();
    checks.check(called == [0, 1, 2], || {
        format!("ids of the requests to us: {called:?}")
    });
    let got = caller.ask(&request("ids", []))?;
    let ids = Value::list((0..=sent).map(Value::from));
    checks.same(&got, &ids, "ids seen by the server");
    Ok(sent)
}

fn failures(caller: &mut Caller<'_>, checks: &mut Checks) -> Result<u64, Fault> {
    for text in ["no good", "two\nlines", "\u{e9}"] {
        let got = caller.ask(&request("fail", [text.into()]))?;
        checks.fails(&got, &["Origin: ", text], "fail");
    }
    for bad in [
        request("bad-reply", []),
        request("nope", []),
        request("ids-typo", [1.into()]),
    ] {
        let got = caller.ask(&bad)?;
        checks.fails(&got, &["Origin: "], "a bad request");
    }
    Ok(6)
}

fn out_of_order(caller: &mut Caller<'_>, checks: &mut Checks) -> Result<u64, Fault> {
    let mut ids = Vec::new();
    for (i, ms) in (0..).zip([240, 160, 80, 0]) {
        ids.push(caller.send(&request("slow", [ms.into(), Value::Int(i)]))?);
    }
    caller.order.clear();
    while caller.waiting() < ids.len() {
        caller.turn()?;
    }
    let mut order = caller.order.clone();
    order.reverse();
    checks.check(order == ids, || format!("slow replies came as {order:?}"));
    for (i, id) in (0..).zip(ids) {
        let got = caller.wait(id)?;
        checks.same(&got, &Value::Int(i), "slow");
    }
    Ok(4)
}

/// Many at once, of many sizes.
fn bulk(
    caller: &mut Caller<'_>,
    checks: &mut Checks,
    requests: usize,
    concurrency: usize,
) -> Result<u64, Fault> {
    let content =
        |n: usize| Value::list([n.into(), "s".repeat(n.wrapping_mul(7919) % 2000).into()]);
    let mut flying = VecDeque::new();
    let (mut begun, mut wrong) = (0, 0);
    while begun < requests || !flying.is_empty() {
        while begun < requests && flying.len() < concurrency.max(1) {
            flying.push_back((caller.send(&request("echo", [content(begun)]))?, begun));
            begun += 1;
        }
        caller.turn()?;
        while let Some((id, got)) = caller.take() {
            let at = flying.iter().position(|(other, _)| *other == id);
            let want = at.and_then(|at| flying.remove(at)).map(|(_, n)| content(n));
            wrong += u32::from(got.ok() != want);
        }
    }
    checks.check(wrong == 0, || format!("bulk: {wrong} of {requests} wrong"));
    Ok(requests as u64)
}

/// The server drops the connection while requests wait.
pub(crate) fn loss(channel: Channel, checks: &mut Checks, net: &mut dyn Net) -> Result<(), Fault> {
    let mut caller = Caller::open(channel, false, net)?;
    let all = [
        request("hang", []),
        request("hang", []),
        request("drop", []),
    ];
    let mut ids = Vec::new();
    for content in &all {
        ids.push(caller.send(content)?);
    }
    for id in ids {
        let got = caller.wait(id)?;
        let holds = got
            .as_ref()
            .is_err_and(|why| why.is_empty() || why.starts_with("Connection"));
        checks.check(holds, || format!("{id} ended as {got:?}"));
    }
    let after = caller.send(&request("echo", [1.into()]));
    checks.check(after.is_err_and(|why| why.is_connection_error()), || {
        "send after loss".into()
    });
    Ok(())
}

fn contents(bytes: bool, longest: usize) -> Vec<Value> {
    let numbers = [
        0,
        1,
        -1,
        127,
        128,
        255,
        256,
        -32,
        -33,
        -128,
        -129,
        65_535,
        65_536,
        1 << 31,
        -(1 << 31),
        (1 << 32) - 1,
        1 << 32,
        1 << 53,
        (1 << 63) - 1,
        -(1 << 63),
        (1 << 64) - 1,
    ];
    let floats = [0.0, -0.5, 1.5, 1e300, std::f64::consts::PI, 5e-324];
    let texts = [
        "",
        "a",
        "ohai",
        "\u{e9}\u{4e2d}\u{1F600}",
        "quote \" back \\ slash / tab \t nl \n nul \0 del \u{7f}",
    ];
    let row = |n: i64| Value::list((0..n).map(Value::Int));
    let nested = Value::map([("c", Value::Nil)]);
    let mut all = vec![Value::Nil, true.into(), false.into()];
    all.extend(numbers.map(Value::integer));
    all.extend(floats.map(Value::Float));
    all.extend(texts.map(Value::from));
    let short = |n: &usize| *n <= longest;
    let texts = [31, 32, 255, 256, 65_536].into_iter().filter(short);
    all.extend(texts.map(|n| Value::Text("q".repeat(n))));
    all.extend([0, 1, 15, 16].map(row));
    all.push((0..4).fold(row(0), |inner, _| Value::list([inner])));
    all.push(Value::Map(vec![]));
    let inner = Value::map([("b", Value::list([1.into(), nested]))]);
    all.push(Value::map([("a", inner)]));
    all.push(Value::Map(
        (0..20)
            .map(|i: i64| (i.to_string().into(), i.into()))
            .collect(),
    ));
    all.push(Value::map([
        ("", Value::from("empty key")),
        ("\u{fc}", "umlaut".into()),
    ]));
    if bytes {
        let many = [vec![], vec![0, 255], vec![b'z'; 300], vec![128; 70_000]];
        let many = many.into_iter().filter(|bytes| bytes.len() <= longest);
        all.extend(many.map(Value::Bytes));
        all.push(Value::map([("bin", Value::Bytes(vec![1, 2]))]));
    }
    all
}
