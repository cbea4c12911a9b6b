"""All kinds of errors, by their codes."""

from __future__ import annotations

from dbz.codes.bringing import BRINGING
from dbz.codes.cache import CACHE
from dbz.codes.environment import ENVIRONMENT
from dbz.codes.kind import PREFIX, ErrorKind, shown_code
from dbz.codes.load import LOAD
from dbz.codes.monitor import MONITOR
from dbz.codes.results import RESULTS
from dbz.codes.scale import SCALE
from dbz.codes.shards import SHARDS
from dbz.errors import UsageError
from dbz.suggest import nearest

KINDS = (*BRINGING, *CACHE, *ENVIRONMENT, *SHARDS, *LOAD, *MONITOR, *RESULTS, *SCALE)
"""All of them, in the order of their codes."""
_CUTOFF = 0.5
REGISTER = {kind.code: kind for kind in KINDS}


def find_kind(text: str) -> ErrorKind:
    """The kind of a code as people write it: `DBZ-L002`, `l002`, `L2`; `UsageError` names the nearest for another."""
    code = text.strip().upper().removeprefix(PREFIX).lstrip("-")
    if code[1:].isdecimal() and code.isascii():
        code = f"{code[0]}{code[1:].lstrip('0'):0>3}"
    if code not in REGISTER:
        near = nearest(code, REGISTER, _CUTOFF)
        raise UsageError(
            f"there is no error '{text}'" + (f"; did you mean '{shown_code(near)}'?" if near else ""),
            hint="`dbz explain` without a code lists all of them",
            code="E011",
        )
    return REGISTER[code]
