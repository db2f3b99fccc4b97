//! How connections come about, and how they do not.

use hio::net::{ConnectOptions, Endpoint, ListenOptions, NetError, SocketOption};
use std::time::Duration;

use super::tale::text;
use super::{
    End::{A, B},
    Kind, Tale, stories,
};

stories! {
    All:
        a_connection_stands_at_both_ends
        nobody_waits_at_a_new_listener
        the_server_may_speak_first
        what_is_sent_before_the_accept_waits
        connections_are_accepted_in_the_order_they_came
        a_backlog_holds_those_who_stand_already
        who_left_in_peace_is_accepted_and_ends
        who_sent_and_left_is_accepted_with_its_bytes
        nobody_listening_is_an_error
        after_a_refusal_one_dials_again
        a_closed_listener_takes_nobody
        the_accepted_outlive_their_listener
        one_listens_again_at_once
        an_address_in_use_is_refused
        many_connections_do_not_mix
        a_listener_serves_one_after_the_other
        one_end_may_dial_itself;
    Tcp:
        nothing_is_read_or_written_before_it_stands
        those_in_the_backlog_go_with_their_listener
        who_broke_off_in_the_backlog_harms_nobody;
    Unix:
        a_unix_connection_stands_at_once;
}

fn a_connection_stands_at_both_ends(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "stands", |net| net.connected(client));
    t.see(A, "stands still", |net| net.connected(client));
    t.see(B, "stands", |net| net.connected(server));
    t.see(A, "writes", |net| net.write(client, b"hello"));
    let got = t.read(B, server, 5);
    t.note("B reads", text(&got));
    t.see(B, "writes", |net| net.write(server, b"hello, too"));
    let got = t.read(A, client, 10);
    t.note("A reads", text(&got));
}

fn nobody_waits_at_a_new_listener(t: &mut Tale<'_>) {
    let (listener, _) = t.listen(B, &ListenOptions::default());
    t.calm();
    t.see(B, "accepts", |net| {
        net.accept(listener).map(|one| one.is_some())
    });
    let woken = t.woken(B);
    t.note("B is woken", woken);
}

fn the_server_may_speak_first(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(B, "writes at once", |net| net.write(server, b"banner"));
    let got = t.read(A, client, 6);
    t.note("A reads", text(&got));
}

fn what_is_sent_before_the_accept_waits(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.stands(client);
    t.see(A, "writes", |net| net.write(client, b"early"));
    t.calm();
    let (server, _) = t.accept(listener);
    let got = t.read(B, server, 5);
    t.note("B reads", text(&got));
}

fn connections_are_accepted_in_the_order_they_came(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    for name in *b"abcd" {
        let client = t.dial(&at);
        t.stands(client);
        t.see(A, "writes", |net| net.write(client, &[name]));
    }
    t.calm();
    for _ in 0..4 {
        let (server, _) = t.accept(listener);
        let got = t.read(B, server, 1);
        t.note("B reads", text(&got));
    }
    t.see(B, "accepts", |net| {
        net.accept(listener).map(|one| one.is_some())
    });
}

fn a_backlog_holds_those_who_stand_already(t: &mut Tale<'_>) {
    let options = ListenOptions {
        backlog: 8,
        ..ListenOptions::default()
    };
    let (listener, at) = t.listen(B, &options);
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = t.dial(&at);
        t.stands(client);
        t.calm();
        clients.push(client);
    }
    t.note("stand, though nobody accepted", clients.len());
    for client in clients {
        let (server, _) = t.accept(listener);
        t.write(A, client, b"x");
        let got = t.read(B, server, 1);
        t.note("B reads", text(&got));
    }
}

fn who_left_in_peace_is_accepted_and_ends(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.stands(client);
    t.close(A, client);
    t.calm();
    let (server, _) = t.accept(listener);
    let seen = t.drain(B, server);
    t.note("B reads to the end", seen);
}

fn who_sent_and_left_is_accepted_with_its_bytes(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.stands(client);
    t.write(A, client, b"last words");
    t.close(A, client);
    t.calm();
    let (server, _) = t.accept(listener);
    let (got, how) = t.drain(B, server);
    t.note("B reads to the end", (text(&got), how));
}

fn nobody_listening_is_an_error(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    t.close(B, listener);
    // A closed Unix listener takes its file with it.
    let why = t.refusal(&at);
    t.note("A fails", why);
}

fn after_a_refusal_one_dials_again(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    t.close(B, listener);
    t.refusal(&at);
    let group = t.group(B);
    let listener = t.at(B, |net| {
        net.listen(group, &at, &ListenOptions::default())
            .expect("to listen again")
    });
    let client = t.dial(&at);
    let (server, _) = t.accept(listener);
    t.stands(client);
    t.write(A, client, b"now");
    let got = t.read(B, server, 3);
    t.note("B reads", text(&got));
}

fn a_closed_listener_takes_nobody(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    t.close(B, listener);
    t.see(B, "accepts", |net| {
        net.accept(listener).map(|one| one.is_some())
    });
    for _ in 0..2 {
        let why = t.refusal(&at);
        t.note("A fails", why);
    }
}

