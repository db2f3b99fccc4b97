//! Goal: the laws of order, O1 to O10 of docs/LAWS.md, hold clause by clause.
//! Method: short stories with their trace written out, played in every way a Doist can be driven,
//! and random scenarios held against the executable laws. `HIO_SEED` and `HIO_FRESH` set the seed
//! and the number of random scenarios of each law.

#[path = "support/laws/mod.rs"]
#[expect(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "support of the tests: it says what it is in the modules, and panics to fail"
)]
pub mod laws;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Cause, Event, Hook, Misuse, Step, Verdict};

use laws::generate::{Flavour, PLAIN};
use laws::scenario::On::{Itself, Parent as Above, Root};
use laws::scenario::{HostOp, Op, Policy, When, Yield};
use laws::tell::{
    after, doist, extend, leaf, parent, park, parking, plain, random_scenarios, remove, tells, wake,
};

// ---- O1

#[test]
fn o1_a_pass_runs_the_due_ones_in_enter_order() {
    tells(
        &doist([
            leaf("a").every(2).recurs(3),
            leaf("b").recurs(4),
            leaf("c").every(3).recurs(2),
        ]),
        "0: +a +b +c a b c | 1: b | 2: a b | 3: b b. -b c c. -c | 4: a a. -a",
        "done @5",
    );
}

#[test]
fn o1_each_runs_at_most_once_in_a_pass_however_late_it_is() {
    let mut often = leaf("a").recurs(3);
    often.tock = 100_000_000; // ten dues a tick
    tells(
        &doist([often, leaf("b").recurs(2)]),
        "0: +a +b a b | 1: a b b. -b | 2: a a. -a",
        "done @3",
    );
}

#[test]
fn o1_who_extends_keeps_its_place() {
    tells(
        &doist([
            leaf("a")
                .recurs(3)
                .at(1, extend(Above, [leaf("x").recurs(2)])),
            parent(
                "p",
                [leaf("b")
                    .recurs(3)
                    .at(2, extend(Above, [leaf("y").recurs(1)]))],
            ),
        ]),
        "0: +a +p +b a +x p b | 1: a p b +y x | 2: a a. -a p b b. -b y y. -y p. -p x x. -x",
        "done @3",
    );
}

#[test]
fn o1_random_scenarios() {
    random_scenarios(
        "o1",
        Flavour {
            deep: 35,
            dynamic: 15,
            after: 20,
            ..PLAIN
        },
    );
}

// ---- O2

#[test]
fn o2_a_new_doer_first_recurs_in_the_next_pass_to_begin() {
    tells(
        &doist([
            leaf("a")
                .recurs(2)
                .at(1, extend(Above, [leaf("x").recurs(1)])),
            parent("p", [leaf("b").recurs(2)]).at(1, extend(Itself, [leaf("y").recurs(1)])),
        ]),
        "0: +a +p +b a +x p +y b y y. -y | 1: a a. -a p b b. -b p. -p x x. -x",
        "done @2",
    );
}

#[test]
fn o2_who_is_done_in_enter_is_never_scheduled() {
    tells(
        &doist([
            leaf("a").recurs(0),
            leaf("b")
                .recurs(1)
                .at(1, extend(Above, [leaf("x").recurs(0).ends_false()])),
            parent("p", [leaf("c").recurs(0)]),
        ]),
        "0: +a a. -a +b +p +c c. -c b b. -b +x x. -x p p. -p",
        "done @1",
    );
}

#[test]
fn o2_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        dynamic: 40,
        eager: 20,
        after: 10,
        ..PLAIN
    };
    random_scenarios("o2", flavour);
}

// ---- O3

/// A doer with a tock of so many milliseconds.
fn every_millis(name: &str, millis: u64) -> laws::scenario::Spec {
    let mut spec = leaf(name);
    spec.tock = millis * 1_000_000;
    spec
}

#[test]
fn o3_dues_are_cumulative_so_that_the_rate_is_exact() {
    tells(
        &doist([every_millis("a", 1500).recurs(5)]),
        "0: +a a | 2: a | 3: a | 5: a | 6: a a. -a",
        "done @7",
    );
}

#[test]
fn o3_after_counts_once_and_zero_is_every_tick() {
    tells(
        &doist([
            leaf("a")
                .every(1)
                .yields([after(3), Yield::Again])
                .recurs(4),
            leaf("b").every(5).yields([after(0)]).recurs(3),
        ]),
        "0: +a +b a b | 1: b | 2: b b. -b | 3: a | 4: a | 7: a a. -a",
        "done @8",
    );
}

#[test]
fn o3_who_had_no_due_time_counts_from_this_tyme() {
    // a is a tock-0 doer until its third recur, b was parked until the first tick from 2.5 on.
    let mut b = leaf("b")
        .yields([Yield::ParkFor(2_500_000_000), after(2)])
        .recurs(3);
    b.tock = 0;
    tells(
        &doist([leaf("a").at(3, Op::Retock(2_000_000_000)).recurs(5), b]),
        "0: +a +b a b | 1: a | 2: a | 3: b | 4: a | 5: b b. -b | 6: a a. -a",
        "done @7",
    );
}

#[test]
fn o3_a_new_doers_base_is_its_enter_tyme_until_its_first_recur_returns() {
    // Entered at 0, first run at 1: x is due again at 0 + 2, and so is y, whose tock was 0.
    let y = leaf("y").at(1, Op::Retock(2_000_000_000)).recurs(2);
    tells(
        &doist([leaf("a")
            .recurs(1)
            .at(1, extend(Above, [leaf("x").every(2).recurs(2), y]))]),
        "0: +a a a. -a +x +y | 1: x y | 2: x x. -x y y. -y",
        "done @3",
    );
}

#[test]
fn o3_a_late_doer_runs_once_a_pass_until_it_has_caught_up() {
    // Dues 0, 0.5, 1, 1.5 are run at 0, 1, 2, 3; a tock of 3 from there is 4.5, not 6.
    let late = every_millis("a", 500)
        .at(4, Op::Retock(3_000_000_000))
        .recurs(5);
    // A parent that turns up every 4 s lets its child fall behind; the child catches up each 1 s.
    let slow = parent("p", [leaf("b").every(1).recurs(7)])
        .every(4)
        .at(3, Op::Retock(0));
    tells(
        &doist([late, slow]),
        "0: +a +p +b a p b | 1: a | 2: a | 3: a | 4: p b | 5: a a. -a | 8: p b | 9: p b \
         | 10: p b | 11: p b | 12: p b b. -b p. -p",
        "done @13",
    );
}

