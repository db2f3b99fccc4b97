//! Goal: law by law the same net everywhere: stories about sockets give the same transcripts on
//! the system's sockets and in simulation.
//! Method: each story runs in every world that has its kind of socket; the transcripts of the real
//! world are what the others are compared with.

mod stories;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use hio::net::{
    Conditions, Endpoint, Layer, ListenOptions, MioNet, Net, NetError, Owner, Shutdown, Sid,
};
use stories::worlds::{Real, Simulated};
use stories::{Kind, Story, Tale, World};

/// The kinds of sockets this machine has.
fn kinds() -> Vec<Kind> {
    let mut net = MioNet::new().expect("a poll");
    let group = net.group(Owner::NONE);
    let mut kinds = vec![Kind::V4];
    match net.listen(group, &Endpoint::host("::1", 0), &ListenOptions::default()) {
        Ok(_) => kinds.push(Kind::V6),
        Err(why) => println!("skipped: no IPv6 here ({why})"),
    }
    if cfg!(unix) {
        kinds.push(Kind::Unix);
    }
    kinds
}

fn told(story: &Story, world: &mut dyn World, kind: Kind) -> Vec<String> {
    let mut tale = Tale::new(world, kind);
    (story.tell)(&mut tale);
    tale.end()
}

#[test]
fn there_are_stories_enough_and_no_two_have_one_name() {
    let all = stories::all();
    let mut names: Vec<_> = all.iter().map(|story| story.name).collect();
    assert!(names.len() >= 60, "{}", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}

/// Tells all stories of a kind in a world made anew for each, and compares them with the real one.
/// Gives what differs.
fn compare<W: World>(kind: Kind, mut world: impl FnMut() -> W) -> Vec<String> {
    let mut differ = Vec::new();
    for story in stories::all().iter().filter(|story| story.on.takes(kind)) {
        let real = told(story, &mut Real::new(kind), kind);
        assert!(!real.is_empty(), "{} tells nothing", story.name);
        if std::env::var_os("HIO_STORIES").is_some() {
            println!("{} ({kind:?}) {real:#?}", story.name);
        }
        let mut world = world();
        let other = catch_unwind(AssertUnwindSafe(|| told(story, &mut world, kind)));
        match other {
            Ok(other) if other == real => {}
            Ok(other) => differ.push(format!("{}: {real:#?} here {other:#?}", story.name)),
            Err(_) => differ.push(format!("{}: {real:#?} here it panics", story.name)),
        }
    }
    differ
}

fn alike<W: World>(mut world: impl FnMut(Kind) -> W) {
    for kind in kinds() {
        let differ = compare(kind, || world(kind));
        let text = differ.join("\n");
        assert!(
            differ.is_empty(),
            "{kind:?}: {} differ\n{text}",
            differ.len()
        );
    }
}

#[test]
fn a_real_world_tells_its_stories_twice_alike() {
    alike(Real::new);
}

#[test]
fn between_two_simulated_nodes_stories_are_as_in_the_real_world() {
    let link = Conditions::constant(Duration::from_millis(1));
    alike(|kind| Simulated::new(1, kind, link.clone()));
}

#[test]
fn within_one_simulated_node_stories_are_as_in_the_real_world() {
    alike(|kind| Simulated::alone(1, kind));
}

#[test]
fn a_slow_and_jittery_link_changes_no_story() {
    let link: Conditions = "latency uniform 1ms 9ms".parse().expect("conditions");
    for seed in 0..3 {
        alike(|kind| Simulated::new(seed, kind, link.clone()));
    }
}

/// A net that breaks its word in one place.
struct Wrong(MioNet);

impl Layer for Wrong {
    type Below = MioNet;
    fn below(&self) -> &MioNet {
        &self.0
    }
    fn below_mut(&mut self) -> &mut MioNet {
        &mut self.0
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let how = if how == Shutdown::Send {
            Shutdown::Both
        } else {
            how
        };
        self.0.shutdown(sid, how)
    }
}

#[test]
fn a_net_that_breaks_its_word_is_noticed() {
    let wrong = || Real::of(Wrong(MioNet::new().expect("a poll")), Kind::V4);
    let differ = compare(Kind::V4, wrong);
    let named = |name: &str| differ.iter().any(|one| one.starts_with(name));
    assert!(named("half_close_lets_the_answer_through"), "{differ:#?}");
}
