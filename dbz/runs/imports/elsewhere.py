"""Files of known tools that say too little to be judged, each with what to give instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

_K6, _LOCUST = "k6 run --summary-export summary.json (or --out json=samples.json)", "the …_stats.csv of locust --csv"
_JMETER, _AB = "the results of jmeter -l results.jtl", "what ab prints: ab … > ab.txt"
_BEGINNING = 16_384
"""So many characters are looked at."""
_TEXTS: Sequence[tuple[re.Pattern[str], str, str]] = tuple(
    (re.compile(pattern, re.MULTILINE), what, instead)
    for pattern, what, instead in (
        (r"^[ \t]*http_req_duration\.{3,}", "the summary that k6 prints", _K6),
        (r"^Type;Name;|^Timestamp;User Count;", "a CSV of Locust that a spreadsheet saved", _LOCUST),
        (r'^"?Type"?,"?Name"?,"?# requests', "a CSV of a Locust before 1.0", "a run of a newer Locust"),
        (r"^Type +Name +# reqs +# fails", "the table that Locust prints", f"{_LOCUST}, or locust --json"),
        (r"^summary [+=] +\d+ in ", "the summary that JMeter prints", _JMETER),
        (r"^Label,# Samples,", "the aggregate report of JMeter", _JMETER),
        (r"^\d{13},\d+,[^,\n]*,", "a JTL of JMeter without the names of its columns",
         "one with them (jmeter.save.saveservice.print_field_names=true)"),
        (r'"pct1ResTime" *:', "statistics.json of JMeter's report", _JMETER),
        (r"\A(?=.*\btimeStamp\b)(?=.*\belapsed\b)", "a JTL of JMeter without what is needed of its columns",
         "one with timeStamp, elapsed, label and success between commas, semicolons or tabs"),
        (r"^Percentage served,Time in ms", "the CSV of ab -e (percentiles, but no failures)", _AB),
        (r"^starttime\tseconds\tctime", "the table of ab -g (times, but no failures)", _AB),
        (r"This is ApacheBench, Version .*<i>|<title>ApacheBench|>Server Software:</th>", "the HTML of ab -w", _AB),
        (r"^ +Date & Time, +Trans, ", "the log of siege", "what it prints: siege … 2> siege.txt, or siege -j"),
        (r"^Requests +\[total, rate", "the text report of vegeta", "vegeta report -type=json"),
        (r"^Value\(ms\)\s+Percentile\s+TotalCount", "the hdrplot of vegeta", "vegeta report -type=json"),
        (r"^Bucket +# +% +Histogram", "the histogram of vegeta", "vegeta report -type=json"),
        (r"^request-start,DNS,", "the CSV of oha", "oha --output-format json > results.json"),
        (r"│ Stat +│", "the tables that autocannon prints", "autocannon --json > results.json"),
        (r"^Summary:\n +Success rate:", "what oha prints", "oha --output-format json > results.json"),
        (r"^(http\.response_time:|All VUs finished|Summary report @)", "what Artillery prints",
         "artillery run --output results.json"),
        (r"^Bombarding http", "what bombardier prints", "bombardier --latencies --format=json --print=result"),
        (r"^---- Global Information -{5,}|^> request count +", "the summary that Gatling prints",
         "js/stats.json of its report"),
        (r"\A\s*<(!DOCTYPE html|html)\b", "a page for people", "the JSON or CSV that the same tool writes"),
    )
)  # fmt: skip


def instead_of(text: str) -> tuple[str, str] | None:
    """What a text is that is not read, and what to give instead; None for one that is not known either."""
    beginning = text[:_BEGINNING]
    return next(((what, instead) for pattern, what, instead in _TEXTS if pattern.search(beginning)), None)
