use super::Server;
use crate::link::{CloseReason, Received, Remoter, RemoterId, TransmitError, UnknownRemoter};
use crate::net::{Net, Shutdown};
use crate::tyme::Tyme;

/// Single connections, by id: hio's calls by address.
impl Server {
    /// Receives from one connection, within the limits: hio's `serviceReceivesIx`.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn receive_ix(
        &mut self,
        id: RemoterId,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<Received, UnknownRemoter> {
        let sid = self.table.get(id).ok_or(UnknownRemoter(id))?.sid();
        let before = self.table.get(id).map_or(0, |ix| ix.rx().len());
        self.receive_from(sid, tyme, net);
        let ix = self.table.get(id).ok_or(UnknownRemoter(id))?;
        Ok(match ix.rx().len() - before {
            0 if ix.cutoff() || ix.closed().is_some() => Received::Closed,
            0 => Received::Nothing,
            n => Received::Data(n),
        })
    }

    /// Queues bytes for one connection: hio's `transmitIx`.
    ///
    /// # Errors
    /// There is no such connection, or it did not take them all.
    pub fn transmit_ix(&mut self, id: RemoterId, data: &[u8]) -> Result<(), TransmitError> {
        let remoter = self.get_mut(id).ok_or(UnknownRemoter(id))?;
        Ok(remoter.tx(data)?)
    }

    /// Sends what is queued for one connection, and does what else it was asked for.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn send_ix(
        &mut self,
        id: RemoterId,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), UnknownRemoter> {
        self.get_mut(id).ok_or(UnknownRemoter(id))?;
        self.asked.retain(|asked| *asked != id);
        self.send_to(&[id], tyme, net);
        Ok(())
    }

    /// Shuts down one side, or both. The sending side is ended once what is queued is sent; the
    /// receiving side at once, as if the peer had ended it.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn shutdown_ix(
        &mut self,
        id: RemoterId,
        how: Shutdown,
        net: &mut dyn Net,
    ) -> Result<(), UnknownRemoter> {
        let remoter = self.get_mut(id).ok_or(UnknownRemoter(id))?;
        if how != Shutdown::Receive {
            remoter.shutdown_send();
        }
        if how != Shutdown::Send {
            let sid = remoter.sid();
            // A connection that is gone shows itself in its next turn.
            let _ = net.shutdown(sid, Shutdown::Receive);
            net.mark(sid);
        }
        Ok(())
    }

    /// Closes one connection in order; see [`Link::close`](crate::link::Link::close). It stays until that is done.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn close_ix(&mut self, id: RemoterId) -> Result<(), UnknownRemoter> {
        self.get_mut(id).ok_or(UnknownRemoter(id))?.close();
        Ok(())
    }

    /// Closes all connections in order.
    pub fn close_all_ix(&mut self) {
        for remoter in self.table.iter_mut() {
            if remoter.closed().is_none() && remoter.touch() {
                self.asked.push(remoter.id());
            }
            remoter.close();
        }
    }

    /// Closes one connection at once and forgets it; what is queued is dropped. Its event is
    /// [`CloseReason::Aborted`]. Returns it, with what it had received.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn remove_ix(
        &mut self,
        id: RemoterId,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<Remoter, UnknownRemoter> {
        self.table.get(id).ok_or(UnknownRemoter(id))?;
        self.end_one(id, CloseReason::Aborted, tyme, net);
        self.asked.retain(|asked| *asked != id);
        self.ended.retain(|ended| *ended != id);
        self.table.remove(id).ok_or(UnknownRemoter(id))
    }
}
