use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::link::DatagramPeer;
use crate::tyme::Tyme;

/// Serves a [`DatagramPeer`] that lies in the program's state.
///
/// Mount it on the peer: `doist.add_on(|app: &mut App| &mut app.peer, DatagramDoer::new())`. Enter
/// binds, recur receives and sends, exit closes. It parks: it runs when something came or there is
/// room for what waits, and costs nothing meanwhile.
///
/// The doers that take the messages are named in [`waking`](Self::waking): one that comes after
/// this doer in enter order runs in the same pass, one before it in the next. What they queue is
/// sent in the next service, which they ask for by waking this doer, or at once by
/// [`DatagramPeer::service_sends`].
///
/// ```
/// use hio::doers::DatagramDoer;
/// use hio::doing::prelude::*;
/// use hio::link::{DatagramLimits, DatagramPeer};
/// use hio::net::{DatagramOptions, Endpoint, MioNet};
///
/// let at: Endpoint = "udp:127.0.0.1:0".parse()?;
/// let peer = DatagramPeer::new(at, DatagramOptions::default(), DatagramLimits::default());
/// let mut doist = Doist::new(peer);
/// doist.add(DatagramDoer::new());
/// let mut net = MioNet::new()?;
/// doist.enter(&mut net)?;
/// assert!(doist.app.opened());
/// doist.exit(&mut net)?;
/// assert!(!doist.app.opened());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct DatagramDoer {
    wakes: Vec<DoerId>,
}

impl DatagramDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakes: Vec::new() }
    }

    /// Wakes a doer whenever a service has made events: something came, was dropped or not sent.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }
}

impl Doer<DatagramPeer> for DatagramDoer {
    fn enter(&mut self, cx: &mut Cx<'_, DatagramPeer>) -> Result<Next, Fault> {
        cx.app.open(cx.net, cx.ask.owner())?;
        let tyme = cx.tyme();
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, DatagramPeer>) -> Result<Next, Fault> {
        cx.app.service(tyme, cx.net);
        if cx.app.has_news() {
            for &id in &self.wakes {
                cx.ask.wake(id);
            }
        }
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, DatagramPeer>) {
        cx.app.close(cx.net);
    }
}
