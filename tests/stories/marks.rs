//! Marks, groups and owners: who is told of what, and that nobody is told twice.

use hio::net::{ConnectOptions, ListenOptions, Net, NetError, Owner, Shutdown, Sid, SocketOption};
use std::time::Duration;

use super::tale::text;
use super::{
    End::{A, B},
    Kind, Tale, stories,
};

stories! {
    All:
        both_are_marked_when_a_connection_comes
        a_fresh_connection_has_no_mark
        what_waits_at_the_accept_is_marked_by_the_next_poll
        writing_and_being_read_wake_nobody
        marks_ascend_and_are_taken
        a_mark_left_alone_is_not_told_twice
        who_stops_early_marks
        marking_twice_is_one_mark
        data_marks
        an_end_marks
        data_and_end_are_both_found_after_one_mark
        owners_change_and_may_be_nobody
        two_groups_of_one_owner
        a_mark_goes_with_its_socket
        closing_a_group_closes_its_sockets_and_no_others
        nothing_opens_in_a_closed_group
        the_accepted_are_in_the_listeners_group;
    Tcp:
        a_reset_marks
        a_refusal_marks;
}

fn both_are_marked_when_a_connection_comes(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    t.settle();
    let woken = (t.woken(A), t.woken(B));
    t.note("woken before", woken);
    let client = t.dial(&at);
    t.calm();
    let woken = (t.woken(A), t.woken(B));
    t.note("woken", woken);
    let marks = (t.ready(A) == [client], t.ready(B) == [listener]);
    t.note("the marks are theirs", marks);
    let marks = (t.ready(A).len(), t.ready(B).len());
    t.note("and taken", marks);
    let woken = (t.woken(A), t.woken(B));
    t.note("woken after", woken);
    t.see(A, "stands", |net| net.connected(client));
}

fn a_fresh_connection_has_no_mark(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.settle();
    let (server, _) = t.accept(listener);
    see_mark(t, "marked at once", server);
    t.calm();
    see_mark(t, "marked after a poll", server);
    t.see(A, "stands", |net| net.connected(client));
    t.write(A, client, b"x");
    t.calm();
    see_mark(t, "marked when something comes", server);
}

/// Notes whether a socket of B is marked. Takes all marks.
fn see_mark(t: &mut Tale<'_>, what: &str, sid: Sid) {
    let marked = t.ready(B).contains(&sid);
    t.note(what, marked);
}

fn what_waits_at_the_accept_is_marked_by_the_next_poll(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    t.stands(client);
    t.write(A, client, b"early");
    t.settle();
    let (server, _) = t.accept(listener);
    t.wait();
    see_mark(t, "marked", server);
    t.see(B, "reads", |net| net.read(server, &mut [0; 64]));
}

fn writing_and_being_read_wake_nobody(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.write(A, client, b"abc");
    let got = t.read(B, server, 3);
    t.note("B reads", text(&got));
    t.calm();
    let marked = t.ready(A).contains(&client);
    t.note("the writer is marked", marked);
}

fn marks_ascend_and_are_taken(t: &mut Tale<'_>) {
    let pairs: Vec<_> = (0..8).map(|_| t.pair()).collect();
    t.settle();
    for (client, _) in pairs.iter().rev() {
        t.write(A, *client, b"x");
    }
    t.calm();
    let group = t.group(B);
    let first = pairs[0].1;
    // Appended after what was there, in order, each once.
    let mut out = vec![first];
    t.at(B, |net| net.ready(group, &mut out));
    t.note("marks", out.len() - 1);
    t.note("appended", out[0] == first);
    t.note("ascending", out[1..].is_sorted_by(|a, b| a < b));
    let left = t.ready(B).len();
    t.note("left", left);
}

fn a_mark_left_alone_is_not_told_twice(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.write(A, client, b"abcdef");
    t.calm();
    see_mark(t, "marked", server);
    t.calm();
    see_mark(t, "marked again", server);
    t.write(A, client, b"g");
    t.calm();
    // Nobody has read meanwhile: a system may tell of more, or not before it was read.
    let got = t.read(B, server, 7);
    t.note("B reads", text(&got));
}

fn who_stops_early_marks(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.write(A, client, b"abcdef");
    t.calm();
    t.see(B, "reads into 2", |net| net.read(server, &mut [0; 2]));
    t.ready(B);
    t.calm();
    see_mark(t, "marked by itself", server);
    t.at(B, |net| net.mark(server));
    let woken = t.woken(B);
    t.note("woken", woken);
    t.calm();
    see_mark(t, "marked", server);
    t.see(B, "reads into 8", |net| net.read(server, &mut [0; 8]));
}

fn marking_twice_is_one_mark(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    t.settle();
    t.at(A, |net| net.mark(client));
    t.at(A, |net| net.mark(client));
    let marks = t.ready(A);
    t.note("one", marks == [client]);
}

fn data_marks(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    for _ in 0..3 {
        t.write(A, client, b"x");
        t.calm();
        let woken = t.woken(B);
        t.note("woken", woken);
        see_mark(t, "marked", server);
        t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
    }
}

fn an_end_marks(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.finish(A, client);
    t.calm();
    see_mark(t, "marked", server);
    t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
}

