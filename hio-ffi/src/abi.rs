//! The types of the header. Their documentation is the header's.

#![expect(non_camel_case_types, reason = "these are the names in C")]

use std::ffi::{c_char, c_void};

/// A loop: sockets, servers and links that are stepped together. Never 0.
pub type hio_loop = u64;
/// A server: a listening socket and the links it accepted. Never 0.
pub type hio_server = u64;
/// A link: a connection, accepted by a server or dialled by hio_connect. Never 0.
pub type hio_link = u64;
/// How servers or clients speak TLS. 0 stands for none.
pub type hio_tls = u64;

/// The version of this interface. Structures may grow at their end without a new one.
pub const HIO_ABI: u32 = 1;
/// No end of time: in hio_due and hio_wait.
pub const HIO_FOREVER: u64 = 0xffff_ffff_ffff_ffff;
/// Loops that can be open at once in a process.
pub const HIO_LOOPS_MAX: u32 = 1024;
/// Bytes in a text that is handed in, at most; the zero at its end not counted.
pub const HIO_TEXT_MAX: u32 = 4096;

/// In hio_server_config.flags and hio_client_config.flags: a link stays open when its peer has
/// ended its side and all is sent and consumed. Without it, it is closed then.
pub const HIO_HOLD: u32 = 1;
/// In both: small segments may wait for larger ones (Nagle); without it TCP_NODELAY is set.
pub const HIO_DELAY: u32 = 2;
/// In both: silent connections are probed (60 s, then 6 times every 10 s).
pub const HIO_KEEPALIVE: u32 = 4;
/// In hio_server_config.flags: share the port with other sockets that do (SO_REUSEPORT).
pub const HIO_REUSE_PORT: u32 = 8;
/// In hio_server_config.flags: a listener on `[::]` takes IPv4, too.
pub const HIO_DUAL_STACK: u32 = 16;
/// In hio_client_config.flags: dial again after a failure or a loss.
pub const HIO_RECONNECT: u32 = 32;
/// For hio_client_config.reconnect_jitter_percent: none at all.
pub const HIO_NO_JITTER: u32 = 0xffff_ffff;

/// In hio_server_tls.flags and hio_client_tls.flags: only TLS 1.3 is spoken, not 1.2.
pub const HIO_TLS_13_ONLY: u32 = 1;
/// In both: a FIN without close_notify is an end like any other, not HIO_REASON_TRUNCATED.
pub const HIO_TLS_TOLERANT: u32 = 2;
/// In hio_server_tls.flags, with a client_ca: clients without a certificate are served, too.
pub const HIO_TLS_OPTIONAL: u32 = 4;
/// In hio_client_tls.flags: any name will do, if the certificate's issuer is trusted.
pub const HIO_TLS_ANY_NAME: u32 = 8;

/// In hio_link_info.flags: it stands in at least one direction and was not asked to close. With
/// TLS, the handshake is over.
pub const HIO_LINK_CONNECTED: u32 = 1;
/// In hio_link_info.flags: the peer has ended its side.
pub const HIO_LINK_CUTOFF: u32 = 2;
/// In hio_link_info.flags: it is over; reason says why.
pub const HIO_LINK_CLOSED: u32 = 4;
/// In hio_link_info.flags: hio_connect made it.
pub const HIO_LINK_DIALLED: u32 = 8;
/// In hio_link_info.flags: it speaks TLS, and the handshake is over.
pub const HIO_LINK_SECURE: u32 = 16;

