#!/usr/bin/env python3
"""Python's ssl at the other end of a TLS echo.

    tls_peer.py call HOST:PORT DIR 1.2|1.3 [mutual]     sends, checks what comes back, closes in order; prints `ok: …`
    tls_peer.py serve DIR 1.2|1.3 [mutual]              prints `port N`, echoes each connection until its end

DIR has ca.pem, server.pem, server.key, client.pem and client.key.
"""
import os
import random
import socket
import ssl
import sys
import threading


def context(side, where, version, mutual):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    made.load_verify_locations(os.path.join(where, "ca.pem"))
    if side == "server" or mutual:
        made.load_cert_chain(os.path.join(where, side + ".pem"), os.path.join(where, side + ".key"))
    if side == "server" and mutual:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def call(to, where, version, mutual):
    host, port = to.rsplit(":", 1)
    made = context("client", where, version, mutual)
    resumed, session = 0, None
    for turn in range(3):
        with socket.create_connection((host, int(port)), timeout=20) as plain:
            with made.wrap_socket(plain, server_hostname="localhost", session=session) as peer:
                for size in (1, 1000, 16384, 16385, 300000):
                    data = random.randbytes(size)
                    sender = threading.Thread(target=peer.sendall, args=(data,)) if size < 20000 else None
                    back = bytearray()
                    if sender:
                        sender.start()
                        sender.join()
                        while len(back) < size:
                            part = peer.recv(65536)
                            assert part, "the stream ended"
                            back += part
                    else:
                        for at in range(0, size, 10000):
                            peer.sendall(data[at:at + 10000])
                            while len(back) < min(at + 10000, size):
                                part = peer.recv(65536)
                                assert part, "the stream ended"
                                back += part
                    assert back == data, "other bytes came back"
                resumed += peer.session_reused
                session = peer.session
                said = peer.version()
                # Raises when the other side leaves without a close_notify.
                peer.unwrap()
    assert resumed == 2, "resumed %d of 2 times" % resumed
    print("ok: %s, resumed %d times" % (said, resumed))


def serve(where, version, mutual):
    made = context("server", where, version, mutual)
    listener = socket.create_server(("127.0.0.1", 0))
    print("port %d" % listener.getsockname()[1], flush=True)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=echo, args=(made, plain), daemon=True).start()


def echo(made, plain):
    with plain:
        plain.settimeout(20)
        with made.wrap_socket(plain, server_side=True) as peer:
            assert peer.version()
            while True:
                data = peer.recv(65536)
                if not data:
                    peer.unwrap()
                    return
                peer.sendall(data)


if sys.argv[1] == "call":
    call(sys.argv[2], sys.argv[3], sys.argv[4], "mutual" in sys.argv[5:])
else:
    serve(sys.argv[2], sys.argv[3], "mutual" in sys.argv[4:])
