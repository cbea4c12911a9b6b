"""Errors of the cache and of stores."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

CACHE = (
    ErrorKind(
        "C001", "the URL of a store is not valid",
        "A Redis URL or a MongoDB URI is not written as its driver needs it, or names a file that does not exist.",
        "Write redis://HOST:6379/0, rediss:// for TLS, or mongodb://HOST/DATABASE; secrets belong into the "
        "environment.",
    ),
    ErrorKind(
        "C002", "Redis cannot be used",
        "Redis does not answer, wants another password, is loading, full or read-only, or broke the connection.",
        "The message has Redis' own reason. `dbz doctor --redis-url URL` says what else is wrong with it.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "C003", "the document store cannot be used",
        "No server of the store answers, or it refused the user or the command.",
        "Is it running, and is the URI right? `dbz doctor --mongo-uri URI` looks closer.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "C004", "it is not known which store is meant",
        "Neither the command line nor the environment names a store, and no `dbz serve` is running.",
        "Give --redis-url and --mongo-uri, set REDIS_URL and MONGODB_URI, start `dbz serve`, or try it with "
        "--embedded.",
    ),
    ErrorKind(
        "C005", "a warmer does not fit the documents",
        "Its collection does not exist, its key needs a field that the documents do not have, or the store "
        "refuses its filter.",
        "Correct the warmer in the file that the message names; `dbz cache warm --dry-run` checks it without writing.",
    ),
    ErrorKind(
        "C006", "the warm-up is not complete",
        "Redis or the document store went away, or became too slow, before everything was written.",
        "What was written stays. Run the command again: it goes on where it ended.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "C007", "nothing could be measured",
        "The load that measures the cache got no answer, or could not be carried out.",
        "Is the target up, and does its API use this cache?",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "C008", "a Redis Cluster cannot be measured as a whole",
        "The measurement is about one server: of a cluster, every key may lie on another one.",
        "Name a single server of the cluster.",
    ),
    ErrorKind(
        "C009", "an SQS queue cannot be used",
        "SQS does not answer, does not know the queue, or did not accept the credentials or the region.",
        "Set AWS_REGION and credentials, and look at the URL of the queue; a local cloud needs AWS_ENDPOINT_URL.",
        ExitCode.UNREACHABLE,
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
