//! The server's side of the game: players send moves, and hear where that has brought them.

use hio::doing::prelude::*;
use hio::link::{Link, Server};

/// Bytes of a move and of its answer.
pub(crate) const MESSAGE: usize = 64;

/// The program's own state: what the doers are lent.
pub(crate) struct Game {
    pub(crate) server: Server,
    pub(crate) players: Vec<Player>,
    /// Ticks of the game.
    pub(crate) tick: u64,
    /// Moves that were answered.
    pub(crate) moves: u64,
    /// Players that have shown themselves.
    pub(crate) joined: usize,
    /// Connections closed for sending nonsense.
    pub(crate) refused: u64,
}

/// Where somebody is. Only the server says so.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Player {
    joined: bool,
    x: i64,
    y: i64,
}

impl Game {
    pub(crate) fn new(server: Server, players: usize) -> Self {
        Self {
            server,
            players: vec![Player::default(); players],
            tick: 0,
            moves: 0,
            joined: 0,
            refused: 0,
        }
    }

    /// Answers every whole move of a connection; a rest stays received.
    fn play(players: &mut [Player], tick: u64, news: &mut (u64, usize, u64), link: &mut Link) {
        while link.rx().len() >= MESSAGE {
            let mut message = [0; MESSAGE];
            message.copy_from_slice(&link.rx()[..MESSAGE]);
            let [who, _, dx, dy, ..] = numbers(&message);
            let player = usize::try_from(who).ok().and_then(|at| players.get_mut(at));
            let Some(player) = player else {
                news.2 += 1;
                return link.close();
            };
            news.1 += usize::from(!player.joined);
            player.joined = true;
            (player.x, player.y) = (player.x.wrapping_add(dx), player.y.wrapping_add(dy));
            let tick = i64::try_from(tick).unwrap_or(i64::MAX);
            put(&mut message, &[tick, player.x, player.y], 2);
            if link.tx(&message).is_err() {
                return link.close(); // it does not read its answers
            }
            link.consume(MESSAGE);
            news.0 += 1;
        }
    }
}

/// The eight numbers of a message: player, sequence number, and what is said about it. The first
/// two come back as they are.
pub(crate) fn numbers(message: &[u8; MESSAGE]) -> [i64; MESSAGE / 8] {
    std::array::from_fn(|at| {
        let mut number = [0; 8];
        number.copy_from_slice(&message[at * 8..][..8]);
        i64::from_le_bytes(number)
    })
}

/// Puts numbers into a message, the first one at a place.
pub(crate) fn put(message: &mut [u8; MESSAGE], numbers: &[i64], place: usize) {
    for (at, number) in numbers.iter().enumerate() {
        let at = (place + at) * 8;
        message[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
}

/// Serves the players whenever they have sent something.
pub(crate) struct Arena;

impl Doer<Game> for Arena {
    fn enter(&mut self, cx: &mut Cx<'_, Game>) -> Result<Next, Fault> {
        cx.app.server.open(cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Game>) -> Result<Next, Fault> {
        let game = &mut *cx.app;
        let (players, tick) = (&mut game.players, game.tick);
        let mut news = (0, 0, 0);
        game.server.service_each(tyme, cx.net, |ix| {
            Game::play(players, tick, &mut news, ix);
        })?;
        game.moves += news.0;
        game.joined += news.1;
        game.refused += news.2;
        Ok(Park(game.server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Game>) {
        cx.app.server.close(cx.net);
    }
}

/// The rules of the game, once a tick: here the players do all there is to do.
pub(crate) struct Rules;

impl Doer<Game> for Rules {
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Game>) -> Result<Next, Fault> {
        cx.app.tick += 1;
        Ok(Again)
    }
}
