//! How the servers among the examples end, and read their certificates anew.

use hio::doers::{ReloadDoer, SignalDoer};
use hio::doing::{Doist, Fault};
use hio::link::tls::ServerTls;
use hio::net::{Net, NetError};

/// Listens for signals where there are any: on other systems the program runs until it is killed.
pub(crate) fn listen<A>(
    doist: &mut Doist<A>,
    net: &mut dyn Net,
    tls: Option<&ServerTls>,
) -> Result<(), Fault> {
    match SignalDoer::new(net) {
        Ok(doer) => drop(doist.named("signals").add(doer)),
        Err(NetError::Unsupported) => return Ok(()),
        Err(why) => return Err(why.into()),
    }
    if let Some(tls) = tls {
        let doer = ReloadDoer::of_tls(net, tls)?;
        doist.named("reload").add(doer);
    }
    Ok(())
}
