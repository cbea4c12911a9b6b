"""What a scenario imports: base classes of virtual users, and Locust's names beside them.

from dbz.users import HttpUser, between, task

class Reader(HttpUser):
    wait_time = between(1, 3)

    @task
    def read(self):
        self.client.get("/api/posts", name="/api/posts")
"""

from locust import between, constant, constant_pacing, constant_throughput, tag, task

from dbz.load.generator.data.checks import extract
from dbz.load.generator.data.feeders import feeder
from dbz.load.generator.data.secrets import secret
from dbz.load.generator.http.response import Response
from dbz.load.generator.phone.behaviour import read_behaviour
from dbz.load.generator.phone.screen import ListWindow, device_of
from dbz.load.generator.phone.timing import debounced, throttled
from dbz.load.generator.setup.once import OnceARun, setup, teardown
from dbz.load.generator.socketio.endpoint import SocketOptions
from dbz.load.generator.users import HttpUser, SocketUser, WebSocketUser
from dbz.load.generator.websocket.raw import WebSocketOptions

__all__ = [
    "HttpUser",
    "ListWindow",
    "OnceARun",
    "Response",
    "SocketOptions",
    "SocketUser",
    "WebSocketOptions",
    "WebSocketUser",
    "between",
    "constant",
    "constant_pacing",
    "constant_throughput",
    "debounced",
    "device_of",
    "extract",
    "feeder",
    "read_behaviour",
    "secret",
    "setup",
    "tag",
    "task",
    "teardown",
    "throttled",
]