#[test]
fn o3_random_scenarios() {
    let flavour = Flavour {
        deep: 35,
        retock: 40,
        after: 50,
        park: 15,
        dynamic: 20,
        offgrid: 50,
        ..PLAIN
    };
    random_scenarios("o3", flavour);
}

// ---- O4

#[test]
fn o4_requests_are_carried_out_when_the_recur_returns() {
    // After a's own clean and exit, in the order asked, before b runs.
    tells(
        &doist([
            leaf("a")
                .recurs(1)
                .at(1, extend(Above, [leaf("x").recurs(1)]))
                .at(1, remove(Above, ["c"]))
                .at(1, extend(Above, [leaf("y").recurs(1)])),
            leaf("b").recurs(1),
            leaf("c"),
        ]),
        "0: +a +b +c a a. -a +x c~ -c +y b b. -b | 1: x x. -x y y. -y",
        "done @2",
    );
}

#[test]
fn o4_a_request_to_the_root_waits_for_the_roots_own_child() {
    tells(
        &doist([
            parent(
                "p",
                [
                    parent(
                        "q",
                        [leaf("a")
                            .recurs(1)
                            .at(1, extend(Root, [leaf("x").recurs(1)]))],
                    ),
                    leaf("b").recurs(1).at(1, remove(Root, ["c"])),
                ],
            ),
            leaf("c"),
        ]),
        "0: +p +q +a +b +c p q a a. -a q. -q b b. -b p. -p +x c~ -c | 1: x x. -x",
        "done @2",
    );
}

#[test]
fn o4_a_root_request_of_a_parent_that_asks_before_its_own_pass_is_not_lost() {
    tells(
        &doist([
            parent("p", [leaf("a").recurs(2)])
                .at(1, extend(Root, [leaf("x").recurs(1)]))
                .at(1, extend(Itself, [leaf("y").recurs(1)])),
            leaf("b").recurs(1),
        ]),
        "0: +p +a +b p +y a y y. -y +x b b. -b | 1: p a a. -a p. -p x x. -x",
        "done @2",
    );
}

#[test]
fn o4_ids_not_open_in_the_target_are_ignored_the_others_close_in_reverse() {
    tells(
        &doist([
            leaf("gone").recurs(1),
            leaf("a")
                .recurs(2)
                .at(2, remove(Above, ["b", "gone", "nobody", "inner", "d", "c"])),
            leaf("b"),
            leaf("c"),
            leaf("d"),
            parent("p", [leaf("inner").recurs(3)]),
        ]),
        "0: +gone +a +b +c +d +p +inner gone gone. -gone a b c d p inner \
         | 1: a a. -a d~ -d c~ -c b~ -b p inner | 2: p inner inner. -inner p. -p",
        "done @3",
    );
}

#[test]
fn o4_a_failing_recur_drops_what_it_and_its_children_asked() {
    let fails = leaf("a")
        .at(1, extend(Above, [leaf("x")]))
        .at(1, remove(Above, ["b"]));
    tells(
        &doist([
            fails.at(1, Op::Fail),
            parent(
                "p",
                [
                    leaf("c")
                        .at(1, extend(Root, [leaf("y")]))
                        .at(1, extend(Above, [leaf("z")])),
                    leaf("d").at(1, Op::Fail),
                ],
            ),
            leaf("b").recurs(2),
        ])
        .policy(Policy::Drop),
        "0: +a +p +c +d +b a a! -a p c +z d d! -d p! z~ -z c~ -c -p b | 1: b b. -b",
        "done @2",
    );
}

#[test]
fn o4_one_bad_new_doer_closes_those_of_its_request_and_fails_the_target() {
    tells(
        &doist([
            leaf("a").at(
                1,
                extend(
                    Above,
                    [leaf("x"), leaf("y").on(When::Enter, Op::Fail), leaf("z")],
                ),
            ),
            leaf("b"),
        ]),
        "0: +a +b a +x +y y! -y x~ -x b~ -b a~ -a",
        "y fail:y:enter:0 @0",
    );
}

#[test]
fn o4_one_bad_new_doer_below_fails_the_parent_as_the_targets_failure() {
    tells(
        &doist([
            parent(
                "p",
                [
                    leaf("a").at(
                        1,
                        extend(Above, [leaf("x"), leaf("y").on(When::Enter, Op::Fail)]),
                    ),
                    leaf("b"),
                ],
            ),
            leaf("c").recurs(1),
        ])
        .policy(Policy::Drop),
        "0: +p +a +b +c p a +x +y y! -y x~ -x p! b~ -b a~ -a -p c c. -c",
        "done @1",
    );
}

#[test]
fn o4_what_is_asked_in_enter_is_carried_out_depth_first_after_the_list() {
    let x = leaf("x")
        .recurs(1)
        .on(When::Enter, extend(Above, [leaf("y").recurs(1)]));
    tells(
        &doist([
            leaf("a")
                .recurs(1)
                .on(When::Enter, extend(Above, [x, leaf("w").recurs(1)])),
            leaf("b")
                .recurs(1)
                .on(When::Enter, extend(Above, [leaf("z").recurs(1)])),
        ]),
        "0: +a +b +x +w +y +z a a. -a b b. -b x x. -x w w. -w y y. -y z z. -z",
        "done @1",
    );
}

#[test]
fn o4_what_is_asked_of_the_root_in_a_nested_enter_waits_for_the_roots_list() {
    let c = leaf("c")
        .recurs(1)
        .on(When::Enter, extend(Root, [leaf("x").recurs(1)]));
    let c = c.on(When::Enter, remove(Root, ["b"]));
    let d = leaf("d")
        .recurs(1)
        .on(When::Enter, extend(Above, [leaf("y").recurs(1)]));
    tells(
        &doist([leaf("b"), parent("p", [c, d]), leaf("e").recurs(1)]),
        "0: +b +p +c +d +y +e +x b~ -b p c c. -c d d. -d y y. -y p. -p e e. -e x x. -x",
        "done @1",
    );
}

