// hio.h: servers and clients in a loop that the host steps, with time handed in.
// Written by cbindgen from the Rust source: do not edit.
//
// A turn of the host:
//
//     hio_due(loop, now, &wait);              how long nothing needs to be done
//     hio_wait(loop, wait);                   sleep, or watch hio_poll_fd in a loop of one's own
//     hio_tick(loop, now = my_clock(), 0);    look what is ready, and serve it
//     while (hio_next_event(loop, &event) == HIO_OK) ...
//                                             hio_link_rx, hio_link_consume, hio_link_tx, ...
//     hio_flush(loop, now);                   send the answers at once; else the next tick does
//
// Handles are numbers. One that is stale, made up, of another kind or of another loop gives
// HIO_ERR_HANDLE, in every call; no handle is ever given out twice.
//
// Time is the host's, in nanoseconds from any origin; it never goes back. No tymeout looks at any
// other clock. (The system's is used to sleep in hio_wait, and to judge certificates by their date.)
//
// Every call gives a hio_status: negative is an error, and nothing was done; hio_last_error says
// more. Results are stored only when it is not negative. No call blocks but hio_wait; look-ups of
// names and files of keys aside, none reads a file. Nothing calls back.
//
// Threads: one thread at a time is inside a call on a loop, another one is told HIO_ERR_BUSY. A loop
// may move from thread to thread. hio_interrupt may be called at any time. The library keeps
// nothing per thread, and starts none but those of resolver_threads.
//
// Pointers: null where the text does not allow it gives HIO_ERR_NULL, one that is not aligned
// HIO_ERR_ARGUMENT. Else they must point to what their type says: texts end with a zero, are UTF-8
// and at most HIO_TEXT_MAX bytes long; arrays have the length that is given. What is handed in is
// copied. What is lent says until when.
//
// Structures begin with their size: `hio_limits limits = {.size = sizeof limits};`, and all else is
// zero, which stands for the default. Later versions add fields at the end; flags and fields that
// this version does not know are refused, not ignored.
//
// A panic of the library is caught: HIO_ERR_PANIC, and that loop can only be freed.


#ifndef HIO_H
#define HIO_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface. Structures may grow at their end without a new one.
#define HIO_ABI 1

// No end of time: in hio_due and hio_wait.
#define HIO_FOREVER 18446744073709551615ull

// Loops that can be open at once in a process.
#define HIO_LOOPS_MAX 1024

// Bytes in a text that is handed in, at most; the zero at its end not counted.
#define HIO_TEXT_MAX 4096

// In hio_server_config.flags and hio_client_config.flags: a link stays open when its peer has
// ended its side and all is sent and consumed. Without it, it is closed then.
#define HIO_HOLD 1

// In both: small segments may wait for larger ones (Nagle); without it TCP_NODELAY is set.
#define HIO_DELAY 2

// In both: silent connections are probed (60 s, then 6 times every 10 s).
#define HIO_KEEPALIVE 4

// In hio_server_config.flags: share the port with other sockets that do (SO_REUSEPORT).
#define HIO_REUSE_PORT 8

// In hio_server_config.flags: a listener on `[::]` takes IPv4, too.
#define HIO_DUAL_STACK 16

// In hio_client_config.flags: dial again after a failure or a loss.
#define HIO_RECONNECT 32

// For hio_client_config.reconnect_jitter_percent: none at all.
#define HIO_NO_JITTER 4294967295

// In hio_server_tls.flags and hio_client_tls.flags: only TLS 1.3 is spoken, not 1.2.
#define HIO_TLS_13_ONLY 1

// In both: a FIN without close_notify is an end like any other, not HIO_REASON_TRUNCATED.
#define HIO_TLS_TOLERANT 2

// In hio_server_tls.flags, with a client_ca: clients without a certificate are served, too.
#define HIO_TLS_OPTIONAL 4

// In hio_client_tls.flags: any name will do, if the certificate's issuer is trusted.
#define HIO_TLS_ANY_NAME 8

// In hio_link_info.flags: it stands in at least one direction and was not asked to close. With
// TLS, the handshake is over.
#define HIO_LINK_CONNECTED 1

// In hio_link_info.flags: the peer has ended its side.
#define HIO_LINK_CUTOFF 2