fn the_accepted_outlive_their_listener(t: &mut Tale<'_>) {
    let (listener, client, server) = t.trio(&ListenOptions::default());
    t.close(B, listener);
    t.calm();
    t.write(A, client, b"still here");
    let got = t.read(B, server, 10);
    t.note("B reads", text(&got));
    t.write(B, server, b"me too");
    let got = t.read(A, client, 6);
    t.note("A reads", text(&got));
}

fn one_listens_again_at_once(t: &mut Tale<'_>) {
    let (listener, client, server) = t.trio(&ListenOptions::default());
    let at = t.at(B, |net| net.local(listener).expect("an address"));
    // The server's end closes first, which is the one that lingers on a real system.
    t.close(B, server);
    t.close(B, listener);
    t.close(A, client);
    t.calm();
    let group = t.group(B);
    t.see(B, "listens again", |net| {
        net.listen(group, &at, &ListenOptions::default())
            .map(|_| ())
    });
}

fn an_address_in_use_is_refused(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(B);
    t.see(B, "listens there, too", |net| {
        net.listen(group, &at, &ListenOptions::default())
            .map(|_| ())
    });
    // The first has not suffered.
    let client = t.dial(&at);
    t.accept(listener);
    t.stands(client);
    t.see(A, "stands", |net| net.connected(client));
}

fn many_connections_do_not_mix(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let mut pairs = Vec::new();
    for _ in 0..40 {
        let client = t.dial(&at);
        let (server, _) = t.accept(listener);
        t.stands(client);
        pairs.push((client, server));
    }
    for (n, (client, _)) in pairs.iter().enumerate() {
        t.write(A, *client, format!("number {n:02}").as_bytes());
    }
    let mut heard = Vec::new();
    for (_, server) in pairs.iter().rev() {
        heard.push(text(&t.read(B, *server, 9)));
    }
    t.note("B heard", heard);
}

fn a_listener_serves_one_after_the_other(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    for round in 0..6_u8 {
        let client = t.dial(&at);
        let (server, _) = t.accept(listener);
        t.stands(client);
        t.write(A, client, &[b'0' + round]);
        let got = t.read(B, server, 1);
        t.note("B reads", text(&got));
        t.close(A, client);
        let seen = t.drain(B, server);
        t.note("and then", seen);
        t.close(B, server);
    }
}

fn one_end_may_dial_itself(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(A, &ListenOptions::default());
    let client = t.dial(&at);
    let server = t
        .until(A, "to accept", |net| {
            net.accept(listener).expect("to accept")
        })
        .0;
    t.stands(client);
    t.write(A, client, b"to myself");
    let got = t.read(A, server, 9);
    t.note("A reads", text(&got));
}

fn nothing_is_read_or_written_before_it_stands(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.see(A, "stands at once", |net| net.connected(client));
    t.see(A, "reads", |net| net.read(client, &mut [0; 8]));
    t.see(A, "writes", |net| net.write(client, b"too soon"));
    let (server, _) = t.accept(listener);
    t.stands(client);
    t.write(A, client, b"now");
    let got = t.read(B, server, 3);
    t.note("B reads", text(&got));
}

fn those_in_the_backlog_go_with_their_listener(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.stands(client);
    t.calm();
    t.close(B, listener);
    let seen = t.drain(A, client);
    t.note("A reads", seen);
}

/// A system may hand over a connection that is broken already, or pass it over: what counts is
/// that the listener goes on.
fn who_broke_off_in_the_backlog_harms_nobody(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let rude = t.dial(&at);
    t.stands(rude);
    t.see(A, "sets linger", |net| {
        net.set_option(rude, SocketOption::Linger(Some(Duration::ZERO)))
    });
    t.close(A, rude);
    t.calm();
    let client = t.dial(&at);
    t.stands(client);
    t.write(A, client, b"polite");
    let mut heard = Vec::new();
    for _ in 0..2 {
        let Some((server, _)) = t.at(B, |net| net.accept(listener).expect("to accept")) else {
            t.calm();
            continue;
        };
        t.calm();
        let mut buf = [0; 16];
        match t.at(B, |net| net.read(server, &mut buf)) {
            Ok(Some(n)) => heard.push(text(&buf[..n])),
            Ok(None) | Err(NetError::Reset) => {}
            Err(why) => t.note("B fails", why),
        }
    }
    t.note("B heard", heard);
}

fn a_unix_connection_stands_at_once(t: &mut Tale<'_>) {
    assert_eq!(t.kind(), Kind::Unix);
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.see(A, "stands at once", |net| net.connected(client));
    t.see(A, "writes", |net| net.write(client, b"early"));
    let (server, from) = t.accept(listener);
    t.note("from", from);
    let got = t.read(B, server, 5);
    t.note("B reads", text(&got));
    let group = t.group(A);
    let nowhere = Endpoint::unix("/nonexistent/hio/s");
    t.see(A, "dials where no directory is", |net| {
        net.connect(group, &nowhere, &ConnectOptions::default())
            .map(|_| ())
    });
}