#[test]
fn o4_enters_of_a_request_ask_before_the_next_request() {
    let x = leaf("x")
        .recurs(1)
        .on(When::Enter, extend(Above, [leaf("y").recurs(1)]));
    tells(
        &doist([
            leaf("a")
                .recurs(1)
                .at(1, extend(Above, [x]))
                .at(1, remove(Above, ["b"])),
            leaf("b"),
        ]),
        "0: +a +b a a. -a +x +y b~ -b | 1: x x. -x y y. -y",
        "done @2",
    );
}

#[test]
fn o4_a_failing_enter_drops_what_it_asked() {
    let bad = leaf("a")
        .on(When::Enter, extend(Above, [leaf("x")]))
        .on(When::Enter, Op::Fail);
    tells(
        &doist([bad, leaf("b").recurs(1)]).policy(Policy::Drop),
        "0: +a a! -a +b b b. -b",
        "done @1",
    );
}

#[test]
fn o4_in_closing_hooks_only_stop_and_wake_count() {
    for hook in [When::Clean, When::Exit] {
        tells(
            &doist([
                leaf("a")
                    .recurs(1)
                    .on(hook, extend(Above, [leaf("x")]))
                    .on(hook, remove(Root, ["b"]))
                    .on(hook, wake("c")),
                leaf("b").recurs(2),
                leaf("c")
                    .yields([Yield::ParkNever])
                    .begins(Yield::ParkNever)
                    .recurs(1),
            ]),
            "0: +a +b +c a a. -a b c c. -c | 1: b b. -b",
            "done @2",
        );
    }
    tells(
        &doist([
            leaf("a").recurs(1).at(1, remove(Above, ["b"])),
            leaf("b").on(When::Cease, Op::Stop),
            leaf("c"),
        ]),
        "0: +a +b +c a a. -a b~ -b c~ -c",
        "stopped @0",
    );
}

#[test]
fn o4_a_parent_acts_on_its_own_children_at_once() {
    tells(
        &doist([parent("p", [leaf("a"), leaf("b").recurs(1)])
            .at(1, extend(Itself, [leaf("x").recurs(1)]))
            .at(1, remove(Itself, ["a"]))]),
        "0: +p +a +b p +x a~ -a b b. -b x x. -x p. -p",
        "done @1",
    );
}

#[test]
fn o4_requests_through_a_lens_go_the_same_way() {
    /// The program's state; doers below work on the log alone.
    #[derive(Default)]
    struct App {
        log: Vec<String>,
    }
    struct Worker(&'static str, u32);
    impl Doer<Vec<String>> for Worker {
        fn enter(&mut self, cx: &mut Cx<'_, Vec<String>>) -> Result<Next, Fault> {
            cx.app.push(format!("+{}", self.0));
            if self.0 == "e" {
                cx.ask.extend(Self("f", 1));
            }
            Ok(Again)
        }
        fn recur(&mut self, _: Tyme, cx: &mut Cx<'_, Vec<String>>) -> Result<Next, Fault> {
            cx.app.push(self.0.to_owned());
            match (self.0, self.1) {
                ("a", 2) => {
                    cx.ask.extend(Self("x", 1));
                    cx.ask.root().named("y").extend(Self("y", 1));
                    cx.ask.root().extend_all(|batch| {
                        batch.add(Self("e", 1));
                    });
                }
                ("b", 1) => cx.ask.stop(),
                _ => {}
            }
            self.1 -= 1;
            Ok(if self.1 == 0 { Done(true) } else { Again })
        }
        fn exit(&mut self, cx: &mut Cx<'_, Vec<String>>) {
            cx.app.push(format!("-{}", self.0));
        }
    }
    let mut inner: DoDoer<Vec<String>> = DoDoer::new();
    inner.add(Worker("a", 2));
    let mut outer: DoDoer<App> = DoDoer::new();
    outer.add_on(|app: &mut App| &mut app.log, inner);
    let mut doist = Doist::new(App::default()).with_pace(Pace::Asap);
    doist.add(outer);
    doist.add_on(|app| &mut app.log, Worker("b", 3));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Stopped
    );
    let told = "+a +b a +x +y +e +f b a -a x -x b y -y e -e f -f b -b";
    assert_eq!(doist.app.log.join(" "), told);
}

#[test]
fn o4_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        dynamic: 50,
        eager: 30,
        fail: 8,
        enter_fail: 4,
        supervise: 30,
        parking: 30,
        ..PLAIN
    };
    random_scenarios("o4", flavour);
}

// ---- O5

#[test]
fn o5_closing_goes_in_reverse_enter_order_children_inside_their_parent() {
    tells(
        &doist([
            leaf("a"),
            parent(
                "p",
                [leaf("b"), parent("q", [leaf("c"), leaf("d")]), leaf("e")],
            ),
            leaf("f"),
        ])
        .limit(1),
        "0: +a +p +b +q +c +d +e +f a p b q c d e f \
         | 1: f~ -f p~ e~ -e q~ d~ -d c~ -c -q b~ -b -p a~ -a",
        "limit @1",
    );
}

#[test]
fn o5_abort_and_clean_close_the_children_inside_too() {
    tells(
        &doist([
            parent("p", [leaf("a"), leaf("b").at(2, Op::Fail), leaf("c")]),
            leaf("d"),
        ]),
        "0: +p +a +b +c +d p a b c d | 1: p a b b! -b p! c~ -c a~ -a -p d~ -d",
        "p/b fail:b:recur:2 @1",
    );
}

#[test]
fn o5_late_comers_close_first_whoever_asked_for_them() {
    tells(
        &doist([
            leaf("a").at(1, extend(Above, [leaf("x"), leaf("y")])),
            leaf("b"),
        ])
        .limit(2),
        "0: +a +b a +x +y b | 1: a b x y | 2: y~ -y x~ -x b~ -b a~ -a",
        "limit @2",
    );
}

