use std::fmt;
use std::str::FromStr;

/// What a [`Pool`](super::Pool) sends: a value of Python's, as far as it can travel.
///
/// ```
/// use hio::proto::communicator::Object;
/// let point = Object::Tuple(vec![1.into(), Object::from(2.5), "name".into()]);
/// assert_ne!(point, Object::List(vec![1.into(), 2.5.into(), "name".into()]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Object {
    /// Python's None.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer above `i64::MAX`; smaller ones are [`Int`](Self::Int).
    UInt(u64),
    /// An integer beyond 64 bits.
    Big(BigInteger),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// A tuple: it travels under a name of its own.
    Tuple(Vec<Self>),
    /// A dict, in order. The Python package has only texts as keys. One with both keys `type` and
    /// `data` is taken for something registered by whoever receives it, as there.
    Map(Vec<(String, Self)>),
    /// Something of a registered type: see [`Packer::register`](super::Packer::register).
    Tagged(Box<Tagged>),
}

/// An object of a type that both sides have registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged {
    /// The name of the type.
    pub name: String,
    /// What it travels as.
    pub data: Object,
}

impl Object {
    /// An integer of any width, from its two's complement, least significant byte first.
    #[must_use]
    pub fn integer(bytes: &[u8]) -> Self {
        let big = BigInteger::from_le_bytes(bytes);
        match (big.to_i64(), big.to_u64()) {
            (Some(n), _) => Self::Int(n),
            (_, Some(n)) => Self::UInt(n),
            _ => Self::Big(big),
        }
    }

    /// A dict in the order given.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }
}

impl From<bool> for Object {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Object {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Object {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Object {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }
}

impl From<f64> for Object {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Object {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Object {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Object {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// An integer of any width.
///
/// Kept as the Python package sends it: two's complement, least significant byte first, in
/// `(bits + 8) / 8` bytes.
///
/// ```
/// use hio::proto::communicator::BigInteger;
/// let n: BigInteger = "-18446744073709551617".parse()?;
/// assert_eq!(n.to_string(), "-18446744073709551617");
/// assert_eq!(n.to_le_bytes().len(), 9);
/// # Ok::<(), hio::proto::communicator::BigIntegerError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInteger(Vec<u8>);

/// Not the digits of an integer, or more than a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the digits of an integer")]
pub struct BigIntegerError;

impl BigInteger {
    /// From two's complement, least significant byte first. No bytes are zero.
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        let sign = |byte: &u8| if byte & 0x80 == 0 { 0 } else { 0xff };
        let mut digits = bytes.to_vec();
        // No byte more than the sign needs.
        while let [.., before, last] = digits[..] {
            if last != sign(&before) || last != sign(&last) {
                break;
            }
            digits.pop();
        }
        if digits.is_empty() {
            digits.push(0);
        }
        // Python says (bits + 8) // 8, where -128 has 8 bits.
        if let [lower @ .., 0x80] = digits.as_slice() {
            if lower.iter().all(|&b| b == 0) {
                digits.push(0xff);
            }
        }
        Self(digits)
    }

    /// Two's complement, least significant byte first.
    #[must_use]
    pub fn to_le_bytes(&self) -> &[u8] {
        &self.0
    }

    fn is_negative(&self) -> bool {
        self.0.last().is_some_and(|b| b & 0x80 != 0)
    }

    fn to_i64(&self) -> Option<i64> {
        let fill = if self.is_negative() { 0xff } else { 0 };
        let mut wide = [fill; 8];
        let (kept, rest) = self.0.split_at(self.0.len().min(8));
        wide[..kept.len()].copy_from_slice(kept);
        let n = i64::from_le_bytes(wide);
        let same = (n < 0) == self.is_negative() && rest.iter().all(|&b| b == fill);
        same.then_some(n)
    }

    fn to_u64(&self) -> Option<u64> {
        let mut wide = [0; 8];
        let (kept, rest) = self.0.split_at(self.0.len().min(8));
        wide[..kept.len()].copy_from_slice(kept);
        let fits = !self.is_negative() && rest.iter().all(|&b| b == 0);
        fits.then(|| u64::from_le_bytes(wide))
    }
}

/// The other sign.
fn negate(digits: &mut [u8]) {
    let mut carry = true;
    for byte in digits {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

/// Decimal digits. The work grows with the square of their number.
impl fmt::Display for BigInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.clone();
        if self.is_negative() {
            f.write_str("-")?;
            rest.push(0xff); // room for the other sign
            negate(&mut rest);
        }
        // Groups of nine digits, the least significant first.
        let mut groups: Vec<u32> = Vec::new();
        while rest.iter().any(|&b| b != 0) {
            let mut left = 0_u64;
            for byte in rest.iter_mut().rev() {
                let part = left << 8 | u64::from(*byte);
                *byte = (part / GROUP).to_le_bytes()[0];
                left = part % GROUP;
            }
            groups.push(u32::try_from(left).unwrap_or(0));
            while rest.last() == Some(&0) {
                rest.pop();
            }
        }
        write!(f, "{}", groups.pop().unwrap_or(0))?;
        groups.iter().rev().try_for_each(|g| write!(f, "{g:09}"))
    }
}

impl fmt::Debug for BigInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BigInteger({} bytes)", self.0.len())
    }
}

impl FromStr for BigInteger {
    type Err = BigIntegerError;

    fn from_str(text: &str) -> Result<Self, BigIntegerError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let fine = (1..=DIGITS_MAX).contains(&digits.len());
        if !fine || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BigIntegerError);
        }
        let mut bytes: Vec<u8> = Vec::new();
        for digit in digits.bytes() {
            let mut carry = u16::from(digit - b'0');
            for byte in &mut bytes {
                let [low, high] = (u16::from(*byte) * 10 + carry).to_le_bytes();
                (*byte, carry) = (low, high.into());
            }
            if carry > 0 {
                bytes.push(carry.to_le_bytes()[0]);
            }
        }
        bytes.push(0);
        if text.starts_with('-') {
            negate(&mut bytes);
        }
        Ok(Self::from_le_bytes(&bytes))
    }
}

/// A billion: what a remainder may be so that a byte more fits 64 bits easily.
const GROUP: u64 = 1_000_000_000;
const DIGITS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_many_bytes_as_python() {
        for (n, bytes) in [
            ("0", 1),
            ("127", 1),
            ("128", 2),
            ("-127", 1),
            ("-128", 2),
            ("-129", 2),
            ("18446744073709551616", 9),
            ("-9223372036854775809", 9),
        ] {
            let big: BigInteger = n.parse().unwrap();
            assert_eq!(big.to_le_bytes().len(), bytes, "{n}");
            assert_eq!(big.to_string(), n);
        }
        for wrong in ["", "-", "+1", " 1", "1e3", "--1"] {
            assert_eq!(wrong.parse::<BigInteger>(), Err(BigIntegerError));
        }
    }

    proptest! {
        #[test]
        fn there_and_back(n: i128) {
            let big: BigInteger = n.to_string().parse().unwrap();
            prop_assert_eq!(big.to_string(), n.to_string());
            prop_assert_eq!(BigInteger::from_le_bytes(&n.to_le_bytes()), big.clone());
            let object = Object::integer(big.to_le_bytes());
            match (i64::try_from(n), u64::try_from(n)) {
                (Ok(n), _) => prop_assert_eq!(object, Object::Int(n)),
                (_, Ok(n)) => prop_assert_eq!(object, Object::UInt(n)),
                _ => prop_assert_eq!(object, Object::Big(big)),
            }
        }
    }
}
