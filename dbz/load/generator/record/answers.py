"""Where the time of answered requests goes, and how large answers are: sums by operation, taken once a second."""

from __future__ import annotations

from dbz.load.generator.http.response import Response
from dbz.load.generator.record.recorder import written


class AnswerCosts:
    """What the answers of HTTP requests cost since it was last asked."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, operation: str, response: Response) -> None:
        """Count a request whose answer came whole."""
        sums = self._sums.get(operation)
        if sums is None:
            sums = self._sums[operation] = [0, 0.0, 0.0, 0, 0, 0.0, 0.0]
        sums[0] += 1
        sums[1] += response.elapsed_s
        sums[2] += response.body_s
        sums[3] += response.received_bytes
        if response.connections:  # few are: connections are kept
            sums[4] += response.connections
            sums[5] += response.connect_s
            sums[6] += response.tls_s

    def add_sums(self, operation: str, answers: int, elapsed_s: float, body_s: float, received_bytes: int) -> None:
        """Count requests over kept connections, whose answers came whole."""
        sums = self._sums.setdefault(operation, [0, 0.0, 0.0, 0, 0, 0.0, 0.0])
        for index, value in enumerate((answers, elapsed_s, body_s, received_bytes)):
            sums[index] += value

    def take(self) -> dict[str, list[float]]:
        """By operation: answers, seconds, of these for bodies, bytes; connections, seconds for these and for TLS."""
        taken, self._sums = self._sums, {}
        return {written(operation): [round(value, 6) for value in sums] for operation, sums in taken.items()}