#[test]
fn o5_a_parent_that_ends_early_closes_its_children_between_clean_and_exit() {
    /// Ends after two passes whatever its children say.
    struct Twice(Deeds<Vec<&'static str>>, u32);
    struct Child(&'static str, &'static str);
    type App = Vec<&'static str>;
    impl Doer<App> for Child {
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, App>) -> Result<Next, Fault> {
            Ok(Again)
        }
        fn cease(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push(self.0);
        }
        fn exit(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push(self.1);
        }
    }
    impl Doer<App> for Twice {
        fn deeds(&self) -> Option<&Deeds<App>> {
            Some(&self.0)
        }
        fn deeds_mut(&mut self) -> Option<&mut Deeds<App>> {
            Some(&mut self.0)
        }
        fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
            self.0.recur(tyme, cx)?;
            self.1 += 1;
            Ok(if self.1 == 2 { Done(true) } else { Again })
        }
        fn clean(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push("clean");
        }
        fn exit(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push("exit");
        }
    }
    let mut parent = Twice(Deeds::new(), 0);
    parent.0.add(Child("a~", "-a"));
    parent.0.add(Child("b~", "-b"));
    let mut doist = Doist::new(Vec::new()).with_pace(Pace::Asap);
    let id = doist.add(parent);
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Done
    );
    assert_eq!(doist.app, ["clean", "b~", "-b", "a~", "-a", "exit"]);
    assert_eq!(doist.ended(id), Some(Ended::Done(true)));
}

#[test]
fn o5_random_scenarios() {
    let flavour = Flavour {
        deep: 50,
        dynamic: 30,
        fail: 10,
        always: 20,
        ..PLAIN
    };
    random_scenarios("o5", flavour);
}

// ---- O6

#[test]
fn o6_removed_while_it_runs_it_ends_when_its_recur_returns() {
    tells(
        &doist([leaf("a").at(2, remove(Above, ["a"])), leaf("b").recurs(2)]),
        "0: +a +b a b | 1: a a~ -a b b. -b",
        "done @2",
    );
}

#[test]
fn o6_unless_that_recur_returned_done_or_failed() {
    tells(
        &doist([
            leaf("a").at(1, remove(Above, ["a"])).recurs(1),
            leaf("b").at(1, remove(Above, ["b"])).at(1, Op::Fail),
            leaf("c").recurs(1),
        ])
        .policy(Policy::Drop),
        "0: +a +b +c a a. -a b b! -b c c. -c",
        "done @1",
    );
}

#[test]
fn o6_an_ancestor_removed_from_below_ends_when_its_own_recur_returns() {
    tells(
        &doist([
            parent(
                "p",
                [leaf("a").at(1, remove(Root, ["p"])), leaf("b").recurs(3)],
            ),
            leaf("c").recurs(1),
        ]),
        "0: +p +a +b +c p a b p~ b~ -b a~ -a -p c c. -c",
        "done @1",
    );
}

#[test]
fn o6_a_parent_removed_with_its_last_child_done_has_ended_that_way() {
    tells(
        &doist([
            parent("p", [leaf("a").at(1, remove(Root, ["p"])).recurs(1)]),
            leaf("c").recurs(1),
        ]),
        "0: +p +a +c p a a. -a p. -p c c. -c",
        "done @1",
    );
}

#[test]
fn o6_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        dynamic: 60,
        fail: 6,
        supervise: 30,
        ..PLAIN
    };
    random_scenarios("o6", flavour);
}

// ---- O7

#[test]
fn o7_a_life_ends_by_clean_cease_or_abort_and_then_exit() {
    tells(
        &doist([
            leaf("a").recurs(1),
            leaf("b"),
            leaf("c").at(1, Op::Fail),
            leaf("d").on(When::Enter, Op::Fail),
        ])
        .policy(Policy::Drop)
        .limit(1),
        "0: +a +b +c +d d! -d a a. -a b c c! -c | 1: b~ -b",
        "limit @1",
    );
}

#[test]
fn o7_a_panic_in_recur_or_enter_is_a_failure() {
    tells(
        &doist([
            leaf("a"),
            parent("p", [leaf("b").at(2, Op::Panic), leaf("c")]),
        ]),
        "0: +a +p +b +c a p b c | 1: a p b b! -b p! c~ -c -p a~ -a",
        "p/b panic:b:recur:2 @1",
    );
    tells(
        &doist([
            leaf("a"),
            parent("p", [leaf("b"), leaf("c").on(When::Enter, Op::Panic)]),
        ]),
        "0: +a +p +b +c c! -c p! b~ -b -p a~ -a",
        "p/c panic:c:enter:0 @0",
    );
    tells(
        &doist([
            leaf("a").recurs(2),
            parent("p", [leaf("b")]).at(1, Op::Panic),
        ])
        .policy(Policy::Drop),
        "0: +a +p +b a p p! b~ -b -p | 1: a a. -a",
        "done @2",
    );
}

#[test]
fn o7_a_panic_in_clean_is_collected_and_the_run_returns_it() {
    tells(
        &doist([
            parent(
                "p",
                [
                    leaf("a").recurs(1).on(When::Clean, Op::Panic),
                    leaf("b").recurs(2),
                ],
            ),
            leaf("c").recurs(2),
        ]),
        "0: +p +a +b +c p a a. -a b c | 1: p b b. -b p. -p c c. -c",
        "p/a panic:a:clean:1 @2",
    );
}

#[test]
fn o7_a_panic_in_cease_abort_or_exit_never_stops_the_closing_of_the_others() {
    let branch = parent(
        "p",
        [
            leaf("b")
                .on(When::Cease, Op::Panic)
                .on(When::Exit, Op::Panic),
            leaf("c").at(1, Op::Fail).on(When::Abort, Op::Panic),
        ],
    );
    tells(
        &doist([
            leaf("a"),
            branch.on(When::Abort, Op::Panic).on(When::Exit, Op::Panic),
            leaf("d"),
        ]),
        "0: +a +p +b +c +d a p b c c! -c p! b~ -b -p d~ -d a~ -a",
        "p/c fail:c:recur:1 also p/c panic:c:abort:1 also p panic:p:abort:1 \
         also p/b panic:b:cease:1 also p/b panic:b:exit:1 also p panic:p:exit:1 @0",
    );
}

#[test]
fn o7_the_first_collected_panic_is_what_a_good_run_returns() {
    tells(
        &doist([
            leaf("a").on(When::Cease, Op::Panic),
            leaf("b").on(When::Exit, Op::Panic).recurs(1),
            leaf("c"),
        ])
        .limit(1),
        "0: +a +b +c a b b. -b c | 1: c~ -c a~ -a",
        "b panic:b:exit:1 also a panic:a:cease:1 @1",
    );
}

