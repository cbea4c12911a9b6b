"""python-socketio as a test server: the same events as tests/node/server.mjs.

`python -m tests.load.socketio_server PORT OPTIONS [CERTIFICATE]`: options of the server as JSON, named as in Node.
"""

import json
import ssl
import sys

import socketio
from aiohttp import web
from engineio.payload import Payload


class Events(socketio.AsyncNamespace):
    """The events of one namespace; `token` is what its auth payload must hold, if anything."""

    def __init__(self, namespace: str, token: str | None) -> None:
        super().__init__(namespace)
        self.token = token

    async def on_connect(self, sid, environ, auth):
        if (auth or {}).get("refuse") or (self.token and (auth or {}).get("token") != self.token):
            raise socketio.exceptions.ConnectionRefusedError("not you")
        query = dict(part.split("=") for part in environ["QUERY_STRING"].split("&"))
        await self.tell(sid, "welcome", auth, query.get("club"), environ.get("HTTP_X_TEAM"))

    async def tell(self, sid, event, *arguments):
        await self.emit(event, arguments, to=sid)

    async def on_ask(self, sid, question):
        answer = await self.call("question", question, sid=sid)
        await self.tell(sid, "answered", *(answer if isinstance(answer, tuple) else (answer,)))

    async def on_echo(self, _sid, *given):
        return given

    async def on_send_back(self, sid, *given):
        await self.tell(sid, "sent_back", *given)

    async def on_transport(self, sid):
        return self.server.transport(sid, self.namespace)

    async def on_to_all(self, _sid, *given):
        await self.emit("for_all", given)

    async def on_leave_me(self, sid):
        await self.disconnect(sid)

    async def on_drop_me(self, sid):
        await self.server.eio.disconnect(self.server.manager.eio_sid_from_sid(sid, self.namespace))

    async def on_big(self, sid, size):
        await self.tell(sid, "big", "x" * size)


class WholeBodies(socketio.AsyncServer):
    """Reads each body to its end. python-engineio takes the first piece that aiohttp has of one for all of it."""

    def attach(self, app, socketio_path="socket.io"):
        translate = self.eio._async["translate_request"]

        async def whole(request):
            body = Body(await request.read())
            return {**translate(request), "wsgi.input": body}

        self.eio._async = {**self.eio._async, "translate_request": whole}
        super().attach(app, socketio_path)


class Body(bytes):
    """A body that is here."""

    async def read(self, length):
        return self[:length]


def main(port: str, options: str, certificate: str = "") -> None:
    """Serve until killed."""
    Payload.max_decode_packets = 1000  # of one request: a client that had to wait sends more than the usual 16
    given = json.loads(options)
    server = WholeBodies(
        async_mode="aiohttp",
        ping_interval=given.get("pingInterval", 25_000) / 1000,
        ping_timeout=given.get("pingTimeout", 20_000) / 1000,
        max_http_buffer_size=given.get("maxHttpBufferSize", 1_000_000),
    )
    server.register_namespace(Events("/", None))
    server.register_namespace(Events("/admin", "admin"))
    app = web.Application()
    server.attach(app)
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    web.run_app(app, host="127.0.0.1", port=int(port), ssl_context=tls, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
