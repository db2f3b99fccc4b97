//! What the server's functions are, for peers that call them by path.

use std::collections::BTreeMap;
use std::time::Duration;

use hio::proto::channel::Value;
use hio::proto::channel::rpc::{Call, Failure, Proxy, Service};
use hio::tyme::Tyme;

/// Calls to be answered later, by when and in which order.
#[derive(Default)]
pub(crate) struct Later {
    calls: BTreeMap<(Tyme, u64), (Call, Value)>,
    count: u64,
}

impl Later {
    pub(crate) fn due(&self) -> Tyme {
        let first = self.calls.first_key_value();
        first.map_or(Tyme::NEVER, |((due, _), _)| *due)
    }

    /// Answers what is due.
    pub(crate) fn answer(&mut self, tyme: Tyme) {
        while let Some(entry) = self.calls.first_entry() {
            if entry.key().0 > tyme {
                break;
            }
            let (mut call, result) = entry.remove();
            drop(call.reply(&result)); // whoever called may be gone
        }
    }
}

/// The functions that `aiomas_peer.py rpc-call` calls.
pub(crate) fn root() -> Service<Later> {
    let deep = Service::<Later>::new("peer.Deep").expose("neg", |_, call| {
        let [x] = call.bind([("x", None)])?;
        Ok(match number(&x)? {
            Number::Int(x) => x.wrapping_neg().into(),
            Number::Float(x) => (-x).into(),
        })
    });
    let sub = Service::<Later>::new("peer.Sub")
        .sub("deep", deep)
        .expose("mul", |_, call| {
            let [x, y] = call.bind([("x", None), ("y", None)])?;
            combine(&x, &y, i64::checked_mul, |x, y| x * y)
        });
    Service::<Later>::new("peer.Root")
        .sub("sub", sub)
        .hide("hidden")
        .hide("hidden_value")
        .expose("add", |_, call| {
            let [x, y] = call.bind([("x", None), ("y", Some(10.into()))])?;
            combine(&x, &y, i64::checked_add, |x, y| x + y)
        })
        .expose("mirror", |_, call| {
            let named = call.kwargs().iter().cloned();
            Ok(Value::list([
                Value::list(call.args().iter().cloned()),
                Value::map(named),
            ]))
        })
        .expose("div", |_, call| {
            let [x, y] = call.bind([("x", None), ("y", None)])?;
            match float(&y)? {
                0.0 => Err(Failure::new("ZeroDivisionError", "division by zero")),
                y => Ok((float(&x)? / y).into()),
            }
        })
        .expose_later("slow", |cx, mut call| {
            match call.bind([("ms", None), ("x", None)]) {
                Ok([ms, x]) => {
                    let pause = u64::try_from(ms.int().unwrap_or(0)).unwrap_or(0);
                    let due = cx.tyme + Duration::from_millis(pause);
                    cx.app.count += 1;
                    cx.app.calls.insert((due, cx.app.count), (call, x));
                }
                Err(why) => drop(call.fail(&why)),
            }
        })
        .expose_later("give", |cx, mut call| {
            let sub = cx.pack(&Proxy::root().at("sub"));
            drop(call.settle(sub.map_err(Failure::from)));
        })
        .expose_later("call_me", |cx, mut call| {
            let back = call
                .bind([("proxy", None), ("x", None)])
                .and_then(|[proxy, x]| {
                    let twice = cx.proxy(&proxy)?.at("twice");
                    Ok((twice, x))
                });
            match back {
                Ok((twice, x)) => {
                    let asked = cx.call_then(twice.path(), vec![x], vec![], move |_, outcome| {
                        let answer = outcome
                            .map_err(|why| Failure::new("RemoteException", why))
                            .and_then(|content| Ok(content.value()?));
                        let answer = answer.map(|x| Value::list(["called".into(), x]));
                        drop(call.settle(answer));
                    });
                    if let Err(why) = asked {
                        eprintln!("a peer cannot be called back: {why}");
                    }
                }
                Err(why) => drop(call.fail(&why)),
            }
        })
}

enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: &Value) -> Result<Number, Failure> {
    match value {
        Value::Int(n) => Ok(Number::Int(*n)),
        Value::Float(x) => Ok(Number::Float(*x)),
        other => {
            let why = format!("a number is wanted, not {}", other.kind());
            Err(Failure::new("TypeError", why))
        }
    }
}

fn float(value: &Value) -> Result<f64, Failure> {
    Ok(match number(value)? {
        Number::Int(n) => n as f64,
        Number::Float(x) => x,
    })
}

fn combine(
    x: &Value,
    y: &Value,
    whole: fn(i64, i64) -> Option<i64>,
    broken: fn(f64, f64) -> f64,
) -> Result<Value, Failure> {
    match (number(x)?, number(y)?) {
        (Number::Int(x), Number::Int(y)) => match whole(x, y) {
            Some(n) => Ok(n.into()),
            None => Err(Failure::new("OverflowError", "beyond 64 bits")),
        },
        _ => Ok(broken(float(x)?, float(y)?).into()),
    }
}
