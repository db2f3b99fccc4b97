use std::fmt;

use super::super::{ChannelError, CodecError, Request, Value};

/// A call by the peer: what it calls a function with, and the way to answer.
///
/// It may be kept and answered later, as a [`Request`]; one that is dropped without an answer
/// fails.
#[derive(Debug)]
pub struct Call {
    path: String,
    args: Vec<Value>,
    kwargs: Vec<(String, Value)>,
    request: Request,
}

/// Why a call failed, as Python names it: a type of error, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: String,
    message: String,
}

impl Failure {
    /// Of such a kind, for instance `ValueError`, with a message.
    pub fn new(kind: &str, message: impl fmt::Display) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.to_string(),
        }
    }
}

/// As the last line of a Python traceback.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.is_empty() {
            true => f.write_str(&self.kind),
            false => write!(f, "{}: {}", self.kind, self.message),
        }
    }
}

impl std::error::Error for Failure {}

impl From<CodecError> for Failure {
    fn from(why: CodecError) -> Self {
        Self::new("aiomas.exceptions.SerializationError", why)
    }
}

impl From<ChannelError> for Failure {
    fn from(why: ChannelError) -> Self {
        Self::new("ConnectionError", why)
    }
}

impl Call {
    /// Reads a request as a call: `[path, args, kwargs]`.
    pub(super) fn read(request: Request) -> Result<Self, Request> {
        let Ok(Value::List(parts)) = request.value() else {
            return Err(request);
        };
        let Ok([path, args, kwargs]) = <[Value; 3]>::try_from(parts) else {
            return Err(request);
        };
        let (Value::Text(path), Value::List(args), Value::Map(kwargs)) = (path, args, kwargs)
        else {
            return Err(request);
        };
        let named = kwargs.into_iter().map(|(name, value)| match name {
            Value::Text(name) => Some((name, value)),
            _ => None,
        });
        let Some(kwargs) = named.collect() else {
            return Err(request);
        };
        Ok(Self {
            path,
            args,
            kwargs,
            request,
        })
    }

    /// What was called: names joined by `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The arguments by position.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        &self.args
    }

    /// The arguments by name, in the order in which they came.
    #[must_use]
    pub fn kwargs(&self) -> &[(String, Value)] {
        &self.kwargs
    }

    /// The arguments in the order of these parameters, each with its default if it has one, by
    /// Python's rules.
    ///
    /// # Errors
    /// A TypeError in Python's words: too many arguments, one that is missing, unknown or given
    /// twice.
    pub fn bind<const N: usize>(
        &self,
        parameters: [(&str, Option<Value>); N],
    ) -> Result<[Value; N], Failure> {
        let wrong = |what: String| Failure::new("TypeError", format!("{}() {what}", self.name()));
        if self.args.len() > N {
            let given = self.args.len();
            return Err(wrong(format!(
                "takes {N} positional arguments but {given} were given"
            )));
        }
        let known = |name: &str| parameters.iter().position(|(known, _)| *known == name);
        for (name, _) in &self.kwargs {
            match known(name) {
                None => {
                    return Err(wrong(format!(
                        "got an unexpected keyword argument '{name}'"
                    )));
                }
                Some(at) if at < self.args.len() => {
                    return Err(wrong(format!("got multiple values for argument '{name}'")));
                }
                Some(_) => {}
            }
        }
        let mut bound = Vec::with_capacity(N);
        for (at, (name, default)) in parameters.into_iter().enumerate() {
            let named = || self.kwargs.iter().find(|(given, _)| given == name);
            let value = self
                .args
                .get(at)
                .or_else(|| named().map(|(_, value)| value));
            match value.cloned().or(default) {
                Some(value) => bound.push(value),
                None => {
                    return Err(wrong(format!(
                        "missing 1 required positional argument: '{name}'"
                    )));
                }
            }
        }
        bound
            .try_into()
            .map_err(|_| wrong("has other parameters".to_owned()))
    }

    /// The last name of the path.
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Answers.
    ///
    /// # Errors
    /// As [`Request::reply`].
    pub fn reply(&mut self, result: &Value) -> Result<(), ChannelError> {
        self.request.reply(result)
    }

    /// Fails.
    ///
    /// # Errors
    /// As [`Request::fail`].
    pub fn fail(&mut self, why: &Failure) -> Result<(), ChannelError> {
        self.request.fail(&why.to_string())
    }

    /// Answers with what came of it.
    ///
    /// # Errors
    /// As [`Request::reply`].
    pub fn settle(&mut self, outcome: Result<Value, Failure>) -> Result<(), ChannelError> {
        match outcome {
            Ok(result) => self.reply(&result),
            Err(why) => self.fail(&why),
        }
    }
}
