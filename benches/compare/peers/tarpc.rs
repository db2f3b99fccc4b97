//! tarpc on one thread, as its own examples have it: bincode with a length in front, a task for
//! each request.

use std::io;
use std::pin::pin;

use futures_util::StreamExt;
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tokio::net::{TcpListener, TcpStream};

#[tarpc::service]
trait Echo {
    async fn echo(content: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct Server;

impl Echo for Server {
    async fn echo(self, _: Context, content: Vec<u8>) -> Vec<u8> {
        content
    }
}

pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            drop(tokio::spawn(answer(socket)));
        }
    })
}

async fn answer(socket: TcpStream) {
    let transport = tarpc::serde_transport::Transport::from((socket, Bincode::default()));
    let channel = BaseChannel::with_defaults(transport);
    let mut requests = pin!(channel.execute(Server.serve()));
    while let Some(request) = requests.next().await {
        drop(tokio::spawn(request));
    }
}
