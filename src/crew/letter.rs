/// A message that can be written down, so that a run which received it can be recorded and run
/// again.
///
/// Only a mailbox with a tape needs it: see [`Mailbox::with_tape`](super::Mailbox::with_tape).
/// What is read must be what was written.
///
/// ```
/// use hio::crew::Letter;
/// struct Job(u32);
/// impl Letter for Job {
///     fn write(&self, out: &mut Vec<u8>) {
///         out.extend(self.0.to_le_bytes());
///     }
///     fn read(bytes: &[u8]) -> Option<Self> {
///         Some(Self(u32::from_le_bytes(bytes.try_into().ok()?)))
///     }
/// }
/// let mut out = Vec::new();
/// Job(7).write(&mut out);
/// assert_eq!(Job::read(&out).map(|job| job.0), Some(7));
/// ```
pub trait Letter: Sized {
    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Makes it of what was written; `None` for any other bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Letter for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

impl Letter for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Letter for () {
    fn write(&self, _: &mut Vec<u8>) {}
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Letter for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}

numbers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);