// In hio_link_info.flags: it is over; reason says why.
#define HIO_LINK_CLOSED 4

// In hio_link_info.flags: hio_connect made it.
#define HIO_LINK_DIALLED 8

// In hio_link_info.flags: it speaks TLS, and the handshake is over.
#define HIO_LINK_SECURE 16

// What every call says. Negative: it failed, and nothing was done. Zero: it was done. Positive:
// it was done, and there is something to know.
enum hio_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    HIO_OK = 0,
    // hio_tick: the budget is used up, and more is ready. Tick again before sleeping.
    HIO_MORE = 1,
    // hio_next_event: none waits.
    HIO_NONE = 2,
    // hio_link_tx: the queue is full, not all bytes were taken. HIO_EVENT_DRAINED tells of room.
    HIO_FULL = 3,
    // hio_tick: so many events wait that nobody more was served. Take them, then tick again.
    HIO_EVENTS = 4,
    // A pointer that must not be null is.
    HIO_ERR_NULL = -1,
    // A number, a flag, a size or the length of a text is out of its range.
    HIO_ERR_ARGUMENT = -2,
    // A text is not UTF-8.
    HIO_ERR_TEXT = -3,
    // A text is not an address of the right kind.
    HIO_ERR_ADDRESS = -4,
    // The handle names nothing, no longer, something of another kind or of another loop.
    HIO_ERR_HANDLE = -5,
    // Another thread is inside a call on that loop.
    HIO_ERR_BUSY = -6,
    // A defect of the library: it panicked. That loop can only be freed.
    HIO_ERR_PANIC = -7,
    // A limit that cannot be kept: zero where that makes no sense, or too much.
    HIO_ERR_LIMITS = -8,
    // No more loops, or handles, can be had.
    HIO_ERR_TOO_MANY = -9,
    // The buffer is too small for the text. The needed length was stored.
    HIO_ERR_TOO_SMALL = -10,
    // This platform or this build cannot do it.
    HIO_ERR_UNSUPPORTED = -11,
    // Keys, certificates or trust do not do.
    HIO_ERR_TLS = -12,
    // The link is closed or closing.
    HIO_ERR_CLOSED = -13,
    // The sending side of the link was shut down.
    HIO_ERR_SHUT = -14,
    // Not in this state of the link: see the call.
    HIO_ERR_STATE = -15,
    // The name to listen on is being looked up. Try again later.
    HIO_ERR_PENDING = -16,
    // Another socket listens there.
    HIO_ERR_ADDR_IN_USE = -32,
    // The address is none of this machine's.
    HIO_ERR_ADDR_NOT_AVAILABLE = -33,
    // Nobody listens at the other end.
    HIO_ERR_REFUSED = -34,
    // The other side broke the connection.
    HIO_ERR_RESET = -35,
    // The connection was given up by the system.
    HIO_ERR_ABORTED = -36,
    // The system waited too long for the other side.
    HIO_ERR_TIMED_OUT = -37,
    // There is no way to that host or network.
    HIO_ERR_UNREACHABLE = -38,
    // The sending side is closed.
    HIO_ERR_BROKEN_PIPE = -39,
    // There is no connection yet, or no longer.
    HIO_ERR_NOT_CONNECTED = -40,
    // Out of descriptors, ports or memory; later it may work.
    HIO_ERR_EXHAUSTED = -41,
    // The system does not allow it.
    HIO_ERR_DENIED = -42,
    // There is no such path.
    HIO_ERR_NOT_FOUND = -43,
    // A Unix socket path that the system cannot hold.
    HIO_ERR_PATH_TOO_LONG = -44,
    // No address is known for the name.
    HIO_ERR_UNRESOLVABLE = -45,
    // The operation makes no sense on this socket or with these arguments.
    HIO_ERR_INVALID = -46,
    // Any other error of the system; the text has its number.
    HIO_ERR_SYSTEM = -47,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum hio_status hio_status;
