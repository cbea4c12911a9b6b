"""`junit.xml`: one test case for each budget, one for each other reason why a run fails, and one for its validity.

A file fails exactly when the run does: a failure in it for exit code 1, an error for all others but 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from dbz.measure.budget.verdicts import Outcome
from dbz.report.ci.xml import document, xml_text
from dbz.report.words.verdict import failed, headline, limit_text, value_text, verdict_text
from dbz.runs.schema import BudgetResult, Run, RunVerdict
from dbz.units import counted

VALIDITY_CASE = "measurement_is_valid"
BASELINE_CASE = "not_worse_than_baseline"
REASON_CASE = "run_is_good"


def render_junit(run: Run) -> str:
    """The text of the file. A broken budget is a failure; an invalid or unfinished run is an error."""
    of = f", run {run.repetition}" if run.repetition else ""
    name = xml_text(f"dbz {run.profile.get('name', '?')}{of}")
    suite = Element("testsuite", name=name, time=f"{run.duration_s:.3f}", timestamp=run.started[:19])
    _add_validity(suite, name, run)
    for budget in run.budgets:
        _add_budget(suite, name, budget, trusted=_trusted(run))
    for case, reason in _other_reasons(run):
        failure = SubElement(SubElement(suite, "testcase", classname=name, name=xml_text(case)), "failure")
        failure.set("message", xml_text(reason))
        failure.set("type", "worse" if case.startswith(BASELINE_CASE) else "failed")
    return document(suite)


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
        error = SubElement(case, "error", message=xml_text(headline(run)), type=run.verdict.value)
        error.text = xml_text("\n".join(run.reasons))


def _add_budget(suite: Element, classname: str, budget: BudgetResult, *, trusted: bool) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=xml_text(budget.name))
    sure = f", {budget.interval} in 95 % of such runs" if budget.interval else ""
    measured = f"{budget.stat} of {budget.of}: {value_text(budget)}, limit {limit_text(budget)}{sure}"
    if failed(budget):
        SubElement(case, "failure", message=xml_text(budget.reason), type=budget.verdict)
    elif budget.verdict == Outcome.NOT_MEASURED:
        SubElement(case, "skipped", message=Outcome.NOT_MEASURED.value)
    elif not trusted:
        SubElement(case, "skipped", message=f"holds, but see {VALIDITY_CASE}")
    SubElement(case, "system-out").text = xml_text(
        f"{measured}, {counted(budget.samples, 'sample')}: {verdict_text(budget)}"
    )
