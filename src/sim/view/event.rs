use std::borrow::Cow;

/// One line of a trace.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) line: Cow<'a, str>,
    pub(super) tyme: u64,
    pub(super) node: Option<Cow<'a, str>>,
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) kind: Cow<'a, str>,
    /// What the event is about: the name of a check, the text of a note, the fault, the reason.
    pub(super) about: Option<Cow<'a, str>>,
}

/// How much an event matters when not all can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Doers that ran, acknowledgements: the beat of the run.
    Beat,
    /// What nodes said to each other.
    Talk,
    /// Faults, lives of nodes, notes, checks.
    Story,
}

impl<'a> Event<'a> {
    /// Reads a line of a trace or of a recording. None when it is none.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        match line.trim_start().starts_with('{') {
            true => Self::of_trace(line),
            false => Self::of_recording(line),
        }
    }

    /// Reads a JSON object without nested ones, that has a tyme and an event.
    fn of_trace(line: &'a str) -> Option<Self> {
        let mut rest = Json(line.trim());
        let (mut tyme, mut kind) = (None, None);
        let (mut node, mut path, mut about) = (None, None, None);
        rest.punctuation('{')?;
        loop {
            let key = rest.string()?;
            rest.punctuation(':')?;
            let value = rest.value()?;
            match (&*key, value) {
                ("tyme", Value::Number(number)) => tyme = number.parse().ok(),
                ("event", Value::Text(text)) => kind = Some(text),
                ("node", Value::Text(text)) => node = Some(text),
                ("path", Value::Text(text)) => path = Some(text),
                ("what" | "name" | "text" | "why" | "outcome" | "kind", Value::Text(text)) => {
                    about = Some(text);
                }
                _ => {}
            }
            if rest.punctuation(',').is_none() {
                break;
            }
        }
        rest.punctuation('}')?;
        rest.0.is_empty().then_some(())?;
        Some(Self {
            line: line.into(),
            tyme: tyme?,
            node,
            path,
            kind: kind?,
            about,
        })
    }

    /// Reads what `net::RecordedRun::next_line` gives: a number, seconds, an operation. Each socket
    /// has a lane of its own.
    fn of_recording(line: &'a str) -> Option<Self> {
        let (number, rest) = line.trim_start().split_once(' ')?;
        let (clock, what) = rest.trim_start().split_once("  ")?;
        let (secs, nanos) = clock.split_once('.')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if nanos.len() != 9 || ![number, secs, nanos].into_iter().all(digits) {
            return None;
        }
        let number: u64 = number.parse().ok()?;
        let (secs, nanos): (u64, u64) = (secs.parse().ok()?, nanos.parse().ok()?);
        let tyme = secs.checked_mul(1_000_000_000)?.checked_add(nanos)?;
        let end = what.find([' ', ':'])?;
        let (kind, about) = (&what[..end], what[end..].trim_start_matches([' ', ':']));
        if !kind.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
            return None;
        }
        let socket = about
            .split_once("Sid(")
            .and_then(|(_, sid)| sid.split_once(')'));
        let node = match socket {
            Some((sid, _)) => format!("socket {sid}"),
            None => "run".to_owned(),
        };
        let mut line = format!(r#"{{"tyme":{tyme},"seq":{number},"node":"#);
        quote(&node, &mut line);
        line.push_str(",\"event\":");
        quote(kind, &mut line);
        line.push_str(",\"text\":");
        quote(about, &mut line);
        line.push('}');
        Some(Self {
            line: line.into(),
            tyme,
            node: Some(node.into()),
            path: None,
            kind: kind.into(),
            about: Some(about.into()),
        })
    }

    /// A check that did not hold, or a node that failed.
    pub(super) fn is_violation(&self) -> bool {
        matches!(&*self.kind, "always" | "failed")
    }

    pub(super) fn weight(&self) -> Weight {
        match &*self.kind {
            "fault" | "heal" | "always" | "sometimes" | "reachable" | "note" | "probe-fault"
            | "boot" | "crash" | "restart" | "pause" | "resume" | "ended" | "failed" | "abort" => {
                Weight::Story
            }
            // The last ones are of recordings.
            "recur" | "now" | "wall" | "poll" | "woken" | "ready" | "mark" => Weight::Beat,
            "send" | "recv" | "drop" if self.about.as_deref() == Some("ack") => Weight::Beat,
            _ => Weight::Talk,
        }
    }

    pub(super) fn about(&self) -> &str {
        self.about.as_deref().unwrap_or_default()
    }
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Word,
}