#else
typedef int32_t hio_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a link ended.
enum hio_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It has not.
    HIO_REASON_NONE = 0,
    // The peer ended it in order.
    HIO_REASON_PEER_CLOSED = 1,
    // This side ended it in order, all was sent, and the peer ended it too.
    HIO_REASON_CLOSED = 2,
    // This side broke it off.
    HIO_REASON_ABORTED = 3,
    // Its server was closed.
    HIO_REASON_OWNER_CLOSED = 4,
    // The peer broke it off.
    HIO_REASON_RESET = 5,
    // No traffic in either direction for too long.
    HIO_REASON_IDLE_TIMED_OUT = 6,
    // The peer took none of the queued bytes for too long.
    HIO_REASON_WRITE_STALLED = 7,
    // Closing: what was queued could not be sent in time.
    HIO_REASON_DRAIN_TIMED_OUT = 8,
    // Closing: all was sent, but the peer did not end its side in time.
    HIO_REASON_LINGER_TIMED_OUT = 9,
    // No connection came about in time.
    HIO_REASON_CONNECT_TIMED_OUT = 10,
    // No connection came about; detail is the hio_status that says why.
    HIO_REASON_CONNECT_FAILED = 11,
    // The system gave the connection up; detail is the hio_status that says why.
    HIO_REASON_LOST = 12,
    // The TLS handshake was not over in time.
    HIO_REASON_HANDSHAKE_TIMED_OUT = 13,
    // TLS failed; detail is the hio_tls_failure that says why.
    HIO_REASON_TLS = 14,
    // The connection ended without the end that TLS has: what was received may not be all.
    HIO_REASON_TRUNCATED = 15,
    // Something that this version of the header has no name for; the text says what.
    HIO_REASON_OTHER = 99,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum hio_reason hio_reason;
#else
typedef int32_t hio_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What happened.
enum hio_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // No event.
    HIO_EVENT_NONE = 0,
    // A server accepted a link: its handle, with the server's tag, is in the event.
    HIO_EVENT_ACCEPTED = 1,
    // A dialled link stands; text is the address it reached.
    HIO_EVENT_CONNECTED = 2,
    // The TLS handshake is over.
    HIO_EVENT_SECURED = 3,
    // Bytes came: hio_link_rx. One such event waits at a time, however many times bytes come.
    HIO_EVENT_RECEIVED = 4,
    // A queue that was full (HIO_FULL), or had been waiting for the peer, has been sent.
    HIO_EVENT_DRAINED = 5,
    // The peer has ended its side; this side may still send. Unless it holds, the link is closed
    // by itself once all is sent and consumed, from the next hio_tick on.
    HIO_EVENT_CUTOFF = 6,
    // The link is over; reason, detail and text say why. What it had received can be read till
    // the next hio_tick after this event was taken; then the handle names nothing.
    HIO_EVENT_CLOSED = 7,
    // A dialled link failed or was lost, and will be dialled again after wait_ns; reason, detail
    // and text say why, attempts counts the failures in a row.
    HIO_EVENT_RETRYING = 8,
    // Bytes were given up with the connection that they belonged to: unsent, unread.
    HIO_EVENT_DROPPED = 9,
    // A server accepts no more for now: text says why. They wait in the backlog.
    HIO_EVENT_ACCEPT_PAUSED = 10,
    // It accepts again.
    HIO_EVENT_ACCEPT_RESUMED = 11,
    // The listening socket is gone. The server's links live on.
    HIO_EVENT_LISTENER_LOST = 12,
    // A server that was asked to drain is done. Its handle names nothing from the next hio_tick on.
    HIO_EVENT_SERVER_CLOSED = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum hio_event_kind hio_event_kind;
