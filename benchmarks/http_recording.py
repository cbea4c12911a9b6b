"""A Locust file: what recording costs, in a real generator process that is busy to its limit.

Every 50 ms recording is switched off or on again, and the CPU per request of both is compared; so whatever else the
machine does meanwhile hits both alike. What is written once a second is timed on its own. The result is the last line
on stdout, as JSON.
"""

import json
import statistics
import time

import gevent
from locust import events

from dbz.load.generator.record.recorder import Recorder
from dbz.users import HttpUser, constant, task

_SLICE_S = 0.05
_PAIRS = 30
_SETTLE_S = 1.5
_write = Recorder.write
_spent = {"writing_s": 0.0}


class Reader(HttpUser):
    """Repeats one request."""

    wait_time = constant(0)
    done = 0
    records = True

    def __init__(self, environment):
        super().__init__(environment)
        count = self.client._count
        self.client._count = lambda plain, elapsed_s: not Reader.records or count(plain, elapsed_s)

    @task
    def read(self):
        self.client.get("/", name="/")
        Reader.done += 1


def _timed_write(self, line):
    began_s = time.process_time()
    _write(self, line)
    _spent["writing_s"] += time.process_time() - began_s


def _cpu_us(recording: bool) -> float:
    """CPU microseconds a request in the next slice."""
    Reader.records = recording
    done, cpu_s = Reader.done, time.process_time()
    gevent.sleep(_SLICE_S)
    return (time.process_time() - cpu_s) / max(Reader.done - done, 1) * 1e6


def _compare() -> None:
    gevent.sleep(_SETTLE_S)
    began_s, cpu_s = time.monotonic(), time.process_time()
    _spent["writing_s"] = 0.0
    pairs = [(_cpu_us(True), _cpu_us(False)) for _ in range(_PAIRS)]
    Reader.records = True
    gevent.sleep(max(began_s + 4 - time.monotonic(), 0))
    writing = _spent["writing_s"] / (time.process_time() - cpu_s)
    recording = statistics.median(1 - off / on for on, off in pairs)
    print(json.dumps({"recording": recording, "writing": writing}), flush=True)


Recorder.write = _timed_write
events.init.add_listener(lambda **_: gevent.spawn(_compare))