#[test]
fn o7_a_doer_keeps_how_it_ended_when_its_last_hooks_panic() {
    let story = laws::model::expected(&doist([leaf("a")
        .recurs(1)
        .on(When::Clean, Op::Panic)
        .on(When::Exit, Op::Panic)]));
    assert_eq!(
        story.expect("an end").ended["a"],
        laws::model::End::Done(true)
    );
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    struct Bad;
    impl Doer for Bad {
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_>) -> Result<Next, Fault> {
            Ok(Done(true))
        }
        fn clean(&mut self, _: &mut Cx<'_>) {
            panic!("panic: {}", "in clean");
        }
    }
    let id = doist.named("bad").add(Bad);
    let fault = doist.run(&mut NullNet::default()).expect_err("collected");
    assert_eq!(fault.hook(), Some(Hook::Clean));
    assert!(matches!(fault.cause(), Cause::Panicked(text) if text == "panic: in clean"));
    assert_eq!(fault.path().collect::<Vec<_>>(), ["bad"]);
    assert_eq!(doist.ended(id), Some(Ended::Done(true)));
}

#[test]
fn o7_a_child_left_open_by_its_parents_exit_is_closed_and_reported() {
    struct Sloppy(Deeds<Vec<&'static str>>);
    struct Child;
    type App = Vec<&'static str>;
    impl Doer<App> for Child {
        fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
            cx.app.push("enter");
            Ok(Again)
        }
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, App>) -> Result<Next, Fault> {
            Ok(Again)
        }
        fn exit(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push("exit");
        }
    }
    impl Doer<App> for Sloppy {
        fn deeds(&self) -> Option<&Deeds<App>> {
            Some(&self.0)
        }
        fn deeds_mut(&mut self) -> Option<&mut Deeds<App>> {
            Some(&mut self.0)
        }
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, App>) -> Result<Next, Fault> {
            Ok(Done(true))
        }
        fn exit(&mut self, cx: &mut Cx<'_, App>) {
            // Enters its children once more, after they have been closed.
            self.0.enter(cx).expect("they enter");
        }
    }
    let mut parent = Sloppy(Deeds::new());
    parent.0.add(Child);
    let mut doist = Doist::new(Vec::new()).with_pace(Pace::Asap);
    doist.named("sloppy").add(parent);
    let fault = doist.run(&mut NullNet::default()).expect_err("reported");
    assert!(
        matches!(fault.cause(), Cause::Misused(Misuse::LeftOpen)),
        "{fault}"
    );
    assert_eq!(doist.app, ["enter", "exit", "enter", "exit"]);
}

#[test]
fn o7_panics_outside_of_hooks_leave_no_doer_open_either() {
    struct Counted;
    impl Doer<u32> for Counted {
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, u32>) -> Result<Next, Fault> {
            Ok(Again)
        }
        fn exit(&mut self, cx: &mut Cx<'_, u32>) {
            *cx.app += 1;
        }
    }
    /// Panics when it is dropped.
    struct Heavy;
    impl Drop for Heavy {
        fn drop(&mut self) {
            panic!("{}", "panic: dropped");
        }
    }
    impl Doer<u32> for Heavy {
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, u32>) -> Result<Next, Fault> {
            Ok(Done(true))
        }
    }
    let start = || {
        Doist::new(0)
            .with_pace(Pace::Asap)
            .with_limit(Duration::from_secs(1))
    };
    for event in [Event::Enter, Event::Recur, Event::Cease, Event::Exit] {
        let mut doist = start();
        doist.add(Counted);
        doist.add(Counted);
        doist.observe(move |_, _, seen| assert!(seen != event, "panic: {event:?}"));
        let fault = doist.run(&mut NullNet::default()).expect_err("it is told");
        assert!(fault.to_string().contains("panic: "), "{fault}");
        assert_eq!(doist.app, 2, "{event:?}");
    }
    // A doer that came in later is dropped at its end; one whose request is dropped, with it.
    for fails in [false, true] {
        let mut doist = start();
        doist.add(Counted);
        doist.add(doify(move |tyme, cx: &mut Cx<'_, u32>| {
            if tyme == Tyme::ZERO {
                cx.ask.extend(Heavy);
                if fails {
                    return Err(Fault::msg("not today"));
                }
            }
            Ok(Again)
        }));
        doist.supervise(|_, _| Verdict::Drop);
        let fault = doist.run(&mut NullNet::default()).expect_err("it is told");
        assert!(fault.to_string().contains("panic: dropped"), "{fault}");
        assert_eq!(doist.app, 1, "fails: {fails}");
    }
}

#[test]
fn o7_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        dynamic: 20,
        eager: 10,
        panic: 8,
        closing_panic: 25,
        supervise: 30,
        parking: 30,
        ..PLAIN
    };
    random_scenarios("o7", flavour);
}

// ---- O8

#[test]
fn o8_a_failure_rises_and_everything_is_closed() {
    tells(
        &doist([
            leaf("a"),
            parent(
                "p",
                [
                    parent("q", [leaf("b").at(1, Op::Fail), leaf("c")]),
                    leaf("d"),
                ],
            ),
            leaf("e"),
        ]),
        "0: +a +p +q +b +c +d +e a p q b b! -b q! c~ -c -q p! d~ -d -p e~ -e a~ -a",
        "p/q/b fail:b:recur:1 @0",
    );
}

#[test]
fn o8_a_failing_enter_rises_too_and_the_rest_of_the_list_never_enters() {
    tells(
        &doist([
            leaf("a"),
            parent(
                "p",
                [leaf("b"), leaf("c").on(When::Enter, Op::Fail), leaf("d")],
            ),
            leaf("e"),
        ]),
        "0: +a +p +b +c c! -c p! b~ -b -p a~ -a",
        "p/c fail:c:enter:0 @0",
    );
}

#[test]
fn o8_drop_lets_the_others_go_on() {
    tells(
        &doist([
            parent("p", [leaf("a").at(2, Op::Fail), leaf("b").recurs(3)]).policy(Policy::Drop),
        ]),
        "0: +p +a +b p a b | 1: p a a! -a b | 2: p b b. -b p. -p",
        "done @3",
    );
}

#[test]
fn o8_a_restarted_doer_enters_at_once_last_in_order() {
    tells(
        &doist([parent(
            "p",
            [leaf("a").at(2, Op::Fail).recurs(3), leaf("b").recurs(3)],
        )
        .policy(Policy::Restart(1))]),
        "0: +p +a +b p a b | 1: p a a! -a +a b | 2: p b b. -b a \
         | 3: p a a! -a p! -p",
        "p/a fail:a:recur:2 @3",
    );
}

