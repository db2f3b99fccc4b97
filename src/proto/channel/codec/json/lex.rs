//! The words of JSON (RFC 8259), and the three more that Python has.

use super::super::CodecError;

/// Walks along a text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// A number, by its text.
#[derive(Clone, Copy)]
pub(super) enum Number<'a> {
    Integer(&'a str),
    Float(&'a str),
    /// NaN, Infinity, -Infinity.
    Word(f64),
}

/// A string between its quotes.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Result<u8, CodecError> {
        let bytes = self.text.as_bytes();
        bytes.get(self.at).copied().ok_or(CodecError::Truncated)
    }

    pub(super) fn next(&mut self) -> Result<u8, CodecError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// Goes over white space.
    pub(super) fn space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), CodecError> {
        match self.next()? == byte {
            true => Ok(()),
            false => Err(self.wrong("a : is wanted")),
        }
    }

    /// Nothing but white space follows.
    pub(super) fn end(&mut self) -> Result<(), CodecError> {
        self.space();
        match self.at == self.text.len() {
            true => Ok(()),
            false => Err(CodecError::Trailing { at: self.at }),
        }
    }

    /// Something is wrong with what was just read.
    pub(super) const fn wrong(&self, why: &'static str) -> CodecError {
        CodecError::Syntax {
            format: "JSON",
            at: self.at.saturating_sub(1),
            why,
        }
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), CodecError> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        match word.as_bytes().starts_with(rest) {
            true => Err(CodecError::Truncated),
            false => Err(self.unknown()),
        }
    }

    const fn unknown(&self) -> CodecError {
        CodecError::Syntax {
            format: "JSON",
            at: self.at,
            why: "a value is wanted",
        }
    }

    pub(super) fn number(&mut self) -> Result<Number<'a>, CodecError> {
        match self.peek()? {
            b'N' => return self.word("NaN").map(|()| Number::Word(f64::NAN)),
            b'I' => {
                return self.word("Infinity").map(|()| Number::Word(f64::INFINITY));
            }
            _ => {}
        }
        let begin = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
            if self.peek()? == b'I' {
                return self
                    .word("Infinity")
                    .map(|()| Number::Word(f64::NEG_INFINITY));
            }
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err(self.unknown()),
        }
        let integer = self.at;
        self.fraction()?;
        self.exponent()?;
        let text = &self.text[begin..self.at];
        Ok(match self.at == integer {
            true if text == "-0" => Number::Integer("0"),
            true => Number::Integer(text),
            false => Number::Float(text),
        })
    }

    fn fraction(&mut self) -> Result<(), CodecError> {
        if self.peek() == Ok(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        Ok(())
    }

    fn exponent(&mut self) -> Result<(), CodecError> {
        if let Ok(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let b'+' | b'-' = self.peek()? {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), CodecError> {
        match self.peek()?.is_ascii_digit() {
            true => self.digits(),
            false => return Err(self.unknown()),
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_ok_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// A string, its escapes checked.
    pub(super) fn string(&mut self) -> Result<Quoted<'a>, CodecError> {
        if self.next()? != b'"' {
            return Err(self.wrong("a \" is wanted"));
        }
        let begin = self.at;
        let mut escaped = false;
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                0..=0x1f => return Err(self.wrong("a control character in a string")),
                _ => {}
            }
        }
        let raw = &self.text[begin..self.at - 1];
        Ok(Quoted { raw, escaped })
    }

    /// What follows a backslash; a surrogate with the other half of its pair.
    fn escape(&mut self) -> Result<(), CodecError> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.unit()? {
                0xd800..=0xdbff => {
                    if self.next()? != b'\\' || self.next()? != b'u' {
                        return Err(CodecError::Surrogate);
                    }
                    match self.unit()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(CodecError::Surrogate),
                    }
                }
                0xdc00..=0xdfff => Err(CodecError::Surrogate),
                _ => Ok(()),
            },
            _ => Err(self.wrong("an unknown escape")),
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, CodecError> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte).to_digit(16);
            unit = unit * 16
                + digit.ok_or_else(|| self.wrong("four hexadecimal digits are wanted"))?;
        }
        Ok(unit)
    }
}

impl Quoted<'_> {
    /// What it says.
    pub(super) fn text(self) -> Result<String, CodecError> {
        if !self.escaped {
            return Ok(self.raw.to_owned());
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut lexer = Lexer::new(self.raw);
        while let Some(at) = self.raw[lexer.at..].find('\\') {
            out.push_str(&self.raw[lexer.at..lexer.at + at]);
            lexer.at += at + 1;
            out.push(lexer.unescaped()?);
        }
        out.push_str(&self.raw[lexer.at..]);
        Ok(out)
    }

    /// Whether it says just this.
    pub(super) fn is(self, text: &str) -> bool {
        match self.escaped {
            false => self.raw == text,
            // As long as an escape of each character: what is longer need not be read.
            true => self.raw.len() <= 6 * text.len() && self.text().is_ok_and(|own| own == text),
        }
    }
}

impl Lexer<'_> {
    fn unescaped(&mut self) -> Result<char, CodecError> {
        Ok(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.unit()?;
                if let 0xd800..=0xdbff = code {
                    // Past the \u, which was checked.
                    self.next()?;
                    self.next()?;
                    code = 0x1_0000 + ((code & 0x3ff) << 10) + (self.unit()? & 0x3ff);
                }
                char::from_u32(code).ok_or(CodecError::Surrogate)?
            }
            itself => char::from(itself),
        })
    }
}
