//! Bytes on their way: order, short reads, room and back-pressure.

use std::io::IoSlice;

use hio::net::Net;

use super::tale::{pattern, text};
use super::{
    End::{A, B},
    Tale, stories,
};

stories! {
    All:
        echo_both_ways
        nothing_there_is_no_end
        a_full_read_may_have_left_some
        an_empty_buffer_is_no_end_and_no_progress
        many_small_writes_keep_their_order
        one_byte_at_a_time
        pieces_go_out_in_one_row
        no_pieces_and_empty_pieces
        four_mebibytes_arrive_whole
        both_directions_at_once
        a_reader_that_is_behind_stops_the_writer
        a_writer_is_told_of_new_room
        a_slow_reader_gets_everything
        two_hundred_turns_of_ping_and_pong
        what_is_larger_than_all_buffers_is_taken_in_part;
}

fn echo_both_ways(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "writes", |net| net.write(client, b"ping"));
    let got = t.read(B, server, 4);
    t.note("B reads", text(&got));
    t.see(B, "writes", |net| net.write(server, b"pong!"));
    let got = t.read(A, client, 5);
    t.note("A reads", text(&got));
}

fn nothing_there_is_no_end(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.calm();
    t.see(A, "reads", |net| net.read(client, &mut [0; 8]));
    t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
    t.calm();
    t.see(B, "reads again", |net| net.read(server, &mut [0; 8]));
}

fn a_full_read_may_have_left_some(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.settle();
    t.see(A, "writes", |net| net.write(client, b"abcdef"));
    t.calm();
    let mut buf = [0; 4];
    t.see(B, "reads into 4", |net| net.read(server, &mut buf));
    t.note("it got", text(&buf));
    t.see(B, "reads into 4", |net| net.read(server, &mut buf));
    t.note("it got", text(&buf[..2]));
    t.see(B, "reads into 4", |net| net.read(server, &mut buf));
    t.see(A, "writes", |net| net.write(client, b"g"));
    t.calm();
    t.see(B, "reads into 4", |net| net.read(server, &mut buf));
}

fn an_empty_buffer_is_no_end_and_no_progress(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "writes nothing", |net| net.write(client, b""));
    t.see(A, "writes", |net| net.write(client, b"x"));
    t.calm();
    t.see(B, "reads into nothing", |net| net.read(server, &mut []));
    t.see(B, "reads", |net| net.read(server, &mut [0; 8]));
}

fn many_small_writes_keep_their_order(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let all = pattern(4000);
    let mut got = Vec::new();
    // A hundred at a time: a system may count each write as much more than its bytes.
    for hundred in all.chunks(400) {
        for (n, some) in hundred.chunks(7).enumerate() {
            let (first, second) = some.split_at(n % some.len());
            t.write(A, client, first);
            t.write(A, client, second);
        }
        got.extend(t.read(B, server, hundred.len()));
    }
    t.note("the same", got == all);
}

fn one_byte_at_a_time(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.write(A, client, b"one by one");
    t.calm();
    let mut got = Vec::new();
    for _ in 0..10 {
        let mut byte = [0];
        let n = t.at(B, |net| net.read(server, &mut byte));
        assert_eq!(n, Ok(Some(1)));
        got.push(byte[0]);
    }
    t.note("B reads", text(&got));
    t.see(B, "reads on", |net| net.read(server, &mut [0]));
}

fn pieces_go_out_in_one_row(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let pieces = [
        IoSlice::new(b"three "),
        IoSlice::new(b"pieces "),
        IoSlice::new(b"in a row"),
    ];
    t.see(A, "writes pieces", |net| {
        net.write_vectored(client, &pieces)
    });
    let got = t.read(B, server, 21);
    t.note("B reads", text(&got));
}

fn no_pieces_and_empty_pieces(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    t.see(A, "writes no pieces", |net| net.write_vectored(client, &[]));
    let pieces = [IoSlice::new(b""), IoSlice::new(b"x"), IoSlice::new(b"")];
    t.see(A, "writes empty pieces, too", |net| {
        net.write_vectored(client, &pieces)
    });
    let got = t.read(B, server, 1);
    t.note("B reads", text(&got));
}

