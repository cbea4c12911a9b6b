"""Real time: Socket.IO connections, rooms over all processes, rate limits, clean-up."""

from dbz.server.realtime.gateway import Gateway

__all__ = ["Gateway"]
