"""What the generator itself runs out of: descriptors, local ports, buffers. None of it says anything of the target."""

from __future__ import annotations

import errno
import resource

from dbz.load.generator.net.faults import GeneratorLimit

OWN_LIMIT = "GeneratorLimit: the load generator"
"""How the text of such an error begins, in the record too."""
_CHAIN = 10
"""How far the causes of an error are followed: clients wrap it several times."""


def limit_behind(error: BaseException) -> GeneratorLimit | None:
    """The limit of this process or machine that is behind an error, whatever client raised it; None when none is."""
    current: object = error
    for _ in range(_CHAIN):
        if not isinstance(current, BaseException):
            return None
        if isinstance(current, GeneratorLimit):
            return current
        if isinstance(current, OSError) and (what := _what(current.errno)):
            return GeneratorLimit(what)
        inner = (argument for argument in current.args if isinstance(argument, BaseException))
        current = current.__cause__ or getattr(current, "reason", None) or next(inner, None) or current.__context__
    return None


def _what(number: int | None) -> str:
    if number == errno.EMFILE:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return f"the load generator has no file descriptor left of {allowed:,}: raise the limit (ulimit -n)"
    if number == errno.ENFILE:
        return "the load generator's machine has no file descriptor left"
    if number == errno.EADDRNOTAVAIL:
        return "the load generator has no local port or address left to connect from"
    if number in (errno.ENOBUFS, errno.ENOMEM):
        return "the load generator's machine has no memory left for another socket"
    return ""