#else
typedef int32_t hio_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why TLS failed: in hio_event.detail with HIO_REASON_TLS.
enum hio_tls_failure
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Something that this version of the header has no name for; the text says what.
    HIO_TLS_OTHER = 0,
    // The certificate's time is over.
    HIO_TLS_EXPIRED = 1,
    // The certificate's time has not begun.
    HIO_TLS_NOT_YET_VALID = 2,
    // The certificate is for other host names.
    HIO_TLS_WRONG_NAME = 3,
    // The certificate does not list the address.
    HIO_TLS_WRONG_ADDRESS = 4,
    // The certificate is not meant for this end of a connection.
    HIO_TLS_WRONG_PURPOSE = 5,
    // The certificate vouches for itself only.
    HIO_TLS_SELF_SIGNED = 6,
    // Nobody who is trusted has issued the certificate.
    HIO_TLS_UNKNOWN_ISSUER = 7,
    // The certificates that were sent do not lead from one to the next.
    HIO_TLS_BROKEN_CHAIN = 8,
    // An issuer may not issue certificates for that name.
    HIO_TLS_NAME_CONSTRAINT = 9,
    // The certificate was called back by its issuer.
    HIO_TLS_REVOKED = 10,
    // Whether it was revoked is not to be found out.
    HIO_TLS_REVOCATION_UNKNOWN = 11,
    // A certificate of an authority where one of an end was wanted.
    HIO_TLS_AUTHORITY_AS_END = 12,
    // A signature on a certificate, or by its key, is wrong.
    HIO_TLS_BAD_SIGNATURE = 13,
    // A certificate that cannot be read, or is refused for a rarer reason.
    HIO_TLS_BAD_CERTIFICATE = 14,
    // A certificate was demanded and none was sent.
    HIO_TLS_NO_CERTIFICATE = 15,
    // Both ends have no version, cipher or other property in common.
    HIO_TLS_INCOMPATIBLE = 16,
    // Both ends have no application protocol in common.
    HIO_TLS_NO_PROTOCOL = 17,
    // What came is no TLS, or breaks its rules.
    HIO_TLS_MISBEHAVED = 18,
    // What came was changed on its way.
    HIO_TLS_TAMPERED = 19,
    // The connection ended before the handshake had.
    HIO_TLS_LEFT = 20,
    // The name to be verified is no host name and no address.
    HIO_TLS_BAD_NAME = 21,
    // Anything else on this side: no entropy, no certificate for that name, a limit of the keys.
    HIO_TLS_LOCAL = 22,
    // The peer gave up: this plus the number of its alert (RFC 8446, section 6).
    HIO_TLS_ALERT = 256,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum hio_tls_failure hio_tls_failure;
#else
typedef int32_t hio_tls_failure;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A loop: sockets, servers and links that are stepped together. Never 0.
typedef uint64_t hio_loop;

// What a server or link may use. Every field: 0 is the default in brackets. Times are nanoseconds.
typedef struct {
    // sizeof(hio_limits).
    size_t size;
    // Connections of a server open at once; further ones wait in the backlog (16 384).
    uint64_t connections_max;
    // Connections accepted in one tick (64).
    uint64_t accepts_per_tick;
    // Bytes read from one link in one tick (65 536).
    uint64_t rx_bytes_per_tick;
    // Bytes received and not consumed; at this many reading stops, and the peer feels it
    // (262 144).
    uint64_t rx_cap;
    // Bytes queued and not taken by the system; more are refused with HIO_FULL (1 048 576).
    uint64_t tx_cap;
    // TLS handshakes that a server starts in one tick (16).
    uint64_t handshakes_per_tick;
    // No traffic in either direction for so long ends a link. 0: it may be silent for ever.
    uint64_t tymeout_ns;
    // How long queued bytes may wait without any of them being taken (30 s).
    uint64_t write_stall_ns;
    // How long one attempt to connect may take, all addresses together (10 s).
    uint64_t connect_ns;
    // How long an address is waited for before the next one is dialled, too; at least 10 ms
    // (250 ms).
    uint64_t connect_stagger_ns;
    // How long a TLS handshake may take in all (10 s).
    uint64_t handshake_ns;
    // How long a link that this side has ended waits for the peer to end it, too (2 s).
    uint64_t linger_ns;
    // How long a closing link has to send what is queued (10 s).
    uint64_t drain_ns;
    // How long accepting pauses when the system is out of descriptors; at least 50 ms (60 ms).
    uint64_t accept_pause_ns;
} hio_limits;

// How servers or clients speak TLS. 0 stands for none.
typedef uint64_t hio_tls;

// How a link is dialled. Zero everywhere is a good choice.
typedef struct {
    // sizeof(hio_client_config).
    size_t size;
    // Limits; null: the defaults.
    const hio_limits *limits;
    // From hio_tls_client_new; 0: the link begins without TLS.
    hio_tls tls;
    // The host's own number: it is in every event of the link.
    uint64_t tag;
    // HIO_HOLD, HIO_DELAY, HIO_KEEPALIVE, HIO_RECONNECT. What follows counts only with the last.
    uint32_t flags;
    // How much of a wait chance may take away, in percent. 0: 50; HIO_NO_JITTER: nothing.
    uint32_t reconnect_jitter_percent;
    // The first wait. 0: 500 ms.
    uint64_t reconnect_first_ns;
    // The longest wait. 0: 30 s.
    uint64_t reconnect_max_ns;
    // How the wait grows with each attempt in vain. 0: 2.
    uint32_t reconnect_factor;
    // Attempts in a row before it gives up; the first dial is not counted. 0: it never does.
    uint32_t reconnect_attempts_max;
} hio_client_config;

