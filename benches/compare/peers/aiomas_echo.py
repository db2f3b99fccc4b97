"""aiomas as it comes: every request is answered with its content. Needs Python 3.8 or 3.9 and aiomas[mp]==2.0.1."""
import asyncio
import warnings

warnings.simplefilter("ignore")

import aiomas  # noqa: E402


async def serve(channel):
    try:
        while True:
            request = await channel.recv()
            await request.reply(request.content)
    except (ConnectionError, OSError):
        pass


async def main():
    started = lambda channel: asyncio.ensure_future(serve(channel)) and None  # noqa: E731
    server = await aiomas.channel.start_server(("127.0.0.1", 0), started, codec=aiomas.codecs.MsgPack)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(3600)


asyncio.get_event_loop().run_until_complete(main())
