"""Events between services: an outbox, the queue, and those who consume what comes out of it."""

from dbz.server.events.hub import EventHub, open_queue

__all__ = ["EventHub", "open_queue"]
