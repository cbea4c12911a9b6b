"""What AWS's public documentation says of alarms and metric math, as tables.

Sources: *Amazon CloudWatch User Guide*, "Configuring how CloudWatch alarms treat missing data" (both example tables,
rows of the edition of 2020 that the present one has replaced, "Avoiding premature transitions to alarm state"), and
"Using metric math" (operators, IF, FILL). 0 is a datapoint within the threshold, X a breaching one, - a missing one;
the newest is on the right. `SAME` stands for "Retain current state".
"""

from __future__ import annotations

SAME = "SAME"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

Row = tuple[str, str, str, str, str]
"""Datapoints of the evaluation range, and the state by each of `TREATMENTS`."""

THREE_OF_THREE: list[Row] = [
    ("0 - X - X", OK, OK, OK, OK),
    ("0 - - - -", OK, OK, OK, OK),
    ("- - - - -", NO_DATA, SAME, ALARM, OK),
    ("0 X X - X", ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", ALARM, SAME, ALARM, OK),
]
"""EvaluationPeriods 3, DatapointsToAlarm 3, evaluation range 5."""

TWO_OF_THREE: list[Row] = [
    ("0 - X - X", ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", OK, OK, ALARM, OK),
    ("- - - - 0", OK, OK, ALARM, OK),
    ("- - - X -", ALARM, SAME, ALARM, OK),
]
"""EvaluationPeriods 3, DatapointsToAlarm 2, evaluation range 5."""

EDITION_OF_2020: list[tuple[int, Row]] = [
    (3, ("- - - - X", NO_DATA, SAME, ALARM, OK)),
    (3, ("X - - - -", ALARM, SAME, ALARM, OK)),
    (2, ("- - - - X", NO_DATA, SAME, ALARM, OK)),
]
"""Rows that only that edition has, each with its DatapointsToAlarm; EvaluationPeriods 3. The missing *oldest* breaching
point alarms, a new one does not yet."""

NOT_YET = ["- - - - X", "- - - X -"]
"""DatapointsToAlarm 3, `missing`: "the alarm does not go immediately into ALARM state"."""
TAKEN_BACK = ["- - - X 0", "- - X - 0"]
"""And with the next datapoint within the threshold there is no false alarm: OK."""

Points = list[float | None]
M1: Points = [30, 20, 0, 0]
M2: Points = [20, None, 20, None]
"""metric1 and metric2 of "Comparison and logical operators"."""
OPERATORS: list[tuple[str, Points]] = [
    ("m1 < m2", [0, 0, 1, 0]),
    ("m1 >= 30", [1, 0, 0, 0]),
    ("m1 > 15 AND m2 > 15", [1, 0, 0, 0]),
    ("m1 + m2", [50, 20, 20, 0]),
    ("m1 / m2", [1.5, None, 0, None]),
]
"""The first three rows as printed; the others by its words: a missing value is treated as 0, and a datapoint that would
be divided by zero is dropped."""

C1: Points = [1, 1, 0, 0, None]
C2: Points = [30, None, 0, 0, 30]
C3: Points = [0, 0, 20, None, 20]
CHOICES: list[tuple[str, Points]] = [
    ("IF(m1, m2, m3)", [30, 0, 20, None, None]),
    ("IF(m1, 5, m3)", [5, 5, 20, None, None]),
    ("IF(m1, m2, 5)", [30, 0, 5, 5, None]),
    ("IF(m1, m2)", [30, 0, None, None, None]),
]
"""The three tables of "Using IF expressions" over metric1 to metric3, and its words about a third argument left out."""

GAPS: Points = [None, 2, None, None, 8]
FILLINGS: list[tuple[str, Points]] = [
    ("FILL(m1, 10)", [10, 2, 10, 10, 8]),
    ("FILL(m1, m2)", [1, 2, 1, 1, 8]),
    ("FILL(m1, REPEAT)", [None, 2, 2, 2, 8]),
    ("FILL(m1, LINEAR)", [None, 2, 4, 6, 8]),
]
"""FILL over a series with gaps; m2 is 1 throughout."""

PERIODS = {10: True, 20: True, 30: True, 60: True, 120: True, 3600: True, 45: False, 15: False, 90: False, 61: False}
"""PutMetricAlarm, `Period`: "Valid values are 10, 20, 30, and any multiple of 60"."""
