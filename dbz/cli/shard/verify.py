"""`dbz shard verify`: is every document where it belongs?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.options import AsJson
from dbz.cli.shard.deployment import DEFAULT_CONFIG, ConfigFile, need_clients, open_deployment
from dbz.documents import DocumentKind
from dbz.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from dbz.shards.copies.verify_places import Progress


def verify(
    club: Annotated[list[str] | None, typer.Option("--club", metavar="CLUB", help="Only this club.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the position here, and go on from it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every finding here, one JSON a line.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Read all shards and name every document that is not where it belongs. Nothing is written.

    \b
    Names documents that are misplaced, duplicate, without a club, or missing,
    extra or different in a copy that a move makes or keeps; and indexes that a
    shard lacks. An old copy must differ from its club only by what was written
    since; writes to it by programs that do not follow the map are named. What
    cannot be told, because a store no longer has the history, is named as well.
    The app may go on writing. With --checkpoint an interrupted verification
    goes on where it was.

    \b
    Examples:
      dbz shard verify
      dbz shard verify --club club07 --json
      dbz shard verify --checkpoint verify.json --out findings.jsonl

    \b
    Exit codes: 0 nothing found, 1 something found, 3 a shard is out of reach, 4
    nothing found, but not everything could be checked.
    """
    need_clients()
    from dbz.report.terminal.shards.status import print_findings, print_unchecked
    from dbz.shards.club_id import readings
    from dbz.shards.copies.verify_copies import verify_copies
    from dbz.shards.copies.verify_places import Verifier, unlike_shards
    from dbz.shards.errors import PausedError
    from dbz.shards.journal import MoveJournal
    from dbz.shards.map_store import current_map

    watching = Interrupts("before anything was verified").watch()
    with watching as interrupts, open_deployment(config) as deployment:
        shard_map, _ = current_map(deployment)
        clubs = tuple(reading for typed in club or () for reading in readings(typed))
        progress = _progress(checkpoint, shard_map.deployment, clubs)
        interrupts.defer()
        work = Verifier(deployment, progress, lambda now: _save(now, checkpoint), lambda: interrupts.requested)
        try:
            found = work.run(shard_map, lambda: current_map(deployment)[0])
        except PausedError:
            _save(progress, checkpoint)
            hint = f"--checkpoint {checkpoint} goes on from here" if checkpoint else "with --checkpoint it could go on"
            raise InterruptedRunError(f"stopped after {progress.documents:,} documents", hint=hint) from None
        with deployment.reaching("a shard"):
            moves = MoveJournal(deployment.control).all()
            copies = verify_copies(deployment, current_map(deployment)[0], moves, progress.clubs)
        found += copies.findings
        progress.unchecked = copies.unchecked
        progress.notes += copies.notes
        found += unlike_shards(deployment, shard_map.shards)
    progress.findings = found
    if out is not None:
        _write(out, "".join(json.dumps(vars(one)) + "\n" for one in found), "--out")
    if as_json:
        typer.echo(json.dumps(progress.document(), indent=2))
    else:
        print_findings(found, progress.documents)
        print_unchecked(progress.unchecked, progress.notes)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    raise typer.Exit(ExitCode.BROKEN if found else ExitCode.INVALID if progress.unchecked else ExitCode.OK)


def _progress(checkpoint: Path | None, deployment: str, clubs: tuple[str, ...]) -> Progress:
    from dbz.shards.copies.verify_places import SCHEMA, Progress

    if checkpoint is None or not checkpoint.exists():
        return Progress(deployment, clubs)
    kept = DocumentKind(SCHEMA, "a checkpoint of dbz shard verify", _made, hint="remove it to begin anew").read(
        checkpoint
    )
    if (kept.deployment, kept.clubs) != (deployment, clubs):
        raise UsageError(f"checkpoint {checkpoint} is of another deployment, or of other clubs", code="H012")
    return kept


def _made(document: Mapping[str, Any]) -> Progress:
    from dbz.shards.copies.verify_places import Finding, Progress, Unchecked

    data = {key: value for key, value in document.items() if key != "schema"}
    findings = [Finding(**one) for one in data.pop("findings")]
    unchecked = [Unchecked(**one) for one in data.pop("unchecked", [])]
    return Progress(**{**data, "clubs": tuple(data["clubs"]), "findings": findings, "unchecked": unchecked})


def _save(progress: Progress, checkpoint: Path | None) -> None:
    if checkpoint is not None:
        draft = checkpoint.with_name(checkpoint.name + ".tmp")
        _write(draft, json.dumps(progress.document()), "--checkpoint")
        draft.replace(checkpoint)


def _write(path: Path, text: str, option: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be written: {error.strerror}", code="E006") from error
