//! The servers that are compared, in a program beside the benchmark: its allocator counts, and
//! would slow those that allocate.
//!
//! ```text
//! compare_server KIND [--addr HOST:PORT] [--doers N] [--certs FOLDER]
//! ```
//!
//! Linux only, as the benchmark is.

#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod measure;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod process;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the benchmark uses the rest")]
mod tls_config;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

fn main() -> ExitCode {
    let options = options().map_err(|e| e.to_string());
    match options.and_then(|o| serve(&o)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("compare_server: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn serve(o: &Options) -> Result<(), String> {
    let served = match &o.certs {
        Some(certs) => peers::serve_tls(&o.kind, &o.addr, certs),
        None => peers::serve(&o.kind, &o.addr, o.doers),
    };
    served.map_err(|e| e.to_string())
}

#[cfg(not(target_os = "linux"))]
fn serve(_: &Options) -> Result<(), String> {
    Err("Linux only".to_owned())
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody serves"))]
struct Options {
    kind: String,
    addr: String,
    doers: usize,
    certs: Option<PathBuf>,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut o = Options {
        kind: String::new(),
        addr: "127.0.0.1:0".to_owned(),
        doers: 0,
        certs: None,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Value(kind) => o.kind = kind.string()?,
            Long("addr") => o.addr = args.value()?.string()?,
            Long("doers") => o.doers = args.value()?.parse()?,
            Long("certs") => o.certs = Some(args.value()?.into()),
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(o)
}
