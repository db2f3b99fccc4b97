//! The channel programs and the communicator, each against the one that serves it.

use hio::doing::Doist;
use hio::net::Net;
use hio::sim::NodeId;

use super::failing::{Call, Program};
use super::programs::{EVERYBODY, args, reached};
use super::whole::{Example, Out, Turns};
use super::{channel_client, channel_server, communicator};

fn channels(node: NodeId, rpc: bool) -> Box<dyn Turns> {
    Box::new(Program::new(node, move || {
        let line = "--addr 0.0.0.0:5555 --codec msgpack";
        let line = if rpc {
            format!("{line} --rpc")
        } else {
            line.to_owned()
        };
        let asked = channel_server::asked(args(&line)).expect("good");
        match rpc {
            true => channel_server::calls(asked.0).0,
            false => channel_server::answers(asked.0).0,
        }
    }))
}

fn channel_example(rpc: bool) {
    let example = Example {
        name: if rpc { "channel --rpc" } else { "channel" },
        server: &|node| channels(node, rpc),
        client: &|net: &mut dyn Net, mut out: Out| {
            let line = "--addr server.sim:5555 --codec msgpack --requests 8 --concurrency 4 \
                        --longest 1000";
            let line = if rpc {
                format!("{line} --rpc")
            } else {
                line.to_owned()
            };
            let options = channel_client::options(args(&line)).expect("good");
            channel_client::call(&options, net, &mut out)
        },
        whole: &|text| text.starts_with("{\"ok\": true,"),
    };
    let counts = example.torture();
    reached(&counts, &EVERYBODY);
    reached(&counts, &[Call::Resolve, Call::Shutdown]);
}

#[test]
fn a2_channel_client_and_channel_server() {
    channel_example(false);
}

#[test]
fn a2_channel_client_and_channel_server_with_calls() {
    channel_example(true);
}

fn options(line: &str, pool: bool) -> communicator::options::Options {
    let line = if pool {
        format!("{line} --pool")
    } else {
        line.to_owned()
    };
    communicator::options::Options::read(args(&line)).expect("good")
}

fn echo(node: NodeId, pool: bool) -> Box<dyn Turns> {
    Box::new(Program::new(node, move || {
        let line = "echo --addr server.sim --port 8001 --peer alice=client:8000";
        let options = options(line, pool);
        let mut doist = Doist::new(());
        match pool {
            true => drop(doist.add(communicator::echo::objects(&options).expect("good").0)),
            false => drop(doist.add(communicator::echo::packets(&options).expect("good").0)),
        }
        doist
    }))
}

fn communicator_example(pool: bool) {
    let example = Example {
        name: if pool {
            "communicator --pool"
        } else {
            "communicator"
        },
        server: &|node| echo(node, pool),
        client: &|net: &mut dyn Net, mut out: Out| {
            let line = "send --addr client --port 8000 --peer bob=server.sim:8001 --count 3 \
                        --kinds 3 --sizes 0,70000";
            communicator::send(&options(line, pool), net, &mut out)
        },
        whole: &|text| text.starts_with("{\"ok\": true,"),
    };
    let counts = example.torture();
    reached(&counts, &EVERYBODY);
    reached(&counts, &[Call::Resolve, Call::Shutdown]);
}

#[test]
fn a2_communicator() {
    communicator_example(false);
}

#[test]
fn a2_communicator_with_objects() {
    communicator_example(true);
}
