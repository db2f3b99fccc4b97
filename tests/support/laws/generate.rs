//! Draws random scenarios.

use std::sync::Arc;

use super::model::{self, Story};
use super::random::Random;
use super::scenario::{Act, HostAct, HostOp, Kind, On, Op, Policy, Scenario, Spec, When, Yield};

/// 1/64 s in nanoseconds: exact in binary floats too.
pub const UNIT: u64 = 15_625_000;
const TOCKS: [u64; 17] = [1, 1, 2, 2, 3, 4, 4, 5, 6, 8, 8, 12, 16, 24, 32, 48, 64];

/// What may happen in a scenario; each is a chance in percent per doer, unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flavour {
    pub deep: u64,
    pub always: u64,
    pub retock: u64,
    /// Requests to extend and remove, in recurs.
    pub dynamic: u64,
    /// Requests in enters.
    pub eager: u64,
    pub fail: u64,
    pub enter_fail: u64,
    /// Panics in recur and enter.
    pub panic: u64,
    /// Panics in closing hooks.
    pub closing_panic: u64,
    pub after: u64,
    pub park: u64,
    pub wake: u64,
    /// Parents that park.
    pub parking: u64,
    pub supervise: u64,
    pub stop: u64,
    /// Per scenario: acts of the host between passes.
    pub host: u64,
    /// Per scenario: a Doist tock that others do not divide.
    pub offgrid: u64,
    /// Per scenario: hundreds of doers, many of them gone soon.
    pub big: u64,
    /// Per scenario: spans of thousands of ticks.
    pub long: u64,
}

pub const PLAIN: Flavour = Flavour {
    deep: 25,
    always: 8,
    retock: 6,
    dynamic: 0,
    eager: 0,
    fail: 0,
    enter_fail: 0,
    panic: 0,
    closing_panic: 0,
    after: 0,
    park: 0,
    wake: 0,
    parking: 0,
    supervise: 0,
    stop: 0,
    host: 0,
    offgrid: 10,
    big: 3,
    long: 5,
};

/// Everything at once.
pub const ALL: Flavour = Flavour {
    deep: 35,
    always: 10,
    retock: 8,
    dynamic: 20,
    eager: 10,
    fail: 4,
    enter_fail: 2,
    panic: 3,
    closing_panic: 3,
    after: 15,
    park: 35,
    wake: 30,
    parking: 50,
    supervise: 25,
    stop: 2,
    host: 40,
    offgrid: 10,
    big: 3,
    long: 5,
};

/// One of many: each feature of [`ALL`] is there or not.
pub fn some_of_all(rng: &mut Random) -> Flavour {
    let mut on = |chance: u64| if rng.percent(50) { chance } else { 0 };
    Flavour {
        deep: on(30) + 20,
        always: on(30),
        retock: on(30),
        dynamic: on(30),
        eager: on(20),
        fail: on(8),
        enter_fail: on(5),
        panic: on(6),
        closing_panic: on(8),
        after: on(30),
        park: on(45),
        wake: on(35),
        parking: on(60),
        supervise: on(40),
        stop: on(3),
        host: on(60),
        offgrid: on(40),
        big: on(20),
        long: on(30),
    }
}

/// A scenario that the model can run to an end, with what the laws demand of it.
pub fn draw(rng: &mut Random, name: &str, flavour: Flavour) -> (Scenario, Story) {
    loop {
        let mut scenario = scenario(rng, name, flavour);
        for _ in 0..2 {
            match model::expected(&scenario) {
                Some(story) if story.trace.len() >= 8 => return (scenario, story),
                Some(_) => break,
                None => scenario.limit = Some(scenario.tock * rng.from(4, 24)),
            }
        }
    }
}

fn scenario(rng: &mut Random, name: &str, mut flavour: Flavour) -> Scenario {
    let unit = if rng.percent(flavour.offgrid) {
        *rng.pick(&[3, 5, 7])
    } else {
        *rng.pick(&[1, 2, 2, 2, 4, 8])
    };
    let timeless = flavour.park + flavour.always > 0;
    let big = rng.percent(flavour.big);
    let long = rng.percent(flavour.long);
    if big {
        // Among hundreds, what ends everything must be rare.
        for chance in [
            &mut flavour.fail,
            &mut flavour.enter_fail,
            &mut flavour.panic,
            &mut flavour.stop,
        ] {
            *chance = chance.div_ceil(10).min(*chance / 2);
        }
    }
    let ticks = if long {
        rng.from(100, 9000)
    } else {
        rng.from(2, 32)
    };
    let limit =
        (timeless || rng.percent(50)).then(|| UNIT * (unit * ticks + *rng.pick(&[0, 0, 0, 1])));
    let mut maker = Maker {
        flavour,
        names: 0,
        budget: if big {
            rng.from(60, 300)
        } else {
            rng.from(4, 18)
        },
        big,
        long,
        rng,
    };
    let mut wanted = *maker.rng.pick(&[1, 2, 3, 3, 4, 5, 6]);
    if big {
        wanted *= 25;
    }
    let mut doers = Vec::new();
    while doers.len() < wanted && maker.budget > 0 {
        doers.push(maker.spec(1));
    }
    maker.names += 3; // some names that nobody has
    let known = maker.names;
    let policy = maker.policy();
    let host = maker.host();
    let doers: Vec<Spec> = doers
        .into_iter()
        .map(|s| aim(maker.rng, s, known))
        .collect();
    let tyme = *rng.pick(&[0, 0, 0, 1]) * rng.from(1, 200) * UNIT;
    Scenario {
        name: name.to_owned(),
        tyme,
        tock: unit * UNIT,
        limit,
        policy,
        doers: doers.into_iter().map(Arc::new).collect(),
        host,
    }
}