// A link: a connection, accepted by a server or dialled by hio_connect. Never 0.
typedef uint64_t hio_link;

// A server: a listening socket and the links it accepted. Never 0.
typedef uint64_t hio_server;

// How a link stands: filled in by hio_link_look.
typedef struct {
    // sizeof(hio_link_info): set it before the call.
    size_t size;
    // The HIO_LINK_ flags that hold.
    uint32_t flags;
    // Why it ended, if it has.
    hio_reason reason;
    // More about the reason: see hio_reason.
    int32_t detail;
    // Zero.
    uint32_t reserved;
    // Its server; 0 for dialled links.
    hio_server server;
    // The host's own number.
    uint64_t tag;
    // Bytes received and not consumed.
    uint64_t received;
    // Bytes queued that the system has not taken yet.
    uint64_t pending;
    // Bytes that hio_link_tx would take now, if it stands.
    uint64_t room;
    // The idle tymeout; 0: none.
    uint64_t tymeout_ns;
} hio_link_info;

// How a loop is made. Zero everywhere is a good choice.
typedef struct {
    // sizeof(hio_loop_config).
    size_t size;
    // Threads that look host names up by the system's resolver, started when first needed. 0:
    // none; addresses, localhost and names of hio_add_name are known without.
    uint32_t resolver_threads;
    // Events that may wait before hio_tick serves nobody more. 0: 65 536.
    uint32_t events_max;
} hio_loop_config;

// What happened: filled in by hio_next_event.
typedef struct {
    // sizeof(hio_event): set it before the call.
    size_t size;
    // What happened.
    hio_event_kind kind;
    // Why: in HIO_EVENT_CLOSED and HIO_EVENT_RETRYING.
    hio_reason reason;
    // The link; 0 in events of a server.
    hio_link link;
    // The server, or the link's server; 0 for dialled links.
    hio_server server;
    // The host's own number of the link, in events of a server that of the server.
    uint64_t tag;
    // More about the reason: see hio_reason.
    int32_t detail;
    // HIO_EVENT_RETRYING: failures in a row.
    uint32_t attempts;
    // HIO_EVENT_RETRYING: how long after the tick it will be dialled.
    uint64_t wait_ns;
    // HIO_EVENT_DROPPED: queued bytes that had not been sent.
    uint64_t unsent;
    // HIO_EVENT_DROPPED: received bytes that had not been consumed.
    uint64_t unread;
    // In words; never null. Valid until the next hio_next_event or hio_loop_free of the loop.
    const char *text;
} hio_event;

// How a server is made. Zero everywhere is a good choice.
typedef struct {
    // sizeof(hio_server_config).
    size_t size;
    // Limits; null: the defaults.
    const hio_limits *limits;
    // From hio_tls_server_new; 0: links begin without TLS.
    hio_tls tls;
    // The host's own number: it is in every event of the server, and new links begin with it.
    uint64_t tag;
    // HIO_HOLD, HIO_DELAY, HIO_KEEPALIVE, HIO_REUSE_PORT, HIO_DUAL_STACK.
    uint32_t flags;
    // Connections that may wait to be accepted. 0: 1024; the system may cap it.
    uint32_t backlog;
} hio_server_config;

// What a server has done since it was made: filled in by hio_server_stats.
typedef struct {
    // sizeof(hio_stats): set it before the call.
    size_t size;
    // Connections there are now.
    uint64_t links;
    // Connections accepted.
    uint64_t opened;
    // Connections that ended.
    uint64_t closed;
    // Bytes received; with TLS those of the program.
    uint64_t received;
    // Bytes handed to the system to be sent; with TLS those of the program.
    uint64_t sent;
    // Queued bytes that were dropped because their connection ended.
    uint64_t unsent;
    // Accepts that failed.
    uint64_t accept_errors;
    // How often accepting stopped because connections_max was reached.
    uint64_t full_pauses;
} hio_stats;

