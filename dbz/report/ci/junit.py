"""`junit.xml`: one test case for each budget, and one for the validity of the measurement."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dbz.measure.budget.verdicts import Outcome
from dbz.report.words.verdict import failed, headline, limit_text, value_text, verdict_text
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.units import counted

VALIDITY_CASE = "measurement_is_valid"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(run: Run) -> str:
    """The text of the file. A broken budget is a failure; an invalid or unfinished run is an error."""
    name = _text(f"dbz {run.profile.get('name', '?')}")
    suite = Element("testsuite", name=name, time=f"{run.duration_s:.3f}", timestamp=run.started[:19])
    _add_validity(suite, name, run)
    for budget in run.budgets:
        _add_budget(suite, name, budget, trusted=_trusted(run))
    for outcome in ("failure", "error", "skipped"):
        plural = outcome if outcome == "skipped" else outcome + "s"
        suite.set(plural, str(len(suite.findall(f"testcase/{outcome}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _trusted(run: Run) -> bool:
    return run.verdict in (RunVerdict.PASS, RunVerdict.FAIL)


def _add_validity(suite: Element, classname: str, run: Run) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=VALIDITY_CASE)
    if not _trusted(run):
        error = SubElement(case, "error", message=_text(headline(run)), type=run.verdict.value)
        error.text = _text("\n".join(run.reasons))


def _add_budget(suite: Element, classname: str, budget: BudgetResult, *, trusted: bool) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=_text(budget.name))
    sure = f", {budget.interval} in 95 % of such runs" if budget.interval else ""
    measured = f"{budget.stat} of {budget.of}: {value_text(budget)}, limit {limit_text(budget)}{sure}"
    if failed(budget):
        SubElement(case, "failure", message=_text(budget.reason), type=budget.verdict)
    elif budget.verdict == Outcome.NOT_MEASURED:
        SubElement(case, "skipped", message=Outcome.NOT_MEASURED.value)
    elif not trusted:
        SubElement(case, "skipped", message=f"holds, but see {VALIDITY_CASE}")
    SubElement(case, "system-out").text = _text(
        f"{measured}, {counted(budget.samples, 'sample')}: {verdict_text(budget)}"
    )


def _text(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
