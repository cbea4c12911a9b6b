"""A generator process of an open load that also says how late arrivals began and how its memory grew.

Beside what the record holds, the lateness of each arrival is counted here by the microsecond. The result is the last
line on stdout, as JSON.
"""

from dbz.load.generator import __main__ as generator  # first: it patches the standard library

# isort: split
import json
import os
import sys
from collections import Counter

import psutil

from dbz.load.generator.pace.lateness import Punctuality
from dbz.load.generator.record.recorder import Recorder

_SETTLED_S = 4
_late_us: Counter[int] = Counter()
_memory: list[int] = []
_note, _write = Punctuality.note, Recorder.write


def _counting(self, lateness_s):
    if len(_memory) > _SETTLED_S:  # before that the connections are opened
        _late_us[int(lateness_s * 1e6)] += 1
    _note(self, lateness_s)


def _measuring(self, line):
    _memory.append(psutil.Process().memory_info().rss)
    _write(self, line)


def _percentile_ms(percent: float) -> float:
    left = _late_us.total() * percent / 100
    for value_us in sorted(_late_us):
        left -= _late_us[value_us]
        if left <= 0:
            return value_us / 1000
    return 0.0


if __name__ == "__main__":
    Punctuality.note, Recorder.write = _counting, _measuring
    code = generator.main()
    settled = _memory[_SETTLED_S:-1] or _memory
    found = {f"p{percent:g}_ms": _percentile_ms(percent) for percent in (50, 99, 99.9)}
    print(json.dumps({**found, "grown_bytes": settled[-1] - settled[0], "bytes": settled[-1]}), flush=True)
    sys.stderr.flush()
    os._exit(code)
