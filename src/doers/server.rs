//! stand-in until the link branch brings it.
use crate::doing::{Cx, Doer, Fault, Next};
use crate::link::Server;
use crate::tyme::Tyme;

/// Echoes.
#[derive(Debug)]
pub struct EchoServerDoer {
    server: Server,
}
impl EchoServerDoer {
    /// Makes one.
    #[must_use]
    pub const fn new(server: Server) -> Self {
        Self { server }
    }
    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
}
impl<A: ?Sized> Doer<A> for EchoServerDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        Ok(Next::Again)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.service_each(tyme, cx.net, |ix| {
            let _ = ix.echo();
        })?;
        self.server.events().for_each(drop);
        Ok(Next::Park(self.server.due(tyme)))
    }
    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.server.close(cx.net);
    }
}
