//! Addresses and ports of both ends.

use std::collections::BTreeSet;

use hio::net::{ConnectOptions, Endpoint, ListenOptions, Owner};

use super::tale::text;
use super::{
    End::{A, B},
    Kind, Tale, stories,
};

stories! {
    All:
        both_ends_agree_about_their_addresses
        a_listener_has_no_peer
        a_listeners_address_is_what_was_dialled
        names_and_the_unnamed_are_not_dialled;
    Tcp:
        port_zero_becomes_a_port
        dialling_ports_are_above_1023_and_differ
        a_port_is_free_again_after_its_listener
        two_listeners_on_two_ports
        an_address_of_others_is_not_to_be_had
        all_interfaces_are_reached_by_each_address
        dialling_from_an_address_of_ones_own
        dialling_from_a_port_of_ones_own
        dialling_from_where_one_cannot;
}

fn both_ends_agree_about_their_addresses(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let client = t.dial(&at);
    let (server, from) = t.accept(listener);
    t.stands(client);
    let (mine, theirs) = t.at(A, |net| (net.local(client), net.peer(client)));
    let (local, peer) = t.at(B, |net| (net.local(server), net.peer(server)));
    t.note("A's peer is what it dialled", theirs == Ok(at.clone()));
    t.note("B is local where it listens", local == Ok(at));
    t.note("B's peer is who was accepted", peer == Ok(from.clone()));
    t.note("who is A", mine == Ok(from.clone()));
    t.note("unnamed", from == Endpoint::Unnamed);
}

fn a_listener_has_no_peer(t: &mut Tale<'_>) {
    let (listener, _) = t.listen(B, &ListenOptions::default());
    t.see(B, "asks for a listener's peer", |net| net.peer(listener));
}

fn a_listeners_address_is_what_was_dialled(t: &mut Tale<'_>) {
    let asked = t.address(B);
    let group = t.group(B);
    let listener = t.at(B, |net| {
        net.listen(group, &asked, &ListenOptions::default())
            .expect("to listen")
    });
    let local = t.at(B, |net| net.local(listener).expect("an address"));
    let same = match (&asked, &local) {
        (Endpoint::Tcp(asked), Endpoint::Tcp(local)) => asked.ip() == local.ip(),
        (asked, local) => asked == local,
    };
    t.note("it is at the address it asked for", same);
    let client = t.dial(&local);
    t.stands(client);
    t.see(A, "stands", |net| net.connected(client));
}

fn names_and_the_unnamed_are_not_dialled(t: &mut Tale<'_>) {
    let group = t.group(A);
    let name = Endpoint::host("a-name.invalid", 1);
    t.see(A, "dials a name", |net| {
        net.connect(group, &name, &ConnectOptions::default())
            .map(|_| ())
    });
    t.see(A, "listens at a name", |net| {
        net.listen(group, &name, &ListenOptions::default())
            .map(|_| ())
    });
    t.see(A, "dials nobody", |net| {
        net.connect(group, &Endpoint::Unnamed, &ConnectOptions::default())
            .map(|_| ())
    });
}

fn port_zero_becomes_a_port(t: &mut Tale<'_>) {
    let (_, at) = t.listen(B, &ListenOptions::default());
    t.note("a port", at.port().is_some_and(|port| port > 1023));
}

fn dialling_ports_are_above_1023_and_differ(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let mut ports = BTreeSet::new();
    for _ in 0..20 {
        let client = t.dial(&at);
        t.accept(listener);
        t.stands(client);
        let local = t.at(A, |net| net.local(client).expect("an address"));
        ports.extend(local.port());
    }
    t.note("ports", ports.len());
    t.note("all ephemeral", ports.iter().all(|port| *port > 1023));
}

fn a_port_is_free_again_after_its_listener(t: &mut Tale<'_>) {
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(B);
    t.close(B, listener);
    let listener = t.at(B, |net| net.listen(group, &at, &ListenOptions::default()));
    t.note("it is free", listener.is_ok());
    t.see(B, "listens there twice", |net| {
        net.listen(group, &at, &ListenOptions::default())
            .map(|_| ())
    });
    // Everything of the end goes, the listener with it.
    t.at(B, |net| net.close_group(group));
    let again = t.at(B, |net| {
        let group = net.group(Owner(4));
        let again = net.listen(group, &at, &ListenOptions::default());
        net.close_group(group);
        again.map(|_| ())
    });
    t.note("and again", again);
}