fn data_and_end_are_both_found_after_one_mark(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.write(A, client, b"bye");
    t.close(A, client);
    t.calm();
    see_mark(t, "marked", server);
    let (got, how) = t.drain(B, server);
    t.note("B reads to the end", (text(&got), how));
}

fn owners_change_and_may_be_nobody(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    t.settle();
    let group = t.group(A);
    t.at(A, |net| net.mark(client));
    for owner in [Owner(5), Owner::NONE, Owner(9)] {
        t.at(A, |net| net.set_owner(group, owner));
        t.see(A, "wakes", woken);
    }
}

fn woken(net: &mut dyn Net) -> Vec<Owner> {
    let mut out = Vec::new();
    net.woken(&mut out);
    out
}

fn two_groups_of_one_owner(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(B);
    let second = t.at(B, |net| {
        net.set_owner(group, Owner(9));
        net.group(Owner(9))
    });
    let other = t.at(B, |net| {
        net.connect(second, &at, &ConnectOptions::default())
            .expect("to dial")
    });
    t.settle();
    t.at(B, |net| {
        net.ready(second, &mut Vec::new());
        net.mark(other);
        net.mark(listener);
    });
    t.see(B, "wakes once", woken);
    t.at(B, |net| net.ready(second, &mut Vec::new()));
    t.see(B, "wakes still", woken);
    t.ready(B);
    t.see(B, "wakes nobody", woken);
    t.at(B, |net| net.close_group(second));
}

fn a_mark_goes_with_its_socket(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    t.settle();
    t.at(A, |net| net.mark(client));
    t.close(A, client);
    let woken = t.woken(A);
    let marks = t.ready(A).len();
    t.note("woken, marks", (woken, marks));
    t.at(A, |net| net.mark(client));
    let woken = t.woken(A);
    t.note("woken by a stale mark", woken);
}

fn closing_a_group_closes_its_sockets_and_no_others(t: &mut Tale<'_>) {
    let (listener, client, server) = t.trio(&ListenOptions::default());
    t.settle();
    let group = t.group(B);
    t.at(B, |net| net.mark(server));
    t.at(B, |net| net.close_group(group));
    for sid in [listener, server] {
        t.see(B, "local", |net| net.local(sid));
    }
    t.see(A, "stands", |net| net.connected(client));
    let seen = t.drain(A, client);
    t.note("A reads", seen);
    let woken = t.woken(B);
    t.note("B is woken", woken);
}

fn nothing_opens_in_a_closed_group(t: &mut Tale<'_>) {
    let (_, at) = t.listen(B, &ListenOptions::default());
    let free = t.address(A);
    let group = t.group(A);
    t.at(A, |net| net.close_group(group));
    t.see(A, "dials", |net| {
        net.connect(group, &at, &ConnectOptions::default())
            .map(|_| ())
    });
    t.see(A, "listens", |net| {
        net.listen(group, &free, &ListenOptions::default())
            .map(|_| ())
    });
    t.at(A, |net| net.set_owner(group, Owner(99)));
    t.at(A, |net| net.close_group(group));
    let marks = t.ready(A).len();
    t.note("marks", marks);
    let again = t.at(A, |net| {
        let again = net.group(Owner(3));
        net.close_group(again);
        again
    });
    t.note("a new group has a new id", again != group);
}

fn the_accepted_are_in_the_listeners_group(t: &mut Tale<'_>) {
    let group = t.at(B, |net| net.group(Owner(8)));
    let at = t.address(B);
    let listener = t.at(B, |net| {
        net.listen(group, &at, &ListenOptions::default())
            .expect("to listen")
    });
    let at = t.at(B, |net| net.local(listener).expect("an address"));
    let client = t.dial(&at);
    let (server, _) = t.accept(listener);
    t.stands(client);
    t.settle();
    t.at(B, |net| net.ready(group, &mut Vec::new()));
    t.write(A, client, b"x");
    t.calm();
    t.see(B, "wakes", |net| woken(net).contains(&Owner(8)));
    let mut marks = Vec::new();
    t.at(B, |net| net.ready(group, &mut marks));
    t.note("its mark is there", marks == [server]);
    t.at(B, |net| net.close_group(group));
    let seen = t.drain(A, client);
    // Closed with a byte unread: Unix streams say so, too.
    t.note("A reads", seen);
}

fn a_reset_marks(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.at(A, |net| {
        net.set_option(client, SocketOption::Linger(Some(Duration::ZERO)))
            .expect("to set");
        net.close(client);
    });
    t.calm();
    see_mark(t, "marked", server);
    t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
}

fn a_refusal_marks(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    t.close(B, listener);
    assert_ne!(t.kind(), Kind::Unix);
    t.settle();
    let client = t.dial(&at);
    t.calm();
    let marked = t.ready(A) == [client];
    t.note("marked", marked);
    t.see(A, "stands", |net| net.connected(client));
    // Of no more use, but closing it is in order.
    t.see(A, "shuts", |net| {
        net.shutdown(client, Shutdown::Both)
            .is_err_and(NetError::is_cutoff)
    });
    t.close(A, client);
    t.see(A, "connected", |net| net.connected(client));
}