/// What every call says. Negative: it failed, and nothing was done. Zero: it was done. Positive:
/// it was done, and there is something to know.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hio_status {
    /// Done.
    HIO_OK = 0,
    /// hio_tick: the budget is used up, and more is ready. Tick again before sleeping.
    HIO_MORE = 1,
    /// hio_next_event: none waits.
    HIO_NONE = 2,
    /// hio_link_tx: the queue is full, not all bytes were taken. HIO_EVENT_DRAINED tells of room.
    HIO_FULL = 3,
    /// hio_tick: so many events wait that nobody more was served. Take them, then tick again.
    HIO_EVENTS = 4,
    /// A pointer that must not be null is.
    HIO_ERR_NULL = -1,
    /// A number, a flag, a size or the length of a text is out of its range.
    HIO_ERR_ARGUMENT = -2,
    /// A text is not UTF-8.
    HIO_ERR_TEXT = -3,
    /// A text is not an address of the right kind.
    HIO_ERR_ADDRESS = -4,
    /// The handle names nothing, no longer, something of another kind or of another loop.
    HIO_ERR_HANDLE = -5,
    /// Another thread is inside a call on that loop.
    HIO_ERR_BUSY = -6,
    /// A defect of the library: it panicked. That loop can only be freed.
    HIO_ERR_PANIC = -7,
    /// A limit that cannot be kept: zero where that makes no sense, or too much.
    HIO_ERR_LIMITS = -8,
    /// No more loops, or handles, can be had.
    HIO_ERR_TOO_MANY = -9,
    /// The buffer is too small for the text. The needed length was stored.
    HIO_ERR_TOO_SMALL = -10,
    /// This platform or this build cannot do it.
    HIO_ERR_UNSUPPORTED = -11,
    /// Keys, certificates or trust do not do.
    HIO_ERR_TLS = -12,
    /// The link is closed or closing.
    HIO_ERR_CLOSED = -13,
    /// The sending side of the link was shut down.
    HIO_ERR_SHUT = -14,
    /// Not in this state of the link: see the call.
    HIO_ERR_STATE = -15,
    /// The name to listen on is being looked up. Try again later.
    HIO_ERR_PENDING = -16,
    /// Another socket listens there.
    HIO_ERR_ADDR_IN_USE = -32,
    /// The address is none of this machine's.
    HIO_ERR_ADDR_NOT_AVAILABLE = -33,
    /// Nobody listens at the other end.
    HIO_ERR_REFUSED = -34,
    /// The other side broke the connection.
    HIO_ERR_RESET = -35,
    /// The connection was given up by the system.
    HIO_ERR_ABORTED = -36,
    /// The system waited too long for the other side.
    HIO_ERR_TIMED_OUT = -37,
    /// There is no way to that host or network.
    HIO_ERR_UNREACHABLE = -38,
    /// The sending side is closed.
    HIO_ERR_BROKEN_PIPE = -39,
    /// There is no connection yet, or no longer.
    HIO_ERR_NOT_CONNECTED = -40,
    /// Out of descriptors, ports or memory; later it may work.
    HIO_ERR_EXHAUSTED = -41,
    /// The system does not allow it.
    HIO_ERR_DENIED = -42,
    /// There is no such path.
    HIO_ERR_NOT_FOUND = -43,
    /// A Unix socket path that the system cannot hold.
    HIO_ERR_PATH_TOO_LONG = -44,
    /// No address is known for the name.
    HIO_ERR_UNRESOLVABLE = -45,
    /// The operation makes no sense on this socket or with these arguments.
    HIO_ERR_INVALID = -46,
    /// Any other error of the system; the text has its number.
    HIO_ERR_SYSTEM = -47,
}

/// What happened.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hio_event_kind {
    /// No event.
    HIO_EVENT_NONE = 0,
    /// A server accepted a link: its handle, with the server's tag, is in the event.
    HIO_EVENT_ACCEPTED = 1,
    /// A dialled link stands; text is the address it reached.
    HIO_EVENT_CONNECTED = 2,
    /// The TLS handshake is over.
    HIO_EVENT_SECURED = 3,
    /// Bytes came: hio_link_rx. One such event waits at a time, however many times bytes come.
    HIO_EVENT_RECEIVED = 4,
    /// A queue that was full (HIO_FULL), or had been waiting for the peer, has been sent.
    HIO_EVENT_DRAINED = 5,
    /// The peer has ended its side; this side may still send. Unless it holds, the link is closed
    /// by itself once all is sent and consumed, from the next hio_tick on.
    HIO_EVENT_CUTOFF = 6,
    /// The link is over; reason, detail and text say why. What it had received can be read till
    /// the next hio_tick after this event was taken; then the handle names nothing.
    HIO_EVENT_CLOSED = 7,
    /// A dialled link failed or was lost, and will be dialled again after wait_ns; reason, detail
    /// and text say why, attempts counts the failures in a row.
    HIO_EVENT_RETRYING = 8,
    /// Bytes were given up with the connection that they belonged to: unsent, unread.
    HIO_EVENT_DROPPED = 9,
    /// A server accepts no more for now: text says why. They wait in the backlog.
    HIO_EVENT_ACCEPT_PAUSED = 10,
    /// It accepts again.
    HIO_EVENT_ACCEPT_RESUMED = 11,
    /// The listening socket is gone. The server's links live on.
    HIO_EVENT_LISTENER_LOST = 12,
    /// A server that was asked to drain is done. Its handle names nothing from the next hio_tick on.
    HIO_EVENT_SERVER_CLOSED = 13,
}

