"""A lease that machines share, so that one of them at a time leads, or changes a service.

It is an item of a DynamoDB table, changed by compare-and-set only:

    id      ACCOUNT/REGION/CLUSTER/SERVICE/ROLE, the table's only key
    number  raised by whoever takes it: names one holder for ever
    beat    raised by the holder, again and again
    for_s   without a beat for so long it may be taken over
    holder  who has it, as JSON; absent while it is free
    notes   what the next holder should know, as JSON: when the last steps were
    at      when it was last written, by the writer's clock; for people only

No two clocks are compared. Who wants the lease watches, by its own clock, whether number and beat stand still for
`for_s`. Its holder counts as one for two thirds of that time since it *began* its last successful beat, by a clock that
goes on while the machine sleeps, and `Aws` asks so right before each request that changes something is sent, each
retry too. So a holder that was paused, or cut off, does nothing when it comes back. (The watching is that of the
Amazon DynamoDB Lock Client.)
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dbz.children.identity import is_gone, myself
from dbz.errors import DbzError, DependencyError, UsageError
from dbz.scaling.aws import Aws
from dbz.scaling.refusals import CallError, NotThereError
from dbz.units import format_duration

BEATS = 6
"""So many beats in the time after which a silent holder is taken for gone."""
_VALID = 2 / 3
_READ_TIMEOUT_S = 5.0

_REFUSED = "ConditionalCheckFailedException"
_RESERVED = ("number", "at")
"""Attributes that DynamoDB takes for words of its own; expressions write them with `#`."""


@dataclass(frozen=True)
class LeaseItem:
    """The item as read; `holder` is None while it is free."""

    number: int
    beat: int
    for_s: float
    holder: Mapping[str, Any] | None
    notes: Mapping[str, float]
    at: str

    @property
    def who(self) -> str:
        """Its holder in words."""
        holder = self.holder or {"what": "dbz", "pid": "?", "host": "?"}
        return f"{holder['what']} (process {holder['pid']} on {holder['host']})"


def read_record(aws: Aws, table: str, key: str) -> LeaseItem | None:
    """The lease of that key, or None when nobody has ever had it; `UsageError` when there is no such table."""
    with _in_words(aws, table):
        answer = aws.call("dynamodb", "get_item", TableName=table, Key={"id": {"S": key}}, ConsistentRead=True)
    item = answer.get("Item")
    if item is None:
        return None
    holder = item.get("holder")
    return LeaseItem(
        number=int(item["number"]["N"]),
        beat=int(item["beat"]["N"]),
        for_s=float(item["for_s"]["N"]),
        holder=json.loads(holder["S"]) if holder else None,
        notes=json.loads(item["notes"]["S"]),
        at=item["at"]["S"],
    )


def write_if(aws: Aws, item: tuple[str, str], update: str, condition: str, values: Mapping[str, str | float]) -> bool:
    """Change the item of a table and a key under a condition; False when that does not hold."""
    table, key = item
    names = {f"#{name}": name for name in _RESERVED if f"#{name}" in update + condition}
    try:
        with _in_words(aws, table):
            aws.call(
                "dynamodb", "update_item", TableName=table, Key={"id": {"S": key}},
                UpdateExpression=update, ConditionExpression=condition, ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    f":{name}": {"S": value} if isinstance(value, str) else {"N": f"{value:.12g}"}
                    for name, value in values.items()
                },
            )  # fmt: skip
    except CallError as error:
        if error.aws_code == _REFUSED:
            return False
        raise
    return True


@contextlib.contextmanager
def _in_words(aws: Aws, table: str) -> Iterator[None]:
    try:
        yield
    except NotThereError as error:
        raise UsageError(
            f"the table '{table}' (scaling.lease_table) does not exist in {aws.where}",
            hint=f"aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST "
            "--attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH",
            code="S007",
        ) from error


class LeaseLostError(DependencyError):
    """Another dbz has taken the lease over. Nothing more may be changed."""


class LeaseStaleError(DependencyError):
    """The lease could not be kept alive: perhaps it is another's by now. Nothing may be changed until it was."""


