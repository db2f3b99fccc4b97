//! hyper on tokio, one thread, a task a connection. It sends no `Date`, as nobody here does.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) fn serve(listener: std::net::TcpListener, certs: Option<&Path>) -> io::Result<()> {
    let config = certs.map(crate::tls_config::server_config).transpose()?;
    let acceptor = config.map(TlsAcceptor::from);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            match acceptor.clone() {
                None => drop(tokio::spawn(connection(socket))),
                Some(acceptor) => drop(tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        connection(stream).await;
                    }
                })),
            }
        }
    })
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut http = http1::Builder::new();
    http.auto_date_header(false);
    // A connection that fails is over: nobody is told.
    drop(
        http.serve_connection(TokioIo::new(stream), service_fn(answer))
            .await,
    );
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/hello") => (200, "text/plain", Bytes::from_static(b"hello")),
        (&Method::POST, "/echo") => match request.into_body().collect().await {
            Ok(body) => (200, "application/octet-stream", body.to_bytes()),
            Err(_) => (400, "text/plain", Bytes::new()),
        },
        _ => (404, "text/plain", Bytes::new()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
