//! Options of sockets.

use std::time::Duration;

use hio::net::{ConnectOptions, Keepalive, ListenOptions, SocketOption};

use super::tale::text;
use super::{
    End::{A, B},
    Tale, stories,
};

stories! {
    All:
        buffers_are_at_least_as_large_as_asked
        a_linger_time_would_block_and_is_refused
        options_are_set_on_open_connections;
    Tcp:
        a_port_is_shared_by_those_who_all_say_so
        small_segments_may_wait;
}

fn buffers_are_at_least_as_large_as_asked(t: &mut Tale<'_>) {
    let listen = ListenOptions {
        send_buffer: 9_000,
        recv_buffer: 11_000,
        ..ListenOptions::default()
    };
    let (listener, at) = t.listen(B, &listen);
    let options = ConnectOptions {
        send_buffer: 12_000,
        recv_buffer: 10_000,
        ..ConnectOptions::default()
    };
    let client = t.dial_with(&at, &options);
    let (server, _) = t.accept(listener);
    t.stands(client);
    let (send, receive) = t.at(A, |net| net.buffer_sizes(client).expect("sizes"));
    t.note("A has them", (send >= 12_000, receive >= 10_000));
    let (send, receive) = t.at(B, |net| net.buffer_sizes(server).expect("sizes"));
    t.note("B has them", (send >= 9_000, receive >= 11_000));
    t.see(A, "sets", |net| {
        net.set_option(client, SocketOption::SendBuffer(50_000))
    });
    t.see(A, "sets", |net| {
        net.set_option(client, SocketOption::RecvBuffer(50_000))
    });
    let (send, receive) = t.at(A, |net| net.buffer_sizes(client).expect("sizes"));
    t.note("A has them", (send >= 50_000, receive >= 50_000));
}

fn a_linger_time_would_block_and_is_refused(t: &mut Tale<'_>) {
    let linger = Some(Duration::from_secs(1));
    let (free, group) = (t.address(B), t.group(B));
    t.see(B, "listens", |net| {
        net.listen(
            group,
            &free,
            &ListenOptions {
                linger,
                ..ListenOptions::default()
            },
        )
        .map(|_| ())
    });
    let (_, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(A);
    t.see(A, "dials", |net| {
        net.connect(
            group,
            &at,
            &ConnectOptions {
                linger,
                ..ConnectOptions::default()
            },
        )
        .map(|_| ())
    });
    let (client, _) = t.pair();
    t.see(A, "sets", |net| {
        net.set_option(client, SocketOption::Linger(linger))
    });
    t.see(A, "sets none", |net| {
        net.set_option(client, SocketOption::Linger(None))
    });
}

fn options_are_set_on_open_connections(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    for option in [
        SocketOption::Nodelay(false),
        SocketOption::Nodelay(true),
        SocketOption::Keepalive(Some(Keepalive::default())),
        SocketOption::Keepalive(None),
    ] {
        t.see(A, "sets", |net| net.set_option(client, option));
    }
    t.write(A, client, b"as before");
    let got = t.read(B, server, 9);
    t.note("B reads", text(&got));
}

fn a_port_is_shared_by_those_who_all_say_so(t: &mut Tale<'_>) {
    let sharing = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let (_, at) = t.listen(B, &sharing);
    let group = t.group(B);
    t.see(B, "shares", |net| {
        net.listen(group, &at, &sharing).map(|_| ())
    });
    t.see(B, "listens alone", |net| {
        net.listen(group, &at, &ListenOptions::default())
            .map(|_| ())
    });
}

fn small_segments_may_wait(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(
        B,
        &ListenOptions {
            nodelay: false,
            ..ListenOptions::default()
        },
    );
    let client = t.dial_with(
        &at,
        &ConnectOptions {
            nodelay: false,
            ..ConnectOptions::default()
        },
    );
    let (server, _) = t.accept(listener);
    t.stands(client);
    for _ in 0..20 {
        t.write(A, client, b"drop");
    }
    let got = t.read(B, server, 80);
    t.note("all came", got == b"drop".repeat(20));
}