/// Why a link ended.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hio_reason {
    /// It has not.
    HIO_REASON_NONE = 0,
    /// The peer ended it in order.
    HIO_REASON_PEER_CLOSED = 1,
    /// This side ended it in order, all was sent, and the peer ended it too.
    HIO_REASON_CLOSED = 2,
    /// This side broke it off.
    HIO_REASON_ABORTED = 3,
    /// Its server was closed.
    HIO_REASON_OWNER_CLOSED = 4,
    /// The peer broke it off.
    HIO_REASON_RESET = 5,
    /// No traffic in either direction for too long.
    HIO_REASON_IDLE_TIMED_OUT = 6,
    /// The peer took none of the queued bytes for too long.
    HIO_REASON_WRITE_STALLED = 7,
    /// Closing: what was queued could not be sent in time.
    HIO_REASON_DRAIN_TIMED_OUT = 8,
    /// Closing: all was sent, but the peer did not end its side in time.
    HIO_REASON_LINGER_TIMED_OUT = 9,
    /// No connection came about in time.
    HIO_REASON_CONNECT_TIMED_OUT = 10,
    /// No connection came about; detail is the hio_status that says why.
    HIO_REASON_CONNECT_FAILED = 11,
    /// The system gave the connection up; detail is the hio_status that says why.
    HIO_REASON_LOST = 12,
    /// The TLS handshake was not over in time.
    HIO_REASON_HANDSHAKE_TIMED_OUT = 13,
    /// TLS failed; detail is the hio_tls_failure that says why.
    HIO_REASON_TLS = 14,
    /// The connection ended without the end that TLS has: what was received may not be all.
    HIO_REASON_TRUNCATED = 15,
    /// Something that this version of the header has no name for; the text says what.
    HIO_REASON_OTHER = 99,
}

/// Why TLS failed: in hio_event.detail with HIO_REASON_TLS.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hio_tls_failure {
    /// Something that this version of the header has no name for; the text says what.
    HIO_TLS_OTHER = 0,
    /// The certificate's time is over.
    HIO_TLS_EXPIRED = 1,
    /// The certificate's time has not begun.
    HIO_TLS_NOT_YET_VALID = 2,
    /// The certificate is for other host names.
    HIO_TLS_WRONG_NAME = 3,
    /// The certificate does not list the address.
    HIO_TLS_WRONG_ADDRESS = 4,
    /// The certificate is not meant for this end of a connection.
    HIO_TLS_WRONG_PURPOSE = 5,
    /// The certificate vouches for itself only.
    HIO_TLS_SELF_SIGNED = 6,
    /// Nobody who is trusted has issued the certificate.
    HIO_TLS_UNKNOWN_ISSUER = 7,
    /// The certificates that were sent do not lead from one to the next.
    HIO_TLS_BROKEN_CHAIN = 8,
    /// An issuer may not issue certificates for that name.
    HIO_TLS_NAME_CONSTRAINT = 9,
    /// The certificate was called back by its issuer.
    HIO_TLS_REVOKED = 10,
    /// Whether it was revoked is not to be found out.
    HIO_TLS_REVOCATION_UNKNOWN = 11,
    /// A certificate of an authority where one of an end was wanted.
    HIO_TLS_AUTHORITY_AS_END = 12,
    /// A signature on a certificate, or by its key, is wrong.
    HIO_TLS_BAD_SIGNATURE = 13,
    /// A certificate that cannot be read, or is refused for a rarer reason.
    HIO_TLS_BAD_CERTIFICATE = 14,
    /// A certificate was demanded and none was sent.
    HIO_TLS_NO_CERTIFICATE = 15,
    /// Both ends have no version, cipher or other property in common.
    HIO_TLS_INCOMPATIBLE = 16,
    /// Both ends have no application protocol in common.
    HIO_TLS_NO_PROTOCOL = 17,
    /// What came is no TLS, or breaks its rules.
    HIO_TLS_MISBEHAVED = 18,
    /// What came was changed on its way.
    HIO_TLS_TAMPERED = 19,
    /// The connection ended before the handshake had.
    HIO_TLS_LEFT = 20,
    /// The name to be verified is no host name and no address.
    HIO_TLS_BAD_NAME = 21,
    /// Anything else on this side: no entropy, no certificate for that name, a limit of the keys.
    HIO_TLS_LOCAL = 22,
    /// The peer gave up: this plus the number of its alert (RFC 8446, section 6).
    HIO_TLS_ALERT = 256,
}

