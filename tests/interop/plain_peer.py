#!/usr/bin/env python3
"""A client made of plain blocking sockets, with the manners and the bad manners of real ones.

    plain_peer.py HOST:PORT | PATH  MODE

Each mode talks to an echo server and checks every byte. Prints one line `ok: …` and exits 0, or says what failed.
"""
import random
import socket
import struct
import sys
import threading
import time


def connect(to):
    if "/" in to:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(to)
    else:
        host, port = to.rsplit(":", 1)
        peer = socket.create_connection((host.strip("[]"), int(port)))
    peer.settimeout(20)
    return peer


def exactly(peer, count):
    data = bytearray()
    while len(data) < count:
        part = peer.recv(65536)
        assert part, "the stream ended after %d of %d bytes" % (len(data), count)
        data += part
    return bytes(data)


def check(peer, data):
    sender = threading.Thread(target=peer.sendall, args=(data,))
    sender.start()
    back = exactly(peer, len(data))
    sender.join()
    assert back == data, "other bytes came back"


def whole(to):
    """Messages of many sizes, one at a time."""
    with connect(to) as peer:
        for size in (1, 2, 1023, 65535, 65536, 65537, 1 << 20):
            check(peer, random.randbytes(size))


def drip(to):
    """One byte a segment."""
    with connect(to) as peer:
        if "/" not in to:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = random.randbytes(300)
        for i in range(len(data)):
            peer.sendall(data[i:i + 1])
            time.sleep(0.0005)
        assert exactly(peer, len(data)) == data


def half_close(to):
    """The last byte is sent and the sending side shut: everything still comes back, then the end."""
    for size in (1, 5, 3000, 1 << 20):
        with connect(to) as peer:
            data = random.randbytes(size)

            def send():
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            assert exactly(peer, size) == data
            assert peer.recv(1) == b"", "more than was sent"
            sender.join()


def nothing(to):
    """Connections that say nothing and go: by a clean end, by a reset, at once."""
    for i in range(60):
        peer = connect(to)
        if i % 3 == 0:
            peer.shutdown(socket.SHUT_RDWR)
        if i % 3 == 1:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    whole(to)


def reset(to):
    """Resets in the middle of sending; others are served all the while."""
    with connect(to) as good:
        for i in range(30):
            bad = connect(to)
            bad.sendall(random.randbytes(1 + 5000 * i))
            bad.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bad.close()
            check(good, random.randbytes(100))


def deaf(to):
    """A peer that sends much and never reads: it is held back, and others are served all the while."""
    with connect(to) as good, connect(to) as bad:
        bad.settimeout(1)
        sent = 0
        try:
            while sent < 1 << 28:
                sent += bad.send(bytes(65536))
        except socket.timeout:
            pass
        assert sent < 1 << 28, "nobody ever stopped it"
        check(good, random.randbytes(10000))


def crowd(to):
    """Many at a time."""
    peers = [connect(to) for _ in range(200)]
    for _ in range(3):
        for i, peer in enumerate(peers):
            peer.sendall(b"%d!" % i)
        for i, peer in enumerate(peers):
            want = b"%d!" % i
            assert exactly(peer, len(want)) == want
    for peer in peers:
        peer.close()


MODES = {"whole": whole, "drip": drip, "half-close": half_close, "nothing": nothing, "reset": reset, "deaf": deaf,
         "crowd": crowd}

if __name__ == "__main__":
    random.seed(7)
    MODES[sys.argv[2]](sys.argv[1])
    print("ok:", sys.argv[2])