def awake_s() -> float:
    """Seconds of a clock that never jumps and, where there is one, goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """One lease, as one process sees it; `for_s` seconds without a beat make it free for others."""

    def __init__(self, aws: Aws, table: str, key: str, what: str, for_s: float) -> None:
        self._aws = replace(aws, read_timeout_s=min(_READ_TIMEOUT_S, for_s), _clients={})
        self._table, self._key, self.for_s = table, key, for_s
        self._holder = {**myself(), "what": what, "session": uuid.uuid4().hex}
        self._mine = 0
        self._beat = 0
        self._lock = threading.Lock()
        self._good_until_s = 0.0
        self._lost = ""
        self._seen: tuple[int, int] | None = None
        self._since_s = 0.0
        self.notes: dict[str, float] = {}
        self.other: LeaseItem | None = None
        """Who is in the way, or whose silence made it free."""

    def try_take(self) -> bool:
        """Take it if it is free, or if its holder is gone or was silent while this object looked again and again."""
        record = read_record(self._aws, self._table, self._key)
        self.other = record if record and record.holder else None
        if record and not self._is_free(record):
            return False
        number = record.number + 1 if record else 1
        condition = "#number = :was AND beat = :seen" if record else "attribute_not_exists(id)"
        begin_s = awake_s()
        taken = self._write(
            "SET #number = :number, beat = :beat, for_s = :for_s, holder = :holder, notes = :notes, #at = :at",
            condition,
            number=number, beat=0, for_s=self.for_s, holder=json.dumps(self._holder),
            notes=json.dumps(dict(record.notes) if record else {}), at=_now(),
            **({"was": record.number, "seen": record.beat} if record else {}),
        )  # fmt: skip
        if not taken:  # by another; or by this process, when the answer to the first of two attempts was lost
            found = read_record(self._aws, self._table, self._key)
            if not found or not found.holder or found.holder["session"] != self._holder["session"]:
                self.other = found
                return False
        self._mine, self._beat, self._lost = number, 0, ""
        self._good_until_s = begin_s + self.for_s * _VALID
        self.notes = dict(record.notes) if record else {}
        return True

    def _is_free(self, record: LeaseItem) -> bool:
        if record.holder is None or is_gone(record.holder):
            return True
        seen = record.number, record.beat
        if seen != self._seen:
            self._seen, self._since_s = seen, awake_s()
        return awake_s() - self._since_s >= record.for_s

    def take(self, say: Callable[[str], None], wait: Callable[[float], bool]) -> None:
        """Take it, if need be after watching a silent holder; `UsageError` as soon as that beats.

        `wait` sleeps so many seconds and says whether the user asked to stop; `KeyboardInterrupt` when the user did.
        """
        first: LeaseItem | None = None
        while not self.try_take():
            if first is None:
                first = self.other
                say(f"{self._holder_text()} has the lease: waiting to see whether it is still there …")
            elif self.other and first and (self.other.number, self.other.beat) != (first.number, first.beat):
                raise UsageError(
                    f"{self._holder_text()} is there already",
                    hint="wait for it, dbz scale auto by --standby; dbz scale status shows what goes on",
                    code="S017",
                )
            if wait(self.for_s / BEATS / 2):
                raise KeyboardInterrupt
        self._say_whose(say)

    def stand_by(self, say: Callable[[str], None], wait: Callable[[float], bool]) -> None:
        """Wait until it is free, however long that takes, and take it."""
        led = ""
        while not self.try_take():
            if led != self._holder_text():
                led = self._holder_text()
                say(f"Standing by: {led} leads.")
            if wait(self.for_s / BEATS):
                raise KeyboardInterrupt
        self._say_whose(say)

    def _holder_text(self) -> str:
        return self.other.who if self.other else "another dbz"

    def _say_whose(self, say: Callable[[str], None]) -> None:
        if self.other:
            say(f"Taken over from {self.other.who}, which was silent or is gone; there: dbz scale history.")

    def note(self, name: str, value: float) -> None:
        """Leave something for the next holder."""
        self.notes = {**self.notes, name: value}
        with contextlib.suppress(DependencyError):  # then the next beat carries it
            self.renew()

    def renew(self) -> None:
        """Beat. `LeaseLostError` when it is another's by now, `DependencyError` when the table cannot be asked."""
        with self._lock:
            begin_s = awake_s()
            self._beat += 1
            kept = self._write(
                "SET beat = :beat, notes = :notes, #at = :at", "#number = :mine",
                beat=self._beat, notes=json.dumps(self.notes), at=_now(), mine=self._mine,
            )  # fmt: skip
            if kept:
                self._good_until_s = begin_s + self.for_s * _VALID
                return
            found = read_record(self._aws, self._table, self._key)
            self._lost = found.who if found else "somebody who removed it"
        self.check()

    def check(self) -> None:
        """Raise `LeaseLostError` or `LeaseStaleError` unless it is surely still this process's."""
        if self._lost:
            raise LeaseLostError(
                f"taken over by {self._lost}, because nothing was heard from here for {format_duration(self.for_s)}",
                hint="nothing more was changed from here; dbz scale status shows who leads",
                code="S018",
            )
        if awake_s() >= self._good_until_s:
            raise LeaseStaleError(
                f"the lease in table {self._table} could not be kept alive: perhaps another dbz has taken over",
                code="S018",
            )

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep it alive within this block, let nothing be changed when that does not succeed, then give it back."""
        ended = threading.Event()
        heart = threading.Thread(target=self._beat_until, args=(ended,), daemon=True)
        heart.start()
        try:
            with self._aws.guarded(self.check):
                yield
        finally:
            ended.set()
            heart.join(_READ_TIMEOUT_S)
            with contextlib.suppress(DbzError):  # then its silence says so
                self._write("SET #at = :at REMOVE holder", "#number = :mine", at=_now(), mine=self._mine)

    def _beat_until(self, ended: threading.Event) -> None:
        while not ended.wait(self.for_s / BEATS):
            try:
                self.renew()
            except LeaseLostError:
                return
            except DbzError:  # `check` tells when that lasts too long
                continue

    def _write(self, update: str, condition: str, **values: str | float) -> bool:
        return write_if(self._aws, (self._table, self._key), update, condition, values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
