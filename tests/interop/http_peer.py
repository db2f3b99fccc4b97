"""Foreign HTTP of Python: clients of our server, and a server for our client.

    http_peer.py aiohttp|httpx URL [CA]     checks the example server; prints `ok N checks`
    http_peer.py server                     http.server with keep-alive; prints `listening on PORT`
"""

import asyncio
import http.server
import ssl
import sys

LARGE = bytes(i * 31 % 251 for i in range(3_000_000))


class Checks:
    def __init__(self):
        self.count = 0

    def same(self, what, got, wanted):
        assert got == wanted, f"{what}: {got!r} instead of {wanted!r}"
        self.count += 1


async def with_aiohttp(url, context):
    import aiohttp

    async def pieces():
        for at in range(0, len(LARGE), 100_000):
            yield LARGE[at : at + 100_000]

    checks = Checks()
    connector = aiohttp.TCPConnector(ssl=context if context else True, limit=20)
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(50):
            async with session.get(url + "/hello") as response:
                checks.same("GET", (response.status, await response.text()), (200, "hello\n"))
        async with session.head(url + "/hello") as response:
            checks.same("HEAD", (response.status, response.headers["content-length"]), (200, "6"))
            checks.same("its body", await response.read(), b"")
        for body in (b"", b"x", LARGE):
            async with session.post(url + "/echo", data=body) as response:
                checks.same("POST", await response.read() == body, True)
        async with session.post(url + "/echo", data=pieces(), expect100=True) as response:
            checks.same("chunked with Expect", await response.read() == LARGE, True)
        async with session.get(url + "/nothing") as response:
            checks.same("unknown", response.status, 404)

        async def one(n):
            text = str(n).encode() * 500
            async with session.post(url + "/echo", data=text) as response:
                checks.same("at once", await response.read() == text, True)

        await asyncio.gather(*(one(n) for n in range(100)))
        async with session.get(url + "/events") as response:
            checks.same("events", response.content_type, "text/event-stream")
            first = await asyncio.wait_for(response.content.readline(), 30)
            checks.same("an event", first[:3], b"id:")
    return checks.count


def with_httpx(url, context):
    import httpx

    checks = Checks()
    with httpx.Client(verify=context if context else True, trust_env=False) as client:
        for _ in range(50):
            response = client.get(url + "/hello")
            checks.same("GET", (response.status_code, response.text), (200, "hello\n"))
        checks.same("HEAD", client.head(url + "/hello").headers["content-length"], "6")
        for body in (b"", b"x", LARGE):
            checks.same("POST", client.post(url + "/echo", content=body).content == body, True)
        pieces = (LARGE[at : at + 70_000] for at in range(0, len(LARGE), 70_000))
        checks.same("chunked", client.post(url + "/echo", content=pieces).content == LARGE, True)
        checks.same("unknown", client.get(url + "/nothing").status_code, 404)
        checks.same("not allowed", client.put(url + "/hello", content=b"x").status_code, 405)
        with client.stream("GET", url + "/events") as response:
            checks.same("an event", next(response.iter_lines())[:3], "id:")
    return checks.count


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, fields=()):
        self.send_response(200)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/old":
            self.send_response(302)
            self.send_header("Location", "/hello")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/until-close":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(LARGE)
            self.close_connection = True
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(LARGE), 50_000):
                piece = LARGE[at : at + 50_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-End: yes\r\n\r\n")
        else:
            self.answer(b"hello\n")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on {server.server_address[1]}", flush=True)
    server.serve_forever()


def main():
    what = sys.argv[1]
    if what == "server":
        return serve()
    context = ssl.create_default_context(cafile=sys.argv[3]) if len(sys.argv) > 3 else None
    if what == "aiohttp":
        count = asyncio.run(with_aiohttp(sys.argv[2], context))
    else:
        count = with_httpx(sys.argv[2], context)
    print(f"ok {count} checks")


main()
