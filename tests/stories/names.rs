//! Names. What a name stands for is the world's own; how it is asked for is the same in all.

use hio::net::{Lookup, Owner};
use std::net::IpAddr;

use super::{
    End::{A, B},
    Kind, Tale, stories,
};

stories! {
    Tcp:
        an_address_stands_for_itself
        a_name_that_nobody_has
        who_waits_for_a_name_is_woken;
}

/// Asks until there is an answer.
fn look_up(t: &mut Tale<'_>, name: &str) -> Lookup {
    let group = t.group(A);
    t.until(A, "an answer", |net| match net.resolve(group, name) {
        Lookup::Pending => None,
        answer => Some(answer),
    })
}

fn an_address_stands_for_itself(t: &mut Tale<'_>) {
    let name = if t.kind() == Kind::V4 {
        "192.0.2.7"
    } else {
        "2001:db8::7"
    };
    let seen = look_up(t, name);
    t.note("A finds", seen);
    let at = t.address(B).addr().expect("an address").ip();
    let seen = look_up(t, &at.to_string());
    t.note("A finds B", seen == Lookup::Ready(vec![at]));
    let is_ip = |name: &str| name.parse::<IpAddr>().is_ok();
    t.note("an address", is_ip(name));
}

fn a_name_that_nobody_has(t: &mut Tale<'_>) {
    // RFC 6761 §6.4: `invalid` never exists.
    for name in ["nobody.invalid", ""] {
        let seen = look_up(t, name);
        t.note("A finds", seen);
    }
}

fn who_waits_for_a_name_is_woken(t: &mut Tale<'_>) {
    let group = t.at(A, |net| net.group(Owner(6)));
    // A net may know at once, which is an answer, too.
    if t.at(A, |net| net.resolve(group, "nobody.invalid")) == Lookup::Pending {
        t.until(A, "to be woken", |net| {
            let mut out = Vec::new();
            net.woken(&mut out);
            out.contains(&Owner(6)).then_some(())
        });
        let mut marks = Vec::new();
        t.at(A, |net| net.ready(group, &mut marks));
        assert_eq!(marks, []);
    }
    t.see(A, "finds", |net| net.resolve(group, "nobody.invalid"));
    t.at(A, |net| net.close_group(group));
}
