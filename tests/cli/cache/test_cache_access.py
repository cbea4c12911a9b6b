"""`dbz cache` with TLS and with users that may not do everything."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
import trustme

from tests.cli.serving import Served

DOCUMENTED = Path(__file__).parents[3] / "docs" / "cache.md"


class TlsPort:
    """A TLS port in front of a Redis whose build has none, with a certificate of an authority of its own."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._redis = int(redis_url.rpartition(":")[2].partition("/")[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        redis_port = ("127.0.0.1", self._redis)
        with (
            suppress(OSError),
            plain,
            socket.create_connection(redis_port) as behind,
            self._context.wrap_socket(plain, server_side=True) as client,
        ):
            forth = threading.Thread(target=_copy, args=(client, behind), daemon=True)
            forth.start()
            _copy(behind, client)
            forth.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tls(served: Served) -> Iterator[TlsPort]:
    folder = Path(tempfile.mkdtemp(prefix="dbz-cache-tests-"))
    port = TlsPort(served.redis_url, folder)
    yield port
    port.close()
    shutil.rmtree(folder)


@pytest.fixture
def acl(served: Served) -> Iterator[redis.Redis]:
    served.redis.flushall()
    assert served.cache("warm", "--only", "posts,clubs").returncode == 0
    yield served.redis
    served.redis.acl_deluser("ops")


def url(served: Served, password: str = "secret") -> str:
    return served.redis_url.replace("redis://", f"redis://ops:{password}@")


def test_tls_with_an_authority_of_ones_own(served: Served, tls: TlsPort, acl: redis.Redis) -> None:
    acl.acl_setuser("ops", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"])
    there = f"rediss://ops:secret@127.0.0.1:{tls.port}"
    done = served.cache("get", "club:club00", REDIS_URL=f"{there}?ssl_ca_certs={tls.authority}")
    assert done.returncode == 0 and json.loads(done.stdout)["id"] == "club00"
    unknown = served.cache("get", "club:club00", REDIS_URL=there)
    assert unknown.returncode == 3 and "certificate" in unknown.stderr.lower() and "ssl_ca_certs" in unknown.stderr
    missing = served.cache("get", "club:club00", REDIS_URL=f"{there}?ssl_ca_certs=nowhere.pem")
    assert missing.returncode == 2 and "nowhere.pem" in missing.stderr
    assert "secret" not in unknown.stderr + missing.stderr


def test_a_user_with_the_documented_permissions_may_do_everything(served: Served, acl: redis.Redis) -> None:
    (rules,) = re.findall(r"ACL SETUSER ops on (.+?)\n```", DOCUMENTED.read_text(), re.DOTALL)
    acl.execute_command("ACL", "SETUSER", "ops", "on", ">secret", *rules.replace("\\", " ").split())
    where = ["--redis-url", url(served)]
    for arguments in (
        ["warm", "--mongo-uri", served.mongo_uri],
        ["warm", "--dry-run", "--mongo-uri", served.mongo_uri],
        ["stats"],
        ["get", "club:club00"],
        ["ttl", "club:*"],
        ["invalidate", "post:*", "--yes"],
        ["invalidate", "--club", "club00", "--yes"],
    ):
        done = served.cache(*arguments, *where)
        assert done.returncode == 0, (arguments, done.stderr)


@pytest.mark.parametrize(
    ("rules", "arguments", "named"),
    [
        ("+@all -info ~* &*", ["stats"], "'info'"),
        ("+@all -set ~* &*", ["warm", "--mongo-uri", "MONGO", "--restart"], "set"),
        ("+@all ~cache:post:* ~{cache:}* &*", ["warm", "--mongo-uri", "MONGO", "--restart"], "key"),
        ("+@all -scan ~* &*", ["invalidate", "post:*", "--yes"], "'scan'"),
        ("+@all -unlink ~* &*", ["invalidate", "post:*", "--yes"], "'unlink'"),
        ("+@all -get ~* &*", ["invalidate", "--tag", "club_id:club00", "--yes"], "'get'"),
        ("+@all -publish ~* &*", ["invalidate", "post:*", "--yes"], "publish"),
        ("+@all -memory ~* &*", ["stats"], "'memory|usage'"),
        ("+@all ~cache:post:* &*", ["get", "club:club00"], "key"),
    ],
)
def test_a_missing_permission_is_named(
    served: Served, acl: redis.Redis, rules: str, arguments: list[str], named: str
) -> None:
    served.redis.unlink(*served.redis.keys("cache:club:*"))
    acl.execute_command("ACL", "SETUSER", "ops", "on", ">secret", *rules.split())
    given = [served.mongo_uri if one == "MONGO" else one for one in arguments]
    done = served.cache(*given, "--redis-url", url(served))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "permit" in done.stderr and named in done.stderr and "docs/cache.md" in done.stderr, done.stderr
    assert "secret" not in done.stderr


def test_a_wrong_password_and_an_unknown_option(served: Served, acl: redis.Redis) -> None:
    acl.acl_setuser("ops", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"])
    wrong = served.cache("stats", "--redis-url", url(served, "geheim"))
    assert wrong.returncode == 3 and "user or password" in wrong.stderr and "geheim" not in wrong.stderr
    option = served.cache("stats", "--redis-url", f"{served.redis_url}?timeout=3")
    assert option.returncode == 2 and "unknown option 'timeout'" in option.stderr
