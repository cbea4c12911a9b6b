"""`junit.xml`: one test case for each budget, one for each other reason why a run fails, and one for its validity.

A file fails exactly when the run does: a failure in it for exit code 1, an error for all others but 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dbz.measure.budget.verdicts import Outcome
from dbz.report.words.verdict import failed, headline, limit_text, value_text, verdict_text
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.units import counted

VALIDITY_CASE = "measurement_is_valid"
BASELINE_CASE = "not_worse_than_baseline"
REASON_CASE = "run_is_good"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(run: Run) -> str:
    """The text of the file. A broken budget is a failure; an invalid or unfinished run is an error."""
    of = f", run {run.repetition}" if run.repetition else ""
    name = _text(f"dbz {run.profile.get('name', '?')}{of}")
    suite = Element("testsuite", name=name, time=f"{run.duration_s:.3f}", timestamp=run.started[:19])
    _add_validity(suite, name, run)
    for budget in run.budgets:
        _add_budget(suite, name, budget, trusted=_trusted(run))
    for case, reason in _other_reasons(run):
        failure = SubElement(SubElement(suite, "testcase", classname=name, name=_text(case)), "failure")
        failure.set("message", _text(reason))
        failure.set("type", "worse" if case.startswith(BASELINE_CASE) else "failed")
    for outcome in ("failure", "error", "skipped"):
        plural = outcome if outcome == "skipped" else outcome + "s"
        suite.set(plural, str(len(suite.findall(f"testcase/{outcome}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _other_reasons(run: Run) -> Iterator[tuple[str, str]]:
    """The reasons of a failed run that are no budget's, each with the name of its case."""
    if run.verdict is not RunVerdict.FAIL:
        return
    told = {budget.reason for budget in run.budgets if failed(budget)}
    worse = run.comparison.worse if run.comparison else []
    for figure in worse:
        told.add(figure.sentence)
        yield f"{BASELINE_CASE}: {figure.kind} {figure.operation} {figure.stat}", figure.sentence
    others = [reason for reason in run.reasons if reason not in told]
    for number, reason in enumerate(others, 1):
        yield f"{REASON_CASE}_{number}" if len(others) > 1 else REASON_CASE, reason


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
