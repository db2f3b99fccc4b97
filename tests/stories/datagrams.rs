//! Datagrams: whole or not at all, with their sender, and no connection.

use hio::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, ListenOptions, NetError, Shutdown, Sid,
};

use super::tale::{pattern, text};
use super::{
    End::{self, A, B},
    Kind, Tale, stories,
};

stories! {
    All:
        a_datagram_arrives_whole_with_its_sender
        an_answer_finds_its_way_back
        boundaries_are_kept
        an_empty_datagram_is_one
        what_does_not_fit_is_lost_and_told
        no_datagram_is_no_error
        a_connected_one_needs_no_address
        a_connected_one_hears_its_peer_only
        to_nobody_without_an_address
        an_address_in_use_is_not_bound_twice
        a_closed_datagram_socket_reaches_nothing
        datagrams_are_no_streams
        a_datagram_marks_and_is_told_once
        a_group_of_datagrams_closes
        many_senders_one_receiver;
    Tcp:
        a_datagram_to_nobody_is_lost
        a_connected_one_is_told_of_a_refusal
        the_longest_datagram_and_one_byte_more
        datagram_ports_and_stream_ports_are_two_things;
    Unix:
        nobody_at_the_path_is_an_error
        an_unnamed_sender;
}

fn bind(t: &mut Tale<'_>, end: End, options: &DatagramOptions) -> (Sid, Endpoint) {
    let (at, group) = (t.place(end), t.group(end));
    t.at(end, |net| {
        let sid = net.bind(group, &at, options).expect("to bind");
        (sid, net.local(sid).expect("an address"))
    })
}

/// A datagram socket at each end.
fn two(t: &mut Tale<'_>) -> ((Sid, Endpoint), (Sid, Endpoint)) {
    let options = DatagramOptions::default();
    (bind(t, A, &options), bind(t, B, &options))
}

/// Waits for a datagram: what it says, and how it came.
fn receive(t: &mut Tale<'_>, end: End, sid: Sid, room: usize) -> (Vec<u8>, Datagram) {
    let mut buf = vec![0; room];
    let one = t.until(end, "a datagram", |net| {
        net.recv_from(sid, &mut buf).expect("to receive")
    });
    buf.truncate(one.len);
    (buf, one)
}

fn send(t: &mut Tale<'_>, end: End, sid: Sid, data: &[u8], to: &Endpoint) {
    t.until(end, "to send", |net| {
        net.send_to(sid, data, Some(to))
            .expect("to send")
            .then_some(())
    });
}

fn connected_to(to: &Endpoint) -> DatagramOptions {
    DatagramOptions {
        to: Some(to.clone()),
        ..DatagramOptions::default()
    }
}

fn a_datagram_arrives_whole_with_its_sender(t: &mut Tale<'_>) {
    let ((a, at_a), (b, at_b)) = two(t);
    t.see(A, "sends", |net| net.send_to(a, b"hello", Some(&at_b)));
    let (got, how) = receive(t, B, b, 64);
    t.note("B hears", (text(&got), how.truncated));
    t.note("from A", how.from == at_a);
}

fn an_answer_finds_its_way_back(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    send(t, A, a, b"who", &at_b);
    let (_, how) = receive(t, B, b, 64);
    send(t, B, b, b"me", &how.from);
    let (got, how) = receive(t, A, a, 64);
    t.note("A hears", text(&got));
    t.note("from B", how.from == at_b);
}

fn boundaries_are_kept(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    for n in 1..=8 {
        send(t, A, a, &b"abcdefgh"[..n], &at_b);
    }
    let mut heard: Vec<_> = (0..8).map(|_| text(&receive(t, B, b, 64).0)).collect();
    // Datagrams may overtake each other.
    heard.sort();
    t.note("B hears", heard);
}

fn an_empty_datagram_is_one(t: &mut Tale<'_>) {
    let ((a, at_a), (b, at_b)) = two(t);
    t.see(A, "sends nothing", |net| net.send_to(a, b"", Some(&at_b)));
    let (got, how) = receive(t, B, b, 64);
    t.note("B hears", (got.len(), how.truncated, how.from == at_a));
}

fn what_does_not_fit_is_lost_and_told(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    send(t, A, a, b"abcdefgh", &at_b);
    let (got, how) = receive(t, B, b, 3);
    t.note("B hears", (text(&got), how.len, how.truncated));
    t.calm();
    t.see(B, "hears the rest", |net| {
        net.recv_from(b, &mut [0; 64]).map(|one| one.is_some())
    });
    send(t, A, a, b"abc", &at_b);
    let (got, how) = receive(t, B, b, 3);
    t.note("B hears", (text(&got), how.truncated));
}