/// What is left of a line. RFC 8259, but for nesting.
struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    fn punctuation(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(mark)?.trim_start();
        Some(())
    }

    fn value(&mut self) -> Option<Value<'a>> {
        if self.0.starts_with('"') {
            return self.string().map(Value::Text);
        }
        let end = self.0.find([',', '}', ' ', '\t']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word {
            "true" | "false" | "null" => Some(Value::Word),
            _ if is_number(word) => Some(Value::Number(word)),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.0.strip_prefix('"')?;
        let end = rest.find(['"', '\\'])?;
        if rest.as_bytes()[end] == b'"' {
            self.0 = &rest[end + 1..];
            return Some(rest[..end].into());
        }
        let mut text = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &rest[at + 1..];
                    return Some(text.into());
                }
                '\\' => {
                    let (at, escape) = chars.next()?;
                    text.push(match escape {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        '"' | '\\' | '/' => escape,
                        'u' => {
                            let digits = rest.get(at + 1..at + 5)?;
                            let code = u32::from_str_radix(digits, 16).ok()?;
                            chars.nth(3);
                            // Halves of pairs are not joined: names of people are rare here.
                            char::from_u32(code).unwrap_or('\u{fffd}')
                        }
                        _ => return None,
                    });
                }
                c => text.push(c),
            }
        }
        None
    }
}

/// Appends a string of JSON.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.parse::<f64>().is_ok_and(f64::is_finite)
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_a_trace_has() {
        let line = r#"{"tyme":15,"seq":7,"node":"a","path":"x/y","event":"note","text":"a \"b\" \u00e9\n<"}"#;
        let event = Event::read(line).unwrap();
        assert_eq!((event.tyme, &*event.line), (15, line));
        assert_eq!(event.node.as_deref(), Some("a"));
        assert_eq!(event.path.as_deref(), Some("x/y"));
        assert_eq!(event.about(), "a \"b\" é\n<");
        assert_eq!(event.weight(), Weight::Story);
        let spaced = r#" { "tyme" : 1 , "event" : "send" , "kind" : "ack", "up":true, "x":-1.5 } "#;
        assert_eq!(Event::read(spaced).unwrap().weight(), Weight::Beat);
    }

    #[test]
    fn reads_what_a_recording_has() {
        let line = r#"        12      1.500000003  read Sid(3.0) into 64 bytes: 5 "bytes""#;
        let event = Event::read(line).unwrap();
        assert_eq!((event.tyme, &*event.kind), (1_500_000_003, "read"));
        let json: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        assert_eq!(json["node"], "socket 3.0");
        assert_eq!(json["seq"], 12);
        assert_eq!(json["text"], r#"Sid(3.0) into 64 bytes: 5 "bytes""#);
        let now = Event::read("         0      0.000000000  now: 0").unwrap();
        assert_eq!(now.node.as_deref(), Some("run"));
        assert_eq!(now.weight(), Weight::Beat);
        for bad in [
            "1 2.5  read: x",
            "1 2.000000000 read",
            "x 2.000000000  read: 1",
            "1 99999999999999999999.000000000  a: b",
            "1 2.000000000  <b>: x",
        ] {
            assert!(Event::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_none_is_not_read() {
        for bad in [
            "",
            "{}",
            "[1]",
            "hello",
            r#"{"tyme":1}"#,
            r#"{"event":"send"}"#,
            r#"{"tyme":-1,"event":"send"}"#,
            r#"{"tyme":"1","event":"send"}"#,
            r#"{"tyme":1,"event":"send"} and more"#,
            r#"{"tyme":1,"event":"send""#,
            r#"{"tyme":1,"event":"se\qd"}"#,
            r#"{"tyme":1,"event":"\u12"}"#,
            r#"{"tyme":01,"event":"send"}"#,
            r#"{"tyme":1,"event":"send","x":alert(1)}"#,
        ] {
            assert!(Event::read(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in r#"[{}":,\\a-fnu0-9é -]{0,60}"#) {
            let _ = Event::read(&line);
        }

        #[test]
        fn every_string_is_read_as_others_read_it(text in "\\PC{0,40}") {
            let value = serde_json::json!({"event": "note", "text": text, "tyme": 3});
            let line = value.to_string();
            let event = Event::read(&line).unwrap();
            prop_assert_eq!(event.about(), text);
        }
    }
}
