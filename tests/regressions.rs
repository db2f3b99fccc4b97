//! Goal: what was found broken once stays mended. Method: the smallest program that showed it.

use hio::link::{Limits, OpenError, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, NetError, Owner};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

fn server(at: Endpoint) -> Server {
    Server::new(at, ListenOptions::default(), Limits::default())
}

/// `--addr localhost:5000` said that the name cannot be resolved, while dialling it worked.
#[test]
fn a_server_listens_on_a_name_that_the_net_knows() {
    let mut net = MioNet::new().unwrap();
    let foreign = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let own = IpAddr::V4(Ipv4Addr::LOCALHOST);
    net.add_name("both.test", vec![foreign, own]).unwrap();
    net.add_name("foreign.test", vec![foreign]).unwrap();
    for name in ["localhost", "both.test"] {
        let mut server = server(Endpoint::host(name, 0));
        server.open(&mut net, Owner::NONE).unwrap();
        let at = server.ha().addr().unwrap();
        assert_eq!(at.ip(), own);
        TcpStream::connect(at).unwrap();
        server.reopen(&mut net).unwrap();
        assert_eq!(server.ha().addr(), Some(at), "the same place again");
        server.close(&mut net);
    }
    for (name, why) in [
        ("foreign.test", NetError::AddrNotAvailable),
        ("unknown.test", NetError::Unresolvable),
    ] {
        let at = Endpoint::host(name, 0);
        let refused = server(at.clone()).open(&mut net, Owner::NONE);
        assert_eq!(refused, Err(OpenError::Listen { at, why }));
    }
}