/// How a loop is made. Zero everywhere is a good choice.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_loop_config {
    /// sizeof(hio_loop_config).
    pub size: usize,
    /// Threads that look host names up by the system's resolver, started when first needed. 0:
    /// none; addresses, localhost and names of hio_add_name are known without.
    pub resolver_threads: u32,
    /// Events that may wait before hio_tick serves nobody more. 0: 65 536.
    pub events_max: u32,
}

/// What a server or link may use. Every field: 0 is the default in brackets. Times are nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_limits {
    /// sizeof(hio_limits).
    pub size: usize,
    /// Connections of a server open at once; further ones wait in the backlog (16 384).
    pub connections_max: u64,
    /// Connections accepted in one tick (64).
    pub accepts_per_tick: u64,
    /// Bytes read from one link in one tick (65 536).
    pub rx_bytes_per_tick: u64,
    /// Bytes received and not consumed; at this many reading stops, and the peer feels it
    /// (262 144).
    pub rx_cap: u64,
    /// Bytes queued and not taken by the system; more are refused with HIO_FULL (1 048 576).
    pub tx_cap: u64,
    /// TLS handshakes that a server starts in one tick (16).
    pub handshakes_per_tick: u64,
    /// No traffic in either direction for so long ends a link. 0: it may be silent for ever.
    pub tymeout_ns: u64,
    /// How long queued bytes may wait without any of them being taken (30 s).
    pub write_stall_ns: u64,
    /// How long one attempt to connect may take, all addresses together (10 s).
    pub connect_ns: u64,
    /// How long an address is waited for before the next one is dialled, too; at least 10 ms
    /// (250 ms).
    pub connect_stagger_ns: u64,
    /// How long a TLS handshake may take in all (10 s).
    pub handshake_ns: u64,
    /// How long a link that this side has ended waits for the peer to end it, too (2 s).
    pub linger_ns: u64,
    /// How long a closing link has to send what is queued (10 s).
    pub drain_ns: u64,
    /// How long accepting pauses when the system is out of descriptors; at least 50 ms (60 ms).
    pub accept_pause_ns: u64,
}

/// How a server is made. Zero everywhere is a good choice.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_server_config {
    /// sizeof(hio_server_config).
    pub size: usize,
    /// Limits; null: the defaults.
    pub limits: *const hio_limits,
    /// From hio_tls_server_new; 0: links begin without TLS.
    pub tls: hio_tls,
    /// The host's own number: it is in every event of the server, and new links begin with it.
    pub tag: u64,
    /// HIO_HOLD, HIO_DELAY, HIO_KEEPALIVE, HIO_REUSE_PORT, HIO_DUAL_STACK.
    pub flags: u32,
    /// Connections that may wait to be accepted. 0: 1024; the system may cap it.
    pub backlog: u32,
}

/// How a link is dialled. Zero everywhere is a good choice.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_client_config {
    /// sizeof(hio_client_config).
    pub size: usize,
    /// Limits; null: the defaults.
    pub limits: *const hio_limits,
    /// From hio_tls_client_new; 0: the link begins without TLS.
    pub tls: hio_tls,
    /// The host's own number: it is in every event of the link.
    pub tag: u64,
    /// HIO_HOLD, HIO_DELAY, HIO_KEEPALIVE, HIO_RECONNECT. What follows counts only with the last.
    pub flags: u32,
    /// How much of a wait chance may take away, in percent. 0: 50; HIO_NO_JITTER: nothing.
    pub reconnect_jitter_percent: u32,
    /// The first wait. 0: 500 ms.
    pub reconnect_first_ns: u64,
    /// The longest wait. 0: 30 s.
    pub reconnect_max_ns: u64,
    /// How the wait grows with each attempt in vain. 0: 2.
    pub reconnect_factor: u32,
    /// Attempts in a row before it gives up; the first dial is not counted. 0: it never does.
    pub reconnect_attempts_max: u32,
}

/// A key or certificates, PEM or DER: a file (path), or its content (bytes). Not both; neither
/// where it is not needed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_source {
    /// A path in UTF-8; null if bytes are given.
    pub path: *const c_char,
    /// The content; null if a path is given.
    pub bytes: *const c_void,
    /// How many bytes.
    pub len: usize,
}

