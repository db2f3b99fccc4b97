//! Goal: the protocol of the `sim_cluster` example, rule by rule, without network or simulator.
//! Method: replicas on a bus in memory with clocks set by hand; messages are carried, held back or
//! lost as a test wants.

#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;

use std::collections::VecDeque;
use std::time::Duration;

use hio::tyme::Tyme;
use sim_cluster::caller::Told;
use sim_cluster::checks::{Broken, Checks};
use sim_cluster::disk::{Disk, Entry};
use sim_cluster::replica::{LEASE, MARGIN, Now, Output, Plant, Replica};
use sim_cluster::wire::{Malformed, Message};

/// Three replicas, their disks, the messages between them and what callers heard.
struct Bus {
    replicas: Vec<Replica>,
    disks: Vec<Disk>,
    under_way: VecDeque<(u8, u8, Message)>,
    answers: Vec<(u64, Message)>,
    now: Now,
    /// Pairs that do not hear each other, one way.
    cut: Vec<(u8, u8)>,
    plant: Option<Plant>,
}

impl Bus {
    fn new(plant: Option<Plant>) -> Self {
        let now = Now {
            clock: Tyme::ZERO,
            wall: Duration::from_secs(1000),
        };
        let disks: Vec<_> = (0..3).map(|_| Disk::default()).collect();
        let boot = |(me, disk): (u8, &Disk)| {
            Replica::boot(me, 3, disk.clone(), plant, u64::from(me) * 7 + 1, now)
        };
        Self {
            replicas: (0..).zip(&disks).map(boot).collect(),
            disks,
            under_way: VecDeque::new(),
            answers: Vec::new(),
            now,
            cut: Vec::new(),
            plant,
        }
    }

