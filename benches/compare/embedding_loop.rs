//! A loop of 1 kHz: how late its periods begin, beside a bare loop around `clock_nanosleep`.

use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Overrun, Turn, Wake};
use hio::net::MioNet;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::Scale;
use crate::table::{Goal, Row, Table};

const PERIOD: Duration = Duration::from_millis(1);
/// Periods of one kind before it is the next one's turn: what the machine is up to hits all of them.
const TURN: usize = 100;

pub(crate) fn run(table: &mut Table, scale: Scale) {
    let rounds = scale.rounds();
    let turns = if scale.quick() { 3 } else { 20 };
    let figures: Result<Vec<Round>, Fault> = (0..rounds).map(|_| round(turns)).collect();
    let rounds = match figures {
        Ok(rounds) => rounds,
        Err(why) => return table.note("a loop of 1 kHz", &why.to_string()),
    };
    let column = |of: fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
    let (bare, again) = (column(|r| r.bare[1]), column(|r| r.again[1]));
    for (what, late) in [
        ("sleeping", column(|r| r.sleeping[1])),
        ("by ppoll, sockets end it", column(|r| r.polling[1])),
        ("in epoll, whole milliseconds", column(|r| r.epoll[1])),
    ] {
        table.row(Row {
            what: &format!("1 kHz loop, {what} (floor: bare clock_nanosleep): late by, p99.9"),
            unit: "µs",
            floor: &bare,
            again: &again,
            hio: &late,
            ..Row::default()
        });
    }
    type Share = (&'static str, fn(&Round) -> f64);
    let shares: [Share; 4] = [
        ("sleeping, p50 less the floor's", |r| {
            r.sleeping[0] - r.bare[0]
        }),
        ("sleeping, p99.9 less the floor's", |r| {
            r.sleeping[1] - r.bare[1]
        }),
        ("by ppoll, p99.9 less the floor's", |r| {
            r.polling[1] - r.bare[1]
        }),
        ("from waking up to the doer, p99.9", |r| r.inside[1]),
    ];
    for (what, of) in shares {
        table.row(Row {
            what: &format!("1 kHz loop: hio's share of being late, {what}"),
            unit: "µs",
            hio: &column(of),
            goal: Goal::Figure(20.0),
            ..Row::default()
        });
    }
}

/// Microseconds that half and 99.9 % of the periods do not exceed.
type Late = [f64; 2];

struct Round {
    bare: Late,
    again: Late,
    sleeping: Late,
    polling: Late,
    epoll: Late,
    /// From the end of the sleep to the doer.
    inside: Late,
}

fn round(turns: usize) -> Result<Round, Fault> {
    let (mut bare, mut again) = (Vec::new(), Vec::new());
    let mut sleeping = Loop::new(Wait::Sleep)?;
    let mut polling = Loop::new(Wait::Poll)?;
    let mut epoll = Loop::new(Wait::Epoll)?;
    for _ in 0..turns {
        bare_loop(&mut bare)?;
        sleeping.run()?;
        polling.run()?;
        epoll.run()?;
        bare_loop(&mut again)?;
    }
    let sleeping = sleeping.doist.app;
    Ok(Round {
        bare: late(bare),
        again: late(again),
        sleeping: late(sleeping.late),
        polling: late(polling.doist.app.late),
        epoll: late(epoll.doist.app.late),
        inside: late(sleeping.inside),
    })
}

fn late(mut nanos: Vec<u64>) -> Late {
    nanos.sort_unstable();
    [500, 999].map(|thousandths| {
        let at = (nanos.len() * thousandths).div_ceil(1000).saturating_sub(1);
        nanos.get(at).map_or(f64::NAN, |&n| n as f64 / 1e3)
    })
}

/// The floor: sleeps until the next period, looks at the clock.
fn bare_loop(late: &mut Vec<u64>) -> Result<(), Fault> {
    let clock = || nanos_of(clock_gettime(ClockId::Monotonic));
    let mut due = clock();
    for _ in 0..TURN {
        due += nanos(PERIOD);
        let until = Timespec {
            tv_sec: (due / 1_000_000_000) as i64,
            tv_nsec: (due % 1_000_000_000) as i64,
        };
        clock_nanosleep_absolute(ClockId::Monotonic, &until)?;
        late.push(clock().saturating_sub(due));
    }
    Ok(())
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos_of(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Sleep,
    Poll,
    Epoll,
}

/// What the loop's doer is lent.
#[derive(Default)]
struct Rig {
    due: Tyme,
    woken: Tyme,
    late: Vec<u64>,
    inside: Vec<u64>,
}

struct Loop {
    doist: Doist<Rig>,
    net: MioNet,
    wait: Wait,
}

impl Loop {
    fn new(wait: Wait) -> Result<Self, Fault> {
        let mut net = MioNet::new()?;
        if wait == Wait::Poll {
            net = net.with_waiter(|fd, time| {
                let time = time.map(|time| Timespec {
                    tv_sec: time.as_secs() as i64,
                    tv_nsec: time.subsec_nanos().into(),
                });
                poll(
                    &mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)],
                    time.as_ref(),
                )?;
                Ok(())
            });
        }
        let wake = if wait == Wait::Sleep {
            Wake::OnTick
        } else {
            Wake::Now
        };
        let mut doist = Doist::new(Rig::default())
            .with_tock(PERIOD)
            .with_overrun(Overrun::Skip)
            .with_wake(wake);
        doist.add(doify(|_tyme, cx: &mut Cx<'_, Rig>| {
            let (now, rig) = (cx.net.now(), &mut *cx.app);
            if rig.due > Tyme::ZERO {
                rig.late.push(nanos(now - rig.due));
                rig.inside.push(nanos(now - rig.woken));
            }
            Ok(Again)
        }));
        doist.enter(&mut net)?;
        Ok(Self { doist, net, wait })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the loop's own sleep is measured"
    )]
    fn run(&mut self) -> Result<(), Fault> {
        let Self { doist, net, wait } = self;
        // The others had their turn: the rhythm is found again first.
        doist.app.due = Tyme::ZERO;
        for _ in 0..=TURN {
            match doist.turn(net)? {
                Turn::Ended(_) => return Err(Fault::msg("the loop ended")),
                Turn::Sleep(until) => {
                    match wait {
                        Wait::Sleep => std::thread::sleep(until - net.now()),
                        Wait::Poll | Wait::Epoll => net.poll(until)?,
                    }
                    (doist.app.due, doist.app.woken) = (until, net.now());
                }
            }
        }
        Ok(())
    }
}