/// How servers speak TLS: versions 1.2 and 1.3, AEAD and forward secrecy only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_server_tls {
    /// sizeof(hio_server_tls).
    pub size: usize,
    /// The server's certificate, followed by those that lead to a root. Needed.
    pub certificate: hio_source,
    /// Its private key. Needed.
    pub key: hio_source,
    /// Who may issue certificates for clients. With it clients need one, see HIO_TLS_OPTIONAL.
    pub client_ca: hio_source,
    /// Application protocols, best first, separated by commas; null: none.
    pub alpn: *const c_char,
    /// HIO_TLS_13_ONLY, HIO_TLS_TOLERANT, HIO_TLS_OPTIONAL.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// How clients speak TLS.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_client_tls {
    /// sizeof(hio_client_tls).
    pub size: usize,
    /// Who is trusted to issue certificates for servers. Needed.
    pub ca: hio_source,
    /// The client's own certificate, for servers that ask for one.
    pub certificate: hio_source,
    /// Its private key.
    pub key: hio_source,
    /// The name that the server's certificate must have; null: the dialled one. Needed for Unix
    /// sockets, unless any name will do.
    pub name: *const c_char,
    /// Application protocols, best first, separated by commas; null: none.
    pub alpn: *const c_char,
    /// HIO_TLS_13_ONLY, HIO_TLS_TOLERANT, HIO_TLS_ANY_NAME.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// What happened: filled in by hio_next_event.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_event {
    /// sizeof(hio_event): set it before the call.
    pub size: usize,
    /// What happened.
    pub kind: hio_event_kind,
    /// Why: in HIO_EVENT_CLOSED and HIO_EVENT_RETRYING.
    pub reason: hio_reason,
    /// The link; 0 in events of a server.
    pub link: hio_link,
    /// The server, or the link's server; 0 for dialled links.
    pub server: hio_server,
    /// The host's own number of the link, in events of a server that of the server.
    pub tag: u64,
    /// More about the reason: see hio_reason.
    pub detail: i32,
    /// HIO_EVENT_RETRYING: failures in a row.
    pub attempts: u32,
    /// HIO_EVENT_RETRYING: how long after the tick it will be dialled.
    pub wait_ns: u64,
    /// HIO_EVENT_DROPPED: queued bytes that had not been sent.
    pub unsent: u64,
    /// HIO_EVENT_DROPPED: received bytes that had not been consumed.
    pub unread: u64,
    /// In words; never null. Valid until the next hio_next_event or hio_loop_free of the loop.
    pub text: *const c_char,
}

/// How a link stands: filled in by hio_link_look.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_link_info {
    /// sizeof(hio_link_info): set it before the call.
    pub size: usize,
    /// The HIO_LINK_ flags that hold.
    pub flags: u32,
    /// Why it ended, if it has.
    pub reason: hio_reason,
    /// More about the reason: see hio_reason.
    pub detail: i32,
    /// Zero.
    pub reserved: u32,
    /// Its server; 0 for dialled links.
    pub server: hio_server,
    /// The host's own number.
    pub tag: u64,
    /// Bytes received and not consumed.
    pub received: u64,
    /// Bytes queued that the system has not taken yet.
    pub pending: u64,
    /// Bytes that hio_link_tx would take now, if it stands.
    pub room: u64,
    /// The idle tymeout; 0: none.
    pub tymeout_ns: u64,
}

/// With whom a link speaks TLS: filled in by hio_link_tls. What it points to is not ended by a
/// zero, may be null, and is valid until the next hio_tick, hio_flush or hio_server_close of the
/// loop.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_tls_info {
    /// sizeof(hio_tls_info): set it before the call.
    pub size: usize,
    /// 0x0303 is TLS 1.2, 0x0304 is TLS 1.3.
    pub version: u32,
    /// 1 when an earlier session was resumed.
    pub resumed: u32,
    /// The application protocol that was agreed.
    pub alpn: *const u8,
    /// Its length.
    pub alpn_len: usize,
    /// The host name that the client asked for; known to servers only.
    pub server_name: *const u8,
    /// Its length.
    pub server_name_len: usize,
    /// The peer's certificate in DER: it was verified.
    pub certificate: *const u8,
    /// Its length.
    pub certificate_len: usize,
}

/// What a server has done since it was made: filled in by hio_server_stats.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hio_stats {
    /// sizeof(hio_stats): set it before the call.
    pub size: usize,
    /// Connections there are now.
    pub links: u64,
    /// Connections accepted.
    pub opened: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Bytes received; with TLS those of the program.
    pub received: u64,
    /// Bytes handed to the system to be sent; with TLS those of the program.
    pub sent: u64,
    /// Queued bytes that were dropped because their connection ended.
    pub unsent: u64,
    /// Accepts that failed.
    pub accept_errors: u64,
    /// How often accepting stopped because connections_max was reached.
    pub full_pauses: u64,
}
