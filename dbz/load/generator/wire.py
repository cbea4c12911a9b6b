"""What a program needs beside the clients of virtual users to use them outside a load, as benchmarks and tests do.

A generator process runs this itself. Elsewhere nothing ends the waits of a client until somebody does, on gevent's
patched standard library: `gevent.spawn(wire.sweep_deadlines)`.
"""

from dbz.load.generator.net.waiting import sweep_deadlines

__all__ = ["sweep_deadlines"]
