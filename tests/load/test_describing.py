"""Errors of a scenario's code, named after the function of the scenario that they came out of."""

from __future__ import annotations

import runpy

import gevent

from dbz.load.generator.record.describing import describe_with_line, function_of

CODE = """\
def on_stop():
    helper()

def helper():
    raise RuntimeError("no logout")
"""


def test_what_a_greenlet_raises_is_named_after_the_scenario_and_not_after_gevent(tmp_path):
    path = tmp_path / "scenario.py"
    path.write_text(CODE)
    greenlet = gevent.spawn(runpy.run_path(str(path))["on_stop"])
    greenlet.join()
    assert function_of(greenlet.exception) == "on_stop"
    assert describe_with_line(greenlet.exception) == "RuntimeError: no logout (scenario.py:5)"
