"""The result of `dbz monitor test` for CI systems: a test case for each test."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from dbz.monitor.rules.testing import TestOutcome
from dbz.report.ci.xml import document, xml_text
from dbz.report.terminal.alerts.testing import difference_lines


def render_monitor_junit(file: str, outcomes: Sequence[TestOutcome]) -> str:
    """The text of the file; a test that told something else than expected is a failure."""
    name = xml_text(f"dbz monitor test {file}")
    suite = Element("testsuite", name=name)
    for outcome in outcomes:
        case = SubElement(suite, "testcase", classname=name, name=xml_text(outcome.test.name))
        if outcome.differences:
            lines = [line for one in outcome.differences for line in difference_lines(one, outcome)]
            failure = SubElement(case, "failure", message=xml_text(lines[0]), type="told")
            failure.text = xml_text("\n".join(lines))
    return document(suite)
