"""The words that the reports of a capacity search share."""

from __future__ import annotations

from dbz.report.words.verdict import value_text
from dbz.runs.capacity import Capacity, CapacityStep, Headroom, ScalabilityFit, StepOutcome, load_text
from dbz.units import counted, format_duration, format_number, format_percent, format_rate

BADGES = {
    StepOutcome.FOUND: "FOUND",
    StepOutcome.AT_LEAST: "AT LEAST",
    StepOutcome.NOTHING_HOLDS: "NOTHING HOLDS",
    StepOutcome.UNDECIDED: "UNDECIDED",
    StepOutcome.INTERRUPTED: "INTERRUPTED",
    StepOutcome.SEARCHING: "UNFINISHED",
}
ANSWERS = {"holds": "holds", "breaks": "breaks", "undecided": "not decidable"}


def capacity_text(found: Capacity) -> str:
    """The capacity with its throughput, in one line; empty when there is none."""
    figures = found.capacity
    if figures is None:
        return ""
    at_least = "" if found.outcome is StepOutcome.FOUND else "at least "
    parts = [f"{at_least}{load_text(found.scaled, figures.load)}", f"{_number(figures.attempts_per_s)} attempts/s"]
    if figures.requests_per_s:
        parts.append(f"{_number(figures.requests_per_s)} HTTP requests/s")
    if figures.connections:
        parts.append(counted(round(figures.connections), "connection"))
    return ", ".join(parts)


def broken_texts(found: Capacity) -> list[str]:
    """What broke above the capacity, the worst first, with by how much."""
    at = "" if found.limit is None else f"at {load_text(found.scaled, found.limit)}: "
    return [at + (one.reason or f"{one.name}: {value_text(one)}") for one in found.broken]


def step_text(step: CapacityStep) -> str:
    """What came of one step, in one line."""
    text = f"{ANSWERS[step.answer]}, {_number(step.attempts_per_s)} attempts/s"
    if step.answer == "undecided" and step.reasons:
        return f"{text}; {step.reasons[0]}"
    if step.broken:
        more = f" and {len(step.broken) - 1} more" if len(step.broken) > 1 else ""
        return f"{text}; {step.broken[0].reason or step.broken[0].name}{more}"
    return f"{text}; {used_text(step)}" if step.tightest else text


def used_text(step: CapacityStep) -> str:
    """The budget nearest to its limit, and how much of the limit it used."""
    if not step.tightest:
        return ""
    share = (
        "failed"
        if step.used is None
        else f"{step.used * 100:,.0f} %"
        if step.used < 2
        else f"{format_number(step.used)}×"
    )
    return f"{step.tightest} {share}"


def headroom_text(found: Capacity, row: Headroom) -> str:
    """Whether a phase is carried, and what is scarcest; what was not tried is not called too little."""
    if row.lowest is None:
        ratios = {"users": row.users, "connections": row.connections, "requests": row.requests}
        missing = [name for name, ratio in ratios.items() if ratio is None]
        return f"not measured: no {' and '.join(missing)} were loaded"
    if row.lowest >= 1:
        return f"carried, {(row.lowest - 1) * 100:,.0f} % to spare ({row.by})"
    short = "short" if found.outcome is StepOutcome.FOUND else "not shown"
    return f"{short}: {row.lowest * 100:,.0f} % of its {row.by}"


def _number(per_s: float) -> str:
    return format_rate(per_s).removesuffix("/s")


def ratio_text(ratio: float | None) -> str:
    """A ratio such as `1.35×`; a dash where nothing was compared."""
    return "–" if ratio is None else f"{format_number(ratio)}×"


def fit_text(fit: ScalabilityFit, highest: int) -> str:
    """What the Universal Scalability Law says, in one line; `highest` is the highest load that was measured."""
    quality = "" if fit.r_squared is None else f", R² {fit.r_squared:.3f}"
    spread = f"contention σ {fit.sigma + 0.0:.3g}, coherency κ {fit.kappa + 0.0:.3g}"
    law = f"{spread}{quality} over {counted(fit.points, 'step')}"
    if fit.peak_users is None or fit.peak_per_s is None or fit.peak_users > highest:
        return f"{law}; no peak up to {highest:,} users, the most that was measured"
    return f"{law}; peak {_number(fit.peak_per_s)} {fit.what}/s at {fit.peak_users:,.0f} users"


def interval_text(found: Capacity) -> str:
    """Where the limit is by all looks together, in one sentence; empty when it was not enclosed."""
    if found.between is None:
        return ""
    low, high = f"{found.between.low:,}", load_text(found.scaled, found.between.high)
    probability = format_percent(found.between.probability)
    return f"By all looks together, the limit is between {low} and {high} ({probability} probable)."


def about_text(found: Capacity) -> str:
    """What was searched, how long, and how finely."""
    target = "the embedded stack" if found.embedded else found.target
    steps = counted(len(found.steps), "step")
    return (
        f"{found.profile.get('name', '?')}, {target}; {steps} in {format_duration(found.duration_s)}, "
        f"to within {found.tolerance * 100:g} %"
    )
