"""Budgets about pages, for each page by itself: a slow page is not made good by a quick one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dbz.measure.budget.budgets import Alternative, Budget
from dbz.measure.budget.metrics import Filter, Selector
from dbz.measure.latency.series import PAGE


def for_pages(budgets: Iterable[Budget], pages: Sequence[str]) -> list[Budget]:
    """The budgets of a run in which a browser opens `pages`.

    One that is about pages becomes one for each that it takes. One that names them below `or` stays, for what it is
    about first, and has one for each page beside it: requests that make a screen say nothing of a browser's page.
    """
    return [each for budget in budgets for each in _split(budget, pages)] if pages else list(budgets)


def _split(budget: Budget, pages: Sequence[str]) -> Iterator[Budget]:
    if _about_pages(budget.of):
        taken = _taken(budget.of, pages)
        # One that takes no page stays as it is, so that it is said that it was not measured.
        yield from [of_page(budget, name, budget.of) for name in taken] if len(taken) > 1 else [budget]
        return
    others = tuple(one for one in budget.instead if not _about_pages(one.of))
    yield replace(budget, instead=others)
    asked = next((one for one in budget.instead if _about_pages(one.of)), None)
    if asked is None:
        return
    for name in _taken(asked.of, pages):
        alone = replace(
            budget, stat=asked.stat, instead=(), windows=None, after_s=0.0, abort_after_s=0.0, part_of=budget.name
        )
        yield of_page(alone, name, asked.of)


def of_page(budget: Budget, name: str, of: Selector) -> Budget:
    """The budget for one part of what a selector takes, by its name."""
    selector = Selector(of.metric, (Filter(name, exact=True),))
    terms = {key: text for key, text in budget.terms.items() if budget.instead or key != "instead"}
    return replace(
        budget,
        name=f"{budget.name} {name}",
        of=selector,
        terms={**terms, "of": str(selector), "stat": budget.stat},
    )


def alternative_of_page(budget: Budget, name: str, place: int) -> Budget:
    """The same where a part of what is judged instead is meant, which stands at a place below `or`."""
    one = budget.instead[place]
    part = Alternative(one.stat, Selector(one.of.metric, (Filter(name, exact=True),)))
    return replace(
        budget,
        name=f"{budget.name} {name}",
        instead=(*budget.instead[:place], part, *budget.instead[place + 1 :]),
    )


def _about_pages(selector: Selector) -> bool:
    return selector.metric.name.partition(".")[0] == PAGE


def _taken(selector: Selector, pages: Sequence[str]) -> list[str]:
    return [name for name in pages if selector.matches(name)]