// A key or certificates, PEM or DER: a file (path), or its content (bytes). Not both; neither
// where it is not needed.
typedef struct {
    // A path in UTF-8; null if bytes are given.
    const char *path;
    // The content; null if a path is given.
    const void *bytes;
    // How many bytes.
    size_t len;
} hio_source;

// How servers speak TLS: versions 1.2 and 1.3, AEAD and forward secrecy only.
typedef struct {
    // sizeof(hio_server_tls).
    size_t size;
    // The server's certificate, followed by those that lead to a root. Needed.
    hio_source certificate;
    // Its private key. Needed.
    hio_source key;
    // Who may issue certificates for clients. With it clients need one, see HIO_TLS_OPTIONAL.
    hio_source client_ca;
    // Application protocols, best first, separated by commas; null: none.
    const char *alpn;
    // HIO_TLS_13_ONLY, HIO_TLS_TOLERANT, HIO_TLS_OPTIONAL.
    uint32_t flags;
    // Zero.
    uint32_t reserved;
} hio_server_tls;

// How clients speak TLS.
typedef struct {
    // sizeof(hio_client_tls).
    size_t size;
    // Who is trusted to issue certificates for servers. Needed.
    hio_source ca;
    // The client's own certificate, for servers that ask for one.
    hio_source certificate;
    // Its private key.
    hio_source key;
    // The name that the server's certificate must have; null: the dialled one. Needed for Unix
    // sockets, unless any name will do.
    const char *name;
    // Application protocols, best first, separated by commas; null: none.
    const char *alpn;
    // HIO_TLS_13_ONLY, HIO_TLS_TOLERANT, HIO_TLS_ANY_NAME.
    uint32_t flags;
    // Zero.
    uint32_t reserved;
} hio_client_tls;

// With whom a link speaks TLS: filled in by hio_link_tls. What it points to is not ended by a
// zero, may be null, and is valid until the next hio_tick, hio_flush or hio_server_close of the
// loop.
typedef struct {
    // sizeof(hio_tls_info): set it before the call.
    size_t size;
    // 0x0303 is TLS 1.2, 0x0304 is TLS 1.3.
    uint32_t version;
    // 1 when an earlier session was resumed.
    uint32_t resumed;
    // The application protocol that was agreed.
    const uint8_t *alpn;
    // Its length.
    size_t alpn_len;
    // The host name that the client asked for; known to servers only.
    const uint8_t *server_name;
    // Its length.
    size_t server_name_len;
    // The peer's certificate in DER: it was verified.
    const uint8_t *certificate;
    // Its length.
    size_t certificate_len;
} hio_tls_info;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Dials. to is as in hio_listen; a host name is looked up without waiting for it. Bytes can be
// queued at once; they are sent when the link stands. config may be null.
//
// That nobody answers is no error here, but HIO_EVENT_CLOSED or HIO_EVENT_RETRYING. The handle is
// good until the tick after HIO_EVENT_CLOSED was taken.
hio_status hio_connect(hio_loop handle,
                       uint64_t now_ns,
                       const char *to,
                       const hio_client_config *config,
                       hio_link *out);

// What was received and not yet consumed: borrowed. Valid until the next hio_tick, hio_flush or
// hio_link_consume of this link, hio_server_close of its server, or hio_loop_free; hio_link_tx may
// be given it. With no bytes the pointer is not null, and must not be read.
hio_status hio_link_rx(hio_loop handle, hio_link link, const uint8_t **out_data, size_t *out_len);

// Takes received bytes away. HIO_ERR_ARGUMENT when there are fewer: then none are taken.
hio_status hio_link_consume(hio_loop handle, hio_link link, size_t len);

// Queues bytes: a copy. They are sent in the next hio_tick or hio_flush, or when the link stands.
// out_taken, which may be null, is set to how many were taken: all with HIO_OK, fewer with
// HIO_FULL, and then the rest is to be offered again after HIO_EVENT_DRAINED.
//
// HIO_ERR_CLOSED: it is over or closing. HIO_ERR_SHUT: after hio_link_shutdown.
hio_status hio_link_tx(hio_loop handle,
                       hio_link link,
                       const void *data,
                       size_t len,
                       size_t *out_taken);

