//! Checks JSON in one walk, without recursion.

use super::super::{Bounds, CodecError, Head, MessageKind, TYPE_KEY};
use super::lex::{Lexer, Number};

/// What is open at some point of the walk.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    List,
    Map,
    /// A map whose next value is that of `__type__`.
    TypeNext,
    /// The list of an id and a repr, at the first or the second of them.
    Pair(u8),
}

/// The kind and id of a message; the lexer stands before its content.
pub(super) fn head(lexer: &mut Lexer<'_>) -> Result<Head, CodecError> {
    lexer.space();
    match lexer.peek()? {
        b'[' => lexer.next()?,
        b'{' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n' | b'N' | b'I' => {
            return Err(CodecError::NotAMessage);
        }
        _ => return Err(lexer.number().err().unwrap_or(CodecError::NotAMessage)),
    };
    let kind = match number(lexer)? {
        Some(n) => MessageKind::from_number(n)?,
        None => return Err(CodecError::Kind("that is no integer".to_owned())),
    };
    let id = number(lexer)?.ok_or(CodecError::Id)?;
    Ok(Head { kind, id })
}

/// An integer and the comma after it; none when it is something else.
fn number(lexer: &mut Lexer<'_>) -> Result<Option<i128>, CodecError> {
    lexer.space();
    let number = match lexer.peek()? {
        b'0'..=b'9' | b'-' => lexer.number()?,
        b']' => return Err(CodecError::NotAMessage),
        _ => return Ok(None),
    };
    lexer.space();
    match (number, lexer.next()?) {
        (_, b']') => Err(CodecError::NotAMessage),
        (Number::Integer(digits), b',') => Ok(digits.parse().ok()),
        (_, b',') => Ok(None),
        _ => Err(lexer.wrong("a , is wanted")),
    }
}

/// Checks the value that the lexer stands before.
pub(super) fn value(lexer: &mut Lexer<'_>, bounds: &Bounds) -> Result<(), CodecError> {
    let mut walk = Walk {
        open: Vec::new(),
        items: 0,
        bounds,
    };
    loop {
        let entered = walk.begin(lexer)?;
        if !entered && walk.finish(lexer)? {
            return Ok(());
        }
    }
}

struct Walk<'a> {
    open: Vec<Level>,
    items: usize,
    bounds: &'a Bounds,
}

impl Walk<'_> {
    /// A value, or the beginning of one: true when something is to come in it.
    fn begin(&mut self, lexer: &mut Lexer<'_>) -> Result<bool, CodecError> {
        lexer.space();
        self.count()?;
        let byte = lexer.peek()?;
        if let Some(level) = self.open.last_mut() {
            match level {
                Level::TypeNext if byte != b'[' => {
                    return Err(CodecError::UnknownType("that is no pair".to_owned()));
                }
                Level::Pair(1) => return self.type_id(lexer).map(|()| false),
                _ => {}
            }
        }
        match byte {
            b'{' => self.enter_map(lexer),
            b'[' => self.enter_list(lexer),
            b'"' => lexer.string().map(|_| false),
            b't' => lexer.word("true").map(|()| false),
            b'f' => lexer.word("false").map(|()| false),
            b'n' => lexer.word("null").map(|()| false),
            _ => lexer.number().map(|_| false),
        }
    }

    /// What follows a value, until the next one is to begin; true when there is none.
    fn finish(&mut self, lexer: &mut Lexer<'_>) -> Result<bool, CodecError> {
        while let Some(level) = self.open.last_mut() {
            lexer.space();
            match (&level, lexer.next()?) {
                (Level::List, b',') => return Ok(false),
                (Level::Pair(1), b',') => {
                    *level = Level::Pair(2);
                    return Ok(false);
                }
                (Level::Pair(_), b',') | (Level::Pair(1), b']') => {
                    return Err(CodecError::UnknownType("that is no pair".to_owned()));
                }
                (Level::Map, b',') => {
                    self.key(lexer)?;
                    return Ok(false);
                }
                (Level::List | Level::Pair(_), b']') | (Level::Map, b'}') => {
                    self.open.pop();
                }
                (Level::Map, _) => return Err(lexer.wrong("a , or } is wanted")),
                _ => return Err(lexer.wrong("a , or ] is wanted")),
            }
        }
        Ok(true)
    }

    fn enter_list(&mut self, lexer: &mut Lexer<'_>) -> Result<bool, CodecError> {
        lexer.next()?;
        self.deeper()?;
        let pair = match self.open.last_mut() {
            Some(level @ Level::TypeNext) => {
                *level = Level::Map;
                true
            }
            _ => false,
        };
        lexer.space();
        match (lexer.peek()?, pair) {
            (b']', true) => Err(CodecError::UnknownType("that is no pair".to_owned())),
            (b']', false) => lexer.next().map(|_| false),
            (_, true) => {
                self.open.push(Level::Pair(1));
                Ok(true)
            }
            (_, false) => {
                self.open.push(Level::List);
                Ok(true)
            }
        }
    }

    fn enter_map(&mut self, lexer: &mut Lexer<'_>) -> Result<bool, CodecError> {
        lexer.next()?;
        self.deeper()?;
        lexer.space();
        if lexer.peek()? == b'}' {
            return lexer.next().map(|_| false);
        }
        self.open.push(Level::Map);
        self.key(lexer).map(|()| true)
    }

    /// A key and its colon, in the map that is open.
    fn key(&mut self, lexer: &mut Lexer<'_>) -> Result<(), CodecError> {
        lexer.space();
        self.count()?;
        let key = lexer.string()?;
        lexer.space();
        lexer.expect(b':')?;
        if key.is(TYPE_KEY) {
            if let Some(level) = self.open.last_mut() {
                *level = Level::TypeNext;
            }
        }
        Ok(())
    }

    fn type_id(&self, lexer: &mut Lexer<'_>) -> Result<(), CodecError> {
        let id = match lexer.peek()? {
            b'0'..=b'9' | b'-' => match lexer.number()? {
                Number::Integer(digits) => digits,
                Number::Float(_) | Number::Word(_) => "that is no integer",
            },
            _ => "that is no integer",
        };
        match id.parse::<u64>() {
            Ok(n) if n < self.bounds.types => Ok(()),
            _ => Err(CodecError::UnknownType(id.chars().take(40).collect())),
        }
    }

    fn deeper(&self) -> Result<(), CodecError> {
        match self.open.len() >= self.bounds.depth_max {
            true => Err(CodecError::TooDeep {
                max: self.bounds.depth_max,
            }),
            false => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), CodecError> {
        self.items += 1;
        match self.items > self.bounds.items_max {
            true => Err(CodecError::TooManyItems {
                max: self.bounds.items_max,
            }),
            false => Ok(()),
        }
    }
}
