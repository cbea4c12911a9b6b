"""HTTP: what a handler gets, what it answers, and the rules that hold for every request."""

from dbz.server.http.call import Call
from dbz.server.http.dispatch import Dispatcher
from dbz.server.http.errors import ApiError
from dbz.server.http.models import Body, Fields, Moment, Query
from dbz.server.http.reply import Raw, Repeated, Reply, Stream
from dbz.server.http.route import Route

__all__ = [
    "ApiError",
    "Body",
    "Call",
    "Dispatcher",
    "Fields",
    "Moment",
    "Query",
    "Raw",
    "Repeated",
    "Reply",
    "Route",
    "Stream",
]
