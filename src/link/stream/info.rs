#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::TlsInfo;
use crate::net::{Endpoint, Sid};

/// What [`NetworkStream::extra_info`](super::NetworkStream::extra_info) knows under a key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ExtraInfo<'a> {
    /// `client_addr` and `server_addr`.
    Address(&'a Endpoint),
    /// `ssl_object`: version, cipher, application protocol, the peer's certificates.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    Tls(TlsInfo<'a>),
    /// `socket`.
    Socket {
        /// Its id in the net.
        sid: Sid,
        /// Its descriptor, where the net has descriptors.
        descriptor: Option<i32>,
    },
}