fn no_datagram_is_no_error(t: &mut Tale<'_>) {
    let ((a, _), _) = two(t);
    t.calm();
    t.see(A, "hears", |net| {
        net.recv_from(a, &mut [0; 64]).map(|one| one.is_some())
    });
}

fn a_connected_one_needs_no_address(t: &mut Tale<'_>) {
    let (b, at_b) = bind(t, B, &DatagramOptions::default());
    let (a, _) = bind(t, A, &connected_to(&at_b));
    t.see(A, "peer is B", |net| net.peer(a) == Ok(at_b.clone()));
    t.see(A, "sends", |net| net.send_to(a, b"hello", None));
    let (got, how) = receive(t, B, b, 64);
    t.note("B hears", text(&got));
    send(t, B, b, b"hi", &how.from);
    let (got, _) = receive(t, A, a, 64);
    t.note("A hears", text(&got));
}

/// A stranger's datagram is refused or lost: it is not heard.
fn a_connected_one_hears_its_peer_only(t: &mut Tale<'_>) {
    let (b, at_b) = bind(t, B, &DatagramOptions::default());
    let (stranger, _) = bind(t, B, &DatagramOptions::default());
    let (a, at_a) = bind(t, A, &connected_to(&at_b));
    let _ = t.at(B, |net| net.send_to(stranger, b"psst", Some(&at_a)));
    t.calm();
    send(t, B, b, b"hello", &at_a);
    let (got, _) = receive(t, A, a, 64);
    t.note("A hears", text(&got));
    t.calm();
    t.see(A, "hears more", |net| {
        net.recv_from(a, &mut [0; 64]).map(|one| one.is_some())
    });
}

fn to_nobody_without_an_address(t: &mut Tale<'_>) {
    let ((a, _), _) = two(t);
    t.see(A, "sends", |net| net.send_to(a, b"x", None));
    t.see(A, "peer", |net| net.peer(a).is_err());
}

fn an_address_in_use_is_not_bound_twice(t: &mut Tale<'_>) {
    let (b, at) = bind(t, B, &DatagramOptions::default());
    let group = t.group(B);
    t.see(B, "binds there, too", |net| {
        net.bind(group, &at, &DatagramOptions::default())
            .map(|_| ())
    });
    t.close(B, b);
    t.see(B, "binds there now", |net| {
        net.bind(group, &at, &DatagramOptions::default())
            .map(|_| ())
    });
}

fn a_closed_datagram_socket_reaches_nothing(t: &mut Tale<'_>) {
    let ((a, _), (_, at_b)) = two(t);
    t.close(A, a);
    t.see(A, "sends", |net| net.send_to(a, b"x", Some(&at_b)));
    t.see(A, "hears", |net| net.recv_from(a, &mut [0; 8]));
    t.see(A, "local", |net| net.local(a));
}

fn datagrams_are_no_streams(t: &mut Tale<'_>) {
    let ((a, _), (_, at_b)) = two(t);
    t.see(A, "reads", |net| net.read(a, &mut [0; 8]));
    t.see(A, "writes", |net| net.write(a, b"x"));
    t.see(A, "accepts", |net| net.accept(a).map(|_| ()));
    t.see(A, "shuts", |net| net.shutdown(a, Shutdown::Both));
    let group = t.group(A);
    t.see(A, "dials", |net| {
        net.connect(group, &at_b, &ConnectOptions::default())
            .map(|_| ())
    });
    t.see(A, "listens", |net| {
        net.listen(group, &at_b, &ListenOptions::default())
            .map(|_| ())
    });
    let (client, _) = t.pair();
    t.see(A, "sends on a stream", |net| {
        net.send_to(client, b"x", Some(&at_b))
    });
    t.see(A, "hears on a stream", |net| {
        net.recv_from(client, &mut [0; 8])
    });
    let stream = t.address(A);
    t.see(A, "binds a stream's address", |net| {
        net.bind(group, &stream, &DatagramOptions::default())
            .map(|_| ())
    });
}

fn a_datagram_marks_and_is_told_once(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    t.settle();
    let woken = t.woken(B);
    t.note("woken before", woken);
    send(t, A, a, b"x", &at_b);
    t.calm();
    let woken = t.woken(B);
    let marked = t.ready(B) == [b];
    t.note("woken and marked", (woken, marked));
    t.calm();
    let marked = t.ready(B) == [b];
    t.note("marked again", marked);
    t.see(B, "hears", |net| {
        net.recv_from(b, &mut [0; 8])
            .map(|one| one.map(|one| one.len))
    });
}

