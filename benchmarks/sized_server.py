"""A server in a process of its own that answers `GET /1000` with a thousand bytes; it prints its port."""

from gevent import monkey

monkey.patch_all()

import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from functools import cache  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from gevent.server import StreamServer  # noqa: E402


@cache
def answer(size: int) -> bytes:
    """A whole answer with so many bytes of a body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


def talk(connection: Any, _address: object) -> None:
    """Answer the requests of a connection one by one."""
    while request := connection.recv(4096):
        connection.sendall(answer(int(request.split(b" ", 2)[1].strip(b"/"))))


@contextmanager
def sized_answers() -> Iterator[str]:
    """The URL of such a server."""
    with subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    server = StreamServer(("127.0.0.1", 0), talk, backlog=2048)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()
