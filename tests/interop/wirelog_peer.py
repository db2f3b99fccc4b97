"""Python's hio as a writer of wire logs.

    wirelog_peer.py             logs and calls of them on stdin; says what each has received and sent, in
                                hexadecimal
    wirelog_peer.py HOST:PORT   echoes a few messages and logs them; says its address, the server's,
                                both as hio has them, and what its log has
"""
import sys
import time

from hio.core.tcp import Client
from hio.core.wiring import WireLog


def told():
    log = None
    for line in sys.stdin.read().split("\n"):
        words = line.split(" ")
        if len(words) < 3 and log:
            print(log.readRx().hex())
            print(log.readTx().hex())
        if len(words) == 2:
            log = WireLog(samed=words[0] == "1", fmt=bytes.fromhex(words[1]), reopen=True)
        elif len(words) == 3:
            write = log.writeRx if words[0] == "1" else log.writeTx
            write(bytes.fromhex(words[2]), who=bytes.fromhex(words[1]))


def echoed(at):
    host, port = at.rsplit(":", 1)
    log = WireLog(samed=True, reopen=True)
    client = Client(host=host, port=int(port), wl=log)
    client.reopen()
    deadline = time.monotonic() + 20
    while not client.serviceConnect():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for n in range(3):
        message = b"message %d" % n
        client.tx(message)
        while bytes(client.rxbs) != message:
            assert time.monotonic() < deadline
            client.serviceSends()
            client.serviceReceives()
            time.sleep(0.01)
        client.clearRxbs()
    print(client.ca)
    print(client.ha)
    print(log.readRx().hex())
    client.close()


if __name__ == "__main__":
    echoed(sys.argv[1]) if len(sys.argv) > 1 else told()
