"""`dbz record`: a proxy between a browser, or an app, and a server; what passes becomes a HAR and a scenario."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from dbz.errors import UsageError

_MOST_USERS = 8


def record(
    target: Annotated[str, typer.Option(metavar="URL", help="The server that is recorded.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The HAR to write.")] = Path("session.har"),
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The scenario to write [default: beside the HAR, as .py].")
    ] = None,
    port: Annotated[int, typer.Option(help="Where the proxy listens; 0 for a free port.", min=0, max=65535)] = 0,
    users: Annotated[
        int, typer.Option(help="Record so many users, each at an address of its own.", min=1, max=_MOST_USERS)
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Record what a browser or an app does, through a proxy on this machine.

    Open the printed address instead of the server's own. HTTP, WebSockets and polling pass as they come. Ctrl-C ends
    it, writes the HAR, with the messages of sockets as Chrome writes them, and the scenario of dbz import.

    \b
    Examples:
      dbz record --target http://127.0.0.1:3000
      dbz record --target http://127.0.0.1:3000 -o chat.har --users 2     two users of a chat, in two windows

    The HAR holds passwords and tokens as they passed: it is written for you alone to read. The scenario holds none.
    """
    from dbz.extras import RECORD, need

    need("dbz record", RECORD, "record", instead="import a HAR that a browser has written")
    from dbz.background import run_to_end
    from dbz.bring.proxy.server import RecordingProxy, record_until_cancelled
    from dbz.load.target.allowed_hosts import check_target, reach

    base = check_target(target, [_host_of(target)])
    hars = _hars(out, users)
    written = scenario or out.with_suffix(".py")
    for path in (*hars, written):
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file that could be replaced", code="E005")
        if path.exists() and not force:
            raise UsageError(
                f"{path} is there already", hint="choose another --out, or write over it with --force", code="E007"
            )
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is no folder", code="E005")
    reach(base)
    proxies = [RecordingProxy(base, port + number if port else 0, _address(number)) for number in range(users)]

    def tell() -> None:
        typer.echo(f"Recording what passes to {base}. Ctrl-C ends it.", err=True)
        for number, proxy in enumerate(proxies):
            address = f"http://{'localhost' if number == 1 else proxy.host}:{proxy.port}"
            user = f" (user {number + 1})" if users > 1 else ""
            typer.echo(f"  open {address} in your browser, or use it as the address of your app{user}", err=True)

    run_to_end(record_until_cancelled(proxies, tell))
    typer.echo("", err=True)
    kept = [(path, proxy.tape.har()) for path, proxy in zip(hars, proxies, strict=True)]
    kept = [(path, har) for path, har in kept if har["log"]["entries"]]
    for note in dict.fromkeys(note for proxy in proxies for note in proxy.tape.notes):
        typer.echo(note, err=True)
    if not kept:
        raise UsageError(
            "nothing passed: nothing was written", hint="open the printed address, not the server's own", code="B008"
        )
    for path, har in kept:
        _write_private(path, json.dumps(har, ensure_ascii=False, indent=1))
        typer.echo(f"{path}: {len(har['log']['entries'])} entries; it holds what is secret, so keep it to yourself")
    from dbz.bring.files.opening import read_files
    from dbz.bring.script import script_of
    from dbz.cli.scenario.bring import write_scenario

    names = [str(path) for path, _ in kept]
    write_scenario(script_of(read_files(names)), names, written, base)


def _hars(out: Path, users: int) -> list[Path]:
    """A file for each user, numbered when there are several."""
    return [out] if users == 1 else [out.with_stem(f"{out.stem}-{number}") for number in range(1, users + 1)]


def _address(number: int) -> str:
    """An address of this machine for each user: browsers keep cookies by name, whatever the port.

    The second one goes by the name localhost, which every system knows; further addresses are Linux's.
    """
    return f"127.0.0.{max(number, 1)}"


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}", code="E006") from error
