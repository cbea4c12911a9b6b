"""Errors of loads: targets, scenarios, generators, workers."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

LOAD = (
    ErrorKind(
        "L001", "the target is no URL",
        "A target is written as http:// or https://, a host, and perhaps a port; an allowed host as a host "
        "with a port.",
        "Write for example http://127.0.0.1:8480.",
    ),
    ErrorKind(
        "L002", "the target is not allowed",
        "dbz loads this machine only, unless somebody said that another host may be loaded: a load can do harm.",
        "If the host is yours to load: --allow-target HOST, or `allowed_targets` in the profile.",
    ),
    ErrorKind(
        "L003", "the target cannot be reached",
        "Nothing accepted a connection at the target's host and port: it is down, elsewhere, or a firewall is between.",
        "Start it, or correct the URL; `dbz doctor --target URL` looks closer. Without --target, bundled profiles "
        "bring up a server of their own.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L004", "no target is named",
        "The load could go to any server, and dbz loads its own demo stack only when asked to.",
        "Give --target URL, `target:` in the profile, `host` in a Locust file, or --embedded for the demo stack.",
    ),
    ErrorKind(
        "L005", "the scenario cannot be imported",
        "The Python file has a fault, needs a package that is missing, ends the program, or does not finish; "
        "or a listener of its test's start failed.",
        "The message has file, line and error. `python FILE` shows the whole of it.",
    ),
    ErrorKind(
        "L006", "the scenario declares no users, or one thing twice",
        "No class in the file derives from locust.User or dbz.users.HttpUser, or two functions want to do the same.",
        "Derive a class and give it a @task; keep one of the functions that the message names.",
    ),
    ErrorKind(
        "L007", "the scenario has nothing of this name",
        "A user class, a tag or a care of the app that was asked for is not in the scenario.",
        "The message lists those that are.",
    ),
    ErrorKind(
        "L008", "the users cannot do what the profile asks",
        "The profile fixes connections or paces requests, and the scenario's users hold none, all hold one, "
        "or cannot be paced.",
        "Derive users from dbz.users.SocketUser or HttpUser, or leave the key out of the profile; see "
        "docs/scenarios.md.",
    ),
    ErrorKind(
        "L009", "a feeder's file cannot be used",
        "The CSV or JSON file has no rows, rows of different lengths, a damaged line, or an unknown option was given.",
        "The message has the line and what is expected there; see docs/scenarios.md.",
    ),
    ErrorKind(
        "L010", "a feeder has too few rows",
        "Each user or worker is to have a row of its own, and there are fewer rows than users or workers.",
        "Add rows, take fewer users, or let rows be shared.",
    ),
    ErrorKind(
        "L011", "a worker cannot prove that it belongs to the run",
        "Workers of other machines share a secret with their master: it is not set, cannot be kept, or is another one; "
        "or the master refused the worker for the reason in the message.",
        "Set DBZ_WORKER_SECRET to the same value for the master and each worker, and start them by the same dbz.",
    ),
    ErrorKind(
        "L012", "no master answered",
        "Nobody listens at the master's address, or somebody who does not know this worker's secret.",
        "Start the master first, and let its ports through the firewall; compare DBZ_WORKER_SECRET on both machines.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L013", "the master and its workers did not come together",
        "Not all workers joined in time, or the installed ZeroMQ cannot keep strangers out.",
        "Start as many workers as the master was told; install pyzmq from PyPI where the message names CURVE.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L014", "the load generator did not start, or ended",
        "A generator process was killed, ran out of memory, or could not bring its users in time.",
        "Its logs are named below the message. Fewer users, or more workers on more cores; `dbz doctor` "
        "looks at the machine.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L015", "a worker's record is not complete",
        "This worker ended before it had handed over everything that it measured.",
        "The master's report says what is missing; repeat the run.",
        ExitCode.INVALID,
    ),
    ErrorKind(
        "L016", "the load must be constant here",
        "A capacity search, or a load shape in the scenario, would change a load that changes by itself.",
        "Take a profile without stages, shapes and recorded arrivals, or a file without a LoadTestShape.",
    ),
    ErrorKind(
        "L017", "the recorded arrivals cannot be used",
        "The file has no head of schema dbz.arrivals/1, no arrivals, or a line that is damaged or goes back in time.",
        "The message has the line. `dbz import LOG --replay` writes such files.",
    ),
    ErrorKind(
        "L018", "no budget is left to judge by",
        "A capacity search needs budgets that a higher load can break; those about the number of users cannot be.",
        "Give --budgets with a latency or an error rate in it.",
    ),
    ErrorKind(
        "L019", "Locust's own configuration cannot be read",
        "A locust.conf, or a variable that begins with LOCUST_, holds what Locust does not understand.",
        "Mend or remove it; the log has Locust's own words.",
    ),
    ErrorKind(
        "L020", "the scenario ended the program",
        "A task or a listener of the scenario called `exit`, which ends the generator and all of its users.",
        "Raise locust.exception.StopUser to end one user; do not call `exit` in a scenario.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L021", "there is no browser",
        "Pages are opened in a Chromium or Chrome, and none is on the search path.",
        "`apt install chromium`, or name the program of another one in DBZ_BROWSER; see docs/pages.md.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L022", "the browser did not start, or ended",
        "The Chromium that opens pages could not start, crashed, or was killed, perhaps for want of memory.",
        "The end of its log is below the message. Start it by hand with --headless to see what it lacks.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "L023", "a page is a path, and there is no website",
        "A page without scheme and host is below the target, and the target does not speak HTTP.",
        "Write the whole URL of the page, like http://127.0.0.1:8480/club.",
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