#[test]
fn o8_the_children_of_a_restarted_parent_enter_again() {
    tells(
        &doist([
            parent("p", [leaf("a"), leaf("b").at(2, Op::Fail)]),
            leaf("c").recurs(4),
        ])
        .policy(Policy::Restart(1))
        .limit(3),
        "0: +p +a +b +c p a b c | 1: p a b b! -b p! a~ -a -p +p +a +b c | 2: c p a b \
         | 3: p~ b~ -b a~ -a -p c~ -c",
        "limit @3",
    );
}

#[test]
fn o8_a_restarted_parent_enters_its_whole_list_however_far_it_had_come() {
    // The first time, what a brings along fails before b has entered.
    let a = leaf("a").on(
        When::Enter,
        extend(Above, [leaf("x").on(When::Enter, Op::Fail)]),
    );
    tells(
        &doist([parent("p", [parent("q", [a]), leaf("b")])])
            .policy(Policy::Restart(1))
            .limit(1),
        "0: +p +q +a +x x! -x q! a~ -a -q p! -p +p +q +a +b p q a b \
         | 1: p~ b~ -b q~ a~ -a -q -p",
        "limit @1",
    );
}

#[test]
fn o8_a_failing_enter_can_be_dropped_or_restarted() {
    tells(
        &doist([
            leaf("a").on(When::Enter, Op::Fail),
            leaf("b")
                .recurs(1)
                .at(1, extend(Above, [leaf("x").on(When::Enter, Op::Fail)])),
            leaf("c").recurs(2),
        ])
        .policy(Policy::Drop),
        "0: +a a! -a +b +c b b. -b +x x! -x c | 1: c c. -c",
        "done @2",
    );
    tells(
        &doist([leaf("a").on(When::Enter, Op::Fail), leaf("b").recurs(1)])
            .policy(Policy::Restart(2)),
        "0: +a a! -a +a a! -a +a a! -a",
        "a fail:a:enter:0 @0",
    );
}

#[test]
fn o8_the_ready_policy_allows_one_restart_in_five_seconds() {
    // Fails at 1 and, restarted, 2 ticks later again: too soon.
    tells(
        &doist([leaf("a").at(2, Op::Fail), leaf("b")]).policy(Policy::Ready),
        "0: +a +b a b | 1: a a! -a +a b | 2: b a | 3: b a a! -a b~ -b",
        "a fail:a:recur:2 @3",
    );
    // Fails every 5 s: restarted each time.
    tells(
        &doist([leaf("a").every(4).at(2, Op::Fail)])
            .policy(Policy::Ready)
            .limit(16),
        "0: +a a | 4: a a! -a +a | 5: a | 8: a a! -a",
        "a fail:a:recur:2 @8",
    );
    tells(
        &doist([leaf("a").every(5).at(2, Op::Fail)])
            .policy(Policy::Ready)
            .limit(12),
        "0: +a a | 5: a a! -a +a | 6: a | 10: a a! -a +a | 11: a | 12: a~ -a",
        "limit @12",
    );
}

#[test]
fn o8_a_restarted_doer_is_the_same_object_with_a_new_id() {
    #[derive(Default)]
    struct Counts {
        recurs: u32,
    }
    impl Doer<Vec<DoerId>> for Counts {
        fn enter(&mut self, cx: &mut Cx<'_, Vec<DoerId>>) -> Result<Next, Fault> {
            cx.app.push(cx.ask.me());
            Ok(Again)
        }
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, Vec<DoerId>>) -> Result<Next, Fault> {
            self.recurs += 1;
            if self.recurs == 2 {
                Err(Fault::msg("second"))
            } else {
                Ok(Done(self.recurs == 3))
            }
            .or_else(|e: Fault| if self.recurs == 2 { Err(e) } else { Ok(Again) })
            .map(|next| if self.recurs < 3 { Again } else { next })
        }
    }
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut doist = Doist::new(Vec::new()).with_pace(Pace::Asap);
    let old = doist.named("counts").add(Counts::default());
    let told = Arc::clone(&asked);
    doist.supervise(move |tyme, fault| {
        told.lock()
            .expect("no panic")
            .push((tyme, fault.to_string()));
        Verdict::Restart
    });
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("restarted"),
        Outcome::Done
    );
    let [first, second] = doist.app[..] else {
        panic!("entered twice, not {:?}", doist.app)
    };
    assert_eq!(first, old.untyped());
    assert_ne!(first, second);
    assert_eq!(
        doist.ended(second),
        Some(Ended::Done(true)),
        "its own state went on: 3 recurs"
    );
    let asked = asked.lock().expect("no panic");
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].1.contains("counts") && asked[0].1.contains("second"),
        "{asked:?}"
    );
}

#[test]
fn o8_enter_and_recur_that_fail_have_closed_everything() {
    struct Fails(&'static str);
    type App = Vec<&'static str>;
    impl Doer<App> for Fails {
        fn enter(&mut self, _: &mut Cx<'_, App>) -> Result<Next, Fault> {
            if self.0 == "enter" {
                Err(Fault::msg("enter"))
            } else {
                Ok(Again)
            }
        }
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, App>) -> Result<Next, Fault> {
            if self.0 == "recur" {
                Err(Fault::msg("recur"))
            } else {
                Ok(Again)
            }
        }
        fn exit(&mut self, cx: &mut Cx<'_, App>) {
            cx.app.push(self.0);
        }
    }
    let mut net = NullNet::default();
    let mut doist = Doist::new(Vec::new());
    let first = doist.add(Fails("first"));
    doist.add(Fails("enter"));
    doist.enter(&mut net).expect_err("its enter fails");
    assert_eq!(doist.app, ["enter", "first"]);
    assert_eq!(doist.ended(first), Some(Ended::Ceased));
    assert!(doist.is_empty());
    let again = doist.recur(&mut net).expect_err("it is over");
    assert!(
        matches!(again.cause(), Cause::Misused(Misuse::NotEntered)),
        "{again}"
    );

    let mut doist = Doist::new(Vec::new());
    doist.add(Fails("first"));
    let bad = doist.add(Fails("recur"));
    doist.enter(&mut net).expect("all enter");
    let fault = doist.recur(&mut net).expect_err("its recur fails");
    assert_eq!(fault.hook(), Some(Hook::Recur));
    assert_eq!(doist.app, ["recur", "first"]);
    assert_eq!(doist.ended(bad), Some(Ended::Aborted));
    assert!(doist.is_empty());
}

