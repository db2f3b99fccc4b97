use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use super::{CodecError, Typed, Value};

/// The types whose objects travel as `{"__type__": [id, repr]}`: what aiomas' codecs do by
/// `add_serializer`.
///
/// An id is the place in the order of registration, so both ends must register the same types in
/// the same order. A message with an id that is not registered ends the channel.
///
/// ```
/// use hio::proto::channel::{Types, Value};
/// struct Point(f64, f64);
/// let mut types = Types::new();
/// types.add_serializer(
///     |p: &Point| Ok(Value::list([p.0.into(), p.1.into()])),
///     |repr| match repr.items() {
///         Some([Value::Float(x), Value::Float(y)]) => Ok(Point(*x, *y)),
///         _ => Err("no point".to_owned()),
///     },
/// )?;
/// let value = types.pack(&Point(1.0, 2.0))?;
/// assert_eq!(types.unpack::<Point>(&value)?.1, 2.0);
/// # Ok::<(), hio::proto::channel::CodecError>(())
/// ```
#[derive(Clone, Default)]
pub struct Types {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    of: TypeId,
    name: &'static str,
    to: Arc<Serialize>,
    from: Arc<Deserialize>,
}

type Serialize = dyn Fn(&dyn Any) -> Result<Value, String> + Send + Sync;
type Deserialize = dyn Fn(&Value) -> Result<Box<dyn Any + Send>, String> + Send + Sync;

impl Types {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Registers a type, and gives its id.
    ///
    /// # Errors
    /// It is registered already.
    pub fn add_serializer<T: Any + Send>(
        &mut self,
        to: impl Fn(&T) -> Result<Value, String> + Send + Sync + 'static,
        from: impl Fn(&Value) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<u64, CodecError> {
        let (of, name) = (TypeId::of::<T>(), std::any::type_name::<T>());
        if self.entries.iter().any(|entry| entry.of == of) {
            let why = format!("There is already a serializer for type \"{name}\"");
            return Err(CodecError::Refused(why));
        }
        let id = self.len();
        self.entries.push(Entry {
            of,
            name,
            to: Arc::new(move |object| match object.downcast_ref() {
                Some(object) => to(object),
                None => Err("another type".to_owned()),
            }),
            from: Arc::new(move |repr| Ok(Box::new(from(repr)?))),
        });
        Ok(id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The object as it travels.
    ///
    /// # Errors
    /// Its type is not registered, or its serializer refuses.
    pub fn pack<T: Any + Send>(&self, object: &T) -> Result<Value, CodecError> {
        let of = TypeId::of::<T>();
        let mut all = self.entries.iter().zip(0..);
        let Some((entry, id)) = all.find(|(entry, _)| entry.of == of) else {
            return Err(CodecError::Unencodable(std::any::type_name::<T>()));
        };
        let repr = (entry.to)(object).map_err(CodecError::Refused)?;
        Ok(Value::Typed(Box::new(Typed { id, repr })))
    }

    /// The object that has travelled.
    ///
    /// # Errors
    /// It is no object of that type, or its deserializer refuses.
    pub fn unpack<T: Any + Send>(&self, value: &Value) -> Result<T, CodecError> {
        let Value::Typed(typed) = value else {
            return Err(refused("is no object of a registered type"));
        };
        let index = usize::try_from(typed.id).ok();
        let entry = index.and_then(|index| self.entries.get(index));
        let entry = entry.ok_or_else(|| CodecError::UnknownType(typed.id.to_string()))?;
        let object = (entry.from)(&typed.repr).map_err(CodecError::Refused)?;
        match object.downcast::<T>() {
            Ok(object) => Ok(*object),
            Err(_) => Err(refused("is an object of another type")),
        }
    }
}

fn refused(why: &str) -> CodecError {
    CodecError::Refused(why.to_owned())
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|entry| entry.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Celsius(i64);
    #[derive(Debug)]
    struct Kelvin;

    fn types() -> Types {
        let mut types = Types::new();
        let celsius = types.add_serializer(
            |c: &Celsius| Ok(c.0.into()),
            |repr| {
                repr.int()
                    .map(Celsius)
                    .ok_or_else(|| "no number".to_owned())
            },
        );
        assert_eq!(celsius, Ok(0));
        let kelvin = types.add_serializer(|_: &Kelvin| Err("too cold".into()), |_| Ok(Kelvin));
        assert_eq!(kelvin, Ok(1));
        types
    }

    #[test]
    fn objects_go_there_and_back() {
        let types = types();
        let value = types.pack(&Celsius(-40)).unwrap();
        let typed = Typed {
            id: 0,
            repr: Value::Int(-40),
        };
        assert_eq!(value, Value::Typed(Box::new(typed)));
        assert_eq!(types.unpack::<Celsius>(&value), Ok(Celsius(-40)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut types = types();
        let again = types.add_serializer(|_: &Celsius| Ok(Value::Nil), |_| Ok(Celsius(0)));
        assert!(
            again
                .unwrap_err()
                .to_string()
                .contains("already a serializer")
        );
        assert!(
            types
                .pack(&1u8)
                .unwrap_err()
                .to_string()
                .contains("No serializer found")
        );
        assert_eq!(
            types.pack(&Kelvin),
            Err(CodecError::Refused("too cold".into()))
        );
        let of = |id, repr| Value::Typed(Box::new(Typed { id, repr }));
        assert!(types.unpack::<Celsius>(&Value::Nil).is_err());
        assert!(types.unpack::<Celsius>(&of(0, "x".into())).is_err());
        assert!(
            types.unpack::<Celsius>(&of(1, Value::Nil)).is_err(),
            "a Kelvin"
        );
        assert!(types.unpack::<Celsius>(&of(2, Value::Nil)).is_err());
    }
}