// Ends this side once all that is queued is sent; receiving goes on.
hio_status hio_link_shutdown(hio_loop handle, hio_link link);

// Closes in order: sends what is queued, ends this side, waits for the peer to end its own, all
// within the limits drain and linger. A link that does not stand yet is given up. It is not dialled
// again. Nothing to do for one that is over.
hio_status hio_link_close(hio_loop handle, hio_link link);

// Breaks off, in the next hio_tick or hio_flush; the peer sees a reset, what is queued is dropped.
// It is not dialled again. Nothing to do for one that is over.
hio_status hio_link_abort(hio_loop handle, hio_link link);

// Says whether the link stays open when its peer has ended its side and all is sent and consumed:
// for answers that take longer. 0 or 1; see HIO_HOLD.
hio_status hio_link_hold(hio_loop handle, hio_link link, uint32_t hold);

// Sets the host's own number, which is in every event of the link that is taken from now on.
hio_status hio_link_set_tag(hio_loop handle, hio_link link, uint64_t tag);

// Sets the idle tymeout, counted from now_ns; 0: none.
hio_status hio_link_set_tymeout(hio_loop handle,
                                hio_link link,
                                uint64_t now_ns,
                                uint64_t tymeout_ns);

// Starts the idle tymeout anew, as traffic does.
hio_status hio_link_refresh(hio_loop handle, hio_link link, uint64_t now_ns);

// How a link stands. out->size must be set before.
hio_status hio_link_look(hio_loop handle, hio_link link, hio_link_info *out);

// The address of the other side, ended by a zero; empty while a dialled link does not stand, and
// "unix:(unnamed)" for most Unix peers. out_len as in hio_server_address.
hio_status hio_link_peer(hio_loop handle, hio_link link, char *buffer, size_t cap, size_t *out_len);

// The version of this interface that the library was built with: HIO_ABI of its header.
uint32_t hio_abi(void);

// The version of the library, as "0.1.0".
const char *hio_version(void);

// What a status means, in words. Any number will do; the text is never freed.
const char *hio_status_text(int32_t status);

// Makes a loop. now_ns is the host's clock, from any origin: all moments handed in later are of
// the same. config may be null. The loop is freed with hio_loop_free.
//
// HIO_ERR_TOO_MANY: HIO_LOOPS_MAX are open. HIO_ERR_EXHAUSTED: no descriptor is left.
hio_status hio_loop_new(uint64_t now_ns, const hio_loop_config *config, hio_loop *out);

// Closes all that is in a loop, at once, and frees it. What was borrowed from it is gone.
//
// HIO_ERR_BUSY: another thread is inside a call on it; it goes on.
hio_status hio_loop_free(hio_loop handle);

// Why the last call on this loop that failed did, in words; never null. Valid until the next call
// on the loop that fails, or hio_loop_free.
const char *hio_last_error(hio_loop handle);

// Looks what is ready, without waiting, and serves it: accepts, connects, shakes hands, receives,
// sends what was queued, ends what is out of time. now_ns is the moment it happens at; one before
// an earlier one counts as that.
//
// budget is how many ready sockets are served at most, each server or dialled link that has
// something to do counting as one at least; 0 is no limit. It counts work, not time: a socket costs
// at most rx_bytes_per_tick read and one send, a listening one accepts_per_tick. What is left over
// comes first in the next tick. Not counted is what the host itself asked of links since the last
// tick, and what is out of time.
//
// HIO_OK, HIO_MORE, or HIO_EVENTS: take events first. An error: polling itself is broken.
hio_status hio_tick(hio_loop handle, uint64_t now_ns, uint64_t budget);

// Sends what was queued since the last tick, and does nothing else of what a tick does.
hio_status hio_flush(hio_loop handle, uint64_t now_ns);

// How long after now_ns the host may sleep, in nanoseconds, if it wakes when hio_poll_fd is ready:
// 0 when there is something to do or an event waits, HIO_FOREVER when only sockets count.
hio_status hio_due(hio_loop handle, uint64_t now_ns, uint64_t *out_wait_ns);

