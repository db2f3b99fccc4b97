//! What the fuzz targets of the channel do with their bytes.

use hio::proto::channel::{
    Bounds, ChannelConfig, ChannelEvent, ChannelProtocol, Codec, ExtraInfo, Frames, Json, MsgPack,
};

const BOUNDS: Bounds = Bounds {
    depth_max: 64,
    items_max: 10_000,
    types: 1,
};

/// Bytes as MessagePack: what is let through decodes, and encodes to what decodes to the same.
pub(crate) fn msgpack(data: &[u8]) {
    judge(&MsgPack, data);
}

/// The same as JSON.
pub(crate) fn json(data: &[u8]) {
    judge(&Json, data);
}

fn judge(codec: &dyn Codec, data: &[u8]) {
    let Ok((head, encoded)) = codec.open(data, &BOUNDS) else {
        return;
    };
    let content = codec.decode(encoded).expect("it was checked");
    let mut out = Vec::new();
    if codec.encode(head, &content, 200, &mut out).is_ok() {
        let bounds = Bounds {
            depth_max: 200,
            ..BOUNDS
        };
        let (again, encoded) = codec.open(&out, &bounds).expect("our own");
        assert_eq!(again, head);
        let content_again = codec.decode(encoded).expect("our own");
        assert_eq!(format!("{content_again:?}"), format!("{content:?}"));
    }
}

/// The first byte says where the rest is split: whole or in two pieces, the frames are the same,
/// and the machine comes to the same end.
pub(crate) fn frame(data: &[u8]) {
    let Some((&at, stream)) = data.split_first() else {
        return;
    };
    let at = usize::from(at) * stream.len() / 255;
    assert_eq!(cut(&[stream]), cut(&[&stream[..at], &stream[at..]]));
    assert_eq!(story(&[stream]), story(&[&stream[..at], &stream[at..]]));
}

fn cut(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Frames::new(1000);
    let mut found = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match frames.next(&mut input) {
                Ok(Some(payload)) => found.push(payload.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}

fn story(pieces: &[&[u8]]) -> String {
    let mut machine = ChannelProtocol::new(&ChannelConfig::default());
    machine.connection_made(ExtraInfo::default());
    drop(machine.send(&1.into()));
    for piece in pieces {
        machine.data_received(piece);
    }
    let mut told = String::new();
    while let Ok(Some(mut request)) = machine.recv() {
        told.push_str(&format!("{} {:?}", request.id(), request.value()));
        drop(request.echo());
    }
    while let Some(event) = machine.event() {
        told.push_str(&match event {
            ChannelEvent::Reply { id, content } => format!("{id} {:?}", content.value()),
            other => format!("{other:?}"),
        });
    }
    told
}
