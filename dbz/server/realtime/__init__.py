"""Real time: Socket.IO connections, rooms over all processes, rate limits, clean-up."""

from dbz.server.realtime.gateway import Gateway
from dbz.server.realtime.publisher import Publisher

__all__ = ["Gateway", "Publisher"]