fn two_listeners_on_two_ports(t: &mut Tale<'_>) {
    let (first, at_first) = t.listen(B, &ListenOptions::default());
    let (second, at_second) = t.listen(B, &ListenOptions::default());
    t.note("two ports", at_first != at_second);
    let to_second = t.dial(&at_second);
    let to_first = t.dial(&at_first);
    let (server_first, _) = t.accept(first);
    let (server_second, _) = t.accept(second);
    t.stands(to_first);
    t.stands(to_second);
    t.write(A, to_first, b"first");
    t.write(A, to_second, b"second");
    let got = t.read(B, server_first, 5);
    t.note("at the first", text(&got));
    let got = t.read(B, server_second, 6);
    t.note("at the second", text(&got));
}

fn an_address_of_others_is_not_to_be_had(t: &mut Tale<'_>) {
    // Addresses of documentation, which no machine has (RFC 5737, RFC 3849).
    let foreign = Endpoint::host(
        if t.kind() == Kind::V4 {
            "192.0.2.1"
        } else {
            "2001:db8::1"
        },
        0,
    );
    let group = t.group(B);
    t.see(B, "listens there", |net| {
        net.listen(group, &foreign, &ListenOptions::default())
            .map(|_| ())
    });
}

fn all_interfaces_are_reached_by_each_address(t: &mut Tale<'_>) {
    let every = Endpoint::host(
        if t.kind() == Kind::V4 {
            "0.0.0.0"
        } else {
            "::"
        },
        0,
    );
    let group = t.group(B);
    let listener = t.at(B, |net| {
        net.listen(group, &every, &ListenOptions::default())
            .expect("to listen")
    });
    let at = t.at(B, |net| net.local(listener).expect("an address"));
    let one = t.address(B).addr().expect("an address").ip();
    t.note(
        "it listens everywhere",
        at.addr().expect("an address").ip().is_unspecified(),
    );
    let port = at.port().expect("a port");
    let client = t.dial(&Endpoint::host(&one.to_string(), port));
    let (server, _) = t.accept(listener);
    t.stands(client);
    let local = t.at(B, |net| net.local(server).expect("an address"));
    t.note(
        "the accepted has the one that was dialled",
        local.addr().map(|a| a.ip()) == Some(one),
    );
}

fn dialling_from_an_address_of_ones_own(t: &mut Tale<'_>) {
    let from = t.address(A);
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let options = ConnectOptions {
        from: Some(from.clone()),
        ..ConnectOptions::default()
    };
    let client = t.dial_with(&at, &options);
    let (_, peer) = t.accept(listener);
    t.stands(client);
    let ip = |at: &Endpoint| at.addr().map(|a| a.ip());
    t.note("it came from there", ip(&peer) == ip(&from));
    t.note("with a port", peer.port().is_some_and(|port| port > 1023));
}

fn dialling_from_a_port_of_ones_own(t: &mut Tale<'_>) {
    // A port that is free: somebody just had it.
    let (spare, from) = t.listen(A, &ListenOptions::default());
    t.close(A, spare);
    let (listener, at) = t.listen(B, &ListenOptions::default());
    let options = ConnectOptions {
        from: Some(from.clone()),
        ..ConnectOptions::default()
    };
    let client = t.dial_with(&at, &options);
    let (_, peer) = t.accept(listener);
    t.stands(client);
    t.note("it came from there", peer == from);
}

fn dialling_from_where_one_cannot(t: &mut Tale<'_>) {
    let (_, at) = t.listen(B, &ListenOptions::default());
    let group = t.group(A);
    let (foreign, other) = match t.kind() {
        Kind::V4 => ("192.0.2.1:0", "[::1]:0"),
        _ => ("[2001:db8::1]:0", "127.0.0.1:0"),
    };
    for wrong in [foreign, other, "unix:/nowhere/x", "localhost:1"] {
        let from = Some(wrong.parse().expect("an endpoint"));
        let options = ConnectOptions {
            from,
            ..ConnectOptions::default()
        };
        t.see(A, &format!("dials from {wrong}"), |net| {
            net.connect(group, &at, &options).map(|_| ())
        });
    }
}