#[test]
fn o8_a_supervisor_that_panics_lets_the_failure_rise() {
    struct Closes;
    impl Doer<u32> for Closes {
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_, u32>) -> Result<Next, Fault> {
            Ok(Again)
        }
        fn exit(&mut self, cx: &mut Cx<'_, u32>) {
            *cx.app += 1;
        }
    }
    let mut doist = Doist::new(0)
        .with_limit(Duration::from_secs(1))
        .with_pace(Pace::Asap);
    doist.add(Closes);
    doist.add(doify(|_, _: &mut Cx<'_, u32>| Err(Fault::msg("first"))));
    doist.supervise(|_, _| panic!("{}", "panic: no idea what to do"));
    let fault = doist
        .run(&mut NullNet::default())
        .expect_err("nobody saved it");
    assert!(fault.to_string().contains("first"), "{fault}");
    assert_eq!(doist.app, 1, "the others are closed");
}

#[test]
fn o8_what_failing_doers_ask_for_leaves_nothing_behind() {
    /// Fails each time after asking for a doer, and is restarted each time.
    struct Fails(u32);
    impl Doer<Vec<DoerId>> for Fails {
        fn enter(&mut self, cx: &mut Cx<'_, Vec<DoerId>>) -> Result<Next, Fault> {
            cx.app.push(cx.ask.me());
            Ok(Again)
        }
        fn recur(&mut self, _: Tyme, cx: &mut Cx<'_, Vec<DoerId>>) -> Result<Next, Fault> {
            cx.ask.extend(redo([Again]));
            self.0 -= 1;
            if self.0 == 0 {
                return Ok(Done(true));
            }
            Err(Fault::msg("again"))
        }
    }
    let mut doist = Doist::new(Vec::new()).with_pace(Pace::Asap);
    doist.supervise(|_, _| Verdict::Restart);
    doist.add(Fails(10_000));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("restarted"),
        Outcome::Done
    );
    // An id shows the place of a doer in the Doist's table, which must not grow for ever.
    let place = |id: &DoerId| -> u32 {
        let text = format!("{id:?}");
        let digits = text.trim_start_matches("DoerId(").split('.').next();
        digits
            .and_then(|d| d.parse().ok())
            .expect("DoerId(place.n)")
    };
    let largest = doist.app.iter().map(place).max();
    assert!(largest < Some(4000), "{largest:?} for one doer");
}

#[test]
fn o8_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        dynamic: 25,
        eager: 10,
        fail: 20,
        enter_fail: 6,
        panic: 5,
        supervise: 60,
        parking: 30,
        ..PLAIN
    };
    random_scenarios("o8", flavour);
}

// ---- O9

#[test]
fn o9_pass_tick_then_done_before_limit() {
    tells(
        &doist([leaf("a").recurs(2)]).limit(2),
        "0: +a a | 1: a a. -a",
        "done @2",
    );
    tells(
        &doist([leaf("a").recurs(3)]).limit(2),
        "0: +a a | 1: a | 2: a~ -a",
        "limit @2",
    );
    tells(&doist([]), "", "done @1");
}

#[test]
fn o9_a_limit_of_zero_ends_after_the_first_pass() {
    tells(
        &doist([leaf("a")]).limit(0),
        "0: +a a | 1: a~ -a",
        "limit @1",
    );
}

#[test]
fn o9_the_limit_counts_from_the_start_in_tyme() {
    let mut scenario = doist([leaf("a").every(3)]).limit(4);
    scenario.tyme = 10_000_000_000;
    tells(&scenario, "10: +a a | 13: a | 14: a~ -a", "limit @14");
}

#[test]
fn o9_after_a_fault_tyme_is_that_of_the_pass() {
    tells(
        &doist([leaf("a"), leaf("b").at(3, Op::Fail)]),
        "0: +a +b a b | 1: a b | 2: a b b! -b a~ -a",
        "b fail:b:recur:3 @2",
    );
}

#[test]
fn o9_a_dodoer_ends_with_its_last_child_unless_kept_always() {
    tells(
        &doist([
            parent("p", [leaf("a").recurs(1)]),
            parent("e", []),
            parent("k", [leaf("b").recurs(1)]).always(),
            plain("d", [leaf("c").recurs(2).ends_false()]),
            plain("f", []).always(),
        ])
        .limit(3),
        "0: +p +a +e +k +b +c p a a. -a p. -p e e. -e k b b. -b c | 1: k c c. -c | 2: k \
         | 3: k~ -k",
        "limit @3",
    );
}

#[test]
fn o9_stop_lets_no_further_doer_of_the_pass_run() {
    tells(
        &doist([leaf("a").at(2, Op::Stop), leaf("b")]),
        "0: +a +b a b | 1: a b~ -b a~ -a",
        "stopped @1",
    );
    // A request to the root: the asker's siblings below still run, the root's do not.
    tells(
        &doist([
            parent("p", [leaf("a").recurs(1).at(1, Op::Stop), leaf("b")]),
            leaf("c"),
        ]),
        "0: +p +a +b +c p a a. -a b c~ -c p~ b~ -b -p",
        "stopped @0",
    );
    tells(
        &doist([leaf("a").on(When::Enter, Op::Stop), leaf("b")]),
        "0: +a +b b~ -b a~ -a",
        "stopped @0",
    );
}

#[test]
fn o9_a_failing_recur_drops_its_stop() {
    tells(
        &doist([
            leaf("a").at(1, Op::Stop).at(1, Op::Fail),
            leaf("b").recurs(1),
        ])
        .policy(Policy::Drop),
        "0: +a +b a a! -a b b. -b",
        "done @1",
    );
}

#[test]
fn o9_a_stop_handle_is_seen_before_a_pass() {
    tells(
        &doist([leaf("a"), leaf("b")]).host(3, HostOp::Stop),
        "0: +a +b a b | 1: a b | 2: b~ -b a~ -a",
        "stopped @2",
    );
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    let handle = doist.stop_handle();
    let id = doist.add(doify(move |tyme, _: &mut Cx<'_>| {
        if tyme >= Tyme::from_secs(1) {
            handle.stop();
        }
        Ok(Again)
    }));
    let other = doist.add(doify(|_, _: &mut Cx<'_>| Ok(Again)));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Stopped
    );
    assert_eq!(
        doist.tyme(),
        Tyme::from_secs(1) + doist.tock(),
        "that pass and its tick were taken"
    );
    assert_eq!(
        [doist.ended(id), doist.ended(other)],
        [Some(Ended::Ceased); 2]
    );
}

