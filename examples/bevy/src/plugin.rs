//! The plugin: a Doist and its net as a part of a Bevy app. To take along into an app of your own.

use bevy_app::{App, AppExit, Plugin, PreUpdate};
use bevy_ecs::message::MessageWriter;
use bevy_ecs::system::{NonSendMut, Res};
use bevy_time::{Real, Time};
use hio::doing::prelude::*;
use hio::doing::{Outcome, Step};
use hio::net::MioNet;
use std::marker::PhantomData;

/// A Doist on a net, both owned by the app: what systems share with doers is `doist.app`.
///
/// It is no `Resource` but a non-send one, since a Doist is not shared between threads; systems
/// that take it run on the main thread, one after the other.
pub struct Hio<A: 'static> {
    /// The scheduler.
    pub doist: Doist<A>,
    net: MioNet,
    /// How it ended, once it has.
    pub ended: Option<Result<Outcome, String>>,
}

impl<A: 'static> Hio<A> {
    /// Takes a Doist that was entered on this net.
    pub fn new(doist: Doist<A>, net: MioNet) -> Self {
        Self {
            doist,
            net,
            ended: None,
        }
    }

    /// Closes what is open.
    pub fn exit(&mut self) -> Result<(), Fault> {
        self.doist.exit(&mut self.net)
    }
}

/// Advances the app's [`Hio`] by the time of each frame, before the game's own systems.
///
/// The time is the real one: virtual time may stand still while a game is paused, and connections
/// must not. When the Doist ends, by a signal or a failure, so does the app.
pub struct HioPlugin<A>(PhantomData<fn() -> A>);

impl<A> Default for HioPlugin<A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A: 'static> Plugin for HioPlugin<A> {
    fn build(&self, app: &mut App) {
        app.add_systems(PreUpdate, step::<A>);
    }
}

fn step<A: 'static>(
    mut hio: NonSendMut<'_, Hio<A>>,
    time: Res<'_, Time<Real>>,
    mut exits: MessageWriter<'_, AppExit>,
) {
    let Hio { doist, net, ended } = &mut *hio;
    if ended.is_some() {
        return;
    }
    match doist.advance(net, time.delta()) {
        Ok(advance) => {
            if let Step::Ended(outcome) = advance.step {
                *ended = Some(Ok(outcome));
                exits.write(AppExit::Success);
            }
        }
        Err(fault) => {
            *ended = Some(Err(fault.to_string()));
            exits.write(AppExit::error());
        }
    }
}
