//! How connections end: in order, half, with a reset, and what is left of their ids.

use std::time::Duration;

use hio::net::{ConnectOptions, ListenOptions, NetError, Owner, Shutdown, Sid, SocketOption};

use super::tale::text;
use super::{
    End::{A, B},
    Tale, stories,
};

stories! {
    All:
        half_close_lets_the_answer_through
        a_server_may_end_its_side_first
        both_sides_end_one_after_the_other
        an_end_that_comes_with_the_data_is_not_missed
        an_end_without_data
        the_end_stays_the_end
        nothing_is_written_after_the_end
        pieces_are_not_written_after_the_end
        ending_twice_is_no_error
        a_receiving_side_that_is_shut_reads_as_the_end
        shutting_both_sides_is_seen_by_the_peer
        a_listener_has_no_sending_side
        a_listener_that_is_shut_keeps_those_who_wait
        writing_to_who_has_gone_is_an_error
        what_was_sent_before_the_close_is_read_after_it
        a_server_that_hangs_up_at_once
        a_closed_id_reaches_nothing
        closing_twice_closes_once
        a_stale_id_never_reaches_the_socket_in_its_place
        nobody_accepts_from_a_connection
        nobody_reads_from_a_listener;
    Tcp:
        closing_with_unread_bytes_is_a_reset
        linger_zero_is_a_reset
        linger_zero_of_the_listener_is_its_connections
        a_reset_overtakes_or_follows_what_was_sent
        nothing_is_written_after_a_reset
        a_reset_after_the_end_is_told_or_not;
}

fn half_close_lets_the_answer_through(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(A, client, b"question");
    t.finish(A, client);
    let (got, how) = t.drain(B, server);
    t.note("B reads to the end", (text(&got), how));
    t.see(B, "answers", |net| net.write(server, b"answer"));
    t.close(B, server);
    let (got, how) = t.drain(A, client);
    t.note("A reads to the end", (text(&got), how));
}

fn a_server_may_end_its_side_first(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(B, server, b"goodbye");
    t.finish(B, server);
    let (got, how) = t.drain(A, client);
    t.note("A reads to the end", (text(&got), how));
    t.see(A, "goes on", |net| net.write(client, b"one more thing"));
    let got = t.read(B, server, 14);
    t.note("B reads", text(&got));
    t.close(A, client);
    let seen = t.drain(B, server);
    t.note("and then", seen);
}

fn both_sides_end_one_after_the_other(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.finish(A, client);
    t.finish(B, server);
    let seen = t.drain(A, client);
    t.note("A reads", seen);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
    t.see(A, "writes", |net| net.write(client, b"x"));
    t.see(B, "writes", |net| net.write(server, b"x"));
}

fn an_end_that_comes_with_the_data_is_not_missed(t: &mut Tale<'_>) {
    for round in 0..10 {
        let (client, server) = t.pair();
        t.write(A, client, b"last");
        t.at(A, |net| net.close(client));
        let (got, how) = t.drain(B, server);
        t.note(&format!("B reads to the end, {round}"), (text(&got), how));
        t.at(B, |net| net.close(server));
    }
}

fn an_end_without_data(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.close(A, client);
    t.calm();
    t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
}

fn the_end_stays_the_end(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.finish(A, client);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
    for _ in 0..3 {
        t.calm();
        t.see(B, "reads again", |net| net.read(server, &mut [0; 8]));
    }
}

fn nothing_is_written_after_the_end(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.finish(A, client);
    t.see(A, "writes", |net| net.write(client, b"more"));
    t.calm();
    t.see(A, "writes", |net| net.write(client, b"more"));
    // Its receiving side is open.
    t.write(B, server, b"hear me");
    let got = t.read(A, client, 7);
    t.note("A reads", text(&got));
}