fn a_group_of_datagrams_closes(t: &mut Tale<'_>) {
    let ((a, _), (_, at_b)) = two(t);
    let group = t.group(A);
    t.at(A, |net| net.close_group(group));
    t.see(A, "sends", |net| net.send_to(a, b"x", Some(&at_b)));
    let free = t.place(A);
    t.see(A, "binds", |net| {
        net.bind(group, &free, &DatagramOptions::default())
    });
}

fn many_senders_one_receiver(t: &mut Tale<'_>) {
    let (b, at_b) = bind(t, B, &DatagramOptions::default());
    for n in 0..10_u8 {
        let (a, _) = bind(t, A, &DatagramOptions::default());
        send(t, A, a, &[b'0' + n], &at_b);
    }
    let mut heard: Vec<_> = (0..10).map(|_| text(&receive(t, B, b, 8).0)).collect();
    heard.sort();
    t.note("B hears", heard.concat());
}

fn a_datagram_to_nobody_is_lost(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    t.close(B, b);
    t.see(A, "sends", |net| net.send_to(a, b"anybody", Some(&at_b)));
    t.calm();
    t.see(A, "sends again", |net| {
        net.send_to(a, b"anybody", Some(&at_b))
    });
    t.see(A, "hears", |net| {
        net.recv_from(a, &mut [0; 8]).map(|one| one.is_some())
    });
}

/// The refusal is told by the next receive or the next send, once.
fn a_connected_one_is_told_of_a_refusal(t: &mut Tale<'_>) {
    let (b, at_b) = bind(t, B, &DatagramOptions::default());
    let (a, _) = bind(t, A, &connected_to(&at_b));
    t.close(B, b);
    t.see(A, "sends", |net| net.send_to(a, b"anybody", None));
    t.calm();
    t.see(A, "hears", |net| {
        net.recv_from(a, &mut [0; 8]).map(|one| one.is_some())
    });
    t.see(A, "hears", |net| {
        net.recv_from(a, &mut [0; 8]).map(|one| one.is_some())
    });
    t.see(A, "sends", |net| net.send_to(a, b"anybody", None));
    t.calm();
    t.see(A, "sends", |net| net.send_to(a, b"anybody", None));
}

fn the_longest_datagram_and_one_byte_more(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    // 65 535 less the headers of UDP, and of IPv4 where its length counts them.
    let longest = pattern(if t.kind() == Kind::V4 { 65_507 } else { 65_527 });
    send(t, A, a, &longest, &at_b);
    let (got, how) = receive(t, B, b, 70_000);
    t.note("B hears", (got == longest, how.truncated));
    let longer = pattern(longest.len() + 1);
    t.see(A, "sends", |net| net.send_to(a, &longer, Some(&at_b)));
    t.see(A, "sends", |net| net.send_to(a, b"x", Some(&at_b)));
    let (got, _) = receive(t, B, b, 8);
    t.note("B hears", text(&got));
}

fn datagram_ports_and_stream_ports_are_two_things(t: &mut Tale<'_>) {
    let (_, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(B);
    let same = Endpoint::Udp(at.addr().expect("an address"));
    t.see(B, "binds the same number", |net| {
        net.bind(group, &same, &DatagramOptions::default())
            .map(|_| ())
    });
}

fn nobody_at_the_path_is_an_error(t: &mut Tale<'_>) {
    let ((a, _), (b, at_b)) = two(t);
    t.close(B, b);
    t.see(A, "sends", |net| net.send_to(a, b"x", Some(&at_b)));
    let group = t.group(A);
    t.see(A, "connects", |net| {
        net.bind(group, &Endpoint::Unnamed, &connected_to(&at_b))
            .map(|_| ())
    });
    t.see(A, "hears", |net| {
        net.recv_from(a, &mut [0; 8])
            .map_err(|why| why == NetError::Reset)
    });
}

fn an_unnamed_sender(t: &mut Tale<'_>) {
    let (b, at_b) = bind(t, B, &DatagramOptions::default());
    let group = t.group(A);
    let a = t.at(A, |net| {
        net.bind(group, &Endpoint::Unnamed, &DatagramOptions::default())
            .expect("to bind")
    });
    send(t, A, a, b"who am I", &at_b);
    let (got, how) = receive(t, B, b, 64);
    t.note("B hears", text(&got));
    t.note("from", how.from);
}
