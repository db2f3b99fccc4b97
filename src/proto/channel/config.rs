use std::sync::Arc;

use super::{ChannelLimits, Codec, MsgPack, Types, Value};

/// How a channel speaks: the same on both ends, as nothing is negotiated.
///
/// ```
/// use hio::proto::channel::{ChannelConfig, Json};
/// let config = ChannelConfig::with_codec(Json);
/// assert_eq!(config.codec.name(), "json");
/// assert_eq!(ChannelConfig::default().codec.name(), "msgpack");
/// ```
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// How messages become bytes. Default [`MsgPack`].
    pub codec: Arc<dyn Codec>,
    /// The types whose objects may be inside of messages. Default none.
    pub types: Types,
    /// What a channel may use.
    pub limits: ChannelLimits,
}

impl ChannelConfig {
    /// With this codec, and the defaults otherwise.
    pub fn with_codec(codec: impl Codec + 'static) -> Self {
        Self {
            codec: Arc::new(codec),
            types: Types::new(),
            limits: ChannelLimits::default(),
        }
    }

    /// With these types.
    #[must_use]
    pub fn with_types(mut self, types: Types) -> Self {
        self.types = types;
        self
    }

    /// With these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ChannelLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for ChannelConfig {
    fn default() -> Self {
        Self::with_codec(MsgPack)
    }
}

/// What is known of a connection: what aiomas' `get_extra_info` tells, typed; and by asyncio's
/// names with [`by_key`](Self::by_key).
///
/// ```
/// use hio::proto::channel::ExtraInfo;
/// let info = ExtraInfo { peername: Some(("127.0.0.1", 5555).into()), ..ExtraInfo::default() };
/// assert_eq!(info.by_key("peername").unwrap().to_string(), r#"["127.0.0.1", 5555]"#);
/// assert_eq!(info.by_key("cipher"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtraInfo {
    /// The peer's address.
    pub peername: Option<SocketName>,
    /// The address on this side.
    pub sockname: Option<SocketName>,
    /// The number of the socket in its net: for logs only.
    pub socket: Option<u64>,
    /// The name of the cipher suite and the version of TLS.
    pub cipher: Option<(String, String)>,
    /// The peer's certificate in DER.
    pub peercert: Option<Vec<u8>>,
}

/// An address as Python's sockets name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketName {
    /// IP address and port.
    Tcp(String, u16),
    /// A path, empty for a Unix socket without a name.
    Unix(String),
}

impl From<(&str, u16)> for SocketName {
    fn from((host, port): (&str, u16)) -> Self {
        Self::Tcp(host.to_owned(), port)
    }
}

impl SocketName {
    fn value(&self) -> Value {
        match self {
            Self::Tcp(host, port) => Value::list([host.as_str().into(), u32::from(*port).into()]),
            Self::Unix(path) => path.as_str().into(),
        }
    }
}

impl ExtraInfo {
    /// What asyncio has under a name: `peername`, `sockname`, `socket`, `cipher` (name, version
    /// and, as rustls does not tell it, nil for the bits) and `peercert` (in DER). `compression` is
    /// always none, and so are `sslcontext` and `ssl_object`, which are Python's own.
    #[must_use]
    pub fn by_key(&self, name: &str) -> Option<Value> {
        match name {
            "peername" => self.peername.as_ref().map(SocketName::value),
            "sockname" => self.sockname.as_ref().map(SocketName::value),
            "socket" => self.socket.map(Value::from),
            "cipher" => {
                let (suite, version) = self.cipher.as_ref()?;
                Some(Value::list([
                    suite.as_str().into(),
                    version.as_str().into(),
                    Value::Nil,
                ]))
            }
            "peercert" => self.peercert.clone().map(Value::Bytes),
            _ => None,
        }
    }

    /// The peer as Python prints it.
    pub(super) fn origin(&self) -> String {
        match &self.peername {
            None => "None".to_owned(),
            Some(SocketName::Tcp(host, port)) => format!("('{host}', {port})"),
            Some(SocketName::Unix(path)) => path.clone(),
        }
    }
}
