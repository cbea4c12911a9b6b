"""A gate of the file's own that ends the program, as is often written for CI."""

import sys

from _bounded import counted
from locust import HttpUser, constant, events, task


@events.test_stop.add_listener
def gate(environment, **_):
    if environment.stats.total.num_requests:
        sys.exit("too slow")


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def home(self):
        counted(self)
        self.client.get("/")
