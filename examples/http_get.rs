//! Asks for a URL and prints what comes: status and fields to stderr, the body to stdout.
//!
//! ```text
//! cargo run --release --example http_get -- http://127.0.0.1:8080/hello
//! cargo run --release --example http_get -- https://localhost:8443/echo --ca ca.pem --data hi
//! ```
//!
//! Redirects are followed. It ends with 0 when there was a response, whatever its status, and with
//! 1 when there was none.

mod common;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doers::HttpClientDoer;
use hio::doing::prelude::*;
use hio::link::tls::ClientTls;
use hio::net::{MioNet, Net, ResolverOptions};
use hio::proto::http::{Ask, AskEvent, Dialling, HttpClient, Outgoing, PoolLimits, ResponseHead};
use http::header::HeaderName;
use http::{HeaderValue, Method, Uri};
use lexopt::prelude::*;

const HELP: &str = "\
Asks for a URL and prints what comes.

    http_get URL [OPTIONS]

    --ca PEM            who may vouch for an https server
    --header 'K: V'     one more field; may be given several times
    --method M          GET, or POST with --data, unless said otherwise
    --data D            the body

Gives up after 60 seconds in all.";

/// How long everything may take.
const ALL: Duration = Duration::from_secs(60);

/// What the command line asks for.
pub(crate) struct Options {
    ask: Ask,
    pub(crate) tls: Option<ClientTls>,
}

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env());
    common::run("http_get", HELP, options, |options| {
        let mut net = MioNet::new()?.with_resolver(ResolverOptions::default())?;
        fetch(options, &mut net, Box::new(io::stdout()))
    })
}

/// Asks, and writes the body of the response.
pub(crate) fn fetch(
    options: Options,
    net: &mut dyn Net,
    mut out: Box<dyn Write + Send>,
) -> Result<(), Fault> {
    let dialling = Dialling {
        tls: options.tls,
        ..Dialling::default()
    };
    let mut doist = Doist::new(HttpClient::new(dialling, PoolLimits::default()));
    let mut ask = Some(options.ask.within(ALL).streaming());
    let client = doist.add(HttpClientDoer::new());
    let printer = doist.add(doify(move |tyme, cx: &mut Cx<'_, HttpClient>| {
        if let Some(ask) = ask.take() {
            cx.app.ask(tyme, ask);
            cx.ask.wake(client);
        }
        match print(cx.app, &mut *out)? {
            true => cx.ask.stop(),
            false => {
                // What was taken makes room for more.
                cx.ask.wake(client);
                return Ok(After(Duration::from_millis(5)));
            }
        }
        Ok(Done(true))
    }));
    let _ = printer;
    doist.set_tock(Duration::from_millis(5));
    doist.run(net)?;
    Ok(())
}

/// Prints what has come. Says whether that was all.
fn print(client: &mut HttpClient, out: &mut dyn Write) -> Result<bool, Fault> {
    let events: Vec<AskEvent> = client.events().collect();
    for event in events {
        match event {
            AskEvent::Head(_, head) => show(&head)?,
            AskEvent::Data(id) => out.write_all(&client.take_body(id))?,
            AskEvent::Done(_, Ok(response)) => {
                out.write_all(&response.body)?;
                out.flush()?;
                return Ok(true);
            }
            AskEvent::Done(_, Err(why)) => return Err(why.into()),
            _ => {}
        }
    }
    Ok(false)
}

fn show(head: &ResponseHead) -> io::Result<()> {
    let mut err = io::stderr().lock();
    writeln!(err, "{:?} {}", head.version, head.status)?;
    for (name, value) in &head.headers {
        writeln!(err, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
    }
    writeln!(err)
}

/// Reads a command line.
pub(crate) fn options(mut args: lexopt::Parser) -> Result<Options, Usage> {
    let (mut url, mut ca, mut method) = (None::<Uri>, None::<PathBuf>, None::<Method>);
    let (mut data, mut headers) = (None::<Vec<u8>>, Vec::new());
    while let Some(arg) = args.next()? {
        match arg {
            Value(text) if url.is_none() => {
                url = Some(text.string()?.parse().map_err(Usage::wrong)?);
            }
            Long("ca") => ca = Some(args.value()?.into()),
            Long("header") => headers.push(header(&args.value()?.string()?)?),
            Long("method") => method = Some(args.value()?.parse()?),
            Long("data") => data = Some(args.value()?.string()?.into_bytes()),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let url = url.ok_or_else(|| Usage::wrong("a URL is wanted"))?;
    let usual = if data.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut ask = Ask::new(method.unwrap_or(usual), url);
    for (name, value) in headers {
        ask = ask.header(name, value);
    }
    if let Some(data) = data {
        ask.body = Outgoing::Bytes(data);
    }
    let tls = match ca {
        None => None,
        Some(ca) => Some(ClientTls::builder().ca(ca).build().map_err(Usage::wrong)?),
    };
    Ok(Options { ask, tls })
}

/// `K: V`.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), Usage> {
    let wrong = || Usage::wrong(format!("--header takes 'K: V', not {text:?}"));
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    let value = value.trim().parse().map_err(|_| wrong())?;
    Ok((name, value))
}