fn pieces_are_not_written_after_the_end(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    t.finish(A, client);
    let pieces = [
        std::io::IoSlice::new(b"more"),
        std::io::IoSlice::new(b"of it"),
    ];
    t.see(A, "writes pieces", |net| {
        net.write_vectored(client, &pieces)
    });
}

fn ending_twice_is_no_error(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.finish(A, client);
    t.finish(A, client);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
}

fn a_receiving_side_that_is_shut_reads_as_the_end(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "shuts its receiving side", |net| {
        net.shutdown(client, Shutdown::Receive)
    });
    let seen = t.drain(A, client);
    t.note("A reads", seen);
    t.see(A, "writes", |net| net.write(client, b"still"));
    let got = t.read(B, server, 5);
    t.note("B reads", text(&got));
}

fn shutting_both_sides_is_seen_by_the_peer(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(A, client, b"all");
    t.see(A, "shuts both", |net| net.shutdown(client, Shutdown::Both));
    let seen = t.drain(A, client);
    t.note("A reads", seen);
    t.see(A, "writes", |net| net.write(client, b"x"));
    let (got, how) = t.drain(B, server);
    t.note("B reads to the end", (text(&got), how));
}

fn a_listener_has_no_sending_side(t: &mut Tale<'_>) {
    let (listener, _) = t.listen(B, &ListenOptions::default());
    for how in [Shutdown::Send, Shutdown::Both] {
        t.see(B, "shuts a listener", |net| net.shutdown(listener, how));
    }
}

/// As a server does that comes to its end. Not every system can: then it is not done at all.
fn a_listener_that_is_shut_keeps_those_who_wait(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let first = t.dial(&at);
    t.stands(first);
    t.calm();
    let shut = t.at(B, |net| net.shutdown(listener, Shutdown::Receive));
    if shut.is_ok() {
        let second = t.at(A, |net| {
            let group = net.group(Owner::NONE);
            net.connect(group, &at, &ConnectOptions::default())
        });
        t.calm();
        let stands = second.and_then(|sid| t.at(A, |net| net.connected(sid)));
        t.note("a second one stands", stands == Ok(true));
    } else {
        t.note("a second one stands", false);
    }
    let (server, _) = t.accept(listener);
    t.write(A, first, b"here");
    let got = t.read(B, server, 4);
    t.note("B reads", text(&got));
    let more = t.at(B, |net| net.accept(listener));
    t.note("more wait", more.is_ok_and(|one| one.is_some()));
}

/// Whether it is a reset or a broken pipe, and at which write, depends on what came back when.
fn writing_to_who_has_gone_is_an_error(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.close(A, client);
    let why = t.until(B, "an error", |net| net.write(server, b"x").err());
    t.note("is a cutoff", why.is_cutoff());
    t.calm();
    let why = t.at(B, |net| net.write(server, b"x"));
    t.note("again", why.is_err_and(NetError::is_cutoff));
}

fn what_was_sent_before_the_close_is_read_after_it(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(A, client, &[b'z'; 20_000]);
    t.close(A, client);
    t.calm();
    let (got, how) = t.drain(B, server);
    t.note("B reads to the end", (got.len(), how));
}

fn a_server_that_hangs_up_at_once(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.close(B, server);
    let seen = t.drain(A, client);
    t.note("A reads", seen);
}

/// Everything one can do with a stream.
fn try_all(t: &mut Tale<'_>, stale: Sid) {
    t.see(A, "reads", |net| net.read(stale, &mut [0; 8]));
    t.see(A, "writes", |net| net.write(stale, b"x"));
    t.see(A, "accepts", |net| net.accept(stale));
    t.see(A, "connected", |net| net.connected(stale));
    t.see(A, "shuts", |net| net.shutdown(stale, Shutdown::Both));
    t.see(A, "local", |net| net.local(stale));
    t.see(A, "peer", |net| net.peer(stale));
    t.see(A, "buffers", |net| net.buffer_sizes(stale));
    t.see(A, "sets", |net| {
        net.set_option(stale, SocketOption::Nodelay(true))
    });
    t.at(A, |net| net.mark(stale));
    t.at(A, |net| net.close(stale));
    let marks = t.ready(A).len();
    t.note("marks", marks);
}

