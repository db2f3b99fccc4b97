"""What h11 takes: reads messages (four bytes of length, big-endian, then so many bytes), and prints for each a line of
hexadecimal pairs `head:body`, separated by spaces. First argument: `requests` or `responses`."""

import sys

import h11


def taken(role, data):
    server = role == "requests"
    connection = h11.Connection(h11.SERVER if server else h11.CLIENT)
    ask = h11.Request(method="GET", target="/", headers=[("Host", "x")])
    found, head, body = [], None, b""
    try:
        if not server:
            connection.send(ask)
            connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Request):
                head = event.method + b" " + event.target
            elif isinstance(event, h11.Response):
                head = b"%d" % event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((head, body))
                head, body = None, b""
                if server:
                    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
                if not server:
                    connection.send(ask)
                    connection.send(h11.EndOfMessage())
    except h11.ProtocolError:
        pass
    return found


def main():
    stdin = sys.stdin.buffer
    out = []
    while head := stdin.read(4):
        data = stdin.read(int.from_bytes(head, "big"))
        out.append(" ".join(h.hex() + ":" + b.hex() for h, b in taken(sys.argv[1], data)))
    print("\n".join(out))


main()
