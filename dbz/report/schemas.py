"""The JSON Schemas (2020-12) of what dbz writes, made from the models that write it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import TypeAdapter

from dbz.errors import UsageError
from dbz.monitor.review.document import Review
from dbz.runs.capacity import Capacity
from dbz.runs.compare.document import Comparison
from dbz.runs.compare.trend import Trend
from dbz.runs.schema import Run

MODELS: Mapping[str, type] = {
    "run": Run,
    "comparison": Comparison,
    "trend": Trend,
    "capacity": Capacity,
    "monitor-report": Review,
}
"""What is written, by the kind of file; models and data classes."""


def schema_text(name: str) -> str:
    """The schema of one kind of file; `UsageError` naming the kinds."""
    if name not in MODELS:
        raise UsageError(f"there is no schema '{name}' (known: {', '.join(MODELS)})", code="E011")
    schema = TypeAdapter(MODELS[name]).json_schema(by_alias=True, mode="serialization")
    version = schema["properties"]["schema"]["default"]
    schema["properties"]["schema"] |= {"const": version}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1) + "\n"