struct Maker<'a> {
    rng: &'a mut Random,
    flavour: Flavour,
    names: u64,
    budget: u64,
    big: bool,
    long: bool,
}

impl Maker<'_> {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("d{}", self.names)
    }

    fn tock(&mut self) -> u64 {
        if self.rng.percent(40) {
            return 0;
        }
        if self.long && self.rng.percent(30) {
            let power = self.rng.from(3, 14);
            return self.rng.below(1 << power) * UNIT;
        }
        *self.rng.pick(&TOCKS) * UNIT
    }

    fn policy(&mut self) -> Policy {
        if !self.rng.percent(self.flavour.supervise) {
            return Policy::Rise;
        }
        let some = self.rng.from(1, 3);
        let restart = Policy::Restart(u32::try_from(some).expect("small"));
        *self
            .rng
            .pick(&[Policy::Drop, restart, restart, Policy::Ready])
    }

    fn spec(&mut self, depth: u64) -> Spec {
        self.budget = self.budget.saturating_sub(1);
        let parent = depth < 4 && self.rng.percent(self.flavour.deep);
        let kind = if !parent {
            *self.rng.pick(&[Kind::Doer, Kind::Doer, Kind::Redoer])
        } else if self.rng.percent(self.flavour.parking) {
            *self.rng.pick(&[Kind::Parking, Kind::Parking, Kind::Plain])
        } else {
            Kind::DoDoer
        };
        let name = self.name();
        let mut spec = Spec::new(&name, kind);
        spec.tock = self.tock();
        if matches!(kind, Kind::Parking | Kind::Plain) && self.rng.percent(80) {
            spec.tock = 0;
        }
        if parent {
            self.branch(&mut spec, depth);
        } else {
            self.leaf(&mut spec);
        }
        if kind != Kind::Plain {
            self.acts(&mut spec, depth);
        }
        spec
    }

    fn branch(&mut self, spec: &mut Spec, depth: u64) {
        spec.always = self.rng.percent(self.flavour.always);
        spec.policy = self.policy();
        let scale = if self.big {
            *self.rng.pick(&[1, 1, 30])
        } else {
            1
        };
        for _ in 0..scale * *self.rng.pick(&[0, 1, 1, 2, 2, 3, 4]) {
            if self.budget == 0 {
                break;
            }
            let child = self.spec(depth + 1);
            spec.children.push(Arc::new(child));
        }
        if spec.kind == Kind::DoDoer && self.rng.percent(self.flavour.after) {
            spec.yields = vec![self.timed(), self.timed()];
        }
    }

    fn leaf(&mut self, spec: &mut Spec) {
        let chance = self.rng.below(100);
        spec.recurs = match chance {
            0..22 => None,
            22..27 => Some(0),
            _ => Some(u32::try_from(self.rng.from(1, 9)).expect("small")),
        };
        spec.result = self.rng.percent(70);
        let park = self.rng.percent(self.flavour.park);
        if park || self.rng.percent(self.flavour.after) {
            for _ in 0..self.rng.from(1, 3) {
                let next = if park { self.parked() } else { self.timed() };
                spec.yields.push(next);
            }
        }
        if park && self.rng.percent(30) {
            spec.begin = self.parked();
        } else if self.rng.percent(self.flavour.after / 3) {
            spec.begin = self.timed();
        }
    }

    fn timed(&mut self) -> Yield {
        match self.rng.below(3) {
            0 => Yield::Again,
            _ => Yield::After(self.tock()),
        }
    }

    fn parked(&mut self) -> Yield {
        match self.rng.below(6) {
            0 => self.timed(),
            1 | 2 => Yield::ParkFor(self.tock()),
            _ => Yield::ParkNever,
        }
    }

    fn acts(&mut self, spec: &mut Spec, depth: u64) {
        let flavour = self.flavour;
        // A parking parent is not asked to count its recurs: how often it runs is its own affair.
        let counts = spec.kind != Kind::Parking;
        if counts {
            if self.rng.percent(flavour.wake) {
                for _ in 0..self.rng.from(1, 4) {
                    let at = When::Recur(self.at(9));
                    let what = Op::Wake(String::new());
                    spec.acts.push(Act { at, what });
                }
            }
            if self.rng.percent(flavour.dynamic) {
                let at = When::Recur(self.at(4));
                self.request(spec, at, depth);
            }
            if self.rng.percent(flavour.retock) {
                let at = When::Recur(self.at(5));
                let what = Op::Retock(self.tock());
                spec.acts.push(Act { at, what });
            }
        }
        if self.rng.percent(flavour.eager) {
            self.request(spec, When::Enter, depth);
        }
        let hooks = [When::Clean, When::Cease, When::Abort, When::Exit];
        if self.rng.percent(flavour.wake / 4) {
            let at = *self
                .rng
                .pick(&[When::Enter, When::Exit, When::Cease, When::Clean]);
            let what = Op::Wake(String::new());
            spec.acts.push(Act { at, what });
        }
        if self.rng.percent(flavour.stop) {
            let at = When::Recur(self.at(5));
            let at = if counts { at } else { When::Exit };
            let at = if self.rng.percent(25) {
                *self.rng.pick(&hooks)
            } else {
                at
            };
            let at = if self.rng.percent(10) {
                When::Enter
            } else {
                at
            };
            spec.acts.push(Act { at, what: Op::Stop });
        }
        if self.rng.percent(flavour.closing_panic) {
            let at = *self.rng.pick(&hooks);
            spec.acts.push(Act {
                at,
                what: Op::Panic,
            });
        }
        if self.rng.percent(flavour.enter_fail) {
            let (at, what) = (When::Enter, Op::Fail);
            spec.acts.push(Act { at, what });
        }
        for (chance, what) in [(flavour.fail, Op::Fail), (flavour.panic, Op::Panic)] {
            if counts && self.rng.percent(chance) {
                let at = When::Recur(self.at(4));
                spec.acts.push(Act { at, what });
            } else if self.rng.percent(chance / 4) {
                spec.acts.push(Act {
                    at: When::Enter,
                    what,
                });
            }
        }
    }

    fn at(&mut self, most: u64) -> u32 {
        u32::try_from(self.rng.from(1, most)).expect("small")
    }

    /// One or two requests in a row.
    fn request(&mut self, spec: &mut Spec, at: When, depth: u64) {
        for _ in 0..*self.rng.pick(&[1, 1, 2]) {
            let itself = spec.kind.is_parent() && at != When::Enter;
            let on = *self.rng.pick(if itself {
                &[On::Itself, On::Itself, On::Parent, On::Root]
            } else {
                &[On::Parent, On::Parent, On::Root]
            });
            let what = if self.rng.percent(60) && depth < 6 {
                let mut doers = Vec::new();
                let budget = std::mem::replace(&mut self.budget, 4);
                for _ in 0..self.rng.from(1, 3) {
                    doers.push(Arc::new(self.spec(depth + 2)));
                }
                self.budget = budget;
                Op::Extend { on, doers }
            } else {
                let names = vec![String::new(); *self.rng.pick(&[1, 1, 2, 3])];
                Op::Remove { on, names }
            };
            spec.acts.push(Act { at, what });
        }
    }

    fn host(&mut self) -> Vec<HostAct> {
        let mut acts = Vec::new();
        if !self.rng.percent(self.flavour.host) {
            return acts;
        }
        for _ in 0..self.rng.from(1, 6) {
            let name = format!("d{}", self.rng.from(1, self.names));
            let what = match self.rng.below(20) {
                0 => HostOp::Remove(name),
                1 if self.flavour.stop > 0 => HostOp::Stop,
                2 | 3 => HostOp::SetTock(self.rng.from(1, 8) * UNIT),
                4 => {
                    let mut spec = Spec::new(&self.name(), Kind::Doer);
                    self.leaf(&mut spec);
                    HostOp::Extend(Arc::new(spec))
                }
                _ => HostOp::Wake(name),
            };
            let before = self.rng.from(1, 12);
            acts.push(HostAct { before, what });
        }
        acts
    }
}

/// Fills in whom wakes and removals are for, now that all names are given.
fn aim(rng: &mut Random, mut spec: Spec, names: u64) -> Spec {
    let name = |rng: &mut Random| format!("d{}", rng.from(1, names));
    for act in &mut spec.acts {
        match &mut act.what {
            Op::Wake(whom) => *whom = name(rng),
            Op::Remove { names, .. } => {
                for whom in names.iter_mut() {
                    *whom = name(rng);
                }
                names.sort();
                names.dedup();
            }
            Op::Extend { doers, .. } => aim_all(rng, doers, names),
            _ => {}
        }
    }
    aim_all(rng, &mut spec.children, names);
    spec
}

fn aim_all(rng: &mut Random, specs: &mut Vec<Arc<Spec>>, names: u64) {
    for spec in specs {
        let aimed = aim(rng, Spec::clone(spec), names);
        *spec = Arc::new(aimed);
    }
}
