//! Traces as a simulation of a small cluster would write them, made up from a seed.

use std::fmt::Write;

pub(crate) struct Made {
    out: Vec<(u64, String)>,
    state: u64,
    id: u64,
}

const MS: u64 = 1_000_000;

impl Made {
    fn draw(&mut self, below: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (self.state >> 33) % below.max(1)
    }

    fn add(&mut self, tyme: u64, rest: String) {
        self.out.push((tyme, rest));
    }

    fn at(&mut self, tyme: u64, node: &str, path: &str, rest: &str) {
        let path = match path {
            "" => String::new(),
            path => format!(r#""path":"{path}","#),
        };
        self.add(tyme, format!(r#""node":"{node}",{path}{rest}"#));
    }

    /// A message; lost where `why` says so. When it arrives.
    fn send(&mut self, tyme: u64, from: &str, to: &str, kind: &str, why: Option<&str>) -> u64 {
        self.id += 1;
        let (id, bytes) = (self.id, 20 + self.draw(400));
        let sent =
            format!(r#""event":"send","id":{id},"to":"{to}","kind":"{kind}","bytes":{bytes}"#);
        self.at(tyme, from, "", &sent);
        let arrives = tyme + MS + self.draw(9) * MS / 3;
        match why {
            Some(why) => {
                let lost = format!(r#""event":"drop","id":{id},"why":"{why}""#);
                self.at(tyme + MS / 2, from, "", &lost);
            }
            None => {
                let came = format!(
                    r#""event":"recv","id":{id},"from":"{from}","kind":"{kind}","bytes":{bytes}"#
                );
                self.at(arrives, to, "", &came);
            }
        }
        arrives
    }

    fn lines(mut self) -> String {
        self.out.sort_by_key(|(tyme, _)| *tyme);
        let mut text = String::new();
        for (seq, (tyme, rest)) in self.out.iter().enumerate() {
            writeln!(text, r#"{{"tyme":{tyme},"seq":{seq},{rest}}}"#).unwrap();
        }
        text
    }
}

fn name(index: usize, nodes: usize) -> String {
    match nodes {
        ..=26 => char::from(b'a' + u8::try_from(index).unwrap()).to_string(),
        _ => format!("n{}", index + 1),
    }
}

/// A leader that tells the others that it lives; with faults, and with `bad` two leaders in the end.
pub(crate) fn cluster(nodes: usize, secs: u64, bad: bool, seed: u64) -> String {
    let mut made = Made {
        out: Vec::new(),
        state: seed,
        id: 0,
    };
    let names: Vec<String> = (0..nodes).map(|i| name(i, nodes)).collect();
    let end = secs * 1000 * MS;
    for one in &names {
        made.at(0, one, "", r#""event":"boot""#);
        for path in ["server", "election", "election/timer", "register"] {
            made.at(0, one, path, r#""event":"enter""#);
        }
        made.at(
            0,
            one,
            "server",
            r#""event":"listen","sid":1,"at":"10.0.0.1:7000""#,
        );
    }
    for (i, one) in names.iter().enumerate().skip(1) {
        let when = (2 + i as u64) * MS / 2;
        made.at(
            when,
            &names[0],
            "",
            r#""event":"connect","sid":2,"to":"10.0.0.2:7000""#,
        );
        let there = made.send(when, &names[0], one, "syn", None);
        let back = made.send(there, one, &names[0], "synack", None);
        made.at(back, &names[0], "", r#""event":"connected","sid":2"#);
        made.at(
            there,
            one,
            "server",
            r#""event":"accepted","sid":3,"peer":"10.0.0.1:40001""#,
        );
    }
    made.at(
        20 * MS,
        &names[0],
        "election",
        r#""event":"note","text":"became leader of term 1""#,
    );
    made.at(
        20 * MS,
        &names[0],
        "election",
        r#""event":"sometimes","name":"a leader is elected""#,
    );
    let (cut, crash) = (end * 2 / 5, end * 7 / 10);
    let second = cut + 400 * MS;
    let heal = if bad { u64::MAX } else { end * 11 / 20 };
    let (left, right) = names.split_at(nodes / 3 + 1);
    let what = format!(
        "partition {} | {}",
        left[..1].join(" "),
        names[1..].join(" ")
    );
    let _ = right;
    made.add(cut, format!(r#""event":"fault","what":"{what}""#));
    if heal < end {
        made.add(heal, format!(r#""event":"heal","what":"{what}""#));
    }
    made.add(
        end / 5,
        format!(r#""event":"fault","what":"skew {} 30ms""#, names[nodes - 1]),
    );
    let victim = names[nodes - 1].clone();
    if !bad {
        made.at(crash, &victim, "", r#""event":"crash""#);
        made.at(crash + 300 * MS, &victim, "", r#""event":"restart""#);
        made.at(crash + 300 * MS, &victim, "election", r#""event":"enter""#);
    }
    let beat = if nodes > 10 { 200 * MS } else { 50 * MS };
    let mut tyme = 30 * MS;
    let last = if bad { second + 600 * MS } else { end };
    while tyme < last {
        let parted = tyme >= cut && tyme < heal;
        made.at(tyme, &names[0], "election/timer", r#""event":"recur""#);
        for one in &names[1..] {
            let down = !bad && *one == victim && tyme >= crash && tyme < crash + 300 * MS;
            let lost = made.draw(40) == 0;
            let why = match (parted, down, lost) {
                (true, _, _) => Some("partition"),
                (_, true, _) => Some("crash"),
                (_, _, true) => Some("loss"),
                _ => None,
            };
            let there = made.send(tyme, &names[0], one, "data", why);
            if why.is_none() {
                made.at(there, one, "server", r#""event":"recur""#);
                made.at(there, one, "election", r#""event":"recur""#);
                made.send(there, one, &names[0], "ack", None);
            }
        }
        tyme += beat;
    }
    if bad {
        made.at(
            second,
            &names[1],
            "election",
            r#""event":"note","text":"no word of the leader for 400 ms: stands for term 2""#,
        );
        for one in &names[2..] {
            let there = made.send(second, &names[1], one, "data", None);
            made.send(there, one, &names[1], "data", None);
        }
        let won = second + 12 * MS;
        made.at(
            won,
            &names[1],
            "election",
            r#""event":"note","text":"became leader of term 2""#,
        );
        let tyme = second + 600 * MS;
        made.at(
            tyme,
            &names[0],
            "register",
            r#""event":"note","text":"wrote x = 5 in term 1, without a lease""#,
        );
        made.at(
            tyme + MS,
            &names[0],
            "register",
            r#""event":"always","name":"one leader holds the lease""#,
        );
        made.at(
            tyme + 40 * MS,
            &names[1],
            "register",
            r#""event":"always","name":"reads see the last write""#,
        );
    } else {
        for one in &names {
            made.at(end, one, "", r#""event":"ended","outcome":"limit""#);
        }
    }
    made.lines()
}