fn a_closed_id_reaches_nothing(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    t.settle();
    t.close(A, client);
    try_all(t, client);
    try_all(t, Sid::new(u32::MAX, 0));
    try_all(t, Sid::new(77, 1));
}

fn closing_twice_closes_once(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.close(A, client);
    t.close(A, client);
    let (second, other) = t.pair();
    t.close(A, client);
    t.write(A, second, b"alive");
    let got = t.read(B, other, 5);
    t.note("B reads", text(&got));
    let seen = t.drain(B, server);
    t.note("of the first", seen);
}

fn a_stale_id_never_reaches_the_socket_in_its_place(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.close(A, client);
    t.close(B, server);
    let (second, other) = t.pair();
    t.note("another id", second != client);
    t.settle();
    try_all(t, client);
    t.write(A, second, b"fine");
    let got = t.read(B, other, 4);
    t.note("B reads", text(&got));
}

fn nobody_accepts_from_a_connection(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "accepts", |net| {
        net.accept(client).map(|one| one.is_some())
    });
    t.see(B, "accepts", |net| {
        net.accept(server).map(|one| one.is_some())
    });
}

fn nobody_reads_from_a_listener(t: &mut Tale<'_>) {
    let (listener, _) = t.listen(B, &ListenOptions::default());
    t.see(B, "reads", |net| net.read(listener, &mut [0; 8]));
    t.see(B, "writes", |net| net.write(listener, b"x"));
    t.see(B, "connected", |net| net.connected(listener));
}

fn closing_with_unread_bytes_is_a_reset(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(B, server, b"never read");
    t.calm();
    t.close(A, client);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
}

fn linger_zero_is_a_reset(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "sets linger", |net| {
        net.set_option(client, SocketOption::Linger(Some(Duration::ZERO)))
    });
    t.close(A, client);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
}

fn linger_zero_of_the_listener_is_its_connections(t: &mut Tale<'_>) {
    let options = ListenOptions {
        linger: Some(Duration::ZERO),
        ..ListenOptions::default()
    };
    let (_, client, server) = t.trio(&options);
    t.close(B, server);
    let seen = t.drain(A, client);
    t.note("A reads", seen);
}

/// What was sent before a reset may be read or lost; the reset comes after it in any case.
fn a_reset_overtakes_or_follows_what_was_sent(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(A, client, b"maybe");
    t.at(A, |net| {
        net.set_option(client, SocketOption::Linger(Some(Duration::ZERO)))
            .expect("to set")
    });
    t.close(A, client);
    let (got, how) = t.drain(B, server);
    t.note("nothing else", b"maybe".starts_with(&got));
    t.note("B reads", how);
}

fn nothing_is_written_after_a_reset(t: &mut Tale<'_>) {
    let options = ListenOptions {
        linger: Some(Duration::ZERO),
        ..ListenOptions::default()
    };
    let (_, client, server) = t.trio(&options);
    t.close(B, server);
    let seen = t.drain(A, client);
    t.note("A reads", seen);
    t.see(A, "writes", |net| net.write(client, b"x"));
}

/// A peer that has ended its side and then breaks off: the end has been read, so that it is gone
/// shows when something is written at the latest.
fn a_reset_after_the_end_is_told_or_not(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.finish(A, client);
    let seen = t.drain(B, server);
    t.note("B reads", seen);
    t.at(A, |net| {
        net.set_option(client, SocketOption::Linger(Some(Duration::ZERO)))
            .expect("to set")
    });
    t.close(A, client);
    let why = t.until(B, "an error", |net| net.write(server, b"x").err());
    t.note("is a cutoff", why.is_cutoff());
}
