//! Players from outside: threads with plain sockets, each of which knows where it must be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::network::MESSAGE;

/// So many players, until they are told to stop.
pub struct Players {
    threads: Vec<JoinHandle<Result<u64, String>>>,
    over: Arc<AtomicBool>,
}

impl Players {
    /// Each walks, waits for where it is now, and compares.
    pub fn start(count: i64, at: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let player = |who: i64| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || play(who, at, &over))
        };
        let threads = (1..=count).map(player).collect();
        Self { threads, over }
    }

    /// Lets them finish what they are at.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether all of them have.
    pub fn finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// How many answers each of them has verified.
    pub fn join(self) -> Result<Vec<u64>, String> {
        let ended = |thread: JoinHandle<Result<u64, String>>| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a player panicked".to_owned()))
        };
        self.threads.into_iter().map(ended).collect()
    }
}

fn play(who: i64, at: SocketAddr, over: &AtomicBool) -> Result<u64, String> {
    let wrong = |e: std::io::Error| format!("player {who}: {e}");
    let mut stream = TcpStream::connect(at).map_err(wrong)?;
    stream.set_nodelay(true).map_err(wrong)?;
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).map_err(wrong)?;
    let (mut place, mut answers) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let step = who * if answers % 3 == 2 { -1 } else { 1 };
        place += step;
        stream.write_all(&step.to_le_bytes()).map_err(wrong)?;
        let mut heard = [0; MESSAGE];
        stream.read_exact(&mut heard).map_err(wrong)?;
        if i64::from_le_bytes(heard) != place {
            let heard = i64::from_le_bytes(heard);
            return Err(format!("player {who} is at {place}, and was told {heard}"));
        }
        answers += 1;
    }
    Ok(answers)
}