    /// Lets time pass in steps of a millisecond; messages arrive within the step.
    fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_millis() {
            self.now.clock += Duration::from_millis(1);
            self.now.wall += Duration::from_millis(1);
            for me in 0..3 {
                self.replicas[usize::from(me)].tick(self.now);
                self.collect(me);
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        for _ in 0..1000 {
            let Some((from, to, message)) = self.under_way.pop_front() else {
                return;
            };
            if !self.cut.contains(&(from, to)) {
                self.replicas[usize::from(to)].hear(from, message, self.now);
                self.collect(to);
            }
        }
        panic!("they do not stop to talk");
    }

    fn collect(&mut self, me: u8) {
        for output in self.replicas[usize::from(me)].outputs() {
            match output {
                Output::Send { to, message } => self.under_way.push_back((me, to, message)),
                Output::Answer { caller, message } => self.answers.push((caller, message)),
                Output::Leads { .. } => {}
            }
        }
    }

    fn holders(&self) -> Vec<u8> {
        (0..3)
            .filter(|n| self.replicas[usize::from(*n)].holds_lease(self.now))
            .collect()
    }

    /// Waits for a leader that serves.
    fn leader(&mut self) -> u8 {
        for _ in 0..100 {
            self.pass(Duration::from_millis(100));
            if let [one] = self.holders()[..] {
                return one;
            }
        }
        panic!("nobody leads");
    }

    fn call(&mut self, to: u8, message: Message) -> Option<Message> {
        self.replicas[usize::from(to)].call(9, message, self.now);
        self.collect(to);
        self.deliver();
        self.answers.pop().map(|(caller, answer)| {
            assert_eq!(caller, 9);
            answer
        })
    }

    fn isolate(&mut self, one: u8) {
        for other in (0..3).filter(|other| *other != one) {
            self.cut.extend([(one, other), (other, one)]);
        }
    }

    fn reboot(&mut self, one: u8) {
        let place = usize::from(one);
        let disk = self.disks[place].clone();
        self.replicas[place] = Replica::boot(one, 3, disk, self.plant, 5, self.now);
    }
}

#[test]
fn one_leads_and_the_others_follow() {
    let mut bus = Bus::new(None);
    let leader = bus.leader();
    bus.pass(Duration::from_secs(20));
    assert_eq!(bus.holders(), [leader]);
    assert!(
        bus.replicas
            .iter()
            .all(|one| one.term() == bus.replicas[0].term())
    );
}

#[test]
fn nobody_votes_before_a_lease_has_passed_since_the_boot() {
    let mut bus = Bus::new(None);
    let ask = Message::Ask {
        term: 9,
        holds: Entry::default(),
    };
    bus.pass(LEASE - Duration::from_millis(1));
    for (replica, wanted) in [(0_usize, false), (0, true)] {
        bus.replicas[replica].hear(1, ask, bus.now);
        let answer = bus.replicas[replica].outputs();
        let granted = matches!(
            answer[0],
            Output::Send {
                message: Message::Vote { granted: true, .. },
                ..
            }
        );
        assert_eq!(granted, wanted, "{answer:?}");
        bus.now.clock += Duration::from_millis(1);
    }
    // Nor twice in a term.
    bus.replicas[0].hear(2, ask, bus.now);
    assert!(matches!(
        bus.replicas[0].outputs()[0],
        Output::Send {
            to: 2,
            message: Message::Vote {
                term: 9,
                granted: false
            }
        }
    ));
    // Nor does it forget when it boots anew.
    bus.reboot(0);
    bus.now.clock += LEASE;
    bus.replicas[0].hear(2, ask, bus.now);
    assert!(matches!(
        bus.replicas[0].outputs()[0],
        Output::Send {
            to: 2,
            message: Message::Vote {
                term: 9,
                granted: false
            }
        }
    ));
}

#[test]
fn a_write_is_acknowledged_when_a_majority_holds_it_and_read_afterwards() {
    let mut bus = Bus::new(None);
    let leader = bus.leader();
    let stored = bus.call(leader, Message::Put { id: 1, value: 77 });
    let Some(Message::Stored { id: 1, index }) = stored else {
        panic!("{stored:?}");
    };
    let found = bus.call(leader, Message::Get { id: 2 });
    assert_eq!(
        found,
        Some(Message::Found {
            id: 2,
            index,
            value: 77
        })
    );
    let other = (leader + 1) % 3;
    let elsewhere = bus.call(other, Message::Get { id: 3 });
    assert_eq!(
        elsewhere,
        Some(Message::Elsewhere {
            id: 3,
            leader: Some(leader)
        })
    );
    // Alone it acknowledges nothing, and reads until its lease is over.
    bus.isolate(leader);
    assert_eq!(bus.call(leader, Message::Put { id: 4, value: 78 }), None);
    let found = bus.call(leader, Message::Get { id: 5 });
    assert_eq!(
        found,
        Some(Message::Found {
            id: 5,
            index,
            value: 77
        })
    );
    bus.pass(LEASE - MARGIN);
    assert_eq!(bus.holders(), []);
    let refused = bus.call(leader, Message::Get { id: 6 });
    assert!(
        matches!(refused, Some(Message::Elsewhere { id: 6, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_new_leader_holds_what_was_acknowledged() {
    let mut bus = Bus::new(None);
    let mut value = 100;
    for _ in 0..5 {
        let leader = bus.leader();
        value += 1;
        let stored = bus.call(leader, Message::Put { id: 1, value });
        assert!(matches!(stored, Some(Message::Stored { .. })), "{stored:?}");
        bus.isolate(leader);
        bus.pass(LEASE * 3);
        let next = bus.holders();
        assert!(next.len() == 1 && next[0] != leader);
        bus.cut.clear();
        let found = bus.call(next[0], Message::Get { id: 2 });
        assert!(
            matches!(found, Some(Message::Found { value: found, .. }) if found == value),
            "{found:?}"
        );
    }
}

#[test]
fn a_late_append_takes_nothing_back() {
    let mut bus = Bus::new(None);
    let leader = bus.leader();
    bus.call(leader, Message::Put { id: 1, value: 5 });
    let other = (leader + 1) % 3;
    let held = bus.disks[usize::from(other)].read().entry;
    let term = held.term;
    let old = Message::Append {
        term,
        round: 1,
        entry: Entry {
            term,
            index: 0,
            value: 4,
        },
    };
    bus.replicas[usize::from(other)].hear(leader, old, bus.now);
    assert_eq!(bus.disks[usize::from(other)].read().entry, held);
}

#[test]
fn strangers_and_unknown_rounds_are_ignored() {
    let mut bus = Bus::new(None);
    let leader = bus.leader();
    let before = format!("{:?}", bus.replicas[usize::from(leader)]);
    let one = &mut bus.replicas[usize::from(leader)];
    let term = one.term();
    one.hear(
        7,
        Message::Ask {
            term: 99,
            holds: Entry::default(),
        },
        bus.now,
    );
    one.hear(
        leader,
        Message::Vote {
            term: 99,
            granted: true,
        },
        bus.now,
    );
    let other = (leader + 1) % 3;
    one.hear(
        other,
        Message::Appended {
            term,
            round: 9999,
            held: true,
        },
        bus.now,
    );
    one.hear(
        other,
        Message::Found {
            id: 1,
            index: 1,
            value: 1,
        },
        bus.now,
    );
    one.call(
        1,
        Message::Vote {
            term: 99,
            granted: true,
        },
        bus.now,
    );
    assert_eq!(format!("{one:?}"), before);
}

#[test]
fn each_plant_breaks_its_rule() {
    // The leader is alone with its write, and says that it is written.
    let mut bus = Bus::new(Some(Plant::EarlyAck));
    let leader = bus.leader();
    bus.isolate(leader);
    let early = bus.call(leader, Message::Put { id: 1, value: 1 });
    assert!(matches!(early, Some(Message::Stored { .. })), "{early:?}");

    // Its wall clock goes back while it is alone: its lease does not end.
    let mut bus = Bus::new(Some(Plant::WallLease));
    let leader = bus.leader();
    bus.isolate(leader);
    bus.now.wall -= Duration::from_secs(60);
    bus.pass(LEASE * 3);
    assert_eq!(bus.holders().len(), 2);

    // The third has missed the write, the second has forgotten it, and the leader is gone.
    assert_eq!(
        the_last_write_after_three_faults(Some(Plant::LazyDisk)),
        None
    );
}

/// What is read when the third replica had missed the last write, the second one has booted anew
/// and the leader is alone; nothing when nobody knows of the write.
fn the_last_write_after_three_faults(plant: Option<Plant>) -> Option<u64> {
    let mut bus = Bus::new(plant);
    let leader = bus.leader();
    let (second, third) = ((leader + 1) % 3, (leader + 2) % 3);
    bus.cut.extend([(leader, third), (third, leader)]);
    let stored = bus.call(leader, Message::Put { id: 1, value: 55 });
    assert!(matches!(stored, Some(Message::Stored { .. })), "{stored:?}");
    bus.isolate(leader);
    bus.reboot(second);
    bus.pass(LEASE * 4);
    let next = *bus.holders().first().expect("a leader");
    match bus.call(next, Message::Get { id: 2 }) {
        Some(Message::Found { value: 55, .. }) => Some(55),
        _ => None,
    }
}

#[test]
fn the_same_without_the_plant_breaks_nothing() {
    assert_eq!(the_last_write_after_three_faults(None), Some(55));
    let mut bus = Bus::new(None);
    let leader = bus.leader();
    bus.isolate(leader);
    bus.now.wall -= Duration::from_secs(60);
    bus.pass(LEASE * 3);
    assert_eq!(bus.holders().len(), 1);
}

#[test]
fn frames_are_read_again_at_every_split_and_others_refused() {
    let entry = Entry {
        term: 3,
        index: 4,
        value: u64::MAX,
    };
    let all = [
        Message::Ask {
            term: 1,
            holds: entry,
        },
        Message::Vote {
            term: 2,
            granted: true,
        },
        Message::Append {
            term: 3,
            round: 4,
            entry,
        },
        Message::Appended {
            term: 5,
            round: 6,
            held: false,
        },
        Message::Put { id: 7, value: 8 },
        Message::Get { id: 9 },
        Message::Stored { id: 10, index: 11 },
        Message::Found {
            id: 12,
            index: 13,
            value: 14,
        },
        Message::Elsewhere {
            id: 15,
            leader: None,
        },
        Message::Elsewhere {
            id: 15,
            leader: Some(2),
        },
    ];
    for message in all {
        let mut frame = message.encode(6);
        for cut in 0..frame.len() {
            assert_eq!(Message::decode(&frame[..cut]), Ok(None));
        }
        let len = frame.len();
        assert_eq!(Message::decode(&frame), Ok(Some((6, message, len))));
        frame.push(1);
        assert_eq!(Message::decode(&frame), Ok(Some((6, message, len))));
        // A wrong kind, a flag that is none, a length that does not fit.
        frame[1] = 77;
        assert_eq!(Message::decode(&frame), Err(Malformed));
    }
    let mut vote = Message::Vote {
        term: 2,
        granted: true,
    }
    .encode(0);
    vote[11] = 2;
    assert_eq!(Message::decode(&vote), Err(Malformed));
    for len in [0_u8, 1, 3, 9, 255] {
        assert_eq!(Message::decode(&[len, 6, 0]), Err(Malformed), "{len}");
    }
}

#[test]
fn checks_see_what_is_lost_stale_or_contradicts() {
    let tell = |story: &[Told]| {
        let mut checks = Checks::default();
        story.iter().try_for_each(|told| checks.caller(1, *told))
    };
    let first = [
        Told::Writes { id: 1, value: 10 },
        Told::Stored { id: 1, index: 5 },
    ];
    assert_eq!(tell(&first), Ok(()));
    let read = |index, value| {
        [
            &first[..],
            &[
                Told::Reads { id: 2 },
                Told::Found {
                    id: 2,
                    index,
                    value,
                },
            ],
        ]
        .concat()
    };
    assert_eq!(tell(&read(5, 10)), Ok(()));
    assert_eq!(tell(&read(6, 11)), Ok(()));
    assert_eq!(tell(&read(4, 9)), Err(Broken::Stale { index: 4, known: 5 }));
    assert_eq!(
        tell(&read(5, 11)),
        Err(Broken::Lost {
            index: 5,
            was: 10,
            is: 11
        })
    );
    let again = [
        &first[..],
        &[
            Told::Writes { id: 2, value: 11 },
            Told::Stored { id: 2, index: 5 },
        ],
    ]
    .concat();
    assert_eq!(tell(&again), Err(Broken::Stale { index: 5, known: 6 }));
    // Nothing is known about calls that were given up.
    let gone = [
        &first[..],
        &[
            Told::Reads { id: 2 },
            Told::GaveUp { id: 2 },
            Told::Found {
                id: 2,
                index: 1,
                value: 1,
            },
        ],
    ]
    .concat();
    assert_eq!(tell(&gone), Ok(()));
}
