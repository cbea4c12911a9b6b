"""All topics of `dbz help`."""

from __future__ import annotations

from dbz.cli.help.environment import ENVIRONMENT_TOPIC
from dbz.cli.help.topic import Section, Topic
from dbz.errors import ExitCode

READ_FILES = (
    ("profile", "A load: users, how many, how fast, for how long. docs/profiles.md"),
    ("budgets", "What must hold. docs/budgets.md"),
    ("phases", "The scaling plan: what each phase must carry, and when servers scale. docs/scale.md"),
    ("shards", "Which stores hold the clubs. docs/shards.md"),
    ("warmup", "What goes into the cache before anybody asks. docs/cache.md"),
    ("behaviour", "Where users of a phone go, and how long they stay. docs/scenarios.md"),
    ("monitor", "What is watched, the rules, and who is told. docs/monitor.md"),
    ("monitor-test", "Tests of rules and routes. docs/monitor.md"),
    ("incidents", "When something was wrong, for `dbz monitor backtest`. docs/monitor.md"),
    ("server", "Settings of the reference server. docs/server.md"),
)
"""The kinds of YAML files that dbz reads, as `dbz schema` names them."""
_RUN_FILES = (
    ("run.json", "The verdict and all figures; `dbz report schema` describes it."),
    ("report.html", "The same as a page that works offline."),
    ("junit.xml, summary.md, operations.csv, bencher.json", "The same for CI and other programs."),
    ("worker-*.hlog", "What was measured, a histogram a second, in the standard form of interval logs."),
    ("past.json, past-*", "The same of what is long over in a long run, by spans of up to 16 minutes."),
    ("logs/", "Logs of the programs that ran."),
)
_STATE_FILES = (
    ("stack.json, stack.lock, serve-logs/", "The running `dbz serve`."),
    ("scale/", "The journal of changes, a file each; `dbz scale rollback` needs it."),
    ("monitor.db", "The monitor's series, alerts and silences (SQLite)."),
    ("shard-plan.json, shard-moves.sock", "The plan of moves, and where a running rebalance takes orders."),
    ("worker-secret-PORT", "The secret of a running master, for workers of this machine."),
)

_EXIT_CODES = Topic(
    "exit-codes",
    "what the code of a command says to scripts",
    (
        Section(
            text="""1 is never anything but a broken budget or a failed verification, so that CI can tell a slow app
            from a wrong command.""",
            rows=tuple((str(int(code)), f"{code.meaning}.") for code in ExitCode),
        ),
        Section(text="An error has a code of its own too, which says what it is: see `dbz help errors`."),
    ),
)
_ERRORS = Topic(
    "errors",
    "how errors look, for people and for programs",
    (
        Section(
            text="""An error is one message on standard error: what happened and where, at the end of its first line
            the code, like [DBZ-L002], and below it what to do. `dbz explain DBZ-L002` says why it happens and how it is
            mended; `dbz explain` lists all codes. A code never comes to mean something else."""
        ),
        Section(
            text="""With --json an error is one line of JSON on standard error, the last one, of schema dbz.error/1:
            code, message, hint, exit_code and next_steps, which are commands. Standard output holds no answer then."""
        ),
        Section(text="An error in dbz itself (exit code 70) names a file with the traceback to report it with."),
    ),
)
_FILES = Topic(
    "files",
    "what dbz reads and writes, and where",
    (
        Section(
            "Read: YAML files, each beginning with `schema: dbz.NAME/1`",
            """`dbz schema NAME` prints the JSON Schema by which editors check one. Instead of a file, the name of a
            bundled one will do; those are in configs/.""",
            READ_FILES,
        ),
        Section("Read: Python", "A scenario is a Python file; any Locust file is one. docs/scenarios.md"),
        Section("Written: runs", "A folder for each run, in reports/ of the current folder or in --out:", _RUN_FILES),
        Section(
            "Written: the state folder",
            "$DBZ_STATE_DIR, else $XDG_STATE_HOME/dbz, else ~/.local/state/dbz:",
            _STATE_FILES,
        ),
        Section("Written: else", "What an option names (--out). Temporary folders are removed, however dbz ends."),
    ),
)
_JSON = Topic(
    "json",
    "answers for programs",
    (
        Section(
            text="""Commands that print a table take --json: one document on standard output, whose `schema` says what
            it is, like dbz.run/1. The number after the slash changes when a field goes or changes its meaning; new
            fields come without that. Progress goes to standard error."""
        ),
        Section(
            text="""Commands that change something say in `next_steps` which commands come next. JSON Schemas of the
            main documents: `dbz report schema`, docs/schemas/."""
        ),
    ),
)
_OUTPUT = Topic(
    "output",
    "how much a command says, and where",
    (
        Section(
            text="""Standard output has the result, standard error the progress. Colours and live displays are for
            terminals only. These options stand before a command or behind it:"""
        ),
        Section(
            rows=(
                (
                    "-q, --quiet",
                    "Only the outcome (of a load one line, the verdict) or the error; questions are asked.",
                ),
                ("-v, --verbose", "Also what is done and why, on standard error."),
                ("--log FILE", "What is done and why is appended to FILE, a line of JSON each, schema dbz.log/1."),
            )
        ),
        Section(text="Neither the lines of --verbose nor those of --log have secrets in them: URLs are masked."),
    ),
)
_SAFETY = Topic(
    "safety",
    "what dbz does not do unless it is told to",
    (
        Section(
            "Other hosts",
            "Only this machine is loaded, until --allow-target or `allowed_targets` in a profile names a host.",
        ),
        Section(
            "Changes",
            """A command that changes a deployment prints a plan and asks; without a terminal it needs --yes. What it
            does is written down before. The way back: `dbz scale rollback`, `dbz shard rollback`.""",
        ),
        Section(
            "Secrets",
            """Passwords, tokens and the values of queries in URLs are masked in outputs, logs and reports. Secrets come
            from the environment, or from a file that it names.""",
        ),
        Section(
            "Ctrl-C",
            """A load ends in good order, is saved and judged. A change ends between two calls; the message says how to
            go on or back.""",
        ),
    ),
)
_UNITS = Topic(
    "units",
    "how durations, rates, sizes and shares are written",
    (
        Section(
            rows=(
                ("500ms, 90s, 5m, 1h30m", "Durations."),
                ("200/s, 5000/min", "Rates."),
                ("150MB, 64MiB", "Sizes: decimal or binary."),
                ("750kbit, 1.6Mbit/s", "Bandwidths, decimal."),
                ("0.1%, 80%", "Shares."),
            )
        ),
    ),
)

TOPICS = {
    topic.name: topic for topic in (_EXIT_CODES, _ERRORS, ENVIRONMENT_TOPIC, _FILES, _JSON, _OUTPUT, _SAFETY, _UNITS)
}
"""By name, in the order of the list."""


def help_page() -> str:
    """The text of docs/help.md."""
    head = "# What commands share\n\nMade from the program by `make docs`; `dbz help TOPIC` says it at a terminal."
    return "\n\n".join([head, *(topic.as_markdown() for topic in TOPICS.values())]) + "\n"