#[test]
fn o9_every_result_stays_readable_and_only_good_ends_are_done() {
    let mut doist = Doist::new(())
        .with_pace(Pace::Asap)
        .with_limit(Duration::from_secs(1));
    doist.supervise(|_, _| Verdict::Drop);
    let good = doist.add(redo([Again, Done(true)]));
    let bad = doist.add(redo([Again, Done(false)]));
    let closed = doist.add(doify(|_, _: &mut Cx<'_>| Ok(Again)));
    let failed = doist.add(doify(|_, _: &mut Cx<'_>| Err(Fault::msg("no"))));
    assert_eq!(doist.ended(good), None);
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("dropped"),
        Outcome::Limit
    );
    assert_eq!(doist.ended(good), Some(Ended::Done(true)));
    assert_eq!(doist.ended(bad), Some(Ended::Done(false)));
    assert_eq!(doist.ended(closed), Some(Ended::Ceased));
    assert_eq!(doist.ended(failed), Some(Ended::Aborted));
    let done = [
        Ended::Done(true),
        Ended::Done(false),
        Ended::Ceased,
        Ended::Aborted,
    ];
    assert_eq!(done.map(Ended::done), [true, false, false, false]);
}

#[test]
fn o9_random_scenarios() {
    let flavour = Flavour {
        deep: 30,
        always: 25,
        stop: 15,
        fail: 5,
        dynamic: 15,
        ..PLAIN
    };
    random_scenarios("o9", flavour);
}

// ---- O10

/// Counts its recurs.
struct Looked(Arc<AtomicU64>, Next);

impl Doer for Looked {
    fn recur(&mut self, _: Tyme, _: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(self.1)
    }
}

#[test]
fn o10_only_due_and_woken_doers_run() {
    let count = || Arc::new(AtomicU64::new(0));
    let (parked, timed, always) = (count(), count(), count());
    let mut net = NullNet::default();
    let mut doist = Doist::new(()).with_tock(Duration::from_millis(1));
    let mut some = None;
    for _ in 0..1000 {
        some = Some(doist.add(Looked(Arc::clone(&parked), Park(Tyme::NEVER))));
        doist.add(Looked(
            Arc::clone(&timed),
            After(Duration::from_millis(100)),
        ));
    }
    doist.add(Looked(Arc::clone(&always), Again));
    doist.enter(&mut net).expect("all enter");
    for _ in 0..200 {
        assert_eq!(doist.recur(&mut net).expect("no fault"), Step::More);
    }
    let counts = [&parked, &timed, &always].map(|c| c.load(Ordering::Relaxed));
    assert_eq!(counts, [1000, 2000, 200]);
    doist.wake(some.expect("a thousand"));
    doist.recur(&mut net).expect("no fault");
    assert_eq!(parked.load(Ordering::Relaxed), 1001);
    doist.exit(&mut net).expect("no fault");
}

/// How long `ticks` ticks take beside `parked` parked doers.
fn ticks_beside(parked: usize, ticks: u32) -> Duration {
    use hio::tyme::{Clock as _, SystemClock};
    let mut net = NullNet::default();
    let mut doist = Doist::new(()).with_tock(Duration::from_millis(1));
    let count = Arc::new(AtomicU64::new(0));
    for _ in 0..parked {
        doist.add(Looked(Arc::clone(&count), Park(Tyme::NEVER)));
    }
    doist.add(Looked(
        Arc::new(AtomicU64::new(0)),
        After(Duration::from_secs(3600)),
    ));
    doist.enter(&mut net).expect("all enter");
    doist.recur(&mut net).expect("no fault");
    assert_eq!(count.load(Ordering::Relaxed), parked as u64);
    let mut clock = SystemClock::new();
    let begun = clock.now();
    for _ in 0..ticks {
        doist.recur(&mut net).expect("no fault");
    }
    let took = clock.now().since(begun);
    assert_eq!(count.load(Ordering::Relaxed), parked as u64);
    took
}

#[test]
fn o10_a_pass_does_not_look_at_doers_that_are_neither_due_nor_woken() {
    // Looking at each of 200 000 doers would take some 10 000 times as long as at 20: a factor of
    // 50 is far from both.
    let few = ticks_beside(20, 2000);
    let many = ticks_beside(200_000, 2000);
    let floor = Duration::from_millis(1); // beneath it the clock is noise
    assert!(
        many < few.max(floor) * 50,
        "20 parked: {few:?}, 200 000 parked: {many:?}"
    );
}

#[test]
fn o10_nested_parked_doers_cost_nothing_either() {
    let recurs = Arc::new(AtomicU64::new(0));
    let inner = Arc::new(AtomicU64::new(0));
    let mut group: DoDoer = DoDoer::new();
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(group.add(Looked(Arc::clone(&inner), Park(Tyme::NEVER))));
    }
    let mut doist = Doist::new(()).with_tock(Duration::from_millis(1));
    let id = doist.add(group);
    let seen = Arc::clone(&recurs);
    doist.observe(move |_, who, event| {
        if who == id.untyped() && event == Event::Recur {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut net = NullNet::default();
    doist.enter(&mut net).expect("all enter");
    for _ in 0..500 {
        doist.recur(&mut net).expect("no fault");
    }
    assert_eq!(
        recurs.load(Ordering::Relaxed),
        1,
        "the parent parks until its soonest child"
    );
    assert_eq!(inner.load(Ordering::Relaxed), 100);
}

#[test]
fn o10_random_scenarios() {
    let flavour = Flavour {
        park: 60,
        wake: 40,
        parking: 80,
        deep: 40,
        after: 20,
        ..PLAIN
    };
    random_scenarios("o10", flavour);
}

// What parking adds to these laws is in laws_parking.rs; this keeps its words in reach of stories.
#[test]
fn o3_a_parked_doer_has_no_due_time_to_count_from() {
    tells(
        &doist([parking(
            "p",
            [leaf("a").every(2).yields([park(3), Yield::Again]).recurs(4)],
        )]),
        "0: +p +a a | 3: a | 5: a | 8: a a. -a p. -p",
        "done @9",
    );
}