// Sleeps until a socket is ready or hio_interrupt is called, at most wait_ns by the system's
// clock; not at all when there is something to do or an event waits. May wake early. Serves
// nobody: hio_tick does.
hio_status hio_wait(hio_loop handle, uint64_t wait_ns);

// Ends the hio_wait under way, or else the next one. From any thread, and from a signal handler.
hio_status hio_interrupt(hio_loop handle);

// The descriptor that is readable when a socket of the loop is ready, for poll, epoll or kqueue of
// the host. It stays the loop's own. Call hio_tick when it is readable, and hio_due before
// sleeping. HIO_ERR_UNSUPPORTED where there is none (Windows).
hio_status hio_poll_fd(hio_loop handle, int *out_fd);

// Gives a name addresses of its own, best first, separated by commas: "10.0.0.1,::1".
hio_status hio_add_name(hio_loop handle, const char *name, const char *addresses);

// Takes the event that has waited longest. HIO_OK and it is in out, or HIO_NONE and out's kind is
// HIO_EVENT_NONE. out->size must be set before. None is ever lost: see HIO_EVENTS.
hio_status hio_next_event(hio_loop handle, hio_event *out);

// Listens. at is HOST:PORT, as `127.0.0.1:5000`, `[::1]:5000`, `:5000` (all IPv4 interfaces) or
// `localhost:0` (a port of the system's choice: hio_server_address), or `unix:PATH`. config may be
// null.
//
// HIO_ERR_ADDRESS: that is no address. HIO_ERR_ADDR_IN_USE, HIO_ERR_DENIED and others: it cannot be
// listened on. HIO_ERR_LIMITS, HIO_ERR_HANDLE (of TLS), HIO_ERR_PENDING.
hio_status hio_listen(hio_loop handle,
                      const char *at,
                      const hio_server_config *config,
                      hio_server *out);

// Where a server listens: the bound address, ended by a zero. out_len, which may be null, is set to
// its length without the zero, also with HIO_ERR_TOO_SMALL.
hio_status hio_server_address(hio_loop handle,
                              hio_server server,
                              char *buffer,
                              size_t cap,
                              size_t *out_len);

// What a server has done so far. out->size must be set before.
hio_status hio_server_stats(hio_loop handle, hio_server server, hio_stats *out);

// Speaks TLS differently with those who are accepted from now on, for instance with a new
// certificate; 0: not at all.
hio_status hio_server_set_tls(hio_loop handle, hio_server server, hio_tls tls);

// Listens no more; links go on.
hio_status hio_server_stop_listening(hio_loop handle, hio_server server);

// Listens no more and closes all links in order. HIO_EVENT_SERVER_CLOSED says when that is done;
// the limits drain and linger bound how long it takes.
hio_status hio_server_drain(hio_loop handle, hio_server server);

// Closes a server and its links at once; what is queued is dropped. Its handle names nothing from
// now on. Each link still has its HIO_EVENT_CLOSED, and what it received can be read until then.
hio_status hio_server_close(hio_loop handle, hio_server server);

// How servers speak TLS: reads the files, and checks that all fits together. One handle serves any
// number of servers, which share their sessions. Links and servers that use it keep what they need
// when it is freed with hio_tls_free.
//
// HIO_ERR_TLS: hio_last_error says what is wrong. HIO_ERR_UNSUPPORTED: built without TLS.
hio_status hio_tls_server_new(hio_loop handle, const hio_server_tls *config, hio_tls *out);

// How clients speak TLS; as hio_tls_server_new.
hio_status hio_tls_client_new(hio_loop handle, const hio_client_tls *config, hio_tls *out);

// Frees a handle of TLS. Servers and links that were given it go on.
hio_status hio_tls_free(hio_loop handle, hio_tls tls);

// Begins a TLS handshake on a link that stands, plain or not: as server on accepted ones, as client
// on dialled ones. What is queued goes out before.
//
// HIO_ERR_STATE: it does not stand, is half closed, shakes hands, or received bytes are not
// consumed; hio_last_error says which. It goes on as it was.
hio_status hio_link_start_tls(hio_loop handle, hio_link link, hio_tls tls);

// With whom a link speaks TLS. out->size must be set before. HIO_ERR_STATE: it does not speak TLS,
// or its handshake is not over, or it is over.
hio_status hio_link_tls(hio_loop handle, hio_link link, hio_tls_info *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HIO_H */
