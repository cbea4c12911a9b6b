"""What one user who tried everything once tells of a description: what works of it, and why the rest does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbz.bring.project.material import Material, operations_of
from dbz.bring.steps import HttpStep, Script
from dbz.errors import UsageError
from dbz.masking import masked_url

_MOST_TOLD = 8
_NEVER_MADE = "its task ends before it"


def left_out(material: Material, told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Operations of a description that fail whenever they are tried, with the reason.

    `UsageError` when a user cannot begin, as with a refused login, or when all operations fail. The steps of a
    recording need each other: none of them is left out, whatever becomes of it.
    """
    failed: dict[str, str] = {}
    worked: set[str] = set()
    raised: dict[str, str] = {}  # by task
    for line in told:
        if line["what"] == "http" and line["error"]:
            failed.setdefault(line["operation"], str(line["error"]))
        elif line["what"] == "http":
            worked.add(line["operation"])
        elif line["what"] == "raised":
            raised[str(line["task"])] = str(line["error"])
    script = material.script
    if script is None or script.recorded:
        return {}
    reasons = {name: reason for name, reason in failed.items() if name not in worked}
    _refuse_start(material, script, reasons, raised.get("on_start", ""))
    for name in operations_of(script):
        if raised and name not in failed and name not in worked:
            reasons[name] = _NEVER_MADE
    if reasons and set(operations_of(script)) <= set(reasons):
        raise UsageError(
            f"nothing of {material.about} works on {masked_url(material.target)}:{_rows(reasons)}",
            hint="is it this server? Examples in the description say which ids and values it knows",
            code="B007",
        )
    return reasons


def _refuse_start(material: Material, script: Script, reasons: Mapping[str, str], raised: str) -> None:
    """`UsageError` when what each user must do first fails: nothing after it was tried as it is meant."""
    needed = [step.operation for flow in script.flows for step in flow.start if _is_needed(step)]
    refused = {name: reasons[name] for name in needed if name in reasons}
    if not refused and raised:
        refused = {", ".join(needed) or "on_start": raised}
    if refused:
        given = f" ({', '.join(script.secrets)})" if script.secrets else ""
        raise UsageError(
            f"no user can begin on {masked_url(material.target)}:{_rows(refused)}",
            hint=f"is what it signs in with right{given}? Examples in {material.about} say the rest",
            code="B007",
        )


def _is_needed(step: HttpStep) -> bool:
    return not step.keeps or any(keep.otherwise is None for keep in step.keeps)


def _rows(reasons: Mapping[str, str]) -> str:
    return "".join(f"\n    {name}: {reason}" for name, reason in list(reasons.items())[:_MOST_TOLD])