/// Carries `data` from one end to the other, both working in turn.
fn carry(t: &mut Tale<'_>, data: &[u8]) -> Vec<u8> {
    let (client, server) = t.pair();
    let (mut sent, mut got) = (0, Vec::new());
    let mut buf = vec![0; 65536];
    while got.len() < data.len() {
        sent += t.at(A, |net| {
            write_some(net, |net| net.write(client, &data[sent..]))
        });
        t.wait();
        t.at(B, |net| {
            while let Some(n) = net.read(server, &mut buf).expect("to read") {
                assert_ne!(n, 0, "the end");
                got.extend_from_slice(&buf[..n]);
            }
        });
    }
    got
}

fn write_some(
    net: &mut dyn Net,
    write: impl FnOnce(&mut dyn Net) -> Result<usize, hio::net::NetError>,
) -> usize {
    write(net).expect("to write")
}

fn four_mebibytes_arrive_whole(t: &mut Tale<'_>) {
    let data = pattern(4 << 20);
    let got = carry(t, &data);
    t.note("bytes", got.len());
    t.note("the same", got == data);
}

fn both_directions_at_once(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let there = pattern(700_000);
    let back: Vec<u8> = there.iter().rev().copied().collect();
    let (mut sent, mut heard) = ([0; 2], [Vec::new(), Vec::new()]);
    let mut buf = vec![0; 65536];
    while heard[0].len() < back.len() || heard[1].len() < there.len() {
        for (end, sid, data) in [(A, client, &there), (B, server, &back)] {
            let me = end as usize;
            t.at(end, |net| {
                sent[me] += net.write(sid, &data[sent[me]..]).expect("to write");
                while let Some(n) = net.read(sid, &mut buf).expect("to read") {
                    heard[me].extend_from_slice(&buf[..n]);
                }
            });
        }
        t.wait();
    }
    t.note("there", heard[1] == there);
    t.note("and back", heard[0] == back);
}

/// Fills the way from A to B; says how much fits. That is the system's choice.
fn fill(t: &mut Tale<'_>, client: hio::net::Sid, block: &[u8]) -> usize {
    let (mut sent, mut idle) = (0, 0);
    while idle < 20 {
        let n = t.at(A, |net| {
            net.write(client, &block[sent % 251..]).expect("to write")
        });
        sent += n;
        idle = if n == 0 { idle + 1 } else { 0 };
        assert!(sent < 1 << 28, "the way has no end");
        t.wait();
    }
    sent
}

fn block() -> Vec<u8> {
    (0..=250_u8).cycle().take(100_000).collect()
}

fn a_reader_that_is_behind_stops_the_writer(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let sent = fill(t, client, &block());
    t.note("something fits", sent > 0);
    t.see(A, "writes one more", |net| net.write(client, b"x"));
    let got = t.read(B, server, sent);
    t.note(
        "in order",
        got.iter().zip((0..=250_u8).cycle()).all(|(a, b)| *a == b),
    );
    t.calm();
    t.see(A, "writes", |net| net.write(client, b"x"));
    let got = t.read(B, server, 1);
    t.note("B reads", text(&got));
}

fn a_writer_is_told_of_new_room(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let sent = fill(t, client, &block());
    t.settle();
    t.see(A, "writes one more", |net| net.write(client, b"x"));
    let marked = t.ready(A).contains(&client);
    t.note("marked", marked);
    t.read(B, server, sent);
    t.calm();
    let woken = t.woken(A);
    let marked = t.ready(A).contains(&client);
    t.note("woken and marked", (woken, marked));
}

fn a_slow_reader_gets_everything(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let data = pattern(300_000);
    let (mut sent, mut got) = (0, Vec::new());
    let mut buf = [0; 1000];
    while got.len() < data.len() {
        sent += t.at(A, |net| net.write(client, &data[sent..]).expect("to write"));
        match t.at(B, |net| net.read(server, &mut buf).expect("to read")) {
            Some(n) => got.extend_from_slice(&buf[..n]),
            None => t.wait(),
        }
    }
    t.note("the same", got == data);
}

fn two_hundred_turns_of_ping_and_pong(t: &mut Tale<'_>) {
    let (client, server) = t.pair();
    let mut right = 0;
    for turn in 0..200_u32 {
        t.write(A, client, &turn.to_le_bytes());
        let got = t.read(B, server, 4);
        t.write(B, server, &got);
        right += usize::from(t.read(A, client, 4) == turn.to_le_bytes());
    }
    t.note("right answers", right);
}

fn what_is_larger_than_all_buffers_is_taken_in_part(t: &mut Tale<'_>) {
    let (client, _) = t.pair();
    let huge = vec![7; 64 << 20];
    let n = t.at(A, |net| net.write(client, &huge).expect("to write"));
    t.note("some is taken, not all", n > 0 && n < huge.len());
}
