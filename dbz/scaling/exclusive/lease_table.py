"""The items of leases in a DynamoDB table: read with certainty, changed only under a condition. See `lease`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dbz.errors import UsageError
from dbz.scaling.aws import Aws, CallError, NotThereError

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
        if error.code == _REFUSED:
            return False
        raise
    return True


@contextmanager
def _in_words(aws: Aws, table: str) -> Iterator[None]:
    try:
        yield
    except NotThereError as error:
        raise UsageError(
            f"the table '{table}' (scaling.lease_table) does not exist in {aws.where}",
            hint=f"aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST "
            "--attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH",
        ) from error
