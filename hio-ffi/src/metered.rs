//! A net with a budget.

use hio::net::{Group, Layer, MioNet, Net, Sid};

/// Says of no more sockets that they are ready than may be served. The others stay marked, and
/// come in turn: those behind the last one served first.
#[derive(Debug)]
pub(crate) struct Metered<N = MioNet> {
    net: N,
    /// Sockets that may still be served.
    left: u64,
    /// Of each group that was cut short, the last socket served.
    cut: Vec<(Group, Sid)>,
    /// Scratch: kept for its storage.
    found: Vec<Sid>,
}

impl<N: Net> Metered<N> {
    pub(crate) const fn new(net: N) -> Self {
        Self {
            net,
            left: u64::MAX,
            cut: Vec::new(),
            found: Vec::new(),
        }
    }

    pub(crate) const fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// How many sockets may be served from now on.
    pub(crate) const fn allow(&mut self, sockets: u64) {
        self.left = sockets;
    }

    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// The place to begin at in a sorted list of a group's sockets.
    fn start(&self, group: Group, found: &[Sid]) -> usize {
        match self.cut.iter().find(|(cut, _)| *cut == group) {
            Some((_, last)) => found.partition_point(|sid| sid <= last) % found.len().max(1),
            None => 0,
        }
    }
}

impl<N: Net> Layer for Metered<N> {
    type Below = N;

    fn below(&self) -> &N {
        &self.net
    }

    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// O(ready) also when it is cut short, as each mark that is left over is put back.
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        let mut found = std::mem::take(&mut self.found);
        self.net.ready(group, &mut found);
        let start = self.start(group, &found);
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        if most > 0 {
            self.cut.retain(|(cut, _)| *cut != group);
        }
        if found.len() > most {
            found.rotate_left(start);
            let rest = found.drain(most..);
            rest.for_each(|sid| self.net.mark(sid));
            if let Some(last) = found.last() {
                self.cut.push((group, *last));
            }
            found.sort_unstable();
        }
        self.left -= found.len() as u64;
        out.append(&mut found);
        self.found = found;
    }

    fn close_group(&mut self, group: Group) {
        self.cut.retain(|(cut, _)| *cut != group);
        self.net.close_group(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hio::net::{ListenOptions, Owner};

    fn door(net: &mut Metered) -> &mut dyn Net {
        net
    }

    /// Listening sockets will do: they can be marked like any other.
    #[test]
    #[cfg_attr(miri, ignore = "opens sockets")]
    fn all_get_their_turn_within_a_budget() {
        let mut net = Metered::new(MioNet::new().unwrap());
        let group = door(&mut net).group(Owner(1));
        let at = "127.0.0.1:0".parse().unwrap();
        let sids: Vec<Sid> = (0..7)
            .map(|_| {
                door(&mut net)
                    .listen(group, &at, &ListenOptions::default())
                    .unwrap()
            })
            .collect();
        let mut served = Vec::new();
        for _ in 0..7 {
            // All are ready all the time, as under load.
            sids.iter().for_each(|sid| door(&mut net).mark(*sid));
            net.allow(3);
            let mut ready = Vec::new();
            door(&mut net).ready(group, &mut ready);
            assert!(ready.is_sorted() && ready.len() == 3);
            assert_eq!(net.left(), 0);
            let mut none = Vec::new();
            door(&mut net).ready(group, &mut none);
            assert_eq!(none, []);
            served.extend(ready);
        }
        for sid in &sids {
            assert_eq!(served.iter().filter(|one| *one == sid).count(), 3);
        }
        net.allow(u64::MAX);
        let mut rest = Vec::new();
        door(&mut net).ready(group, &mut rest);
        assert_eq!(
            rest.len(),
            4,
            "what was left over is still marked: {rest:?}"
        );
    }
}
