use super::Endpoint;

/// One datagram that [`Net::recv_from`](super::Net::recv_from) put into a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes of it in the buffer.
    pub len: usize,
    /// Who sent it; [`Endpoint::Unnamed`] for a Unix socket without a path.
    pub from: Endpoint,
    /// It was longer than the buffer, and its rest is lost.
    pub truncated: bool,
}

/// Options of a datagram socket. UDP's are ignored on Unix sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatagramOptions {
    /// Talk to this address only (connected mode): others are not heard, and refusals are told.
    pub to: Option<Endpoint>,
    /// May send to broadcast addresses (SO_BROADCAST). Off by default.
    pub broadcast: bool,
    /// Share the address with other sockets that say so too (SO_REUSEADDR), as receivers of one
    /// multicast group do. Off by default.
    pub reuse_addr: bool,
    /// Share the port, each datagram going to one of those who do (SO_REUSEPORT). Off by default.
    pub reuse_port: bool,
    /// An IPv6 socket takes no IPv4. Default: on, the same on every platform. Off, `[::]` takes both
    /// families, and IPv4 peers show as `::ffff:a.b.c.d`.
    pub v6_only: bool,
    /// At least so many bytes for the system's send buffer; 0 leaves the system's choice.
    pub send_buffer: usize,
    /// At least so many bytes for the system's receive buffer; 0 leaves the system's choice.
    pub recv_buffer: usize,
    /// Remove a Unix socket file at the path when nobody is bound behind it. On by default.
    pub unlink_stale: bool,
}

impl Default for DatagramOptions {
    fn default() -> Self {
        Self {
            to: None,
            broadcast: false,
            reuse_addr: false,
            reuse_port: false,
            v6_only: true,
            send_buffer: 0,
            recv_buffer: 0,
            unlink_stale: true,
        }
    }
}
