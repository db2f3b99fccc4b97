use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::link::Client;
use crate::tyme::Tyme;

/// Serves a [`Client`] that lies in the program's state: hio's ClientDoer.
///
/// Mount it on the client: `doist.add_on(|app: &mut App| &mut app.client, ClientDoer::new())`.
/// Enter dials, recur services, exit closes. It parks. It never ends by itself: what a lost
/// connection means is for the doers to say that look at the client, and for its
/// [`Reconnect`](crate::link::Reconnect) policy. Those doers come after it in enter order and are
/// named in [`waking`](Self::waking); they wake this one when they have queued something, or call
/// [`Client::service_sends`].
#[derive(Clone, Debug, Default)]
pub struct ClientDoer {
    wakes: Vec<DoerId>,
}

impl ClientDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakes: Vec::new() }
    }

    /// Wakes a doer whenever the client was serviced.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }
}

impl Doer<Client> for ClientDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Client>) -> Result<Next, Fault> {
        let tyme = cx.tyme();
        cx.app.open(tyme, cx.net, cx.ask.owner())?;
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Client>) -> Result<Next, Fault> {
        cx.app.service(tyme, cx.net);
        for &id in &self.wakes {
            cx.ask.wake(id);
        }
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Client>) {
        cx.app.close(cx.net);
    }
}
